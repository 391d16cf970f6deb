package hosted

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
)

//go:embed templates/*.html
var templateFiles embed.FS

// templates are read when a handler is made, and not at each start of a program.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(templateFiles, "templates/*.html"))
})

const textBusy = "Too many people are signing in just now. Please try again in a moment."

// view is what every page shows; the view of a page embeds it.
type view struct {
	*locale // T, Lang

	Style template.CSS
	Brand brand
	Title string
	App   string // the app client's name; may be empty

	Action string // the form goes to the address of the page itself
	CSRF   string
	Turn   int64

	// The addresses of other pages; empty: there is no such page.
	SignUp, Forgot, Back string

	// Long says that there is much to see before the first field, which then
	// does not take the focus: it would scroll the page.
	Long bool

	// Outbox is where a developer finds the code or the link that the page waits for;
	// empty: nobody is told.
	Outbox string

	Message string // in the page's language; empty: none
	Failed  bool   // Message is an error

	policy      string // the Content-Security-Policy
	redirectURI string // of the authorization request; empty: there is none
}

// newView returns what the page of a visit's step has in common with every other.
func newView(v *visit, title string) view {
	page := pages[v.flow.Step]
	brand := v.h.brand(v.auth.Client.Branding)
	out := view{
		locale: v.locale, Style: brand.style, Brand: brand, Title: v.locale.T(title), App: v.auth.Client.Name,
		Action: v.address(page.path), CSRF: string(v.csrf), Turn: v.flow.Version,
		Failed: v.flow.Failed,
	}
	out.SignUp, out.Forgot, out.Back = links(v)
	if v.h.Developer.here(v.r) {
		out.Outbox = v.h.Developer.Outbox
	}
	if v.flow.Notice != "" {
		out.Message = v.locale.T(v.flow.Notice)
	}
	out.policy, out.redirectURI = brand.policy(true), v.auth.RedirectURI
	return out
}

// links are the addresses of the pages that may be the first one. They carry the
// authorization request and not the flow: another begins there.
func links(v *visit) (signUp, forgot, back string) {
	q := "?" + v.query.Encode()
	back = pages[userpool.StepSignIn].path + q
	if !v.auth.Client.Supports(userpool.ProviderCognito) {
		return "", "", back
	}
	if v.h.Pool.Settings().SelfSignUp {
		signUp = pages[userpool.StepSignUp].path + q
	}
	if v.h.Pool.Settings().CanRecover() {
		forgot = pages[userpool.StepForgot].path + q
	}
	return signUp, forgot, back
}

// writable is the view of a page: one that embeds view.
type writable interface{ common() view }

func (v view) common() view { return v }

// write renders a page as a whole before any of it is sent.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, status int, name string, page writable) {
	var body bytes.Buffer
	err := templates().ExecuteTemplate(&body, name, page)
	if err != nil {
		h.Logger.ErrorContext(r.Context(), decision.PageFailed, "page", name, "err", err)
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", page.common().Lang)
	header.Set("Content-Security-Policy", page.common().policy)
	header.Set("Cross-Origin-Opener-Policy", openerPolicy(r, page.common().redirectURI))
	// Not no-referrer: it would make browsers send Origin: null with the form.
	header.Set("Referrer-Policy", "same-origin")
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// shorten bounds what was typed before it is written back. No user name is longer.
func shorten(s string) string {
	const most = 256
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}
