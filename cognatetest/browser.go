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

// inProcess passes requests to one origin to a handler.
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
	// A server gets only the path; httptest.NewRequest sets the whole address.
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

// SignIn does what people do who want to see a page of the app and are not signed in:
// it opens the page, follows the redirects to the pool, fills in the form, and returns
// through the app's callback. It returns the browser, signed in to the app; its Jar
// holds the session. A browser without a Jar is copied and gets one.
//
// page is an absolute URL: of a running app, with the app's own client (srv.Client() of
// an httptest.Server), or of an app inside the test, with the client of [NewBrowser].
// SignIn ends the test if the page does not lead to the pool, if the pool refuses the
// sign-in, or if the last answer has a status of 400 or more. If it is a refusal of an
// app of this process, the failure has its reason and cause, which visitors don't see.
func (p *Pool) SignIn(tb testing.TB, browser *http.Client, page, username, password string) *http.Client {
	tb.Helper()
	own := *browser
	if own.Jar == nil {
		own.Jar = newJar(tb)
	}
	begun := refused.count()
	v, err := p.visit(tb, &own, page, username, password)
	if err == nil {
		err = v.refusal(page, begun)
	}
	if err != nil {
		tb.Fatalf("cognatetest: signing in: %v", err)
	}
	return &own
}

// Visit is SignIn for sign-ins that the app may refuse: it returns the app's last
// answer, whatever its status, with the body in memory. The browser needs a cookie jar.
// If the app does not require a sign-in for the page, Visit does not sign in. What SignIn
// would say of a refusal is in the test's log, which shows if the test fails.
func (p *Pool) Visit(tb testing.TB, browser *http.Client, page, username, password string) *http.Response {
	tb.Helper()
	begun := refused.count()
	v, err := p.visit(tb, browser, page, username, password)
	if err != nil {
		tb.Fatalf("cognatetest: visiting: %v", err)
	}
	why := refused.why(v.last, begun)
	if why != "" {
		tb.Logf("cognatetest: visiting: the app answered %d at %s: %s",
			v.last.StatusCode, v.last.Request.URL.Path, why)
	}
	return v.last
}

// visited is where a visit ended.
type visited struct {
	last *http.Response
	pool bool // the visit led through the pool
}

// refusal returns an error that says why there was no sign-in. begun is how many
// refusals there were before.
func (v visited) refusal(page string, begun int) error {
	switch {
	case v.last.StatusCode >= 400:
		why := refused.why(v.last, begun)
		if why != "" {
			why += "; its page says: "
		}
		return fmt.Errorf("the app answered %d at %s: %s%s",
			v.last.StatusCode, v.last.Request.URL.Path, why, pageText(v.last))
	case !v.pool:
		return fmt.Errorf("%s did not lead to the pool; is the page behind RequireLogin, "+
			"and is the browser not signed in yet?", page)
	}
	return nil
}

// visit follows redirects to their end, as a browser does, and signs in when the pool
// asks.
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

// navigate opens one page as a browser does, and follows no redirects.
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

// pageText returns the visible text of a page, shortened, for the failure message.
func pageText(resp *http.Response) string {
	text := spaces.ReplaceAllString(invisible.ReplaceAllString(bodyOf(resp), " "), " ")
	return strings.ToValidUTF8(text[:min(len(text), 300)], "")
}

// bodyOf returns the body of an answer that is in memory, and leaves it there.
func bodyOf(resp *http.Response) string {
	body, _ := io.ReadAll(resp.Body) // see navigate
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return string(body)
}
