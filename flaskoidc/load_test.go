package flaskoidc_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/flaskoidc"
)

const secret = "verysecret" // no message may contain it

const issuer = "https://provider.test/realm"

// web is the content of a client secrets file.
func web() map[string]any {
	return map[string]any{"web": map[string]any{
		"issuer": issuer, "client_id": "client-1", "client_secret": secret,
		"auth_uri": issuer + "/auth", "token_uri": issuer + "/token", "userinfo_uri": issuer + "/me",
		"redirect_uris": []any{"https://app.test/oidc_callback", "https://app.test/sub/cb"},
	}}
}

func webJSON(t testing.TB) string {
	t.Helper()
	data, err := json.Marshal(web())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// with returns a good configuration with additional settings.
func with(settings map[string]any) map[string]any {
	all := map[string]any{"OIDC_CLIENT_SECRETS": web(), "SECRET_KEY": strings.Repeat("k", 32)}
	maps.Copy(all, settings)
	return all
}

// load loads good settings, which New accepts.
func load(t *testing.T, settings map[string]any) *flaskoidc.Loaded {
	t.Helper()
	loaded, err := flaskoidc.Load(settings)
	if err != nil {
		t.Fatal(err)
	}
	_, err = cognate.New(loaded.Config)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return loaded
}

func TestClientSecretsInEveryForm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client secrets.json")
	err := os.WriteFile(path, []byte("\ufeff"+webJSON(t)), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"path": path, "dictionary": web(), "JSON": webJSON(t), "JSON after a line": "\n " + webJSON(t),
		"bytes":     []byte(webJSON(t)),
		"secret":    cognate.Secret(webJSON(t)),
		"installed": map[string]any{"installed": web()["web"]},
	} {
		c := load(t, with(map[string]any{"OIDC_CLIENT_SECRETS": value})).Config
		if cs := c.ClientSecrets; cs == nil || cs.ClientID != "client-1" || string(cs.ClientSecret) != secret ||
			cs.Issuer != issuer {
			t.Errorf("%s: %+v", name, cs)
		}
		if c.ClientAuth != cognate.ClientSecretPost {
			t.Errorf("%s: authenticates with %q", name, c.ClientAuth)
		}
	}
}

// TestEveryKey has a row for each meaning that a key can have.
func TestEveryKey(t *testing.T) {
	type rows []struct {
		name     string
		settings map[string]any
		want     func(l *flaskoidc.Loaded) (got, want any)
	}
	same := func(pick func(l *flaskoidc.Loaded) any, want any) func(l *flaskoidc.Loaded) (any, any) {
		return func(l *flaskoidc.Loaded) (any, any) { return pick(l), want }
	}
	scopes := func(l *flaskoidc.Loaded) any { return l.Config.Scopes }
	redirect := func(l *flaskoidc.Loaded) any { return l.Config.RedirectURL }
	three := []string{"openid", "email", "profile"}
	for _, tt := range (rows{
		{"nothing set", nil, func(l *flaskoidc.Loaded) (any, any) {
			c := l.Config
			return []any{c.RequireVerifiedEmail, c.UserInfo, c.LoginRules, c.ClockSkew, c.Session.Lifetime,
					c.CookieName, c.Endpoints, len(c.LoginOptions)},
				[]any{
					false, cognate.UserInfoIfNeeded, []cognate.Rule(nil), time.Duration(0), time.Duration(0), "",
					cognate.Endpoints{}, 0,
				}
		}},
		{"client id", map[string]any{"OIDC_CLIENT_ID": "other"},
			same(func(l *flaskoidc.Loaded) any { return l.Config.ClientID }, "other")},
		{"client secret", map[string]any{"OIDC_CLIENT_SECRET": "other"},
			same(func(l *flaskoidc.Loaded) any { return string(l.Config.ClientSecret) }, "other")},
		{"scopes by default", nil, same(scopes, []string(nil))},
		{"scopes as a list", map[string]any{"OIDC_SCOPES": three}, same(scopes, three)},
		{"scopes as JSON has them", map[string]any{"OIDC_SCOPES": []any{"openid", "email", "profile"}},
			same(scopes, three)},
		{"scopes as one text", map[string]any{"OIDC_SCOPES": " openid email  profile"}, same(scopes, three)},
		{"scopes as a JSON list", map[string]any{"OIDC_SCOPES": `["openid", "email", "profile"]`}, same(scopes, three)},
		{"scopes as a JSON list with escapes", map[string]any{"OIDC_SCOPES": `["open\u0069d", "email", "profile"]`},
			same(scopes, three)},
		{"scopes as a Python list", map[string]any{"OIDC_SCOPES": `['openid', "email", 'profile']`},
			same(scopes, three)},
		{"scopes as a Python tuple", map[string]any{"OIDC_SCOPES": `('openid', 'email', 'profile',)`},
			same(scopes, three)},
		{"hosted domain", map[string]any{"OIDC_GOOGLE_APPS_DOMAIN": "example.com"},
			func(l *flaskoidc.Loaded) (any, any) {
				return []any{len(l.Config.LoginRules), l.Config.LoginRules[0].String()},
					[]any{1, cognate.HostedDomain("example.com").String()}
			}},
		{"discovery of the issuer",
			map[string]any{"OIDC_SERVER_METADATA_URL": issuer + "/.well-known/openid-configuration"},
			same(func(l *flaskoidc.Loaded) any { return l.Config.Issuer }, "")},
		{"discovery instead of the file", map[string]any{
			"OIDC_CLIENT_SECRETS": nil, "OIDC_CLIENT_ID": "c", "OIDC_OVERWRITE_REDIRECT_URI": "https://app.test/cb",
			"OIDC_SERVER_METADATA_URL": "https://else.test/.well-known/openid-configuration",
		}, same(func(l *flaskoidc.Loaded) any { return l.Config.Issuer }, "https://else.test")},
		{"the one valid issuer", map[string]any{"OIDC_VALID_ISSUERS": []any{issuer}},
			same(func(l *flaskoidc.Loaded) any { return l.Config.Issuer }, "")},
		{"the one valid issuer, as a text", map[string]any{"OIDC_VALID_ISSUERS": issuer},
			same(func(l *flaskoidc.Loaded) any { return l.Config.Issuer }, "")},
		{"Google's two spellings", map[string]any{
			"OIDC_CLIENT_SECRETS": map[string]any{"web": map[string]any{"client_id": "c",
				"redirect_uris": []any{"https://app.test/cb"}}},
			"OIDC_VALID_ISSUERS": []string{"accounts.google.com", "https://accounts.google.com"},
		}, same(func(l *flaskoidc.Loaded) any { return l.Config.Issuer }, "https://accounts.google.com")},
		{"endpoints",
			map[string]any{"OIDC_AUTHORIZE_URL": issuer + "/1", "OIDC_ACCESS_TOKEN_URL": issuer + "/2",
				"OIDC_USERINFO_URL":      issuer + "/3",
				"OIDC_REFRESH_TOKEN_URL": issuer + "/2", "COGNITO_UI_BASE_URL": "https://ui.test/"},
			func(l *flaskoidc.Loaded) (any, any) {
				return l.Config.Endpoints, cognate.Endpoints{
					Authorization: issuer + "/1", Token: issuer + "/2", UserInfo: issuer + "/3",
					EndSession: "https://ui.test/logout",
				}
			}},
		{"refresh at the file's token endpoint", map[string]any{"OIDC_REFRESH_TOKEN_URL": issuer + "/token"},
			same(func(l *flaskoidc.Loaded) any { return l.Config.Endpoints }, cognate.Endpoints{})},
		{"callback route", map[string]any{"OIDC_CALLBACK_ROUTE": "/sub/cb"}, same(redirect, "https://app.test/sub/cb")},
		{"redirect URI",
			map[string]any{"OIDC_OVERWRITE_REDIRECT_URI": "https://app.test/sub/cb", "OIDC_CALLBACK_ROUTE": "/sub/cb"},
			same(redirect, "https://app.test/sub/cb")},
		{"redirect URI, old name", map[string]any{"OVERWRITE_REDIRECT_URI": "https://app.test/sub/cb"},
			same(redirect, "https://app.test/sub/cb")},
		{"redirect URI, both names",
			map[string]any{"OIDC_OVERWRITE_REDIRECT_URI": "https://app.test/sub/cb",
				"OVERWRITE_REDIRECT_URI": "https://app.test/sub/cb"},
			same(redirect, "https://app.test/sub/cb")},
		{"no redirect URI", map[string]any{"OIDC_OVERWRITE_REDIRECT_URI": nil, "OVERWRITE_REDIRECT_URI": false},
			same(redirect, "")},
		{"no redirect URI, as text", map[string]any{"OVERWRITE_REDIRECT_URI": "False"}, same(redirect, "")},
		{"verified e-mail", map[string]any{"OIDC_REQUIRE_VERIFIED_EMAIL": true},
			same(func(l *flaskoidc.Loaded) any { return l.Config.RequireVerifiedEmail }, true)},
		{"verified e-mail, as text", map[string]any{"OIDC_REQUIRE_VERIFIED_EMAIL": "1"},
			same(func(l *flaskoidc.Loaded) any { return l.Config.RequireVerifiedEmail }, true)},
		{"no verified e-mail", map[string]any{"OIDC_REQUIRE_VERIFIED_EMAIL": "False"},
			same(func(l *flaskoidc.Loaded) any { return l.Config.RequireVerifiedEmail }, false)},
		{"skew", map[string]any{"OIDC_CLOCK_SKEW": "120"},
			same(func(l *flaskoidc.Loaded) any { return l.Config.ClockSkew }, 2*time.Minute)},
		{"userInfo", map[string]any{"OIDC_USER_INFO_ENABLED": "true"},
			same(func(l *flaskoidc.Loaded) any { return l.Config.UserInfo }, cognate.UserInfoIfNeeded)},
		{"no userInfo", map[string]any{"OIDC_USER_INFO_ENABLED": 0},
			same(func(l *flaskoidc.Loaded) any { return l.Config.UserInfo }, cognate.UserInfoNever)},
		{"cookie's name", map[string]any{"OIDC_ID_TOKEN_COOKIE_NAME": "shop"},
			same(func(l *flaskoidc.Loaded) any { return l.Config.CookieName }, "shop")},
		{"lifetime", map[string]any{"OIDC_ID_TOKEN_COOKIE_TTL": 28800},
			same(func(l *flaskoidc.Loaded) any { return l.Config.Session.Lifetime }, 8*time.Hour)},
		{"lifetime, as JSON has it", map[string]any{"OIDC_ID_TOKEN_COOKIE_TTL": 604800.0},
			same(func(l *flaskoidc.Loaded) any { return l.Config.Session.Lifetime }, 7*24*time.Hour)},
		{"lifetime, 64 bits", map[string]any{"OIDC_ID_TOKEN_COOKIE_TTL": int64(3600)},
			same(func(l *flaskoidc.Loaded) any { return l.Config.Session.Lifetime }, time.Hour)},
		{"lifetime of Go", map[string]any{"OIDC_ID_TOKEN_COOKIE_TTL": time.Hour},
			same(func(l *flaskoidc.Loaded) any { return l.Config.Session.Lifetime }, time.Hour)},
		{"several keys", map[string]any{"SECRET_KEY": []any{strings.Repeat("n", 32), strings.Repeat("o", 40)}},
			func(l *flaskoidc.Loaded) (any, any) {
				return []string{string(l.Config.Keys[0]), string(l.Config.Keys[1])},
					[]string{strings.Repeat("n", 32), strings.Repeat("o", 40)}
			}},
		{"a key that looks like a list", map[string]any{"SECRET_KEY": "['" + strings.Repeat("x", 32) + "']"},
			func(l *flaskoidc.Loaded) (any, any) {
				return []string{string(l.Config.Keys[0])}, []string{"['" + strings.Repeat("x", 32) + "']"}
			}},
		{"resource server", map[string]any{"OIDC_RESOURCE_SERVER_ONLY": "yes"},
			same(func(l *flaskoidc.Loaded) any { return l.ResourceServerOnly }, true)},
		{"no resource server", nil, same(func(l *flaskoidc.Loaded) any { return l.ResourceServerOnly }, false)},
		{"audience is checked", map[string]any{"OIDC_RESOURCE_CHECK_AUD": true},
			same(func(l *flaskoidc.Loaded) any { return l.Warnings }, []string(nil))},
		{"authentication", map[string]any{"OIDC_INTROSPECTION_AUTH_METHOD": "client_secret_basic"},
			same(func(l *flaskoidc.Loaded) any { return l.Config.ClientAuth }, cognate.ClientSecretBasic)},
		{"no introspection", map[string]any{"OIDC_INTROSPECTION_AUTH_METHOD": "client_secret_post"},
			same(func(l *flaskoidc.Loaded) any { return len(l.Config.Bearer.Issuers) }, 0)},
		{"sign-out",
			map[string]any{"COGNITO_UI_LOGOUT_REDIRECT": "https://app.test/bye", "COGNITO_UI_CLIENT_ID": "client-1"},
			same(func(l *flaskoidc.Loaded) any { return l.Config.LogoutRedirectURL }, "https://app.test/bye")},
		{"on, and nobody faked", map[string]any{"OIDC_ENABLED": true, "OIDC_TESTING_PROFILE": map[string]any{}},
			same(redirect, "")},
		{"others' keys",
			map[string]any{"DEBUG": true, "SESSION_COOKIE_SECURE": false, "oauth": struct{}{}, "": 1, "SECRET_KEYS": 1},
			same(redirect, "")},
	}) {
		t.Run(tt.name, func(t *testing.T) {
			l := load(t, with(tt.settings))
			got, want := tt.want(l)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if len(l.Warnings) > 0 {
				t.Errorf("warnings: %q", l.Warnings)
			}
		})
	}
}

// authorize starts a sign-in and returns its authorization request.
func authorize(t *testing.T, l *flaskoidc.Loaded) url.Values {
	t.Helper()
	cfg := l.Config
	cfg.Endpoints.JWKS = issuer + "/keys" // with all endpoints given, no request is sent to the provider
	auth, err := cognate.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	auth.Login(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.test/", nil))
	location, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusFound {
		t.Fatalf("status %d to %q, %v", w.Code, location, err)
	}
	return location.Query()
}

// TestParameters checks that additional parameters are in the authorization request.
func TestParameters(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings map[string]any
		want     map[string]string
	}{
		{"none", nil, map[string]string{"hd": "", "prompt": "", "max_age": ""}},
		{"hosted domain", map[string]any{"OIDC_GOOGLE_APPS_DOMAIN": "example.com"},
			map[string]string{"hd": "example.com"}},
		{"hosted domain twice",
			map[string]any{"OIDC_GOOGLE_APPS_DOMAIN": "example.com",
				"OIDC_AUTHORIZE_PARAMS": map[string]any{"hd": "example.com"}},
			map[string]string{"hd": "example.com"}},
		{"2.x", map[string]any{"OIDC_AUTHORIZE_PARAMS": map[string]string{"domain_hint": "a"}},
			map[string]string{"domain_hint": "a"}},
		{"1.x and JSON",
			map[string]any{"OIDC_EXTRA_REQUEST_AUTH_PARAMS": `{"a": "1", "b": "2"}`,
				"OIDC_AUTHORIZE_PARAMS": map[string]any{"a": "1"}},
			map[string]string{"a": "1", "b": "2"}},
		{"those that have an option",
			map[string]any{
				"OIDC_AUTHORIZE_PARAMS": `{"prompt": "login", "max_age": "60", "acr_values": "gold silver"}`,
			},
			map[string]string{"prompt": "login", "max_age": "60", "acr_values": "gold silver"}},
	} {
		got := authorize(t, load(t, with(tt.settings)))
		for name, value := range tt.want {
			if got.Get(name) != value || len(got[name]) > 1 {
				t.Errorf("%s: %s is %q, want %q", tt.name, name, got[name], value)
			}
		}
	}
}

func TestPublicClient(t *testing.T) {
	file := web()
	delete(file["web"].(map[string]any), "client_secret")
	if c := load(t, with(map[string]any{"OIDC_CLIENT_SECRETS": file})).Config; c.ClientAuth != "" {
		t.Errorf("a client without a secret authenticates with %q", c.ClientAuth)
	}
}

func TestIntrospection(t *testing.T) {
	file := web()
	file["web"].(map[string]any)["token_introspection_uri"] = issuer + "/introspect"
	for _, tt := range []struct {
		name     string
		settings map[string]any
		want     cognate.Introspection
	}{
		{"as it comes", nil, cognate.Introspection{Auth: cognate.ClientSecretPost, TokenTypeHint: "access_token"}},
		{"basic, another hint",
			map[string]any{"OIDC_INTROSPECTION_AUTH_METHOD": "client_secret_basic", "OIDC_TOKEN_TYPE_HINT": "jwt"},
			cognate.Introspection{Auth: cognate.ClientSecretBasic, TokenTypeHint: "jwt"}},
		{"no hint", map[string]any{"OIDC_TOKEN_TYPE_HINT": "none"},
			cognate.Introspection{Auth: cognate.ClientSecretPost}},
	} {
		settings := with(tt.settings)
		settings["OIDC_CLIENT_SECRETS"] = file
		tt.want.Endpoint = issuer + "/introspect"
		cfg := load(t, settings).Config
		want := []cognate.BearerIssuer{{Introspection: &tt.want}}
		if diff := cmp.Diff(want, cfg.Bearer.Issuers); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
		_, err := cognate.New(cfg)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestObsoleteKeys checks that each gives one warning, which names the key, and no
// error.
func TestObsoleteKeys(t *testing.T) {
	for key := range flaskoidc.Obsolete {
		for _, value := range []any{"x", false, map[string]any{"a": 1}, struct{}{}} {
			l := load(t, with(map[string]any{key: value}))
			if len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], " "+key+" ") {
				t.Errorf("%s = %v: warnings %q, want one that names it", key, value, l.Warnings)
			}
		}
		if l := load(t, with(map[string]any{key: nil})); len(l.Warnings) != 0 {
			t.Errorf("%s = nil: warnings %q", key, l.Warnings)
		}
	}
}

func TestOtherWarnings(t *testing.T) {
	for key, settings := range map[string]map[string]any{
		"OIDC_CALLBACK_ROUTE": {"OIDC_CALLBACK_ROUTE": "/cb",
			"OIDC_OVERWRITE_REDIRECT_URI": "https://app.test/sub/cb"},
		"OIDC_CLOCK_SKEW":         {"OIDC_CLOCK_SKEW": 0},
		"OIDC_RESOURCE_CHECK_AUD": {"OIDC_RESOURCE_CHECK_AUD": false},
		"OIDC_TOKEN_TYPE_HINT":    {"OIDC_TOKEN_TYPE_HINT": "access_token"},
	} {
		l := load(t, with(settings))
		if len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], key) {
			t.Errorf("%s: warnings %q, want one", key, l.Warnings)
		}
	}
	if l := load(t, with(map[string]any{"OIDC_CLOCK_SKEW": 0})); l.Config.ClockSkew != time.Second {
		t.Errorf("a skew of 0 became %s; zero would mean a minute", l.Config.ClockSkew)
	}
}

// TestCookieSwitches checks that the cookie is Secure only if both settings are on, or
// if the redirect URI is https.
func TestCookieSwitches(t *testing.T) {
	for _, tt := range []struct {
		first, second   any
		overHTTP, https string // a part of the error, and of the warning
	}{
		{nil, nil, "", ""},
		{true, true, "OIDC_COOKIE_SECURE", ""},
		{true, nil, "OIDC_COOKIE_SECURE", ""},
		{nil, true, "OIDC_ID_TOKEN_COOKIE_SECURE", ""},
		{true, false, "", "OIDC_ID_TOKEN_COOKIE_SECURE"},
		{false, true, "", "OIDC_COOKIE_SECURE"},
		{false, false, "", "SECURE"},
		{nil, "False", "", "OIDC_ID_TOKEN_COOKIE_SECURE"},
	} {
		switches := map[string]any{"OIDC_COOKIE_SECURE": tt.first, "OIDC_ID_TOKEN_COOKIE_SECURE": tt.second}
		l := load(t, with(switches))
		if (len(l.Warnings) == 1) != (tt.https != "") ||
			len(l.Warnings) == 1 && !strings.Contains(l.Warnings[0], tt.https) {
			t.Errorf("%v, %v over https: warnings %q, want one of %q", tt.first, tt.second, l.Warnings, tt.https)
		}
		file := web()
		file["web"].(map[string]any)["redirect_uris"] = []any{"http://127.0.0.1:5000/oidc_callback"}
		switches["OIDC_CLIENT_SECRETS"] = file
		_, err := flaskoidc.Load(with(switches))
		if (err != nil) != (tt.overHTTP != "") || err != nil && !strings.Contains(err.Error(), tt.overHTTP) {
			t.Errorf("%v, %v over http: error %v, want one of %q", tt.first, tt.second, err, tt.overHTTP)
		}
	}
}

func TestBooleans(t *testing.T) {
	for want, values := range map[bool][]any{
		true:  {true, "True", "true", "t", "yes", "Y", " on ", "1", 1, 1.0, json.Number("1")},
		false: {false, "False", "FALSE", "f", "no", "n", "off", "0", 0, 0.0, json.Number("0")},
	} {
		for _, v := range values {
			l := load(t, with(map[string]any{"OIDC_REQUIRE_VERIFIED_EMAIL": v}))
			if got := l.Config.RequireVerifiedEmail; got != want {
				t.Errorf("%T %v is %v", v, v, got)
			}
		}
	}
}

// TestRedirectURIThatIsNone checks that New reports a wrong redirect URI.
func TestRedirectURIThatIsNone(t *testing.T) {
	l, err := flaskoidc.Load(with(map[string]any{"OIDC_COOKIE_SECURE": true,
		"OIDC_OVERWRITE_REDIRECT_URI": "http://[::1]:port/cb"}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = cognate.New(l.Config)
	if err == nil || !strings.Contains(err.Error(), "RedirectURL") {
		t.Errorf("error %v", err)
	}
}

func TestErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "client_secrets.json")
	file := func(change func(m map[string]any)) map[string]any {
		f := web()
		change(f["web"].(map[string]any))
		return map[string]any{"OIDC_CLIENT_SECRETS": f}
	}
	for _, tt := range []struct {
		name     string
		settings map[string]any
		want     []string
	}{
		{"misspelt", map[string]any{"OIDC_CLIENT_SECRTES": "x"},
			[]string{`"OIDC_CLIENT_SECRTES"`, "did you mean", "OIDC_CLIENT_SECRETS"}},
		{"one letter too few", map[string]any{"OIDC_REQUIRE_VERIFED_EMAIL": true},
			[]string{"OIDC_REQUIRE_VERIFIED_EMAIL"}},
		{"letters swapped in the prefix", map[string]any{"ODIC_SCOPES": "openid"},
			[]string{"ODIC_SCOPES", "OIDC_SCOPES"}},
		{"lower case", map[string]any{"oidc_google_apps_domain": "example.com"}, []string{"OIDC_GOOGLE_APPS_DOMAIN"}},
		{"misspelt and None", map[string]any{"OIDC_VALID_ISSUER": nil}, []string{"OIDC_VALID_ISSUERS"}},
		{"unknown and long", map[string]any{"OIDC_" + strings.Repeat("X", 5000): 1}, []string{"OIDC_XXX", "not a key"}},
		{"all at once", map[string]any{"OIDC_A": 1, "OIDC_COOKIE_SECURE": "perhaps", "OIDC_ENABLED": false},
			[]string{"OIDC_A", "OIDC_COOKIE_SECURE", "OIDC_ENABLED"}},
		{"no such file", map[string]any{"OIDC_CLIENT_SECRETS": missing}, []string{missing, "OIDC_CLIENT_SECRETS"}},
		{"broken JSON", map[string]any{"OIDC_CLIENT_SECRETS": `{"web": {"client_secret": "` + secret},
			[]string{"broken JSON"}},
		{"a Python dictionary as text",
			map[string]any{"OIDC_CLIENT_SECRETS": `{'web': {'client_secret': '` + secret + `'}}`},
			[]string{"OIDC_CLIENT_SECRETS"}},
		{"two outer members",
			map[string]any{"OIDC_CLIENT_SECRETS": map[string]any{"web": web()["web"], "installed": web()["web"]}},
			[]string{"2 outer members"}},
		{"no outer member", map[string]any{"OIDC_CLIENT_SECRETS": map[string]any{}}, []string{"0 outer members"}},
		{"unknown outer member", map[string]any{"OIDC_CLIENT_SECRETS": map[string]any{"service": web()["web"]}},
			[]string{`"service"`}},
		{"placeholder", file(func(m map[string]any) { m["client_id"] = "{{ID}}" }),
			[]string{"{{ID}}", "not filled in"}},
		{"introspection at a number", file(func(m map[string]any) { m["token_introspection_uri"] = 7 }),
			[]string{"token_introspection_uri"}},
		{"client secrets of another kind", map[string]any{"OIDC_CLIENT_SECRETS": 7},
			[]string{"OIDC_CLIENT_SECRETS", "path"}},
		{"client secrets that can't be written",
			map[string]any{"OIDC_CLIENT_SECRETS": map[string]any{"web": func() {}}}, []string{"OIDC_CLIENT_SECRETS"}},
		{"huge client secrets",
			map[string]any{"OIDC_CLIENT_SECRETS": `{"web": {"x": "` + strings.Repeat("x", 70<<10) + `"}}`},
			[]string{"larger than"}},
		{"short key", map[string]any{"SECRET_KEY": secret}, []string{"SECRET_KEY", "10 bytes", "openssl"}},
		{"second key short", map[string]any{"SECRET_KEY": []string{strings.Repeat("k", 32), secret}},
			[]string{"SECRET_KEY", "key 2"}},
		{"key is a number", map[string]any{"SECRET_KEY": 12345}, []string{"SECRET_KEY"}},
		{"several issuers", map[string]any{"OIDC_VALID_ISSUERS": []any{issuer, "https://else.test"}},
			[]string{"OIDC_VALID_ISSUERS", "2 issuers"}},
		{"no issuers", map[string]any{"OIDC_VALID_ISSUERS": []any{}}, []string{"OIDC_VALID_ISSUERS", "0 issuers"}},
		{"another issuer", map[string]any{"OIDC_VALID_ISSUERS": "https://else.test"},
			[]string{"OIDC_VALID_ISSUERS", issuer}},
		{"an issuer that is part of the other", map[string]any{"OIDC_VALID_ISSUERS": "https://provider.test"},
			[]string{"OIDC_VALID_ISSUERS"}},
		{"the issuer and a slash", map[string]any{"OIDC_VALID_ISSUERS": issuer + "/"},
			[]string{"OIDC_VALID_ISSUERS", "not exactly"}},
		{"Google beside another", map[string]any{"OIDC_VALID_ISSUERS": []any{issuer, "accounts.google.com"}},
			[]string{"OIDC_VALID_ISSUERS"}},
		{"issuers are empty", map[string]any{"OIDC_VALID_ISSUERS": ""}, []string{"OIDC_VALID_ISSUERS", "empty"}},
		{"domain is empty", map[string]any{"OIDC_GOOGLE_APPS_DOMAIN": " "},
			[]string{"OIDC_GOOGLE_APPS_DOMAIN", "empty"}},
		{"domain is a list", map[string]any{"OIDC_GOOGLE_APPS_DOMAIN": []any{"a", "b"}},
			[]string{"OIDC_GOOGLE_APPS_DOMAIN"}},
		{"another domain as a parameter",
			map[string]any{"OIDC_GOOGLE_APPS_DOMAIN": "example.com",
				"OIDC_AUTHORIZE_PARAMS": map[string]any{"hd": "*"}},
			[]string{"OIDC_GOOGLE_APPS_DOMAIN", `"hd"`}},
		{"verified e-mail is empty", map[string]any{"OIDC_REQUIRE_VERIFIED_EMAIL": ""},
			[]string{"OIDC_REQUIRE_VERIFIED_EMAIL"}},
		{"verified e-mail is a word", map[string]any{"OIDC_REQUIRE_VERIFIED_EMAIL": "always"},
			[]string{"OIDC_REQUIRE_VERIFIED_EMAIL", "boolean"}},
		{"verified e-mail is 2", map[string]any{"OIDC_REQUIRE_VERIFIED_EMAIL": 2},
			[]string{"OIDC_REQUIRE_VERIFIED_EMAIL"}},
		{"audience check is a word", map[string]any{"OIDC_RESOURCE_CHECK_AUD": "api"},
			[]string{"OIDC_RESOURCE_CHECK_AUD"}},
		{"discovery of another provider",
			map[string]any{"OIDC_SERVER_METADATA_URL": "https://else.test/.well-known/openid-configuration"},
			[]string{"OIDC_SERVER_METADATA_URL", issuer}},
		{"discovery elsewhere", map[string]any{"OIDC_SERVER_METADATA_URL": issuer + "/metadata"},
			[]string{"OIDC_SERVER_METADATA_URL", "well-known"}},
		{"refresh elsewhere", map[string]any{"OIDC_REFRESH_TOKEN_URL": issuer + "/refresh"},
			[]string{"OIDC_REFRESH_TOKEN_URL"}},
		{"parameter of the sign-in's own", map[string]any{"OIDC_AUTHORIZE_PARAMS": map[string]any{"State": "x"}},
			[]string{"OIDC_AUTHORIZE_PARAMS", "State"}},
		{"parameter that is no text", map[string]any{"OIDC_EXTRA_REQUEST_AUTH_PARAMS": map[string]any{"a": []any{}}},
			[]string{"OIDC_EXTRA_REQUEST_AUTH_PARAMS", `"a"`}},
		{"parameters as a list", map[string]any{"OIDC_AUTHORIZE_PARAMS": []any{"a"}},
			[]string{"OIDC_AUTHORIZE_PARAMS", "dictionary"}},
		{"two redirect URIs",
			map[string]any{"OIDC_OVERWRITE_REDIRECT_URI": "https://app.test/a",
				"OVERWRITE_REDIRECT_URI": "https://app.test/b"}, []string{"OVERWRITE_REDIRECT_URI", "differs"}},
		{"callback route that is not registered", map[string]any{"OIDC_CALLBACK_ROUTE": "/cb"},
			[]string{"OIDC_CALLBACK_ROUTE", "OIDC_OVERWRITE_REDIRECT_URI"}},
		{"skew is large", map[string]any{"OIDC_CLOCK_SKEW": 301}, []string{"OIDC_CLOCK_SKEW", "0 to 300"}},
		{"skew is negative", map[string]any{"OIDC_CLOCK_SKEW": -1}, []string{"OIDC_CLOCK_SKEW"}},
		{"skew is a fraction", map[string]any{"OIDC_CLOCK_SKEW": 1.5}, []string{"OIDC_CLOCK_SKEW"}},
		{"lifetime is short", map[string]any{"OIDC_ID_TOKEN_COOKIE_TTL": 59}, []string{"OIDC_ID_TOKEN_COOKIE_TTL"}},
		{"lifetime is endless", map[string]any{"OIDC_ID_TOKEN_COOKIE_TTL": "9223372036854775807"},
			[]string{"OIDC_ID_TOKEN_COOKIE_TTL"}},
		{"lifetime is text", map[string]any{"OIDC_ID_TOKEN_COOKIE_TTL": "8h"},
			[]string{"OIDC_ID_TOKEN_COOKIE_TTL", "seconds"}},
		{"scopes is a number", map[string]any{"OIDC_SCOPES": 7}, []string{"OIDC_SCOPES"}},
		{"scopes is a broken list", map[string]any{"OIDC_SCOPES": `["openid", `}, []string{"OIDC_SCOPES"}},
		{"scopes is a list of numbers", map[string]any{"OIDC_SCOPES": []any{1}}, []string{"OIDC_SCOPES"}},
		{"too many scopes", map[string]any{"OIDC_SCOPES": strings.Repeat("s ", 101)}, []string{"OIDC_SCOPES"}},
		{"too many scopes as a list", map[string]any{"OIDC_SCOPES": slices.Repeat([]any{"s"}, 101)},
			[]string{"OIDC_SCOPES"}},
		{"too many scopes as a list of Go", map[string]any{"OIDC_SCOPES": slices.Repeat([]string{"s"}, 101)},
			[]string{"OIDC_SCOPES"}},
		{"age that is not a number", map[string]any{"OIDC_AUTHORIZE_PARAMS": map[string]any{"max_age": "soon"}},
			[]string{"OIDC_AUTHORIZE_PARAMS", "max_age"}},
		{"age below zero", map[string]any{"OIDC_AUTHORIZE_PARAMS": map[string]any{"max_age": "-1"}},
			[]string{"OIDC_AUTHORIZE_PARAMS", "max_age"}},
		{"endless age", map[string]any{"OIDC_AUTHORIZE_PARAMS": map[string]any{"max_age": "9223372036854775807"}},
			[]string{"OIDC_AUTHORIZE_PARAMS", "max_age"}},
		{"parameters as null", map[string]any{"OIDC_AUTHORIZE_PARAMS": "null"}, []string{"OIDC_AUTHORIZE_PARAMS"}},
		{"introspection by bearer", map[string]any{"OIDC_INTROSPECTION_AUTH_METHOD": "bearer"},
			[]string{"OIDC_INTROSPECTION_AUTH_METHOD", "bearer"}},
		{"introspection by magic", map[string]any{"OIDC_INTROSPECTION_AUTH_METHOD": "magic"},
			[]string{"OIDC_INTROSPECTION_AUTH_METHOD"}},
		{"sign-in switched off", map[string]any{"OIDC_ENABLED": "False"}, []string{"OIDC_ENABLED", "cognatetest"}},
		{"a faked user", map[string]any{"OIDC_TESTING_PROFILE": `{"sub": "x"}`},
			[]string{"OIDC_TESTING_PROFILE", "cognatetest"}},
		{"a faked user as text", map[string]any{"OIDC_TESTING_PROFILE": "ann"}, []string{"OIDC_TESTING_PROFILE"}},
		{"sign-out of another client", map[string]any{"COGNITO_UI_CLIENT_ID": "client-2"},
			[]string{"COGNITO_UI_CLIENT_ID"}},
		{"sign-out not filled in", map[string]any{"COGNITO_UI_BASE_URL": "{{AWS_DOMAIN_PREFIX}}"},
			[]string{"COGNITO_UI_BASE_URL", "placeholder"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := flaskoidc.Load(with(tt.settings))
			if err == nil || l != nil {
				t.Fatalf("accepted: %+v", l)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
			if n := strings.Count(err.Error(), "OIDC_CLIENT_SECRETS: "); n > 1 {
				t.Errorf("error %q says it %d times", err, n)
			}
			if strings.Contains(err.Error(), secret) || len(err.Error()) > 2000 {
				t.Errorf("error of %d bytes, or with the secret: %.2000s", len(err.Error()), err)
			}
		})
	}
}

// TestEveryKeyIsRead checks that a meaningless value of any key is reported.
func TestEveryKeyIsRead(t *testing.T) {
	for _, key := range flaskoidc.Known {
		if _, ok := flaskoidc.Obsolete[key]; ok {
			continue
		}
		_, err := flaskoidc.Load(with(map[string]any{key: struct{}{}}))
		if err == nil || !strings.Contains(err.Error(), key+": ") || strings.Count(err.Error(), key+": ") != 1 {
			t.Errorf("%s: error %v, want one that names it", key, err)
		}
	}
}

// TestScopesWithoutOpenID checks that the settings are read, and that New refuses them.
func TestScopesWithoutOpenID(t *testing.T) {
	for _, scopes := range []any{"email", []any{}, []string{"email"}} {
		l, err := flaskoidc.Load(with(map[string]any{"OIDC_SCOPES": scopes}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = cognate.New(l.Config)
		if err == nil || !strings.Contains(err.Error(), "openid") {
			t.Errorf("%v: error %v", scopes, err)
		}
	}
}

func TestLoadChangesNothing(t *testing.T) {
	settings := with(map[string]any{
		"OIDC_SCOPES": []string{"openid", "email"}, "OIDC_VALID_ISSUERS": []string{issuer, issuer},
	})
	l := load(t, settings)
	l.Config.Scopes[0] = "changed"
	want := with(map[string]any{
		"OIDC_SCOPES": []string{"openid", "email"}, "OIDC_VALID_ISSUERS": []string{issuer, issuer},
	})
	if diff := cmp.Diff(want, settings); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{
		"OIDC_SCOPE": "OIDC_SCOPES", "OIDC_VALID_ISSUER": "OIDC_VALID_ISSUERS",
		"OIDC_REDIRECT_URI": "OVERWRITE_REDIRECT_URI",
		"OIDC_ID_TOKEN_TTL": "OIDC_ID_TOKEN_COOKIE_TTL", "oidc_clock_skew": "OIDC_CLOCK_SKEW",
		"OIDC_USERINFO_ENABLED": "OIDC_USER_INFO_ENABLED",
	} {
		if got := flaskoidc.Nearest(name); got != want {
			t.Errorf("nearest to %s is %s, want %s", name, got, want)
		}
	}
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"abc", "abc", 0}, {"abc", "", 3}, {"", "abc", 3}, {"abc", "acb", 1}, {"abc", "abd", 1},
		{"abc", "bc", 1}, {"abc", "xabc", 1}, {"kitten", "sitting", 3},
	} {
		if got := flaskoidc.Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("from %q to %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
	for _, k := range flaskoidc.Known {
		if got := flaskoidc.Nearest(k); got != k {
			t.Errorf("nearest to %s is %s", k, got)
		}
	}
}

func TestFromEnv(t *testing.T) {
	l, err := flaskoidc.FromEnv([]string{
		"PATH=/bin", "EMPTY", "=x", "FLASK_DEBUG=1", "FLASK_APP=app", "OIDC_CLIENT_SECRETS=" + webJSON(t),
		"FLASK_SECRET_KEY=" + strings.Repeat("k", 32), "FLASK_OIDC_SCOPES=[\"openid\", \"email\"]",
		"OIDC_CLOCK_SKEW=30",
		"OIDC_REQUIRE_VERIFIED_EMAIL=True", "FLASK_OIDC_ID_TOKEN_COOKIE_TTL=3600", "FLASK_OIDC_USER_CLASS=null",
		"FLASK_OIDC_GOOGLE_APPS_DOMAIN=example.com", "FLASK_OIDC_USER_INFO_ENABLED=false", "OIDC_COOKIE_SECURE=on",
		"FLASK_OIDC_COOKIE_SECURE=on",
	})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if c.ClientSecrets == nil || len(c.Keys) != 1 || !slices.Equal(c.Scopes, []string{"openid", "email"}) ||
		c.ClockSkew != 30*time.Second ||
		!c.RequireVerifiedEmail || c.Session.Lifetime != time.Hour || c.UserInfo != cognate.UserInfoNever ||
		authorize(t, l).Get("hd") != "example.com" {
		t.Errorf("%+v", l)
	}
	if len(l.Warnings) > 0 {
		t.Errorf("warnings: %q", l.Warnings)
	}
}

func TestFromEnvErrors(t *testing.T) {
	good := []string{"OIDC_CLIENT_SECRETS=" + webJSON(t)}
	for name, tt := range map[string]struct{ variable, want string }{
		"misspelt":               {"OIDC_SCOPEZ=openid", "OIDC_SCOPES"},
		"misspelt after FLASK_":  {"FLASK_OIDC_SCOPEZ=openid", "OIDC_SCOPES"},
		"letters swapped":        {"ODIC_SCOPES=openid", "OIDC_SCOPES"},
		"another value twice":    {`FLASK_OIDC_CLIENT_SECRETS={"web": "` + secret + `"}`, "twice"},
		"empty":                  {"OIDC_GOOGLE_APPS_DOMAIN=", "empty"},
		"key of digits":          {"FLASK_SECRET_KEY=12345", "SECRET_KEY"},
		"key that begins so":     {"FLASK_SECRET_KEY=12345} and so on", "16 bytes"},
		"wrong kind after FLASK": {`FLASK_OIDC_CLOCK_SKEW={"a": 1}`, "OIDC_CLOCK_SKEW"},
	} {
		_, err := flaskoidc.FromEnv(append(good, tt.variable))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v, want %q in it", name, err, tt.want)
		}
	}
}

func TestTooManySettings(t *testing.T) {
	settings := map[string]any{}
	for i := range 10_001 {
		settings[strconv.Itoa(i)] = i
	}
	_, err := flaskoidc.Load(settings)
	if err == nil {
		t.Error("accepted")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(`{"OIDC_SCOPES": "['openid', 'email']", "OIDC_COOKIE_SECURE": "False", "OIDC_CLOCK_SKEW": 1e3}`)
	f.Add(`{"OIDC_GOOGLE_APPS_DOMAIN": "example.com", "OIDC_AUTHORIZE_PARAMS": {"hd": "*"}}`)
	f.Add(`{"OIDC_VALID_ISSUERS": ["https://provider.test/realm"], "OIDC_CALLBACK_ROUTE": "/sub/cb"}`)
	f.Add(`{"OIDC_CLIENT_SECRETS": "{\"web\": {\"client_id\": \"c\"}}", "SECRET_KEY": ["a"]}`)
	f.Add(`{"OIDC_REQUIRE_VERIFIED_EMAIL": true, "OVERWRITE_REDIRECT_URI": "http://[::1]:namedport/"}`)
	f.Fuzz(func(t *testing.T, data string) {
		var more map[string]any
		if json.Unmarshal([]byte(data), &more) != nil {
			return
		}
		if s, ok := more["OIDC_CLIENT_SECRETS"].(string); ok && !strings.Contains(s, "{") {
			return // the path of a file
		}
		l, err := flaskoidc.Load(with(more))
		if err != nil {
			if strings.Contains(err.Error(), strings.Repeat("k", 32)) && !strings.Contains(data, "kkk") {
				t.Errorf("the error holds the key: %v", err)
			}
			return
		}
		for _, w := range l.Warnings {
			if strings.Contains(w, secret) && !strings.Contains(data, secret) {
				t.Errorf("a warning holds the secret: %s", w)
			}
		}
		if more["OIDC_GOOGLE_APPS_DOMAIN"] != nil &&
			(len(l.Config.LoginRules) != 1 || len(l.Config.LoginOptions) == 0) {
			t.Errorf("the domain was dropped: %s", data)
		}
		if more["OIDC_REQUIRE_VERIFIED_EMAIL"] == true && !l.Config.RequireVerifiedEmail {
			t.Errorf("the verified e-mail was dropped: %s", data)
		}
		_, _ = cognate.New(l.Config)
	})
}
