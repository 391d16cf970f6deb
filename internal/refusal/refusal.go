// Package refusal defines the errors of failed checks. It knows nothing of visitors: package
// cognate adds the status of the answer and the text of the page. It imports nothing else of
// this module.
package refusal

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Reason names the check that failed, with the values and meanings of cognate.Reason.
type Reason string

// The reasons of checks in the packages below package cognate, which documents each of them
// under the same name.
const (
	MalformedCallback    Reason = "malformed_callback"
	State                Reason = "state"
	Replay               Reason = "replay"
	Expired              Reason = "expired"
	ResponseIssuer       Reason = "response_issuer"
	ProviderError        Reason = "provider_error"
	ProviderDown         Reason = "provider_down"
	ProviderIssuer       Reason = "provider_issuer"
	TokenEndpoint        Reason = "token_endpoint"
	CodeRefused          Reason = "code_refused"
	ClientRefused        Reason = "client_refused"
	NoIDToken            Reason = "no_id_token"
	TokenMalformed       Reason = "token_malformed"
	TokenAlgorithm       Reason = "token_algorithm"
	TokenKey             Reason = "token_key"
	TokenSignature       Reason = "token_signature"
	TokenIssuer          Reason = "token_issuer"
	TokenAudience        Reason = "token_audience"
	TokenAuthorizedParty Reason = "token_authorized_party"
	TokenUse             Reason = "token_use"
	TokenExpired         Reason = "token_expired"
	TokenNotYetValid     Reason = "token_not_yet_valid"
	TokenNonce           Reason = "token_nonce"
	TokenAccessHash      Reason = "token_access_hash"
	UserInfo             Reason = "userinfo"
	UserInfoSubject      Reason = "userinfo_subject"
	EmailNotVerified     Reason = "email_not_verified"
	SessionTooLarge      Reason = "session_too_large"
	TokenAuthTime        Reason = "token_auth_time"
	TokenACR             Reason = "token_acr"
	TokenSubject         Reason = "token_subject"
	StoreDown            Reason = "store_down"
	NotSignedIn          Reason = "not_signed_in"
	NoTokens             Reason = "no_tokens"
	RefreshRefused       Reason = "refresh_refused"
	RefreshFailed        Reason = "refresh_failed"
	ResponseStarted      Reason = "response_started"
	LogoutToken          Reason = "logout_token"
	TokenClient          Reason = "token_client"
	TokenInactive        Reason = "token_inactive"
	Introspection        Reason = "introspection"
	PushedRequest        Reason = "pushed_request"
	OtherAddress         Reason = "other_address"
	CookieTwice          Reason = "cookie_twice"
)

// An Error is a check that failed. Its text may be logged: it holds no token, code, cookie or
// secret.
type Error struct {
	// Reason names the check.
	Reason Reason
	// ProviderCode is the error code that the provider sent, if it sent one.
	ProviderCode string
	// RetryAfter, if not zero, is how long to wait before another try.
	RetryAfter time.Duration
	// Err is the cause.
	Err error
}

// New returns the error of a failed check. format and args say what was wrong, as in
// [fmt.Errorf].
func New(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// Of returns the reason of an error, or "" if it has none.
func Of(err error) Reason {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return ""
	}
	return e.Reason
}

// Error returns the reason and the cause in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Reason))
	if e.ProviderCode != "" {
		fmt.Fprintf(&b, " (provider says %q)", e.ProviderCode)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ProviderFault reports whether the provider or the configuration caused an error, so that it
// says nothing about a token or a visitor.
func ProviderFault(err error) bool {
	r := Of(err)
	return r == ProviderDown || r == ProviderIssuer
}
