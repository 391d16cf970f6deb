package cognate_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

var post = cognate.Introspection{ClientID: "api", ClientSecret: "s3cret+/="}

// activeAnswer is a good answer, but for the names and values that follow; nil takes one out.
func activeAnswer(x *bearerAPI, change ...any) map[string]any {
	m := map[string]any{
		"active": true, "iss": x.p.Issuer, "sub": "user-1", "aud": bearerAudience, "client_id": "machine",
		"scope":    "orders/read",
		"username": "ann", "exp": x.clock.Now().Add(time.Hour).Unix(), "iat": x.clock.Now().Unix(),
		"token_type": "Bearer",
	}
	for i := 0; i < len(change); i += 2 {
		name := change[i].(string)
		if m[name] = change[i+1]; change[i+1] == nil {
			delete(m, name)
		}
	}
	return m
}

func answering(m map[string]any) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) { fakeprovider.ServeJSON(w, http.StatusOK, m) }
}

// newIntrospectingAPI has its tokens judged by the fake provider.
func newIntrospectingAPI(t testing.TB, in cognate.Introspection, change func(*cognate.BearerIssuer)) *bearerAPI {
	t.Helper()
	return newIntrospectingAPIOf(t, fakeprovider.New(t), in, change)
}

// newIntrospectingAPIOf is newIntrospectingAPI with a provider that is there.
func newIntrospectingAPIOf(t testing.TB, p *fakeprovider.Provider, in cognate.Introspection,
	change func(*cognate.BearerIssuer)) *bearerAPI {
	t.Helper()
	x := newBearerAPIOf(t, p, func(c *cognate.BearerConfig) {
		i := &c.Issuers[0]
		in.Endpoint = i.Issuer + "/introspect"
		i.Introspection = &in
		if change != nil {
			change(i)
		}
	})
	x.answerWith(answering(activeAnswer(x)))
	return x
}

// TestIntrospectionAnswers changes one thing of a good answer at a time.
func TestIntrospectionAnswers(t *testing.T) {
	at := func(d time.Duration) int64 { return fakeprovider.NewClock().Now().Add(d).Unix() }
	byClient := func(i *cognate.BearerIssuer) { i.Audiences, i.Clients = nil, []string{"machine"} }
	for _, tt := range []struct {
		name   string
		issuer func(*cognate.BearerIssuer)
		change []any
		want   cognate.Reason
	}{
		{"good", nil, nil, ""},
		{"the least there can be", nil,
			[]any{"iss", nil, "exp", nil, "iat", nil, "scope", nil, "client_id", nil, "token_type", nil,
				"username", nil}, ""},
		{"not active", nil, []any{"active", false}, cognate.ReasonTokenInactive},
		{"active in quotes", nil, []any{"active", "true"}, cognate.ReasonTokenInactive},
		{"active is 1", nil, []any{"active", 1}, cognate.ReasonTokenInactive},
		{"active is missing", nil, []any{"active", nil}, cognate.ReasonTokenInactive},
		{"another issuer", nil, []any{"iss", "https://evil.test"}, cognate.ReasonTokenIssuer},
		{"expired, but active", nil, []any{"exp", at(-2 * time.Minute)}, cognate.ReasonTokenExpired},
		{"exp is a string", nil, []any{"exp", "soon"}, cognate.ReasonTokenMalformed},
		{"not yet valid", nil, []any{"nbf", at(2 * time.Minute)}, cognate.ReasonTokenNotYetValid},
		{"another audience", nil, []any{"aud", "https://other.test"}, cognate.ReasonTokenAudience},
		{"no audience", nil, []any{"aud", nil}, cognate.ReasonTokenAudience},
		{"list of audiences", nil, []any{"aud", []string{"x", bearerAudience}}, ""},
		{"no audience, by client", byClient, []any{"aud", nil}, ""},
		{"any audience, by client", byClient, []any{"aud", "account"}, ""},
		{"another client", byClient, []any{"client_id", "x"}, cognate.ReasonTokenClient},
		{"no client", byClient, []any{"client_id", nil}, cognate.ReasonTokenClient},
		{"no subject", nil, []any{"sub", nil}, cognate.ReasonTokenMalformed},
		{"refresh token", nil, []any{"token_use", "refresh_token"}, cognate.ReasonTokenUse},
		{"refresh token by typ", nil, []any{"typ", "Refresh"}, cognate.ReasonTokenUse},
		{"refresh token by type", nil, []any{"token_type", "refresh_token"}, cognate.ReasonTokenUse},
		{"bound to a key", nil, []any{"cnf", map[string]any{"jkt": "x"}}, cognate.ReasonTokenUse},
		{"access token by use", nil, []any{"token_use", "access_token"}, ""},
		{"scope is a list", nil, []any{"scope", []string{"a"}}, cognate.ReasonTokenMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newIntrospectingAPI(t, post, tt.issuer)
			x.answerWith(answering(activeAnswer(x, tt.change...)))
			_, err := x.bearer.Verify(t.Context(), "opaque-token")
			if reasonOf(err) != tt.want {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			want := http.StatusUnauthorized
			if tt.want == "" {
				want = http.StatusOK
			}
			if resp := x.call("/api", "opaque-token"); resp.StatusCode != want {
				t.Errorf("status %d, want %d", resp.StatusCode, want)
			}
		})
	}
}

func TestIntrospectedUser(t *testing.T) {
	x := newIntrospectingAPI(t, post, nil)
	u, err := x.bearer.Verify(t.Context(), "opaque", "orders/read")
	if err != nil || u.Subject != "user-1" || u.Username != "ann" || u.Issuer != x.p.Issuer ||
		u.Claim("client_id") != "machine" {
		t.Errorf("user %+v, error %v", u, err)
	}
	if resp := x.call("/scoped", "opaque"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("status %d without a scope, want 403", resp.StatusCode)
	}
}

// TestIntrospectionRequest looks at what is sent by each kind of authentication.
func TestIntrospectionRequest(t *testing.T) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("api:s3cret%2B%2F%3D"))
	for _, tt := range []struct {
		name          string
		in            cognate.Introspection
		authorization string
		form          map[string]string
	}{
		{"post", post, "", map[string]string{"token": "opaque", "client_id": "api", "client_secret": "s3cret+/="}},
		{"post with hint", cognate.Introspection{ClientID: "api", ClientSecret: "s", TokenTypeHint: "access_token"}, "",
			map[string]string{"token": "opaque", "client_id": "api", "client_secret": "s",
				"token_type_hint": "access_token"}},
		{"basic",
			cognate.Introspection{Auth: cognate.ClientSecretBasic, ClientID: "api", ClientSecret: "s3cret+/="}, basic,
			map[string]string{"token": "opaque"}},
		{"bearer", cognate.Introspection{Auth: cognate.BearerAuth, Token: "own-token"}, "Bearer own-token",
			map[string]string{"token": "opaque"}},
	} {
		x := newIntrospectingAPI(t, tt.in, nil)
		_, err := x.bearer.Verify(t.Context(), "opaque")
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got := map[string]string{}
		for name := range x.asks[0].form {
			got[name] = x.asks[0].form.Get(name)
		}
		if !maps.Equal(got, tt.form) || x.asks[0].header.Get("Authorization") != tt.authorization ||
			x.asks[0].header.Get("Accept") != "application/json" {
			t.Errorf("%s: form %v, header %v", tt.name, got, x.asks[0].header)
		}
	}
}

// TestIntrospectionCache counts requests while the clock moves.
func TestIntrospectionCache(t *testing.T) {
	x := newIntrospectingAPI(t, post, nil)
	expect := func(when string, status, asked int) {
		t.Helper()
		if got := x.call("/api", "opaque").StatusCode; got != status || x.asked() != asked {
			t.Errorf("%s: status %d after %d requests, want %d after %d", when, got, x.asked(), status, asked)
		}
	}
	expect("new", 200, 1)
	x.clock.Advance(59 * time.Second)
	x.answerWith(answering(map[string]any{"active": false}))
	expect("within a minute", 200, 1)
	x.clock.Advance(time.Second)
	expect("revoked, a minute later", 401, 2)
	expect("again", 401, 3) // not remembered
	x.answerWith(answering(activeAnswer(x, "exp", x.clock.Now().Add(-50*time.Second).Unix(), "iat",
		x.clock.Now().Add(-time.Hour).Unix())))
	expect("expires soon", 200, 4)
	x.clock.Advance(9 * time.Second)
	expect("nearly there", 200, 4)
	x.clock.Advance(time.Second)
	expect("expired within the minute", 401, 5)

	x = newIntrospectingAPI(t, cognate.Introspection{ClientID: "api", ClientSecret: "s", CacheFor: -1}, nil)
	expect("not remembered", 200, 1)
	expect("not remembered, again", 200, 2)
	x = newIntrospectingAPI(t, cognate.Introspection{ClientID: "api", ClientSecret: "s", CacheFor: time.Hour}, nil)
	expect("an hour", 200, 1)
	x.clock.Advance(50 * time.Minute)
	expect("50 minutes later", 200, 1)
}

// TestIntrospectionDown: that the endpoint can't be asked says nothing about the token.
func TestIntrospectionDown(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, _ string) { fakeprovider.ServeJSON(w, code, map[string]any{"active": true}) }
	}
	raw := func(s string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, s) }
	}
	for name, answer := range map[string]func(http.ResponseWriter, string){
		"500": status(500), "401": status(401), "400": status(400), "204": status(204),
		"redirect": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"HTML": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", "text/html")
			raw(`{"active":true}`)(w, "")
		},
		"no JSON":          raw("active"),
		"a list":           raw(`[true]`),
		"null":             raw(`null`),
		"active twice":     raw(`{"active":false,"active":true}`),
		"huge":             raw(`{"active":true,"x":"` + strings.Repeat("x", 300<<10) + `"}`),
		"deep":             raw(`{"active":true,"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`),
		"connection reset": func(http.ResponseWriter, string) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			x := newIntrospectingAPI(t, post, nil)
			x.answerWith(answer)
			resp := x.call("/api", "opaque-and-secret")
			if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "1" ||
				x.metrics.count(cognate.ReasonIntrospection) != 1 {
				t.Errorf("status %d, header %v, denials %v; want 503", resp.StatusCode, resp.Header, x.metrics.m)
			}
			if s := x.log.String(); strings.Contains(s, "opaque") || strings.Contains(s, "s3cret") {
				t.Errorf("the log holds a secret: %s", s)
			}
			x.answerWith(answering(activeAnswer(x)))
			if resp := x.call("/api", "opaque-and-secret"); resp.StatusCode != http.StatusOK {
				t.Errorf("status %d when the endpoint is back", resp.StatusCode)
			}
		})
	}
}

// TestIntrospectionOnce sends one token many times at once.
func TestIntrospectionOnce(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		x := newIntrospectingAPIOf(t, p, post, nil)
		release := make(chan struct{})
		x.answerWith(func(w http.ResponseWriter, _ string) {
			<-release
			fakeprovider.ServeJSON(w, http.StatusOK, activeAnswer(x))
		})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if got := x.call("/api", "opaque").StatusCode; got != http.StatusOK {
					t.Errorf("status %d", got)
				}
			})
		}
		synctest.Wait() // until all of them wait
		close(release)
		wg.Wait()
		if x.asked() != 1 {
			t.Errorf("%d requests for one token, want 1", x.asked())
		}
	})
}

// TestIntrospectionDiscovery takes the endpoint from the discovery document.
func TestIntrospectionDiscovery(t *testing.T) {
	for _, tt := range []struct {
		name     string
		announce any
		want     string // in the log; "" is a token that passes
	}{
		{"announced", "/introspect", ""},
		{"not announced", nil, "announces no introspection endpoint"},
		{"in the clear", "http://provider.test/introspect", "not an https URL"},
	} {
		x := newBearerAPI(t, introspecting(post))
		x.answerWith(answering(activeAnswer(x)))
		x.p.EditDiscovery = func(doc map[string]any) {
			if s, ok := tt.announce.(string); ok {
				doc["introspection_endpoint"] = strings.Replace(s, "/introspect", x.p.URL+"/introspect", 1)
				if !strings.HasPrefix(s, "/") {
					doc["introspection_endpoint"] = s
				}
			}
		}
		for range 3 {
			resp := x.call("/api", "opaque")
			if tt.want == "" && resp.StatusCode != http.StatusOK {
				t.Errorf("%s: status %d", tt.name, resp.StatusCode)
			}
			if tt.want != "" && resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s: status %d, want 503", tt.name, resp.StatusCode)
			}
		}
		warnings := strings.Count(x.log.String(), "level=WARN")
		if tt.want != "" && (warnings != 1 || !strings.Contains(x.log.String(), tt.want)) {
			t.Errorf("%s: %d warnings, want one that says %q:\n%s", tt.name, warnings, tt.want, x.log)
		}
		if x.p.Discoveries() != 1 {
			t.Errorf("%s: %d discoveries, want 1", tt.name, x.p.Discoveries())
		}
	}
}

// TestIntrospectionPicksIssuer: a JWT is shown to its own issuer only, and an opaque token
// to nobody if two could have issued it.
func TestIntrospectionPicksIssuer(t *testing.T) {
	second := newIntrospectingAPI(t, post, nil)
	endpoint := second.p.Issuer + "/introspect"
	both := func(c *cognate.BearerConfig, introspectFirst bool) {
		if introspectFirst {
			c.Issuers[0].Introspection = &cognate.Introspection{
				Endpoint: c.Issuers[0].Issuer + "/introspect", ClientID: "api", ClientSecret: "s",
			}
		}
		c.Issuers = append(c.Issuers, cognate.BearerIssuer{
			Issuer: second.p.Issuer, Audiences: []string{bearerAudience},
			Introspection: &cognate.Introspection{Endpoint: endpoint, ClientID: "api", ClientSecret: "s"},
		})
	}
	x := newBearerAPI(t, func(c *cognate.BearerConfig) { both(c, false) })
	if resp := x.call("/api", x.token(nil)); resp.StatusCode != http.StatusOK || second.asked() != 0 {
		t.Errorf("the first issuer's JWT: status %d, %d questions to the second", resp.StatusCode, second.asked())
	}
	if resp := x.call("/api", second.token(nil)); resp.StatusCode != http.StatusOK || second.asked() != 1 {
		t.Errorf("the second issuer's JWT: status %d, %d questions", resp.StatusCode, second.asked())
	}
	if resp := x.call("/api", "opaque"); resp.StatusCode != http.StatusOK || second.asked() != 2 {
		t.Errorf("an opaque token: status %d, %d questions", resp.StatusCode, second.asked())
	}
	x = newBearerAPI(t, func(c *cognate.BearerConfig) { both(c, true) })
	x.answerWith(answering(activeAnswer(x)))
	if resp := x.call("/api", "another-opaque"); resp.StatusCode != http.StatusUnauthorized ||
		second.asked() != 2 || x.asked() != 0 {
		t.Errorf("an opaque token of two possible issuers: status %d, %d and %d questions", resp.StatusCode,
			x.asked(), second.asked())
	}
}

// TestIntrospectionByApp uses the app's own client at the app's own provider.
func TestIntrospectionByApp(t *testing.T) {
	helper := newIntrospectingAPI(t, post, nil)
	p := helper.p
	p.EditDiscovery = func(doc map[string]any) { doc["introspection_endpoint"] = p.URL + "/introspect" }
	helper.answerWith(answering(activeAnswer(helper, "client_id", clientID, "aud", nil)))
	x := newApp(t, p, func(c *cognate.Config) {
		c.Bearer.Issuers = []cognate.BearerIssuer{{Introspection: &cognate.Introspection{}}}
	})
	_, err := x.auth.VerifyAccessToken(t.Context(), "opaque")
	if err != nil {
		t.Fatal(err)
	}
	form := helper.asks[0].form
	if form.Get("client_id") != clientID || form.Get("client_secret") != clientSecret {
		t.Errorf("form %v", form)
	}
	helper.answerWith(answering(activeAnswer(helper, "client_id", "another", "aud", nil)))
	_, err = x.auth.VerifyAccessToken(t.Context(), "opaque-2")
	if reasonOf(err) != cognate.ReasonTokenClient {
		t.Errorf("a token of another client: %v", err)
	}
}

// FuzzIntrospection lets the endpoint answer anything. A token passes only if the answer is
// an object that says, once, that it is active and for this API.
func FuzzIntrospection(f *testing.F) {
	var answer string
	b, err := cognate.NewBearer(cognate.BearerConfig{
		Issuers: []cognate.BearerIssuer{{
			Issuer: bearerIssuer, Audiences: []string{bearerAudience},
			Introspection: &cognate.Introspection{Endpoint: bearerIssuer + "/introspect", ClientID: "api",
				ClientSecret: "s", CacheFor: -1},
		}},
		HTTPClient: &http.Client{Transport: fakeprovider.RoundTripFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(answer))}, nil
		})},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		`{"active":true,"sub":"a","aud":"https://api.test"}`, `{"active":true}`, `{"active":false}`,
		`null`, `[]`, `{}`, ``,
		`{"active":true,"active":false,"sub":"a","aud":"https://api.test"}`,
		`{"Active":true,"sub":"a","aud":"https://api.test"}`,
		`{"active":true,"sub":"a","aud":["https://api.test"],"exp":1e400}`,
		`{"active":true,"sub":"a","aud":null,"scope":7}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		answer = s
		u, err := b.Verify(t.Context(), "opaque")
		if (u == nil) == (err == nil) {
			t.Fatalf("user %v, error %v", u, err)
		}
		if err != nil {
			if reasonOf(err) == "" {
				t.Fatalf("error without a reason: %v", err)
			}
			return
		}
		var m map[string]any
		d := json.NewDecoder(strings.NewReader(s))
		d.UseNumber() // one that no float64 holds is JSON, too
		err = d.Decode(&m)
		if err != nil || d.More() {
			t.Fatalf("%q passed: %v", s, err)
		}
		if m["active"] != true || m["sub"] != u.Subject || u.Subject == "" ||
			!strings.Contains(fmt.Sprint(m["aud"]), bearerAudience) {
			t.Fatalf("%q passed as %+v", s, u)
		}
	})
}

// TestIntrospectionsAtOnce sends more different tokens than may be asked about at a time.
func TestIntrospectionsAtOnce(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		x := newIntrospectingAPIOf(t, p, post, nil)
		var mu sync.Mutex
		running, most := 0, 0
		x.answerWith(func(w http.ResponseWriter, _ string) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			fakeprovider.ServeJSON(w, http.StatusOK, activeAnswer(x))
		})
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				if got := x.call("/api", fmt.Sprint("opaque-", i)).StatusCode; got != http.StatusOK {
					t.Errorf("status %d", got)
				}
			})
		}
		wg.Wait()
		if most != 64 {
			t.Errorf("%d requests at once, want the 64 that may be", most)
		}
	})
}

// TestIntrospectionWithoutAnswer has nobody who answers: no discovery document, or a client
// that does not wait.
func TestIntrospectionWithoutAnswer(t *testing.T) {
	x := newBearerAPI(t, introspecting(post))
	x.p.Down = true
	if resp := x.call("/api", "opaque"); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("no discovery document: status %d, want 503", resp.StatusCode)
	}
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		x := newIntrospectingAPIOf(t, p, post, nil)
		ctx, cancel := context.WithCancel(t.Context())
		x.answerWith(func(w http.ResponseWriter, _ string) {
			cancel()
			time.Sleep(time.Second)
			fakeprovider.ServeJSON(w, http.StatusOK, activeAnswer(x))
		})
		_, err := x.bearer.Verify(ctx, "opaque")
		if reasonOf(err) != cognate.ReasonIntrospection || !errors.Is(err, context.Canceled) {
			t.Errorf("a client that left: error %v", err)
		}
		x.answerWith(answering(activeAnswer(x)))
		_, err = x.bearer.Verify(t.Context(), "opaque")
		if err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}
