package cognate

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/loopback"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/page"
	"github.com/cognate-auth/cognate/internal/testhook"
)

// An answerer writes the answers of this package: refusals, redirects, and pages that
// ask something. It also logs and counts refusals and calls the hook for them.
type answerer struct {
	paths        paths
	hooks        Hooks
	metrics      Metrics
	errorHandler func(http.ResponseWriter, *http.Request, *Error)
	outages      cache.Throttle // limits lines that an outage would repeat with every request
	hostWarning  sync.Once
	reports      *reporter
	// development shows refusals to the developer as well: the provider is on this machine,
	// and so is the app as browsers reach it. See answerer.developer.
	development bool
	log         *slog.Logger
	now         func() time.Time
}

func newAnswerer(s *settings) *answerer {
	return &answerer{
		paths: paths{
			origin: s.origin, callback: s.callbackPath, login: s.LoginPath, logout: s.LogoutPath,
			backchannel: s.BackchannelLogoutPath, home: s.HomePath,
		},
		hooks: s.Hooks, metrics: s.Metrics, errorHandler: s.ErrorHandler,
		outages: cache.Throttle{Every: time.Second}, log: s.Logger, now: s.Now,
		development: loopbackURL(s.Issuer) && loopbackURL(s.RedirectURL),
	}
}

// loopbackURL reports whether a URL is one of this machine.
func loopbackURL(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	_, _, ok := loopback.Host(u.Hostname())
	return ok
}

// fail answers every refusal outside of a sign-in: with a log line for the people who
// run the site and, for the visitor, a page, JSON for a script, or the answer of the
// app's ErrorHandler.
func (a *answerer) fail(w http.ResponseWriter, r *http.Request, e *Error, target string) {
	a.answerRefusal(w, r, e.answerable(target))
}

// failLogin is like fail, for a sign-in that failed.
func (a *answerer) failLogin(w http.ResponseWriter, r *http.Request, e *Error, target string) {
	e = e.answerable(target)
	e.signIn = true
	if a.hooks.OnLoginError != nil {
		a.hooks.OnLoginError(r.Context(), e)
	}
	a.answerRefusal(w, r, e)
	a.reports.tell(e.attempt, oidc.Report{
		Outcome: oidc.OutcomeRefused, Reason: string(e.Reason), Reference: e.Reference,
		Cause: e.whatHappened(), Hint: e.Hint(),
	})
}

// answerable returns a copy of e with all that an answer needs. It is a copy because
// hooks and rules may return one error for several requests.
func (e *Error) answerable(target string) *Error {
	own := *e
	own.Status = e.status()
	own.ReturnTo = target
	own.Reference = strings.ToLower(rand.Text()[:8])
	return &own
}

func (a *answerer) answerRefusal(w http.ResponseWriter, r *http.Request, e *Error) {
	a.metrics.Denied(e.Reason)
	a.logRefusal(r, e)
	if testhook.Refused != nil {
		testhook.Refused(r, e)
	}
	h := w.Header()
	if e.RetryAfter > 0 {
		setRetryAfter(w, e.RetryAfter)
	}
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", authenticate(a.paths.loginURL(e.ReturnTo)))
	}
	h.Set("Cache-Control", "no-store")
	switch {
	case a.errorHandler != nil:
		a.errorHandler(w, r, e)
	case isNavigation(r) || isPrefetch(r):
		a.errorPage(r, e).Write(w, e.Status)
	default:
		answer := map[string]string{"error": string(e.Reason), "reference": e.Reference}
		if d := a.developer(r, e); d != nil {
			answer["cause"], answer["hint"], answer["view"] = d.What, d.Hint, d.View
		}
		writeJSON(w, e.Status, answer)
	}
}

// logRefusal writes the log line that has the reference. An outage of the store fails
// every request in the same way, so its line is written at most once a second.
func (a *answerer) logRefusal(r *http.Request, e *Error) {
	if e.Reason == ReasonStoreDown && !a.outages.Pass(a.now()) {
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
	if hint := e.Hint(); hint != "" {
		attrs = append(attrs, slog.String("hint", hint))
	}
	a.log.LogAttrs(r.Context(), level, "cognate: refused", attrs...)
}

// errAttr returns the attribute for an error in a log line.
func errAttr(err error) slog.Attr { return slog.String("err", withoutQueries(err.Error())) }

var urlQuery = regexp.MustCompile(`(\w://[^\s"'<>?#]*\?)[^\s"'<>]+`)

// withoutQueries removes the queries of URLs from a text: they may hold codes, hints
// and names of people.
func withoutQueries(text string) string { return urlQuery.ReplaceAllString(text, "$1…") }

// setRetryAfter says how long to wait before trying again, in whole seconds, at least
// one.
func setRetryAfter(w http.ResponseWriter, d time.Duration) {
	seconds := max((d+time.Second-1)/time.Second, 1)
	w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
}

func (a *answerer) errorPage(r *http.Request, e *Error) page.Page {
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
		Retry: a.paths.loginURL(e.ReturnTo), RetryLabel: "Try again", Home: a.paths.home,
		Developer: a.developer(r, e),
	}
	if m.showCode {
		p.Code = e.ProviderCode
	}
	if m.noRetry {
		p.Retry = ""
	}
	if m.switchUser {
		p.Logout, p.LogoutLabel = a.paths.logout, "Use another account"
	}
	return p
}

// whatHappened is the cause, with what the provider said, for the developer. It is bounded.
func (e *Error) whatHappened() string {
	text := ""
	if e.Err != nil {
		text = withoutQueries(e.Err.Error())
	}
	if e.ProviderCode != "" {
		text = strings.TrimPrefix(text+"; the provider says "+strconv.Quote(e.ProviderCode), "; ")
	}
	return clipAt(text, maxCause)
}

// developer returns what a page or an answer says to the developer, or nil where others
// may read it: the app may listen on all addresses of the machine, as in a container, where
// browsers elsewhere open it by another host name than this machine's own. Nor does a page
// read it that has pointed its own name here (DNS rebinding).
func (a *answerer) developer(r *http.Request, e *Error) *page.Developer {
	if !a.development || !loopbackURL("http://"+r.Host) {
		return nil
	}
	return &page.Developer{
		Reason: string(e.Reason), What: e.whatHappened(), Hint: e.Hint(), View: a.reports.link(e.attempt),
	}
}

// resend answers a form that the browser posted from the provider's site, and so
// without our cookies. The page posts the same form from this site, marked so that this
// happens only once.
func (a *answerer) resend(w http.ResponseWriter, resp response) {
	p := page.Page{
		Title: "One moment", Text: "You are being signed in.",
		Send: a.paths.callback, Fields: []page.Field{{Name: resentField, Value: "1"}},
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

// askLogout asks whether to sign out, for a GET that must not sign out by itself.
func (a *answerer) askLogout(w http.ResponseWriter) {
	page.Page{
		Title: "Sign out?", Text: "You will be signed out of this site and of its sign-in service.",
		Logout: a.paths.logout, LogoutLabel: "Sign out", Home: a.paths.home,
	}.Write(w, http.StatusOK)
}

// unauthorized answers a script with the address to send the person to: a script can't
// follow a redirect to another site.
func (a *answerer) unauthorized(w http.ResponseWriter, r *http.Request) {
	address := a.paths.loginURL(a.paths.callingPage(r))
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("WWW-Authenticate", authenticate(address))
	if r.Header.Get("HX-Request") == "true" {
		h.Set("HX-Redirect", address) // htmx then navigates there by itself
	}
	writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "login_required", "login_url": address})
}

// redirectAfterLogout sends the browser to target after a sign-out.
func (a *answerer) redirectAfterLogout(w http.ResponseWriter, r *http.Request, target string) {
	w.Header().Set("Cache-Control", "no-store")
	if isNavigation(r) {
		redirect(w, target, http.StatusSeeOther)
		return
	}
	if r.Header.Get("HX-Request") == "true" {
		w.Header().Set("HX-Redirect", target)
	}
	writeJSON(w, http.StatusOK, map[string]string{"logout_url": target})
}

// authenticate returns the challenge that a 401 must have (RFC 9110, 15.5.2). Its
// scheme is one for which browsers show no dialog.
func authenticate(address string) string {
	return `OpenIDConnect login_url="` + address + `"`
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the visitor has left if this fails
}

// redirectStatus returns the status of a redirect that answers r, so that the browser
// does not post a body to the new address.
func redirectStatus(r *http.Request) int {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return http.StatusFound
	}
	return http.StatusSeeOther
}

// redirect sends the browser to address, which is in its final spelling: http.Redirect
// would rewrite it.
func redirect(w http.ResponseWriter, address string, status int) {
	w.Header().Set("Location", address)
	w.WriteHeader(status)
}

// warnOfOtherHost logs once a mistake that is hard to find: a sign-in that begins on
// localhost and ends on 127.0.0.1 finds no cookie there. Behind a proxy that changes
// the Host header the warning does not apply.
func (a *answerer) warnOfOtherHost(r *http.Request) {
	_, host, _ := strings.Cut(a.paths.origin, "://")
	if strings.EqualFold(r.Host, host) {
		return
	}
	a.hostWarning.Do(func() {
		a.log.LogAttrs(r.Context(), slog.LevelWarn,
			"cognate: a sign-in begins on another host than RedirectURL's, where it ends; it will fail unless "+
				"a proxy changes the Host header, so open the app under RedirectURL's host",
			slog.String("host", clip(r.Host)), slog.String("expected", host))
	})
}

// logLeftOut logs which hints were left out, without their values.
func (a *answerer) logLeftOut(r *http.Request, l *loginRequest) {
	if len(l.leftOut) > 0 {
		a.log.LogAttrs(r.Context(), slog.LevelInfo, "cognate: a login option is left out",
			errAttr(errors.Join(l.leftOut...)))
	}
}

// clip bounds a text from a request for a log line.
func clip(s string) string { return clipAt(s, 200) }

// maxCause bounds what a developer reads of a cause, in bytes.
const maxCause = 1000

// clipAt bounds a text, in bytes.
func clipAt(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "�") }
