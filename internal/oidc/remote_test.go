package oidc_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// TestDocumentsThatAreNone reads what a provider, or a proxy before it, may send instead of
// userInfo.
func TestDocumentsThatAreNone(t *testing.T) {
	for name, tt := range map[string]struct {
		header, body string
		status       int
		want         string
	}{
		"a page":       {"text/html; charset=utf-8", "<h1>hello</h1>", 200, "HTML page"},
		"an error":     {"application/json", "{}", 503, "status 503"},
		"half a text":  {"application/json", "\xff\xfe{", 200, "the answer: "},
		"much of it":   {"application/json", strings.Repeat(" ", 300<<10), 200, "larger than"},
		"another type": {"application/json", "[]", 200, "not the JSON expected"},
	} {
		p := fakeprovider.New(t)
		p.ServeUserInfo = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tt.header)
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		}
		_, err := newClient(p).UserInfo(t.Context(), "access-token")
		if refusal.Of(err) != refusal.UserInfo || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q in it", name, err, tt.want)
		}
	}
}

// TestBrokenConnections checks that errors say what broke, and quote nothing that was sent.
func TestBrokenConnections(t *testing.T) {
	certificate := &tls.CertificateVerificationError{Err: errors.New("who signed this?")}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"over":        {context.DeadlineExceeded, "deadline exceeded"},
		"cut off":     {io.ErrUnexpectedEOF, "unexpected EOF"},
		"refused":     {&net.OpError{Op: "dial", Err: errors.New("connection refused")}, "no connection: dial"},
		"certificate": {certificate, "no connection: tls"},
		"slow":        {os.ErrDeadlineExceeded, "it took too long"},
		"an echo":     {errors.New("malformed HTTP response \"refresh-SECRET\""), "the connection broke off"},
	} {
		p := fakeprovider.New(t)
		p.HTTPClient = &http.Client{Transport: fakeprovider.RoundTripFunc(func(r *http.Request) (*http.Response,
			error) {
			if r.Method == http.MethodPost {
				return nil, tt.err
			}
			return http.DefaultTransport.RoundTrip(r)
		})}
		_, err := newClient(p).Refresh(t.Context(), oldRefreshToken)
		if refusal.Of(err) != refusal.RefreshFailed || !strings.Contains(err.Error(), tt.want) ||
			strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v, want %q in it", name, err, tt.want)
		}
	}
}

// TestOldKeys checks that old keys are used for a day, and no longer, while new ones can't be
// fetched.
func TestOldKeys(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		verifier := newClient(p).Verifier
		verify := func() error {
			c := p.UserClaims("")
			c["nonce"] = "n"
			delete(c, "at_hash")
			_, err := verifier.Verify(t.Context(), p.SignIDToken(c), "", oidc.Attempt{Nonce: "n"})
			return err
		}
		err := verify()
		if err != nil {
			t.Fatal(err)
		}
		p.Down = true
		time.Sleep(23 * time.Hour)
		err = verify()
		if err != nil {
			t.Errorf("after 23 hours: %v", err)
		}
		time.Sleep(2 * time.Hour)
		for range 2 { // the second during the pause after a failed fetch
			err := verify()
			if refusal.Of(err) != refusal.ProviderDown || !strings.Contains(err.Error(), "not trusted any more") {
				t.Errorf("after a day: %v", err)
			}
		}
		p.Down = false
		time.Sleep(2 * time.Minute)
		err = verify()
		if err != nil {
			t.Errorf("when it is back: %v", err)
		}
	})
}

// TestRotatedKeys checks that a token with an unknown key ID causes a fetch, but not every such
// token.
func TestRotatedKeys(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		verifier := newClient(p).Verifier
		verify := func(kid string) error {
			c := p.UserClaims("")
			c["nonce"] = "n"
			delete(c, "at_hash")
			_, err := verifier.Verify(t.Context(), fakeprovider.SignRS256(p.Key, kid, c), "", oidc.Attempt{Nonce: "n"})
			return err
		}
		err := verify(p.KeyID)
		if err != nil {
			t.Fatal(err)
		}
		p.KeyID = "new"
		err = verify("new")
		if err != nil || p.KeyFetches() != 2 {
			t.Errorf("%v after %d fetches", err, p.KeyFetches())
		}
		for range 5 {
			err := verify("made-up")
			if refusal.Of(err) != refusal.TokenKey {
				t.Errorf("a key that is not there: %v", err)
			}
		}
		if p.KeyFetches() != 2 {
			t.Errorf("%d fetches", p.KeyFetches())
		}
		p.Down = true
		time.Sleep(time.Minute)
		err = verify("made-up")
		if refusal.Of(err) != refusal.TokenKey {
			t.Errorf("a key that may be there: %v", err)
		}
	})
}
