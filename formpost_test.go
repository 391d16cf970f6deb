package cognate_test

import (
	"bufio"
	"bytes"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/cases"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// post sends a form to the callback. cookies reports whether the browser brings its own along:
// it does not if another site sends the form.
func (b *browser) post(form url.Values, cookies bool, headers ...string) *http.Response {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), http.MethodPost, appOrigin+"/oidc_callback",
		strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if cookies {
		for _, c := range b.jar.Cookies(appURL) {
			r.AddCookie(c)
		}
	}
	w := httptest.NewRecorder()
	b.app.handler.ServeHTTP(w, r)
	resp := w.Result()
	b.jar.SetCookies(appURL, resp.Cookies())
	return resp
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
	formField  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// formOf reads the form of a page.
func formOf(t *testing.T, page string) (action string, fields url.Values) {
	t.Helper()
	m := formAction.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no form:\n%s", page)
	}
	fields = url.Values{}
	for _, f := range formField.FindAllStringSubmatch(page, -1) {
		fields.Add(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	return html.UnescapeString(m[1]), fields
}

// TestFormPost has the provider answer by a form, from its own site, as a request on the wire.
func TestFormPost(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) { d["authorization_response_iss_parameter_supported"] = true }
	x := newApp(t, p, func(c *cognate.Config) { c.LoginOptions = []cognate.LoginOption{cognate.FormPost()} })
	b := x.browser(t)
	location := b.get("/private/x?y=z").Header.Get("Location")
	if got := mustURL(t, location).Query().Get("response_mode"); got != "form_post" {
		t.Errorf("response_mode = %q", got)
	}
	q := p.SignIn(t, location)
	q.Set("iss", p.Issuer)

	wire := cases.Read(t, "callback-form-post.http")
	head, sent, _ := bytes.Cut(bytes.ReplaceAll(wire, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	sent = bytes.ReplaceAll(bytes.TrimSpace(sent), []byte("(the state of the sign-in)"), []byte(q.Get("state")))
	sent = append(bytes.Replace(sent, []byte("code=abc"), []byte("code="+q.Get("code")), 1),
		"&iss="+url.QueryEscape(p.Issuer)+"&user=%7B%7D"...)
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(head, "\n\n"...))))
	if err != nil {
		t.Fatal(err)
	}
	r = r.WithContext(t.Context())
	r.Body = io.NopCloser(bytes.NewReader(sent))
	w := httptest.NewRecorder()
	x.handler.ServeHTTP(w, r)
	page, csp := w.Body.String(), w.Header().Get("Content-Security-Policy")
	if w.Code != http.StatusOK || len(w.Result().Cookies()) != 0 || len(p.TokenRequests()) != 0 ||
		w.Header().Get("Cache-Control") != "no-store" ||
		!strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "; script-src 'sha256-") ||
		!strings.Contains(page, "<button>Continue</button>") {
		t.Fatalf("status %d, policy %q, %d token requests:\n%s", w.Code, csp, len(p.TokenRequests()), page)
	}

	action, fields := formOf(t, page)
	if action != "/oidc_callback" || fields.Get("code") != q.Get("code") || fields.Get("state") != q.Get("state") ||
		fields.Get("iss") != p.Issuer || fields.Has("user") {
		t.Errorf("the page sends %v to %q", fields, action)
	}
	resp := b.post(fields, true, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Origin", appOrigin)
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/private/x?y=z" || !b.signedIn() {
		t.Errorf("status %d to %q, log:\n%s", resp.StatusCode, resp.Header.Get("Location"), x.log)
	}
	if resp := b.post(fields, true); resp.Header.Get("Location") != "/private/x?y=z" || len(p.TokenRequests()) != 1 {
		t.Errorf("sent once more: status %d to %q, %d token requests", resp.StatusCode, resp.Header.Get("Location"),
			len(p.TokenRequests()))
	}
}

// TestFormPostOfTheSameSite brings the cookies along at once: nothing comes in between.
func TestFormPostOfTheSameSite(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	resp := b.post(p.SignIn(t, b.get("/private/").Header.Get("Location")), true)
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/private/" || !b.signedIn() {
		t.Errorf("status %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// TestFormPostRefused never shows the page that sends the form once more for what can't end a
// sign-in, and never twice.
func TestFormPostRefused(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(q url.Values)
		headers []string
		reason  cognate.Reason
	}{
		{"marked as ours already", func(q url.Values) { q.Set("again", "1") }, nil, cognate.ReasonState},
		{"foreign state", func(q url.Values) { q.Set("state", strings.Repeat("A", 160)) }, nil, cognate.ReasonState},
		{"no state", func(q url.Values) { q.Del("state") }, nil, cognate.ReasonState},
		{"two codes", func(q url.Values) { q.Add("code", "x") }, nil, cognate.ReasonMalformedCallback},
		{"huge", func(q url.Values) { q.Set("x", strings.Repeat("x", 17<<10)) }, nil, cognate.ReasonMalformedCallback},
		{"JSON", func(url.Values) {}, []string{"Content-Type", "application/json"}, cognate.ReasonMalformedCallback},
		{"no type", func(url.Values) {}, []string{"Content-Type", ""}, cognate.ReasonMalformedCallback},
		{"multipart", func(url.Values) {}, []string{"Content-Type", "multipart/form-data; boundary=x"},
			cognate.ReasonMalformedCallback},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			b := newApp(t, p, nil).browser(t)
			q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
			tt.change(q)
			resp := b.post(q, false, tt.headers...)
			if resp.StatusCode != http.StatusBadRequest || strings.Contains(body(t, resp), "<form") ||
				!strings.Contains(b.app.log.String(), "reason="+string(tt.reason)) ||
				len(p.TokenRequests()) != 0 || b.signedIn() {
				t.Errorf("status %d, log:\n%s", resp.StatusCode, b.app.log)
			}
		})
	}
	t.Run("of another browser", func(t *testing.T) {
		p := fakeprovider.New(t)
		x := newApp(t, p, nil)
		q := p.SignIn(t, x.browser(t).get("/private/").Header.Get("Location"))
		victim := x.browser(t)
		victim.get("/private/")
		_, fields := formOf(t, body(t, victim.post(q, false)))
		if resp := victim.post(fields, true); resp.StatusCode != http.StatusBadRequest || victim.signedIn() ||
			len(p.TokenRequests()) != 0 {
			t.Errorf("status %d, signed in: %v", resp.StatusCode, victim.signedIn())
		}
	})
	t.Run("with markup", func(t *testing.T) {
		p := fakeprovider.New(t)
		b := newApp(t, p, nil).browser(t)
		q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
		q.Set("code", `"><script>alert(1)</script>`)
		page := body(t, b.post(q, false))
		if _, fields := formOf(t, page); strings.Count(page, "<script") != 1 || fields.Get("code") != q.Get("code") {
			t.Errorf("the page has the provider's markup:\n%s", page)
		}
	})
	t.Run("cookies blocked", func(t *testing.T) {
		p := fakeprovider.New(t)
		x := newApp(t, p, nil)
		b := x.browser(t)
		q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
		b.jar, _ = cookiejar.New(nil)
		_, fields := formOf(t, body(t, b.post(q, false)))
		resp := b.post(fields, true)
		if page := body(t, resp); resp.StatusCode != http.StatusBadRequest ||
			!strings.Contains(page, "return_to=%2Fprivate%2F") {
			t.Errorf("status %d:\n%s", resp.StatusCode, page)
		}
	})
}

// FuzzCallback sends the callback what nobody who signs in here would: it is refused, and
// asks the provider nothing.
func FuzzCallback(f *testing.F) {
	c := goodConfig()
	c.Logger = slog.New(slog.DiscardHandler)
	a, err := cognate.New(c)
	if err != nil {
		f.Fatal(err)
	}
	h := a.Handler(nil)
	for _, s := range []string{
		"", "code=a&state=b", "state=%zz", "code=a&code=b&state=c", "again=1&state=" + strings.Repeat("A", 160),
		"3.1796050000.400", ";", "error=x&state=\x00",
	} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, params, cookie string) {
		for _, r := range []*http.Request{
			{Method: http.MethodGet, URL: &url.URL{Path: "/oidc_callback", RawQuery: params}},
			{Method: http.MethodPost, URL: &url.URL{Path: "/oidc_callback"},
				Body: io.NopCloser(strings.NewReader(params))},
		} {
			r.Header = http.Header{
				"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Mode": {"navigate"},
				"Cookie": {"__Host-cognate-tx-00=" + cookie + "; __Host-cognate-tx-row=" + cookie},
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(t.Context()))
			if w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" ||
				strings.Contains(w.Body.String(), "<form") {
				t.Fatalf("%s: status %d", r.Method, w.Code)
			}
		}
	})
}
