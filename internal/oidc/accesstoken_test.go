package oidc_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// TestAccessTokens changes one thing of a good access token at a time.
func TestAccessTokens(t *testing.T) {
	c := fakeprovider.NewClock()
	key := fakeprovider.JWK(fakeprovider.Keys()[0], "k")
	byClient := func(i *oidc.AccessTokenIssuer) {
		i.Audiences, i.Clients, i.ClientBound, i.TokenUseClaim = nil, []string{"web"}, true, "token_use"
	}
	apiIsClient := func(i *oidc.AccessTokenIssuer) { i.Self = audience }
	for _, tt := range []struct {
		name   string
		issuer func(*oidc.AccessTokenIssuer)
		change []any
		want   refusal.Reason
	}{
		{"good", nil, nil, ""},
		{"another issuer", nil, []any{"iss", "https://other.test"}, refusal.TokenIssuer},
		{"another audience", nil, []any{"aud", "x"}, refusal.TokenAudience},
		{"audience is a number", nil, []any{"aud", 7}, refusal.TokenAudience},
		{"no audience", nil, []any{"aud", nil}, refusal.TokenAudience},
		{"no subject", nil, []any{"sub", nil}, refusal.TokenMalformed},
		{"expired", nil, []any{"exp", c.Now().Add(-time.Minute).Unix()}, refusal.TokenExpired},
		{"bound to a key", nil, []any{"cnf", map[string]any{"jkt": "x"}}, refusal.TokenUse},
		{"a logout token", nil, []any{"events", map[string]any{}}, refusal.TokenUse},
		{"an ID token by its nonce", nil, []any{"nonce", "n"}, refusal.TokenUse},
		{"a refresh token by typ", nil, []any{"typ", "Refresh"}, refusal.TokenUse},
		{"scope is a list", nil, []any{"scope", []string{"a"}}, refusal.TokenMalformed},
		{"scp is a number", nil, []any{"scope", nil, "scp", 7}, refusal.TokenMalformed},
		{"scp is a list", nil, []any{"scope", nil, "scp", []string{"a", "b"}}, ""},
		{"for the program itself", apiIsClient, nil, ""},
		{"for the program itself, of no client", apiIsClient, []any{"scope", nil}, refusal.TokenUse},
		{"by client", byClient, []any{"aud", nil, "client_id", "web", "token_use", "access"}, ""},
		{"by client, older", byClient, []any{"aud", nil, "azp", "web", "token_use", "access"}, ""},
		{
			"by another client", byClient, []any{"aud", nil, "client_id", "x", "token_use", "access"},
			refusal.TokenClient,
		},
		{
			"by client, for another API", byClient, []any{"client_id", "web", "token_use", "access"},
			refusal.TokenAudience,
		},
		{
			"by client, an ID token", byClient, []any{"aud", nil, "client_id", "web", "token_use", "id"},
			refusal.TokenUse,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := &oidc.AccessTokenIssuer{
				TokenRules: newRules(c.Now, "RS256", key), Audiences: []string{audience}, RememberFor: 5 * time.Minute,
			}
			if tt.issuer != nil {
				tt.issuer(i)
			}
			m := claims(c, append([]any{"aud", audience, "scope", "a b"}, tt.change...)...)
			got, err := oidc.NewAccessTokens(i).Verify(t.Context(), signed(m), "")
			if refusal.Of(err) != tt.want {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			if err == nil && (got.Issuer != issuer || got.Claims.Text("sub") != "user-1" ||
				!got.Until.Equal(c.Now().Add(5*time.Minute))) {
				t.Errorf("got %+v", got)
			}
			if err == nil && m["scp"] != nil && len(got.Scopes) != 2 {
				t.Errorf("scopes %q", got.Scopes)
			}
		})
	}
}

// TestAccessTokenHolds as long as it lives, and the skew.
func TestAccessTokenHolds(t *testing.T) {
	c := fakeprovider.NewClock()
	tokens := newAccessTokens(c.Now, "RS256", fakeprovider.JWK(fakeprovider.Keys()[0], "k"))
	raw := signed(claims(c, "aud", audience, "exp", c.Now().Add(-30*time.Second).Unix(), "iat", 1))
	got, err := tokens.Verify(t.Context(), raw, "")
	if err != nil || !got.Until.Equal(c.Now().Add(30*time.Second)) {
		t.Errorf("until %s, %v", got.Until, err)
	}
}

func TestAccessTokenType(t *testing.T) {
	c := fakeprovider.NewClock()
	tokens := newAccessTokens(c.Now, "RS256", fakeprovider.JWK(fakeprovider.Keys()[0], "k"))
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims(c, "aud", audience))
	for typ, want := range map[string]refusal.Reason{"at+jwt": "", "JWT": "", "logout+jwt": refusal.TokenUse} {
		token.Header["kid"], token.Header["typ"] = "k", typ
		raw, err := token.SignedString(fakeprovider.Keys()[0])
		if err != nil {
			t.Fatal(err)
		}
		_, err = tokens.Verify(t.Context(), raw, "")
		if refusal.Of(err) != want {
			t.Errorf("%s: %v, want %q", typ, err, want)
		}
	}
}

// An introspected is an issuer that judges its tokens, and counts how often it is asked.
type introspected struct {
	*oidc.AccessTokenIssuer
	answer map[string]any
	asked  int
}

func newIntrospected(c *fakeprovider.Clock, issuer string) *introspected {
	x := &introspected{answer: map[string]any{"active": true, "sub": "user-1", "aud": audience}}
	provider := oidc.NewProvider(oidc.ProviderConfig{
		Issuer: issuer, KeysOnly: true, Now: c.Now,
		HTTPClient: &http.Client{Transport: fakeprovider.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
				return fakeprovider.JSONResponse(map[string]any{
					"issuer": issuer, "jwks_uri": issuer + "/keys", "introspection_endpoint": issuer + "/introspect",
				}), nil
			}
			x.asked++
			return fakeprovider.JSONResponse(x.answer), nil
		})},
	})
	x.AccessTokenIssuer = &oidc.AccessTokenIssuer{
		TokenRules: oidc.TokenRules{Provider: provider, Algorithms: []string{"RS256"}, Skew: time.Minute, Now: c.Now},
		Audiences:  []string{audience}, RememberFor: time.Minute,
		Introspector: oidc.NewIntrospector(oidc.IntrospectorConfig{
			Provider: provider, Proof: oidc.BearerToken("a-token-of-its-own"), TokenTypeHint: "access_token",
		}),
	}
	return x
}

// TestIntrospection has an issuer judge its tokens, and one that can't be read.
func TestIntrospection(t *testing.T) {
	c := fakeprovider.NewClock()
	x := newIntrospected(c, issuer)
	tokens := oidc.NewAccessTokens(x.AccessTokenIssuer)
	tokens.SetGrace(patience)
	for _, raw := range []string{"opaque", signed(claims(c, "aud", "whatever"))} {
		got, err := tokens.Verify(t.Context(), raw, raw)
		if err != nil || got.Claims.Text("sub") != "user-1" {
			t.Errorf("%.10s: %+v, %v", raw, got, err)
		}
	}
	if x.asked != 2 {
		t.Errorf("%d requests, want 2", x.asked)
	}
	for name, tt := range map[string]struct {
		claim string
		value any
		want  refusal.Reason
	}{
		"not active":             {"active", false, refusal.TokenInactive},
		"another issuer":         {"iss", "https://other.test", refusal.TokenIssuer},
		"another audience":       {"aud", "other", refusal.TokenAudience},
		"repeats what was asked": {"iss", "an-opaque-token-of-some-length", refusal.TokenIssuer},
		"repeats the proof":      {"iss", "a-token-of-its-own", refusal.TokenIssuer},
	} {
		x := newIntrospected(c, issuer)
		x.answer[tt.claim] = tt.value
		_, err := oidc.NewAccessTokens(x.AccessTokenIssuer).Verify(t.Context(), "an-opaque-token-of-some-length", "")
		if refusal.Of(err) != tt.want {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if text := err.Error(); strings.Contains(text, "opaque-token") || strings.Contains(text, "of-its-own") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestWhoIsAskedAboutOpaqueTokens: one issuer, if it is the only one.
func TestWhoIsAskedAboutOpaqueTokens(t *testing.T) {
	c := fakeprovider.NewClock()
	one, other := newIntrospected(c, issuer), newIntrospected(c, "https://other.test")
	for name, tokens := range map[string]*oidc.AccessTokens{
		"nobody": newAccessTokens(c.Now, "RS256"),
		"both":   oidc.NewAccessTokens(one.AccessTokenIssuer, other.AccessTokenIssuer),
	} {
		_, err := tokens.Verify(t.Context(), "opaque", "")
		if refusal.Of(err) != refusal.TokenMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if one.asked+other.asked > 0 {
		t.Error("one got to see the other's tokens")
	}
}

// TestWhereToIntrospect finds the endpoint, or says what to do.
func TestWhereToIntrospect(t *testing.T) {
	for name, tt := range map[string]struct {
		announced, want string
	}{
		"announced":     {"/introspect", ""},
		"not announced": {"", "announces no introspection endpoint"},
		"in the clear":  {"http://op.test/introspect", "not an https URL"},
	} {
		p := fakeprovider.New(t)
		p.EditDiscovery = func(d map[string]any) {
			switch {
			case strings.HasPrefix(tt.announced, "/"):
				d["introspection_endpoint"] = p.URL + tt.announced
			case tt.announced != "":
				d["introspection_endpoint"] = tt.announced
			}
		}
		mux := http.NewServeMux()
		mux.Handle("/", p.Config.Handler)
		mux.HandleFunc("POST /introspect", answerWith(http.StatusOK, `{"active":true}`))
		p.Config.Handler = mux
		in := oidc.NewIntrospector(oidc.IntrospectorConfig{Provider: newProvider(p), Proof: oidc.PublicClient("c")})
		got, err := in.Ask(t.Context(), "opaque", "opaque")
		if tt.want == "" && (err != nil || !got.Truth("active")) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if tt.want != "" && (refusal.Of(err) != refusal.Introspection || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q in it", name, err, tt.want)
		}
	}
}
