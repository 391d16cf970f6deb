package oidc_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
)

const oldRefreshToken = "refresh-SECRET"

func TestRefresh(t *testing.T) {
	c := fakeprovider.NewClock()
	for _, tt := range []struct {
		name, answer string
		want         oidc.Tokens
	}{
		{
			"everything", `{"access_token":"a2","token_type":"bearer","expires_in":300,"id_token":"i2",` +
				`"refresh_token":"r2","scope":"openid  email"}`,
			oidc.Tokens{
				ID: "i2", Access: "a2", Refresh: "r2", Scopes: []string{"openid", "email"},
				Expires: c.Now().Add(5 * time.Minute),
			},
		},
		{"no more than needed", `{"access_token":"a2","token_type":"Bearer"}`, oidc.Tokens{Access: "a2"}},
		{
			"nulls",
			`{"access_token":"a2","token_type":"Bearer","expires_in":null,"id_token":null,"refresh_token":null,` +
				`"scope":null}`,
			oidc.Tokens{Access: "a2"},
		},
		{
			"seconds in a string", `{"access_token":"a2","token_type":"Bearer","expires_in":"60"}`,
			oidc.Tokens{Access: "a2", Expires: c.Now().Add(time.Minute)},
		},
		{"no time at all", `{"access_token":"a2","token_type":"Bearer","expires_in":0}`, oidc.Tokens{Access: "a2"}},
		{"time gone by", `{"access_token":"a2","token_type":"Bearer","expires_in":-5}`, oidc.Tokens{Access: "a2"}},
		{
			"for ages", `{"access_token":"a2","token_type":"Bearer","expires_in":9223372036854775807}`,
			oidc.Tokens{Access: "a2", Expires: c.Now().Add(10 * 365 * 24 * time.Hour)},
		},
		{"beyond numbers", `{"access_token":"a2","token_type":"Bearer","expires_in":1e999}`, oidc.Tokens{Access: "a2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.Now = c.Now
			p.ServeToken = answerWith(http.StatusOK, tt.answer)
			got, err := newClient(p).Refresh(t.Context(), oldRefreshToken)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
			form := p.TokenRequests()[0].PostForm
			if len(p.TokenRequests()) != 1 || form.Get("grant_type") != "refresh_token" ||
				form.Get("refresh_token") != oldRefreshToken || len(form) != 2 {
				t.Errorf("%d requests, the first with %v", len(p.TokenRequests()), form)
			}
			if id, secret, _ := p.TokenRequests()[0].BasicAuth(); id != fakeprovider.ClientID || secret == "" {
				t.Error("the client did not authenticate as configured")
			}
		})
	}
}

// answerWith answers with a JSON text.
func answerWith(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// TestRefreshFails distinguishes a provider that refuses from one that can't answer: only the
// first ends a session.
func TestRefreshFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		token  func(http.ResponseWriter, *http.Request)
		reason refusal.Reason
		code   string
	}{
		{
			"refused", answerWith(400, `{"error":"invalid_grant","error_description":"SECRET"}`),
			refusal.RefreshRefused, "invalid_grant",
		},
		{"refused with 401", answerWith(401, `{"error":"invalid_grant"}`), refusal.RefreshRefused, "invalid_grant"},
		{
			"refused with 200",
			answerWith(200, `{"error":"invalid_grant","access_token":"SECRET","token_type":"Bearer"}`),
			refusal.RefreshRefused, "invalid_grant",
		},
		{
			"server error that speaks of a grant", answerWith(500, `{"error":"invalid_grant"}`),
			refusal.RefreshFailed, "invalid_grant",
		},
		{"client unknown", answerWith(401, `{"error":"invalid_client"}`), refusal.ClientRefused, "invalid_client"},
		{
			"client not allowed", answerWith(400, `{"error":"unauthorized_client"}`), refusal.ClientRefused,
			"unauthorized_client",
		},
		{"too many requests", answerWith(429, `{"error":"slow_down"}`), refusal.RefreshFailed, "slow_down"},
		{"gateway", answerWith(502, `<h1>SECRET</h1>`), refusal.RefreshFailed, ""},
		{"refused without a word", answerWith(400, ``), refusal.RefreshFailed, ""},
		{"code that is no word", answerWith(400, `{"error":"invalid_grant SECRET"}`), refusal.RefreshFailed, ""},
		{"code twice", answerWith(400, `{"error":"invalid_grant","error":"invalid_grant"}`), refusal.RefreshFailed, ""},
		{"empty", answerWith(200, ``), refusal.RefreshFailed, ""},
		{"broken", answerWith(200, `{"access_token":"SECRET"`), refusal.RefreshFailed, ""},
		{"no token", answerWith(200, `{"token_type":"Bearer"}`), refusal.RefreshFailed, ""},
		{
			"token in another spelling", answerWith(200, `{"ACCESS_TOKEN":"SECRET","token_type":"Bearer"}`),
			refusal.RefreshFailed, "",
		},
		{
			"token twice",
			answerWith(200, `{"access_token":"SECRET","access_token":"SECRET2","token_type":"Bearer"}`),
			refusal.RefreshFailed, "",
		},
		{
			"other type of token", answerWith(200, `{"access_token":"SECRET","token_type":"DPoP"}`),
			refusal.RefreshFailed, "",
		},
		{"no type of token", answerWith(200, `{"access_token":"SECRET"}`), refusal.RefreshFailed, ""},
		{
			"scopes without end",
			answerWith(200, `{"access_token":"SECRET","token_type":"Bearer","scope":"`+strings.Repeat("a ",
				4<<10)+`"}`),
			refusal.RefreshFailed, "",
		},
		{
			"scopes as a list of numbers",
			answerWith(200, `{"access_token":"SECRET","token_type":"Bearer","scope":[1]}`), refusal.RefreshFailed,
			"",
		},
		{
			"refresh token that is a number",
			answerWith(200, `{"access_token":"SECRET","token_type":"Bearer","refresh_token":1}`),
			refusal.RefreshFailed, "",
		},
		{
			"scopes as an object", answerWith(200, `{"access_token":"SECRET","token_type":"Bearer","scope":{}}`),
			refusal.RefreshFailed, "",
		},
		{
			"blanks without end",
			answerWith(200, `{"access_token":"SECRET","token_type":"Bearer"}`+strings.Repeat(" ", 300<<10)),
			refusal.RefreshFailed, "",
		},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/token", http.StatusTemporaryRedirect)
		}, refusal.RefreshFailed, ""},
		{
			"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			refusal.RefreshFailed, "",
		},
		{
			"never answers", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			refusal.RefreshFailed, "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
				p.ServeToken = tt.token
				_, err := newClient(p).Refresh(t.Context(), oldRefreshToken)
				e, ok := errors.AsType[*refusal.Error](err)
				if !ok || e.Reason != tt.reason || e.ProviderCode != tt.code {
					t.Fatalf("error %v, want %s with code %q", err, tt.reason, tt.code)
				}
				if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), fakeprovider.ClientSecret) {
					t.Errorf("the error quotes what is secret: %v", err)
				}
				if len(p.TokenRequests()) != 1 {
					t.Errorf("%d requests, want 1", len(p.TokenRequests()))
				}
			})
		})
	}
}

func TestRevoke(t *testing.T) {
	p := newRevoker(t, answerWith(http.StatusOK, ""))
	err := newClient(p.Provider).Revoke(t.Context(), oldRefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := p.got.BasicAuth()
	if form := p.got.PostForm; form.Get("token") != oldRefreshToken || form.Get("token_type_hint") != "refresh_token" ||
		id != fakeprovider.ClientID {
		t.Errorf("request with %v, client %q", form, id)
	}
	p = newRevoker(t, answerWith(400, `{"error":"unsupported_token_type","error_description":"refresh-SECRET"}`))
	err = newClient(p.Provider).Revoke(t.Context(), oldRefreshToken)
	if err == nil || !strings.Contains(err.Error(), "unsupported_token_type") ||
		strings.Contains(err.Error(), "SECRET") {
		t.Errorf("error %v", err)
	}
	p = newRevoker(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	err = newClient(p.Provider).Revoke(t.Context(), oldRefreshToken)
	if err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("no answer: error %v", err)
	}
	err = newClient(fakeprovider.New(t)).Revoke(t.Context(), oldRefreshToken)
	if !errors.Is(err, oidc.ErrNoRevocation) {
		t.Errorf("without an endpoint: error %v", err)
	}
}

// TestRevokeWithAKey authenticates at the other endpoints in the same way.
func TestRevokeWithAKey(t *testing.T) {
	p := newRevoker(t, answerWith(http.StatusOK, ""))
	c := newClient(p.Provider)
	key := oidc.ClientKey{Signer: fakeprovider.Keys()[1], Algorithm: "RS256", Audience: p.Issuer}
	c.Proofs = []*oidc.Proof{oidc.Assertion(c.ID, key, p.Now)}
	err := c.Revoke(t.Context(), oldRefreshToken)
	if err != nil || p.got.PostForm.Get("client_assertion") == "" {
		t.Errorf("error %v", err)
	}
}

// A revoker is a provider with a revocation endpoint.
type revoker struct {
	*fakeprovider.Provider
	got *http.Request // that came last, with its form parsed
}

func newRevoker(t *testing.T, answer http.HandlerFunc) *revoker {
	t.Helper()
	p := &revoker{Provider: fakeprovider.New(t)}
	p.EditDiscovery = func(d map[string]any) { d["revocation_endpoint"] = p.URL + "/revoke" }
	mux := http.NewServeMux()
	mux.Handle("/", p.Config.Handler)
	mux.HandleFunc("POST /revoke", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		p.got = r
		answer(w, r)
	})
	p.Config.Handler = mux
	return p
}

// TestGrantedScopes reads what a sign-in was granted.
func TestGrantedScopes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		scope any
		want  []string
	}{
		{"not said: as asked for", nil, []string{"openid", "email"}},
		{"less", "openid", []string{"openid"}},
		{"more", "openid email orders/read", []string{"openid", "email", "orders/read"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.EditTokenResponse = func(r map[string]any) {
				if tt.scope != nil {
					r["scope"] = tt.scope
				}
			}
			c := newClient(p)
			attempt := oidc.Attempt{State: "s", Nonce: "n", Verifier: "v"}
			location, err := c.Authorization(t.Context(), attempt, url.Values{}, false)
			if err != nil {
				t.Fatal(err)
			}
			back := p.SignIn(t, location)
			_, got, err := c.Exchange(t.Context(), oidc.Response{Code: back.Get("code"), State: back.Get("state")},
				attempt)
			if err != nil || !slices.Equal(got.Scopes, tt.want) {
				t.Errorf("scopes %q, %v; want %q", got.Scopes, err, tt.want)
			}
		})
	}
}

// TestExchangeVerifies: no claims come of an ID token that is not this sign-in's, and what came
// with it can be revoked.
func TestExchangeVerifies(t *testing.T) {
	p := fakeprovider.New(t)
	c := newClient(p)
	attempt := oidc.Attempt{State: "s", Nonce: "n", Verifier: "v"}
	for name, tt := range map[string]struct {
		nonce string
		want  refusal.Reason
	}{"good": {"n", ""}, "another nonce": {"m", refusal.TokenNonce}} {
		location, err := c.Authorization(t.Context(), attempt, url.Values{}, false)
		if err != nil {
			t.Fatal(err)
		}
		response := oidc.Response{Code: p.SignIn(t, location).Get("code")}
		of := attempt
		of.Nonce = tt.nonce
		claims, tokens, err := c.Exchange(t.Context(), response, of)
		if refusal.Of(err) != tt.want || (claims.Text("sub") == "user-1") != (err == nil) || tokens.Refresh == "" {
			t.Errorf("%s: %v, %+v, %v", name, claims, tokens, err)
		}
	}
}
