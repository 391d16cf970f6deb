package fakeprovider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

const verifier = "a verifier of the test"

// signIn begins a sign-in at p as an app would and returns the form that redeems its code.
func signIn(t *testing.T, p *fakeprovider.Provider) url.Values {
	t.Helper()
	request := url.Values{
		"state": {"s"}, "nonce": {"n"}, "redirect_uri": {"https://app.test/cb"},
		"code_challenge": {fakeprovider.CodeChallenge(verifier)},
	}
	back := p.SignIn(t, p.URL+"/authorize?"+request.Encode())
	if back.Get("state") != "s" {
		t.Fatalf("callback with %v, want the state of the request", back)
	}
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "code_verifier": {verifier},
		"redirect_uri": {"https://app.test/cb"},
	}
}

// post sends form to the token endpoint and returns the answer.
func post(t *testing.T, p *fakeprovider.Provider, form url.Values) (status int, answer map[string]any) {
	t.Helper()
	client := p.HTTPClient
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.PostForm(p.URL+"/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&answer)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// TestSignIn redeems a code and its refresh token, with a network and without one.
func TestSignIn(t *testing.T) {
	run := func(t *testing.T, p *fakeprovider.Provider) {
		p.Rotate = true
		status, tokens := post(t, p, signIn(t, p))
		if status != http.StatusOK || tokens["access_token"] != "access-token" {
			t.Fatalf("code: status %d with %v", status, tokens)
		}
		var claims jwt.MapClaims
		_, err := jwt.ParseWithClaims(tokens["id_token"].(string), &claims, func(*jwt.Token) (any, error) {
			return &p.Key.PublicKey, nil
		})
		if err != nil || claims["nonce"] != "n" || claims["at_hash"] != fakeprovider.AccessTokenHash("access-token") {
			t.Errorf("ID token: %v with %v", err, claims)
		}
		refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}}
		status, tokens = post(t, p, refresh)
		if status != http.StatusOK || tokens["access_token"] != "access-1" {
			t.Errorf("refresh: status %d with %v", status, tokens)
		}
		status, tokens = post(t, p, refresh)
		if status != http.StatusBadRequest || tokens["error"] != "invalid_grant" {
			t.Errorf("spent refresh token: status %d with %v", status, tokens)
		}
		if n := len(p.TokenRequests()); n != 3 || p.Refreshes() != 2 {
			t.Errorf("%d token requests with %d refreshes, want 3 with 2", n, p.Refreshes())
		}
	}
	t.Run("network", func(t *testing.T) { run(t, fakeprovider.New(t)) })
	t.Run("virtual time", func(t *testing.T) { fakeprovider.InVirtualTime(t, run) })
}

// TestOnDemand misbehaves as a test says.
func TestOnDemand(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		wrong := signIn(t, p)
		wrong.Set("code_verifier", "another")
		status, answer := post(t, p, wrong)
		if status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
			t.Errorf("another verifier: status %d with %v", status, answer)
		}
		p.ForgetTokenRequests()
		p.EditClaims = func(c map[string]any) { c["iss"] = "https://elsewhere.test" }
		p.EditTokenResponse = func(r map[string]any) { delete(r, "expires_in") }
		p.Sign = func(c jwt.MapClaims) string { return c["iss"].(string) }
		_, answer = post(t, p, signIn(t, p))
		if answer["id_token"] != "https://elsewhere.test" || answer["expires_in"] != nil ||
			len(p.TokenRequests()) != 1 {
			t.Errorf("answer %v after %d requests", answer, len(p.TokenRequests()))
		}
		p.Down = true
		resp, err := p.HTTPClient.Get(p.URL + "/keys")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusInternalServerError || p.KeyFetches() != 1 || p.Discoveries() != 0 {
			t.Errorf("down: status %d after %d fetches", resp.StatusCode, p.KeyFetches())
		}
	})
}
