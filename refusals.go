package cognate

import (
	"crypto/rand"
	_ "embed"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/page"
)

// A meaning is what a reason means at the edge: how the request is answered, what a person is
// told (what happened, and what to do), and whether the session goes on. The text never says
// which check failed: that helps nobody but a forger.
type meaning struct {
	status      int
	title, text string
	// showCode shows the provider's error code. Where it is not set, anybody can have
	// said it.
	showCode bool
	// switchUser offers to sign out and use another account, because trying again
	// with the provider's session still open ends in the same refusal.
	switchUser bool
	// noRetry offers no other try: it would end the same way.
	noRetry bool
	// sessionStays says that a refresh of tokens that failed for this reason says nothing
	// about the session, only about the network, the provider's health or this app client. A
	// key that is not known may be one that can't be fetched just now.
	sessionStays bool
}

// endsSession reports whether a refresh that failed for this reason ends the session, as one
// of a hook's own does.
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

// outsideSignIn is the meaning of a reason of failed sign-ins where none failed: for somebody who
// is signed in already, as a rule.
func (m meaning) outsideSignIn() meaning {
	switch m.title {
	case titleFailed:
		return meaning{status: m.status, title: titlePage, text: textPage, showCode: m.showCode, noRetry: m.noRetry}
	case titleUnavailable:
		return meaning{status: m.status, title: titleAgain, text: textBusy}
	}
	return m
}

// invalidToken and invalidBearer are what most checks of tokens mean: which one it was helps
// nobody but a forger.
var (
	invalidToken  = meaning{status: http.StatusUnauthorized, title: titleFailed, text: textInvalid}
	invalidBearer = meaning{status: http.StatusUnauthorized, title: "Please sign in", text: textBearer}
)

// reasons has one row for each reason, and there is no other place that says what one means.
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

// fail is the one way out for a refusal: a log line for those who run the site, and a page,
// JSON for a script, or the app's own answer, for the visitor.
func (a *Auth) fail(w http.ResponseWriter, r *http.Request, e *Error, target string) {
	a.answerRefusal(w, r, e.answerable(target))
}

// answerable is a copy of e that can be answered with: hooks and rules return errors of
// their own, which may be shared by requests.
func (e *Error) answerable(target string) *Error {
	own := *e
	own.Status = e.status()
	own.ReturnTo = target
	own.Reference = strings.ToLower(rand.Text()[:8])
	return &own
}

func (a *Auth) answerRefusal(w http.ResponseWriter, r *http.Request, e *Error) {
	a.metrics.Denied(e.Reason)
	a.logRefusal(r, e)
	h := w.Header()
	if e.RetryAfter > 0 {
		setRetryAfter(w, e.RetryAfter)
	}
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", authenticate(a.loginURL(e.ReturnTo)))
	}
	h.Set("Cache-Control", "no-store")
	switch {
	case a.errorHandler != nil:
		a.errorHandler(w, r, e)
	case isNavigation(r) || isPrefetch(r):
		a.errorPage(e).Write(w, e.Status)
	default:
		writeJSON(w, e.Status, map[string]string{"error": string(e.Reason), "reference": e.Reference})
	}
}

// logRefusal writes the line that the reference leads to. An outage of the store fails every
// request alike: one line a second tells as much.
func (a *Auth) logRefusal(r *http.Request, e *Error) {
	if e.Reason == ReasonStoreDown && !a.quiet.Pass(a.now()) {
		return
	}
	level := slog.LevelWarn
	if e.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("reason", string(e.Reason)), slog.Int("status", e.Status), slog.String("reference", e.Reference),
	}
	if e.ProviderCode != "" {
		attrs = append(attrs, slog.String("provider_code", e.ProviderCode))
	}
	subject := e.subject
	if u := UserFrom(r.Context()); subject == "" && u != nil {
		subject = u.Subject
	}
	if subject != "" {
		attrs = append(attrs, slog.String("sub", clip(subject)))
	}
	if e.Err != nil {
		attrs = append(attrs, errAttr(e.Err))
	}
	a.log.LogAttrs(r.Context(), level, "cognate: refused", attrs...)
}

// errAttr is an error in a log line.
func errAttr(err error) slog.Attr { return slog.String("err", withoutQueries(err.Error())) }

var urlQuery = regexp.MustCompile(`(\w://[^\s"'<>?#]*\?)[^\s"'<>]+`)

// withoutQueries leaves out of a text what stands behind the question mark of URLs: codes,
// hints and names of people travel there.
func withoutQueries(text string) string { return urlQuery.ReplaceAllString(text, "$1…") }

// setRetryAfter says when another try makes sense, in whole seconds: a moment at least.
func setRetryAfter(w http.ResponseWriter, d time.Duration) {
	seconds := max((d+time.Second-1)/time.Second, 1)
	w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
}

func (a *Auth) errorPage(e *Error) page.Page {
	m, known := reasons[e.Reason]
	if !known { // a reason of the app's own
		m = reasons[ReasonDenied]
		if e.Status >= http.StatusInternalServerError {
			m = reasons[ReasonInternal]
		}
	}
	if !e.signIn {
		m = m.outsideSignIn()
	}
	p := page.Page{
		Title: m.title, Text: m.text, Reference: e.Reference,
		Retry: a.loginURL(e.ReturnTo), RetryLabel: "Try again", Home: a.homePath,
	}
	if m.showCode {
		p.Code = e.ProviderCode
	}
	if m.noRetry {
		p.Retry = ""
	}
	if m.switchUser {
		p.Logout, p.LogoutLabel = a.logoutPath, "Use another account"
	}
	return p
}

// sendAgain answers a form that the provider had the browser send from its own site: the
// browser has kept our cookies from it. The page sends the same once more, from this site,
// and marks it so that this happens once.
func (a *Auth) sendAgain(w http.ResponseWriter, resp response) {
	p := page.Page{
		Title: "One moment", Text: "You are being signed in.",
		Send: a.callbackPath, Fields: []page.Field{{Name: againField, Value: "1"}},
	}
	for _, f := range []page.Field{
		{Name: "code", Value: resp.Code},
		{Name: "state", Value: resp.State},
		{Name: "iss", Value: resp.Issuer},
		{Name: "error", Value: resp.Error},
		{Name: "error_description", Value: resp.Description},
	} {
		if f.Value != "" {
			p.Fields = append(p.Fields, f)
		}
	}
	p.Write(w, http.StatusOK)
}

// askLogout asks whether to sign out, for a GET that may not do it by itself.
func (a *Auth) askLogout(w http.ResponseWriter) {
	page.Page{
		Title: "Sign out?", Text: "You will be signed out of this site and of its sign-in service.",
		Logout: a.logoutPath, LogoutLabel: "Sign out", Home: a.homePath,
	}.Write(w, http.StatusOK)
}
