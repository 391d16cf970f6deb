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

// Reason names the check that failed. The values are stable: compare them, count
// them, log them.
type Reason string

// Why a sign-in, or a step of one, was refused.
const (
	// ReasonMalformedCallback: the callback's parameters can't be read, or one appears
	// twice.
	ReasonMalformedCallback Reason = "malformed_callback"
	// ReasonState: the callback's state is missing or was not made here, or this
	// browser has no cookie of that sign-in. The callback is forged or another
	// browser's, later sign-ins replaced the cookie, or the browser blocks cookies.
	ReasonState Reason = "state"
	// ReasonReplay: the callback was used before.
	ReasonReplay Reason = "replay"
	// ReasonExpired: the sign-in took longer than 15 minutes.
	ReasonExpired Reason = "expired"
	// ReasonResponseIssuer: the callback's iss is another provider's, or missing
	// although the provider announced it (RFC 9207).
	ReasonResponseIssuer Reason = "response_issuer"
	// ReasonProviderError: the provider answered with an error; its code is in
	// Error.ProviderCode.
	ReasonProviderError Reason = "provider_error"
	// ReasonProviderDown: the provider's discovery document or keys can't be fetched,
	// or the keys are a day old and can't be fetched again.
	ReasonProviderDown Reason = "provider_down"
	// ReasonProviderIssuer: the provider's discovery document names another issuer than
	// the configured one. The configuration is wrong; trying again does not help.
	ReasonProviderIssuer Reason = "provider_issuer"
	// ReasonTokenEndpoint: the token endpoint can't be reached, or its answer is not a
	// token response.
	ReasonTokenEndpoint Reason = "token_endpoint"
	// ReasonCodeRefused: the token endpoint refused the authorization code.
	ReasonCodeRefused Reason = "code_refused"
	// ReasonClientRefused: the token endpoint refused this app client itself. The
	// configuration is wrong: client ID, secret, redirect URL or grant.
	ReasonClientRefused Reason = "client_refused"
	// ReasonNoIDToken: the token response holds no ID token.
	ReasonNoIDToken Reason = "no_id_token"
	// ReasonTokenMalformed: the ID token can't be read, or a claim has a wrong type.
	ReasonTokenMalformed Reason = "token_malformed"
	// ReasonTokenAlgorithm: the ID token is signed with an algorithm that is not
	// allowed, such as "none".
	ReasonTokenAlgorithm Reason = "token_algorithm"
	// ReasonTokenKey: the provider has no key with the ID token's kid.
	ReasonTokenKey Reason = "token_key"
	// ReasonTokenSignature: the ID token's signature is wrong.
	ReasonTokenSignature Reason = "token_signature"
	// ReasonTokenIssuer: iss is not exactly the configured issuer.
	ReasonTokenIssuer Reason = "token_issuer"
	// ReasonTokenAudience: aud does not name this client, or, in an access token, this
	// API.
	ReasonTokenAudience Reason = "token_audience"
	// ReasonTokenAuthorizedParty: azp names another client, or is missing although
	// there are several audiences.
	ReasonTokenAuthorizedParty Reason = "token_authorized_party"
	// ReasonTokenUse: the token is of another kind, such as an access token instead of
	// an ID token, or the reverse.
	ReasonTokenUse Reason = "token_use"
	// ReasonTokenExpired: exp has passed.
	ReasonTokenExpired Reason = "token_expired"
	// ReasonTokenNotYetValid: iat or nbf lies in the future.
	ReasonTokenNotYetValid Reason = "token_not_yet_valid"
	// ReasonTokenNonce: nonce is not that of this sign-in.
	ReasonTokenNonce Reason = "token_nonce"
	// ReasonTokenAccessHash: at_hash does not match the access token.
	ReasonTokenAccessHash Reason = "token_access_hash"
	// ReasonUserInfo: the userInfo endpoint gave no usable answer.
	ReasonUserInfo Reason = "userinfo"
	// ReasonUserInfoSubject: userInfo names another subject than the ID token.
	ReasonUserInfoSubject Reason = "userinfo_subject"
	// ReasonEmailNotVerified: Config.RequireVerifiedEmail is set and the address is
	// missing or not verified according to the provider.
	ReasonEmailNotVerified Reason = "email_not_verified"
	// ReasonSessionTooLarge: the identity does not fit into cookies, or takes several
	// that the browser does not send back.
	ReasonSessionTooLarge Reason = "session_too_large"
	// ReasonCrossOrigin: another site asked for the sign-out.
	ReasonCrossOrigin Reason = "cross_origin"
	// ReasonTokenAuthTime: auth_time is missing or older than the requested max_age
	// allows.
	ReasonTokenAuthTime Reason = "token_auth_time"
	// ReasonTokenACR: acr is not among the requested values.
	ReasonTokenACR Reason = "token_acr"
	// ReasonTokenSubject: a refreshed ID token names another subject.
	ReasonTokenSubject Reason = "token_subject"
	// ReasonDenied: a [Rule] refused the user.
	ReasonDenied Reason = "denied"
	// ReasonRuleFailed: a [Rule] could not decide. Rules may return it.
	ReasonRuleFailed Reason = "rule_failed"
	// ReasonVetoed: a hook refused.
	ReasonVetoed Reason = "vetoed"
	// ReasonStoreDown: the [sessionstore.Store] failed or can't be reached.
	ReasonStoreDown Reason = "store_down"
	// ReasonNotSignedIn: a session is needed and there is none.
	ReasonNotSignedIn Reason = "not_signed_in"
	// ReasonNoTokens: the session holds no tokens: neither a Store nor TokensInCookie
	// is configured, the tokens were too large to keep, or the session has just begun
	// and they are lost or can't be refreshed.
	ReasonNoTokens Reason = "no_tokens"
	// ReasonRefreshRefused: the provider refused to refresh the tokens. The session has
	// ended.
	ReasonRefreshRefused Reason = "refresh_refused"
	// ReasonRefreshFailed: the tokens could not be refreshed: the provider can't be
	// reached, or its answer is unusable. The session stays.
	ReasonRefreshFailed Reason = "refresh_failed"
	// ReasonResponseStarted: new tokens need a cookie, but the answer's header has
	// already been sent.
	ReasonResponseStarted Reason = "response_started"
	// ReasonLogoutToken: a back-channel logout request has no valid logout token.
	ReasonLogoutToken Reason = "logout_token"
	// ReasonBearerMissing: the request has no bearer token.
	ReasonBearerMissing Reason = "bearer_missing"
	// ReasonBearerMalformed: the request's token can't be read, appears more than once,
	// or is too large.
	ReasonBearerMalformed Reason = "bearer_malformed"
	// ReasonTokenClient: the access token was issued to a client that is not accepted.
	ReasonTokenClient Reason = "token_client"
	// ReasonTokenInactive: introspection says that the token is not active.
	ReasonTokenInactive Reason = "token_inactive"
	// ReasonInsufficientScope: the token lacks a scope.
	ReasonInsufficientScope Reason = "insufficient_scope"
	// ReasonIntrospection: the introspection endpoint can't be reached, or its answer
	// is unusable.
	ReasonIntrospection Reason = "introspection"
	// ReasonInternal: [Auth.Fail] was given an error without a Reason.
	ReasonInternal Reason = "internal"
	// ReasonLoginOption: a [LoginOption] can't be used; the program must be corrected.
	ReasonLoginOption Reason = "login_option"
	// ReasonPushedRequest: the provider refused a pushed authorization request, or
	// can't be reached for it.
	ReasonPushedRequest Reason = "pushed_request"
	// ReasonMisplaced: RequireLogin was put around Handler instead of inside it.
	ReasonMisplaced Reason = "misplaced"
	// ReasonOtherAddress: the sign-in began at another address of this app than
	// RedirectURL's, so the browser does not send its cookie here. Examples are
	// localhost and 127.0.0.1, a name with and without www, and http and https.
	ReasonOtherAddress Reason = "other_address"
	// ReasonCookieBlocked: several sign-ins in a row succeeded, but the browser does
	// not send the session cookie back.
	ReasonCookieBlocked Reason = "cookie_blocked"
	// ReasonCookieTwice: the browser sends two cookies with the name of one of ours,
	// and nothing shows which of them is ours.
	ReasonCookieTwice Reason = "cookie_twice"
	// ReasonCookieUnknown: several sign-ins in a row succeeded, but the session cookie
	// that the browser sends is not recognised: the processes have different keys,
	// stores or clocks, or another app on the host uses the same cookie name.
	ReasonCookieUnknown Reason = "cookie_unknown"
	// ReasonLoginLoop: several sign-ins in a row succeeded, but a page begins another
	// one although somebody is signed in: it demands something that a sign-in can't
	// give.
	ReasonLoginLoop Reason = "login_loop"
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

// A meaning is what follows from a reason: the status of the answer, the page for a
// person (what happened, and what to do), and whether the session continues. The text
// never says which check failed: that would help only an attacker.
type meaning struct {
	status      int
	title, text string
	// showCode shows the provider's error code. It is not set where anybody could have
	// sent the code.
	showCode bool
	// switchUser offers to sign out and use another account: with the provider's
	// session still open, trying again would be refused in the same way.
	switchUser bool
	// noRetry offers no other try: it would fail in the same way.
	noRetry bool
	// sessionStays says that the session continues if a refresh of its tokens fails for
	// this reason: the cause is the network, the provider's state or this app client.
	// An unknown key may be one that can't be fetched at the moment.
	sessionStays bool
}

// endsSession reports whether a refresh that failed for this reason ends the session. A
// reason that is not in the table, such as a hook's own, does.
func (r Reason) endsSession() bool { return !reasons[r].sessionStays }

const (
	titleFailed      = "Sign-in didn’t work"
	titleUnavailable = "Sign-in is not available"
	titleUnfinished  = "This sign-in can’t be finished"
	textInvalid      = "The sign-in service sent an answer that this site could not verify, so nobody was signed in."
	textSetup        = "This site and its sign-in service don’t understand each other. " + textOperator
	textOperator     = "Someone who runs the site needs to look at it."
	textLate         = "It took too long. Please start again from here."
	textStart        = "It was already used, or was started in another browser. Please start again from here."
	textNoCookie     = "Your browser has no cookie of it: it was started in another browser or long ago, " +
		"or your browser blocks this site’s cookies. Allow them, and start again from here."
	titleDenied = "This page isn’t for you"
	textDenied  = "You are signed in, but this account may not do this."
	titleAgain  = "Please try again"
	textBusy    = "Something this site depends on can’t be reached right now. " +
		"Nothing is lost; please try again in a moment."
	textBearer = "This address is for programs that send an access token."
	textDown   = "The sign-in service can’t be reached right now. Please try again in a moment."
	titlePage  = "This page doesn’t work right now"
	textPage   = "It lacks something that this site needs for it. " + textOperator
	titleRound = "Sign-in goes round and round"
)

// outsideSignIn returns the meaning to use when a reason of failed sign-ins occurs
// outside of a sign-in, usually for somebody who is already signed in.
func (m meaning) outsideSignIn() meaning {
	switch m.title {
	case titleFailed:
		return meaning{status: m.status, title: titlePage, text: textPage, showCode: m.showCode, noRetry: m.noRetry}
	case titleUnavailable:
		return meaning{status: m.status, title: titleAgain, text: textBusy}
	}
	return m
}

// invalidToken and invalidBearer are the meanings of most checks of tokens: naming the
// failed check would help only an attacker.
var (
	invalidToken  = meaning{status: http.StatusUnauthorized, title: titleFailed, text: textInvalid}
	invalidBearer = meaning{status: http.StatusUnauthorized, title: "Please sign in", text: textBearer}
)

// reasons has one row for each reason, and is the only place that says what follows
// from it.
var reasons = map[Reason]meaning{
	ReasonMalformedCallback: {status: http.StatusBadRequest, title: titleFailed, text: textStart},
	ReasonState:             {status: http.StatusBadRequest, title: titleUnfinished, text: textNoCookie},
	ReasonReplay:            {status: http.StatusBadRequest, title: titleUnfinished, text: textStart},
	ReasonExpired:           {status: http.StatusBadRequest, title: titleUnfinished, text: textLate},
	ReasonResponseIssuer:    {status: http.StatusBadRequest, title: titleFailed, text: textInvalid},
	ReasonProviderError: {
		status: http.StatusForbidden, title: titleFailed, text: "The sign-in service refused the request.",
		showCode: true, switchUser: true,
	},
	ReasonProviderDown: {
		status: http.StatusServiceUnavailable, title: titleUnavailable, text: textDown, sessionStays: true,
	},
	ReasonProviderIssuer: {
		status: http.StatusBadGateway, title: titleFailed, text: textSetup, sessionStays: true, noRetry: true,
	},
	ReasonTokenEndpoint: {
		status: http.StatusBadGateway, title: titleUnavailable, text: textDown, sessionStays: true,
	},
	ReasonCodeRefused: {status: http.StatusBadRequest, title: titleFailed, showCode: true, text: textStart},
	ReasonClientRefused: {
		status: http.StatusBadGateway, title: titleFailed, showCode: true, text: textSetup, sessionStays: true,
	},
	ReasonNoIDToken:      {status: http.StatusBadGateway, title: titleFailed, text: textInvalid},
	ReasonTokenMalformed: invalidToken,
	ReasonTokenAlgorithm: invalidToken,
	ReasonTokenKey: {
		status: http.StatusUnauthorized, title: titleFailed, text: textInvalid, sessionStays: true,
	},
	ReasonTokenSignature:       invalidToken,
	ReasonTokenIssuer:          invalidToken,
	ReasonTokenAudience:        invalidToken,
	ReasonTokenAuthorizedParty: invalidToken,
	ReasonTokenUse:             invalidToken,
	ReasonTokenExpired:         invalidToken,
	ReasonTokenNotYetValid:     invalidToken,
	ReasonTokenNonce:           invalidToken,
	ReasonTokenAccessHash:      invalidToken,
	ReasonUserInfo: {
		status: http.StatusBadGateway, title: titleUnavailable, text: textDown, sessionStays: true,
	},
	ReasonUserInfoSubject: invalidToken,
	ReasonEmailNotVerified: {
		status: http.StatusForbidden, title: "Your email address isn’t verified", switchUser: true,
		text: "This site asks for a verified email address, and your account has none yet. " +
			"Verify it, or use another account.",
	},
	ReasonTokenAuthTime: invalidToken,
	ReasonTokenACR:      invalidToken,
	ReasonTokenSubject:  invalidToken,
	ReasonDenied:        {status: http.StatusForbidden, title: titleDenied, text: textDenied, switchUser: true},
	ReasonRuleFailed: {
		status: http.StatusServiceUnavailable, title: titleAgain, text: textBusy, sessionStays: true,
	},
	ReasonVetoed: {status: http.StatusForbidden, title: titleDenied, text: textDenied, switchUser: true},
	ReasonStoreDown: {
		status: http.StatusServiceUnavailable, title: titleAgain, text: textBusy, sessionStays: true,
	},
	ReasonNotSignedIn: {
		status: http.StatusUnauthorized, title: "Please sign in", text: "This page is for people who are signed in.",
	},
	ReasonNoTokens: {
		status: http.StatusInternalServerError, title: titlePage,
		text: "You are signed in, but this site lacks what the page needs from the sign-in service. " +
			"If trying again doesn’t help, someone who runs the site needs to look at it.",
	},
	ReasonRefreshRefused: {
		status: http.StatusUnauthorized, title: "Please sign in again",
		text: "Your sign-in has ended. Please sign in once more.",
	},
	ReasonRefreshFailed: {
		status: http.StatusServiceUnavailable, title: titleAgain, text: textDown, sessionStays: true,
	},
	ReasonResponseStarted:   {status: http.StatusInternalServerError, title: titlePage, text: textPage},
	ReasonInternal:          {status: http.StatusInternalServerError, title: titlePage, text: textPage},
	ReasonLogoutToken:       {status: http.StatusBadRequest, title: titleFailed, text: textInvalid},
	ReasonBearerMissing:     invalidBearer,
	ReasonBearerMalformed:   {status: http.StatusBadRequest, title: "Please sign in", text: textBearer},
	ReasonTokenClient:       invalidBearer,
	ReasonTokenInactive:     invalidBearer,
	ReasonInsufficientScope: {status: http.StatusForbidden, title: titleDenied, text: textDenied},
	ReasonIntrospection:     {status: http.StatusServiceUnavailable, title: titleAgain, text: textDown},
	ReasonSessionTooLarge: {
		status: http.StatusInternalServerError, title: titleFailed,
		text: "Your account has more to it than this site can keep in cookies of your browser. " + textOperator,
	},
	ReasonLoginOption:   {status: http.StatusInternalServerError, title: titleFailed, text: textSetup},
	ReasonPushedRequest: {status: http.StatusBadGateway, title: titleUnavailable, text: textDown},
	ReasonMisplaced:     {status: http.StatusInternalServerError, title: titleFailed, text: textSetup},
	ReasonOtherAddress: {
		status: http.StatusBadRequest, title: titleUnfinished,
		text: "It was started at another address of this site than this one: with another name, or with http " +
			"in place of https. Your browser keeps separate cookies for each. Please start again from here.",
	},
	ReasonCookieBlocked: {
		status: http.StatusBadRequest, title: titleRound,
		text: "You were signed in several times, but your browser doesn’t send this site’s cookie back, " +
			"and without it the site can’t know you. Allow cookies for this site, or turn off what removes them, " +
			"and try again.",
	},
	ReasonCookieTwice: {
		status: http.StatusBadRequest, title: "Two cookies where one should be",
		text: "Your browser sends two cookies with the same name, and this site can’t tell which one is its own. " +
			"Delete the cookies of this site in your browser’s settings, and try again.",
	},
	ReasonCookieUnknown: {
		status: http.StatusBadRequest, title: titleRound,
		text: "You were signed in several times, but this site doesn’t recognise the cookie " +
			"that it gave your browser. " +
			"If trying again doesn’t help, delete the cookies of this site; if that doesn’t help either, " +
			"someone who runs the site needs to look at it.",
	},
	ReasonLoginLoop: {
		status: http.StatusBadRequest, title: titleRound,
		text: "You are signed in, but this page asks you to sign in again and again. Another account may help; " +
			"otherwise, someone who runs the site needs to look at it.",
		switchUser: true,
	},
	ReasonCrossOrigin: {
		status: http.StatusForbidden, title: "You are still signed in",
		text: "The request to sign out came from another site, so it was not followed.",
	},
}
