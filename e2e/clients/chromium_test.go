package clients

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	chromium "github.com/cognate-auth/cognate/e2e/browser"
)

// webApp is a running app that a person uses in Chromium. Its page says
//
//	Nobody is signed in.    and has the button "Sign in", or
//	the claims of a token   and has "Refresh", where the library can do that, and "Sign out".
//
// A refresh changes the claims: jti is another.
type webApp struct {
	pool   *cognatetest.Pool
	domain string // where the pool's pages are
	url    string

	signIn, signOut []string // what to click at the app, one after the other
	cannotRefresh   bool

	pkce, nonce bool // what the library sends, beside state

	forgeries []string // what it refuses, by the names of forgeries
	refused   string   // what it says then

	lacks string // an address that it asks and that the pool has not
}

const nobody = "Nobody is signed in."

// journey is the life of a session in a browser, and what must not become one.
func (w webApp) journey(t *testing.T, b *chromium.Browser) {
	t.Helper()
	tab := b.NewVisitor(t)
	w.signsIn(t, tab)
	w.refreshes(t, tab)
	w.signsOut(t, tab)
	for _, text := range tab.ConsoleErrors() {
		if w.lacks == "" || !strings.Contains(text, "("+w.lacks+")") {
			t.Errorf("the browser's console has %s", text)
		}
	}
	for _, name := range w.forgeries {
		t.Run(name, func(t *testing.T) { w.refuses(t, b.NewVisitor(t), forgeries(w.pool)[name]) })
	}
}

// signsIn signs in, and looks at the authorization request.
func (w webApp) signsIn(t *testing.T, tab *chromium.Tab) {
	t.Helper()
	tab.Visit(w.url + "/")
	tab.WaitForText(nobody)
	w.toPool(t, tab)
	w.checkRequest(t, tab)
	w.password(tab)
	w.wantClaims(t, tab)
	tab.Visit(w.url + "/") // it is remembered
	w.wantClaims(t, tab)
}

// toPool goes to the pool's sign-in page.
func (w webApp) toPool(t *testing.T, tab *chromium.Tab) {
	t.Helper()
	click(tab, w.signIn)
	tab.WaitForURL(w.domain + "/login*")
}

func (w webApp) password(tab *chromium.Tab) {
	tab.Fill("Username", name)
	tab.Fill("Password", password)
	tab.Click("Sign in")
}

func click(tab *chromium.Tab, names []string) {
	for _, name := range names {
		tab.Click(name)
	}
}

// checkRequest looks at the authorization request, whose parameters the pool's page has.
func (w webApp) checkRequest(t *testing.T, tab *chromium.Tab) {
	t.Helper()
	u, err := url.Parse(tab.URL())
	if err != nil {
		t.Fatal(err)
	}
	checkParameters(t, u.Query(), w.pkce, w.nonce)
}

// wantClaims waits until the page says who is signed in.
func (w webApp) wantClaims(t *testing.T, tab *chromium.Tab) string {
	t.Helper()
	tab.WaitForURL(w.url + "/")
	tab.WaitForText(email)
	text := tab.Text("pre")
	var claims struct {
		Subject string `json:"sub"`
		Email   string `json:"email"`
	}
	err := json.Unmarshal([]byte(text), &claims)
	if err != nil || claims.Subject == "" || claims.Email != email {
		t.Errorf("the claims are %s", text)
	}
	return text
}

// refreshes asks for new tokens.
func (w webApp) refreshes(t *testing.T, tab *chromium.Tab) {
	t.Helper()
	if w.cannotRefresh {
		return
	}
	before, requests := w.wantClaims(t, tab), w.pool.Requests(cognatetest.RefreshGrant)
	tab.Click("Refresh")
	tab.WaitForChange("pre", before)
	w.wantClaims(t, tab)
	if got := w.pool.Requests(cognatetest.RefreshGrant) - requests; got != 1 {
		t.Errorf("%d refreshes, want 1", got)
	}
}

// signsOut signs out, and must find the pool's form at the next attempt.
func (w webApp) signsOut(t *testing.T, tab *chromium.Tab) {
	t.Helper()
	click(tab, w.signOut)
	tab.WaitForText(nobody)
	tab.WaitForURL(w.url + "/")
	w.toPool(t, tab)
}

// refuses signs in while the pool answers with an ID token that no app must take.
func (w webApp) refuses(t *testing.T, tab *chromium.Tab, forge func()) {
	t.Helper()
	forge()
	defer w.pool.Repair()
	before := w.pool.Requests(cognatetest.CodeGrant)
	tab.Visit(w.url + "/")
	w.toPool(t, tab)
	w.password(tab)
	tab.WaitForText(w.refused)
	if w.pool.Requests(cognatetest.CodeGrant) == before {
		t.Error("the app refused before it asked for tokens")
	}
	tab.Visit(w.url + "/")
	tab.WaitForText(nobody)
}
