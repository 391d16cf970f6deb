package clients

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	chromium "github.com/cognate-auth/cognate/e2e/browser"
)

// webApp is a running app that a person uses in Chromium. Its page shows
//
//	Nobody is signed in.    and has the button "Sign in", or
//	the claims of a token   and has "Sign out", and "Refresh" if the library can refresh.
//
// A refresh changes the claims: jti differs.
type webApp struct {
	pool   *cognatetest.Pool
	domain string // the host of the pool's pages
	url    string

	signIn, signOut []string // the names to click in the app, one after the other
	cannotRefresh   bool

	pkce, nonce bool // what the library sends in addition to state

	forgeries []string // what it refuses, by the names in forgeries
	refused   string   // its message then

	lacks string // an address that it requests and the pool does not have
}

const nobody = "Nobody is signed in."

// journey is the life of a session in a browser, and the attempts that must not give
// one.
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

// signsIn signs in, and checks the authorization request.
func (w webApp) signsIn(t *testing.T, tab *chromium.Tab) {
	t.Helper()
	tab.Visit(w.url + "/")
	tab.WaitForText(nobody)
	w.toPool(t, tab)
	w.checkRequest(t, tab)
	w.password(tab)
	w.wantClaims(t, tab)
	tab.Visit(w.url + "/") // the session is remembered
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

// checkRequest checks the authorization request, whose parameters are in the address of
// the pool's page.
func (w webApp) checkRequest(t *testing.T, tab *chromium.Tab) {
	t.Helper()
	u, err := url.Parse(tab.URL())
	if err != nil {
		t.Fatal(err)
	}
	checkParameters(t, u.Query(), w.pkce, w.nonce)
}

// wantClaims waits until the page shows who is signed in.
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

// refreshes requests new tokens.
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

// signsOut signs out. The next attempt must lead to the pool's form.
func (w webApp) signsOut(t *testing.T, tab *chromium.Tab) {
	t.Helper()
	click(tab, w.signOut)
	tab.WaitForText(nobody)
	tab.WaitForURL(w.url + "/")
	w.toPool(t, tab)
}

// refuses signs in while the pool answers with an ID token that no app may accept.
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
