package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
)

const (
	userName = "ann@example.com"
	password = "Correct-Horse-7"
)

// provider is the local pool for all sign-ins. It is idle during the measurements.
type provider struct {
	base, issuer string
	pool         *pool.Pool
	server       *http.Server
	cookies      http.CookieJar // of the person who signs in, who enters the password once
}

// startProvider starts a pool with one user on a free port.
func startProvider(ctx context.Context) (*provider, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, err
	}
	p := &provider{base: "http://localhost:" + port}
	p.pool, err = pool.New(ctx, pool.Config{
		Issuer: p.base + "/", Store: memstore.New(),
		Settings: userpool.Settings{UsernameAttributes: []string{"email"}},
	})
	if err != nil {
		return nil, err
	}
	p.issuer = p.pool.Issuer()
	_, err = p.pool.Users.Create(ctx, userpool.NewUser{
		Username: userName, Password: password,
		Attributes: map[string]string{"email": userName, "email_verified": "true", "name": "Ann Example"},
	})
	if err != nil {
		return nil, err
	}
	handler, err := server.New(server.Config{Pool: p.pool, BaseURL: p.base})
	if err != nil {
		return nil, err
	}
	p.cookies, err = cookiejar.New(nil)
	p.server = &http.Server{
		Handler: longRefreshTokens(handler), ReadHeaderTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
	}
	go func() { _ = p.server.Serve(listener) }() // it ends with Close
	return p, err
}

// refreshSize is the length of Amazon Cognito's refresh tokens, in bytes.
const refreshSize = 1780

// longRefreshTokens makes the pool's short refresh tokens as long as Amazon Cognito's,
// because software that keeps the tokens in a cookie pays for their length with every
// request. These tokens can't be used, but nothing refreshes within the hour for which
// the other tokens are valid.
func longRefreshTokens(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth2/token" {
			next.ServeHTTP(w, r)
			return
		}
		answer := &heldAnswer{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		body := answer.body.Bytes()
		var tokens map[string]any
		if json.Unmarshal(body, &tokens) == nil {
			if t, ok := tokens["refresh_token"].(string); ok {
				tokens["refresh_token"] = t + strings.Repeat("A", max(0, refreshSize-len(t)))
				body, _ = json.Marshal(tokens) // the body was JSON before
			}
		}
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.status)
		_, _ = w.Write(body) // if this fails, nobody reads the answer
	})
}

// heldAnswer is an answer that has not been sent yet.
type heldAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) WriteHeader(status int)      { a.status = status }
func (a *heldAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }

// client registers an app client.
func (p *provider) client(ctx context.Context, callback string) (userpool.Client, error) {
	return p.pool.Clients.Create(ctx, userpool.Client{GenerateSecret: true, CallbackURLs: []string{callback}})
}

// jars keeps the pool's cookies apart from the app's: every sign-in starts without the
// app's cookies.
type jars struct {
	poolHost  string
	pool, app http.CookieJar
}

func (j jars) of(u *url.URL) http.CookieJar {
	if u.Host == j.poolHost {
		return j.pool
	}
	return j.app
}

// SetCookies and Cookies implement http.CookieJar.
func (j jars) SetCookies(u *url.URL, cookies []*http.Cookie) { j.of(u).SetCookies(u, cookies) }

// Cookies implements http.CookieJar.
func (j jars) Cookies(u *url.URL) []*http.Cookie { return j.of(u).Cookies(u) }

// signIn opens an app's page as a browser does, fills in the pool's form if it appears,
// and returns the Cookie header for the page when the app finally answers.
func (p *provider) signIn(ctx context.Context, page string) (string, error) {
	app, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	b := &browser{pool: p, jar: jars{strings.TrimPrefix(p.base, "http://"), p.cookies, app}}
	at, err := b.visit(ctx, page, "")
	if err != nil {
		return "", fmt.Errorf("signing in: %w", err)
	}
	var pairs []string
	for _, c := range app.Cookies(at) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	if len(pairs) == 0 {
		return "", errors.New("signing in: the app set no cookie")
	}
	return strings.Join(pairs, "; "), nil
}

// browser follows redirects and fills in the pool's form.
type browser struct {
	pool *provider
	jar  http.CookieJar
}

const maxSteps = 20

// visit returns the address of the last page: the first that is neither a redirect nor
// the pool's. It does not open an address that begins with stop.
func (b *browser) visit(ctx context.Context, address, stop string) (*url.URL, error) {
	client := &http.Client{
		Jar: b.jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var form url.Values
	for range maxSteps {
		req, err := b.request(ctx, address, form)
		if err != nil || stop != "" && strings.HasPrefix(address, stop) {
			return req.URL, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close() // only read
		if err != nil {
			return nil, err
		}
		form = nil
		to, err := resp.Location()
		if err == nil {
			address = to.String()
			continue
		}
		if !strings.HasPrefix(address, b.pool.base) {
			return req.URL, statusError(resp)
		}
		form, address, err = signInForm(req.URL, string(body))
		if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("too many redirects")
}

func statusError(resp *http.Response) error {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return fmt.Errorf("%s answered %d", resp.Request.URL.Path, resp.StatusCode)
}

// request returns the request for a page or of a form, with the headers of a browser.
func (b *browser) request(ctx context.Context, address string, form url.Values) (*http.Request, error) {
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/html,*/*")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.pool.base)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return req, nil
}

// These expressions only need to match the pool's own page, not all of HTML.
var (
	formTag  = regexp.MustCompile(`<form name="cognitoSignInForm"[^>]*\saction="([^"]*)"`)
	inputTag = regexp.MustCompile(`<input[^>]*>`)
	nameAttr = regexp.MustCompile(`\sname="([^"]*)"`)
	valAttr  = regexp.MustCompile(`\svalue="([^"]*)"`)
)

// signInForm returns the filled-in form of the pool, and its action.
func signInForm(at *url.URL, page string) (url.Values, string, error) {
	tag := formTag.FindStringSubmatch(page)
	if tag == nil {
		return nil, "", fmt.Errorf("%s of the pool shows no sign-in form", at.Path)
	}
	to, err := at.Parse(html.UnescapeString(tag[1]))
	if err != nil {
		return nil, "", err
	}
	form := url.Values{}
	for _, input := range inputTag.FindAllString(page, -1) {
		form.Set(attribute(nameAttr, input), attribute(valAttr, input))
	}
	form.Set("username", userName)
	form.Set("password", password)
	return form, to.String(), nil
}

func attribute(re *regexp.Regexp, tag string) string {
	m := re.FindStringSubmatch(tag)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}
