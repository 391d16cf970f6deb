package cognate_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

const oldRefreshToken = "refresh-SECRET"

func TestRefresh(t *testing.T) {
	c := fakeprovider.NewClock()
	for _, tt := range []struct {
		name, answer string
		want         cognate.Tokens
	}{
		{
			"everything", `{"access_token":"a2","token_type":"bearer","expires_in":300,"id_token":"i2","refresh_token":"r2","scope":"openid  email"}`,
			cognate.Tokens{ID: "i2", Access: "a2", Refresh: "r2", Scopes: []string{"openid", "email"}, Expires: c.Now().Add(5 * time.Minute)},
		},
		{"no more than needed", `{"access_token":"a2","token_type":"Bearer"}`, cognate.Tokens{Access: "a2"}},
		{"nulls", `{"access_token":"a2","token_type":"Bearer","expires_in":null,"id_token":null,"refresh_token":null,"scope":null}`, cognate.Tokens{Access: "a2"}},
		{"seconds in a string", `{"access_token":"a2","token_type":"Bearer","expires_in":"60"}`, cognate.Tokens{Access: "a2", Expires: c.Now().Add(time.Minute)}},
		{"no time at all", `{"access_token":"a2","token_type":"Bearer","expires_in":0}`, cognate.Tokens{Access: "a2"}},
		{"time gone by", `{"access_token":"a2","token_type":"Bearer","expires_in":-5}`, cognate.Tokens{Access: "a2"}},
		{
			"for ages", `{"access_token":"a2","token_type":"Bearer","expires_in":9223372036854775807}`,
			cognate.Tokens{Access: "a2", Expires: c.Now().Add(10 * 365 * 24 * time.Hour)},
		},
		{"beyond numbers", `{"access_token":"a2","token_type":"Bearer","expires_in":1e999}`, cognate.Tokens{Access: "a2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.Now = c.Now
			p.ServeToken = answerWith(http.StatusOK, tt.answer)
			got, err := cognate.Refresh(t.Context(), newApp(t, p, nil).auth, oldRefreshToken)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
			form := p.TokenRequests()[0].PostForm
			if len(p.TokenRequests()) != 1 || form.Get("grant_type") != "refresh_token" || form.Get("refresh_token") != oldRefreshToken || len(form) != 2 {
				t.Errorf("%d requests, the first with %v", len(p.TokenRequests()), form)
			}
			if id, secret, _ := p.TokenRequests()[0].BasicAuth(); id != clientID || secret == "" {
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

// TestRefreshFails tells a provider that refuses from one that can't answer: only the
// first ends a session.
func TestRefreshFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		token  func(http.ResponseWriter, *http.Request)
		reason cognate.Reason
		code   string
	}{
		{"refused", answerWith(400, `{"error":"invalid_grant","error_description":"SECRET"}`), cognate.ReasonRefreshRefused, "invalid_grant"},
		{"refused with 401", answerWith(401, `{"error":"invalid_grant"}`), cognate.ReasonRefreshRefused, "invalid_grant"},
		{"refused with 200", answerWith(200, `{"error":"invalid_grant","access_token":"SECRET","token_type":"Bearer"}`), cognate.ReasonRefreshRefused, "invalid_grant"},
		{"server error that speaks of a grant", answerWith(500, `{"error":"invalid_grant"}`), cognate.ReasonRefreshFailed, "invalid_grant"},
		{"client unknown", answerWith(401, `{"error":"invalid_client"}`), cognate.ReasonClientRefused, "invalid_client"},
		{"client not allowed", answerWith(400, `{"error":"unauthorized_client"}`), cognate.ReasonClientRefused, "unauthorized_client"},
		{"too many requests", answerWith(429, `{"error":"slow_down"}`), cognate.ReasonRefreshFailed, "slow_down"},
		{"gateway", answerWith(502, `<h1>SECRET</h1>`), cognate.ReasonRefreshFailed, ""},
		{"refused without a word", answerWith(400, ``), cognate.ReasonRefreshFailed, ""},
		{"code that is no word", answerWith(400, `{"error":"invalid_grant SECRET"}`), cognate.ReasonRefreshFailed, ""},
		{"code twice", answerWith(400, `{"error":"invalid_grant","error":"invalid_grant"}`), cognate.ReasonRefreshFailed, ""},
		{"empty", answerWith(200, ``), cognate.ReasonRefreshFailed, ""},
		{"broken", answerWith(200, `{"access_token":"SECRET"`), cognate.ReasonRefreshFailed, ""},
		{"no token", answerWith(200, `{"token_type":"Bearer"}`), cognate.ReasonRefreshFailed, ""},
		{"token in another spelling", answerWith(200, `{"ACCESS_TOKEN":"SECRET","token_type":"Bearer"}`), cognate.ReasonRefreshFailed, ""},
		{"token twice", answerWith(200, `{"access_token":"SECRET","access_token":"SECRET2","token_type":"Bearer"}`), cognate.ReasonRefreshFailed, ""},
		{"other type of token", answerWith(200, `{"access_token":"SECRET","token_type":"DPoP"}`), cognate.ReasonRefreshFailed, ""},
		{"no type of token", answerWith(200, `{"access_token":"SECRET"}`), cognate.ReasonRefreshFailed, ""},
		{"scopes without end", answerWith(200, `{"access_token":"SECRET","token_type":"Bearer","scope":"`+strings.Repeat("a ", 4<<10)+`"}`), cognate.ReasonRefreshFailed, ""},
		{"scopes as a list of numbers", answerWith(200, `{"access_token":"SECRET","token_type":"Bearer","scope":[1]}`), cognate.ReasonRefreshFailed, ""},
		{"scopes as an object", answerWith(200, `{"access_token":"SECRET","token_type":"Bearer","scope":{}}`), cognate.ReasonRefreshFailed, ""},
		{"blanks without end", answerWith(200, `{"access_token":"SECRET","token_type":"Bearer"}`+strings.Repeat(" ", 300<<10)), cognate.ReasonRefreshFailed, ""},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/token", http.StatusTemporaryRedirect)
		}, cognate.ReasonRefreshFailed, ""},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, cognate.ReasonRefreshFailed, ""},
		{"never answers", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, cognate.ReasonRefreshFailed, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
				p.ServeToken = tt.token
				x := newApp(t, p, nil)
				_, err := cognate.Refresh(t.Context(), x.auth, oldRefreshToken)
				e, ok := errors.AsType[*cognate.Error](err)
				if !ok || e.Reason != tt.reason || e.ProviderCode != tt.code {
					t.Fatalf("error %v, want %s with code %q", err, tt.reason, tt.code)
				}
				if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), clientSecret) {
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
	p := newPusher(t)
	p.EditDiscovery = func(d map[string]any) { d["revocation_endpoint"] = p.URL + "/par" }
	p.answer = answerWith(http.StatusOK, "")
	x := newApp(t, p.Provider, nil)
	err := cognate.Revoke(t.Context(), x.auth, oldRefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	got := p.requests()[0]
	id, _, _ := got.BasicAuth()
	if form := got.PostForm; form.Get("token") != oldRefreshToken || form.Get("token_type_hint") != "refresh_token" || id != clientID {
		t.Errorf("request with %v, client %q", form, id)
	}
	p = newPusher(t)
	p.EditDiscovery = func(d map[string]any) { d["revocation_endpoint"] = p.URL + "/par" }
	p.answer = answerWith(http.StatusBadRequest, `{"error":"unsupported_token_type","error_description":"refresh-SECRET"}`)
	err = cognate.Revoke(t.Context(), newApp(t, p.Provider, nil).auth, oldRefreshToken)
	if err == nil || !strings.Contains(err.Error(), "unsupported_token_type") || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("error %v", err)
	}
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
			x := newApp(t, p, nil)
			location := mustURL(t, x.browser(t).get("/private/").Header.Get("Location"))
			// The verifier is the browser's secret; the fake's check of it is not at issue.
			asked := location.Query()
			asked.Set("code_challenge", fakeprovider.CodeChallenge("v"))
			location.RawQuery = asked.Encode()
			code := p.SignIn(t, location.String()).Get("code")
			got, err := cognate.Exchange(t.Context(), x.auth, code, "v")
			if err != nil || !slices.Equal(got.Scopes, tt.want) {
				t.Errorf("scopes %q, %v; want %q", got.Scopes, err, tt.want)
			}
		})
	}
}

func TestDiscoveryOfRevocation(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) { d["revocation_endpoint"] = "http://provider.test/revoke" }
	w := httptest.NewRecorder()
	x := newApp(t, p, nil)
	x.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, appOrigin+"/private/", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(x.log.String(), "revocation endpoint") {
		t.Errorf("status %d; a revocation endpoint in the clear is taken:\n%s", w.Code, x.log)
	}
}

// TestEchoedSecrets is a broken server that sends back what it was sent, where an HTTP answer
// should begin.
func TestEchoedSecrets(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, func(c *cognate.Config) {
		c.ClientAuth, c.UserInfo = cognate.ClientSecretPost, cognate.UserInfoAlways
	})
	echo := func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte(r.PostForm.Encode() + r.Header.Get("Authorization") + "\r\n\r\n"))
	}
	p.ServeUserInfo = echo
	x.browser(t).signIn(p)
	p.ServeToken = echo
	x.browser(t).signIn(p)
	for _, secret := range []string{"s3cret", "code_verifier", "code=", "access-token"} {
		if strings.Contains(x.log.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, x.log)
		}
	}
	if n := strings.Count(x.log.String(), "it broke off"); n != 2 {
		t.Errorf("%d lines say what happened, want 2:\n%s", n, x.log)
	}
}
