package cognate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// TestCookieOfAnotherClient takes a session of one app client to another one's app that has
// the same provider and the same keys.
func TestCookieOfAnotherClient(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	other := newApp(t, p, func(c *cognate.Config) { c.ClientID = "client-2" }).browser(t)
	other.jar.SetCookies(appURL, b.jar.Cookies(appURL))
	if !b.signedIn() || other.signedIn() {
		t.Errorf("signed in at its own app: %v, at the other's: %v; want true and false",
			b.signedIn(), other.signedIn())
	}
}

// TestPageHeaders keeps other sites from showing the library's pages inside of their own,
// where a visitor could be made to click on them.
func TestPageHeaders(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	for _, path := range []string{"/logout", "/oidc_callback"} { // the question, and an error
		resp := x.browser(t).get(path)
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "frame-ancestors 'none'") || resp.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: Content-Security-Policy %q, X-Frame-Options %q", path, csp,
				resp.Header.Get("X-Frame-Options"))
		}
		if page := body(t, resp); resp.StatusCode == http.StatusFound || !strings.Contains(page, "<h1>") ||
			strings.Contains(page, "<script") {
			t.Errorf("%s: status %d and\n%s", path, resp.StatusCode, page)
		}
	}
}

// TestRuleTextIsNotShown refuses somebody for a reason that is not theirs to know.
func TestRuleTextIsNotShown(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	rule := cognate.RuleFunc(func(context.Context, *cognate.User) error {
		return errors.New("on the list of the fraud team")
	})
	x.handler = x.auth.Handler(x.auth.Require(rule)(http.NotFoundHandler()))
	b := x.browser(t)
	b.signIn(p)
	for _, mode := range []string{"navigate", "cors"} {
		resp := b.get("/private/", "Sec-Fetch-Mode", mode)
		if text := body(t, resp); resp.StatusCode != http.StatusForbidden || strings.Contains(text, "fraud") {
			t.Errorf("%s: status %d and %s", mode, resp.StatusCode, text)
		}
	}
	if !strings.Contains(x.log.String(), "fraud team") {
		t.Errorf("the log does not say why:\n%s", x.log)
	}
}

// TestLogHoldsNoSecret goes through good and bad requests and looks for everything secret in
// the log, at its most talkative.
func TestLogHoldsNoSecret(t *testing.T) {
	p, c := fakeprovider.New(t), fakeprovider.NewClock()
	p.Now, p.Rotate = c.Now, true
	log := &logBuffer{}
	x := newApp(t, p, func(cfg *cognate.Config) {
		tokenModes["store"](cfg)
		cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	b := x.browser(t)
	q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
	secrets := []string{clientSecret, q.Get("code"), q.Get("state"), b.jar.Cookies(appURL)[0].Value}
	b.get("/oidc_callback?" + q.Encode())
	secrets = append(secrets, sessionCookie(t, b).Value, p.TokenRequests()[0].PostForm.Get("code_verifier"))
	x.browser(t).get("/oidc_callback?" + q.Encode()) // another browser's
	c.Advance(time.Hour)
	b.get("/token")
	c.Advance(time.Hour)
	p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) {
		fakeprovider.ServeJSON(w, http.StatusBadRequest,
			map[string]any{"error": "invalid_grant", "access_token": "access-9"})
	}
	b.get("/token")
	p.ServeRefresh = nil
	b.signIn(p)
	_, err := x.auth.VerifyAccessToken(t.Context(), signedByStranger(p.UserClaims("")))
	if err == nil {
		t.Error("a stranger's token is accepted")
	}
	b.request(http.MethodPost, "/logout")
	secrets = append(secrets, "access-", "refresh-0", "refresh-1", "eyJ") // tokens, and how every JWT begins

	text := log.String()
	if !strings.Contains(text, "signed in") || !strings.Contains(text, "reason=state") ||
		!strings.Contains(text, "signed out") {
		t.Errorf("the log does not tell what happened:\n%s", text)
	}
	for _, s := range secrets {
		if s == "" || strings.Contains(text, s) {
			t.Errorf("the log has %q:\n%s", s, text)
		}
	}
}

// The tests of this file have a provider repeat what it was sent, in every place that gets
// into a log, an error or a page. It has to be told what comes back, not what went there.

// echoes are ways to repeat a secret.
var echoes = map[string]func(string) string{
	"whole":      func(s string) string { return s },
	"cut":        func(s string) string { return s[:min(len(s), 24)] },
	"the rest":   func(s string) string { return s[len(s)/4:] },
	"in capital": strings.ToUpper,
	"in between": func(s string) string { return "x." + s[:min(len(s), 50)] + ".y" },
}

// watched is an app whose refusals are written down, as hooks and pages get them.
func watched(t *testing.T, p *fakeprovider.Provider, change func(*cognate.Config)) (*app, *strings.Builder) {
	t.Helper()
	told := &strings.Builder{}
	x := newApp(t, p, func(c *cognate.Config) {
		tokenModes["store"](c)
		c.Hooks.OnLoginError = nil
		c.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, e *cognate.Error) {
			fmt.Fprintf(told, "%v %s %+v\n", e, e.ProviderCode, e.Err)
			w.WriteHeader(e.Status)
		}
		if change != nil {
			change(c)
		}
	})
	return x, told
}

// wantNoneOf fails if a text holds a secret, or a good part of one.
func wantNoneOf(t *testing.T, text string, secrets ...string) {
	t.Helper()
	text = strings.ToLower(text)
	for _, s := range secrets {
		s = strings.ToLower(s)
		if len(s) < 6 {
			t.Fatalf("%q is no secret", s)
		}
		piece := min(len(s), 20)
		for i := 0; i+piece <= len(s); i++ {
			if strings.Contains(text, s[i:i+piece]) {
				t.Errorf("%q is in:\n%s", s[i:i+piece], text)
				break
			}
		}
	}
}

func TestTokenEndpointRepeatsSecrets(t *testing.T) {
	for _, param := range []string{"code", "code_verifier", "client_secret"} {
		for name, echo := range echoes {
			t.Run(param+" "+name, func(t *testing.T) {
				p := fakeprovider.New(t)
				x, told := watched(t, p, func(c *cognate.Config) {
					c.ClientAuth, c.ClientSecret = cognate.ClientSecretPost, "a-client-secret-of-some-length"
				})
				secret := ""
				p.ServeToken = func(w http.ResponseWriter, r *http.Request) {
					secret = r.PostForm.Get(param)
					fakeprovider.ServeJSON(w, http.StatusBadRequest,
						map[string]any{"error": echo(secret), "error_description": secret, "error_uri": secret})
				}
				resp := x.browser(t).signIn(p)
				if resp.StatusCode == http.StatusFound || told.Len() == 0 {
					t.Fatalf("status %d", resp.StatusCode)
				}
				wantNoneOf(t, x.log.String()+told.String(), secret)
			})
		}
	}
}

// TestBasicSecretIsRepeated: the secret that went into a header is one, too.
func TestBasicSecretIsRepeated(t *testing.T) {
	p := fakeprovider.New(t)
	const secret = "Secret0of0some0length"
	x, told := watched(t, p, func(c *cognate.Config) { c.ClientSecret = secret })
	p.ServeToken = func(w http.ResponseWriter, _ *http.Request) {
		fakeprovider.ServeJSON(w, http.StatusUnauthorized, map[string]any{"error": secret})
	}
	x.browser(t).signIn(p)
	wantNoneOf(t, x.log.String()+told.String(), secret)

	// The header says the same in other letters.
	p = fakeprovider.New(t)
	x, told = watched(t, p, func(c *cognate.Config) { c.ClientSecret = secret })
	sent := ""
	p.ServeToken = func(w http.ResponseWriter, r *http.Request) {
		sent = strings.TrimRight(strings.TrimPrefix(r.Header.Get("Authorization"), "Basic "), "=")
		fakeprovider.ServeJSON(w, http.StatusUnauthorized, map[string]any{"error": sent[len(sent)-28:]})
	}
	x.browser(t).signIn(p)
	wantNoneOf(t, x.log.String()+told.String(), sent)
}

// TestSecretAsAFormHasIt: what a form makes of a secret is the secret, too.
func TestSecretAsAFormHasIt(t *testing.T) {
	p := fakeprovider.New(t)
	const secret = "+a+b/c+d/e+f/g+h/i+"
	x, told := watched(t, p,
		func(c *cognate.Config) { c.ClientAuth, c.ClientSecret = cognate.ClientSecretPost, secret })
	p.EditClaims = func(c map[string]any) { c["iss"] = "https://op.test/" + url.QueryEscape(secret) }
	x.browser(t).signIn(p)
	if told.Len() == 0 {
		t.Fatal("nothing was refused")
	}
	wantNoneOf(t, x.log.String()+told.String(), url.QueryEscape(secret))
}

// TestKnownCodesStay: what an error code is for is not lost.
func TestKnownCodesStay(t *testing.T) {
	for code, want := range map[string]string{
		"invalid_grant": "invalid_grant", "unauthorized_client": "unauthorized_client", "of_their_own": "of_their_own",
		"with space": "", "\"quoted\"": "", strings.Repeat("x", 65): "", "line\nend": "", "tab\t": "", "umlaut-ä": "",
	} {
		p := fakeprovider.New(t)
		var got *cognate.Error
		x, _ := watched(t, p, func(c *cognate.Config) {
			c.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, e *cognate.Error) {
				got = e
				w.WriteHeader(e.Status)
			}
		})
		p.ServeToken = func(w http.ResponseWriter, _ *http.Request) {
			fakeprovider.ServeJSON(w, 400, map[string]any{"error": code})
		}
		x.browser(t).signIn(p)
		if got == nil || got.ProviderCode != want {
			t.Errorf("%q: %v, want the code %q", code, got, want)
		}
	}
}

func TestRefreshRepeatsSecrets(t *testing.T) {
	for name, echo := range echoes {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			c := fakeprovider.NewClock()
			p.Now = c.Now
			const refresh = "a-refresh-token-0123456789"
			p.EditTokenResponse = func(r map[string]any) { r["refresh_token"] = refresh }
			p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) {
				fakeprovider.ServeJSON(w, http.StatusBadRequest, map[string]any{"error": echo(refresh)})
			}
			x, told := watched(t, p, func(cfg *cognate.Config) { cfg.RevokeOnLogout = true })
			p.EditDiscovery = func(d map[string]any) { d["revocation_endpoint"] = p.URL + "/token" }
			b := x.browser(t)
			b.signIn(p)
			c.Advance(time.Hour)
			b.get("/token")
			p.ServeToken = func(w http.ResponseWriter, r *http.Request) {
				fakeprovider.ServeJSON(w, http.StatusBadRequest, map[string]any{"error": echo(r.PostForm.Get("token"))})
			}
			b.request(http.MethodPost, "/logout")
			log := x.log.String()
			if !strings.Contains(log, "could not be refreshed") || !strings.Contains(log, "was not revoked") {
				t.Fatalf("nothing to look at:\n%s", log)
			}
			wantNoneOf(t, log+told.String(), refresh)
		})
	}
}

// TestClaimsRepeatSecrets has the ID token name what went and came with it.
func TestClaimsRepeatSecrets(t *testing.T) {
	for _, claim := range []string{"iss", "azp", "aud", "token_use"} {
		for name, echo := range echoes {
			t.Run(claim+" "+name, func(t *testing.T) {
				p := fakeprovider.New(t)
				x, told := watched(t, p, func(c *cognate.Config) { c.Dialect = cognate.CognitoDialect() })
				const access, refresh = "an-access-token-0123456789", "a-refresh-token-9876543210"
				p.EditTokenResponse = func(r map[string]any) { r["access_token"], r["refresh_token"] = access, refresh }
				var secrets []string
				p.EditClaims = func(c map[string]any) {
					form := p.TokenRequests()[len(p.TokenRequests())-1].PostForm
					secrets = []string{access, refresh, form.Get("code"), form.Get("code_verifier")}
					delete(c, "at_hash")
					c["token_use"] = "id"
					c[claim] = echo(secrets[len(name)%len(secrets)])
					if claim == "aud" {
						c["aud"], c["azp"] = []string{clientID, echo(refresh)}, clientID
					}
				}
				x.browser(t).signIn(p)
				if told.Len() == 0 {
					t.Fatal("nothing was refused")
				}
				wantNoneOf(t, x.log.String()+told.String(), secrets...)
			})
		}
	}
}

// TestKeyIDRepeatsTheCode has the ID token's header name the code.
func TestKeyIDRepeatsTheCode(t *testing.T) {
	p := fakeprovider.New(t)
	x, told := watched(t, p, nil)
	code := ""
	p.Sign = func(c jwt.MapClaims) string {
		code = p.TokenRequests()[0].PostForm.Get("code")
		return fakeprovider.SignRS256(p.Key, code, c)
	}
	x.browser(t).signIn(p)
	if told.Len() == 0 {
		t.Fatal("nothing was refused")
	}
	wantNoneOf(t, x.log.String()+told.String(), code)
}

// TestCallbackRepeatsSecrets has the answer that comes through the browser name code and
// state as errors, and say what an attacker likes.
func TestCallbackRepeatsSecrets(t *testing.T) {
	for _, name := range []string{"error", "error_description", "iss"} {
		for _, which := range []string{"code", "state", "nonce"} {
			p := fakeprovider.New(t)
			x, told := watched(t, p, nil)
			b := x.browser(t)
			location := b.get("/private/").Header.Get("Location")
			q := p.SignIn(t, location)
			secret := q.Get(which)
			if which == "nonce" {
				secret = mustURL(t, location).Query().Get("nonce")
			}
			q.Set("error", "access_denied")
			q.Set(name, secret)
			b.get("/oidc_callback?" + q.Encode())
			if which != "nonce" {
				b.get("/oidc_callback?" + q.Encode()) // without the sign-in that it belongs to
			}
			if told.Len() == 0 {
				t.Fatal("nothing was refused")
			}
			wantNoneOf(t, x.log.String()+told.String(), secret)
		}
	}

	p := fakeprovider.New(t)
	x, _ := watched(t, p, nil)
	b := x.browser(t)
	q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
	b.get("/oidc_callback?" + url.Values{
		"state": q["state"], "error": {"access_denied"},
		"error_description": {"x\nlevel=INFO msg=\"signed in\" " + strings.Repeat("y", 1000)},
	}.Encode())
	for line := range strings.Lines(x.log.String()) {
		if strings.HasPrefix(line, "level=") || len(line) > 1000 {
			t.Errorf("a line of the attacker's, or a long one: %q", line)
		}
	}
}

func TestPushRepeatsSecrets(t *testing.T) {
	p := newPusher(t)
	x, told := watched(t, p.Provider, func(c *cognate.Config) {
		c.ClientAuth, c.ClientSecret = cognate.ClientSecretPost, "a-client-secret-of-some-length"
	})
	var secrets []string
	for _, param := range []string{"client_secret", "state", "nonce"} {
		p.answer = func(w http.ResponseWriter, r *http.Request) {
			secrets = append(secrets, r.PostForm.Get(param))
			fakeprovider.ServeJSON(w, http.StatusBadRequest, map[string]any{"error": r.PostForm.Get(param)})
		}
		x.browser(t).get("/private/")
	}
	if len(secrets) != 3 {
		t.Fatalf("%d pushed requests", len(secrets))
	}
	wantNoneOf(t, x.log.String()+told.String(), secrets...)
}

func TestIntrospectionRepeatsSecrets(t *testing.T) {
	const secret, opaque = "a-client-secret-of-some-length", "an-opaque-token-of-some-length"
	for _, claim := range []string{"iss", "client_id", "token_type", "typ"} {
		for _, value := range []string{secret, opaque} {
			x := newIntrospectingAPI(t, cognate.Introspection{ClientID: "api", ClientSecret: secret},
				func(i *cognate.BearerIssuer) {
					i.Clients = []string{"web"}
				})
			x.answerWith(answering(activeAnswer(x, claim, value)))
			_, err := x.bearer.Verify(t.Context(), opaque)
			if err == nil {
				t.Fatalf("%s: accepted", claim)
			}
			x.call("/api", opaque)
			wantNoneOf(t, x.log.String()+err.Error(), secret, opaque)
		}
	}
}
