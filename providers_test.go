package cognate_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// severalConfig is the configuration of one of several providers of an app.
func severalConfig(p *fakeprovider.Provider, name string, log *logBuffer) cognate.Config {
	return cognate.Config{
		Issuer: p.Issuer, ClientID: clientID, ClientSecret: clientSecret,
		RedirectURL: appOrigin + "/" + name + "/callback",
		Keys:        []cognate.Secret{cognate.Secret(strings.Repeat("k", 32))}, CookieName: name,
		DisplayName: strings.ToUpper(name) + " & Co",
		Logger:      slog.New(slog.NewTextHandler(log, nil)), Now: p.Now,
	}
}

// severalApp is an app with providers a and b.
type severalApp struct {
	*app
	several *cognate.Providers
	a, b    *fakeprovider.Provider
	auths   []*cognate.Auth
}

func newSeveral(t *testing.T, change func(name string, c *cognate.Config), rules ...cognate.Rule) *severalApp {
	t.Helper()
	x := &severalApp{app: &app{log: &logBuffer{}}, a: fakeprovider.New(t), b: fakeprovider.New(t)}
	x.b.EditClaims = func(m map[string]any) { m["sub"], m["email"] = "user-of-b", "ben@example.com" }
	for name, p := range map[string]*fakeprovider.Provider{"a": x.a, "b": x.b} {
		c := severalConfig(p, name, x.log)
		if change != nil {
			change(name, &c)
		}
		auth, err := cognate.New(c)
		if err != nil {
			t.Fatal(err)
		}
		x.auths = append(x.auths, auth)
		if name == "a" {
			x.auth = auth
		}
	}
	if x.auths[0] != x.auth { // the map's order is none
		x.auths[0], x.auths[1] = x.auths[1], x.auths[0]
	}
	var err error
	x.several, err = cognate.NewProviders(x.auths...)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	private := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := cognate.UserFrom(r.Context())
		if x.several.Auth(r.Context()) == nil {
			t.Error("no Auth behind RequireLogin")
		}
		_, _ = w.Write([]byte("private " + u.Email + " of " + u.Issuer))
	})
	mux.Handle("/private/", x.several.RequireLogin(private))
	mux.Handle("/ruled/", x.several.Require(rules...)(private))
	mux.HandleFunc("/out", func(w http.ResponseWriter, r *http.Request) { x.several.Logout(w, r) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if u := x.several.User(r); u != nil {
			_, _ = w.Write([]byte("hello " + u.Email))
		}
	})
	x.handler = x.several.Handler(mux)
	return x
}

// signInWith signs in with one of the providers.
func (x *severalApp) signInWith(b *browser, name string) *http.Response {
	b.t.Helper()
	p := map[string]*fakeprovider.Provider{"a": x.a, "b": x.b}[name]
	location := b.get("/" + name + "/login?return_to=/private/").Header.Get("Location")
	return b.get("/" + name + "/callback?" + p.SignIn(b.t, location).Encode())
}

func TestSeveralProviders(t *testing.T) {
	x := newSeveral(t, nil)
	for name, want := range map[string]string{
		"a": "ann@example.com of " + x.a.Issuer, "b": "ben@example.com of " + x.b.Issuer,
	} {
		b := x.browser(t)
		if resp := x.signInWith(b, name); resp.Header.Get("Location") != "/private/" {
			t.Fatalf("%s: status %d to %q; log:\n%s", name, resp.StatusCode, resp.Header.Get("Location"), x.log)
		}
		if got := body(t, b.get("/private/x")); got != "private "+want {
			t.Errorf("%s: the page says %q", name, got)
		}
		if got := body(t, b.get("/")); !strings.HasPrefix(want, strings.TrimPrefix(got, "hello ")) || got == "" {
			t.Errorf("%s: the public page says %q", name, got)
		}
	}
	both := x.browser(t)
	x.signInWith(both, "b")
	x.signInWith(both, "a")
	if got := body(t, both.get("/private/")); !strings.HasPrefix(got, "private ann@") {
		t.Errorf("signed in with both: the page says %q, want the first's user", got)
	}
}

// TestChoiceOfProviders asks a person who has to sign in.
func TestChoiceOfProviders(t *testing.T) {
	x := newSeveral(t, nil)
	b := x.browser(t)
	resp := b.get("/private/x?y=z", "Sec-Fetch-Mode", "navigate")
	page := body(t, resp)
	if resp.StatusCode != http.StatusUnauthorized || len(resp.Header["Www-Authenticate"]) != 2 ||
		resp.Header.Get("Cache-Control") != "no-store" || len(b.cookies()) != 0 {
		t.Errorf("status %d, headers %v", resp.StatusCode, resp.Header)
	}
	for _, want := range []string{
		`href="/a/login?return_to=%2Fprivate%2Fx%3Fy%3Dz">A &amp; Co</a>`,
		`href="/b/login?return_to=%2Fprivate%2Fx%3Fy%3Dz">B &amp; Co</a>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s:\n%s", want, page)
		}
	}
	form := body(t,
		b.request(http.MethodPost, "/private/save", "Sec-Fetch-Mode", "navigate", "Referer", appOrigin+"/private/edit"))
	if !strings.Contains(form, "return_to=%2Fprivate%2Fedit") {
		t.Errorf("a form's choice doesn't lead back to it:\n%s", form)
	}
	x.handler = x.several.RequireLogin(nil)
	if hostile := body(t, b.get("//evil.test/private/")); strings.Contains(hostile, "evil") {
		t.Errorf("the page leads away:\n%s", hostile)
	}
}

func TestChoiceOfProvidersForScripts(t *testing.T) {
	x := newSeveral(t, nil)
	resp := x.browser(t).get("/private/api", "Accept", "application/json", "Referer", appOrigin+"/private/page")
	var got struct {
		Error  string
		Logins []cognate.ProviderChoice
	}
	err := json.NewDecoder(resp.Body).Decode(&got)
	if err != nil {
		t.Fatal(err)
	}
	want := []cognate.ProviderChoice{
		{Name: "A & Co", URL: "/a/login?return_to=%2Fprivate%2Fpage"},
		{Name: "B & Co", URL: "/b/login?return_to=%2Fprivate%2Fpage"},
	}
	if resp.StatusCode != http.StatusUnauthorized || got.Error != "login_required" || len(got.Logins) != 2 ||
		got.Logins[0] != want[0] || got.Logins[1] != want[1] {
		t.Errorf("status %d, answer %+v", resp.StatusCode, got)
	}
}

func TestOwnChoiceOfProviders(t *testing.T) {
	x := newSeveral(t, nil)
	x.several.Choose = func(w http.ResponseWriter, _ *http.Request, choices []cognate.ProviderChoice) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(choices[1].Name + " " + choices[1].URL))
	}
	if got := body(t, x.browser(t).get("/private/")); got != "B & Co /b/login?return_to=%2Fprivate%2F" {
		t.Errorf("the page says %q", got)
	}
	if got := x.several.Choices("https://evil.test")[0].URL; got != "/a/login" {
		t.Errorf("a foreign page becomes %q", got)
	}
}

// TestMixUp sends what one provider answered to the other's callback: an attacker who runs
// one of the providers would get the other's code that way (RFC 9207, 1).
func TestMixUp(t *testing.T) {
	x := newSeveral(t, nil)
	b := x.browser(t)
	q := x.a.SignIn(t, b.get("/a/login").Header.Get("Location"))
	resp := b.get("/b/callback?" + q.Encode())
	if resp.StatusCode != http.StatusBadRequest || len(x.a.TokenRequests())+len(x.b.TokenRequests()) != 0 {
		t.Errorf("status %d, %d token requests", resp.StatusCode, len(x.a.TokenRequests())+len(x.b.TokenRequests()))
	}
	// The cookie under the other's name is of no use either: it is sealed for its own.
	var renamed []*http.Cookie
	for _, c := range b.jar.Cookies(appURL) {
		if rest, ok := strings.CutPrefix(c.Name, "__Host-a-tx-"); ok {
			renamed = append(renamed,
				&http.Cookie{Name: "__Host-b-tx-" + rest, Value: c.Value, Path: "/", Secure: true})
		}
	}
	b.jar.SetCookies(appURL, renamed)
	resp = b.get("/b/callback?" + q.Encode())
	if resp.StatusCode != http.StatusBadRequest || len(renamed) != 1 || len(x.b.TokenRequests()) != 0 {
		t.Errorf("status %d, %d cookies renamed, %d token requests", resp.StatusCode, len(renamed),
			len(x.b.TokenRequests()))
	}
	// The right provider's answer that names the wrong one.
	q.Set("iss", x.b.Issuer)
	if resp := b.get("/a/callback?" + q.Encode()); resp.StatusCode != http.StatusBadRequest ||
		len(x.a.TokenRequests()) != 0 {
		t.Errorf("iss of the other: status %d, %d token requests", resp.StatusCode, len(x.a.TokenRequests()))
	}
}

func TestRuleForSeveral(t *testing.T) {
	x := newSeveral(t, nil, cognate.RuleFunc(func(_ context.Context, u *cognate.User) error {
		if u.Email == "ann@example.com" {
			return nil
		}
		return errors.New("not Ann")
	}))
	for name, want := range map[string]int{"a": http.StatusOK, "b": http.StatusForbidden} {
		b := x.browser(t)
		if resp := b.get("/ruled/"); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("nobody: status %d", resp.StatusCode)
		}
		x.signInWith(b, name)
		resp := b.get("/ruled/")
		if page := body(t, resp); resp.StatusCode != want ||
			want == http.StatusForbidden && !strings.Contains(page, `action="/b/logout"`) {
			t.Errorf("%s: status %d:\n%s", name, resp.StatusCode, page)
		}
	}
	b := x.browser(t)
	x.signInWith(b, "b")
	x.handler = x.several.Handler(x.several.RequireLogin(x.several.Require(cognate.RuleFunc(func(context.Context,
		*cognate.User) error {
		return errors.New("nobody")
	}))(nil)))
	if resp := b.get("/"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a rule behind RequireLogin: status %d", resp.StatusCode)
	}
}

func TestLogoutOfSeveral(t *testing.T) {
	x := newSeveral(t, nil)
	for _, tt := range []struct {
		with []string
		to   *fakeprovider.Provider
	}{{[]string{"a"}, x.a}, {[]string{"b"}, x.b}, {[]string{"b", "a"}, x.a}, {nil, x.a}} {
		b := x.browser(t)
		for _, name := range tt.with {
			x.signInWith(b, name)
		}
		location := b.request(http.MethodPost, "/out").Header.Get("Location")
		if !strings.HasPrefix(location, tt.to.URL+"/end?") || len(b.cookies()) != 0 || body(t, b.get("/")) != "" {
			t.Errorf("%q: redirected to %s, cookies %q", tt.with, location, b.cookies())
		}
	}
}

// TestSeveralStoreDown has the store of one of them fail.
func TestSeveralStoreDown(t *testing.T) {
	store := &logoutStore{
		records: map[string]sessionstore.Record{}, fails: map[string]bool{}, now: fakeprovider.New(t).Now,
	}
	x := newSeveral(t, func(name string, c *cognate.Config) {
		if name == "a" {
			c.Session.Store = store
		}
	})
	a, b := x.browser(t), x.browser(t)
	x.signInWith(a, "a")
	x.signInWith(b, "b")
	store.fails["Load"] = true
	if resp := a.get("/private/"); resp.StatusCode != http.StatusServiceUnavailable || len(a.cookies()) == 0 {
		t.Errorf("status %d, cookies %q", resp.StatusCode, a.cookies())
	}
	if resp := b.get("/private/"); resp.StatusCode != http.StatusOK {
		t.Errorf("signed in with the other: status %d", resp.StatusCode)
	}
	store.fails["Load"] = false
	if resp := a.get("/private/"); resp.StatusCode != http.StatusOK {
		t.Errorf("afterwards: status %d", resp.StatusCode)
	}
}

// TestSeveralUselessCookie removes what is no session.
func TestSeveralUselessCookie(t *testing.T) {
	x := newSeveral(t, nil)
	b := x.browser(t)
	b.jar.SetCookies(appURL, []*http.Cookie{{Name: "__Host-b", Value: "x", Path: "/", Secure: true}})
	if b.get("/private/"); len(b.cookies()) != 0 {
		t.Errorf("cookies %q", b.cookies())
	}
}

func TestSeveralAroundHandler(t *testing.T) {
	x := newSeveral(t, nil)
	x.handler = x.several.RequireLogin(x.several.Handler(nil))
	if resp := x.browser(t).get("/b/callback"); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// TestOneOfSeveral is an app that has one provider for the time being.
func TestOneOfSeveral(t *testing.T) {
	x := newSeveral(t, nil)
	one, err := cognate.NewProviders(x.auths[0])
	if err != nil {
		t.Fatal(err)
	}
	x.handler = one.Handler(one.RequireLogin(nil))
	if resp := x.browser(t).get("/private/"); resp.StatusCode != http.StatusFound {
		t.Errorf("status %d, want a redirect to the provider", resp.StatusCode)
	}
	x.handler = one.Handler(nil)
	if resp := x.browser(t).get("/other"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestSeveralErrors(t *testing.T) {
	log := &logBuffer{}
	for _, tt := range []struct {
		name   string
		change func(*cognate.Config) // of b
		want   string
	}{
		{"same cookie", func(c *cognate.Config) { c.CookieName = "a" }, "CookieName"},
		{"cookie like a sign-in's", func(c *cognate.Config) { c.CookieName = "a-tx-1" }, "begins like"},
		{"same callback", func(c *cognate.Config) {
			c.RedirectURL, c.LoginPath, c.LogoutPath = appOrigin+"/a/callback", "/x", "/y"
		}, "path /a/callback"},
		{"same login", func(c *cognate.Config) { c.LoginPath = "/a/login" }, "path /a/login"},
		{"login where the other's callback is", func(c *cognate.Config) { c.LoginPath = "/a/callback" },
			"path /a/callback"},
		{"same logout", func(c *cognate.Config) { c.LogoutPath = "/a/logout" }, "path /a/logout"},
		{"same back channel", func(c *cognate.Config) {
			c.Session.Store, c.BackchannelLogoutPath = &logoutStore{}, "/a/backchannel"
		}, "path /a/backchannel"},
		{"same client", func(c *cognate.Config) { c.Issuer = "https://a.test" }, "Issuer and ClientID"},
		{"same name", func(c *cognate.Config) { c.DisplayName = "A & Co" }, "DisplayName"},
		{"other origin", func(c *cognate.Config) { c.RedirectURL = "https://other.test/b/callback" }, "one origin"},
		{"nothing", func(*cognate.Config) {}, ""},
		{"other client of the same provider",
			func(c *cognate.Config) { c.Issuer, c.ClientID = "https://a.test", "client-2" }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &fakeprovider.Provider{}
			first, second := severalConfig(p, "a", log), severalConfig(p, "b", log)
			first.Issuer, second.Issuer = "https://a.test", "https://b.test"
			first.Session.Store, first.BackchannelLogoutPath = &logoutStore{}, "/a/backchannel"
			tt.change(&second)
			a, errA := cognate.New(first)
			b, errB := cognate.New(second)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			for _, order := range [][]*cognate.Auth{{a, b}, {b, a}} {
				_, err := cognate.NewProviders(order...)
				if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want one that says %q", err, tt.want)
				}
			}
		})
	}
	_, err := cognate.NewProviders()
	if err == nil {
		t.Error("none at all is taken")
	}
	_, err = cognate.NewProviders(nil, nil)
	if err == nil {
		t.Error("nil is taken")
	}
}

func TestDefaultDisplayName(t *testing.T) {
	c := goodConfig()
	a, err := cognate.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := cognate.NewProviders(a)
	if err != nil || s.Choices("/")[0].Name != "provider.test" {
		t.Errorf("choices %v, error %v", s.Choices("/"), err)
	}
}
