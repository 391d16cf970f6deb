// Package page has the design of the examples' pages, so that their own code is only
// about signing in.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"

	"github.com/cognate-auth/cognate"
)

//go:embed page.html
var layout string

//go:embed page.css
var style string

var (
	tmpl = template.Must(template.New("page").Parse(layout))

	// policy allows the single style sheet in the page. form-action is not restricted,
	// because browsers apply it to redirects too, and signing out redirects to the
	// provider.
	policy = func() string {
		sum := sha256.Sum256([]byte(style))
		return "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'sha256-" +
			base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}()
)

// A Page is one page of an example.
type Page struct {
	Title string
	Text  string        // below the title
	Body  template.HTML // below the text
	User  *cognate.User // who is signed in, or nil
	Links []Link        // in the head of the page
	Facts []Fact        // a list at the end of the page
}

// A Link leads to another page of the example.
type Link struct{ Name, URL string }

// A Fact is a line of the list: a name and its value.
type Fact struct{ Name, Value string }

// Write answers with the page. A page that shows who is signed in must not be cached
// for others.
func Write(w http.ResponseWriter, status int, p Page) {
	var b bytes.Buffer
	err := tmpl.Execute(&b, struct {
		Page
		Style template.CSS
	}{p, template.CSS(style)}) //nolint:gosec // constant, from page.css
	if err != nil {
		http.Error(w, "The page can't be shown.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // if this fails, the visitor has left
}
