package cognate_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// TestBearerAnswers holds the answers against RFC 6750, section 3.
func TestBearerAnswers(t *testing.T) {
	x := newBearerAPI(t, nil)
	good := x.token(nil)
	granted := x.token(func(m jwt.MapClaims) { m["scope"] = "orders/write openid orders/read" })
	expired := x.token(func(m jwt.MapClaims) { m["exp"] = x.clock.Now().Add(-time.Hour).Unix() })
	for _, tt := range []struct {
		name      string
		path      string
		headers   []string
		status    int
		code      string
		challenge string
	}{
		{"no token", "/api", nil, 401, "missing_authorization", `Bearer`},
		{"another scheme", "/api", []string{"Basic YTpi"}, 401, "missing_authorization", `Bearer`},
		{"scheme that begins alike", "/api", []string{"BearerX " + good}, 401, "missing_authorization", `Bearer`},
		{"empty header", "/api", []string{""}, 401, "missing_authorization", `Bearer`},
		{"good", "/api", []string{"Bearer " + good}, 200, "", ""},
		{"scheme in lower case", "/api", []string{"bearer " + good}, 200, "", ""},
		{"scheme in upper case", "/api", []string{"BEARER  " + good}, 200, "", ""},
		{"no token after the scheme", "/api", []string{"Bearer"}, 400, "invalid_request", invalidRequest},
		{"blanks after the scheme", "/api", []string{"Bearer   "}, 400, "invalid_request", invalidRequest},
		{"two tokens in a header", "/api", []string{"Bearer " + good + " " + good}, 400,
			"invalid_request", invalidRequest},
		{"token with a comma", "/api", []string{"Bearer " + good + ",x"}, 400, "invalid_request", invalidRequest},
		{"token with a quote", "/api", []string{`Bearer a"b`}, 400, "invalid_request", invalidRequest},
		{"tab after the scheme", "/api", []string{"Bearer\t" + good}, 401, "missing_authorization", `Bearer`},
		{"padding alone", "/api", []string{"Bearer =="}, 400, "invalid_request", invalidRequest},
		{"padding inside", "/api", []string{"Bearer a=b"}, 400, "invalid_request", invalidRequest},
		{"two headers", "/api", []string{"Bearer " + good, "Bearer " + good}, 400, "invalid_request", invalidRequest},
		{"two headers of two schemes", "/api", []string{"Basic YTpi", "Bearer " + good}, 400,
			"invalid_request", invalidRequest},
		{"huge", "/api", []string{"Bearer " + strings.Repeat("a", 1<<20)}, 400, "invalid_request", invalidRequest},
		{"bad", "/api", []string{"Bearer x.y.z"}, 401, "invalid_token",
			`Bearer error="invalid_token", error_description="The access token is not valid here."`},
		{"expired", "/api", []string{"Bearer " + expired}, 401, "invalid_token",
			`Bearer error="invalid_token", error_description="The access token has expired."`},
		{"scope missing", "/scoped", []string{"Bearer " + good}, 403, "insufficient_scope",
			`Bearer error="insufficient_scope", ` +
				`error_description="The access token was not granted what this needs.", ` +
				`scope="orders/read orders/write"`},
		{"scopes granted", "/scoped", []string{"Bearer " + granted}, 200, "", ""},
		{"scopes and no token", "/scoped", nil, 401, "missing_authorization", `Bearer`},
		{"optional and no token", "/optional", nil, 200, "", ""},
		{"optional and another scheme", "/optional", []string{"Basic YTpi"}, 200, "", ""},
		{"optional and good", "/optional", []string{"Bearer " + good}, 200, "", ""},
		{"optional and bad", "/optional", []string{"Bearer x.y.z"}, 401, "invalid_token",
			`Bearer error="invalid_token", error_description="The access token is not valid here."`},
		{"optional and malformed", "/optional", []string{"Bearer"}, 400, "invalid_request", invalidRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tt.path, nil)
			if tt.headers != nil {
				r.Header["Authorization"] = tt.headers
			}
			resp := x.do(r)
			if resp.StatusCode != tt.status || resp.Header.Get("WWW-Authenticate") != tt.challenge {
				t.Errorf("status %d, WWW-Authenticate %q; want %d, %q", resp.StatusCode,
					resp.Header.Get("WWW-Authenticate"), tt.status, tt.challenge)
			}
			if tt.code == "" {
				return
			}
			m := jsonBody(t, resp)
			if m["error"] != tt.code || m["error_description"] == "" || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("body %v, header %v", m, resp.Header)
			}
		})
	}
	if s := x.log.String(); strings.Contains(s, good) || strings.Contains(s, strings.Split(good, ".")[2]) ||
		strings.Contains(s, "level=WARN") {
		t.Errorf("the log holds a token, or is loud:\n%s", s)
	}
}

const invalidRequest = `Bearer error="invalid_request", ` +
	`error_description="The access token can't be read from the request, or was sent more than once."`

// TestRefusedTokenIsLogged sends tokens that are refused: a line of level Info says why,
// without the token and of bounded length. That there is no token is no news.
func TestRefusedTokenIsLogged(t *testing.T) {
	x := newBearerAPI(t, nil)
	long := strings.Repeat("https://elsewhere.test/", 100)
	for _, tt := range []struct {
		name, path, token, want string
	}{
		{"expired", "/api", x.token(func(m jwt.MapClaims) { m["exp"] = x.clock.Now().Add(-time.Hour).Unix() }),
			"level=INFO msg=\"cognate: bearer token refused\" reason=token_expired status=401 err="},
		{"for another API", "/optional", x.token(func(m jwt.MapClaims) { m["aud"] = "another" }),
			"level=INFO msg=\"cognate: bearer token refused\" reason=token_audience status=401 err="},
		{"a long issuer", "/api", x.token(func(m jwt.MapClaims) { m["iss"] = long }),
			"level=INFO msg=\"cognate: bearer token refused\" reason=token_issuer status=401 err="},
		{"a scope less", "/scoped", x.token(nil),
			"level=INFO msg=\"cognate: bearer token refused\" reason=insufficient_scope status=403 " +
				"err=\"the scope \\\"orders/write\\\" is missing\""},
		{"not a token", "/api", "a\nb",
			"level=INFO msg=\"cognate: bearer token refused\" reason=bearer_malformed status=400 err="},
		{"none", "/api", "", "level=DEBUG msg=\"cognate: bearer token refused\" reason=bearer_missing status=401 err="},
	} {
		before := len(x.log.String())
		x.call(tt.path, tt.token)
		line := x.log.String()[before:]
		if !strings.Contains(line, tt.want) || strings.Count(line, "\n") != 1 || len(line) > 800 {
			t.Errorf("%s: the log has %q, want %q", tt.name, line, tt.want)
		}
		if tt.token != "" && strings.Contains(line, tt.token[len(tt.token)/2:]) {
			t.Errorf("%s: the log has the token: %q", tt.name, line)
		}
	}
	app := newApp(t, fakeprovider.New(t), nil)
	shared := app.auth.RequireLoginOrBearer()(http.HandlerFunc(whoAmI))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer x.y.z")
	shared.ServeHTTP(httptest.NewRecorder(), r)
	const want = "level=INFO msg=\"cognate: bearer token refused\" reason=token_malformed status=401 err="
	if !strings.Contains(app.log.String(), want) {
		t.Errorf("a route that people share: the log has %q, want %q", app.log, want)
	}
}

// TestRefusedTokenIsCheap sends bad tokens to an app whose log begins at Warn: nothing is
// made of them.
func TestRefusedTokenIsCheap(t *testing.T) {
	refusals := func(level slog.Level) float64 {
		x := newBearerAPI(t, func(c *cognate.BearerConfig) {
			c.Logger = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: level}))
			c.Metrics = nil
		})
		return testing.AllocsPerRun(100, func() { x.call("/api", "x.y.z") })
	}
	quiet, told := refusals(slog.LevelWarn), refusals(slog.LevelInfo)
	if told <= quiet || told > quiet+12 {
		t.Errorf("a refusal makes %v allocations, and %v with its line; want a few more", quiet, told)
	}
}

// TestTokenInFormAndQuery switches the other two ways on and off.
func TestTokenInFormAndQuery(t *testing.T) {
	for _, tt := range []struct {
		name            string
		form, query     bool
		method, target  string
		kind, body      string
		header          bool
		want            int
		wantOrderInForm bool
	}{
		{name: "query, off", target: "/api?access_token=T", want: 401},
		{name: "query", query: true, target: "/api?access_token=T", want: 200},
		{name: "query, and the form is on", form: true, target: "/api?access_token=T", want: 401},
		{name: "query twice", query: true, target: "/api?access_token=T&access_token=T", want: 400},
		{name: "query, empty", query: true, target: "/api?access_token=", want: 400},
		{name: "query, broken", query: true, target: "/api?access_token=T;x", want: 400},
		{name: "query and header", query: true, header: true, target: "/api?access_token=T", want: 400},
		{name: "query and header, off", header: true, target: "/api?access_token=T", want: 200},
		{name: "another parameter", query: true, header: true, target: "/api?my_access_token=x", want: 200},
		{name: "form, off", method: "POST", kind: "application/x-www-form-urlencoded",
			body: "access_token=T", want: 401},
		{name: "form", form: true, method: "POST", kind: "Application/x-www-form-urlencoded; charset=utf-8",
			body: "order=7&access_token=T", want: 200, wantOrderInForm: true},
		{name: "form, and the query is on", query: true, method: "POST", kind: "application/x-www-form-urlencoded",
			body: "access_token=T", want: 401},
		{name: "form in a GET", form: true, method: "GET", kind: "application/x-www-form-urlencoded",
			body: "access_token=T", want: 401},
		{name: "form of another type", form: true, method: "POST", kind: "text/plain",
			body: "access_token=T", want: 401},
		{name: "form twice", form: true, method: "POST", kind: "application/x-www-form-urlencoded",
			body: "access_token=T&access_token=T", want: 400},
		{name: "form and header", form: true, header: true, method: "POST", kind: "application/x-www-form-urlencoded",
			body: "access_token=T", want: 400},
		{name: "form and query", form: true, query: true, target: "/api?access_token=T", method: "POST",
			kind: "application/x-www-form-urlencoded", body: "access_token=T", want: 400},
		{name: "form, broken", form: true, method: "POST", kind: "application/x-www-form-urlencoded",
			body: "access_token=T&%zz", want: 400},
		{name: "form, too large", form: true, method: "POST", kind: "application/x-www-form-urlencoded",
			body: "access_token=T&x=" + strings.Repeat("x", 1<<20), want: 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newBearerAPI(t,
				func(c *cognate.BearerConfig) { c.TokenInForm, c.InsecureTokenInQuery = tt.form, tt.query })
			raw := x.token(nil)
			inForm := ""
			x.handler = x.bearer.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				inForm = r.PostFormValue("order")
			}))
			if tt.method == "" {
				tt.method = http.MethodGet
			}
			if tt.target == "" {
				tt.target = "/api"
			}
			fill := strings.NewReplacer("=T", "="+raw)
			r := httptest.NewRequestWithContext(t.Context(), tt.method, fill.Replace(tt.target),
				strings.NewReader(fill.Replace(tt.body)))
			r.Header.Set("Content-Type", tt.kind)
			if tt.header {
				r.Header.Set("Authorization", "Bearer "+raw)
			}
			if resp := x.do(r); resp.StatusCode != tt.want {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.want)
			}
			if (inForm == "7") != tt.wantOrderInForm {
				t.Errorf("the handler's form has order %q", inForm)
			}
		})
	}
}

// TestBearerErrorHandler has the application render refusals.
func TestBearerErrorHandler(t *testing.T) {
	var got *cognate.Error
	x := newBearerAPI(t, func(c *cognate.BearerConfig) {
		c.Realm, c.ResourceMetadata = "orders", "https://api.test/.well-known/oauth-protected-resource"
		c.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, e *cognate.Error) {
			got = e
			w.WriteHeader(e.Status)
			_, _ = w.Write([]byte("<error/>"))
		}
	})
	resp := x.call("/scoped", x.token(nil))
	if got == nil || got.Reason != cognate.ReasonInsufficientScope || resp.StatusCode != http.StatusForbidden {
		t.Fatalf("handler got %v, status %d", got, resp.StatusCode)
	}
	want := `Bearer realm="orders", error="insufficient_scope", ` +
		`error_description="The access token was not granted what this needs.", ` +
		`scope="orders/read orders/write", resource_metadata="https://api.test/.well-known/oauth-protected-resource"`
	if h := resp.Header.Get("WWW-Authenticate"); h != want {
		t.Errorf("WWW-Authenticate\n%s, want\n%s", h, want)
	}
	resp = x.call("/scoped", "")
	if h := resp.Header.Get("WWW-Authenticate"); got.Reason != cognate.ReasonBearerMissing ||
		h != `Bearer realm="orders", resource_metadata="https://api.test/.well-known/oauth-protected-resource"` {
		t.Errorf("reason %s, WWW-Authenticate %s", got.Reason, h)
	}
}

// TestResourceServerOnly sends what a sign-in would to a Bearer: there are no such paths,
// and cookies mean nothing.
func TestResourceServerOnly(t *testing.T) {
	p := fakeprovider.New(t)
	visitor := newApp(t, p, nil).browser(t)
	visitor.signIn(p)
	x := newBearerAPI(t, func(c *cognate.BearerConfig) {
		c.Issuers = []cognate.BearerIssuer{{Issuer: p.Issuer, Audiences: []string{clientID}}}
	})
	for path, want := range map[string]int{
		"/login": 404, "/oidc_callback?code=x&state=y": 404, "/logout": 404, "/api": 401, "/optional": 200,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.AddCookie(&http.Cookie{Name: "access_token", Value: x.token(nil)})
		r.AddCookie(sessionCookie(t, visitor))
		resp := x.do(r)
		if resp.StatusCode != want || len(resp.Cookies()) != 0 {
			t.Errorf("%s: status %d, cookies %v; want %d and none", path, resp.StatusCode, resp.Cookies(), want)
		}
		if b := body(t, resp); want == 200 && !strings.HasPrefix(b, "null") {
			t.Errorf("%s: user %s", path, b)
		}
	}
}

// TestLoginOrBearer is one route for people and programs.
func TestLoginOrBearer(t *testing.T) {
	p := fakeprovider.New(t)
	c := fakeprovider.NewClock()
	p.Now = c.Now
	metrics := &countedDenials{}
	x := newApp(t, p, func(cfg *cognate.Config) {
		cfg.Metrics, cfg.Logger = metrics, slog.New(slog.DiscardHandler)
		cfg.Bearer.Issuers = []cognate.BearerIssuer{{Audiences: []string{bearerAudience}}}
	})
	mux := http.NewServeMux()
	mux.Handle("/private/", x.auth.RequireLogin(http.HandlerFunc(whoAmI)))
	mux.Handle("/both", x.auth.RequireLoginOrBearer()(http.HandlerFunc(whoAmI)))
	mux.Handle("/scoped", x.auth.RequireLoginOrBearer("never/granted")(http.HandlerFunc(whoAmI)))
	mux.Handle("/machines", x.auth.RequireBearer()(http.HandlerFunc(whoAmI)))
	mux.Handle("/maybe", x.auth.OptionalBearer()(http.HandlerFunc(whoAmI)))
	x.handler = x.auth.Handler(mux)
	token := (&bearerAPI{p: p, clock: c}).token(nil)
	expectUser := func(resp *http.Response, email string) {
		t.Helper()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("status %d", resp.StatusCode)
		}
		if m := jsonBody(t, resp); m["Subject"] != "user-1" || m["Email"] != email {
			t.Errorf("user %v, want e-mail address %q", m, email)
		}
	}
	b := x.browser(t)
	if resp := b.get("/both"); resp.StatusCode != http.StatusFound {
		t.Errorf("a person: status %d, want a redirect to sign in", resp.StatusCode)
	}
	if resp := b.get("/both", "Accept", "application/json"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a script: status %d, want 401", resp.StatusCode)
	}
	expectUser(b.get("/both", "Authorization", "Bearer "+token), "")
	b.signIn(p)
	expectUser(b.get("/both"), "ann@example.com")
	expectUser(b.get("/both", "Authorization", "Basic YTpi"), "ann@example.com")
	expectUser(b.get("/both", "Authorization", "Bearer "+token), "")
	for _, header := range []string{"Bearer x.y.z", "Bearer", "bearer  "} {
		if resp := b.get("/both", "Authorization", header); resp.StatusCode == http.StatusOK ||
			resp.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%q with a session: status %d; a bad token must not fall back to the cookie",
				header, resp.StatusCode)
		}
	}
	if resp := b.get("/machines"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a session where a token is needed: status %d", resp.StatusCode)
	}
	if got := body(t, b.get("/maybe")); !strings.HasPrefix(got, "null") {
		t.Errorf("a session where a token may be: %s", got)
	}
	if resp := b.get("/scoped"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a session without the scope: status %d, want 403", resp.StatusCode)
	}
	if resp := b.get("/scoped", "Authorization", "Bearer "+token); resp.StatusCode != http.StatusForbidden ||
		metrics.count(cognate.ReasonInsufficientScope) == 0 {
		t.Errorf("a token without the scope: status %d, want 403; denials %v", resp.StatusCode, metrics.m)
	}
}

func TestScopeThatIsNone(t *testing.T) {
	x := newBearerAPI(t, nil)
	for _, scope := range []string{"", "a b", `a"b`, `a\b`, "ä", "a\nb"} {
		func() {
			defer func() {
				if p := recover(); p == nil || !strings.HasPrefix(p.(string), "cognate: ") {
					t.Errorf("scope %q: panic %v", scope, p)
				}
			}()
			x.bearer.Require("ok", scope)
		}()
	}
}

// TestLargeAuthorizationHeader sends a megabyte through a real server with room for it.
func TestLargeAuthorizationHeader(t *testing.T) {
	x := newBearerAPI(t, nil)
	server := httptest.NewUnstartedServer(x.handler)
	server.Config.MaxHeaderBytes = 4 << 20
	server.Start()
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.Repeat("A", 1<<20))
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest || x.metrics.count(cognate.ReasonBearerMalformed) != 1 ||
		len(x.log.String()) > 1000 {
		t.Errorf("status %d, denials %v, %d bytes of log", resp.StatusCode, x.metrics.m, len(x.log.String()))
	}
}

// FuzzAuthorizationHeader sends any header. Only the scheme, blanks and the one token that
// was signed get through; everything else is refused in one of three ways.
func FuzzAuthorizationHeader(f *testing.F) {
	x := newBearerAPI(f, func(c *cognate.BearerConfig) { c.Logger = slog.New(slog.DiscardHandler) })
	good := x.token(func(m jwt.MapClaims) { m["jti"] = "fixed" })
	for _, s := range []string{
		"", "Bearer", "Bearer ", "bearer  T", "Bearer T", "Basic YTpi", "Bearer T,T", "Bearer T T", "Bearer T=",
		"BEARER\tT", " Bearer T",
	} {
		f.Add(strings.ReplaceAll(s, "T", good))
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api", nil)
		r.Header["Authorization"] = []string{header}
		w := httptest.NewRecorder()
		x.handler.ServeHTTP(w, r)
		resp := w.Result()
		scheme, token, _ := strings.Cut(header, " ")
		want := strings.EqualFold(scheme, "bearer") && strings.TrimLeft(token, " ") == good
		switch resp.StatusCode {
		case http.StatusOK:
			if !want {
				t.Fatalf("%q passed", header)
			}
		case http.StatusUnauthorized, http.StatusBadRequest:
			if want || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Fatalf("%q: status %d, header %v", header, resp.StatusCode, resp.Header)
			}
		default:
			t.Fatalf("%q: status %d", header, resp.StatusCode)
		}
	})
}

// TestDocumentedAnswers compares the answers that the page shows with the real ones.
func TestDocumentedAnswers(t *testing.T) {
	page := guide(t)
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	handler := x.auth.RequireBearer("shop/orders.read")(http.NotFoundHandler())
	lacking := p.UserClaims("")
	delete(lacking, "at_hash")
	lacking["scope"] = "openid"
	forged := fakeprovider.SignWith(jwt.SigningMethodRS256, fakeprovider.Keys()[1], p.KeyID, lacking)

	for name, tt := range map[string]struct {
		handler http.Handler
		headers []string
	}{
		"no token":       {handler, nil},
		"a forged token": {handler, []string{"Bearer " + forged}},
		"no scope":       {handler, []string{"Bearer " + p.SignIDToken(lacking)}},
		"two tokens":     {handler, []string{"Bearer a.b.c", "Bearer d.e.f"}},
		"no session":     {x.auth.RequireLoginOrBearer()(http.NotFoundHandler()), nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, appOrigin+"/api/orders", nil)
			r.Header["Authorization"] = tt.headers
			r.Header.Set("Sec-Fetch-Mode", "cors")
			w := httptest.NewRecorder()
			tt.handler.ServeHTTP(w, r)
			if got := "```http\n" + dump(w.Result()) + "```\n"; !strings.Contains(page, got) {
				t.Errorf("the page has not:\n%s", got)
			}
		})
	}
}

// dump writes an answer as it is on the wire, but for the dates and what gets it there.
func dump(resp *http.Response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\n", resp.StatusCode, http.StatusText(resp.StatusCode))
	_ = resp.Header.Write(&b)
	body, _ := io.ReadAll(resp.Body)
	return strings.ReplaceAll(b.String(), "\r", "") + "\n" + string(body)
}

// guide is the page that shows how an API is protected.
func guide(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("docs/protecting-apis.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}
