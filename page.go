package cognate

import (
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed page.css
var pageCSS string

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// pagePolicy is the Content-Security-Policy of the pages: nothing but the one style
// sheet inside. form-action is left open, because browsers apply it to redirects too,
// and signing out leads to the provider.
var pagePolicy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src '" + hashSource(pageCSS) + "'"

// sendScript sends the form of a page that the visitor need not see; without scripts, its
// button does.
const sendScript = "document.forms[0].submit()"

// sendPolicy is pagePolicy with that one script.
var sendPolicy = pagePolicy + "; script-src '" + hashSource(sendScript) + "'"

// hashSource is how a Content-Security-Policy names a style sheet or a script inside of a page.
func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// page is what page.html shows.
type page struct {
	CSS         template.CSS
	Title, Text string
	// Code is the provider's error code; Reference leads to the log line.
	Code, Reference string
	// Retry is a link, Logout and Home are paths; empty ones are left out.
	Retry, RetryLabel string
	Logout            string
	LogoutLabel       string
	Home              string
	Choices           []LoginChoice
	// Send is the path of a form with Fields that Script sends at once.
	Send   string
	Fields []field
	Script template.JS
}

// field is a hidden field of a form.
type field struct{ Name, Value string }

func (p page) write(w http.ResponseWriter, status int) {
	p.CSS = template.CSS(pageCSS) //nolint:gosec // constant, from page.css
	var b strings.Builder
	err := pageTemplate.Execute(&b, p)
	if err != nil {
		http.Error(w, p.Title, status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	if p.Script != "" {
		h.Set("Content-Security-Policy", sendPolicy)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(b.String())) // the visitor has left if this fails
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
		a.errorPage(e).write(w, e.Status)
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

func (a *Auth) errorPage(e *Error) page {
	text, known := pages[e.Reason]
	if !known { // a reason of the app's own
		text = pages[ReasonDenied]
		if e.Status >= http.StatusInternalServerError {
			text = pages[ReasonInternal]
		}
	}
	if !e.signIn {
		text = text.elsewhere()
	}
	p := page{
		Title: text.title, Text: text.text, Reference: e.Reference,
		Retry: a.loginURL(e.ReturnTo), RetryLabel: "Try again", Home: a.homePath,
	}
	if text.showCode {
		p.Code = e.ProviderCode
	}
	if e.Reason == ReasonProviderIssuer { // another try ends the same way
		p.Retry = ""
	}
	if text.switchUser {
		p.Logout, p.LogoutLabel = a.logoutPath, "Use another account"
	}
	return p
}

// sendAgain answers a form that the provider had the browser send from its own site: the
// browser has kept our cookies from it. The page sends the same once more, from this site,
// and marks it so that this happens once.
func (a *Auth) sendAgain(w http.ResponseWriter, resp response) {
	p := page{
		Title: "One moment", Text: "You are being signed in.",
		Send: a.callbackPath, Fields: []field{{againField, "1"}}, Script: sendScript,
	}
	for _, f := range []field{
		{"code", resp.code}, {"state", resp.state}, {"iss", resp.issuer}, {"error", resp.err}, {"error_description", resp.description},
	} {
		if f.Value != "" {
			p.Fields = append(p.Fields, f)
		}
	}
	p.write(w, http.StatusOK)
}

// askLogout asks whether to sign out, for a GET that may not do it by itself.
func (a *Auth) askLogout(w http.ResponseWriter) {
	page{
		Title: "Sign out?", Text: "You will be signed out of this site and of its sign-in service.",
		Logout: a.logoutPath, LogoutLabel: "Sign out", Home: a.homePath,
	}.write(w, http.StatusOK)
}
