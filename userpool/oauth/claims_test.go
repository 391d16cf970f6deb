package oauth_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// TestIDToken pins every claim and its type.
func TestIDToken(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	tokens := e.Tokens(t, "scope", "openid", "nonce", "n é")
	header, got := pooltest.Claims(t, tokens["id_token"])
	_, access := pooltest.Claims(t, tokens["access_token"])
	now := float64(e.Clock.Now().Unix())
	want := map[string]any{
		"sub": e.Ann.Sub, "iss": pooltest.BaseURL + "/" + pooltest.PoolID, "aud": "app", "token_use": "id",
		"auth_time": now, "iat": now, "exp": now + 3600, "nonce": "n é", "cognito:username": "Ann",
		"cognito:groups": []any{"zebra", "admins"}, "email": "ann@example.com", "email_verified": true,
		"phone_number": "+4930123456", "phone_number_verified": false, "name": "Ann Ü", "custom:plan": "7",
		"address": map[string]any{"formatted": "Main St. 1"},
		"jti":     got["jti"], "origin_jti": access["origin_jti"], "event_id": access["event_id"],
		"at_hash": got["at_hash"], "acr": "urn:cognito:loa:1", "amr": []any{"pwd"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims differ (-want +got):\n%s", diff)
	}
	if got["jti"] == access["jti"] {
		t.Error("both tokens have one jti")
	}
	form := regexp.MustCompile(`^\{"kid":"[A-Za-z0-9+/]{43}=","alg":"RS256"\}$`)
	if !form.MatchString(header) {
		t.Errorf("header is %s", header)
	}
}

// TestCustomAttributeInIDToken sets attributes whose names are not plain words.
func TestCustomAttributeInIDToken(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	want := map[string]string{
		"custom:tenant.id": "a", "custom:a/b": "b", "custom:a:b": "c", "custom:größe": "d", `custom:"`: "e",
	}
	_, err := e.Pool.Users.UpdateAttributes(t.Context(), e.Ann.Sub, want)
	if err != nil {
		t.Fatal(err)
	}
	_, got := pooltest.Claims(t, e.Tokens(t, "scope", "openid profile")["id_token"])
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: got %v, want %q", name, got[name], value)
		}
	}
}

// TestAccessToken pins every claim and its type.
func TestAccessToken(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	tokens := e.Tokens(t, "scope", "openid email openid")
	_, got := pooltest.Claims(t, tokens["access_token"])
	now := float64(e.Clock.Now().Unix())
	want := map[string]any{
		"sub": e.Ann.Sub, "iss": pooltest.BaseURL + "/" + pooltest.PoolID, "client_id": "app",
		"token_use": "access", "scope": "openid email", "auth_time": now, "iat": now, "exp": now + 3600,
		"version": 2.0, "username": "Ann", "cognito:groups": []any{"zebra", "admins"},
		"jti": got["jti"], "origin_jti": got["origin_jti"], "event_id": got["event_id"],
		"acr": "urn:cognito:loa:1", "amr": []any{"pwd"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims differ (-want +got):\n%s", diff)
	}
}

// TestScopesOpenAttributes checks which attributes the scopes bring, in the ID
// token and in userInfo.
func TestScopesOpenAttributes(t *testing.T) {
	t.Parallel()
	all := "address custom:plan email email_verified name phone_number phone_number_verified"
	for scope, want := range map[string]string{
		"openid": all, "openid aws.cognito.signin.user.admin": all, "openid https://api.test/read": all,
		"openid email": "email email_verified", "openid phone": "phone_number phone_number_verified",
		"openid profile":             "custom:plan name",
		"openid email phone profile": strings.TrimPrefix(all, "address "),
		"":                           strings.TrimPrefix(all, "address "), // all of the client's scopes
	} {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			tokens := e.Tokens(t, "scope", scope)
			_, claims := pooltest.Claims(t, tokens["id_token"])
			info := e.UserInfo(t, tokens["access_token"]).JSON(t)
			for _, name := range strings.Fields(all) {
				wanted := strings.Contains(" "+want+" ", " "+name+" ")
				_, inToken := claims[name]
				_, inInfo := info[name]
				if inToken != wanted || inInfo != wanted {
					t.Errorf("%s: in the ID token %t, in userInfo %t, want %t", name, inToken, inInfo, wanted)
				}
			}
		})
	}
}

// TestAuthTimeOfSession checks that a silent authorization keeps the time of
// the sign-in.
func TestAuthTimeOfSession(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	session, signedIn := e.Session(t), float64(e.Clock.Now().Unix())
	e.Clock.Advance(30 * time.Minute)
	code := e.Get(t, "/oauth2/authorize", pooltest.Query(), session).Target(t).Query().Get("code")
	_, claims := pooltest.Claims(t, e.Redeem(t, code).JSON(t)["id_token"])
	if claims["auth_time"] != signedIn || claims["iat"] != signedIn+1800 {
		t.Errorf("got auth_time %v, iat %v, want %v and half an hour later",
			claims["auth_time"], claims["iat"], signedIn)
	}
}

// TestLifetimes checks that each client has its own.
func TestLifetimes(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	e.AddClient(t, userpool.Client{
		ID: "short", CallbackURLs: []string{pooltest.Callback}, AccessTokenValidity: 5 * time.Minute,
		IDTokenValidity: 10 * time.Minute, RefreshTokenValidity: time.Hour,
	})
	code := e.Code(t, "client_id", "short")
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {"short"}, "code": {code},
		"redirect_uri": {pooltest.Callback}}
	tokens := e.Post(t, "/oauth2/token", form, nil).JSON(t)
	_, access := pooltest.Claims(t, tokens["access_token"])
	_, id := pooltest.Claims(t, tokens["id_token"])
	iat, _ := access["iat"].(float64)
	if tokens["expires_in"] != 300.0 || access["exp"] != iat+300 || id["exp"] != iat+600 {
		t.Errorf("got expires_in %v, exp %v and %v after iat %v",
			tokens["expires_in"], access["exp"], id["exp"], iat)
	}
}
