package federation_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate/userpool"
)

// isCode reports whether the app got a code.
func isCode(to *url.URL) bool {
	return strings.HasPrefix(to.String(), callback+"?code=") && to.Query().Get("state") == "S"
}

// TestRequest pins what a provider is asked, and how the code is redeemed.
func TestRequest(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	q := e.start(t, "login_hint", "ann@example.com", "prompt", "login consent")
	for name, want := range map[string]string{
		"client_id": "pool", "response_type": "code", "scope": "openid email", "tenant": "1",
		"redirect_uri": base + "/oauth2/idpresponse", "login_hint": "ann@example.com", "prompt": "login consent",
		"code_challenge_method": "S256",
	} {
		if q.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, q.Get(name), want)
		}
	}
	if to := e.back(t, "state", q.Get("state"), "code", "the code"); !isCode(to) {
		t.Fatalf("got %s", to)
	}
	form := e.up.last["/token"]
	for name, want := range map[string]string{
		"grant_type": "authorization_code", "code": "the code", "redirect_uri": base + "/oauth2/idpresponse",
		"client_id": "pool", "client_secret": secret,
	} {
		if form.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, form.Get(name), want)
		}
	}
	if !e.up.verifierFits(q.Get("code_challenge")) {
		t.Error("the verifier is not that of the challenge")
	}
	if strings.Contains(e.logs.String(), secret) || strings.Contains(e.logs.String(), "the code") {
		t.Error("a secret is in the log")
	}
}

// TestWhichProvider pins who is asked, and that nobody is where the client has no
// such provider.
func TestWhichProvider(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for name, tt := range map[string]struct {
		pairs []string
		want  string // where the browser goes
	}{
		"by name": {nil, e.up.url + "/authorize?"},
		"by identifier": {
			[]string{"identity_provider", "", "idp_identifier", "corp.example"}, e.up.url + "/authorize?",
		},
		"name before all":       {[]string{"idp_identifier", "nobody"}, e.up.url + "/authorize?"},
		"the pool itself":       {[]string{"identity_provider", "COGNITO"}, base + "/login?"},
		"none":                  {[]string{"identity_provider", ""}, base + "/login?"},
		"one alone":             {[]string{"client_id", "corponly", "identity_provider", ""}, e.up.url + "/authorize?"},
		"unknown":               {[]string{"identity_provider", "Evil"}, base + "/login?"},
		"not configured":        {[]string{"identity_provider", "Other"}, base + "/login?"},
		"other case":            {[]string{"identity_provider", "CORP"}, base + "/login?"},
		"not the client's":      {[]string{"client_id", "local"}, base + "/login?"},
		"prompt=none":           {[]string{"prompt", "none"}, callback + "?state=S&error=login_required"},
		"pool not the client's": {[]string{"client_id", "corponly", "identity_provider", "COGNITO"}, base + "/login?"},
	} {
		to := location(t, e.get(t, "/oauth2/authorize?"+request(tt.pairs...).Encode())).String()
		if !strings.HasPrefix(to, tt.want) {
			t.Errorf("%s: got %s, want %s", name, to, tt.want)
		}
	}
	for _, pairs := range [][]string{
		{"identity_provider", "Evil"}, {"client_id", "local"},
		{"client_id", "corponly", "identity_provider", "COGNITO"},
	} {
		resp := e.get(t, "/login?"+request(pairs...).Encode())
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(string(body), userpool.TextNoSuchLogin) {
			t.Errorf("%q: the sign-in page answers %d", pairs, resp.StatusCode)
		}
	}
}

// TestState are ways back from a provider that nobody may take: forged, used,
// late, or another browser's.
func TestState(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, e *env, q url.Values) // of the way back
		want  string
	}{
		"untouched": {func(*testing.T, *env, url.Values) {}, callback + "?code="},
		"no state": {
			func(_ *testing.T, _ *env, q url.Values) { q.Del("state") }, "/error?error=Invalid%20state",
		},
		"unknown state": {
			func(_ *testing.T, _ *env, q url.Values) { q.Set("state", strings.Repeat("A", 43)) },
			"/error?error=Invalid%20state",
		},
		"endless state": {
			func(_ *testing.T, _ *env, q url.Values) { q.Set("state", strings.Repeat("A", 9000)) },
			"/error?error=Invalid%20state",
		},
		"state twice": {
			func(_ *testing.T, _ *env, q url.Values) { q.Add("state", q.Get("state")) }, "/error?error=invalid_request",
		},
		"used": {func(t *testing.T, e *env, q url.Values) {
			e.get(t, "/oauth2/idpresponse?"+
				q.Encode())
		}, "/error?error=Invalid%20state"},
		"other browser": {
			func(_ *testing.T, e *env, _ url.Values) { e.cookies["csrf-state"] = userpool.NewUUID() },
			"/error?error=Invalid%20state",
		},
		"no cookie": {
			func(_ *testing.T, e *env, _ url.Values) { delete(e.cookies, "csrf-state") },
			"/error?error=Invalid%20state",
		},
		"late": {
			func(_ *testing.T, e *env, _ url.Values) { e.clock.Advance(5 * time.Minute) },
			"/error?error=Invalid%20state",
		},
		"in time": {
			func(_ *testing.T, e *env, _ url.Values) { e.clock.Advance(5*time.Minute - time.Second) },
			callback + "?code=",
		},
		"other issuer": {
			func(_ *testing.T, _ *env, q url.Values) { q.Set("iss", "https://evil.test") },
			"/error?error=Invalid%20state",
		},
		"its issuer": {func(_ *testing.T, e *env, q url.Values) { q.Set("iss", e.up.url) }, callback + "?code="},
		"HEAD before": {func(t *testing.T, e *env, q url.Values) {
			e.do(t, "HEAD", "/oauth2/idpresponse?"+
				q.Encode())
		}, callback + "?code="},
		"tab in between": {
			func(t *testing.T, e *env, _ url.Values) { n := e.up.nonce; e.start(t); e.up.nonce = n },
			callback + "?code=",
		},
		"client gone": {
			func(t *testing.T, e *env, _ url.Values) { _ = e.pool.Clients.Delete(t.Context(), "app") },
			"/error?error=Client+does+not+exist",
		},
		"provider gone": {
			func(t *testing.T, e *env, _ url.Values) { _ = e.pool.Configure(t.Context(), userpool.Settings{}) },
			callback + "?error_description=Login+option",
		},
		"SAML's endpoint": {func(t *testing.T, e *env, q url.Values) {
			e.get(t, "/saml2/idpresponse?"+
				q.Encode())
		}, "/error?error=Invalid%20state"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			q := url.Values{"state": {e.start(t).Get("state")}, "code": {"c"}}
			tt.spoil(t, e, q)
			to := location(t, e.get(t, "/oauth2/idpresponse?"+q.Encode())).String()
			if !strings.HasPrefix(strings.TrimPrefix(to, base), tt.want) {
				t.Errorf("got %s, want %s", to, tt.want)
			}
		})
	}
}

// TestMixUp answers for one provider with the state of another: where a provider
// says that it names itself, silence is no excuse (RFC 9207 section 2.4).
func TestMixUp(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.up.mux["/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) {
		d := e.up.document()
		d["authorization_response_iss_parameter_supported"] = true
		answer(w, d)
	}
	if to := e.signIn(t); to.Path != "/error" || e.up.count("/token") != 0 {
		t.Errorf("got %s, and the code was sent %d times", to, e.up.count("/token"))
	}
	if to := e.back(t, "state", e.start(t).Get("state"), "code", "c", "iss", e.up.url); !isCode(to) {
		t.Errorf("got %s", to)
	}
}

// slow waits until the one who asks has given up.
func slow(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// reset closes the connection.
func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// says answers with a status and a text.
func says(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// TestProviderFaults are the ways in which a provider can fail, and what the app
// hears of each.
func TestProviderFaults(t *testing.T) {
	t.Parallel()
	const discovery = "/.well-known/openid-configuration"
	huge := `{"x":"` + strings.Repeat("A", 1<<20) + `"}`
	for name, tt := range map[string]struct {
		path    string
		handler http.HandlerFunc
		want    string
	}{
		"token timeout": {"/token", slow, "Timeout occurred in calling IdP token endpoint"},
		"token reset":   {"/token", reset, "Connection reset"},
		"token refused": {
			"/token", says(400, `{"error":"invalid_grant","error_description":"code \"was\" used"}`),
			"Corp Error - 400 invalid_grant code was used",
		},
		"token unauthorized": {
			"/token", says(401, `{"error":"invalid_client"}`), "Corp Error - 401 invalid_client",
		},
		"token error with 200": {
			"/token", says(200, `{"error":"bad_verification_code"}`), "Corp Error - 200 bad_verification_code",
		},
		"token page": {"/token", says(400, "<html>"), "Bad token response: HTTP/1.1 400 Bad Request"},
		"token failure": {
			"/token", says(500, `{}`), "Bad token response: HTTP/1.1 500 Internal Server Error",
		},
		"token form": {"/token", says(200, "access_token=x"), "Bad token response: HTTP/1.1 200 OK"},
		"token without ID token": {
			"/token", says(200, `{"access_token":"x"}`), "Bad token response: HTTP/1.1 200 OK",
		},
		"token huge": {"/token", says(200, huge), "Bad response"},
		"token redirect": {
			"/token", http.RedirectHandler("/keys", http.StatusTemporaryRedirect).ServeHTTP,
			"Bad token response: HTTP/1.1 307 Temporary Redirect",
		},
		"not a JWT": {"/token", says(200, `{"id_token":"x.y.z"}`), "Bad id_token form"},
		"endless JWT": {"/token", says(200, `{"id_token":"`+strings.Repeat("A", 100_000)+
			`"}`), "Bad id_token"},
		"keys timeout": {"/keys", slow, "Timeout in calling jwks uri"},
		"keys reset":   {"/keys", reset, "Connection reset"},
		"keys failure": {"/keys", says(503, ""), "Corp Error - 503 Service Unavailable"},
		"keys page":    {"/keys", says(200, "<html>"), "Bad jwks response"},
		"keys none":    {"/keys", says(200, `{"keys":[]}`), "Bad id_token key"},
		"keys too many": {"/keys", says(200, `{"keys":[`+strings.Repeat(`{},`, 200)+
			`{}]}`), "Bad jwks response"},
		"userInfo timeout":    {"/info", slow, "Read timed out"},
		"userInfo reset":      {"/info", reset, "Connection reset"},
		"userInfo refused":    {"/info", says(401, `{"error":"invalid_token"}`), "Corp Error - 401 invalid_token"},
		"userInfo forbidden":  {"/info", says(403, ""), "Corp Error - 403 Forbidden"},
		"userInfo page":       {"/info", says(200, "<html>"), "Bad userInfo response"},
		"userInfo list":       {"/info", says(200, "[]"), "Bad userInfo response"},
		"userInfo null":       {"/info", says(200, "null"), "Bad userInfo response"},
		"userInfo two":        {"/info", says(200, `{"sub":"ann"}{}`), "Bad userInfo response"},
		"userInfo huge":       {"/info", says(200, huge), "Bad response"},
		"userInfo of another": {"/info", says(200, `{"sub":"eve"}`), "username attribute mapping required"},
		"userInfo of nobody": {
			"/info", says(200, `{"email":"eve@example.com"}`), "username attribute mapping required",
		},
		"discovery timeout": {discovery, slow, "Read timed out"},
		"discovery reset":   {discovery, reset, "Connection reset"},
		"discovery failure": {discovery, says(404, ""), "Corp Error - 404 Not Found"},
		"discovery page":    {discovery, says(200, "<html>"), "Invalid discovery document"},
		"discovery of another": {
			discovery, says(200, `{"issuer":"https://evil.test","authorization_endpoint":"https://a.test",
				"token_endpoint":"https://a.test","jwks_uri":"https://a.test"}`), "Invalid discovery document",
		},
		"discovery huge": {discovery, says(200, huge), "Bad response"},
		"discovery redirect": {
			discovery, http.RedirectHandler("/keys", http.StatusFound).ServeHTTP, "Corp Error - 302 Found",
		},
		"attribute too long": {"/info", says(200, `{"sub":"ann","name":"`+strings.Repeat("A", 3000)+
			`"}`), "Attributes did not conform to the schema: name: expected UTF-8 of at most 2048 bytes"},
		"attribute of a bad shape": {
			"/info", says(200, `{"sub":"ann","email":"nobody"}`), "Invalid email address format.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patience := time.Minute
			if strings.HasSuffix(name, "timeout") {
				patience = 500 * time.Millisecond // hundreds of times what the other answers take
			}
			e := newPatientEnv(t, patience)
			e.up.mux[tt.path] = tt.handler
			to := location(t, e.get(t, "/oauth2/authorize?"+request().Encode()))
			if tt.path != discovery {
				e.up.nonce = to.Query().Get("nonce")
				to = e.back(t, "state", to.Query().Get("state"), "code", "c")
			}
			q := to.Query()
			if !strings.HasPrefix(to.String(), callback+"?error_description=") || q.Get("error") != "invalid_request" ||
				q.Get("error_description") != tt.want || q.Get("state") != "S" {
				t.Errorf("got %s, want %q", to, tt.want)
			}
			if e.cookies["cognito"] != "" {
				t.Error("somebody is signed in")
			}
		})
	}
}

// TestRefusedThere is a provider that sends the browser back with an error.
func TestRefusedThere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pairs []string
		want  string
	}{
		"denied": {
			[]string{"error", "access_denied", "error_description", "She said no"},
			"Corp Error - access_denied She said no",
		},
		"and a code":     {[]string{"error", "access_denied", "code", "c"}, "Corp Error - access_denied"},
		"nothing at all": {nil, "Corp Error -"},
		"line breaks": {
			[]string{"error", "x\r\ny\x00", "error_description", strings.Repeat("é\"z", 500)},
			"Corp Error - xy " + strings.Repeat("z", 200),
		},
	} {
		e := newEnv(t)
		to := e.back(t, append([]string{"state", e.start(t).Get("state")}, tt.pairs...)...)
		if got := to.Query().Get("error_description"); got != tt.want || to.Query().Get("error") != "invalid_request" {
			t.Errorf("%s: got %s, want %q", name, to, tt.want)
		}
		if e.up.count("/token") != 0 {
			t.Errorf("%s: a code was redeemed", name)
		}
	}
}

// TestIDToken are ID tokens, good ones and those that must not count.
func TestIDToken(t *testing.T) {
	t.Parallel()
	claim := func(name string, value any) func(*rogue) {
		return func(p *rogue) {
			p.claims[name] = value
			if value == nil {
				delete(p.claims, name)
			}
		}
	}
	signed := func(method jwt.SigningMethod, key any, kid any) func(*rogue) {
		return func(p *rogue) {
			p.method, p.key, p.header = method, key, map[string]any{"kid": kid}
			if kid == nil {
				p.header = nil
			}
		}
	}
	der, err := x509.MarshalPKIXPublicKey(&rsaKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	otherRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	otherEC, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := start
	for name, tt := range map[string]struct {
		change func(*rogue)
		want   string // empty: it counts
	}{
		"as it is":          {func(*rogue) {}, ""},
		"PS256":             {signed(jwt.SigningMethodPS256, rsaKey(), "r"), ""},
		"ES256":             {signed(jwt.SigningMethodES256, ecKey(), "e"), ""},
		"HS256":             {signed(jwt.SigningMethodHS256, []byte(secret), nil), ""},
		"no kid, one key":   {signed(jwt.SigningMethodES256, ecKey(), nil), ""},
		"audience list":     {claim("aud", []string{"pool"}), ""},
		"azp":               {claim("azp", "pool"), ""},
		"audiences and azp": {func(p *rogue) { p.claims["aud"] = []string{"x", "pool"}; p.claims["azp"] = "pool" }, ""},
		"fast clock":        {claim("nbf", now.Add(59*time.Second).Unix()), ""},
		"just over":         {claim("exp", now.Add(-59*time.Second).Unix()), ""},

		"none": {
			signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "r"), " signature",
		},
		"HS256 with public key":   {signed(jwt.SigningMethodHS256, der, "r"), " signature"},
		"HS256 with empty key":    {signed(jwt.SigningMethodHS256, []byte{}, "r"), " signature"},
		"HS384":                   {signed(jwt.SigningMethodHS384, []byte(secret), nil), " signature"},
		"other RSA key":           {signed(jwt.SigningMethodRS256, otherRSA, "r"), " signature"},
		"other EC key":            {signed(jwt.SigningMethodES256, otherEC, "e"), " signature"},
		"RSA kid for EC":          {signed(jwt.SigningMethodES256, ecKey(), "r"), " key"},
		"unknown kid":             {signed(jwt.SigningMethodRS256, rsaKey(), "x"), " key"},
		"kid of another type":     {signed(jwt.SigningMethodRS256, rsaKey(), 7), ""},
		"crit":                    {func(p *rogue) { p.header["crit"] = []string{"x"} }, " key"},
		"issuer":                  {claim("iss", "https://evil.test"), " issuer"},
		"no issuer":               {claim("iss", nil), " claims"},
		"audience":                {claim("aud", "other"), " audience"},
		"no audience":             {claim("aud", nil), " claims"},
		"audiences without azp":   {claim("aud", []string{"x", "pool"}), " azp"},
		"other azp":               {claim("azp", "x"), " azp"},
		"azp of another type":     {claim("azp", []string{"pool"}), " azp"},
		"expired":                 {claim("exp", now.Add(-61*time.Second).Unix()), " expired"},
		"no end":                  {claim("exp", nil), " claims"},
		"end of another type":     {claim("exp", "tomorrow"), " claims"},
		"not yet":                 {claim("nbf", now.Add(61*time.Second).Unix()), " not valid yet"},
		"nonce":                   {claim("nonce", "x"), " nonce"},
		"no nonce":                {claim("nonce", ""), " nonce"},
		"nonce of another type":   {claim("nonce", []string{"x"}), " nonce"},
		"no subject":              {claim("sub", nil), "username attribute mapping required"},
		"subject of another type": {claim("sub", 7), "username attribute mapping required"},
		"subject with a space":    {claim("sub", "a b"), "username attribute mapping required"},
		"subject beyond all names": {
			func(p *rogue) { p.claims["sub"] = strings.Repeat("a", 200); p.info["sub"] = p.claims["sub"] },
			"the user name, Corp_ and the subject, has more than 128 characters or a space",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			tt.change(e.up)
			to := e.signIn(t)
			want := tt.want
			if strings.HasPrefix(want, " ") {
				want = "Bad id_token" + want
			}
			if want == "" && !isCode(to) || want != "" && to.Query().Get("error_description") != want {
				t.Errorf("got %s, want %q\n%s", to, want, e.logs)
			}
		})
	}
}

// TestKeyRotation pins that a new key is found at once, and that unknown ones do
// not make a flood of questions.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.up.mux["/keys"] = func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []any{jwkOf("r", &rsaKey().PublicKey)}})
	}
	for range 3 {
		if to := e.signIn(t, "prompt", "login"); !isCode(to) {
			t.Fatalf("got %s", to)
		}
	}
	if n := e.up.count("/keys"); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
	if n := e.up.count("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("the discovery document was fetched %d times", n)
	}
	e.up.mux["/keys"] = func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []any{jwkOf("e", &ecKey().PublicKey)}})
	}
	e.clock.Advance(time.Second)
	e.up.method, e.up.key, e.up.header = jwt.SigningMethodES256, ecKey(), map[string]any{"kid": "e"}
	if to := e.signIn(t, "prompt", "login"); !isCode(to) {
		t.Errorf("with the new key: %s", to)
	}
	e.up.header = map[string]any{"kid": "unknown"}
	for range 5 {
		e.signIn(t, "prompt", "login")
	}
	if n := e.up.count("/keys"); n != 2 {
		t.Errorf("the keys were fetched %d times, want 2", n)
	}
	e.clock.Advance(10 * time.Minute)
	e.up.header = map[string]any{"kid": "e"}
	delete(e.cookies, "cognito")
	e.up.claims["exp"] = e.clock.Now().Add(time.Hour).Unix()
	if to := e.signIn(t, "prompt", "login"); !isCode(to) {
		t.Fatalf("got %s", to)
	}
	if n, d := e.up.count("/keys"), e.up.count("/.well-known/openid-configuration"); n != 3 || d != 2 {
		t.Errorf("after ten minutes the keys were fetched %d times, the document %d times", n, d)
	}
}

// TestOwnEndpoints is a provider without a discovery document, asked by POST.
func TestOwnEndpoints(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(s *userpool.Settings, p *rogue) {
		ip := &s.IdentityProviders[0]
		ip.AuthorizeURL, ip.TokenURL, ip.JWKSURL = p.url+"/authorize", p.url+"/token", p.url+"/keys"
		ip.UserInfoURL, ip.UserInfoByPost = p.url+"/info", true
	})
	methods := make(chan string, 1)
	good := e.up.mux["/info"]
	e.up.mux["/info"] = func(w http.ResponseWriter, r *http.Request) { methods <- r.Method; good(w, r) }
	if to := e.signIn(t); !isCode(to) {
		t.Fatalf("got %s", to)
	}
	if m := <-methods; m != http.MethodPost || e.up.count("/.well-known/openid-configuration") != 0 {
		t.Errorf("userInfo was asked by %s; discovery %d times", m, e.up.count("/.well-known/openid-configuration"))
	}
}

// TestClaims pins how claims become attributes.
func TestClaims(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(s *userpool.Settings, _ *rogue) {
		s.IdentityProviders[0].AttributeMapping = map[string]string{
			"email": "email", "email_verified": "email_verified", "name": "name", "custom:groups": "groups",
			"custom:n": "n", "custom:o": "o", "custom:null": "null", "custom:one": "one", "custom:at": "access_token",
		}
	})
	e.up.claims["name"], e.up.claims["email_verified"] = "Ann in the token", true
	e.up.info = map[string]any{
		"sub": "ann", "name": "Ann of userInfo", "groups": []any{"a b", "c,d", 7}, "n": 12345678901234567,
		"o": map[string]any{"k": []int{1}}, "null": nil, "one": []any{"x"},
	}
	if to := e.signIn(t); !isCode(to) {
		t.Fatalf("got %s\n%s", to, e.logs)
	}
	u, ok, err := e.pool.Users.Find(t.Context(), "Corp_ann")
	if err != nil || !ok {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"email": "ann@example.com", "email_verified": "true", "name": "Ann of userInfo",
		"custom:groups": "[a+b,c%2Cd,7]",
		"custom:n":      "12345678901234567", "custom:o": `{"k":[1]}`, "custom:null": "", "custom:one": "[x]",
		"custom:at": "at",
	} {
		if u.Attributes[name] != want {
			t.Errorf("%s: got %q, want %q", name, u.Attributes[name], want)
		}
	}
}

// TestBrowserIsBusy pins that the round trips of one browser are bounded: the
// oldest makes room.
func TestBrowserIsBusy(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	first := e.start(t).Get("state")
	for range 16 {
		e.clock.Advance(time.Millisecond)
		e.start(t)
	}
	if to := e.back(t, "state", first, "code", "c"); to.Path != "/error" {
		t.Errorf("got %s", to)
	}
}
