package cognate

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
)

// An Error says why a request, sign-in or sign-out was refused. It goes to
// Config.ErrorHandler and to the log. Its text may be logged: it holds no token, code,
// cookie or secret. It is not meant for visitors, who get a page that says what to do.
type Error struct {
	// Reason names the check that failed.
	Reason Reason
	// Status is the HTTP status of the answer.
	Status int
	// ProviderCode is the error code the provider sent, such as "access_denied",
	// with ReasonProviderError, ReasonCodeRefused and ReasonClientRefused. It comes
	// from outside: escape it before showing it.
	ProviderCode string
	// RetryAfter, if not zero, is how long to wait before trying again.
	RetryAfter time.Duration
	// Reference is a random word on the visitor's page and in the log line, which
	// connects the two.
	Reference string
	// ReturnTo is the page the visitor wanted, a path on this site, or "/".
	ReturnTo string
	// Err is the cause, if there is one.
	Err error

	// final says that another sign-in would be refused for the same reason.
	final bool

	subject string // of the refused user, for the log
	signIn  bool   // a sign-in failed
	attempt string // which one, for a local pool's developer's view; see attemptName
}

// Error returns the reason and the cause in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("cognate: " + string(e.Reason))
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

// Hint says, in a sentence or two, what the people who build or run the app can do. It is in
// the log line too. It names the check that failed, so it is not for visitors. It is empty
// for a reason of the app's own.
func (e *Error) Hint() string {
	if e.Reason == ReasonProviderError || e.Reason == ReasonClientRefused {
		return cmp.Or(codeHints[e.ProviderCode], reasons[e.Reason].hint)
	}
	return reasons[e.Reason].hint
}

// status returns the status to answer with: Status if it is an error status, or else
// its reason's.
func (e *Error) status() int {
	if e.Status >= http.StatusBadRequest && e.Status <= 599 {
		return e.Status
	}
	return cmp.Or(reasons[e.Reason].status, http.StatusForbidden)
}

// refuse returns the error of a failed check, with the status of its reason.
func refuse(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Status: reasons[reason].status, Err: fmt.Errorf(format, args...)}
}

// asError returns err as a new *Error: several requests may share the same err. It
// converts a *refusal.Error of the packages below, copies an *Error, and gives any
// other error the given reason.
func asError(err error, reason Reason) *Error {
	e, public := errors.AsType[*Error](err)
	below, checked := errors.AsType[*refusal.Error](err)
	switch {
	case checked && (!public || errors.Is(below, e)): // the outer one counts
		r := Reason(below.Reason)
		return &Error{
			Reason: r, Status: reasons[r].status,
			ProviderCode: below.ProviderCode, RetryAfter: below.RetryAfter, Err: causeOf(below.Err),
		}
	case public:
		own := *e
		return &own
	}
	return &Error{Reason: reason, Status: reasons[reason].status, Err: err}
}

// A cause is that of an [Error] and a check that failed, or wraps one: callers outside find an
// *Error there, too.
type cause struct{ error }

func causeOf(err error) error {
	if _, checked := errors.AsType[*refusal.Error](err); checked {
		return cause{err}
	}
	return err
}

// Unwrap returns the error itself.
func (c cause) Unwrap() error { return c.error }

// As is for package errors.
func (c cause) As(target any) bool {
	e, ok := target.(**Error)
	if ok {
		*e = asError(c.error, ReasonInternal)
	}
	return ok
}

// publicError returns an error for callers outside this package: it converts a failed
// check into an *Error.
func publicError(err error) error {
	if _, ok := errors.AsType[*refusal.Error](err); ok {
		return asError(err, ReasonInternal)
	}
	return err
}
