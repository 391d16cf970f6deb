package oidc

import (
	"crypto/subtle"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cognate-auth/cognate/internal/refusal"
)

// Secrets are secrets that were exchanged with a provider and that nobody else may learn. A
// provider controls the text of its claims, key IDs and error codes, and may repeat secrets
// there.
type Secrets []string

const (
	// repeatedRun is the length, in bytes, of the pieces of a secret that are searched for. A
	// part of the secret that is twice as long contains at least one of the pieces. 12 random
	// bytes do not occur in a text by chance.
	repeatedRun = 12
	// minSecret is the length, in bytes, from which a secret shorter than repeatedRun is
	// searched for as a whole. Even shorter ones could occur in any text.
	minSecret = 6
)

// RepeatedIn reports whether a text contains one of the secrets or a piece of one, because
// texts may have been cut.
func (s Secrets) RepeatedIn(text string) bool {
	text = strings.ToLower(text)
	for _, secret := range s {
		plain := strings.ToLower(secret)
		quoted := strings.Trim(strconv.Quote(plain), `"`)   // as errors quote it
		escaped := strings.ToLower(url.QueryEscape(secret)) // as a form encodes it
		for _, s := range []string{plain, quoted, escaped} {
			if len(s) >= minSecret && len(s) < repeatedRun && strings.Contains(text, s) {
				return true
			}
			for ; len(s) >= repeatedRun; s = s[repeatedRun:] {
				if strings.Contains(text, s[:repeatedRun]) {
					return true
				}
			}
		}
	}
	return false
}

// ErrRepeats replaces a cause whose text repeats a secret.
var ErrRepeats = errors.New("the provider's answer repeats what it was sent, and is not shown")

// Redact returns an error that may be logged: if the text of err repeats a secret, its text
// and cause are replaced by [ErrRepeats], and only its reason is kept.
func (s Secrets) Redact(err error) error {
	if err == nil || !s.RepeatedIn(err.Error()) {
		return err
	}
	e, ok := errors.AsType[*refusal.Error](err)
	if !ok {
		return ErrRepeats
	}
	redacted := *e
	redacted.Err = ErrRepeats
	if s.RepeatedIn(redacted.ProviderCode) {
		redacted.ProviderCode = ""
	}
	return &redacted
}

// secretParams are the request parameters whose values are secrets.
var secretParams = []string{
	"code", "code_verifier", "refresh_token", "token", "client_secret", "client_assertion",
	"state", "nonce", "login_hint",
}

// secretsIn returns the secrets in a form.
func secretsIn(form url.Values) Secrets {
	var s Secrets
	for _, name := range secretParams {
		s = append(s, form.Get(name))
	}
	return s
}

// oauthCode matches error codes. RFC 6749, 5.2 allows more characters, which no provider
// uses in practice.
var oauthCode = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)

// knownCodes are the standard error codes (RFC 6749, 4.1.2.1 and 5.2; OpenID Connect Core
// 1.0, 3.1.2.6; RFC 7009, 2.2.1; RFC 8707, 2). They are never treated as secrets.
var knownCodes = []string{
	"access_denied", "account_selection_required", "consent_required", "interaction_required",
	"invalid_client", "invalid_grant", "invalid_request", "invalid_request_object", "invalid_request_uri",
	"invalid_scope", "invalid_target", "invalid_token", "login_required", "registration_not_supported",
	"request_not_supported", "request_uri_not_supported", "server_error", "temporarily_unavailable",
	"unauthorized_client", "unsupported_grant_type", "unsupported_response_type", "unsupported_token_type",
}

// errorCode returns the error code that the provider sent if it is well-formed and repeats
// none of the secrets, and "" otherwise. Error codes appear in logs and on pages, and a
// provider may send anything as one, even a code or a refresh token.
func (s Secrets) errorCode(code string) string {
	if slices.Contains(knownCodes, code) {
		return code
	}
	if !oauthCode.MatchString(code) || s.RepeatedIn(code) {
		return ""
	}
	return code
}

// equal compares two strings in constant time.
func equal(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
