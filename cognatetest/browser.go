package cognatetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// NewBrowser returns a client with a cookie jar for an app that runs inside the test:
// requests to the origin of appURL go to app, without a listener, and all others over
// the network. appURL is any address of the app as browsers would see it, such as its
// redirect URL; if it is https, so is the request that the app sees.
func NewBrowser(tb testing.TB, appURL string, app http.Handler) *http.Client {
	tb.Helper()
	u, err := url.Parse(appURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		tb.Fatalf("cognatetest: %q is not the http or https URL of an app", appURL)
	}
	return &http.Client{
		Jar:       newJar(tb),
		Transport: &inProcess{origin: u.Scheme + "://" + u.Host, app: app, others: http.DefaultTransport},
	}
}

func newJar(tb testing.TB) http.CookieJar {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatalf("cognatetest: making a cookie jar: %v", err)
	}
	return jar
}

// inProcess takes requests to one origin to a handler.
type inProcess struct {
	origin string
	app    http.Handler
	others http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme+"://"+r.URL.Host != t.origin {
		return t.others.RoundTrip(r)
	}
	var body []byte
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
		var err error
		body, err = io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(body))
	in.Header = r.Header.Clone()
	// A server is told the path alone; httptest keeps the whole address.
	in.RequestURI = r.URL.RequestURI()
	in.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if r.Host != "" {
		in.Host = r.Host
	}
	w := httptest.NewRecorder()
	t.app.ServeHTTP(w, in)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// SignIn does what a person does who wants to see a page of the app and isn't signed
// in: it opens the page, follows to the pool, fills in the form, and comes back through
// the app's callback. It returns the browser, signed in to the app; its Jar holds the
// session. A browser without a Jar is copied and gets one.
//
// page is an absolute URL: of a running app, with its own client (srv.Client() of an
// httptest.Server), or of one inside the test, with that of [NewBrowser]. A page that
// doesn't lead to the pool, a refusal by the pool, or an answer of 400 and more at the
// end ends the test.
func (p *Pool) SignIn(tb testing.TB, browser *http.Client, page, username, password string) *http.Client {
	tb.Helper()
	own := *browser
	if own.Jar == nil {
		own.Jar = newJar(tb)
	}
	v, err := p.visit(tb, &own, page, username, password)
	if err == nil {
		err = v.refusal(page)
	}
	if err != nil {
		tb.Fatalf("cognatetest: signing in: %v", err)
	}
	return &own
}

// Visit is SignIn for sign-ins that the app may refuse: it returns the app's last
// answer, whatever it is, with its body in memory. The browser needs a cookie jar. If
// the app asks for no sign-in, there is none.
func (p *Pool) Visit(tb testing.TB, browser *http.Client, page, username, password string) *http.Response {
	tb.Helper()
	v, err := p.visit(tb, browser, page, username, password)
	if err != nil {
		tb.Fatalf("cognatetest: visiting: %v", err)
	}
	return v.last
}

// visited is the end of a way through app and pool.
type visited struct {
	last *http.Response
	pool bool // the way led through the pool
}

// refusal says why the way was no sign-in.
func (v visited) refusal(page string) error {
	switch {
	case v.last.StatusCode >= 400:
		return fmt.Errorf("the app answered %d at %s: %s", v.last.StatusCode, v.last.Request.URL.Path, pageText(v.last))
	case !v.pool:
		return fmt.Errorf("%s did not lead to the pool; is the page behind RequireLogin, and nobody signed in?", page)
	}
	return nil
}

// visit follows redirects to their end, as a browser does, and signs in when it is
// asked to.
func (p *Pool) visit(tb testing.TB, browser *http.Client, address, username, password string) (visited, error) {
	const most = 20 // Chromium's limit
	var v visited
	if browser.Jar == nil {
		return v, errNoJar
	}
	site := "none"
	for range most {
		to, err := url.Parse(address)
		if err != nil {
			return v, err
		}
		if p.owns(to) {
			to, err = p.signIn(tb, browser, address, username, password)
			if err != nil {
				return v, err
			}
			v.pool, site = true, "cross-site"
		}
		v.last, err = navigate(tb, browser, to.String(), site) //nolint:bodyclose // read and closed there
		if err != nil {
			return v, err
		}
		next, err := v.last.Location()
		if v.last.StatusCode < 300 || v.last.StatusCode > 399 || err != nil {
			return v, nil
		}
		address = next.String()
	}
	return v, errors.New("too many redirects")
}

// navigate opens one page as a browser does, and follows nothing.
func navigate(tb testing.TB, browser *http.Client, address, site string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.Header.Set("Sec-Fetch-Site", site)
	client := *browser
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

const maxPage = 1 << 20

var (
	invisible = regexp.MustCompile(`(?is)<(style|script|head)\b.*?</(style|script|head)>|<[^>]*>`)
	spaces    = regexp.MustCompile(`\s+`)
)

// pageText is what a person would read on a page, shortened, for the failure message.
func pageText(resp *http.Response) string {
	body, _ := io.ReadAll(resp.Body) // in memory
	text := spaces.ReplaceAllString(invisible.ReplaceAllString(string(body), " "), " ")
	return strings.ToValidUTF8(text[:min(len(text), 300)], "")
}
