// Package page writes the built-in page: a title, a text, and links to what to do next. It
// imports nothing else of this module.
package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.css
var css string

//go:embed developer.css
var developerCSS string

//go:embed page.html
var html string

var body = template.Must(template.New("page").Funcs(template.FuncMap{"sentence": sentence}).Parse(html))

// sentence ends a text with a full stop.
func sentence(text string) string { return strings.TrimSuffix(text, ".") + "." }

// policy is the Content-Security-Policy of the pages: it allows only their inline style sheet.
// form-action is not restricted, because browsers apply it to redirects too, and signing out
// redirects to the provider.
var policy = policyFor(css)

// developerPolicy is policy for a page with a [Developer], which has another style sheet, so
// that the pages of production don't depend on it.
var developerPolicy = policyFor(css + developerCSS)

func policyFor(css string) string {
	return "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src '" + hashSource(css) + "'"
}

// sendScript submits the form of a page without waiting for the visitor. Without scripts, the
// visitor uses its button.
const sendScript = "document.forms[0].submit()"

// sendPolicy is policy, plus permission for sendScript.
var sendPolicy = policy + "; script-src '" + hashSource(sendScript) + "'"

// hashSource returns the expression by which a Content-Security-Policy allows an inline style
// sheet or script.
func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// A Page is the content of the page. All of it is escaped.
type Page struct {
	Title, Text string
	// Code is the provider's error code; Reference identifies the log line.
	Code, Reference string
	// Retry is a link, Logout and Home are paths; empty ones are left out.
	Retry, RetryLabel   string
	Logout, LogoutLabel string
	Home                string
	Choices             []Choice
	// Send is the target of a form with Fields that the page submits by itself; empty means
	// no form.
	Send   string
	Fields []Field
	// Developer, if not nil, is for whoever develops the app. Pages that others may see
	// have none.
	Developer *Developer
}

// A Developer is the part of the page for whoever develops the app. Empty fields are left
// out.
type Developer struct {
	// Reason is the check that failed, What is what happened, and Hint what to do.
	Reason, What, Hint string
	// View is the address of the sign-in in the developer's view of a local pool.
	View string
}

// A Choice is a link.
type Choice struct{ Name, URL string }

// A Field is a hidden field of the form.
type Field struct{ Name, Value string }

// Write answers with the page, and forbids caching it.
func (p Page) Write(w http.ResponseWriter, status int) {
	data := struct {
		Page
		CSS    template.CSS
		Script template.JS
	}{Page: p, CSS: template.CSS(css)} //nolint:gosec // constant, from page.css
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	if p.Developer != nil {
		data.CSS = template.CSS(css + developerCSS) //nolint:gosec // constant, from page.css and developer.css
		h.Set("Content-Security-Policy", developerPolicy)
	}
	if p.Send != "" {
		h.Set("Content-Security-Policy", sendPolicy)
		data.Script = sendScript
	}
	var b strings.Builder
	err := body.Execute(&b, data)
	if err != nil {
		http.Error(w, p.Title, status)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(b.String())) // the visitor has left if this fails
}
