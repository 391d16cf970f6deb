package cognate

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Hooks are called when sign-ins and sessions begin, change or end. Any of them may be
// nil. A hook delays the request, or all requests that wait for the same refresh; the
// context of a refresh has the values of the first of them. Hooks must be safe for
// concurrent use, and must not write to the answer. An error is a veto: what was about
// to happen does not happen. Visitors see only the page of its reason. An [*Error]
// keeps its reason; any other error gets [ReasonVetoed], or [ReasonRuleFailed] if it is
// [context.Canceled] or [context.DeadlineExceeded]: the hook then could not decide, and
// the visitor may try again.
//
// In a sign-in that succeeds, OnLoginStart is called first, then, when the visitor
// comes back, OnCallback and OnLogin. In one that fails, OnLoginError is called last.
type Hooks struct {
	// OnLoginStart is called before the browser is sent to the provider.
	OnLoginStart func(ctx context.Context, e LoginStart) error
	// OnCallback is called when a browser comes back from a sign-in that began here,
	// before the outcome is known.
	OnCallback func(ctx context.Context, r *http.Request)
	// OnLogin is called when every check has passed, before the session begins.
	OnLogin func(ctx context.Context, e LoginEvent) error
	// OnLoginError is called when a sign-in is refused, by any check or hook.
	OnLoginError func(ctx context.Context, e *Error)
	// OnRefresh is called with new tokens from the provider, before they are used. A
	// veto ends the session. An error after ctx has ended, in about ten seconds, is not
	// a veto: the hook is called again at the next refresh. It must not ask for the
	// session's tokens: that would wait for this refresh to end.
	OnRefresh func(ctx context.Context, e RefreshEvent) error
	// OnLogout is called when a session has ended.
	OnLogout func(ctx context.Context, e LogoutEvent)
}

// vetoed turns a hook's error into one to answer with.
func vetoed(err error) *Error {
	if _, ok := errors.AsType[*Error](err); !ok && undecidedBy(err) {
		return refuse(ReasonRuleFailed, "a hook could not decide: %w", err)
	}
	return asError(err, ReasonVetoed)
}

// A LoginStart is a sign-in that is about to begin.
type LoginStart struct {
	// ReturnTo is the page to come back to, a path on this site.
	ReturnTo string
	// Request is the request that begins the sign-in.
	Request *http.Request
}

// A LoginEvent is a sign-in that passed every check.
type LoginEvent struct {
	// User is the user who signed in. Its [User.Claim] has every claim of the ID token
	// and of userInfo, not only those that are kept.
	User *User
	// State is the value that [WithState] gave this sign-in.
	State string
	// ReturnTo is the page the visitor goes to next.
	ReturnTo string
	// Request is the request to the callback.
	Request *http.Request
}

// A RefreshEvent is a refresh of a session's tokens.
type RefreshEvent struct {
	// User is the session's user, as described by the new ID token if there is one.
	User *User
	// Expires is when the new access token expires; zero if the provider did not say.
	Expires time.Time
}

// A LogoutEvent is a session that has ended.
type LogoutEvent struct {
	// Reason says why the session ended.
	Reason LogoutReason
	// Issuer and Subject name the account. Subject is empty for a back-channel logout
	// that names only the provider's session.
	Issuer, Subject string
}

// LogoutReason says why a session ended. The values are stable.
type LogoutReason string

// Why a session ended.
const (
	// LogoutUser: the person signed out.
	LogoutUser LogoutReason = "user"
	// LogoutExpired: its lifetime or idle timeout has passed. It is reported when the
	// cookie is sent again.
	LogoutExpired LogoutReason = "expired"
	// LogoutReplaced: somebody signed in again in the same browser.
	LogoutReplaced LogoutReason = "replaced"
	// LogoutRefused: the provider refused to refresh its tokens or sent another user's,
	// or a rule or the OnRefresh hook refused the refreshed user.
	LogoutRefused LogoutReason = "refused"
	// LogoutBackchannel: the provider ended it (OpenID Connect Back-Channel Logout
	// 1.0).
	LogoutBackchannel LogoutReason = "backchannel"
	// LogoutEverywhere: the app ended all sessions of the user.
	LogoutEverywhere LogoutReason = "everywhere"
)

// Metrics counts events. Its methods are called often, in the goroutines of requests:
// they must be fast and safe for concurrent use. Reasons come from a fixed set, so they
// can be used as labels.
type Metrics interface {
	// Login counts a successful sign-in; took is the time from the redirect to the
	// provider until the callback was answered.
	Login(took time.Duration)
	// Denied counts a refusal: a sign-in, a rule, a bearer token or a sign-out.
	Denied(reason Reason)
	// Refresh counts a token refresh at the provider and how long it took; reason is
	// empty if it succeeded.
	Refresh(took time.Duration, reason Reason)
	// Logout counts an ended session.
	Logout(reason LogoutReason)
}

// noMetrics is a Metrics that counts nothing.
type noMetrics struct{}

// Login counts nothing.
func (noMetrics) Login(time.Duration) {}

// Denied counts nothing.
func (noMetrics) Denied(Reason) {}

// Refresh counts nothing.
func (noMetrics) Refresh(time.Duration, Reason) {}

// Logout counts nothing.
func (noMetrics) Logout(LogoutReason) {}
