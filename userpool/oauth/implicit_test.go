package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/google/go-cmp/cmp"
)

// newImplicit returns an environment with the client "spa", which may use the
// implicit grant alone.
func newImplicit(t *testing.T, changes ...func(*pool.Config)) *pooltest.Env {
	t.Helper()
	e := pooltest.New(t, changes...)
	e.AddClient(t, userpool.Client{
		ID: "spa", CallbackURLs: []string{pooltest.Callback + "?x=1", pooltest.Callback},
		AllowedOAuthFlows:  []string{"implicit"},
		AllowedOAuthScopes: []string{"openid", "email", "https://api.test/read"},
	})
	return e
}

func implicitQuery(pairs ...string) url.Values {
	return pooltest.Query(append([]string{"client_id", "spa", "response_type", "token"}, pairs...)...)
}

// fragment authorizes and returns what is behind the # of the answer.
func fragment(t *testing.T, e *pooltest.Env, q url.Values) (raw string, values url.Values) {
	t.Helper()
	a := e.Get(t, "/oauth2/authorize", q, e.Session(t))
	uri, raw, ok := strings.Cut(a.Header.Get("Location"), "#")
	if a.StatusCode != http.StatusFound || !ok || uri != q.Get("redirect_uri") {
		t.Fatalf("got %d to %s, want 302 to %s#...", a.StatusCode, a.Header.Get("Location"), q.Get("redirect_uri"))
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		t.Fatal(err)
	}
	return raw, values
}

func TestImplicit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		pairs []string
		want  string // the names, in their order
	}{
		{"openid", nil, "id_token access_token token_type expires_in state"},
		{"without openid", []string{"scope", "https://api.test/read"}, "access_token token_type expires_in state"},
		{"without state", []string{"state", ""}, "id_token access_token token_type expires_in"},
		{"registered query", []string{"redirect_uri", pooltest.Callback + "?x=1"},
			"id_token access_token token_type expires_in state"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newImplicit(t)
			raw, got := fragment(t, e, implicitQuery(tt.pairs...))
			var names []string
			for pair := range strings.SplitSeq(raw, "&") {
				name, _, _ := strings.Cut(pair, "=")
				names = append(names, name)
			}
			if strings.Join(names, " ") != tt.want || got.Get("token_type") != "Bearer" ||
				got.Get("expires_in") != "3600" {
				t.Errorf("got %s, want %s", raw, tt.want)
			}
		})
	}
}

func TestImplicitTokens(t *testing.T) {
	t.Parallel()
	e := newImplicit(t)
	_, got := fragment(t, e, implicitQuery("nonce", "n", "scope", "openid email", "resource", "https://api.test/"))
	_, id := pooltest.Claims(t, got.Get("id_token"))
	_, access := pooltest.Claims(t, got.Get("access_token"))
	if id["nonce"] != "n" || id["aud"] != "spa" || id["email"] != "ann@example.com" || id["at_hash"] == nil {
		t.Errorf("ID token: got %v", id)
	}
	if access["scope"] != "openid email" || access["client_id"] != "spa" || access["aud"] != "https://api.test/" {
		t.Errorf("access token: got %v", access)
	}
	if a := e.UserInfo(t, got.Get("access_token")); a.StatusCode != http.StatusOK {
		t.Errorf("userInfo: got %d %s", a.StatusCode, a.Body)
	}
	// What is stored of the family is no refresh token, and it ends with the tokens.
	form := url.Values{
		"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {got.Get("access_token")},
	}
	checkRefused(t, e.Post(t, "/oauth2/token", form, nil), "invalid_grant")
	err := e.Pool.Users.GlobalSignOut(t.Context(), e.Ann.Sub)
	if err != nil {
		t.Fatal(err)
	}
	checkBearerError(t, e.UserInfo(t, got.Get("access_token")), 401, "invalid_token", textToken)
}

// TestImplicitOnly checks that a client has the flows that it was given.
func TestImplicitOnly(t *testing.T) {
	t.Parallel()
	e := newImplicit(t)
	e.AddClient(t, userpool.Client{
		ID: "both", CallbackURLs: []string{pooltest.Callback}, AllowedOAuthFlows: []string{"code", "implicit"},
	})
	for _, tt := range []struct{ client, kind, want string }{
		{"spa", "token", ""}, {"both", "token", ""}, {"both", "code", ""},
		{"spa", "code", "unauthorized_client"}, {"app", "token", "unauthorized_client"},
	} {
		q := pooltest.Query("client_id", tt.client, "response_type", tt.kind)
		to := e.Get(t, "/oauth2/authorize", q, e.Session(t)).Target(t)
		raw := to.RawQuery
		if tt.kind == "token" {
			raw = to.EscapedFragment()
		}
		got, err := url.ParseQuery(raw)
		if err != nil || got.Get("error") != tt.want || got.Get("state") != "S" {
			t.Errorf("%s, %s: got %s, want error %q", tt.client, tt.kind, to, tt.want)
		}
	}
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {"x"},
		"redirect_uri": {pooltest.Callback}}
	checkRefused(t, e.Post(t, "/oauth2/token", form, nil), "unauthorized_client")
}

// TestImplicitErrors has the faults that come back in the fragment, and nothing
// of them in the query.
func TestImplicitErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		pairs []string
		want  map[string]string
	}{
		{"scope", []string{"scope", "offline_access"},
			map[string]string{"error": "invalid_request", "error_description": "invalid_scope"}},
		{"PKCE", []string{"code_challenge", pooltest.Challenge, "code_challenge_method", "S256"},
			map[string]string{"error": "invalid_request"}},
		{"resource", []string{"resource", "api"}, map[string]string{"error": "invalid_request"}},
		{"prompt none", []string{"prompt", "none", "max_age", "0"}, map[string]string{"error": "login_required"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, got := fragment(t, newImplicit(t), implicitQuery(tt.pairs...))
			for name, want := range tt.want {
				if got.Get(name) != want || got.Get("state") != "S" || got.Has("access_token") {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			}
		})
	}
}

// TestImplicitEnds checks that the access token ends when it says so.
func TestImplicitEnds(t *testing.T) {
	t.Parallel()
	e := newImplicit(t)
	_, got := fragment(t, e, implicitQuery())
	e.Clock.Advance(time.Hour)
	checkBearerError(t, e.UserInfo(t, got.Get("access_token")), 401, "invalid_token", textToken)
}

// TestImplicitStopsTheDisabled checks that no token is made for who may not have
// one, although the session is there.
func TestImplicitStopsTheDisabled(t *testing.T) {
	t.Parallel()
	e := newImplicit(t)
	session := e.Session(t)
	err := e.Pool.Users.Disable(t.Context(), "Ann")
	if err != nil {
		t.Fatal(err)
	}
	got := e.Get(t, "/oauth2/authorize", implicitQuery(), session).Header.Get("Location")
	if !strings.HasPrefix(got, loginPage) {
		t.Errorf("got %s, want the sign-in page", got)
	}
}

// newMachine returns an environment with the client "machine".
func newMachine(t *testing.T, changes ...func(*pool.Config)) (*pooltest.Env, userpool.Client) {
	t.Helper()
	e := pooltest.New(t, changes...)
	return e, e.AddClient(t, userpool.Client{
		ID: "machine", GenerateSecret: true, AllowedOAuthFlows: []string{"client_credentials"},
		AllowedOAuthScopes: []string{"https://api.test/read", "https://api.test/write"},
	})
}

func machineToken(t *testing.T, e *pooltest.Env, c userpool.Client, pairs ...string) pooltest.Answer {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return e.Post(t, "/oauth2/token", form, pooltest.Basic(c.ID, c.Secret))
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	e, c := newMachine(t)
	a := machineToken(t, e, c)
	body := a.JSON(t)
	if a.StatusCode != http.StatusOK || len(body) != 3 || body["expires_in"] != 3600.0 ||
		body["token_type"] != "Bearer" {
		t.Fatalf("got %d %s", a.StatusCode, a.Body)
	}
	_, got := pooltest.Claims(t, body["access_token"])
	now := float64(e.Clock.Now().Unix())
	want := map[string]any{
		"sub": "machine", "client_id": "machine", "token_use": "access",
		"scope": "https://api.test/read https://api.test/write", "iss": pooltest.BaseURL + "/" + pooltest.PoolID,
		"iat": now, "exp": now + 3600, "auth_time": now, "jti": got["jti"], "version": 2.0,
	}
	if diff := cmp.Diff(want, got); diff != "" || got["jti"] == "" {
		t.Errorf("claims differ (-want +got):\n%s", diff)
	}
	checkBearerError(t, e.UserInfo(t, body["access_token"]), 401, "invalid_token", textOpenID)
	token, _ := body["access_token"].(string)
	revoked := e.Post(t, "/oauth2/revoke", url.Values{"token": {token}}, pooltest.Basic(c.ID, c.Secret))
	checkRevoked(t, "machine token", revoked, 400, "unsupported_token_type")
}

func TestMachineScopes(t *testing.T) {
	t.Parallel()
	const read, write = "https://api.test/read", "https://api.test/write"
	for _, tt := range []struct {
		name, scope string
		ignore      bool
		want        string // empty: invalid_scope
	}{
		{"one", write, false, write},
		{"one, twice", write + "  " + write, false, write},
		{"in another order", write + " " + read, false, write + " " + read},
		{"foreign", read + " https://api.test/delete", false, ""},
		{"openid", "openid", false, ""},
		{"foreign, ignored", read + " openid", true, read},
		{"only foreign, ignored", "openid", true, ""},
		{"too many", read + strings.Repeat(" x", 5000), false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, c := newMachine(t, func(cfg *pool.Config) { cfg.Settings.IgnoreUnknownScopes = tt.ignore })
			a := machineToken(t, e, c, "scope", tt.scope)
			if tt.want == "" {
				checkRefused(t, a, "invalid_scope")
				return
			}
			_, claims := pooltest.Claims(t, a.JSON(t)["access_token"])
			if claims["scope"] != tt.want {
				t.Errorf("got %v, want %s", claims["scope"], tt.want)
			}
		})
	}
}

// TestMachineGrantIsRefused has who gets no token, and with what.
func TestMachineGrantIsRefused(t *testing.T) {
	t.Parallel()
	e, c := newMachine(t)
	wrong := c
	wrong.Secret = "wrong"
	for _, tt := range []struct {
		name   string
		client userpool.Client
		pairs  []string
		want   string
	}{
		{"not allowed", e.App, nil, "unauthorized_client"},
		{"wrong secret", wrong, nil, "invalid_client"},
		{"metadata not JSON", c, []string{"aws_client_metadata", "x=y"}, "invalid_request"},
		{"metadata an array", c, []string{"aws_client_metadata", `["a"]`}, "invalid_request"},
		{"metadata null", c, []string{"aws_client_metadata", `null`}, "invalid_request"},
		{"metadata not strings", c, []string{"aws_client_metadata", `{"a":1}`}, "invalid_request"},
		{"metadata and more", c, []string{"aws_client_metadata", `{"a":"1"} {}`}, "invalid_request"},
	} {
		checkRefused(t, machineToken(t, e, tt.client, tt.pairs...), tt.want)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"machine"}}
	checkRefused(t, e.Post(t, "/oauth2/token", form, nil), "invalid_client")
	form.Set("client_id", "public")
	checkRefused(t, e.Post(t, "/oauth2/token", form, nil), "unauthorized_client")
	to := e.Get(t, "/oauth2/authorize", pooltest.Query("client_id", "machine"), nil).Header.Get("Location")
	if !strings.HasPrefix(to, pooltest.BaseURL+"/error?error=redirect_mismatch") {
		t.Errorf("authorize: got %s", to)
	}
}

// TestScopeOfNoServer checks that a scope which is gone is left out of tokens,
// and that everything else goes on.
func TestScopeOfNoServer(t *testing.T) {
	t.Parallel()
	e, c := newMachine(t)
	first := e.Tokens(t, "scope", "openid https://api.test/read")
	s := *e.Pool.Settings()
	s.ResourceServers = pooltest.ResourceServers()
	s.ResourceServers[0].Scopes = s.ResourceServers[0].Scopes[1:]
	err := e.Pool.Configure(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]any{
		"code":    e.Tokens(t, "scope", "openid https://api.test/read")["access_token"],
		"refresh": e.Refresh(t, first["refresh_token"]).JSON(t)["access_token"],
	} {
		if _, claims := pooltest.Claims(t, token); claims["scope"] != "openid" {
			t.Errorf("%s: got scope %v, want openid", name, claims["scope"])
		}
	}
	_, claims := pooltest.Claims(t, machineToken(t, e, c).JSON(t)["access_token"])
	if claims["scope"] != "https://api.test/write" {
		t.Errorf("client_credentials: got scope %v", claims["scope"])
	}
}
