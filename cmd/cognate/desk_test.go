package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/hello/app"
	"github.com/cognate-auth/cognate/internal/loopback"
	"github.com/cognate-auth/cognate/internal/terminal"
)

// A desk is what a developer has before them: an app in the making, a local pool in
// another terminal, a browser, and the developer's view.
type desk struct {
	*testing.T

	env     []string // of other programs
	pool    *poolProgram
	app     *lines                  // the app's terminal
	program *lines                  // that of other command lines of cognate
	from    int                     // length of what the pool's terminal had said before
	seen    []string                // sign-ins that the view had before
	apps    map[string]http.Handler // by origin; other requests go over the network

	browser *http.Client // with a cookie jar
	page    string       // the text of the page that the browser shows
}

// The app's address, and its pages.
const (
	appAddress  = "https://127.0.0.1:5000"
	callbackURL = appAddress + "/oidc_callback"
	hello       = appAddress + "/hello"
)

func newDesk(t *testing.T, p *poolProgram) *desk {
	t.Helper()
	d := &desk{
		T: t, pool: p, app: &lines{}, program: &lines{}, apps: map[string]http.Handler{}, from: len(p.said.String()),
	}
	_, before := d.signIns()
	for _, s := range before {
		d.seen = append(d.seen, s.ID)
	}
	d.newBrowser()
	return d
}

// says returns what a place says. The developer's view hears from the app after the
// browser does, so it is asked until it has the words, or nothing more comes.
func (d *desk) says(place string, words []string) string {
	switch place {
	case thePage:
		return d.page
	case appTerminal:
		return d.app.String()
	case poolTerminal:
		return d.pool.said.String()[d.from:] + d.program.String()
	}
	for {
		version, text, renews := d.view()
		missing := slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
		if !missing || !d.changes(version, renews) {
			return text
		}
	}
}

// changes waits until something is new in the view, and reports whether it is. A page of it
// may say more by itself, when an app does not go on.
func (d *desk) changes(version string, renews time.Duration) bool {
	ctx, cancel := d.Context(), func() {}
	if renews > 0 {
		ctx, cancel = context.WithTimeout(ctx, renews)
	}
	defer cancel()
	now, err := d.lookUntil(ctx, "live?version="+version)
	return string(now) != version || err != nil && renews > 0
}

// config is the configuration that client-secrets describes, with the log at its default
// level.
func (d *desk) config(secrets cognate.ClientSecrets) cognate.Config {
	return cognate.Config{
		ClientSecrets: &secrets, Keys: keys("k"), RequireVerifiedEmail: true,
		Logger: slog.New(slog.NewTextHandler(d.app, nil)),
	}
}

// keys are those of one process, or of several that have the same.
func keys(of string) []cognate.Secret {
	return []cognate.Secret{cognate.Secret(strings.Repeat(of, 32))}
}

// start starts the app of the tutorial, at the address of its redirect URL. What New
// refuses is in the terminal, as the examples print it, and the app does not run.
func (d *desk) start(cfg cognate.Config) *cognate.Auth {
	auth, err := cognate.New(cfg)
	if err != nil {
		d.app.print("hello: " + err.Error() + "\n")
		return nil
	}
	d.apps[appAddress] = app.New(auth)
	return auth
}

// begin starts the app as client-secrets describes it, but for one change.
func (d *desk) begin(change func(*cognate.Config)) *cognate.Auth {
	cfg := d.config(d.pool.client)
	change(&cfg)
	return d.start(cfg)
}

// asIs changes nothing.
func asIs(*cognate.Config) {}

// file starts the app with a client_secrets.json.
func (d *desk) file(text string) {
	d.start(cognate.Config{ClientSecretsFile: d.write("client_secrets.json", text)})
}

// write writes a file, and returns its path.
func (d *desk) write(name, text string) string {
	path := filepath.Join(d.TempDir(), name)
	err := os.WriteFile(path, []byte(text), 0o600)
	if err != nil {
		d.Fatal(err)
	}
	return path
}

// newBrowser opens another browser, which has no cookies.
func (d *desk) newBrowser() {
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.Fatal(err)
	}
	d.browser = &http.Client{
		Jar: jar, Transport: d, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// network is that of a browser, which finds names below localhost by itself, and of a
// person who passes its warnings.
var network = &http.Transport{
	DialContext: loopback.Dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
}

// RoundTrip implements http.RoundTripper for the browser.
func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	app, ok := d.apps[r.URL.Scheme+"://"+r.URL.Host]
	if !ok {
		return network.RoundTrip(r)
	}
	body := io.Reader(http.NoBody)
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
		body = r.Body
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), body)
	in.Header, in.RequestURI = r.Header.Clone(), r.URL.RequestURI()
	in.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, in)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// open opens a page as a person does, and follows the redirects.
func (d *desk) open(address string) *http.Response {
	return d.follow(d.send(http.MethodGet, address, nil, "none"))
}

// follow follows redirects to their end.
func (d *desk) follow(resp *http.Response) *http.Response {
	const most = 20 // Chromium's limit
	for range most {
		if resp == nil {
			return nil
		}
		to, err := resp.Location()
		if err != nil {
			return resp
		}
		resp = d.send(http.MethodGet, to.String(), nil, "cross-site")
	}
	d.page = "redirected you too many times"
	return nil
}

// send sends a request as a browser does that shows a page, and keeps what the page says.
// The answer is nil if there is none; a browser then has a page of its own.
func (d *desk) send(method, address string, form url.Values, site string) *http.Response {
	r, err := http.NewRequestWithContext(d.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		d.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", site)
	return d.do(r)
}

func (d *desk) do(r *http.Request) *http.Response {
	d.page = ""
	resp, err := d.browser.Do(r)
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		d.Fatal(err)
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	d.page = visibleText(string(body))
	return resp
}

// These expressions read the pool's and the library's own pages, not all of HTML.
var (
	formTag   = regexp.MustCompile(`<form[^>]*\saction="([^"]*)"`)
	inputTag  = regexp.MustCompile(`<input[^>]*>`)
	nameAttr  = regexp.MustCompile(`\sname="([^"]*)"`)
	valueAttr = regexp.MustCompile(`\svalue="([^"]*)"`)
	unseen    = regexp.MustCompile(`(?is)<(style|script|head)\b.*?</(style|script|head)>|</?mark\b[^>]*>`)
	anyTag    = regexp.MustCompile(`(?s)<[^>]*>`)
	spaces    = regexp.MustCompile(`\s+`)
)

// visibleText returns the words of a page.
func visibleText(page string) string {
	text := anyTag.ReplaceAllString(unseen.ReplaceAllString(page, ""), " ")
	return strings.TrimSpace(spaces.ReplaceAllString(html.UnescapeString(text), " "))
}

// fill sends the pool's form that resp shows, and does not follow the redirect.
func (d *desk) fill(resp *http.Response, username, password string) *http.Response {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.Fatal(err)
	}
	action := formTag.FindStringSubmatch(string(body))
	if action == nil {
		d.Fatalf("%s has no form:\n%s", resp.Request.URL, d.page)
	}
	to, err := resp.Request.URL.Parse(html.UnescapeString(action[1]))
	if err != nil {
		d.Fatal(err)
	}
	fields := url.Values{}
	for _, input := range inputTag.FindAllString(string(body), -1) {
		if name := attribute(nameAttr, input); name != "" {
			fields.Set(name, attribute(valueAttr, input))
		}
	}
	fields.Set("username", username)
	fields.Set("password", password)
	return d.send(http.MethodPost, to.String(), fields, "same-origin")
}

func attribute(re *regexp.Regexp, tag string) string {
	m := re.FindStringSubmatch(tag)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// signIn opens a page of the app, signs ann in at the pool, and comes back.
func (d *desk) signIn(address string) { d.signInAs(address, "ann@example.com") }

// signInAs is signIn for somebody else.
func (d *desk) signInAs(address, username string) {
	d.follow(d.fill(d.open(address), username, password))
}

// forget removes cookies of the app from the browser: those whose names match.
func (d *desk) forget(which func(name string) bool) {
	u, err := url.Parse(appAddress)
	if err != nil {
		d.Fatal(err)
	}
	for _, c := range d.browser.Jar.Cookies(u) {
		if which(c.Name) {
			c.MaxAge, c.Path, c.Secure = -1, "/", true
			d.browser.Jar.SetCookies(u, []*http.Cookie{c})
		}
	}
}

// cognate runs another command line in the pool's terminal.
func (d *desk) cognate(args ...string) {
	run(d.Context(), args, terminal.Streams{Out: d.program, Err: d.program})
}

// viewed is a sign-in in the developer's view.
type viewed struct{ ID string }

// signIns are those that the view lists, the newest first, at a version of its list.
func (d *desk) signIns() (version string, all []viewed) {
	var list struct {
		Version json.Number
		SignIns []viewed
	}
	err := json.Unmarshal(d.look("flows.json"), &list)
	if err != nil {
		d.Fatal(err)
	}
	return list.Version.String(), list.SignIns
}

var renewal = regexp.MustCompile(`data-renew="(\d+)"`)

// view returns what the pages of the view say of the sign-ins of this desk, and after which
// time one of them says more by itself; 0: never.
func (d *desk) view() (version, text string, renews time.Duration) {
	version, all := d.signIns()
	for _, s := range all {
		if slices.Contains(d.seen, s.ID) {
			continue
		}
		page := string(d.look("flows/" + s.ID))
		text += visibleText(page) + "\n"
		if m := renewal.FindStringSubmatch(page); m != nil {
			ms, err := strconv.Atoi(m[1])
			if err != nil {
				d.Fatal(err)
			}
			renews = max(renews, time.Duration(ms)*time.Millisecond)
		}
	}
	return version, text, renews
}

// look reads a page of the view.
func (d *desk) look(path string) []byte {
	body, err := d.lookUntil(d.Context(), path)
	if err != nil {
		d.Fatal(err)
	}
	return body
}

// lookUntil is look with an end.
func (d *desk) lookUntil(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.pool.url+"/_cognate/"+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+d.pool.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s of the view: %s", path, resp.Status)
	}
	return body, err
}

// poolProgram is cognate pool, run as in a terminal.
type poolProgram struct {
	url, token string
	said       *lines
	client     cognate.ClientSecrets // of its first client
}

var developer = regexp.MustCompile(`Developer +(\S+?)/_cognate/\?token=(\S+)(?s:.*)Ctrl-C`)

// startPool starts cognate pool on any free port, and ends it with the test.
func startPool(t *testing.T, args ...string) *poolProgram {
	t.Helper()
	p := &poolProgram{said: &lines{wrote: make(chan struct{}, 1)}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan int, 1)
	args = append([]string{"pool", "--addr", "127.0.0.1:0", "--store", "memory"}, args...)
	go func() { ended <- run(ctx, args, terminal.Streams{Out: p.said, Err: p.said}) }()
	t.Cleanup(func() {
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("cognate pool ended with %d:\n%s", status, p.said)
		}
	})
	m := p.said.until(t, developer)
	p.url, p.token = m[1], m[2]
	return p
}

// lines is a terminal, or a log: several goroutines may write to it.
type lines struct {
	mu    sync.Mutex
	text  strings.Builder
	wrote chan struct{} // has a value after each change
}

func (l *lines) Write(p []byte) (int, error) {
	l.print(string(p))
	return len(p), nil
}

func (l *lines) print(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(text)
	select {
	case l.wrote <- struct{}{}:
	default:
	}
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// until waits until the text matches.
func (l *lines) until(t *testing.T, pattern *regexp.Regexp) []string {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		if m := pattern.FindStringSubmatch(l.String()); m != nil {
			return m
		}
		select {
		case <-l.wrote:
		case <-limit:
			t.Fatalf("the terminal says\n%s", l)
		}
	}
}
