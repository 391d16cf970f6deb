package cognate_test

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/cases"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// caseTime is when the tokens of the cases are good.
var caseTime = time.Unix(1796050000, 0)

// caseServer answers requests to https://op.example by their path, without a network.
func caseServer(answers map[string]http.HandlerFunc) *http.Client {
	return &http.Client{Transport: fakeprovider.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		if h := answers[r.URL.Path]; h != nil && r.URL.Host == "op.example" {
			h(w, r)
		} else {
			w.WriteHeader(http.StatusNotFound)
		}
		return w.Result(), nil
	})}
}

// sending answers with a body of a media type.
func sending(mediaType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = w.Write(body)
	}
}

// TestKeySetsAsTheyAre verifies a token with key sets as some providers write them.
func TestKeySetsAsTheyAre(t *testing.T) {
	for set, token := range map[string]string{
		"jwks-same-key-twice.json": "jwks-same-key-twice.token.txt",
		"jwks-padded.json":         "jwks-padded.token.txt",
	} {
		t.Run(set, func(t *testing.T) {
			bearer, err := cognate.NewBearer(cognate.BearerConfig{
				Issuers: []cognate.BearerIssuer{{Issuer: "https://op.example", Audiences: []string{"api"},
					JWKS: "https://op.example/jwks"}},
				Now: func() time.Time { return caseTime },
				HTTPClient: caseServer(map[string]http.HandlerFunc{
					"/jwks": sending("application/json", cases.Read(t, set)),
				}),
			})
			if err != nil {
				t.Fatal(err)
			}
			raw := strings.TrimSpace(string(cases.Read(t, token)))
			user, err := bearer.Verify(t.Context(), raw, "read")
			if err != nil || user.Subject != "u1" {
				t.Errorf("user %v, %v; want u1", user, err)
			}
			_, err = bearer.Verify(t.Context(), raw[:len(raw)-8]+"AAAAAAAA", "read")
			if reasonOf(err) != cognate.ReasonTokenSignature {
				t.Errorf("a changed signature: %v", err)
			}
			_, err = bearer.Verify(t.Context(), raw[:len(raw)-8]+"\n"+raw[len(raw)-8:], "read")
			if reasonOf(err) != cognate.ReasonTokenMalformed {
				t.Errorf("a line end in the signature: %v", err)
			}
		})
	}
}

// TestScopesAsAList signs in where the token response has its scopes as a list.
func TestScopesAsAList(t *testing.T) {
	var response struct {
		Scope []string `json:"scope"`
	}
	err := json.Unmarshal(cases.Read(t, "token-response-scope-array.json"), &response)
	if err != nil {
		t.Fatal(err)
	}
	p := fakeprovider.New(t)
	p.EditTokenResponse = func(r map[string]any) { r["scope"] = response.Scope }
	p.EditRefreshResponse = func(r map[string]any) { r["scope"] = []string{"openid", "of the refresh"}[:1] }
	c := fakeprovider.NewClock()
	p.Now = c.Now
	b := newApp(t, p, tokenModes["store"]).browser(t)
	b.signIn(p)
	u := b.user()
	if u == nil || strings.Join(u.Scopes, "|") != "openid|user:read:email" {
		t.Fatalf("user %+v, want the two scopes\n%s", u, b.app.log)
	}
	c.Advance(time.Hour)
	wantFetch(t, b, "/token", http.StatusOK, "access-1")
	if u := b.user(); u == nil || strings.Join(u.Scopes, "|") != "openid" {
		t.Errorf("user after a refresh: %+v", u)
	}
}

// TestSplitAtSpacesAlone: what is no space separates no scopes (RFC 6749, 3.3).
func TestSplitAtSpacesAlone(t *testing.T) {
	p := fakeprovider.New(t)
	const odd = "openid\tadmin \u00a0root\u2003x  a\nb"
	p.EditTokenResponse = func(r map[string]any) { r["scope"] = odd }
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	if u := b.user(); u == nil || strings.Join(u.Scopes, "|") != "openid\tadmin|\u00a0root\u2003x|a\nb" {
		t.Errorf("user %+v", u)
	}
	x := newBearerAPI(t, nil)
	for claim, value := range map[string]any{"scope": odd, "scp": []string{odd}} {
		raw := x.token(func(m jwt.MapClaims) { delete(m, "scope"); m[claim] = value })
		for _, scope := range []string{"admin", "root", "a"} {
			_, err := x.bearer.Verify(t.Context(), raw, scope)
			if reasonOf(err) != cognate.ReasonInsufficientScope {
				t.Errorf("%s: the scope %q was found: %v", claim, scope, err)
			}
		}
	}
}

// postOnly is a fake provider whose discovery document announces what the case does.
func postOnly(t *testing.T) *fakeprovider.Provider {
	t.Helper()
	var announced map[string]any
	err := json.Unmarshal(cases.Read(t, "discovery-post-only.json"), &announced)
	if err != nil {
		t.Fatal(err)
	}
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) {
		d["token_endpoint_auth_methods_supported"] = announced["token_endpoint_auth_methods_supported"]
		d["revocation_endpoint"] = p.URL + "/token"
	}
	return p
}

// TestOnlyOneMethodAnnounced sends the secret the one way that the provider takes.
func TestOnlyOneMethodAnnounced(t *testing.T) {
	p := postOnly(t)
	c := fakeprovider.NewClock()
	p.Now = c.Now
	b := newApp(t, p, func(cfg *cognate.Config) {
		tokenModes["store"](cfg)
		cfg.RevokeOnLogout = true
	}).browser(t)
	b.signIn(p)
	c.Advance(time.Hour)
	wantFetch(t, b, "/token", http.StatusOK, "access-1")
	b.request(http.MethodPost, "/logout")
	if len(p.TokenRequests()) != 3 {
		t.Fatalf("%d requests, want code, refresh and revocation\n%s", len(p.TokenRequests()), b.app.log)
	}
	for _, r := range p.TokenRequests() {
		if r.PostForm.Get("client_secret") != clientSecret || r.Header.Get("Authorization") != "" {
			t.Errorf("%v: the secret is not in the body alone", r.PostForm["grant_type"])
		}
	}

	silent := fakeprovider.New(t)
	silent.EditDiscovery = func(d map[string]any) { d["token_endpoint_auth_methods_supported"] = []string{} }
	if b := newApp(t, silent, nil).browser(t); b.signIn(silent) == nil || !b.signedIn() {
		t.Errorf("an empty list: not signed in\n%s", b.app.log)
	}

	set := newApp(t, postOnly(t), func(c *cognate.Config) { c.ClientAuth = cognate.ClientSecretBasic })
	if resp := set.browser(t).get("/private/"); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("a ClientAuth that is set and not announced: status %d, want 502", resp.StatusCode)
	}
}

// userInfoApp asks a userInfo endpoint that answers with a body of a type.
func userInfoApp(t *testing.T, mediaType string, body []byte, change func(*cognate.Config)) *cognate.Auth {
	t.Helper()
	document, err := json.Marshal(map[string]any{
		"issuer": "https://op.example", "authorization_endpoint": "https://op.example/authorize",
		"token_endpoint": "https://op.example/token",
		"jwks_uri":       "https://op.example/jwks", "userinfo_endpoint": "https://op.example/userinfo",
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := cognate.Config{
		Issuer: "https://op.example", ClientID: "client", RedirectURL: appOrigin + "/oidc_callback",
		Now:  func() time.Time { return caseTime },
		Keys: []cognate.Secret{cognate.Secret(strings.Repeat("k", 32))},
		HTTPClient: caseServer(map[string]http.HandlerFunc{
			"/.well-known/openid-configuration": sending("application/json", document),
			"/jwks": sending("application/json",
				cases.Read(t, "userinfo-signed.jwks.json")),
			"/userinfo": sending(mediaType, body),
		}),
	}
	if change != nil {
		change(&cfg)
	}
	auth, err := cognate.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

func TestSignedUserInfo(t *testing.T) {
	signed := strings.TrimSpace(string(cases.Read(t, "userinfo-signed.jwt")))
	foreign := func(change func(jwt.MapClaims)) string {
		c := jwt.MapClaims{"iss": "https://op.example", "aud": "client", "sub": "u1", "email": "evil@example.com"}
		change(c)
		return fakeprovider.SignRS256(fakeprovider.Keys()[0], "k1", c)
	}
	for _, tt := range []struct {
		name, mediaType, body string
		change                func(*cognate.Config)
		want                  cognate.Reason
		says                  string
	}{
		{"as it is", "application/jwt", signed, nil, "", ""},
		{"with a character set and a line end", "application/jwt; charset=utf-8", signed + "\r\n", nil, "", ""},
		{"for another client", "application/jwt", signed, func(c *cognate.Config) { c.ClientID = "client-2" },
			cognate.ReasonUserInfo, "aud does not name this client"},
		{"under another algorithm", "application/jwt", signed,
			func(c *cognate.Config) { c.SigningAlgorithms = []string{"PS256"} },
			cognate.ReasonUserInfo, "alg is not one of"},
		{"another's signature", "application/jwt", foreign(func(jwt.MapClaims) {}), nil, cognate.ReasonUserInfo,
			"signature is wrong"},
		{"not signed", "application/jwt", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSJ9.", nil,
			cognate.ReasonUserInfo, "alg is not one of"},
		{"encrypted", "application/jwt", "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkExMjhHQ00ifQ.AA.AA.AA.AA", nil,
			cognate.ReasonUserInfo, "encrypted, which is not supported"},
		{"no token at all", "application/jwt", `{"sub":"u1","email":"evil@example.com"}`, nil,
			cognate.ReasonUserInfo, "can't be read"},
		{"a token that is said to be JSON", "application/json", signed, nil, cognate.ReasonUserInfo,
			"not the JSON expected"},
		{"a line end inside", "application/jwt", signed[:40] + "\n" + signed[40:], nil,
			cognate.ReasonUserInfo, "can't be read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			user, err := userInfoApp(t, tt.mediaType, []byte(tt.body), tt.change).UserInfo(t.Context(),
				"some access token")
			if tt.want == "" {
				if err != nil || user.Email != "ann@example.com" || !user.EmailVerified || user.Subject != "u1" {
					t.Errorf("user %+v, %v; want Ann", user, err)
				}
				return
			}
			if reasonOf(err) != tt.want || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("user %+v, error %v; want %s that says %q", user, err, tt.want, tt.says)
			}
		})
	}
}

// TestSignedUserInfoIsChecked has a provider sign userInfo in odd ways, at a sign-in.
func TestSignedUserInfoIsChecked(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name   string
		change func(jwt.MapClaims)
		want   cognate.Reason
	}{
		{"good", func(jwt.MapClaims) {}, ""},
		{"several audiences", func(c jwt.MapClaims) { c["aud"] = []string{clientID, "other"} }, cognate.ReasonUserInfo},
		{"no audience", func(c jwt.MapClaims) { delete(c, "aud") }, cognate.ReasonUserInfo},
		{"another issuer", func(c jwt.MapClaims) { c["iss"] = "https://evil.test" }, cognate.ReasonUserInfo},
		{"no issuer", func(c jwt.MapClaims) { delete(c, "iss") }, cognate.ReasonUserInfo},
		{"expired", func(c jwt.MapClaims) { c["exp"] = now.Add(-time.Hour).Unix() }, cognate.ReasonUserInfo},
		{"another subject", func(c jwt.MapClaims) { c["sub"] = "user-2" }, cognate.ReasonUserInfoSubject},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.ServeUserInfo = func(w http.ResponseWriter, _ *http.Request) {
				c := jwt.MapClaims{
					"iss": p.Issuer, "aud": clientID, "sub": "user-1", "email": "ann@example.com",
					"email_verified": true,
				}
				tt.change(c)
				w.Header().Set("Content-Type", "application/jwt")
				_, _ = io.WriteString(w, fakeprovider.SignRS256(p.Key, p.KeyID, c))
			}
			expectReason(t, p, func(c *cognate.Config) { c.UserInfo = cognate.UserInfoAlways }, tt.want)
		})
	}
}

// TestOtherIssuer: a document of another issuer is a mistake that stays one.
func TestOtherIssuer(t *testing.T) {
	document := cases.Read(t, "discovery-other-issuer.json")
	client := &http.Client{Transport: fakeprovider.RoundTripFunc(func(*http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		sending("application/json", document)(w, nil)
		return w.Result(), nil
	})}
	x := newApp(t, fakeprovider.New(t), func(c *cognate.Config) {
		c.Issuer, c.HTTPClient = "https://login.example/common/v2.0", client
	})
	b := x.browser(t)
	for range 2 {
		resp := b.get("/private/")
		page := body(t, resp)
		if resp.StatusCode != http.StatusBadGateway || resp.Header.Get("Retry-After") != "" {
			t.Errorf("status %d, Retry-After %q; want 502 without", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		if strings.Contains(strings.ToLower(page), "try again") || strings.Contains(page, "can’t be reached") {
			t.Errorf("the page speaks of an outage: %s", page)
		}
	}
	log := x.log.String()
	if !strings.Contains(log, "reason=provider_issuer") || !strings.Contains(log, "{tenantid}") ||
		!strings.Contains(log, "set Issuer to") {
		t.Errorf("the log does not say what is wrong: %s", log)
	}
	bearer, err := cognate.NewBearer(cognate.BearerConfig{
		Issuers:    []cognate.BearerIssuer{{Issuer: "https://login.example/common/v2.0", Audiences: []string{"api"}}},
		HTTPClient: client,
	})
	if err != nil {
		t.Fatal(err)
	}
	raw := fakeprovider.SignRS256(fakeprovider.Keys()[0], "k",
		jwt.MapClaims{"iss": "https://login.example/common/v2.0", "sub": "u", "aud": "api"})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+raw)
	w := httptest.NewRecorder()
	bearer.Require()(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != http.StatusBadGateway || w.Header().Get("Retry-After") != "" ||
		!strings.Contains(w.Body.String(), "server_error") {
		t.Errorf("API: status %d, header %v, %s", w.Code, w.Header(), w.Body)
	}
}

// TestIssuersOfCognito gives each of Cognito's partitions its dialect.
func TestIssuersOfCognito(t *testing.T) {
	lines := bufio.NewScanner(bytes.NewReader(cases.Read(t, "cognito-issuers.txt")))
	n := 0
	for lines.Scan() {
		issuer := strings.TrimSpace(lines.Text())
		if issuer == "" {
			continue
		}
		n++
		if target := signOutTarget(t,
			func(c *cognate.Config) { c.Issuer = issuer }); !strings.Contains(target, "logout_uri=") {
			t.Errorf("%s: sign-out leads to %s, want Cognito's way", issuer, target)
		}
	}
	if n < 5 {
		t.Errorf("%d issuers", n)
	}
	// A pool under a name of one's own, whose domain is Cognito's.
	target := signOutTarget(t, func(c *cognate.Config) {
		c.Issuer = "https://id.shop.test"
		c.Endpoints.Authorization = "https://shop.auth.eu-west-1.amazoncognito.com/oauth2/authorize"
	})
	if !strings.Contains(target, "logout_uri=") {
		t.Errorf("a domain of Cognito's: sign-out leads to %s", target)
	}
}

// signOutTarget is where a sign-out leads to, without a provider that answers.
func signOutTarget(t *testing.T, change func(*cognate.Config)) string {
	t.Helper()
	x := newApp(t, fakeprovider.New(t), func(c *cognate.Config) {
		c.Endpoints = cognate.Endpoints{
			Authorization: "https://provider.test/authorize", Token: "https://provider.test/token",
			JWKS:       "https://provider.test/keys",
			EndSession: "https://provider.test/end",
		}
		change(c)
	})
	return x.browser(t).request(http.MethodPost, "/logout").Header.Get("Location")
}

func TestRedirectURIWithAWildcard(t *testing.T) {
	cs, err := cognate.ParseClientSecrets(bytes.NewReader(cases.Read(t, "client_secrets-wildcard.json")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = cognate.New(cognate.Config{ClientSecrets: cs})
	if err == nil || !strings.Contains(err.Error(), "a redirect URI has no wildcard") ||
		!strings.Contains(err.Error(), "set RedirectURL") {
		t.Errorf("error %v", err)
	}
	for redirect, ok := range map[string]bool{
		"http://localhost:5000/oidc_callback": true, "http://localhost:5001/oidc_callback": false,
		"http://localhost:5000/*/cb": false,
	} {
		_, err := cognate.New(cognate.Config{ClientSecrets: cs, RedirectURL: redirect})
		if (err == nil) != ok {
			t.Errorf("RedirectURL %s: %v", redirect, err)
		}
	}
	for _, change := range []func(*cognate.Config){
		func(c *cognate.Config) { c.LogoutRedirectURL = "http://localhost:5000/*" },
		func(c *cognate.Config) { c.LogoutRedirectURLs = []string{"http://localhost:5000/*"} },
	} {
		cfg := cognate.Config{ClientSecrets: cs, RedirectURL: "http://localhost:5000/oidc_callback"}
		change(&cfg)
		_, err := cognate.New(cfg)
		if err == nil || !strings.Contains(err.Error(), "no wildcard") {
			t.Errorf("sign-out address with a wildcard: %v", err)
		}
	}
}

// TestSeveralValuesInOneClaim reads what Cognito makes of a list.
func TestSeveralValuesInOneClaim(t *testing.T) {
	var written map[string]string
	err := json.Unmarshal(cases.Read(t, "claim-multi-value.json"), &written)
	if err != nil {
		t.Fatal(err)
	}
	p := fakeprovider.New(t)
	claim := any(written["custom:groups"])
	p.EditClaims = func(c map[string]any) { c["custom:groups"] = claim }
	values := func() []string {
		b := newApp(t, p, func(c *cognate.Config) { c.Claims = []string{"custom:*"} }).browser(t)
		b.signIn(p)
		return b.user().Values("custom:groups")
	}
	for _, tt := range []struct {
		claim any
		want  []string
	}{
		{claim, []string{"team-a", "team b,c"}},
		{"[team-a]", []string{"team-a"}},
		{"team-a", []string{"team-a"}},
		{"a+b%2C", []string{"a+b%2C"}}, // not in brackets, so not encoded
		{"[]", nil},
		{"[team-a, team+b%2Cc , x]", []string{"team-a", "team b,c", "x"}},
		{"[+a%20]", []string{" a "}}, // blanks of the value's own
		{"[a", []string{"[a"}},
		{"[a,%zz,%ff]", []string{"a", "%zz", "%ff"}},
		{"[%5Ba%5D,,b]", []string{"[a]", "", "b"}},
		{[]string{"x", "[y]"}, []string{"x", "[y]"}},
		{7, []string{"7"}},
		{map[string]any{"a": 1}, nil},
	} {
		claim = tt.claim
		if got := values(); strings.Join(got, "|") != strings.Join(tt.want, "|") || len(got) != len(tt.want) {
			t.Errorf("%v: %q, want %q", tt.claim, got, tt.want)
		}
	}

	claim = written["custom:groups"]
	for want, pass := range map[string]bool{
		"team-a": true, "team b,c": true, "team b": false, "c": false, "": false, "[team-a,team+b%2Cc]": false,
	} {
		b := newApp(t, p, func(c *cognate.Config) {
			c.LoginRules = []cognate.Rule{cognate.ClaimValues("custom:groups", want)}
		}).browser(t)
		b.signIn(p)
		if b.signedIn() != pass {
			t.Errorf("requiring %q: signed in %v, want %v", want, !pass, pass)
		}
	}
	if nobody := (*cognate.User)(nil); nobody.Values("custom:groups") != nil {
		t.Error("nobody has values")
	}
}

// TestPreflight is the arrangement that docs/protecting-apis.md shows.
func TestPreflight(t *testing.T) {
	x := newBearerAPI(t, nil)
	api := allowOrigin("https://spa.example", x.bearer.Require()(http.HandlerFunc(whoAmI)))
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(bytes.TrimRight(cases.Read(t,
		"preflight-bearer-api.http"), "\r\n"), "\r\n\r\n"...))))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") != "https://spa.example" ||
		!strings.Contains(strings.ToLower(w.Header().Get("Access-Control-Allow-Headers")), "authorization") {
		t.Errorf("preflight: status %d, header %v", w.Code, w.Header())
	}
	for token, want := range map[string]int{x.token(nil): http.StatusOK, "": http.StatusUnauthorized} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/orders", nil)
		r.Header.Set("Origin", "https://spa.example")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != want || w.Header().Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("status %d, header %v; want %d that the page may read", w.Code, w.Header(), want)
		}
	}
	r = httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "/api/orders", nil)
	r.Header.Set("Origin", "https://evil.example")
	w = httptest.NewRecorder()
	api.ServeHTTP(w, r)
	if w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("another origin is allowed")
	}
	if page := guide(t); !strings.Contains(page, "allowOrigin(\"https://spa.example\", ") {
		t.Error("the page does not show where it goes")
	}
}

// allowOrigin is the function of that page, to the letter.
func allowOrigin(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if r.Header.Get("Origin") == origin {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		}
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// encodings are what programs on Windows make of a text.
var encodings = map[string]func(string) []byte{
	"UTF-8 with a mark and CRLF": func(s string) []byte {
		return []byte("\xef\xbb\xbf" + strings.ReplaceAll(s, "\n", "\r\n"))
	},
	"UTF-16, little end first": func(s string) []byte { return utf16Text(s, true) },
	"UTF-16, big end first":    func(s string) []byte { return utf16Text(s, false) },
}

func utf16Text(s string, little bool) []byte {
	out := []byte{0xfe, 0xff}
	if little {
		out = []byte{0xff, 0xfe}
	}
	for _, unit := range utf16.Encode([]rune(s)) {
		pair := []byte{byte(unit >> 8), byte(unit)}
		if little {
			pair = []byte{byte(unit), byte(unit >> 8)}
		}
		out = append(out, pair...)
	}
	return out
}

// recoded changes the encoding of every answer of a provider.
func recoded(encode func(string) []byte) *http.Client {
	return &http.Client{Transport: fakeprovider.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(encode(string(text))))
		resp.ContentLength = -1
		return resp, err
	})}
}

// TestTextOfWindows has everything that is read from outside in other encodings than plain
// UTF-8: discovery, keys, tokens, refreshes, userInfo, pushed requests, errors,
// introspection, client secrets and private keys.
func TestTextOfWindows(t *testing.T) {
	for name, encode := range encodings {
		t.Run(name, func(t *testing.T) {
			p := newPusher(t)
			c := fakeprovider.NewClock()
			p.Now = c.Now
			b := newApp(t, p.Provider, func(cfg *cognate.Config) {
				tokenModes["store"](cfg)
				cs, err := cognate.ParseClientSecrets(bytes.NewReader(encode(secretsFile(p.Provider))))
				if err != nil {
					t.Fatal(err)
				}
				cfg.ClientSecrets, cfg.UserInfo, cfg.HTTPClient = cs, cognate.UserInfoAlways, recoded(encode)
				cfg.Issuer, cfg.ClientID, cfg.ClientSecret, cfg.RedirectURL = "", "", "", ""
			}).browser(t)
			location := b.get("/private/").Header.Get("Location")
			pushed := p.requests()
			if len(pushed) != 1 || !strings.Contains(location, "request_uri=") {
				t.Fatalf("%d pushed requests, then to %q\n%s", len(pushed), location, b.app.log)
			}
			b.get("/oidc_callback?" + p.SignIn(t, p.URL+"/authorize?"+pushed[0].PostForm.Encode()).Encode())
			if !b.signedIn() {
				t.Fatalf("not signed in\n%s", b.app.log)
			}
			c.Advance(time.Hour)
			wantFetch(t, b, "/token", http.StatusOK, "access-1")
			p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) {
				fakeprovider.ServeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
			}
			c.Advance(time.Hour)
			if wantFetch(t, b, "/token", http.StatusFound, ""); b.signedIn() {
				t.Error("the refusal of a refresh was not understood")
			}

			x := newBearerAPI(t, func(cfg *cognate.BearerConfig) {
				in := post
				in.Endpoint = cfg.Issuers[0].Issuer + "/introspect"
				cfg.Issuers[0].Introspection, cfg.HTTPClient = &in, recoded(encode)
			})
			x.answerWith(answering(activeAnswer(x)))
			_, err := x.bearer.Verify(t.Context(), "opaque")
			if err != nil {
				t.Errorf("introspection: %v", err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(fakeprovider.Keys()[0])
			key := encode(string(pemOf(t, "PRIVATE KEY", der, err)))
			_, err = cognate.New(cognate.Config{
				Issuer: "https://op.example", ClientID: "c", RedirectURL: appOrigin + "/cb",
				Keys:      []cognate.Secret{cognate.Secret(strings.Repeat("k", 32))},
				ClientKey: cognate.ClientKey{PEM: cognate.Secret(key)},
			})
			if err != nil {
				t.Errorf("private key: %v", err)
			}
		})
	}
	x := newIntrospectingAPI(t, post, nil)
	_, err := x.bearer.Verify(t.Context(), "opaque\r\n")
	if reasonOf(err) != cognate.ReasonTokenMalformed || x.asked() != 0 {
		t.Errorf("a token with a line end: %v, after %d introspections", err, x.asked())
	}
	_, err = cognate.ParseClientSecrets(strings.NewReader("\xff\xfe\x00\x00{\x00\x00\x00"))
	if err == nil || !strings.Contains(err.Error(), "save it as UTF-8") {
		t.Errorf("UTF-32: %v", err)
	}
}

// TestSilentSignInAtAnotherIssuer: a public page that only asks whether somebody is known
// shows no error for it.
func TestSilentSignInAtAnotherIssuer(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) { d["issuer"] = "https://other.test" }
	x := newApp(t, p, nil)
	x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.auth.Login(w, r, cognate.Silent(), cognate.ReturnTo("/?asked"))
	})
	if resp := x.browser(t).get("/"); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/?asked" {
		t.Errorf("status %d to %q, want the page", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// TestEncryptedIDToken: what is not supported is called by its name.
func TestEncryptedIDToken(t *testing.T) {
	p := fakeprovider.New(t)
	p.Sign = func(jwt.MapClaims) string { return "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkExMjhHQ00ifQ.AA.AA.AA.AA" }
	x := newApp(t, p, nil)
	x.browser(t).signIn(p)
	if log := x.log.String(); !strings.Contains(log, "reason=token_malformed") ||
		!strings.Contains(log, "encrypted, which is not supported") {
		t.Errorf("the log does not say what is wrong: %s", log)
	}
}
