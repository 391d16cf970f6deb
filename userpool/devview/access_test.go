package devview_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// visitor is somebody who asks for the view.
type visitor struct {
	remote, host, method, target string
	header                       http.Header
	insecure                     bool
}

// TestAccess has everyone who asks, and who is let in.
func TestAccess(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	site := func(site, mode, dest string) http.Header {
		return http.Header{"Sec-Fetch-Site": {site}, "Sec-Fetch-Mode": {mode}, "Sec-Fetch-Dest": {dest}}
	}
	tests := map[string]struct {
		visitor
		want int
	}{
		"this machine":            {visitor{}, 200},
		"IPv6":                    {visitor{remote: "[::1]:1", host: "[::1]:9229"}, 200},
		"mapped":                  {visitor{remote: "[::ffff:127.0.0.1]:1"}, 200},
		"127.8.8.8":               {visitor{remote: "127.8.8.8:1", host: "127.0.0.1:9229"}, 200},
		"below localhost":         {visitor{host: "shop.localhost:9229"}, 200},
		"no port":                 {visitor{host: "LOCALHOST"}, 200},
		"last dot":                {visitor{host: "localhost.:80"}, 200},
		"HEAD":                    {visitor{method: "HEAD"}, 200},
		"another machine":         {visitor{remote: "192.0.2.7:1"}, 403},
		"private network":         {visitor{remote: "10.0.0.7:1"}, 403},
		"IPv6 of another machine": {visitor{remote: "[2001:db8::1]:1"}, 403},
		"no address":              {visitor{remote: "@"}, 403},
		"rebound name":            {visitor{host: "evil.test:9229"}, 403},
		"name like localhost":     {visitor{host: "localhost.evil.test"}, 403},
		"another like it":         {visitor{host: "evillocalhost"}, 403},
		"public address":          {visitor{host: "192.0.2.7:9229"}, 403},
		"unspecified address":     {visitor{host: "0.0.0.0:9229"}, 403},
		"no host":                 {visitor{host: "-"}, 403},
		"X-Forwarded-For":         {visitor{header: http.Header{"X-Forwarded-For": {"127.0.0.1"}}}, 403},
		"empty X-Forwarded-For":   {visitor{header: http.Header{"X-Forwarded-For": {""}}}, 403},
		"Forwarded":               {visitor{header: http.Header{"Forwarded": {"for=127.0.0.1"}}}, 403},
		"X-Forwarded-Host":        {visitor{header: http.Header{"X-Forwarded-Host": {"localhost"}}}, 403},
		"X-Real-IP":               {visitor{header: http.Header{"X-Real-Ip": {"127.0.0.1"}}}, 403},
		"Via":                     {visitor{header: http.Header{"Via": {"1.1 proxy"}}}, 403},
		"it claims to be here":    {visitor{remote: "192.0.2.7:1", header: http.Header{"X-Forwarded-For": {"127.0.0.1"}}}, 403},

		"typed":                 {visitor{header: site("none", "navigate", "document")}, 200},
		"own script":            {visitor{header: site("same-origin", "cors", "empty"), target: "/_cognate/flows.json"}, 200},
		"link elsewhere":        {visitor{header: site("cross-site", "navigate", "document")}, 200},
		"frame elsewhere":       {visitor{header: site("cross-site", "navigate", "iframe")}, 403},
		"script elsewhere":      {visitor{header: site("cross-site", "cors", "empty")}, 403},
		"image elsewhere":       {visitor{header: site("cross-site", "no-cors", "image")}, 403},
		"JSON, link elsewhere":  {visitor{header: site("cross-site", "navigate", "document"), target: "/_cognate/outbox.json"}, 403},
		"JSON, other port":      {visitor{header: site("same-site", "cors", "empty"), target: "/_cognate/outbox.json"}, 403},
		"live, script":          {visitor{header: site("cross-site", "no-cors", "script"), target: "/_cognate/live?version=-1"}, 403},
		"secrets, script":       {visitor{header: site("cross-site", "cors", "empty"), target: "/_cognate/clients/app/client_secrets.json"}, 403},
		"POST":                  {visitor{method: "POST"}, 405},
		"DELETE":                {visitor{method: "DELETE", target: "/_cognate/users"}, 405},
		"OPTIONS":               {visitor{method: "OPTIONS"}, 405},
		"POST, another machine": {visitor{method: "POST", remote: "192.0.2.7:1"}, 403},

		"allowed, another machine": {visitor{insecure: true, remote: "192.0.2.7:1", host: "pool.test"}, 200},
		"allowed, proxy":           {visitor{insecure: true, header: http.Header{"X-Forwarded-For": {"192.0.2.7"}}}, 200},
		"allowed, script":          {visitor{insecure: true, header: site("cross-site", "cors", "empty")}, 403},
		"allowed, POST":            {visitor{insecure: true, method: "POST"}, 405},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := e.visit(t, tt.visitor)
			if w.Code != tt.want {
				t.Errorf("got %d, want %d", w.Code, tt.want)
			}
			body := w.Body.String()
			if w.Code == http.StatusForbidden && (strings.Contains(body, pooltest.PoolID) || strings.Contains(body, "The App") ||
				!strings.Contains(body, "InsecureDevViewAnywhere")) {
				t.Errorf("a refused visitor reads: %s", body)
			}
			checkHeaders(t, w.Header())
		})
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
	for name, values := range v.header {
		r.Header[name] = values
	}
	if v.remote != "" {
		r.RemoteAddr = v.remote
	}
	if v.host != "" {
		r.Host = strings.TrimPrefix(v.host, "-")
	}
	w := httptest.NewRecorder()
	e.newView(v.insecure).ServeHTTP(w, r)
	return w
}

// checkHeaders looks at what every answer must have, and must not.
func checkHeaders(t *testing.T, h http.Header) {
	t.Helper()
	csp := h.Get("Content-Security-Policy")
	if h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") ||
		h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers: %v", h)
	}
	for name := range h {
		if name == "Set-Cookie" || strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("the answer has %s", name)
		}
	}
}
