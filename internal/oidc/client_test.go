package oidc_test

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// TestProofs looks at what each proof sends to the token endpoint.
func TestProofs(t *testing.T) {
	const id, secret = "client-1", "s3cret+/="
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("client-1:s3cret%2B%2F%3D"))
	for name, tt := range map[string]struct {
		proof         *oidc.Proof
		authorization string
		form          map[string]string
	}{
		"public": {oidc.PublicClient(id), "", map[string]string{"client_id": id}},
		"header": {oidc.SecretInHeader(id, secret), basic, map[string]string{"client_id": "", "client_secret": ""}},
		"body":   {oidc.SecretInBody(id, secret), "", map[string]string{"client_id": id, "client_secret": secret}},
		"bearer": {oidc.BearerToken("own"), "Bearer own", map[string]string{"client_id": ""}},
	} {
		p := fakeprovider.New(t)
		c := newClient(p)
		c.Proofs = []*oidc.Proof{tt.proof}
		_, _ = c.Refresh(t.Context(), oldRefreshToken)
		r := p.TokenRequests()[0]
		if got := r.Header.Get("Authorization"); got != tt.authorization {
			t.Errorf("%s: Authorization %q", name, got)
		}
		for param, want := range tt.form {
			if got := r.PostForm.Get(param); got != want {
				t.Errorf("%s: %s is %q, want %q", name, param, got, want)
			}
		}
		if text := fmt.Sprintf("%v %+v %#v", tt.proof, tt.proof, *tt.proof); strings.Contains(text, "s3cret") {
			t.Errorf("%s prints as %s", name, text)
		}
	}
}

// TestAssertions has another implementation verify what a key signs.
func TestAssertions(t *testing.T) {
	keys := fakeprovider.SigningKeys()
	for _, alg := range []string{"RS256", "PS256", "ES256"} {
		p := fakeprovider.New(t)
		c := newClient(p)
		signer := keys[alg].(crypto.Signer)
		key := oidc.ClientKey{Signer: signer, ID: "kid", Algorithm: alg, Audience: p.Issuer}
		c.Proofs = []*oidc.Proof{oidc.Assertion(c.ID, key, p.Now)}
		_, _ = c.Refresh(t.Context(), oldRefreshToken)
		form := p.TokenRequests()[0].PostForm
		if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			t.Errorf("%s: form %v", alg, form)
		}
		token, err := jwt.Parse(form.Get("client_assertion"),
			func(*jwt.Token) (any, error) { return signer.Public(), nil },
			jwt.WithValidMethods([]string{alg}), jwt.WithAudience(p.Issuer), jwt.WithIssuer(c.ID),
			jwt.WithSubject(c.ID),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt())
		if err != nil || token.Header["kid"] != "kid" {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// A badSigner signs nothing, or something else.
type badSigner struct {
	*rsa.PrivateKey
	signature []byte
	err       error
}

func (s badSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return s.signature, s.err
}

func TestAssertionsThatFail(t *testing.T) {
	for name, tt := range map[string]struct {
		alg    string
		signer badSigner
	}{
		"an error":           {"RS256", badSigner{err: errors.New("no SECRET")}},
		"no ECDSA signature": {"ES256", badSigner{signature: []byte("x")}},
	} {
		p := fakeprovider.New(t)
		c := newClient(p)
		c.Proofs = []*oidc.Proof{oidc.Assertion(c.ID, oidc.ClientKey{Signer: tt.signer, Algorithm: tt.alg}, p.Now)}
		_, err := c.Refresh(t.Context(), oldRefreshToken)
		if err == nil || len(p.TokenRequests()) > 0 || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v after %d requests", name, err, len(p.TokenRequests()))
		}
	}
}

// TestProofByAnnouncement checks that the client uses one of its methods that the provider
// announces.
func TestProofByAnnouncement(t *testing.T) {
	header, body := oidc.SecretInHeader("client-1", "s"), oidc.SecretInBody("client-1", "s")
	for _, tt := range []struct {
		announced []string
		proofs    []*oidc.Proof
		want      string // "header", "body" or "refused"
	}{
		{nil, []*oidc.Proof{header, body}, "header"},
		{[]string{}, []*oidc.Proof{header, body}, "header"},
		{[]string{"client_secret_post"}, []*oidc.Proof{header, body}, "body"},
		{[]string{"client_secret_post", "client_secret_basic"}, []*oidc.Proof{header, body}, "header"},
		{[]string{"client_secret_basic"}, []*oidc.Proof{body, header}, "header"},
		{[]string{"client_secret_post"}, []*oidc.Proof{header}, "refused"},
		{[]string{"private_key_jwt"}, []*oidc.Proof{header, body}, "refused"},
		{[]string{"private_key_jwt"}, []*oidc.Proof{oidc.PublicClient("client-1")}, ""},
	} {
		p := fakeprovider.New(t)
		p.EditDiscovery = func(d map[string]any) { d["token_endpoint_auth_methods_supported"] = tt.announced }
		c := newClient(p)
		c.Proofs = tt.proofs
		_, err := c.Authorization(t.Context(), oidc.Attempt{Verifier: "v"}, url.Values{}, false)
		got := ""
		if err == nil {
			_, _ = c.Refresh(t.Context(), oldRefreshToken)
			r := p.TokenRequests()[0]
			if r.Header.Get("Authorization") != "" {
				got = "header"
			} else if r.PostForm.Get("client_secret") != "" {
				got = "body"
			}
		} else if refusal.Of(err) == refusal.ClientRefused {
			got = "refused"
		}
		if got != tt.want {
			t.Errorf("announced %q: %s, want %s", tt.announced, got, tt.want)
		}
	}
}

func TestAssertionAlgorithmIsAnnounced(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) {
		d["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt"}
		d["token_endpoint_auth_signing_alg_values_supported"] = []string{"ES256"}
	}
	c := newClient(p)
	for alg, want := range map[string]refusal.Reason{"ES256": "", "RS256": refusal.ClientRefused} {
		key := oidc.ClientKey{Signer: fakeprovider.SigningKeys()[alg].(crypto.Signer), Algorithm: alg}
		c.Proofs = []*oidc.Proof{oidc.Assertion(c.ID, key, p.Now)}
		_, err := c.Authorization(t.Context(), oidc.Attempt{Verifier: "v"}, url.Values{}, false)
		if refusal.Of(err) != want {
			t.Errorf("%s: %v, want %q", alg, err, want)
		}
	}
}

// TestAuthorization checks that extra parameters can't replace those that protect a sign-in.
func TestAuthorization(t *testing.T) {
	p := fakeprovider.New(t)
	extra := url.Values{"prompt": {"login"}, "state": {"x"}, "code_challenge_method": {"plain"}}
	location, err := newClient(p).Authorization(t.Context(), oidc.Attempt{State: "s", Nonce: "n", Verifier: "v"},
		extra, false)
	u, _ := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, p.URL+"/authorize?") {
		t.Fatalf("%q, %v", location, err)
	}
	for name, want := range map[string]string{
		"state": "s", "nonce": "n", "code_challenge": fakeprovider.CodeChallenge("v"), "code_challenge_method": "S256",
		"response_type": "code", "client_id": fakeprovider.ClientID, "scope": "openid email", "prompt": "login",
	} {
		if got := u.Query()[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestPush hands the request to the provider.
func TestPush(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   refusal.Reason
	}{
		"taken":   {answerWith(201, `{"request_uri":"urn:x"}`), ""},
		"refused": {answerWith(400, `{"error":"invalid_request"}`), refusal.ClientRefused},
		"broken":  {answerWith(500, `{"error":"invalid_request"}`), refusal.PushedRequest},
		"no answer": {
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, refusal.PushedRequest,
		},
		"no URI":      {answerWith(201, `{"request_uri":"urn:\n"}`), refusal.PushedRequest},
		"no endpoint": {nil, refusal.ClientRefused},
	} {
		p := fakeprovider.New(t)
		if tt.answer != nil {
			p.EditDiscovery = func(d map[string]any) { d["pushed_authorization_request_endpoint"] = p.URL + "/token" }
			p.ServeToken = tt.answer
		}
		location, err := newClient(p).Authorization(t.Context(), oidc.Attempt{State: "s", Verifier: "v"},
			url.Values{}, true)
		if refusal.Of(err) != tt.want {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if want := p.URL + "/authorize?client_id=client-1&request_uri=urn%3Ax"; err == nil && location != want {
			t.Errorf("%s: %q, want %q", name, location, want)
		}
	}
}

// TestResponses are checked before a code is redeemed.
func TestResponses(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) { d["authorization_response_iss_parameter_supported"] = true }
	attempt := oidc.Attempt{State: "a-state-of-some-length", Nonce: "n", Verifier: "v"}
	for name, tt := range map[string]struct {
		response oidc.Response
		want     refusal.Reason
		code     string
	}{
		"no issuer":      {oidc.Response{Code: "c"}, refusal.ResponseIssuer, ""},
		"another issuer": {oidc.Response{Code: "c", Issuer: issuer}, refusal.ResponseIssuer, ""},
		"refused": {
			oidc.Response{Issuer: p.Issuer, Error: "access_denied"}, refusal.ProviderError, "access_denied",
		},
		"refused, and echoed": {
			oidc.Response{Issuer: p.Issuer, State: attempt.State, Error: attempt.State}, refusal.ProviderError, "",
		},
		"no code": {oidc.Response{Issuer: p.Issuer}, refusal.MalformedCallback, ""},
		"long code": {
			oidc.Response{Issuer: p.Issuer, Code: strings.Repeat("c", 5<<10)}, refusal.MalformedCallback, "",
		},
	} {
		_, _, err := newClient(p).Exchange(t.Context(), tt.response, attempt)
		e, ok := errors.AsType[*refusal.Error](err)
		if !ok || e.Reason != tt.want || e.ProviderCode != tt.code {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if n := len(p.TokenRequests()); n > 0 {
		t.Errorf("%d codes were sent", n)
	}
	_, _, err := newClient(p).Exchange(t.Context(), oidc.Response{Issuer: p.Issuer, Code: "c"}, attempt)
	if refusal.Of(err) != refusal.CodeRefused {
		t.Errorf("an unknown code: %v", err)
	}
	p.ServeToken = answerWith(200, `{"access_token":"a","token_type":"Bearer","refresh_token":"r"}`)
	_, got, err := newClient(p).Exchange(t.Context(), oidc.Response{Issuer: p.Issuer, Code: "c"}, attempt)
	if refusal.Of(err) != refusal.NoIDToken || got.Refresh != "r" {
		t.Errorf("no ID token: %+v, %v", got, err)
	}
}

// TestWithoutMetadata asks for nothing of a provider that can't be reached.
func TestWithoutMetadata(t *testing.T) {
	p := fakeprovider.New(t)
	p.Down = true
	c := newClient(p)
	for name, ask := range map[string]func() error{
		"authorization": func() error {
			_, err := c.Authorization(t.Context(), oidc.Attempt{}, url.Values{}, false)
			return err
		},
		"exchange": func() error { _, _, err := c.Exchange(t.Context(), oidc.Response{}, oidc.Attempt{}); return err },
		"refresh":  func() error { _, err := c.Refresh(t.Context(), "r"); return err },
		"revoke":   func() error { return c.Revoke(t.Context(), "r") },
		"userInfo": func() error { _, err := c.UserInfo(t.Context(), "a"); return err },
		"add":      func() error { _, err := c.AddUserInfo(t.Context(), nil, "a"); return err },
	} {
		err := ask()
		if e, ok := errors.AsType[*refusal.Error](err); !ok || e.Reason != refusal.ProviderDown || e.RetryAfter == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
