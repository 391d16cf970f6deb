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

// Secrets are what went to a provider, or came from it, and nobody else may learn. A provider
// may put into its claims, key IDs and error codes what it likes, these too.
type Secrets []string

const (
	// repeatedRun is the length of the pieces of a secret that are looked for, in bytes: of a
	// piece that was cut out of it, twice as long, one is surely found. A run that short of
	// what is random is in no text by chance.
	repeatedRun = 12
	// minSecret is the length, in bytes, from which on a secret that is shorter is looked for.
	// What is shorter still is a part of any text.
	minSecret = 6
)

// RepeatedIn reports whether a text holds one of the secrets, or a piece of one: texts are
// cut.
func (s Secrets) RepeatedIn(text string) bool {
	text = strings.ToLower(text)
	for _, secret := range s {
		plain := strings.ToLower(secret)
		quoted := strings.Trim(strconv.Quote(plain), `"`)   // errors quote what they show
		escaped := strings.ToLower(url.QueryEscape(secret)) // as it is in a form
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

// ErrRepeats stands in the place of a cause whose text repeats a secret.
var ErrRepeats = errors.New("the provider's answer repeats what it was sent, and is not shown")

// Redact returns an error that is fit for a log: one whose text repeats a secret loses its
// text and its cause, and keeps its reason.
func (s Secrets) Redact(err error) error {
	if err == nil || !s.RepeatedIn(err.Error()) {
		return err
	}
	e, ok := errors.AsType[*refusal.Error](err)
	if !ok {
		return ErrRepeats
	}
	own := *e
	own.Err = ErrRepeats
	if s.RepeatedIn(own.ProviderCode) {
		own.ProviderCode = ""
	}
	return &own
}

// secretParams are the parameters of requests to the provider that nobody else may learn.
var secretParams = []string{
	"code", "code_verifier", "refresh_token", "token", "client_secret", "client_assertion",
	"state", "nonce", "login_hint",
}

// sentIn returns the secrets of a form.
func sentIn(form url.Values) Secrets {
	var s Secrets
	for _, name := range secretParams {
		s = append(s, form.Get(name))
	}
	return s
}

// oauthCode is what error codes are made of: RFC 6749, 5.2 allows more, which nobody
// uses for a word.
var oauthCode = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)

// knownCodes are error codes that mean something (RFC 6749, 4.1.2.1 and 5.2; OpenID Connect
// Core 1.0, 3.1.2.6; RFC 7009, 2.2.1; RFC 8707, 2). They are no secrets, whatever was sent.
var knownCodes = []string{
	"access_denied", "account_selection_required", "consent_required", "interaction_required",
	"invalid_client", "invalid_grant", "invalid_request", "invalid_request_object", "invalid_request_uri",
	"invalid_scope", "invalid_target", "invalid_token", "login_required", "registration_not_supported",
	"request_not_supported", "request_uri_not_supported", "server_error", "temporarily_unavailable",
	"unauthorized_client", "unsupported_grant_type", "unsupported_response_type", "unsupported_token_type",
}

// errorCode returns an OAuth error code as the provider sent it, if it is one and repeats
// none of the secrets: an answer may give anything for an error, a code or a refresh token
// too, and error codes get into logs and onto pages.
func (s Secrets) errorCode(code string) string {
	if slices.Contains(knownCodes, code) {
		return code
	}
	if !oauthCode.MatchString(code) || s.RepeatedIn(code) {
		return ""
	}
	return code
}

// equal compares in a time that does not depend on the contents.
func equal(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
