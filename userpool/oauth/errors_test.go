package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
)

// errorPool returns an environment in which every documented error can happen.
func errorPool(t *testing.T) *pooltest.Env {
	t.Helper()
	e := newImplicit(t, corp)
	for _, c := range []userpool.Client{
		{ID: "machine", Secret: "machine0machine0machine0", AllowedOAuthFlows: []string{"client_credentials"},
			AllowedOAuthScopes: []string{"https://api.test/read"}},
		{
			ID: "fixed", Secret: "fixed000fixed000fixed000", CallbackURLs: []string{pooltest.Callback},
			DisableRevocation: true,
		},
		{ID: "short_sighted", Secret: "short000short000short000", CallbackURLs: []string{pooltest.Callback},
			ReadAttributes: []string{"email"}},
		{ID: "blinkered", CallbackURLs: []string{pooltest.Callback}, ReadAttributes: []string{"name"},
			AllowedOAuthFlows: []string{"implicit"}},
		{ID: "lonely", CallbackURLs: []string{pooltest.Callback}, SupportedIdentityProviders: []string{"Other"}},
	} {
		e.AddClient(t, c)
	}
	return e
}

// TestAuthorizeErrorsThatRedirect has the documented errors of the authorization
// endpoint that the app is told about, in the query and, where response_type is
// token, in the fragment.
func TestAuthorizeErrorsThatRedirect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		pairs       []string
		code, text  string // text "": not pinned
		onlyForCode bool
	}{
		{"method is not S256", []string{"code_challenge", pooltest.Challenge, "code_challenge_method", "plain"},
			"invalid_request", "", false},
		{"challenge without method", []string{"code_challenge", pooltest.Challenge}, "invalid_request", "", false},
		{"response_type is missing", []string{"response_type", ""}, "invalid_request", "", true},
		{"response_type is not supported", []string{"response_type", "id_token"}, "invalid_request", "", true},
		{"otherwise malformed", []string{"max_age", "x"}, "invalid_request", "", false},
		{"scope that the client has not", []string{"scope", "openid https://api.test/write"},
			"invalid_request", "invalid_scope", false},
		{"unknown scope", []string{"scope", "openid offline_access"}, "invalid_request", "invalid_scope", false},
		{"prompt=none without session", []string{"prompt", "none"}, "login_required", "", false},
	} {
		for client, kind := range map[string]string{"app": "code", "spa": "token"} {
			if tt.onlyForCode && kind == "token" {
				continue
			}
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				q := pooltest.Query(append([]string{"client_id", client, "response_type", kind}, tt.pairs...)...)
				checkErrorRedirect(
					t, errorPool(t).Get(t, "/oauth2/authorize", q, nil), kind == "token", tt.code, tt.text,
				)
			})
		}
	}
	e := errorPool(t)
	q := pooltest.Query("response_type", "token")
	checkErrorRedirect(t, e.Get(t, "/oauth2/authorize", q, nil), true, "unauthorized_client", "")
	q = pooltest.Query("client_id", "blinkered", "response_type", "token", "scope", "openid email")
	checkErrorRedirect(t, e.Get(t, "/oauth2/authorize", q, e.Session(t)), true, "invalid_request", "invalid_grant")
	q = pooltest.Query("client_id", "spa")
	checkErrorRedirect(t, e.Get(t, "/oauth2/authorize", q, nil), false, "unauthorized_client", "")
}

func checkErrorRedirect(t *testing.T, a pooltest.Answer, inFragment bool, code, text string) {
	t.Helper()
	location := a.Header.Get("Location")
	mark := "?"
	if inFragment {
		mark = "#"
	}
	raw, ok := strings.CutPrefix(location, pooltest.Callback+mark)
	got, err := url.ParseQuery(raw)
	if a.StatusCode != http.StatusFound || !ok || err != nil {
		t.Fatalf("got %d to %s", a.StatusCode, location)
	}
	if got.Get("error") != code || text != "" && got.Get("error_description") != text || got.Get("state") != "S" {
		t.Errorf("got %s, want error %s, %q", location, code, text)
	}
	if got.Has("code") || got.Has("access_token") {
		t.Errorf("got more than an error: %s", location)
	}
}

// TestServerErrorRedirects checks that a failure of the pool itself reaches the
// app as server_error, on either way.
func TestServerErrorRedirects(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"code", "token"} {
		store := &failingStore{}
		e := newImplicit(t, func(cfg *pool.Config) { store.Store, cfg.Store = cfg.Store, store })
		session, client := e.Session(t), map[string]string{"code": "app", "token": "spa"}[kind]
		store.failing.Store(true)
		a := e.Get(t, "/oauth2/authorize", pooltest.Query("client_id", client, "response_type", kind), session)
		checkErrorRedirect(t, a, kind == "token", "server_error", "")
	}
}

// TestAuthorizeErrorsThatShowAPage has the documented errors that lead to a page
// of the pool, and what that page answers.
func TestAuthorizeErrorsThatShowAPage(t *testing.T) {
	t.Parallel()
	const page = pooltest.BaseURL + "/error?"
	for _, tt := range []struct {
		name   string
		pairs  []string
		to     string // the beginning
		status int
		text   string
	}{
		{"redirect_uri is not registered", []string{"redirect_uri", "https://evil.test/"},
			page + "error=redirect_mismatch&client_id=app", 400, "redirect_mismatch"},
		{"client_id is missing", []string{"client_id", ""},
			page + "error=Required+String+parameter+%27client_id%27+is+not+present", 400,
			"Required String parameter &#39;client_id&#39; is not present"},
		{"redirect_uri is missing", []string{"redirect_uri", ""},
			page + "error=Required+String+parameter+%27redirect_uri%27+is+not+present&client_id=app", 400,
			"Required String parameter &#39;redirect_uri&#39; is not present"},
		{"unknown client_id", []string{"client_id", "nobody"},
			page + "error=Client+does+not+exist&client_id=nobody", 400, "Client does not exist"},
		{"no provider is enabled", []string{"client_id", "lonely"},
			page + "error=invalid_request&client_id=lonely", 400, "invalid_request"},
		{"identity_provider is not enabled", []string{"identity_provider", "Corp"}, loginPage + "?", 401,
			"Login option is not available. Please try another one"},
		{"idp_identifier is not enabled", []string{"idp_identifier", "corp.test"}, loginPage + "?", 401,
			"Login option is not available. Please try another one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := errorPool(t)
			s := *e.Pool.Settings()
			s.IdentityProviders = s.IdentityProviders[:1] // "Other" is gone
			err := e.Pool.Configure(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			a := e.Get(t, "/oauth2/authorize", pooltest.Query(tt.pairs...), e.Session(t))
			to, ok := strings.CutPrefix(a.Header.Get("Location"), pooltest.BaseURL)
			if a.StatusCode != http.StatusFound || !ok || !strings.HasPrefix(pooltest.BaseURL+to, tt.to) {
				t.Fatalf("got %d to %s, want 302 to %s", a.StatusCode, a.Header.Get("Location"), tt.to)
			}
			shown := e.Do(t, http.MethodGet, to, "", nil)
			if shown.StatusCode != tt.status || !strings.Contains(shown.Body, tt.text) {
				t.Errorf("the page: got %d %s, want %d with %q", shown.StatusCode, shown.Body, tt.status, tt.text)
			}
		})
	}
}

// TestTokenErrors has the documented errors of the token endpoint. All of them
// are 400 and JSON, whichever they are.
func TestTokenErrors(t *testing.T) {
	t.Parallel()
	basic := func(id string, secret userpool.Secret) http.Header { return pooltest.Basic(id, secret) }
	short := basic("short_sighted", "short000short000short000")
	for _, tt := range []struct {
		name   string
		header func(e *pooltest.Env) http.Header
		form   func(t *testing.T, e *pooltest.Env) string
		want   string
	}{
		{"parameter missing", nil, text("grant_type=refresh_token"), "invalid_request"},
		{"malformed", nil, text("grant_type=%zz"), "invalid_request"},
		{"unsupported value", nil, text("grant_type=refresh_token&refresh_token=a&refresh_token=b"), "invalid_request"},
		{
			"unknown client", always(basic("nobody", "x")), text("grant_type=refresh_token&refresh_token=x"),
			"invalid_client",
		},
		{"wrong secret", always(basic("app", "x")), text("grant_type=refresh_token&refresh_token=x"), "invalid_client"},
		{
			"missing secret", always(nil), text("grant_type=refresh_token&refresh_token=x&client_id=app"),
			"invalid_client",
		},
		{"unexpected secret", always(nil), text(
			"grant_type=refresh_token&refresh_token=x&client_id=public&client_secret=y",
		),
			"invalid_client"},
		{"unknown code", nil, code("0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9"), "invalid_grant"},
		{"expired code", nil, func(t *testing.T, e *pooltest.Env) string {
			c := e.Code(t)
			e.Clock.Advance(grants.CodeLifetime)
			return codeForm(c)
		}, "invalid_grant"},
		{"used code", nil, func(t *testing.T, e *pooltest.Env) string {
			c := e.Code(t)
			e.Redeem(t, c)
			return codeForm(c)
		}, "invalid_grant"},
		{"code of another client", nil, func(t *testing.T, e *pooltest.Env) string {
			return codeForm(e.Code(t, "client_id", "other"))
		}, "invalid_grant"},
		{"expired refresh token", nil, func(t *testing.T, e *pooltest.Env) string {
			form := refreshForm(e.Tokens(t))
			e.Clock.Advance(30 * 24 * time.Hour)
			return form
		}, "invalid_grant"},
		{"revoked refresh token", nil, func(t *testing.T, e *pooltest.Env) string {
			tokens := e.Tokens(t)
			token, _ := tokens["refresh_token"].(string)
			e.Post(t, "/oauth2/revoke", url.Values{"token": {token}}, basic("app", e.App.Secret))
			return refreshForm(tokens)
		}, "invalid_grant"},
		{"refresh token of another client",
			func(e *pooltest.Env) http.Header { return basic("other", e.Other.Secret) },
			func(t *testing.T, e *pooltest.Env) string { return refreshForm(e.Tokens(t)) }, "invalid_grant"},
		{"attribute of a scope that the client may not read", always(
			short,
		), func(t *testing.T, e *pooltest.Env) string {
			return codeForm(e.Code(t, "client_id", "short_sighted", "scope", "openid email"))
		}, "invalid_grant"},
		{"flow not allowed: client_credentials", nil, text("grant_type=client_credentials"), "unauthorized_client"},
		{
			"flow not allowed: code", always(basic("machine", "machine0machine0machine0")), code("x"),
			"unauthorized_client",
		},
		{"other redirect_uri", nil, func(t *testing.T, e *pooltest.Env) string {
			return codeForm(e.Code(t)) + "%2F"
		}, "unauthorized_client:invalid_redirect"},
		{"unknown grant", nil, text("grant_type=password&username=ann&password=x"), "unsupported_grant_type"},
		{"scope not allowed", always(basic("machine", "machine0machine0machine0")),
			text("grant_type=client_credentials&scope=https://api.test/write"), "invalid_scope"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := errorPool(t)
			header := http.Header{}
			if tt.header == nil {
				header = basic("app", e.App.Secret)
			} else if h := tt.header(e); h != nil {
				header = h.Clone()
			}
			form := tt.form(t, e)
			header.Set("Content-Type", "application/x-www-form-urlencoded")
			a := e.Do(t, http.MethodPost, "/oauth2/token", form, header)
			checkRefused(t, a, tt.want)
			checkHeaders(t, a)
		})
	}
}

func always(h http.Header) func(*pooltest.Env) http.Header {
	return func(*pooltest.Env) http.Header { return h }
}

func text(form string) func(*testing.T, *pooltest.Env) string {
	return func(*testing.T, *pooltest.Env) string { return form }
}

func code(c string) func(*testing.T, *pooltest.Env) string { return text(codeForm(c)) }

func codeForm(c string) string {
	return "grant_type=authorization_code&code=" + c + "&redirect_uri=" + url.QueryEscape(pooltest.Callback)
}

func refreshForm(tokens map[string]any) string {
	token, _ := tokens["refresh_token"].(string)
	return "grant_type=refresh_token&refresh_token=" + token
}

// checkHeaders pins what every answer of these endpoints has.
func checkHeaders(t *testing.T, a pooltest.Answer) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Type":                "application/json;charset=UTF-8",
		"Cache-Control":               "no-cache, no-store, max-age=0, must-revalidate",
		"Pragma":                      "no-cache",
		"Expires":                     "0",
		"X-Content-Type-Options":      "nosniff",
		"X-Frame-Options":             "DENY",
		"Access-Control-Allow-Origin": "*",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if len(a.Header.Get("X-Amz-Cognito-Request-Id")) != 36 {
		t.Errorf("request id: got %q", a.Header.Get("X-Amz-Cognito-Request-Id"))
	}
}

// TestUserInfoErrors has the documented errors of the userInfo endpoint.
func TestUserInfoErrors(t *testing.T) {
	t.Parallel()
	const bad = "Bad OAuth2 request at UserInfo Endpoint"
	for _, tt := range []struct {
		name   string
		before func(t *testing.T, e *pooltest.Env, tokens map[string]any) (authorization string)
		status int
		code   string
		text   string
	}{
		{"no token", use(""), 400, "invalid_request", bad},
		{"another scheme", use("Basic YTpi"), 400, "invalid_request", bad},
		{"garbage", use("Bearer garbage"), 401, "invalid_token", textToken},
		{"expired", func(_ *testing.T, e *pooltest.Env, tokens map[string]any) string {
			e.Clock.Advance(time.Hour)
			return bearer(tokens["access_token"])
		}, 401, "invalid_token", textToken},
		{"ID token", func(_ *testing.T, _ *pooltest.Env, tokens map[string]any) string {
			return bearer(tokens["id_token"])
		}, 401, "invalid_token", textToken},
		{"refresh token", func(_ *testing.T, _ *pooltest.Env, tokens map[string]any) string {
			return bearer(tokens["refresh_token"])
		}, 401, "invalid_token", textToken},
		{"disabled", func(t *testing.T, e *pooltest.Env, tokens map[string]any) string {
			edit(t, e, func(body map[string]any) { body["Disabled"] = true })
			return bearer(tokens["access_token"])
		}, 401, "invalid_token", textToken},
		{"deleted", func(t *testing.T, e *pooltest.Env, tokens map[string]any) string {
			err := e.Pool.Users.Delete(t.Context(), "Ann")
			if err != nil {
				t.Fatal(err)
			}
			return bearer(tokens["access_token"])
		}, 401, "invalid_token", textToken},
		{"globally signed out", func(t *testing.T, e *pooltest.Env, tokens map[string]any) string {
			err := e.Pool.Users.GlobalSignOut(t.Context(), "Ann")
			if err != nil {
				t.Fatal(err)
			}
			return bearer(tokens["access_token"])
		}, 401, "invalid_token", textToken},
		{"without openid", func(t *testing.T, e *pooltest.Env, _ map[string]any) string {
			return bearer(e.Tokens(t, "scope", "https://api.test/read")["access_token"])
		}, 401, "invalid_token", textOpenID},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := errorPool(t)
			header := http.Header{}
			if authorization := tt.before(t, e, e.Tokens(t)); authorization != "" {
				header.Set("Authorization", authorization)
			}
			a := e.Do(t, http.MethodGet, "/oauth2/userInfo", "", header)
			checkBearerError(t, a, tt.status, tt.code, tt.text)
			checkHeaders(t, a)
		})
	}
}

func use(authorization string) func(*testing.T, *pooltest.Env, map[string]any) string {
	return func(*testing.T, *pooltest.Env, map[string]any) string { return authorization }
}

func bearer(token any) string {
	text, _ := token.(string)
	return "Bearer " + text
}

// TestRevokeErrors has the documented outcomes of the revocation endpoint.
func TestRevokeErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, kind string // kind: a member of the token response, or a token
		client     string
		secret     userpool.Secret // empty: the right one
		status     int
		want       string
	}{
		{"revoked", "refresh_token", "app", "", 200, ""},
		{"not a valid token", "nothing", "app", "", 200, ""},
		{"token is missing", "", "app", "", 400, "invalid_request"},
		{"revocation is disabled", "refresh_token", "fixed", "fixed000fixed000fixed000", 400, "invalid_request"},
		{"access token", "access_token", "app", "", 400, "unsupported_token_type"},
		{"ID token", "id_token", "app", "", 400, "unsupported_token_type"},
		{"wrong secret", "refresh_token", "app", "wrong", 401, "invalid_client"},
		{"unknown client", "refresh_token", "nobody", "wrong", 401, "invalid_client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := errorPool(t)
			token, ok := e.Tokens(t)[tt.kind].(string)
			if !ok {
				token = tt.kind
			}
			secret := tt.secret
			if secret == "" {
				secret = e.App.Secret
			}
			a := e.Post(t, "/oauth2/revoke", url.Values{"token": {token}}, pooltest.Basic(tt.client, secret))
			checkRevoked(t, tt.name, a, tt.status, tt.want)
			if got := a.Header.Get("Access-Control-Allow-Origin"); got != "*" {
				t.Errorf("Access-Control-Allow-Origin: got %q", got)
			}
		})
	}
}
