package browser_test

import (
	"bytes"
	"fmt"
	"html/template"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/e2e/browser"
)

// page has the parts of a sign-in: a form with labels, an error text, links, a cookie.
var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><title>{{.Title}}</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark } body { background: white; color: black }
@media (prefers-color-scheme: dark) { body { background: black; color: white } }
.hidden { display: none } .wide { width: 2000px } .low { margin-top: 3000px }
</style></head>
<body><h1>{{.Title}}</h1>{{.Body}}</body></html>`))

const signInForm = `
<form method="post">
<p class="error">%s</p><p class="hidden">nobody sees this</p>
<label for="u">E-mail</label> <input id="u" name="user" type="email" value="old@example.com">
<label for="p">Password</label> <input id="p" name="password" type="password">
<label><input type="checkbox" name="keep"> Keep me signed in</label>
<button>Sign in</button>
</form>
<input name="nolabel">`

// newSite serves a small site over TLS with a certificate that no authority has signed.
func newSite(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		show(w, "Home", `<p>Welcome, <b>stranger</b>.</p><a href="/private">Private page</a>`)
	})
	mux.HandleFunc("GET /private", func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("__Host-user")
		if err != nil {
			http.Redirect(w, r, "/login?next=%2Fprivate", http.StatusFound)
			return
		}
		show(w, "Private", `<p>Signed in as `+template.HTMLEscapeString(cookie.Value)+`</p><a href="/">Home</a>`)
	})
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		show(w, "Sign-in", fmt.Sprintf(signInForm, ""))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("password") != "correct horse" {
			show(w, "Sign-in", fmt.Sprintf(signInForm, "Wrong password."))
			return
		}
		http.SetCookie(w, &http.Cookie{
			Name: "__Host-user", Value: r.PostFormValue("user") + "/" + r.PostFormValue("keep"), Path: "/",
			MaxAge: 3600, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
		http.Redirect(w, r, "/private", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "script-src 'none'")
		show(w, "Broken", `<script>document.title = "Changed"</script><img src="/missing.png">`)
	})
	mux.HandleFunc("GET /script", func(w http.ResponseWriter, r *http.Request) {
		show(w, "Script", `<p>before</p><script>document.querySelector("p").textContent = "after"</script>`)
	})
	mux.HandleFunc("GET /wide", func(w http.ResponseWriter, r *http.Request) {
		show(w, "Wide", `<div class="wide">wide</div><a class="low" href="/">Far below</a>`)
	})
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func show(w http.ResponseWriter, title, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	err := page.Execute(w, map[string]any{"Title": title, "Body": template.HTML(body)})
	if err != nil {
		panic(err)
	}
}

func TestSignInByMouse(t *testing.T) {
	site := newSite(t)
	tab := browser.Start(t).NewVisitor(t)

	tab.Visit(site + "/")
	if got, want := tab.Text("h1"), "Home"; got != want {
		t.Errorf("heading = %q, want %q", got, want)
	}
	if got, want := tab.Title(), "Home"; got != want {
		t.Errorf("title = %q, want %q", got, want)
	}
	if got := tab.PageText(); !strings.Contains(got, "Welcome, stranger.") {
		t.Errorf("page text = %q", got)
	}
	tab.Click("Private page")
	tab.WaitForURL(site + "/login?next=%2Fprivate")
	if got := tab.PageText(); strings.Contains(got, "nobody sees this") {
		t.Errorf("hidden text is part of the page: %q", got)
	}

	tab.Fill("E-mail", "ann@example.com")
	tab.Fill("Password", "wrong")
	tab.Click("Sign in")
	tab.WaitForText("Wrong password.")

	tab.Fill("E-mail", "ann@example.com")
	tab.Fill("Password", "correct horse")
	tab.Click("Keep me signed in")
	tab.Click("Sign in")
	tab.WaitForURL(site + "/priv*")
	tab.WaitForText("Signed in as ann@example.com/on")

	tab.Click("Home")
	tab.WaitForText("Welcome")
	tab.Back()
	tab.WaitForURL(site + "/private")
	if errors := tab.ConsoleErrors(); len(errors) > 0 {
		t.Errorf("console errors: %q", errors)
	}
}

func TestSignInByKeyboard(t *testing.T) {
	site := newSite(t)
	tab := browser.Start(t).NewVisitor(t)

	tab.Visit(site + "/login")
	if got := tab.Focused(); got != "" {
		t.Errorf("focused at first: %s", got)
	}
	for _, want := range []string{`textbox "E-mail"`, `textbox "Password"`, `checkbox "Keep me signed in"`} {
		tab.Press("Tab")
		if got := tab.Focused(); got != want {
			t.Errorf("focused = %s, want %s", got, want)
		}
	}
	tab.Press("Space", "Shift+Tab", "correct horse", "Enter")
	tab.WaitForText("Signed in as old@example.com/on")
}

func TestVisitorsAndTabs(t *testing.T) {
	site := newSite(t)
	b := browser.Start(t)
	ann, bob := b.NewVisitor(t), b.NewVisitor(t)

	ann.Visit(site + "/login")
	ann.Fill("Password", "correct horse")
	ann.Click("Sign in")
	ann.WaitForText("Signed in as old@example.com/")

	second := ann.NewTab()
	second.Visit(site + "/private")
	second.WaitForText("Signed in as old@example.com/")

	bob.Visit(site + "/private")
	bob.WaitForURL(site + "/login*")
	if got := len(bob.Cookies()); got != 0 {
		t.Errorf("bob has %d cookies, want none", got)
	}

	cookies := second.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("ann has the cookies %v, want one", cookies)
	}
	c := cookies[0]
	if c.Name != "__Host-user" || c.Domain != "127.0.0.1" || c.Path != "/" || !c.Secure || !c.HttpOnly ||
		c.SameSite != http.SameSiteLaxMode || c.Expires.IsZero() {
		t.Errorf("cookie = %v, not as it was set", c)
	}
}

func TestConsoleErrors(t *testing.T) {
	site := newSite(t)
	tab := browser.Start(t).NewVisitor(t)

	tab.Visit(site + "/broken")
	if got, want := tab.Title(), "Broken"; got != want {
		t.Errorf("title = %q, want %q", got, want)
	}
	errors := strings.Join(tab.ConsoleErrors(), "\n")
	for _, want := range []string{"Content Security Policy", "404", "/missing.png"} {
		if !strings.Contains(errors, want) {
			t.Errorf("the console errors do not mention %q:\n%s", want, errors)
		}
	}
}

func TestDisableJavaScript(t *testing.T) {
	site := newSite(t)
	tab := browser.Start(t).NewVisitor(t)

	tab.Visit(site + "/script")
	tab.WaitForText("after")
	tab.DisableJavaScript()
	tab.Visit(site + "/script")
	tab.WaitForText("before")

	tab.Visit(site + "/login")
	tab.Fill("Password", "correct horse")
	tab.Click("Sign in")
	tab.WaitForText("Signed in as")
}

func TestScreens(t *testing.T) {
	site := newSite(t)
	tab := browser.Start(t).NewVisitor(t)
	tab.Visit(site + "/")

	light, dark := shoot(t, tab, "light"), shoot(t, tab, "dark")
	if bytes.Equal(light, dark) {
		t.Error("light and dark look the same")
	}

	tab.Phone()
	tab.Reload()
	if tab.ScrollsSideways() {
		t.Error("the narrow page scrolls sideways")
	}
	picture, err := png.DecodeConfig(bytes.NewReader(shoot(t, tab, "light")))
	if err != nil {
		t.Fatal(err)
	}
	if picture.Width != 750 || picture.Height != 1624 {
		t.Errorf("a phone's screenshot is %d × %d, want 750 × 1624", picture.Width, picture.Height)
	}

	tab.Window(800, 600)
	tab.Visit(site + "/wide")
	if !tab.ScrollsSideways() {
		t.Error("the wide page does not scroll sideways")
	}
	tab.Click("Far below")
	tab.WaitForText("Welcome")
}

// shoot returns a screenshot in the colour scheme.
func shoot(t *testing.T, tab *browser.Tab, scheme string) []byte {
	t.Helper()
	tab.ColorScheme(scheme)
	path := filepath.Join(t.TempDir(), "pictures", "page.png")
	tab.Screenshot(path)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestFind(t *testing.T) {
	folder := t.TempDir()
	program := filepath.Join(folder, "chromium")
	err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, chromium, path string
		want, says           string
	}{
		{name: "on the path", path: folder, want: program},
		{name: "named", chromium: program, want: program},
		{name: "named and not there", chromium: "/nowhere/chromium", path: folder, says: "CHROMIUM"},
		{name: "none", path: t.TempDir(), says: "apt-get install chromium"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("CHROMIUM", tt.chromium)
			t.Setenv("PATH", tt.path)
			got, err := browser.Find()
			if tt.says != "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("error = %v, want it to mention %q", err, tt.says)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}
