package cognate

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Hooks are called at the turning points of a sign-in. Any of them may be nil. They hold up
// the request, or all requests that wait for the same refresh, whose context's values are
// those of the first; they must be safe for concurrent use, and must not write to the
// answer. An error vetoes: what was about to happen does not.
// Visitors see no more of it than a page of its reason; an [*Error] is taken as it is, any
// other error becomes one with [ReasonVetoed], or, if it is a context's end, [ReasonRuleFailed]:
// a hook that could not decide refuses nobody for good.
//
// For a sign-in that goes well the order is OnLoginStart, then, when the visitor comes back,
// OnCallback and OnLogin. One that fails ends with OnLoginError instead of OnLogin.
type Hooks struct {
	// OnLoginStart is called before the browser is sent to the provider.
	OnLoginStart func(ctx context.Context, e LoginStart) error
	// OnCallback is called when a browser comes back with a sign-in of ours, before
	// its outcome is known.
	OnCallback func(ctx context.Context, r *http.Request)
	// OnLogin is called when everything is checked and before the session begins.
	OnLogin func(ctx context.Context, e LoginEvent) error
	// OnLoginError is called when a sign-in is refused, by whatever check or hook.
	OnLoginError func(ctx context.Context, e *Error)
	// OnRefresh is called when the provider gave new tokens, before they are used. A
	// veto ends the session; an error after the time of ctx is over, some ten seconds, is
	// none, and the hook is asked again at the next refresh. It must not ask for the
	// session's tokens: that would wait for this refresh to end.
	OnRefresh func(ctx context.Context, e RefreshEvent) error
	// OnLogout is called when a session has ended.
	OnLogout func(ctx context.Context, e LogoutEvent)
}

// vetoed makes of a hook's error one that can be answered with.
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
	// Request is the visitor's.
	Request *http.Request
}

// A LoginEvent is a sign-in that passed every check.
type LoginEvent struct {
	// User is who signed in. [User.Claim] has every claim of the ID token and of
	// userInfo here, not only those that are kept.
	User *User
	// State is what [WithState] gave this sign-in.
	State string
	// ReturnTo is the page the visitor goes to next.
	ReturnTo string
	// Request is the callback's.
	Request *http.Request
}

// A RefreshEvent is new tokens for a session.
type RefreshEvent struct {
	// User is the session's, as the new ID token describes it if there is one.
	User *User
	// Expires is when the new access token expires; zero if the provider did not say.
	Expires time.Time
}

// A LogoutEvent is a session that has ended.
type LogoutEvent struct {
	// Reason says why.
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
	// LogoutExpired: its lifetime or idle time is over, seen when the cookie came once
	// more.
	LogoutExpired LogoutReason = "expired"
	// LogoutReplaced: somebody signed in anew in the same browser.
	LogoutReplaced LogoutReason = "replaced"
	// LogoutRefused: the provider refused to refresh its tokens, or sent another
	// user's, or the OnRefresh hook vetoed.
	LogoutRefused LogoutReason = "refused"
	// LogoutBackchannel: the provider said so (OpenID Connect Back-Channel Logout 1.0).
	LogoutBackchannel LogoutReason = "backchannel"
	// LogoutEverywhere: the app ended all sessions of the user.
	LogoutEverywhere LogoutReason = "everywhere"
)

// Metrics receives what is worth counting. Methods are called in the goroutine of the
// request, often, and from several at once: they must be fast and safe for concurrent use.
// Reasons come from a fixed set, so they can be labels.
type Metrics interface {
	// Login counts a sign-in that went well, and how long it took from the redirect to
	// the provider until the callback was answered.
	Login(took time.Duration)
	// Denied counts a refusal: a sign-in, a rule, a bearer token or a sign-out.
	Denied(reason Reason)
	// Refresh counts a token refresh at the provider and how long it took; reason is
	// empty if it went well.
	Refresh(took time.Duration, reason Reason)
	// Logout counts an ended session.
	Logout(reason LogoutReason)
}

// noMetrics is Metrics for nobody.
type noMetrics struct{}

// Login counts nothing.
func (noMetrics) Login(time.Duration) {}

// Denied counts nothing.
func (noMetrics) Denied(Reason) {}

// Refresh counts nothing.
func (noMetrics) Refresh(time.Duration, Reason) {}

// Logout counts nothing.
func (noMetrics) Logout(LogoutReason) {}
