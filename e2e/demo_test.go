package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
)

func TestMain(m *testing.M) { os.Exit(demo.Main(m)) }

const (
	publicText  = "Everyone may read this page."
	privateText = "This page is for you, ann@example.com."
	wrongText   = "Incorrect username or password."
)

// start starts the demo and a browser, and returns the first visitor's tab.
func start(t *testing.T) (*demo.Demo, *browser.Tab) {
	t.Helper()
	d := demo.Start(t)
	if len(d.Users) != 2 {
		t.Fatalf("the demo announces %d users, want 2:\n%s", len(d.Users), d.Output())
	}
	return d, browser.Start(t).NewVisitor(t)
}

// signIn fills in the pool's sign-in page and sends it.
func signIn(tab *browser.Tab, u demo.User) {
	tab.WaitForText("Password")
	tab.Fill("Email", u.Username)
	tab.Fill("Password", u.Password)
	tab.Click("Sign in")
}

func TestSignInAndOut(t *testing.T) {
	d, tab := start(t)
	ann := d.Users[0]

	tab.Visit(d.AppURL)
	tab.WaitForText(publicText)
	if cookies := tab.Cookies(); len(cookies) != 0 {
		t.Errorf("the public page set cookies: %v", cookies)
	}

	tab.Click("Private page")
	tab.WaitForURL(d.PoolURL + "/login*")
	signIn(tab, ann)
	tab.WaitForURL(d.AppURL + "/hello")
	tab.WaitForText(privateText)
	checkSessionCookie(t, tab)

	tab.Reload()
	tab.WaitForText(privateText)

	tab.Click("Log out")
	tab.WaitForURL(d.AppURL + "/")
	tab.WaitForText(publicText)

	tab.Visit(d.AppURL + "/hello")
	tab.WaitForURL(d.PoolURL + "/login*")
	tab.WaitForText("Password") // the pool's session has ended too
	signIn(tab, ann)
	tab.WaitForText(privateText)
	if errs := tab.ConsoleErrors(); len(errs) != 0 {
		t.Errorf("the browser complains: %q", errs)
	}
}

// checkSessionCookie checks the app's cookie in the browser.
func checkSessionCookie(t *testing.T, tab *browser.Tab) {
	t.Helper()
	for _, c := range tab.Cookies() {
		if c.Name == "__Host-cognate" {
			if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
				t.Errorf("session cookie: %+v", c)
			}
			return
		}
	}
	t.Errorf("no session cookie among %v", tab.Cookies())
}

func TestWrongPassword(t *testing.T) {
	d, tab := start(t)
	tab.Visit(d.AppURL + "/hello")
	for _, u := range []demo.User{
		{Username: d.Users[0].Username, Password: "Wrong-Horse-7"},
		{Username: "nobody@example.com", Password: "Wrong-Horse-7"},
	} {
		signIn(tab, u)
		tab.WaitForText(wrongText)
	}
	signIn(tab, d.Users[0])
	tab.WaitForText(privateText)
}

// TestUnverifiedEmail signs in a user whose address is not verified. The app refuses
// the user, and offers to change to another account.
func TestUnverifiedEmail(t *testing.T) {
	d, tab := start(t)
	tab.Visit(d.AppURL + "/hello")
	signIn(tab, d.Users[1])
	tab.WaitForURL(d.AppURL + "/oidc_callback*")
	tab.WaitForText("Your email address isn’t verified")
	other := tab.NewTab()
	other.Visit(d.AppURL + "/hello")
	if strings.Contains(other.PageText(), "This page is for you") {
		t.Error("the app signed them in")
	}
	tab.Click("Use another account")
	tab.WaitForURL(d.AppURL + "/")
	tab.Visit(d.AppURL + "/hello")
	signIn(tab, d.Users[0])
	tab.WaitForText(privateText)
}

// TestTwoTabs starts two sign-ins before it ends the first.
func TestTwoTabs(t *testing.T) {
	d, first := start(t)
	first.Visit(d.AppURL + "/hello?tab=1")
	second := first.NewTab()
	second.Visit(d.AppURL + "/hello?tab=2")
	second.WaitForText("Password")

	signIn(first, d.Users[0])
	first.WaitForURL(d.AppURL + "/hello?tab=1")
	first.WaitForText(privateText)

	signIn(second, d.Users[0]) // the page is still open
	second.WaitForURL(d.AppURL + "/hello?tab=2")
	second.WaitForText(privateText)
}

// TestOtherName opens the app under another name of this machine, which does not share
// its cookies with the callback's.
func TestOtherName(t *testing.T) {
	d, tab := start(t)
	tab.Visit(strings.Replace(d.AppURL, "127.0.0.1", "localhost", 1) + "/hello?from=elsewhere")
	signIn(tab, d.Users[0])
	tab.WaitForURL(d.AppURL + "/hello?from=elsewhere")
	tab.WaitForText(privateText)
}

// TestKeyboardOnly signs in without a mouse and without JavaScript.
func TestKeyboardOnly(t *testing.T) {
	d, tab := start(t)
	tab.DisableJavaScript()
	tab.Visit(d.AppURL + "/hello")
	tab.WaitForText("Password")
	for range 20 {
		if strings.Contains(tab.Focused(), "Email") {
			break
		}
		tab.Press("Tab")
	}
	tab.Press(d.Users[0].Username, "Tab", d.Users[0].Password, "Enter")
	tab.WaitForText(privateText)
}

// lookAt checks a page in light and dark, on a wide window and on a phone. If
// SCREENSHOTS is set to a folder, it stores pictures there.
func lookAt(t *testing.T, tab *browser.Tab, page string) {
	t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		folder = t.TempDir()
	}
	for _, scheme := range []string{"light", "dark"} {
		tab.ColorScheme(scheme)
		tab.Window(1100, 720)
		tab.Screenshot(filepath.Join(folder, page+"-"+scheme+".png"))
		tab.Phone()
		if tab.ScrollsSideways() {
			t.Errorf("%s scrolls sideways on a phone", page)
		}
		tab.Screenshot(filepath.Join(folder, page+"-"+scheme+"-phone.png"))
	}
	tab.Window(1100, 720)
}

// TestPages checks every page.
func TestPages(t *testing.T) {
	d, tab := start(t)
	look := func(page string) {
		t.Helper()
		lookAt(t, tab, page)
	}
	tab.Visit(d.AppURL)
	tab.WaitForText(publicText)
	look("public")
	tab.Visit(d.AppURL + "/hello")
	tab.WaitForText("Password")
	look("sign-in")
	signIn(tab, demo.User{Username: "ann@example.com", Password: "Wrong-Horse-7"})
	tab.WaitForText(wrongText)
	look("wrong-password")
	signIn(tab, d.Users[0])
	tab.WaitForText(privateText)
	look("private")
	tab.Visit(d.PoolURL + "/oauth2/authorize?client_id=nobody&redirect_uri=https://evil.example/&response_type=code")
	look("pool-error")
	tab.Visit(d.PoolURL)
	tab.WaitForText("Local user pool")
	look("pool")

	other := browser.Start(t).NewVisitor(t)
	tab = other
	tab.Visit(d.AppURL + "/oidc_callback?code=x&state=y")
	tab.WaitForText("This sign-in can’t be finished")
	look("callback-refused")
	tab.Visit(d.AppURL + "/hello")
	signIn(tab, d.Users[1])
	tab.WaitForText("isn’t verified")
	look("not-verified")
}
