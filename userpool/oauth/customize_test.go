package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
	"github.com/google/go-cmp/cmp"
)

// readers returns an environment with a client that may read some attributes.
func readers(t *testing.T, read ...string) *pooltest.Env {
	t.Helper()
	e := pooltest.New(t)
	c, ok, err := e.Pool.Clients.Get(t.Context(), "app")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	c.ReadAttributes = read
	_, err = e.Pool.Clients.Update(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestReadAttributes checks that a client sees what it may read and no more, and
// that a scope which promises more brings no tokens.
func TestReadAttributes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, scope string
		read        []string
		want        string // attributes; "invalid_grant": none
	}{
		{"all", "openid", nil, "address custom:plan email email_verified name phone_number phone_number_verified"},
		{"some", "openid", []string{"name", "email"}, "email name"},
		{"a custom one", "openid profile", []string{"custom:plan", "email"}, "custom:plan"},
		{"email", "openid email", []string{"email", "email_verified"}, "email email_verified"},
		{"email, not whether it is verified", "openid email", []string{"email"}, "invalid_grant"},
		{"no phone", "openid phone", []string{"email", "phone_number_verified"}, "invalid_grant"},
		{"profile promises what can be read", "openid profile", []string{"name"}, "name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := readers(t, tt.read...)
			a := e.Redeem(t, e.Code(t, "scope", tt.scope))
			if tt.want == "invalid_grant" {
				checkRefused(t, a, tt.want)
				return
			}
			tokens := a.JSON(t)
			_, id := pooltest.Claims(t, tokens["id_token"])
			info := e.UserInfo(t, tokens["access_token"]).JSON(t)
			for name := range e.Ann.Attributes {
				wanted := strings.Contains(" "+tt.want+" ", " "+name+" ")
				if (id[name] != nil) != wanted || (info[name] != nil) != wanted {
					t.Errorf("%s: in the ID token %v, in userInfo %v, want %t", name, id[name], info[name], wanted)
				}
			}
		})
	}
}

// TestReadAttributesAtRefresh checks that what was taken from a client is gone
// from the next tokens on, and from userInfo at once.
func TestReadAttributesAtRefresh(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	tokens := e.Tokens(t, "scope", "openid")
	e.App.ReadAttributes = []string{"name"}
	_, err := e.Pool.Clients.Update(t.Context(), e.App)
	if err != nil {
		t.Fatal(err)
	}
	_, id := pooltest.Claims(t, e.Refresh(t, tokens["refresh_token"]).JSON(t)["id_token"])
	info := e.UserInfo(t, tokens["access_token"]).JSON(t)
	if id["email"] != nil || info["email"] != nil || id["name"] != "Ann Ü" || info["name"] != "Ann Ü" {
		t.Errorf("got %v and %v", id, info)
	}
}

func precedence(n int) *int { return &n }

// TestGroupClaims has the order of groups and what becomes of their roles.
func TestGroupClaims(t *testing.T) {
	t.Parallel()
	const r1, r2 = "arn:aws:iam::123456789012:role/one", "arn:aws:iam::123456789012:role/two"
	for _, tt := range []struct {
		name, groups, roles, preferred string
		list                           []userpool.Group
	}{
		{"unknown to the pool", "zebra admins", "", "", nil},
		{"by precedence", "admins zebra", r2 + " " + r1, r2, []userpool.Group{
			{Name: "zebra", RoleARN: r1, Precedence: precedence(5)},
			{Name: "admins", RoleARN: r2, Precedence: precedence(0)},
		}},
		{"none comes last", "admins zebra", r1, r1, []userpool.Group{
			{Name: "zebra", RoleARN: r1}, {Name: "admins", Precedence: precedence(9)},
		}},
		{"tie with one role", "zebra admins", r1, r1, []userpool.Group{
			{Name: "zebra", RoleARN: r1, Precedence: precedence(1)},
			{Name: "admins", RoleARN: r1, Precedence: precedence(1)},
		}},
		{"tie with two roles", "zebra admins", r1 + " " + r2, "", []userpool.Group{
			{Name: "zebra", RoleARN: r1, Precedence: precedence(1)},
			{Name: "admins", RoleARN: r2, Precedence: precedence(1)},
		}},
		{"tie without precedence", "zebra admins", r1 + " " + r2, "", []userpool.Group{
			{Name: "zebra", RoleARN: r1}, {Name: "admins", RoleARN: r2},
		}},
		{"a group of others", "zebra admins", "", "", []userpool.Group{
			{Name: "others", RoleARN: r1, Precedence: precedence(0)},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t, func(cfg *pool.Config) { cfg.Settings.Groups = tt.list })
			tokens := e.Tokens(t)
			_, id := pooltest.Claims(t, tokens["id_token"])
			_, access := pooltest.Claims(t, tokens["access_token"])
			preferred, _ := id["cognito:preferred_role"].(string)
			if join(id["cognito:groups"]) != tt.groups || join(access["cognito:groups"]) != tt.groups ||
				join(id["cognito:roles"]) != tt.roles || preferred != tt.preferred {
				t.Errorf("got %v", id)
			}
			if access["cognito:roles"] != nil || access["cognito:preferred_role"] != nil {
				t.Errorf("the access token has roles: %v", access)
			}
		})
	}
}

// join joins a list of strings.
func join(v any) string {
	list, _ := v.([]any)
	words := make([]string, 0, len(list))
	for _, w := range list {
		words = append(words, w.(string))
	}
	return strings.Join(words, " ")
}

// TestNoRevocation checks a client whose tokens cannot be revoked.
func TestNoRevocation(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	e.App.DisableRevocation = true
	_, err := e.Pool.Clients.Update(t.Context(), e.App)
	if err != nil {
		t.Fatal(err)
	}
	tokens := e.Tokens(t)
	for _, kind := range []string{"id_token", "access_token"} {
		_, claims := pooltest.Claims(t, tokens[kind])
		if claims["jti"] != nil || claims["origin_jti"] != nil || claims["event_id"] == nil {
			t.Errorf("%s: got %v", kind, claims)
		}
	}
	refresh, _ := tokens["refresh_token"].(string)
	a := e.Post(t, "/oauth2/revoke", url.Values{"token": {refresh}}, pooltest.Basic("app", e.App.Secret))
	checkRevoked(t, "revocation is off", a, 400, "invalid_request")
	if e.UserInfo(t, tokens["access_token"]).StatusCode != 200 || e.Refresh(t, refresh).StatusCode != 200 {
		t.Error("the tokens do not work")
	}
	err = e.Pool.Users.GlobalSignOut(t.Context(), e.Ann.Sub)
	if err != nil {
		t.Fatal(err)
	}
	checkBearerError(t, e.UserInfo(t, tokens["access_token"]), 401, "invalid_token", textToken)
	e.Clock.Advance(1e9)
	if got := e.UserInfo(t, e.Tokens(t)["access_token"]).StatusCode; got != http.StatusOK {
		t.Errorf("tokens after the sign-out: got %d", got)
	}
}

// TestSecondSecret replaces a secret without a gap.
func TestSecondSecret(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	e.App.SecondSecret = "second0second0second0second0"
	app, err := e.Pool.Clients.Update(t.Context(), e.App)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}
	for secret, want := range map[userpool.Secret]string{
		app.Secret: "invalid_grant", app.SecondSecret: "invalid_grant", "third": "invalid_client",
		app.Secret + app.SecondSecret: "invalid_client",
	} {
		checkRefused(t, e.Post(t, "/oauth2/token", form, pooltest.Basic("app", secret)), want)
	}
	app.Secret, app.SecondSecret = app.SecondSecret, ""
	_, err = e.Pool.Clients.Update(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	checkRefused(t, e.Post(t, "/oauth2/token", form, pooltest.Basic("app", e.App.Secret)), "invalid_client")
	checkRefused(t, e.Post(t, "/oauth2/token", form, pooltest.Basic("app", app.Secret)), "invalid_grant")
}

// TestDeletedClient checks that nothing of a client that is gone works.
func TestDeletedClient(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	tokens := e.Tokens(t)
	err := e.Pool.Clients.Delete(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	checkBearerError(t, e.UserInfo(t, tokens["access_token"]), 401, "invalid_token", textToken)
	checkRefused(t, e.Refresh(t, tokens["refresh_token"]), "invalid_client")
}

// customizing gives the pool a pre token generation trigger of this version.
func customizing(version, response string, events *[]map[string]any, fault error) func(*pool.Config) {
	return func(cfg *pool.Config) {
		cfg.Settings.Groups = []userpool.Group{{Name: "admins", RoleARN: "arn:aws:iam::123456789012:role/a"}}
		cfg.Settings.Triggers = map[string]userpool.Trigger{
			userpool.TriggerPreToken: {URL: "http://trigger.test/", Version: version},
		}
		cfg.Invoke = func(_ context.Context, _ userpool.Trigger, event []byte) ([]byte, error) {
			var e map[string]any
			err := json.Unmarshal(event, &e)
			if events != nil {
				*events = append(*events, e)
			}
			return []byte(`{"response":` + response + `}`), errors.Join(fault, err)
		}
	}
}

// TestSignedOutMeanwhile ends everything of a user while a trigger thinks about
// their tokens: those it has not met must not live on.
func TestSignedOutMeanwhile(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(context.Context, *pool.Pool, string) error{
		"signed out": func(ctx context.Context, p *pool.Pool, sub string) error {
			return p.Users.GlobalSignOut(
				ctx, sub,
			)
		},
		"deleted":  func(ctx context.Context, p *pool.Pool, sub string) error { return p.Users.Delete(ctx, sub) },
		"disabled": func(ctx context.Context, p *pool.Pool, sub string) error { return p.Users.Disable(ctx, sub) },
	} {
		for _, kind := range []string{"code", "token"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				var e *pooltest.Env
				e = pooltest.New(t, func(cfg *pool.Config) {
					cfg.Settings.Triggers = map[string]userpool.Trigger{
						userpool.TriggerPreToken: {URL: "http://trigger.test/"},
					}
					cfg.Invoke = func(ctx context.Context, _ userpool.Trigger, event []byte) ([]byte, error) {
						return event, end(ctx, e.Pool, e.Ann.Sub)
					}
				})
				e.AddClient(t, userpool.Client{
					ID: "both", CallbackURLs: []string{pooltest.Callback},
					AllowedOAuthFlows: []string{"code", "implicit"},
				})
				if kind == "code" {
					checkRefused(t, e.Redeem(t, e.Code(t)), "invalid_grant")
				} else {
					q := pooltest.Query("client_id", "both", "response_type", "token")
					to := e.Get(t, "/oauth2/authorize", q, e.Session(t)).Target(t)
					if got := to.EscapedFragment(); !strings.Contains(got, "error_description=invalid_grant") {
						t.Errorf("got %s", got)
					}
				}
				list, err := e.Store.List(
					t.Context(), pooltest.PoolID, "refresh", store.Query{Owner: e.Ann.Sub, Limit: 1},
				)
				if err != nil || len(list) > 0 {
					t.Errorf("%d token families are left (%v)", len(list), err)
				}
			})
		}
	}
}

// TestPreTokenEvent pins the events, one for each version and grant.
func TestPreTokenEvent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ version, number string }{{"", "1"}, {"V1_0", "1"}, {"V2_0", "2"}, {"V3_0", "3"}} {
		t.Run("version "+tt.version, func(t *testing.T) {
			t.Parallel()
			var got []map[string]any
			e := pooltest.New(t, customizing(tt.version, "{}", &got, nil))
			tokens := e.Tokens(t, "scope", "openid email")
			e.Refresh(t, tokens["refresh_token"])
			response, request := map[string]any{"claimsOverrideDetails": nil}, map[string]any{
				"userAttributes": map[string]any{
					"sub": e.Ann.Sub, "cognito:user_status": "CONFIRMED", "email": "ann@example.com",
					"email_verified": "true", "phone_number": "+4930123456", "phone_number_verified": "false",
					"name": "Ann Ü", "custom:plan": "7", "address": "Main St. 1",
				},
				"groupConfiguration": map[string]any{
					"groupsToOverride":   []any{"zebra", "admins"},
					"iamRolesToOverride": []any{"arn:aws:iam::123456789012:role/a"},
					"preferredRole":      "arn:aws:iam::123456789012:role/a",
				},
			}
			if tt.number != "1" {
				response = map[string]any{"claimsAndScopeOverrideDetails": nil}
				request["scopes"] = []any{"openid", "email"}
			}
			var want []map[string]any
			for _, source := range []string{"TokenGeneration_HostedAuth", "TokenGeneration_RefreshTokens"} {
				want = append(want, map[string]any{
					"version": tt.number, "triggerSource": source, "region": "local", "userPoolId": pooltest.PoolID,
					"userName":      "Ann",
					"callerContext": map[string]any{"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "app"},
					"request":       request, "response": response,
				})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMachineEvent checks that only the newest event is about machines, and that
// it brings the metadata.
func TestMachineEvent(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"V1_0", "V2_0", "V3_0"} {
		var events []map[string]any
		const response = `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{
			"claimsToAddOrOverride":{"tenant":"t-1","client_id":"other"},"claimsToSuppress":["jti","sub"],
			"scopesToAdd":["extra"],"scopesToSuppress":["https://api.test/read"]}}}`
		e, c := newMachine(t, customizing(version, response, &events, nil))
		a := machineToken(t, e, c, "aws_client_metadata", `{"on":"behalf"}`)
		_, claims := pooltest.Claims(t, a.JSON(t)["access_token"])
		if version != "V3_0" {
			if len(events) != 0 || claims["tenant"] != nil {
				t.Errorf("%s: got events %v and %v", version, events, claims)
			}
			continue
		}
		want := []map[string]any{{
			"version": "3", "triggerSource": "TokenGeneration_ClientCredentials", "region": "local",
			"userPoolId":    pooltest.PoolID,
			"callerContext": map[string]any{"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "machine"},
			"request": map[string]any{
				"userAttributes": map[string]any{}, "clientMetadata": map[string]any{"on": "behalf"},
				"scopes": []any{"https://api.test/read", "https://api.test/write"},
				"groupConfiguration": map[string]any{
					"groupsToOverride": []any{}, "iamRolesToOverride": []any{}, "preferredRole": nil,
				},
			},
			"response": map[string]any{"claimsAndScopeOverrideDetails": nil},
		}}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Errorf("event differs (-want +got):\n%s", diff)
		}
		if claims["tenant"] != "t-1" || claims["client_id"] != "machine" || claims["sub"] != "machine" ||
			claims["jti"] == nil || claims["scope"] != "https://api.test/write extra" {
			t.Errorf("got claims %v", claims)
		}
	}
}

// TestCustomClaims has what a trigger can change, and what it cannot.
func TestCustomClaims(t *testing.T) {
	t.Parallel()
	everything := `"acr":"x","amr":"x","at_hash":"x","aud":"x","auth_time":"x","azp":"x","cognito:username":"x",
		"exp":"x","iat":"x","identities":"x","iss":"x","jti":"x","nbf":"x","nonce":"x","origin_jti":"x","sub":"x",
		"token_use":"x"`
	groups := `"groupOverrideDetails":{"groupsToOverride":["g"],"iamRolesToOverride":["r"],"preferredRole":"r"}`
	for _, tt := range []struct {
		name, version, response string
		id, access              map[string]any // what they must have; nil value: must not
	}{
		{"nothing", "V1_0", `{"claimsOverrideDetails":null}`, map[string]any{"email": "ann@example.com"}, nil},
		{"add, change and drop", "V1_0", `{"claimsOverrideDetails":{
			"claimsToAddOrOverride":{"tenant":"t","name":"N"},"claimsToSuppress":["email","nothing"]}}`,
			map[string]any{"tenant": "t", "name": "N", "email": nil}, map[string]any{"tenant": nil}},
		{"groups", "V1_0", `{"claimsOverrideDetails":{` + groups + `}}`,
			map[string]any{"cognito:groups": []any{"g"}, "cognito:roles": []any{"r"}, "cognito:preferred_role": "r"},
			map[string]any{"cognito:groups": []any{"g"}, "cognito:roles": nil}},
		{"no groups", "V1_0", `{"claimsOverrideDetails":{"groupOverrideDetails":{"groupsToOverride":[]}}}`,
			map[string]any{"cognito:groups": nil, "cognito:roles": nil, "cognito:preferred_role": nil},
			map[string]any{"cognito:groups": nil}},
		{"the other version's answer", "V1_0", `{"claimsAndScopeOverrideDetails":{"idTokenGeneration":{
			"claimsToAddOrOverride":{"tenant":"t"}}}}`, map[string]any{"tenant": nil}, nil},
		{"the first version's answer", "V2_0", `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"tenant":"t"}}}`,
			map[string]any{"tenant": nil}, nil},
		{"protected", "V1_0", `{"claimsOverrideDetails":{"claimsToAddOrOverride":{` + everything + `},
			"claimsToSuppress":["sub","aud","exp","iss","token_use"]}}`,
			map[string]any{"aud": "app", "token_use": "id", "cognito:username": "Ann", "nbf": nil, "azp": nil,
				"identities": nil, "nonce": nil, "acr": "urn:cognito:loa:1"}, nil},
		{"both tokens", "V2_0", `{"claimsAndScopeOverrideDetails":{
			"idTokenGeneration":{"claimsToAddOrOverride":{"plan":{"size":3,"tags":["a"]}},"claimsToSuppress":["email"]},
			"accessTokenGeneration":{"claimsToAddOrOverride":{"tenant":["t",true]},
			"claimsToSuppress":["cognito:groups"],
			"scopesToAdd":["orders:read","email"],"scopesToSuppress":["openid"]}}}`,
			map[string]any{"plan": map[string]any{"size": 3.0, "tags": []any{"a"}}, "email": nil, "tenant": nil},
			map[string]any{"tenant": []any{"t", true}, "cognito:groups": nil, "scope": "email orders:read"}},
		{"groups in both", "V2_0", `{"claimsAndScopeOverrideDetails":{` + groups + `}}`,
			map[string]any{"cognito:groups": []any{"g"}, "cognito:preferred_role": "r"},
			map[string]any{"cognito:groups": []any{"g"}, "cognito:preferred_role": nil}},
		{"protected in both", "V3_0", `{"claimsAndScopeOverrideDetails":{
			"idTokenGeneration":{"claimsToAddOrOverride":{` + everything + `}},
			"accessTokenGeneration":{"claimsToAddOrOverride":{` + everything + `,"client_id":"x","username":"x",
			"scope":"x","version":"x","device_key":"x","event_id":"x"},
			"claimsToSuppress":["scope","username","sub"]}}}`,
			map[string]any{"aud": "app", "token_use": "id"},
			map[string]any{"client_id": "app", "username": "Ann", "scope": "openid email", "version": 2.0,
				"device_key": nil, "token_use": "access", "aud": nil}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t, customizing(tt.version, tt.response, nil, nil))
			tokens := e.Tokens(t, "scope", "openid email", "prompt", "")
			_, id := pooltest.Claims(t, tokens["id_token"])
			_, access := pooltest.Claims(t, tokens["access_token"])
			for name, want := range tt.id {
				if diff := cmp.Diff(want, id[name]); diff != "" {
					t.Errorf("ID token, %s: %s", name, diff)
				}
			}
			for name, want := range tt.access {
				if diff := cmp.Diff(want, access[name]); diff != "" {
					t.Errorf("access token, %s: %s", name, diff)
				}
			}
			if id["sub"] != e.Ann.Sub || access["sub"] != e.Ann.Sub || id["at_hash"] == "x" {
				t.Errorf("got %v and %v", id, access)
			}
		})
	}
}

// TestLongTokens adds about as much as there is room for: userInfo takes the token.
func TestLongTokens(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t, customizing("V2_0", `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":`+
		`{"claimsToAddOrOverride":{"a":"`+strings.Repeat("x", 45<<10)+`"}}}}`, nil, nil))
	if a := e.UserInfo(t, e.Tokens(t)["access_token"]); a.StatusCode != http.StatusOK {
		t.Errorf("got %d %s", a.StatusCode, a.Body)
	}
}

// TestPreTokenFails checks what the app is told, on both surfaces, and that no
// token gets out.
func TestPreTokenFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, version, response string
		fault                   error
		want                    string
	}{
		{"refusal", "V1_0", "{}", &userpool.TriggerRefusal{Message: "not today"},
			"PreTokenGeneration failed with error not today."},
		{"failure", "V1_0", "{}", errors.New("no route to 10.0.0.1"), "PreTokenGeneration invocation failed"},
		{"objects in version 1", "V1_0", `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"a":{}}}}`, nil,
			"Unrecognizable lambda output"},
		{"a list for an object", "V2_0", `{"claimsAndScopeOverrideDetails":[]}`, nil, "Unrecognizable lambda output"},
		{"a scope with a space", "V2_0",
			`{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"scopesToAdd":["a b"]}}}`, nil,
			"Unrecognizable lambda output"},
		{"a token that nobody takes", "V2_0", `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":` +
			`{"claimsToAddOrOverride":{"a":"` + strings.Repeat("x", 48<<10) + `"}}}}`, nil,
			"Unrecognizable lambda output"},
		{"such an ID token", "V1_0", `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"a":"` +
			strings.Repeat("x", 900<<10) + `"}}}`, nil, "Unrecognizable lambda output"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newImplicit(t, customizing(tt.version, tt.response, nil, tt.fault))
			checkRefused(t, e.Redeem(t, e.Code(t)), "invalid_request:"+tt.want)
			_, got := fragment(t, e, implicitQuery())
			if got.Get("error") != "invalid_request" || got.Get("error_description") != tt.want ||
				got.Has("access_token") {
				t.Errorf("implicit: got %v", got)
			}
		})
	}
}
