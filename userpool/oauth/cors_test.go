package oauth_test

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/internal/cases"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
)

// open are the endpoints that scripts of every origin use, and how.
var open = map[string]string{
	"/oauth2/token": "POST", "/oauth2/revoke": "POST", "/oauth2/userInfo": "GET",
	wellKnown + "openid-configuration": "GET", wellKnown + "jwks.json": "GET", "/": "GET, POST",
}

// TestPreflightOfAmplify sends what a browser asks before Amplify redeems a code.
func TestPreflightOfAmplify(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(cases.Read(t, "preflight-amplify.http"))))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	e.Handler.ServeHTTP(w, r)
	if w.Code != http.StatusNoContent || !allows(w.Header(), "x-amz-user-agent") {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	h := pooltest.Basic("app", e.App.Secret)
	h.Set("Origin", "http://localhost:3000")
	h.Set("X-Amz-User-Agent", "aws-amplify/6")
	a := e.Post(t, "/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {e.Code(t)}, "redirect_uri": {pooltest.Callback},
	}, h)
	if a.StatusCode != http.StatusOK || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("then: got %d %v", a.StatusCode, a.Header)
	}
}

// allows reports whether a preflight's answer lets a script send a header.
func allows(h http.Header, name string) bool {
	for allowed := range strings.SplitSeq(h.Get("Access-Control-Allow-Headers"), ",") {
		if strings.EqualFold(strings.TrimSpace(allowed), name) {
			return true
		}
	}
	return false
}

// TestPreflight asks every endpoint for leave to send headers: those that are
// asked for are allowed, and what is no list of header names changes nothing.
func TestPreflight(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	const read = "Authorization, Content-Type"
	many := strings.TrimSuffix(strings.Repeat("x-a,", 700), ",")
	for name, tt := range map[string]struct {
		asked []string
		want  string
	}{
		"nothing":     {nil, read},
		"empty":       {[]string{""}, read},
		"only commas": {[]string{", ,\t,"}, read},
		"one":         {[]string{"x-amz-user-agent"}, "x-amz-user-agent"},
		"many": {
			[]string{"amz-sdk-invocation-id,amz-sdk-request,content-type,traceparent"},
			"amz-sdk-invocation-id, amz-sdk-request, content-type, traceparent",
		},
		"with spaces":          {[]string{" a ,\tB "}, "a, B"},
		"on two lines":         {[]string{"a", "b,c"}, "a, b, c"},
		"empty elements":       {[]string{"a,,b,"}, "a, b"},
		"every character":      {[]string{"!#$%&'*+-.^_`|~0aZ"}, "!#$%&'*+-.^_`|~0aZ"},
		"a space inside":       {[]string{"a b"}, read},
		"a colon":              {[]string{"a:b"}, read},
		"a line end":           {[]string{"a\r\nSet-Cookie: x=1"}, read},
		"a control character":  {[]string{"a\x00"}, read},
		"beyond ASCII":         {[]string{"é"}, read},
		"markup":               {[]string{"<script>"}, read},
		"one good, one bad":    {[]string{"x-a,b c"}, read},
		"too many":             {[]string{many}, read},
		"too many, in pieces":  {[]string{many[:1500], many[:1500]}, read},
		"a name without end":   {[]string{strings.Repeat("x", 60<<10)}, read},
		"as many as there may": {[]string{strings.Repeat("x", 2<<10)}, strings.Repeat("x", 2<<10)},
	} {
		for path, methods := range open {
			t.Run(name+" "+path, func(t *testing.T) {
				t.Parallel()
				h := http.Header{"Origin": {"https://app.test"}, "Access-Control-Request-Method": {"POST"}}
				if tt.asked != nil {
					h["Access-Control-Request-Headers"] = tt.asked
				}
				a := e.Do(t, http.MethodOptions, path, "", h)
				if a.StatusCode != http.StatusNoContent || a.Header.Get("Access-Control-Allow-Origin") != "*" ||
					a.Header.Get("Access-Control-Allow-Methods") != methods ||
					a.Header.Get("Access-Control-Allow-Headers") != tt.want ||
					a.Header.Get("Access-Control-Max-Age") != "600" ||
					!strings.Contains(a.Header.Get("Vary"), "Access-Control-Request-Headers") {
					t.Errorf("got %d %v", a.StatusCode, a.Header)
				}
				if len(a.Header["Access-Control-Allow-Credentials"])+len(a.Header["Set-Cookie"])+
					len(a.Header["Access-Control-Allow-Private-Network"]) > 0 {
					t.Errorf("it allows what nobody asked for: %v", a.Header)
				}
			})
		}
	}
	a := e.Do(
		t, http.MethodOptions, "/oauth2/token", "", http.Header{"Access-Control-Request-Private-Network": {"true"}},
	)
	if a.Header.Get("Access-Control-Allow-Private-Network") != "true" {
		t.Errorf("from the internet: %v", a.Header)
	}
}

// TestErrorsAreReadable makes every kind of refusal there is at these endpoints:
// a script can read each.
func TestErrorsAreReadable(t *testing.T) {
	t.Parallel()
	var store *failingStore
	e := pooltest.New(t, func(c *pool.Config) {
		store = &failingStore{Store: c.Store}
		c.Store = store
	})
	app := pooltest.Basic("app", e.App.Secret)
	wrong := pooltest.Basic("app", "wrong")
	store.failing.Store(true)
	for name, tt := range map[string]struct {
		answer pooltest.Answer
		want   int
	}{
		"no grant": {e.Post(t, "/oauth2/token", nil, app), 400},
		"no form": {
			e.Do(t, "POST", "/oauth2/token", "{}", http.Header{"Content-Type": {"application/json"}}), 400,
		},
		"a full disk":    {e.Refresh(t, "11111111-2222-4333-8444-555555555555"), 500},
		"wrong secret":   {e.Post(t, "/oauth2/revoke", nil, wrong), 401},
		"no token":       {e.Get(t, "/oauth2/userInfo", nil, nil), 400},
		"wrong token":    {e.UserInfo(t, "x"), 401},
		"wrong method":   {e.Get(t, "/oauth2/token", nil, nil), 405},
		"HEAD":           {e.Do(t, "HEAD", "/oauth2/revoke", "", nil), 405},
		"POST userInfo":  {e.Post(t, "/oauth2/userInfo", nil, nil), 405},
		"POST discovery": {e.Post(t, wellKnown+"openid-configuration", nil, nil), 405},
		"PUT keys":       {e.Do(t, "PUT", wellKnown+"jwks.json", "", nil), 405},
		"AWS's API": {
			e.Do(t, "POST", "/", "{}", http.Header{"X-Amz-Target": {"AWSCognitoIdentityProviderService.GetUser"}}), 400,
		},
	} {
		h := tt.answer.Header
		if tt.answer.StatusCode != tt.want || h.Get("Access-Control-Allow-Origin") != "*" ||
			!strings.Contains(h.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") ||
			!strings.Contains(h.Get("Access-Control-Expose-Headers"), "Retry-After") ||
			h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: got %d %v", name, tt.answer.StatusCode, h)
		}
	}
}

// TestPagesAreNotReadable checks that what cookies play a part in is kept from
// other origins, and that no preflight allows anything there.
func TestPagesAreNotReadable(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	h := e.Session(t)
	h.Set("Origin", "https://app.test")
	h.Set("Access-Control-Request-Method", "GET")
	for _, path := range []string{
		"/", "/oauth2/authorize", "/login", "/logout", "/error", "/oauth2/idpresponse", "/signup", "/nothing",
	} {
		for _, method := range []string{http.MethodGet, http.MethodOptions} {
			if path == "/" && method == http.MethodOptions {
				continue // for scripts that call the AWS API there
			}
			a := e.Do(t, method, path+"?"+pooltest.Query().Encode(), "", h)
			for name := range a.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s: the answer has %s", method, path, name)
				}
			}
		}
	}
}
