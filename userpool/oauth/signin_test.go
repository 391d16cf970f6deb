package oauth_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
	"github.com/google/go-cmp/cmp"
)

// edit changes Ann as she is stored, behind the pool's back.
func edit(t *testing.T, e *pooltest.Env, change func(body map[string]any)) {
	t.Helper()
	r, ok, err := e.Store.Get(t.Context(), pooltest.PoolID, "user", e.Ann.Sub)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	var body map[string]any
	err = json.Unmarshal(r.Body, &body)
	if err != nil {
		t.Fatal(err)
	}
	change(body)
	r.Body, err = json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	err = e.Store.Apply(t.Context(), pooltest.PoolID, store.Change{Op: store.Update, Record: r})
	if err != nil {
		t.Fatal(err)
	}
}

// signedIn returns the header of a session with these methods.
func signedIn(t *testing.T, e *pooltest.Env, methods ...string) http.Header {
	t.Helper()
	id, _, err := e.Pool.Sessions.Start(t.Context(), e.Ann.Sub, methods, "")
	if err != nil {
		t.Fatal(err)
	}
	return http.Header{"Cookie": {"cognito=" + string(id)}}
}

// outcome says what became of an authorization request: code, login, or the
// error that the app or the person is told.
func outcome(t *testing.T, a pooltest.Answer) string {
	t.Helper()
	to := a.Target(t)
	switch {
	case to.Query().Get("code") != "":
		return "code"
	case strings.HasPrefix(to.String(), loginPage+"?"):
		return "login"
	}
	return to.Query().Get("error")
}

// TestUserStatus has the users whom nothing that they still hold helps: session,
// code, refresh token and access token.
func TestUserStatus(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, member string
		value        any
		refused      bool
	}{
		{"disabled", "Disabled", true, true},
		{"unconfirmed", "Status", "UNCONFIRMED", true},
		{"must change the password", "Status", "FORCE_CHANGE_PASSWORD", true},
		{"must reset the password", "Status", "RESET_REQUIRED", true},
		{"from elsewhere", "Status", "EXTERNAL_PROVIDER", false},
		{"confirmed", "Status", "CONFIRMED", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			session, code, tokens := e.Session(t), e.Code(t), e.Tokens(t)
			edit(t, e, func(body map[string]any) { body[tt.member] = tt.value })
			silent := outcome(t, e.Get(t, "/oauth2/authorize", pooltest.Query(), session))
			redeemed, refreshed := e.Redeem(t, code), e.Refresh(t, tokens["refresh_token"])
			info := e.UserInfo(t, tokens["access_token"])
			if !tt.refused {
				if silent != "code" || redeemed.StatusCode != 200 || refreshed.StatusCode != 200 ||
					info.StatusCode != 200 {
					t.Errorf("got %s, %s, %s, %s", silent, redeemed.Body, refreshed.Body, info.Body)
				}
				return
			}
			if silent != "login" {
				t.Errorf("authorize: got %s, want the sign-in page", silent)
			}
			checkRefused(t, redeemed, "invalid_grant")
			checkRefused(t, refreshed, "invalid_grant")
			checkBearerError(t, info, 401, "invalid_token", textToken)
		})
	}
}

// TestGlobalSignOut checks what ends and what does not.
func TestGlobalSignOut(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	session, code, tokens := e.Session(t), e.Code(t), e.Tokens(t)
	err := e.Pool.Users.GlobalSignOut(t.Context(), "Ann")
	if err != nil {
		t.Fatal(err)
	}
	checkRefused(t, e.Redeem(t, code), "invalid_grant")
	checkRefused(t, e.Refresh(t, tokens["refresh_token"]), "invalid_grant")
	checkBearerError(t, e.UserInfo(t, tokens["access_token"]), 401, "invalid_token", textToken)
	if got := outcome(t, e.Get(t, "/oauth2/authorize", pooltest.Query(), session)); got != "code" {
		t.Errorf("the browser's session: got %s, want a code", got)
	}
	if again := e.UserInfo(t, e.Tokens(t)["access_token"]); again.StatusCode != http.StatusOK {
		t.Errorf("new tokens: got %d %s", again.StatusCode, again.Body)
	}
}

// TestAuthenticationClaims pins acr and amr for what was proven, and that both
// survive a refresh.
func TestAuthenticationClaims(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ methods, acr, amr string }{
		{"pwd", "urn:cognito:loa:1", "pwd"},
		{"sms", "urn:cognito:loa:2", "sms"},
		{"email_otp", "urn:cognito:loa:2", "email_otp"},
		{"swk", "urn:cognito:loa:3", "swk"},
		{"hwk", "urn:cognito:loa:3", "hwk"},
		{"pwd sms", "urn:cognito:loa:3", "pwd sms mfa"},
		{"pwd email_otp mfa", "urn:cognito:loa:3", "pwd email_otp mfa"},
		{"pwd otp", "urn:cognito:loa:4", "pwd otp mfa"},
		{"fed", "fed", "fed"},
		{"", "", ""},
	} {
		t.Run(tt.methods, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			a := e.Get(t, "/oauth2/authorize", pooltest.Query(), signedIn(t, e, strings.Fields(tt.methods)...))
			tokens := e.Redeem(t, a.Target(t).Query().Get("code")).JSON(t)
			refreshed := e.Refresh(t, tokens["refresh_token"]).JSON(t)
			for _, token := range []any{
				tokens["id_token"], tokens["access_token"], refreshed["id_token"], refreshed["access_token"],
			} {
				_, claims := pooltest.Claims(t, token)
				acr, _ := claims["acr"].(string)
				var amr []string
				list, _ := claims["amr"].([]any)
				for _, m := range list {
					amr = append(amr, m.(string))
				}
				if acr != tt.acr || strings.Join(amr, " ") != tt.amr {
					t.Errorf("got acr %q, amr %q", acr, amr)
				}
			}
		})
	}
}

// TestStepUp has acr_values against sessions: the first level that Ann could
// reach must be there.
func TestStepUp(t *testing.T) {
	t.Parallel()
	const l1, l2, l3, l4 = "urn:cognito:loa:1", "urn:cognito:loa:2", "urn:cognito:loa:3", "urn:cognito:loa:4"
	totp := func(body map[string]any) { body["TOTPSecret"] = "JBSWY3DPEHPK3PXP" }
	for _, tt := range []struct {
		name, acr, methods string
		has                func(map[string]any)
		sms                bool // the pool has codes by SMS as second factors
		client             string
		want               string
	}{
		{name: "nothing asked", methods: "pwd", want: "code"},
		{name: "the same", acr: l1, methods: "pwd", want: "code"},
		{name: "more than asked", acr: l1, methods: "pwd otp", want: "code"},
		{name: "out of reach", acr: l4, methods: "pwd", want: "code"},
		{name: "in reach", acr: l4, methods: "pwd", has: totp, want: "login"},
		{name: "reached", acr: l4, methods: "pwd otp", has: totp, want: "code"},
		{name: "second choice", acr: l4 + " " + l3, methods: "pwd", sms: true, want: "login"},
		{name: "second choice reached", acr: l4 + " " + l3, methods: "pwd sms", sms: true, want: "code"},
		{name: "unknown", acr: "urn:mace:incommon:iap:silver " + l4 +
			"4 urn:cognito:loa:9", methods: "pwd", want: "code"},
		{name: "unknown before", acr: "x  " + l4, methods: "pwd", has: totp, want: "login"},
		{name: "a tab separates nothing", acr: "x\t" + l4, methods: "pwd", has: totp, want: "code"},
		{name: "a code alone", acr: l2, methods: "pwd", client: "choice", want: "login"},
		{name: "a code alone, reached", acr: l2, methods: "email_otp", client: "choice", want: "code"},
		{name: "a passkey that she has not", acr: l3, methods: "pwd", client: "choice", want: "code"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t, func(cfg *pool.Config) {
				cfg.Settings.FirstFactors = []string{"PASSWORD", "EMAIL_OTP", "WEB_AUTHN"}
				cfg.Settings.MFA, cfg.Settings.MFATypes = userpool.MFAOptional, []string{"SOFTWARE_TOKEN_MFA"}
				if tt.sms {
					cfg.Settings.MFATypes = []string{"SOFTWARE_TOKEN_MFA", "SMS_MFA"}
				}
			})
			e.AddClient(t, userpool.Client{
				ID: "choice", CallbackURLs: []string{pooltest.Callback}, ExplicitAuthFlows: []string{"ALLOW_USER_AUTH"},
			})
			if tt.has != nil {
				edit(t, e, tt.has)
			}
			client := tt.client
			if client == "" {
				client = "app"
			}
			session := signedIn(t, e, strings.Fields(tt.methods)...)
			q := pooltest.Query("client_id", client, "acr_values", tt.acr)
			if got := outcome(t, e.Get(t, "/oauth2/authorize", q, session)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			q.Set("prompt", "none")
			got := outcome(t, e.Get(t, "/oauth2/authorize", q, session))
			if (got == "login_required") != (tt.want == "login") {
				t.Errorf("prompt=none: got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestResource has the forms of a resource indicator.
func TestResource(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, resource string
		good           bool
	}{
		{"https", "https://api.test/v1", true},
		{"resource server", "https://api.test", true},
		{"localhost", "http://localhost:8080/api", true},
		{"custom scheme", "myapp://api", true},
		{"http elsewhere", "http://api.test/", false},
		{"no URL", "api", false},
		{"path", "/api", false},
		{"fragment", "https://api.test/#x", false},
		{"user info", "https://u@api.test/", false},
		{"script", "javascript:alert(1)", false},
		{"space", "https://api.test/a b", false},
		{"endless", "https://api.test/" + strings.Repeat("a", 1100), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			a := e.Get(t, "/oauth2/authorize", pooltest.Query("resource", tt.resource), e.Session(t))
			if !tt.good {
				if got := outcome(t, a); got != "invalid_request" {
					t.Errorf("got %s, want invalid_request", got)
				}
				return
			}
			tokens := e.Redeem(t, a.Target(t).Query().Get("code")).JSON(t)
			for _, body := range []map[string]any{tokens, e.Refresh(t, tokens["refresh_token"]).JSON(t)} {
				_, access := pooltest.Claims(t, body["access_token"])
				_, id := pooltest.Claims(t, body["id_token"])
				if access["aud"] != tt.resource || id["aud"] != "app" {
					t.Errorf("got aud %v, in the ID token %v", access["aud"], id["aud"])
				}
			}
		})
	}
	e := pooltest.New(t)
	q := pooltest.Query("resource", "https://api.test/")
	q.Add("resource", "https://other.test/")
	if got := outcome(t, e.Get(t, "/oauth2/authorize", q, e.Session(t))); got != "invalid_request" {
		t.Errorf("two resources: got %s, want invalid_request", got)
	}
}

// corp is an identity provider of the pool.
func corp(cfg *pool.Config) {
	cfg.Settings.IdentityProviders = []userpool.IdentityProvider{
		{Name: "Corp", Type: userpool.ProviderOIDC, Identifiers: []string{"corp.test"}, ClientID: "x",
			ClientSecret: "y", Issuer: "https://idp.test"},
		{Name: "Other", Type: userpool.ProviderOIDC, Identifiers: []string{"other.test"}, ClientID: "x",
			ClientSecret: "y", Issuer: "https://other.test"},
	}
}

// TestIdentityProvider checks what identity_provider and idp_identifier lead to.
func TestIdentityProvider(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t, corp)
	for id, providers := range map[string][]string{
		"two": {"COGNITO", "Corp"}, "one": {"Corp"}, "pool": {"COGNITO"},
	} {
		e.AddClient(t, userpool.Client{
			ID: id, CallbackURLs: []string{pooltest.Callback}, SupportedIdentityProviders: providers,
		})
	}
	for _, tt := range []struct {
		name, client, provider, identifier string
		want                               string
		missing                            bool
	}{
		{name: "none", client: "two"},
		{name: "the pool", client: "two", provider: "COGNITO", want: "COGNITO"},
		{name: "by name", client: "two", provider: "Corp", want: "Corp"},
		{name: "by identifier", client: "two", identifier: "corp.test", want: "Corp"},
		{name: "name before identifier", client: "two", provider: "COGNITO", identifier: "corp.test", want: "COGNITO"},
		{name: "not the client's", client: "two", provider: "Other", missing: true},
		{name: "not the client's, by identifier", client: "two", identifier: "other.test", missing: true},
		{name: "unknown", client: "two", provider: "Google", missing: true},
		{name: "unknown identifier", client: "two", identifier: "Corp", missing: true},
		{name: "in lower case", client: "two", provider: "corp", missing: true},
		{name: "no choice", client: "one", want: "Corp"},
		{name: "the pool, which is off", client: "one", provider: "COGNITO", missing: true},
		{name: "only the pool", client: "pool"},
		{name: "not at this client", client: "pool", provider: "Corp", missing: true},
	} {
		q := pooltest.Query("client_id", tt.client, "identity_provider", tt.provider, "idp_identifier", tt.identifier)
		a, err := e.Pool.Grants.ParseAuthorization(t.Context(), q)
		if err != nil || a.Provider != tt.want || a.ProviderMissing != tt.missing {
			t.Errorf("%s: got %+v, %v, want %q, missing %t", tt.name, a, err, tt.want, tt.missing)
		}
	}
}

// TestSessionOfAnotherProvider checks that who asks for a provider gets no
// session that came from elsewhere, and that a client gets none from a provider
// that it does not have.
func TestSessionOfAnotherProvider(t *testing.T) {
	t.Parallel()
	clients := map[string][]string{"two": {"COGNITO", "Corp"}, "local": {"COGNITO"}, "others": {"Corp", "Other"}}
	for _, tt := range []struct{ client, asked, from, want string }{
		{"two", "", "", "code"}, {"two", "COGNITO", "", "code"}, {"two", "Corp", "", "login"},
		{"two", "", "Corp", "code"}, {"two", "COGNITO", "Corp", "login"}, {"two", "Corp", "Corp", "code"},
		{"local", "", "", "code"}, {"local", "", "Corp", "login"},
		{"others", "", "", "login"}, {"others", "", "Corp", "code"}, {"others", "", "Gone", "login"},
	} {
		e := pooltest.New(t, corp)
		for id, providers := range clients {
			e.AddClient(t, userpool.Client{
				ID: id, CallbackURLs: []string{pooltest.Callback}, SupportedIdentityProviders: providers,
			})
		}
		session := signedIn(t, e, "pwd")
		list, err := e.Store.List(t.Context(), pooltest.PoolID, "session", store.Query{Owner: e.Ann.Sub, Limit: 1})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		list[0].Body = []byte(strings.Replace(string(list[0].Body), `"Provider":""`, `"Provider":"`+tt.from+`"`, 1))
		err = e.Store.Apply(t.Context(), pooltest.PoolID, store.Change{Op: store.Update, Record: list[0]})
		if err != nil {
			t.Fatal(err)
		}
		q := pooltest.Query("client_id", tt.client, "identity_provider", tt.asked)
		a := e.Get(t, "/oauth2/authorize", q, session)
		got := outcome(t, a)
		if tt.asked == "Corp" && got != "code" {
			got = "login" // at the provider, which is not there
		}
		if got != tt.want {
			t.Errorf("%s asked for %q with a session of %q: got %s (%s), want %s", tt.client, tt.asked, tt.from, got,
				a.Header.Get("Location"), tt.want)
		}
	}
}

// TestPrompts checks that the values for other identity providers are kept.
func TestPrompts(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	a, err := e.Pool.Grants.ParseAuthorization(t.Context(), pooltest.Query("prompt", "login  select_account consent"))
	want := []string{"login", "select_account", "consent"}
	if err != nil || !slices.Equal(a.Prompts, want) || !a.ForceLogin || a.NoPrompt {
		t.Errorf("got %+v, %v", a, err)
	}
}

// TestIdentities pins the claim, which is objects in the ID token and one string
// in userInfo.
func TestIdentities(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	edit(t, e, func(body map[string]any) {
		body["Identities"] = []map[string]any{
			{"UserID": "u-1", "ProviderName": "Corp", "ProviderType": "SAML", "Issuer": "urn:corp", "Primary": true,
				"Created": "2026-01-02T03:04:05.678Z"},
			{"UserID": "u-2", "ProviderName": "Other", "ProviderType": "OIDC", "Created": "2026-01-02T03:04:05Z"},
		}
	})
	want := []any{
		map[string]any{"userId": "u-1", "providerName": "Corp", "providerType": "SAML", "issuer": "urn:corp",
			"primary": "true", "dateCreated": "1767323045678"},
		map[string]any{"userId": "u-2", "providerName": "Other", "providerType": "OIDC", "issuer": nil,
			"primary": "false", "dateCreated": "1767323045000"},
	}
	tokens := e.Tokens(t, "scope", "openid email")
	_, id := pooltest.Claims(t, tokens["id_token"])
	if diff := cmp.Diff(any(want), id["identities"]); diff != "" {
		t.Errorf("ID token (-want +got):\n%s", diff)
	}
	text, _ := e.UserInfo(t, tokens["access_token"]).JSON(t)["identities"].(string)
	var got any
	err := json.Unmarshal([]byte(text), &got)
	if diff := cmp.Diff(any(want), got); diff != "" || err != nil {
		t.Errorf("userInfo: %v (-want +got):\n%s", err, diff)
	}
	if _, access := pooltest.Claims(t, tokens["access_token"]); access["identities"] != nil {
		t.Error("they are in the access token too")
	}
}
