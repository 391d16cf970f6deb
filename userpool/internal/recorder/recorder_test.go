package recorder_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool/internal/recorder"
	"github.com/cognate-auth/cognate/userpool/trace"
)

const base = "http://pool.test"

// record serves one request and returns what the trace holds, as JSON.
func record(t testing.TB, answer http.HandlerFunc, method, target, body string, header http.Header) string {
	t.Helper()
	tr := trace.New(nil)
	r := httptest.NewRequestWithContext(t.Context(), method, base+"/", strings.NewReader(body))
	path, query, _ := strings.Cut(target, "?")
	r.URL.Path, r.URL.RawQuery = path, query
	for name, values := range header {
		r.Header[name] = values
	}
	recorder.Handler(tr, base, answer).ServeHTTP(httptest.NewRecorder(), r)
	all, _ := tr.SignIns()
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestSecretsStayOutside sends one secret in every place where one belongs, and
// where one may land by mistake.
func TestSecretsStayOutside(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-0123456789-s3cret-0123456789"
	read := func(w http.ResponseWriter, r *http.Request) { _ = r.ParseForm() }
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	with := func(name, value string) http.Header {
		return http.Header{name: {value}, "Content-Type": form["Content-Type"]}
	}
	location := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}
	}
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json;charset=UTF-8")
			_, _ = w.Write([]byte(body))
		}
	}
	type request struct {
		answer               http.HandlerFunc
		method, target, body string
		header               http.Header
	}
	tests := map[string]request{
		"cookie": {read, "GET", "/login?client_id=app", "", with("Cookie", "cognito="+secret)},
		"set cookie": {
			func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "cognito="+secret) }, "GET",
			"/login", "", nil,
		},
		"basic": {
			read, "POST", "/oauth2/token", "",
			with("Authorization", "Basic YXBwOnMzY3JldC0wMTIzNDU2Nzg5LXMzY3JldC0wMTIzNDU2Nzg5"),
		},
		"bearer":            {read, "GET", "/oauth2/userInfo", "", with("Authorization", "Bearer "+secret)},
		"unknown scheme":    {read, "GET", "/oauth2/userInfo", "", with("Authorization", secret)},
		"scheme and secret": {read, "GET", "/oauth2/userInfo", "", with("Authorization", "Digest "+secret)},
		"signature":         {read, "GET", "/oauth2/userInfo", "", with("Authorization", "Bearer e30.e30."+secret)},
		"code to the app":   {location("https://app.test/?code=" + secret), "GET", "/oauth2/authorize", "", nil},
		"fragment": {location("https://app.test/#access_token=" + secret + "&id_token=" +
			secret), "GET", "/oauth2/authorize", "", nil},
		"flow": {location(base + "/confirm?flow=" + secret), "POST", "/login", "", nil},
		"provider's state": {location("https://idp.test/?client_id=a&response_type=code&nonce=" + secret +
			"&state=" + secret), "GET", "/oauth2/authorize", "", nil},
		"state from there": {read, "GET", "/oauth2/idpresponse?state=" + secret + "&code=" + secret, "", nil},
		"user info":        {location("https://user:" + secret + "@app.test/?x=" + secret), "GET", "/logout", "", nil},
		"tokens": {answer(`{"id_token":"` + secret + `","access_token":"e30.e30.` + secret +
			`","refresh_token":"` + secret + `"}`), "POST", "/oauth2/token", "", nil},
		"other members": {answer(`{"secret":"` + secret + `"}`), "POST", "/oauth2/token", "", nil},
		"link":          {read, "GET", "/confirmUser?client_id=app&user_name=ann&confirmation_code=" + secret, "", nil},
	}
	for _, name := range []string{
		"password", "client_secret", "code", "code_verifier", "refresh_token", "token", "_csrf", "turn", "username",
		"Password",
		"RelayState", "SAMLResponse", "new_password", "confirmation_code", "email", "credential",
		"client_assertion", "%00",
	} {
		tests["form "+name] = request{read, "POST", "/oauth2/token", name + "=" + secret, form}
		tests["query "+name] = request{read, "GET", "/login?" + name + "=" + secret, "", nil}
	}
	for name, tt := range tests {
		got := record(t, tt.answer, tt.method, tt.target, tt.body, tt.header)
		if strings.Contains(got, "s3cret") || !strings.Contains(got, `"path"`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestMarks shows that a mark is the same for the same value, and means nothing
// elsewhere.
func TestMarks(t *testing.T) {
	t.Parallel()
	serve := func(w http.ResponseWriter, _ *http.Request) {}
	mark := func(text string) string { _, rest, _ := strings.Cut(text, `"value":"#`); return rest[:8] }
	tr := trace.New(nil)
	h := recorder.Handler(tr, base, http.HandlerFunc(serve))
	for range 2 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", base+
			"/login?flow=abc", nil))
	}
	s, _, _ := tr.SignIn("1")
	first := s.Steps[0].Param("flow")
	if len(s.Steps) == 2 && s.Steps[1].Param("flow") != first {
		t.Errorf("one value has the marks %q and %q", first, s.Steps[1].Param("flow"))
	}
	if other := mark(record(t, serve, "GET", "/login?flow=abc", "", nil)); strings.Contains(first, other) {
		t.Errorf("two processes have the mark %s in common", other)
	}
}

// TestRequestObjects says that they are ignored, and what is in them to nobody.
func TestRequestObjects(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"request", "request_uri"} {
		got := record(t, func(http.ResponseWriter, *http.Request) {}, "GET", "/oauth2/authorize?client_id=app&"+
			name+"=s3cret", "", nil)
		if !strings.Contains(got, "ignored: request objects (RFC 9101) are not supported; 6 characters") ||
			strings.Contains(got, "s3cret") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestRequestIsAsItCame lets the handler see what it would see without.
func TestRequestIsAsItCame(t *testing.T) {
	t.Parallel()
	var got string
	body := strings.Repeat("a", 100<<10)
	record(t, func(w http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		_, err := fmt.Fprint(&b, r.Method, r.URL.Path)
		if err != nil {
			t.Error(err)
		}
		buf := make([]byte, 200<<10)
		n := 0
		for {
			m, err := r.Body.Read(buf[n:])
			n += m
			if err != nil {
				break
			}
		}
		got = b.String() + string(buf[:n])
	}, "POST", "/oauth2/token", body, nil)
	if got != "POST/oauth2/token"+body {
		t.Errorf("the handler saw %d bytes", len(got))
	}
}

// TestWhereASignInBegan keeps the origin of the page that sent the browser, and nothing else
// of its address; the state finds the sign-in again.
func TestWhereASignInBegan(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]bool{"/oauth2/authorize?state=a": true, "/login?state=a": false} {
		tr := trace.New(nil)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, base+target, nil)
		r.Header.Set("Referer", "http://name:s3cret@127.0.0.1:5000/reset/s3cret?token=s3cret")
		recorder.Handler(tr, base, http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
		s, _, _ := tr.SignIn("1")
		got := s.Steps[0].Param("Referer")
		if (got == "http://127.0.0.1:5000") != want || strings.Contains(got, "s3cret") {
			t.Errorf("%s: the Referer is %q", target, got)
		}
		// The SHA-256 of "a", in base64url.
		if _, ok := tr.Find(trace.StateKey("ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs")); ok != want {
			t.Errorf("%s: found by its state: %v", target, ok)
		}
	}
	for _, query := range []string{"?state=a&state=b", "?state=", ""} {
		target := "/oauth2/authorize" + query
		tr := trace.New(nil)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, base+target, nil)
		recorder.Handler(tr, base, http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
		for _, digest := range []string{
			"ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
		} {
			if _, ok := tr.Find(trace.StateKey(digest)); ok {
				t.Errorf("%s is found by its state", target)
			}
		}
	}
}

// TestIgnored are requests that are no part of a sign-in.
func TestIgnored(t *testing.T) {
	t.Parallel()
	for _, target := range []string{
		"/", "/favicon.ico", "/_cognate/", "/_cognate/flows/1", "/local_a1/.well-known/jwks.json",
	} {
		if got := record(t, func(http.ResponseWriter, *http.Request) {}, "GET", target, "", nil); got != "null" {
			t.Errorf("%s: %s", target, got)
		}
	}
}

// FuzzRecord sends anything; what is kept is small and well formed, and no form
// field that is not known shows.
func FuzzRecord(f *testing.F) {
	f.Add(
		"/login", "client_id=a&state=b", "password=x", "https://app.test/?code=x#access_token=a.b.c",
		`{"error":"x"}`, "Basic YTpi",
	)
	f.Add("/oauth2/token", "%zz;=&&", "code=%ff&code=1", "::", `{"id_token":"e30.e30.e30"}`, "Bearer e30.e30.e30")
	f.Add("/logout", strings.Repeat("a=1&", 100), "", "http://pool.test/error?error=a", "[", "basic")
	f.Fuzz(func(t *testing.T, path, query, body, location, answer, authorization string) {
		const secret = "kept-out-0123456789"
		got := record(t, func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			w.Header().Set("Location", location)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(answer))
		}, "POST", "/"+path+"?"+query, "password="+secret+"&"+body, http.Header{"Authorization": {authorization}})
		if strings.Contains(got, secret) || len(got) > 400<<10 {
			t.Errorf("%d bytes are kept: %.500s", len(got), got)
		}
	})
}
