package cognate

import (
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"log/slog"
	"net/http"
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
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

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
}

func (p page) write(w http.ResponseWriter, status int) {
	p.CSS = template.CSS(pageCSS) //nolint:gosec // constant, from page.css
	var b strings.Builder
	if err := pageTemplate.Execute(&b, p); err != nil {
		http.Error(w, p.Title, status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
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
	if e.Reason == ReasonStoreDown && !a.quiet.pass(a.now()) {
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
	if e.Err != nil {
		attrs = append(attrs, slog.String("err", e.Err.Error()))
	}
	a.log.LogAttrs(r.Context(), level, "cognate: refused", attrs...)
}

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
	p := page{
		Title: text.title, Text: text.text, Reference: e.Reference,
		Retry: a.loginURL(e.ReturnTo), RetryLabel: "Try again", Home: a.homePath,
	}
	if text.showCode {
		p.Code = e.ProviderCode
	}
	if text.switchUser {
		p.Logout, p.LogoutLabel = a.logoutPath, "Use another account"
	}
	return p
}

// askLogout asks whether to sign out, for a GET that may not do it by itself.
func (a *Auth) askLogout(w http.ResponseWriter) {
	page{
		Title: "Sign out?", Text: "You will be signed out of this site and of its sign-in service.",
		Logout: a.logoutPath, LogoutLabel: "Sign out", Home: a.homePath,
	}.write(w, http.StatusOK)
}
