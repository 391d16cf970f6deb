package cognate_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// loginApp is an app whose page /signin begins a sign-in with options.
func loginApp(t *testing.T, p *fakeprovider.Provider, change func(*cognate.Config),
	opts ...cognate.LoginOption) *browser {
	t.Helper()
	x := newApp(t, p, change)
	inner := x.handler
	x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/signin" {
			x.auth.Login(w, r, opts...)
			return
		}
		inner.ServeHTTP(w, r)
	})
	return x.browser(t)
}

func cognitoDialect(c *cognate.Config) { c.Dialect = cognate.CognitoDialect() }

func TestLoginOptions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*cognate.Config)
		option cognate.LoginOption
		want   string // the query's part that is added; empty: none
	}{
		{"prompt", nil, cognate.Prompt("login"), "prompt=login"},
		{"several prompts", nil, cognate.Prompt("login consent"), "prompt=login+consent"},
		{"silent", nil, cognate.Silent(), "prompt=none"},
		{"login hint", nil, cognate.LoginHint("ann+1@example.com"), "login_hint=ann%2B1%40example.com"},
		{"language", nil, cognate.Lang("de pt-BR"), "ui_locales=de+pt-BR"},
		{"language at Cognito", cognitoDialect, cognate.Lang("pt-BR"), "lang=pt-BR"},
		{"identity provider at Cognito", cognitoDialect, cognate.IdentityProvider("Google"),
			"identity_provider=Google"},
		{"identity provider elsewhere", func(c *cognate.Config) {
			c.Dialect = cognate.StandardDialect()
			c.Dialect.ProviderParam = "kc_idp_hint"
		}, cognate.IdentityProvider("google"), "kc_idp_hint=google"},
		{"max age", nil, cognate.MaxAge(90*time.Minute + time.Millisecond), "max_age=5400"},
		{"max age of nothing", nil, cognate.MaxAge(0), "max_age=0"},
		{"classes", nil, cognate.ACRValues("phrh", "phr"), "acr_values=phrh+phr"},
		{"hosted domain", nil, cognate.Param("hd", "example.com"), "hd=example.com"},
		{"param empty", nil, cognate.Param("flag", ""), "flag="},
		{"nothing", nil, cognate.LoginOption{}, ""},
		{"hint with a line break", nil, cognate.LoginHint("a\nb"), ""},
		{"hint too long", nil, cognate.LoginHint(strings.Repeat("a", 256)), ""},
		{"hint that is no text", nil, cognate.LoginHint("\xff"), ""},
		{"language that is none", nil, cognate.Lang("de&prompt=none"), ""},
		{"identity provider nobody knows of", nil, cognate.IdentityProvider("Google"), ""},
		{"identity provider too long", cognitoDialect, cognate.IdentityProvider(strings.Repeat("a", 256)), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			plain := mustURL(t, loginApp(t, p, tt.change).get("/signin").Header.Get("Location")).Query()
			b := loginApp(t, p, tt.change, tt.option)
			got := mustURL(t, b.get("/signin").Header.Get("Location")).Query()
			for name := range plain {
				if len(got[name]) != 1 || got.Get(name) == "" {
					t.Errorf("%s is %q", name, got[name])
				}
				delete(got, name)
			}
			if got.Encode() != tt.want {
				t.Errorf("the option adds %q, want %q", got.Encode(), tt.want)
			}
			everywhere := loginApp(t, p, func(c *cognate.Config) {
				if tt.change != nil {
					tt.change(c)
				}
				if tt.want != "" && tt.name != "silent" {
					c.LoginOptions = []cognate.LoginOption{tt.option}
				}
			}).get("/private/").Header.Get("Location")
			if tt.name != "silent" && !strings.Contains(everywhere, tt.want) {
				t.Errorf("as one of LoginOptions it leads to %s, without %s", everywhere, tt.want)
			}
		})
	}
}

func TestLaterLoginOptionWins(t *testing.T) {
	p := fakeprovider.New(t)
	b := loginApp(t, p, func(c *cognate.Config) {
		c.LoginOptions = []cognate.LoginOption{
			cognate.Prompt("consent"), cognate.Param("hd", "a.test"), cognate.Lang("de"),
		}
	}, cognate.Prompt("login"), cognate.Param("hd", "b.test"), cognate.ReturnTo("/private/x"))
	location := b.get("/signin").Header.Get("Location")
	q := mustURL(t, location).Query()
	if q.Get("prompt") != "login" || q.Get("hd") != "b.test" || q.Get("ui_locales") != "de" {
		t.Errorf("asked for %v", q)
	}
	if got := b.get("/oidc_callback?" + p.SignIn(t, location).Encode()).Header.Get("Location"); got != "/private/x" {
		t.Errorf("returned to %q", got)
	}
}

// mistaken are options that can't be used.
var mistaken = map[string]cognate.LoginOption{
	"no prompt":              cognate.Prompt(""),
	"prompt with a break":    cognate.Prompt("login\n"),
	"none with others":       cognate.Prompt("none login"),
	"negative age":           cognate.MaxAge(-time.Second),
	"age of centuries":       cognate.MaxAge(401 * 24 * time.Hour),
	"no class":               cognate.ACRValues(),
	"empty class":            cognate.ACRValues("a", ""),
	"two classes in one":     cognate.ACRValues("a b"),
	"classes too long":       cognate.ACRValues(strings.Repeat("a", 150), strings.Repeat("b", 150)),
	"state too long":         cognate.WithState(strings.Repeat("s", 513)),
	"params too long":        cognate.Param("x", strings.Repeat("x", 4<<10)),
	"param with a break":     cognate.Param("x", "a\r\nb"),
	"param without a name":   cognate.Param("", "x"),
	"param of PHP's":         cognate.Param("client.id", "x"),
	"param of PHP's, a list": cognate.Param("client_id[]", "x"),
}

// TestParamCantOverride tries to change what ties the answer to this client and browser, or
// to get around the checks of what comes back.
func TestParamCantOverride(t *testing.T) {
	options := maps.Clone(mistaken)
	for _, name := range []string{
		"client_id", "Client_ID", "redirect_uri", "response_type", "response_mode", "scope", "state", "STATE", "nonce",
		"code_challenge", "code_challenge_method", "request", "request_uri", "registration", "client_secret",
		"client_assertion", "client_assertion_type", "prompt", "max_age", "acr_values",
	} {
		options["param "+name] = cognate.Param(name, "SECRET")
	}
	for name, option := range options {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			b := loginApp(t, p, nil, option)
			resp := b.get("/signin")
			if resp.StatusCode != http.StatusInternalServerError || resp.Header.Get("Location") != "" ||
				len(b.cookies()) != 0 {
				t.Errorf("status %d, to %q, cookies %q", resp.StatusCode, resp.Header.Get("Location"), b.cookies())
			}
			if !strings.Contains(b.app.log.String(), "reason=login_option") ||
				strings.Contains(b.app.log.String(), "SECRET") {
				t.Errorf("log:\n%s", b.app.log)
			}
			c := goodConfig()
			c.LoginOptions = []cognate.LoginOption{option}
			_, err := cognate.New(c)
			if err == nil || !strings.Contains(err.Error(), "LoginOptions") {
				t.Errorf("New says %v", err)
			}
		})
	}
}

// TestHintsInTheConfiguration wants those right that nobody outside has a hand in.
func TestHintsInTheConfiguration(t *testing.T) {
	for name, option := range map[string]cognate.LoginOption{
		"silent": cognate.Silent(), "hint": cognate.LoginHint("\x00"), "language": cognate.Lang("??"),
		"identity provider": cognate.IdentityProvider("Google"),
	} {
		c := goodConfig()
		c.LoginOptions = []cognate.LoginOption{option}
		_, err := cognate.New(c)
		if err == nil || !strings.Contains(err.Error(), "LoginOptions") {
			t.Errorf("%s: New says %v", name, err)
		}
	}
}

func TestLeftOutHintIsReported(t *testing.T) {
	b := loginApp(t, fakeprovider.New(t), nil, cognate.LoginHint("ann\n"))
	b.get("/signin")
	if log := b.app.log.String(); !strings.Contains(log, "LoginHint") || strings.Contains(log, "ann") {
		t.Errorf("log:\n%s", log)
	}
}

// TestAskedForIsChecked has a provider that answers with less than it was asked for.
func TestAskedForIsChecked(t *testing.T) {
	c := fakeprovider.NewClock()
	set := func(name string, v any) func(map[string]any) {
		return func(claims map[string]any) { claims[name] = v }
	}
	at := func(ago time.Duration) func(map[string]any) { return set("auth_time", c.Now().Add(-ago).Unix()) }
	age, class := cognate.MaxAge(10*time.Minute), cognate.ACRValues("gold", "silver")
	for _, tt := range []struct {
		name   string
		option cognate.LoginOption
		claims func(map[string]any)
		reason string // empty: signed in
	}{
		{"age in time", age, at(9 * time.Minute), ""},
		{"age within the skew", age, at(11 * time.Minute), ""},
		{"age too old", age, at(11*time.Minute + time.Second), "token_auth_time"},
		{"age not said", age, func(m map[string]any) { delete(m, "auth_time") }, "token_auth_time"},
		{"age in a string", age, set("auth_time", "1767323045"), "token_auth_time"},
		{"age null", age, set("auth_time", nil), "token_auth_time"},
		{"age of nothing", cognate.MaxAge(0), at(0), ""},
		{"age of nothing, too old", cognate.MaxAge(0), at(61 * time.Second), "token_auth_time"},
		{"class", class, set("acr", "gold"), ""},
		{"second class", class, set("acr", "silver"), ""},
		{"other class", class, set("acr", "bronze"), "token_acr"},
		{"class not said", class, func(map[string]any) {}, "token_acr"},
		{"class in a list", class, set("acr", []string{"gold"}), "token_acr"},
		{"both classes at once", class, set("acr", "gold silver"), "token_acr"},
		{"nothing asked for", cognate.LoginOption{},
			func(m map[string]any) { delete(m, "auth_time"); m["acr"] = 7 }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.Now, p.EditClaims = c.Now, tt.claims
			b := loginApp(t, p, nil, tt.option)
			resp := b.get("/oidc_callback?" + p.SignIn(t, b.get("/signin").Header.Get("Location")).Encode())
			if b.signedIn() != (tt.reason == "") ||
				tt.reason != "" && !strings.Contains(b.app.log.String(), "reason="+tt.reason+" ") {
				t.Errorf("status %d, signed in: %v, want reason %q; log:\n%s", resp.StatusCode, b.signedIn(),
					tt.reason, b.app.log)
			}
		})
	}
}

// TestAgeIsNotTheConsentsTime lets a person take ten minutes after the password.
func TestAgeIsNotTheConsentsTime(t *testing.T) {
	c := fakeprovider.NewClock()
	p := fakeprovider.New(t)
	p.Now = c.Now
	signedIn := c.Now().Unix()
	p.EditClaims = func(m map[string]any) { m["auth_time"] = signedIn }
	b := loginApp(t, p, nil, cognate.MaxAge(0))
	q := p.SignIn(t, b.get("/signin").Header.Get("Location"))
	c.Advance(10 * time.Minute)
	b.get("/oidc_callback?" + q.Encode())
	if !b.signedIn() {
		t.Errorf("not signed in:\n%s", b.app.log)
	}
}

func TestWithState(t *testing.T) {
	state := strings.Repeat("\x00ä✓", 85) // 510 bytes
	long := "/private/" + strings.Repeat("x", 2030)
	for _, tt := range []struct{ name, returnTo, want string }{
		{"with a page", "/private/a?b=c", "/private/a?b=c"},
		{"with a page that doesn't fit", long, "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			var got cognate.LoginEvent
			b := loginApp(t, p, func(c *cognate.Config) {
				c.CookieName = strings.Repeat("n", 64)
				c.Hooks.OnLogin = func(_ context.Context, e cognate.LoginEvent) error { got = e; return nil }
			}, cognate.WithState(state), cognate.ReturnTo(tt.returnTo),
				cognate.ACRValues(strings.Repeat("a", 120), "b", strings.Repeat("c", 133)))
			p.EditClaims = func(m map[string]any) { m["acr"] = "b" }
			resp := b.get("/signin")
			for _, line := range resp.Header["Set-Cookie"] {
				if len(line) > 4096 {
					t.Errorf("a cookie has %d bytes; browsers drop it", len(line))
				}
			}
			resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
			if got.State != state || got.ReturnTo != tt.want || resp.Header.Get("Location") != tt.want {
				t.Errorf("state of %d bytes, returned to %q", len(got.State), resp.Header.Get("Location"))
			}
		})
	}
}

// TestLongestTransaction checks that the longest page fits where the app keeps no state.
func TestLongestTransaction(t *testing.T) {
	p := fakeprovider.New(t)
	long := "/private/" + strings.Repeat("x", 2048-9)
	b := loginApp(t, p, nil, cognate.ReturnTo(long), cognate.MaxAge(time.Hour),
		cognate.ACRValues(strings.Repeat("a", 255)))
	p.EditClaims = func(m map[string]any) { m["acr"] = strings.Repeat("a", 255) }
	resp := b.get("/oidc_callback?" + p.SignIn(t, b.get("/signin").Header.Get("Location")).Encode())
	if resp.Header.Get("Location") != long {
		t.Errorf("status %d, returned to %.60q; log:\n%s", resp.StatusCode, resp.Header.Get("Location"), b.app.log)
	}
}

// TestSilentLogin is the pattern of Silent's documentation: a public page that asks once.
func TestSilentLogin(t *testing.T) {
	newSilent := func(t *testing.T, p *fakeprovider.Provider) *browser {
		x := newApp(t, p, nil)
		inner := x.handler
		x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" && x.auth.User(r) == nil && !r.URL.Query().Has("asked") {
				x.auth.Login(w, r, cognate.Silent(), cognate.ReturnTo("/?asked"))
				return
			}
			inner.ServeHTTP(w, r)
		})
		return x.browser(t)
	}
	t.Run("known", func(t *testing.T) {
		p := fakeprovider.New(t)
		b := newSilent(t, p)
		resp := b.get("/oidc_callback?" + p.SignIn(t, b.get("/").Header.Get("Location")).Encode())
		if got := body(t, b.get(resp.Header.Get("Location"))); got != "public, hello ann@example.com" {
			t.Errorf("the page says %q", got)
		}
	})
	for _, code := range []string{
		"login_required", "interaction_required", "consent_required", "account_selection_required",
	} {
		t.Run(code, func(t *testing.T) {
			p := fakeprovider.New(t)
			b := newSilent(t, p)
			q := p.SignIn(t, b.get("/").Header.Get("Location"))
			q.Del("code")
			q.Set("error", code)
			resp := b.get("/oidc_callback?" + q.Encode())
			if resp.StatusCode != http.StatusFound ||
				resp.Header.Get("Location") != "/?asked=" && resp.Header.Get("Location") != "/?asked" {
				t.Fatalf("status %d to %q", resp.StatusCode, resp.Header.Get("Location"))
			}
			if got := body(t, b.get(resp.Header.Get("Location"))); got != "public" ||
				strings.Contains(b.app.log.String(), "refused") || len(b.cookies()) != 0 {
				t.Errorf("the page says %q, cookies %q, log:\n%s", got, b.cookies(), b.app.log)
			}
		})
	}
	t.Run("another error", func(t *testing.T) {
		p := fakeprovider.New(t)
		b := newSilent(t, p)
		q := p.SignIn(t, b.get("/").Header.Get("Location"))
		q.Set("error", "invalid_scope")
		if resp := b.get("/oidc_callback?" + q.Encode()); resp.StatusCode != http.StatusForbidden {
			t.Errorf("status %d, want 403", resp.StatusCode)
		}
	})
	t.Run("provider down", func(t *testing.T) {
		p := fakeprovider.New(t)
		p.Down = true
		b := newSilent(t, p)
		if resp := b.get("/"); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/?asked" ||
			len(b.cookies()) != 0 {
			t.Errorf("status %d to %q", resp.StatusCode, resp.Header.Get("Location"))
		}
	})
	t.Run("not silent", func(t *testing.T) {
		p := fakeprovider.New(t)
		b := newApp(t, p, nil).browser(t)
		q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
		q.Set("error", "login_required")
		if resp := b.get("/oidc_callback?" + q.Encode()); resp.StatusCode != http.StatusForbidden {
			t.Errorf("status %d, want an error page", resp.StatusCode)
		}
	})
}

// TestSilentHooks has hooks say what the provider could have said: nothing is shown, and the refresh
// token of the sign-in that comes to nothing is revoked.
func TestSilentHooks(t *testing.T) {
	for name, hooks := range map[string]cognate.Hooks{
		"start": {OnLoginStart: func(context.Context, cognate.LoginStart) error {
			return &cognate.Error{Reason: cognate.ReasonProviderDown}
		}},
		"login": {OnLogin: func(context.Context, cognate.LoginEvent) error {
			return &cognate.Error{Reason: cognate.ReasonProviderError, ProviderCode: "interaction_required"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			gone := revoked(p, nil)
			b := loginApp(t, p, func(c *cognate.Config) { c.Hooks = hooks }, cognate.Silent())
			resp := b.get("/signin")
			if name == "login" {
				resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
			}
			if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/" ||
				(name == "login") != slices.Equal(gone(), []string{"refresh-0"}) {
				t.Errorf("status %d to %q, revoked %q", resp.StatusCode, resp.Header.Get("Location"), gone())
			}
		})
	}
}

// TestSilentLoop has pages that would go round and round.
func TestSilentLoop(t *testing.T) {
	for name, opts := range map[string][]cognate.LoginOption{
		"to itself":            {cognate.Silent(), cognate.ReturnTo("/signin")},
		"to itself, by prompt": {cognate.Prompt("none"), cognate.ReturnTo("/signin")},
		"home by default":      {cognate.Silent()},
	} {
		b := loginApp(t, fakeprovider.New(t), func(c *cognate.Config) { c.HomePath = "/signin" }, opts...)
		if resp := b.get("/signin"); resp.StatusCode != http.StatusInternalServerError ||
			!strings.Contains(b.app.log.String(), "return to the page that begins it") {
			t.Errorf("%s: status %d, log:\n%s", name, resp.StatusCode, b.app.log)
		}
	}
	b := loginApp(t, fakeprovider.New(t), nil, cognate.Prompt("login"), cognate.ReturnTo("/signin"))
	if resp := b.get("/signin"); resp.StatusCode != http.StatusFound {
		t.Errorf("asking for the password: status %d", resp.StatusCode)
	}
}

func TestOnLoginStart(t *testing.T) {
	p := fakeprovider.New(t)
	veto := error(nil)
	var started []cognate.LoginStart
	var failed []*cognate.Error
	b := loginApp(t, p, func(c *cognate.Config) {
		c.Hooks.OnLoginStart = func(_ context.Context, e cognate.LoginStart) error {
			started = append(started, e)
			return veto
		}
		c.Hooks.OnLoginError = func(_ context.Context, e *cognate.Error) { failed = append(failed, e) }
	}, cognate.ReturnTo("/private/y"))
	b.get("/private/x?y=z")
	b.get("/signin")
	b.get("/login?return_to=/private/w")
	var pages []string
	for _, e := range started {
		pages = append(pages, e.ReturnTo+" from "+e.Request.URL.Path)
	}
	if got := strings.Join(pages,
		", "); got != "/private/x?y=z from /private/x, /private/y from /signin, /private/w from /login" {
		t.Errorf("called for %s", got)
	}
	cookies := len(b.cookies())
	veto = errors.New("SECRET not on Sundays")
	resp := b.get("/signin")
	if page := body(t, resp); resp.StatusCode != http.StatusForbidden || strings.Contains(page, "SECRET") ||
		len(b.cookies()) != cookies {
		t.Errorf("status %d, page:\n%s", resp.StatusCode, page)
	}
	veto = &cognate.Error{Reason: cognate.ReasonRuleFailed, Status: http.StatusServiceUnavailable}
	if resp := b.get("/private/"); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d, want that of the hook's error", resp.StatusCode)
	}
	if len(failed) != 2 || failed[0].Reason != cognate.ReasonVetoed || failed[1].Reason != cognate.ReasonRuleFailed {
		t.Errorf("OnLoginError got %v", failed)
	}
}

// TestHooksOfARefusedSignIn counts who is told that the provider said no.
func TestHooksOfARefusedSignIn(t *testing.T) {
	p := fakeprovider.New(t)
	var calls []string
	b := loginApp(t, p, func(c *cognate.Config) {
		c.Hooks.OnCallback = func(context.Context, *http.Request) { calls = append(calls, "callback") }
		c.Hooks.OnLogin = func(context.Context, cognate.LoginEvent) error { calls = append(calls, "login"); return nil }
		c.Hooks.OnLoginError = func(_ context.Context, e *cognate.Error) {
			calls = append(calls, string(e.Reason)+" "+e.ProviderCode)
		}
	}, cognate.Silent())
	q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
	q.Set("error", "access_denied")
	b.get("/oidc_callback?" + q.Encode())
	if got := strings.Join(calls, ", "); got != "callback, provider_error access_denied" {
		t.Errorf("called: %s", got)
	}
	calls = nil
	q = p.SignIn(t, b.get("/signin").Header.Get("Location"))
	q.Set("error", "login_required")
	b.get("/oidc_callback?" + q.Encode())
	if got := strings.Join(calls, ", "); got != "callback" {
		t.Errorf("a silent sign-in in vain called: %s", got)
	}
}

// TestDialectCantOverride has a dialect whose parameters are those of the sign-in itself.
func TestDialectCantOverride(t *testing.T) {
	p := fakeprovider.New(t)
	b := loginApp(t, p, func(c *cognate.Config) {
		c.Dialect = cognate.StandardDialect()
		c.Dialect.LangParam, c.Dialect.ProviderParam = "state", "redirect_uri"
	}, cognate.Lang("de"), cognate.IdentityProvider("https://evil.test"))
	q := mustURL(t, b.get("/signin").Header.Get("Location")).Query()
	if len(q["state"]) != 1 || len(q.Get("state")) < 22 || len(q["redirect_uri"]) != 1 ||
		q.Get("redirect_uri") != appOrigin+"/oidc_callback" {
		t.Errorf("asked for %v", q)
	}
}
