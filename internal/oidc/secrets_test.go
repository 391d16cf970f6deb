package oidc_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
)

func TestRepeatedIn(t *testing.T) {
	const secret = "Abcdefghijklmnopqrstuvwxyz+/01"
	for text, want := range map[string]bool{
		"iss is " + secret:                  true,
		strings.ToUpper(secret):             true,
		secret[:24]:                         true,
		"x" + secret[5:]:                    true,
		url.QueryEscape(secret)[8:]:         true,
		secret[:11]:                         false,
		"nothing of the kind":               false,
		"the short one: S3cret!":            true,
		"a part of the short one: S3cre":    false,
		"what is shorter than secrets: abc": false,
	} {
		if got := (oidc.Secrets{"", "abc", "s3cret!", secret}).RepeatedIn(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	secrets := oidc.Secrets{"a-secret-of-some-length"}
	fine := errors.New("fine")
	got := secrets.Redact(fine)
	if got != fine { //nolint:errorlint // the error itself
		t.Errorf("got %v", got)
	}
	got = secrets.Redact(nil)
	if got != nil {
		t.Errorf("got %v of no error", got)
	}
	bad := errors.New("it says a-secret-of-some-length")
	got = secrets.Redact(bad)
	if got != oidc.ErrRepeats { //nolint:errorlint // and nothing around it
		t.Errorf("got %v", got)
	}
	refused := refusal.New(refusal.TokenIssuer, "wrong: %w", bad)
	refused.ProviderCode = "a-secret-of-some"
	err := secrets.Redact(fmt.Errorf("outside: %w", refused))
	e, ok := errors.AsType[*refusal.Error](err)
	if !ok || e.Reason != refusal.TokenIssuer || e.ProviderCode != "" || errors.Is(err, bad) ||
		secrets.RepeatedIn(err.Error()) {
		t.Errorf("got %v", err)
	}
	if refused.ProviderCode == "" || !errors.Is(refused, bad) {
		t.Error("the error of others was changed")
	}
}

func TestErrorCode(t *testing.T) {
	if got := (&oidc.Client{Proofs: []*oidc.Proof{oidc.SecretInHeader("id", "")}}).ErrorCode("x"); got != "x" {
		t.Errorf("%q without a secret", got)
	}
	c := &oidc.Client{Proofs: []*oidc.Proof{oidc.SecretInBody("id", "s3cret-word")}}
	for code, want := range map[string]string{
		"invalid_grant": "invalid_grant", "of_their_own": "of_their_own", "with space": "", "s3cret-word": "",
		"x.what-was-sent": "", strings.Repeat("x", 65): "",
	} {
		if got := c.ErrorCode(code, "what-was-sent", "invalid_grant"); got != want {
			t.Errorf("%q: %q, want %q", code, got, want)
		}
	}
}
