package devview_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/devview"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// everyPath has one address of each handler of the view.
var everyPath = []string{
	"/_cognate/", "/_cognate/flows/1", "/_cognate/flows.json", "/_cognate/live?version=-1", "/_cognate/outbox",
	"/_cognate/outbox.json", "/_cognate/users", "/_cognate/users/x", "/_cognate/clients", "/_cognate/clients/app",
	"/_cognate/clients/app/client_secrets.json", "/_cognate/pool", "/_cognate/report?sign_in=x", "/_cognate/nothing",
}

// visitor is somebody who asks for the view.
type visitor struct {
	remote, host, method, target string
	header                       http.Header
	insecure                     bool
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func cookie(header string) http.Header { return http.Header{"Cookie": {header}} }

// TestAccess has everyone who asks, and who is let in: who has the token, wherever
// the request comes from.
func TestAccess(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	site := func(site, mode, dest string) http.Header {
		h := bearer(viewToken)
		h["Sec-Fetch-Site"], h["Sec-Fetch-Mode"], h["Sec-Fetch-Dest"] = []string{site}, []string{mode}, []string{dest}
		return h
	}
	const held = "cognate-view=" + viewToken
	tests := map[string]struct {
		visitor
		want int
	}{
		"nothing":      {visitor{}, 401},
		"this machine": {visitor{remote: "127.0.0.1:1", host: "localhost:9229"}, 401},
		"a forwarder of it": {
			visitor{remote: "[::1]:1", host: "localhost", header: http.Header{"X-Forwarded-For": {"192.0.2.7"}}}, 401,
		},
		"it claims to be here": {
			visitor{remote: "192.0.2.7:1", header: http.Header{"X-Forwarded-For": {"127.0.0.1"}}}, 401,
		},
		"POST":                    {visitor{method: "POST"}, 401},
		"bearer":                  {visitor{header: bearer(viewToken)}, 200},
		"bearer in small letters": {visitor{header: http.Header{"Authorization": {"bearer " + viewToken}}}, 200},
		"HEAD":                    {visitor{header: bearer(viewToken), method: "HEAD"}, 200},
		"another bearer":          {visitor{header: bearer("the-token_of.that~view")}, 401},
		"empty bearer":            {visitor{header: bearer("")}, 401},
		"its beginning":           {visitor{header: bearer(viewToken[:16])}, 401},
		"more than it":            {visitor{header: bearer(viewToken + "x")}, 401},
		"in capitals":             {visitor{header: bearer(strings.ToUpper(viewToken))}, 401},
		"two bearers": {visitor{header: http.Header{"Authorization": {"Bearer " +
			viewToken, "Bearer x"}}}, 401},
		"two in one":              {visitor{header: bearer(viewToken + ", Bearer x")}, 401},
		"basic":                   {visitor{header: http.Header{"Authorization": {"Basic " + viewToken}}}, 401},
		"scheme forgotten":        {visitor{header: http.Header{"Authorization": {viewToken}}}, 401},
		"cookie":                  {visitor{header: cookie(held)}, 200},
		"cookie of another pool":  {visitor{header: cookie("cognate-view-9230=" + viewToken)}, 401},
		"wrong cookie":            {visitor{header: cookie("cognate-view=x")}, 401},
		"empty cookie":            {visitor{header: cookie("cognate-view=")}, 401},
		"a planted one beside it": {visitor{header: cookie("cognate-view=x; " + held)}, 200},
		"cookie of the sign-in":   {visitor{header: cookie("cognito=" + viewToken)}, 401},
		"cookie, wrong bearer": {
			visitor{header: http.Header{"Cookie": {held}, "Authorization": {"Bearer x"}}}, 200,
		},
		"form": {
			visitor{method: "POST", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}, 401,
		},
		"address":                    {visitor{target: "/_cognate/?token=" + viewToken}, 302},
		"wrong address":              {visitor{target: "/_cognate/?token=x"}, 401},
		"empty token":                {visitor{target: "/_cognate/?token="}, 401},
		"twice":                      {visitor{target: "/_cognate/?token=" + viewToken + "&token=" + viewToken}, 401},
		"malformed":                  {visitor{target: "/_cognate/?token=" + viewToken + "&%zz"}, 401},
		"address, POST":              {visitor{method: "POST", target: "/_cognate/?token=" + viewToken}, 405},
		"wrong address, good cookie": {visitor{target: "/_cognate/?token=x", header: cookie(held)}, 200},

		"typed": {visitor{header: site("none", "navigate", "document")}, 200},
		"own script": {
			visitor{header: site("same-origin", "cors", "empty"), target: "/_cognate/flows.json"}, 200,
		},
		"link elsewhere":   {visitor{header: site("cross-site", "navigate", "document")}, 200},
		"frame elsewhere":  {visitor{header: site("cross-site", "navigate", "iframe")}, 403},
		"script elsewhere": {visitor{header: site("cross-site", "cors", "empty")}, 403},
		"image elsewhere":  {visitor{header: site("cross-site", "no-cors", "image")}, 403},
		"JSON, link elsewhere": {
			visitor{header: site("cross-site", "navigate", "document"), target: "/_cognate/outbox.json"}, 403,
		},
		"JSON, other port": {visitor{header: site("same-site", "cors", "empty"), target: "/_cognate/outbox.json"}, 403},
		"live, script": {
			visitor{header: site("cross-site", "no-cors", "script"), target: "/_cognate/live?version=-1"}, 403,
		},
		"secrets, script": {
			visitor{header: site("cross-site", "cors", "empty"), target: "/_cognate/clients/app/client_secrets.json"},
			403,
		},
		"POST, with it":    {visitor{header: bearer(viewToken), method: "POST"}, 405},
		"DELETE, with it":  {visitor{header: bearer(viewToken), method: "DELETE", target: "/_cognate/users"}, 405},
		"OPTIONS, with it": {visitor{header: bearer(viewToken), method: "OPTIONS"}, 405},

		"allowed":         {visitor{insecure: true, remote: "192.0.2.7:1", host: "pool.test"}, 200},
		"allowed, script": {visitor{insecure: true, header: site("cross-site", "cors", "empty")}, 403},
		"allowed, POST":   {visitor{insecure: true, method: "POST"}, 405},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := e.visit(t, tt.visitor)
			if w.Code != tt.want {
				t.Errorf("got %d, want %d", w.Code, tt.want)
			}
			checkRefusal(t, w)
			checkHeaders(t, w.Header())
		})
	}
}

// checkRefusal looks at what a refused visitor reads.
func checkRefusal(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	body := w.Body.String()
	if w.Code >= 400 && (strings.Contains(body, pooltest.PoolID) || strings.Contains(body, "The App") ||
		strings.Contains(body, viewToken)) {
		t.Errorf("a refused visitor reads: %s", body)
	}
	challenged := strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer ") &&
		(strings.Contains(body, "COGNATE_DEV_VIEW_TOKEN") || strings.Contains(body, "Authorization: Bearer"))
	if challenged != (w.Code == http.StatusUnauthorized) {
		t.Errorf("%d, WWW-Authenticate %q: %s", w.Code, w.Header().Get("WWW-Authenticate"), body)
	}
}

// TestEverythingIsGuarded asks for all there is, without the token and with it.
func TestEverythingIsGuarded(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, path := range everyPath {
		w := e.visit(t, visitor{target: path, remote: "127.0.0.1:1", host: "localhost"})
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", path, w.Code)
		}
		checkRefusal(t, w)
		w = e.visit(t, visitor{target: path, header: bearer(viewToken)})
		if w.Code != http.StatusOK && w.Code != http.StatusNotFound {
			t.Errorf("%s with the token: got %d", path, w.Code)
		}
	}
	mux := http.NewServeMux()
	(&devview.Handler{
		Access: devview.Access{BaseURL: pooltest.BaseURL}, Pool: e.Pool, Logger: slog.New(slog.DiscardHandler),
	}).Mount(mux)
	for _, h := range []http.Header{nil, bearer(""), cookie("cognate-view="), {"Authorization": {"Bearer"}}} {
		for _, path := range []string{"/_cognate/", "/_cognate/?token="} {
			r := request(t, http.MethodGet, path)
			r.Header = h
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if w.Code != http.StatusUnauthorized {
				t.Errorf("a view without a token: got %d for %v", w.Code, h)
			}
		}
	}
}

// TestTokenLeavesTheAddress follows the address that the terminal shows: the cookie
// is the view's alone, and the address that stays has no token.
func TestTokenLeavesTheAddress(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for base, want := range map[string]string{
		"http://localhost:9229": "cognate-view-9229=" + viewToken + "; Path=/_cognate/; HttpOnly; SameSite=Strict",
		"https://auth.test":     "cognate-view=" + viewToken + "; Path=/_cognate/; HttpOnly; Secure; SameSite=Strict",
	} {
		mux := http.NewServeMux()
		(&devview.Handler{
			Access: devview.Access{BaseURL: base, Token: viewToken},
			Pool:   e.Pool, Logger: slog.New(slog.DiscardHandler),
		}).Mount(mux)
		for from, to := range map[string]string{
			strings.TrimPrefix(devview.Address(base, viewToken), base): "/_cognate/",
			"/_cognate/?failed=1&token=" + viewToken + "&user=a%26b":   "/_cognate/?failed=1&user=a%26b",
			"/_cognate/outbox?token=" + viewToken:                      "/_cognate/outbox",
			"/_cognate/flows/a%2Fb?token=" + viewToken:                 "/_cognate/flows/a%2Fb",
		} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, base+from, nil)
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if w.Code != http.StatusFound || w.Header().Get("Location") != to || w.Header().Get("Set-Cookie") != want {
				t.Errorf(
					"%s: got %d to %s with %s; want %s, %s", from, w.Code, w.Header().Get("Location"),
					w.Header().Get("Set-Cookie"), to, want,
				)
			}
			checkHeaders(t, w.Header())
			again := httptest.NewRequestWithContext(t.Context(), http.MethodGet, base+"/_cognate/", nil)
			again.Header.Set("Cookie", strings.Split(w.Header().Get("Set-Cookie"), ";")[0])
			w = httptest.NewRecorder()
			mux.ServeHTTP(w, again)
			if w.Code != http.StatusOK {
				t.Errorf("with the cookie: got %d", w.Code)
			}
		}
	}
}

// TestLinkFromElsewhere has a browser that keeps the cookie back, since a page of
// another site sent it: the page says how to go on. One that has opened the view asks again
// by itself, and only once: the page is of this site then.
func TestLinkFromElsewhere(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for site, want := range map[string]bool{"cross-site": true, "same-site": true, "none": false, "": false} {
		h := http.Header{}
		if site != "" {
			h = http.Header{"Sec-Fetch-Site": {site}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
		}
		w := e.visit(t, visitor{header: h})
		if got := strings.Contains(w.Body.String(), `<a href="">`); got != want || w.Code != http.StatusUnauthorized {
			t.Errorf("%q: got %d, a way on %t", site, w.Code, got)
		}
		if got := w.Header().Get("Refresh"); got != "" {
			t.Errorf("%q: a browser that has not opened the view is to ask again: %q", site, got)
		}
	}
	opened := e.visit(t, visitor{target: "/_cognate/?token=" + viewToken}).Result().Cookies()[1]
	for site, want := range map[string]string{
		"cross-site": "0", "same-site": "0", "same-origin": "", "none": "", "": "",
	} {
		h := http.Header{"Cookie": {opened.Name + "=" + opened.Value}}
		if site != "" {
			h["Sec-Fetch-Site"] = []string{site}
			h["Sec-Fetch-Mode"], h["Sec-Fetch-Dest"] = []string{"navigate"}, []string{"document"}
		}
		w := e.visit(t, visitor{header: h})
		if got := w.Header().Get("Refresh"); got != want || w.Code != http.StatusUnauthorized {
			t.Errorf("%q, after the view was opened: got %d, Refresh %q, want %q", site, w.Code, got, want)
		}
	}
}

// TestTokens checks what may be one, and that those which are made differ.
func TestTokens(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]bool{
		"": false, "short-by-one-cha": true, "too-short-by-1.": false, strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false,
		"with a space inside":    false, "with;semicolon-inside": false, "with%20percent-inside": false,
		"ümlaut-in-the-token":     false,
		"a line end at the end\n": false, "of-fitting-form-but\n": false,
	} {
		err := devview.CheckToken(userpool.Secret(token))
		if (err == nil) != want || err != nil && token != "" && strings.Contains(err.Error(), token) {
			t.Errorf("%q: got %v", token, err)
		}
	}
	a, b := devview.NewToken(), devview.NewToken()
	if a.Equal(b) || devview.CheckToken(a) != nil || len(a) < 20 {
		t.Error("a token that was made is short, or not new")
	}
}

func (e *env) visit(t *testing.T, v visitor) *httptest.ResponseRecorder {
	t.Helper()
	if v.method == "" {
		v.method = http.MethodGet
	}
	if v.target == "" {
		v.target = "/_cognate/"
	}
	r := request(t, v.method, v.target)
	r.Header = v.header
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if v.remote != "" {
		r.RemoteAddr = v.remote
	}
	if v.host != "" {
		r.Host = v.host
	}
	w := httptest.NewRecorder()
	e.newView(v.insecure).ServeHTTP(w, r)
	return w
}

// checkHeaders looks at what every answer must have, and must not.
func checkHeaders(t *testing.T, h http.Header) {
	t.Helper()
	csp := h.Get("Content-Security-Policy")
	if h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != "no-store" ||
		h.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") ||
		!strings.Contains(csp, "frame-ancestors 'none'") ||
		h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers: %v", h)
	}
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("the answer has %s", name)
		}
	}
}
