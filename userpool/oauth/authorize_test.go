package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

const loginPage = pooltest.BaseURL + "/login"

// TestAuthorizeErrorPage has the faults that must never reach an app: they lead
// to the pool's own error page.
func TestAuthorizeErrorPage(t *testing.T) {
	t.Parallel()
	twice := func(name, value string) url.Values {
		q := pooltest.Query()
		q.Add(name, value)
		return q
	}
	mismatch := "error=redirect_mismatch&client_id=app"
	tests := []struct {
		name  string
		query url.Values
		want  string
	}{
		{"no client", pooltest.Query("client_id", ""),
			"error=Required+String+parameter+%27client_id%27+is+not+present"},
		{"unknown client", pooltest.Query("client_id", "nobody"),
			"error=Client+does+not+exist&client_id=nobody"},
		{"endless client", pooltest.Query("client_id", strings.Repeat("a", 200)), "error=Client+does+not+exist"},
		{"client twice", twice("client_id", "app"), "error=invalid_request"},
		{"no redirect_uri", pooltest.Query("redirect_uri", ""),
			"error=Required+String+parameter+%27redirect_uri%27+is+not+present&client_id=app"},
		{"redirect_uri twice", twice("redirect_uri", "https://evil.test/"), "error=invalid_request&client_id=app"},
		{"other host", pooltest.Query("redirect_uri", "https://evil.test/callback"), mismatch},
		{"other scheme", pooltest.Query("redirect_uri", "http://app.test/callback"), mismatch},
		{"trailing slash", pooltest.Query("redirect_uri", pooltest.Callback+"/"), mismatch},
		{"upper case", pooltest.Query("redirect_uri", "https://APP.test/callback"), mismatch},
		{"port", pooltest.Query("redirect_uri", "https://app.test:443/callback"), mismatch},
		{"user info", pooltest.Query("redirect_uri", "https://app.test@evil.test/callback"), mismatch},
		{"suffix", pooltest.Query("redirect_uri", pooltest.Callback+".evil.test"), mismatch},
		{"dots", pooltest.Query("redirect_uri", "https://app.test/x/../callback"), mismatch},
		{"fragment", pooltest.Query("redirect_uri", pooltest.Callback+"#"), mismatch},
		{"other query", pooltest.Query("redirect_uri", pooltest.Callback+"?x=2"), mismatch},
		{"scheme relative", pooltest.Query("redirect_uri", "//evil.test/callback"), mismatch},
		{"backslash", pooltest.Query("redirect_uri", `https://app.test\@evil.test/callback`), mismatch},
		{"look-alike", pooltest.Query("redirect_uri", "https://аpp.test/callback"), mismatch},
		{"line break", pooltest.Query("redirect_uri", pooltest.Callback+"\r\nSet-Cookie: a=b"), mismatch},
		{"zero byte", pooltest.Query("redirect_uri", pooltest.Callback+"\x00"), mismatch},
		{"script", pooltest.Query("redirect_uri", "javascript:alert(1)"), mismatch},
		{"endless", pooltest.Query("redirect_uri", pooltest.Callback+strings.Repeat("/", 5000)), mismatch},
	}
	for _, path := range []string{"/oauth2/authorize", "/login"} {
		for _, tt := range tests {
			t.Run(path+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				e := pooltest.New(t)
				a := e.Get(t, path, tt.query, e.Session(t))
				got := a.Header.Get("Location")
				if a.StatusCode != http.StatusFound || got != pooltest.BaseURL+"/error?"+tt.want {
					t.Errorf("got %d to %q, want 302 to /error?%s", a.StatusCode, got, tt.want)
				}
			})
		}
	}
}

// TestAuthorizeMalformedQuery has queries that cannot even be parsed.
func TestAuthorizeMalformedQuery(t *testing.T) {
	t.Parallel()
	good := pooltest.Query().Encode()
	for name, query := range map[string]string{
		"bad escape": good + "&x=%zz", "semicolon": good + ";x=1",
		"endless": good + "&x=" + strings.Repeat("a", 40<<10),
		"many":    good + strings.Repeat("&a", 12_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := pooltest.New(t).Do(t, http.MethodGet, "/oauth2/authorize?"+query, "", nil)
			if got := a.Header.Get("Location"); got != pooltest.BaseURL+"/error?error=invalid_request" {
				t.Errorf("got %d to %q, want the error page", a.StatusCode, got)
			}
		})
	}
}

// TestAuthorizeErrorRedirect has the faults that the app is told about.
func TestAuthorizeErrorRedirect(t *testing.T) {
	t.Parallel()
	twice := func(name, value string) url.Values {
		q := pooltest.Query(name, value)
		q.Add(name, value)
		return q
	}
	tests := []struct {
		name  string
		query url.Values
		want  string // the error; "invalid_scope" stands for its description
	}{
		{"no response_type", pooltest.Query("response_type", ""), "invalid_request"},
		{"bad response_type", pooltest.Query("response_type", "id_token"), "invalid_request"},
		{"hybrid", pooltest.Query("response_type", "code token"), "invalid_request"},
		{"response_type twice", twice("response_type", "code"), "invalid_request"},
		{"challenge alone", pooltest.Query("code_challenge", pooltest.Challenge), "invalid_request"},
		{"method alone", pooltest.Query("code_challenge_method", "S256"), "invalid_request"},
		{"plain", pooltest.Query("code_challenge", pooltest.Challenge, "code_challenge_method", "plain"),
			"invalid_request"},
		{"lower-case method", pooltest.Query("code_challenge", pooltest.Challenge, "code_challenge_method", "s256"),
			"invalid_request"},
		{"short challenge", pooltest.Query("code_challenge", "abc", "code_challenge_method", "S256"),
			"invalid_request"},
		{"padded challenge",
			pooltest.Query("code_challenge", pooltest.Challenge+"=", "code_challenge_method", "S256"),
			"invalid_request"},
		{"challenge twice", twice("code_challenge", pooltest.Challenge), "invalid_request"},
		{"unknown scope", pooltest.Query("scope", "openid offline_access"), "invalid_scope"},
		{"scope in upper case", pooltest.Query("scope", "OPENID"), "invalid_scope"},
		{"tab between scopes", pooltest.Query("scope", "openid\temail"), "invalid_scope"},
		{"email without openid", pooltest.Query("scope", "email"), "invalid_scope"},
		{"scope twice", twice("scope", "openid"), "invalid_request"},
		{"nonce twice", twice("nonce", "n"), "invalid_request"},
		{"endless nonce", pooltest.Query("nonce", strings.Repeat("n", 2000)), "invalid_request"},
		{"nonce not UTF-8", pooltest.Query("nonce", "\xff"), "invalid_request"},
		{"prompt none and login", pooltest.Query("prompt", "none login"), "invalid_request"},
		{"prompt twice", twice("prompt", "none"), "invalid_request"},
		{"negative max_age", pooltest.Query("max_age", "-1"), "invalid_request"},
		{"max_age a word", pooltest.Query("max_age", "soon"), "invalid_request"},
		{"max_age too big", pooltest.Query("max_age", "99999999999999999"), "invalid_request"},
		{"endless hint", pooltest.Query("login_hint", strings.Repeat("a", 300)), "invalid_request"},
	}
	for _, path := range []string{"/oauth2/authorize", "/login"} {
		for _, tt := range tests {
			t.Run(path+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				e := pooltest.New(t)
				a := e.Get(t, path, tt.query, e.Session(t))
				to := a.Target(t)
				want := pooltest.Callback
				if a.StatusCode != http.StatusFound || to.Scheme+"://"+to.Host+to.Path != want || to.Fragment != "" {
					t.Fatalf("got %d to %s, want 302 to %s", a.StatusCode, to, want)
				}
				q := to.Query()
				got := q.Get("error")
				if got == "invalid_request" && q.Get("error_description") == "invalid_scope" {
					got = "invalid_scope"
				}
				if got != tt.want || q.Get("state") != "S" || q.Get("code") != "" {
					t.Errorf("got %s, want error %s with the state and no code", to.RawQuery, tt.want)
				}
			})
		}
	}
}

// TestErrorRedirectForm pins the exact form of two error redirects.
func TestErrorRedirectForm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		query url.Values
		want  string
	}{
		{"scope", pooltest.Query("scope", "nope", "state", "a b"),
			pooltest.Callback + "?error_description=invalid_scope&state=a+b&error=invalid_request"},
		{"registered query stays", pooltest.Query("scope", "nope", "redirect_uri", pooltest.Callback+"?x=1"),
			pooltest.Callback + "?x=1&error_description=invalid_scope&state=S&error=invalid_request"},
		{"no state", pooltest.Query("prompt", "none", "state", ""),
			pooltest.Callback + "?error=login_required"},
		{"implicit answers in the fragment", pooltest.Query("response_type", "token"),
			pooltest.Callback + "#state=S&error=unauthorized_client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := pooltest.New(t).Get(t, "/oauth2/authorize", tt.query, nil)
			if got := a.Header.Get("Location"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestStateTwice checks that an ambiguous state is not echoed.
func TestStateTwice(t *testing.T) {
	t.Parallel()
	q := pooltest.Query()
	q.Add("state", "T")
	got := pooltest.New(t).Get(t, "/oauth2/authorize", q, nil).Target(t).Query()
	if got.Get("error") != "invalid_request" || got.Has("state") {
		t.Errorf("got %s, want invalid_request without state", got.Encode())
	}
}

// TestStateIsEchoed sends states that Cognito itself is known to mangle.
func TestStateIsEchoed(t *testing.T) {
	t.Parallel()
	for _, state := range []string{
		"simple", "a+b/c==", "a&error=x", "a=b?c#d", "100%25", "%41", " spaces  ", `{"json":"é"}`, "日本語",
		"\x00\r\nX: y", "\xff\xfe", "<script>", strings.Repeat("s", 8192),
	} {
		t.Run(state[:min(len(state), 12)], func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			to := e.Get(t, "/oauth2/authorize", pooltest.Query("state", state), e.Session(t)).Target(t)
			q, err := url.ParseQuery(to.RawQuery)
			if err != nil || len(q) != 2 || q.Get("state") != state || q.Get("code") == "" {
				t.Errorf("got %q, %v; want one code and the same state", to.RawQuery, err)
			}
		})
	}
}

// TestAuthorizeToLogin checks that the sign-in page gets the whole request.
func TestAuthorizeToLogin(t *testing.T) {
	t.Parallel()
	q := pooltest.Query("scope", "openid email", "nonce", "n", "lang", "de", "unknown", "x", "state", "a+b&c",
		"code_challenge", pooltest.Challenge, "code_challenge_method", "S256", "login_hint", "ann", "max_age", "60")
	a := pooltest.New(t).Get(t, "/oauth2/authorize", q, nil)
	want := loginPage + "?" + q.Encode()
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusFound || got != want {
		t.Errorf("got %d to %s\nwant 302 to %s", a.StatusCode, got, want)
	}
}

// TestAuthorizeWithSession has what decides between the session and the page.
func TestAuthorizeWithSession(t *testing.T) {
	t.Parallel()
	const code, login, required = "code", "login", "login_required"
	tests := []struct {
		name  string
		pairs []string
		after time.Duration
		want  string
	}{
		{"fresh", nil, 0, code},
		{"no redirect loss", []string{"redirect_uri", pooltest.Callback + "?x=1"}, 0, code},
		{"just alive", nil, time.Hour - time.Second, code},
		{"an hour old", nil, time.Hour, login},
		{"prompt none", []string{"prompt", "none"}, 0, code},
		{"prompt none, too late", []string{"prompt", "none"}, time.Hour, required},
		{"prompt login", []string{"prompt", "login"}, 0, login},
		{"prompt login consent", []string{"prompt", "login consent"}, 0, login},
		{"prompt consent", []string{"prompt", "consent"}, 0, code},
		{"prompt unknown", []string{"prompt", "create"}, 0, code},
		{"prompt with a tab is another one", []string{"prompt", "login\tconsent"}, 0, code},
		{"max_age met", []string{"max_age", "60"}, time.Minute, code},
		{"max_age of centuries", []string{"max_age", "9999999999999999"}, time.Minute, code},
		{"max_age exceeded", []string{"max_age", "60"}, 61 * time.Second, login},
		{"max_age exceeded, prompt none", []string{"max_age", "60", "prompt", "none"}, 61 * time.Second, required},
		{"max_age zero", []string{"max_age", "0"}, 0, login},
		{"provider COGNITO", []string{"identity_provider", "COGNITO"}, 0, code},
		{"provider missing", []string{"identity_provider", "Google"}, 0, login},
		{"idp identifier", []string{"idp_identifier", "corp"}, 0, login},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			session := e.Session(t)
			e.Clock.Advance(tt.after)
			to := e.Get(t, "/oauth2/authorize", pooltest.Query(tt.pairs...), session).Target(t)
			got := to.Query().Get("error")
			switch {
			case to.Query().Get("code") != "":
				got = code
			case strings.HasPrefix(to.String(), loginPage+"?"):
				got = login
			}
			if got != tt.want {
				t.Errorf("got %s (%s), want %s", got, to, tt.want)
			}
		})
	}
}

// TestSessionCookie has cookies that must not count as a session.
func TestSessionCookie(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	session := e.Session(t).Get("Cookie")
	for name, cookie := range map[string]string{
		"none": "", "empty": "cognito=", "unknown": "cognito=" + strings.Repeat("A", 43),
		"two of them": session + "; cognito=other", "cut short": session[:len(session)-1],
		"endless": "cognito=" + strings.Repeat("A", 5000), "other name": "x" + session,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := e.Get(t, "/oauth2/authorize", pooltest.Query(), http.Header{"Cookie": {cookie}})
			if got := a.Header.Get("Location"); !strings.HasPrefix(got, loginPage) {
				t.Errorf("got %s, want the sign-in page", got)
			}
		})
	}
}

// TestDefaultRedirectURI has requests that name no redirect URI.
func TestDefaultRedirectURI(t *testing.T) {
	t.Parallel()
	const one, two = "https://one.test/", "https://two.test/"
	tests := []struct {
		name, fallback string
		urls           []string
		providers      []string
		want           string
	}{
		{"only one", "", []string{one}, nil, one},
		{"default", two, []string{one, two}, nil, two},
		{"ambiguous", "", []string{one, two}, nil, pooltest.BaseURL + "/error"},
		{"none", "", nil, nil, pooltest.BaseURL + "/error"},
		{"two providers", "", []string{one}, []string{"COGNITO", "Corp"}, pooltest.BaseURL + "/error"},
		{"two providers and default", two, []string{one, two}, []string{"COGNITO", "Corp"}, pooltest.BaseURL +
			"/error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t, corp)
			c := e.AddClient(t, userpool.Client{
				CallbackURLs: tt.urls, DefaultRedirectURI: tt.fallback, SupportedIdentityProviders: tt.providers,
			})
			q := pooltest.Query("client_id", c.ID, "redirect_uri", "")
			got := e.Get(t, "/oauth2/authorize", q, e.Session(t)).Header.Get("Location")
			if !strings.HasPrefix(got, tt.want+"?") {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestAuthorizeMethods checks that only GET authorizes and leaves.
func TestAuthorizeMethods(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	session := e.Session(t)
	query := pooltest.Query("logout_uri", pooltest.Bye).Encode()
	for _, path := range []string{"/oauth2/authorize", "/logout"} {
		for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"} {
			a := e.Do(t, method, path+"?"+query, "", session)
			if a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") == "" {
				t.Errorf("%s %s: got %d, Allow %q, want 405", method, path, a.StatusCode, a.Header.Get("Allow"))
			}
			if a.Header.Get("Location") != "" || a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s: redirects or allows other origins", method, path)
			}
		}
	}
}

// TestMismatchIsCompared has a client with several addresses, as most have: the one that is most
// like what came is compared with it, wherever it stands in the list.
func TestMismatchIsCompared(t *testing.T) {
	t.Parallel()
	urls := []string{"https://127.0.0.1:5000/cb", "http://localhost:5000/cb"}
	for got, hint := range map[string]string{
		"http://localhost:5001/cb":  "note the port",
		"https://localhost:5000/cb": "note the scheme, http or https",
		"http://127.0.0.1:5000/cb":  "note the scheme, http or https",
		"http://LOCALHOST:5000/cb":  "note upper and lower case",
		"http://localhost:5000/CB":  "note upper and lower case",
		"http://localhost:5000/cb/": "note the trailing slash",
		"http://localhost:5000/":    "note the path",
		"http://[::1]:5000/cb":      "note that localhost and 127.0.0.1 differ",
		"https://app.test/cb":       "registered",
	} {
		for _, registered := range [][]string{urls, {urls[1], urls[0]}} {
			e := pooltest.New(t)
			e.AddClient(t, userpool.Client{ID: "hint", CallbackURLs: registered})
			e.Get(t, "/oauth2/authorize", pooltest.Query("client_id", "hint", "redirect_uri", got), nil)
			logs := e.Logs.String()
			if !strings.Contains(logs, hint) || hint == "registered" && strings.Contains(logs, "note ") {
				t.Errorf("%s: the log is\n%s\nwant %q", got, logs, hint)
			}
		}
	}
}

// TestMismatchIsExplained checks that the log tells a developer what to do.
func TestMismatchIsExplained(t *testing.T) {
	t.Parallel()
	for got, hint := range map[string]string{
		"https://127.0.0.1:5000":           "note the trailing slash",
		"http://127.0.0.1:5000/":           "note the scheme, http or https",
		"https://127.0.0.1:5001/":          "note the port",
		"https://localhost:5000/":          "note that localhost and 127.0.0.1 differ",
		"https://127.0.0.1:5000/?t=hush":   "note the query",
		"https://127.0.0.1:5000/\x00\nx=y": "registered",
	} {
		t.Run(hint, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			e.AddClient(t, userpool.Client{ID: "hint", CallbackURLs: []string{"https://127.0.0.1:5000/"}})
			e.Get(t, "/oauth2/authorize", pooltest.Query("client_id", "hint", "redirect_uri", got), nil)
			logs := e.Logs.String()
			want := `registered: [\"https://127.0.0.1:5000/\"]`
			if !strings.Contains(logs, want) || !strings.Contains(logs, hint) ||
				strings.Count(logs, "request refused") != 1 {
				t.Errorf("the log is\n%s\nwant one line with %s and %q", logs, want, hint)
			}
			if strings.Contains(logs, "hush") {
				t.Errorf("the log has the query:\n%s", logs)
			}
		})
	}
}
