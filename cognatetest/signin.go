package cognatetest

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Authorize does the pool's part of a sign-in: it opens the authorization URL, fills in
// the sign-in form as a person would, and returns the redirect to the app without
// following it. The browser needs a cookie jar; if the jar holds a valid session, the
// pool redirects without a form. A refused sign-in, or an answer that is neither a form
// nor a redirect, ends the test. [Pool.SignIn] does a whole sign-in.
func (p *Pool) Authorize(
	tb testing.TB, browser *http.Client, authorizationURL, username, password string,
) (location *url.URL) {
	tb.Helper()
	location, err := p.signIn(tb, browser, authorizationURL, username, password)
	if err != nil {
		tb.Fatalf("cognatetest: signing in: %v", err)
	}
	return location
}

var errNoJar = errors.New("the browser needs a cookie jar")

func (p *Pool) signIn(
	tb testing.TB, browser *http.Client, authorizationURL, username, password string,
) (*url.URL, error) {
	if browser.Jar == nil {
		return nil, errNoJar
	}
	page, err := p.open(tb, browser, authorizationURL)
	if err != nil || page.redirect != nil {
		return page.redirect, err
	}
	for range 3 { // name, password, and the code of an authenticator app
		form, action, err := page.form()
		if err != nil {
			return nil, err
		}
		form.Set("username", username)
		form.Set("password", password)
		if page.at.Path == "/mfa/code" {
			form.Set("code", p.TOTP(tb, username))
		}
		page, err = p.submit(tb, browser, action, form)
		if err != nil || page.redirect != nil {
			return page.redirect, err
		}
		if page.status != http.StatusOK {
			break
		}
	}
	return nil, fmt.Errorf("the pool answered %d: %s", page.status, page.alert())
}

// TOTP returns the code that the user's authenticator app shows now. Each code can be
// used once; [Pool.SignIn] and [Pool.Authorize] enter it themselves. A user without an
// authenticator app ends the test.
func (p *Pool) TOTP(tb testing.TB, username string) string {
	tb.Helper()
	u, _, err := p.pool.Users.Find(tb.Context(), username)
	if err != nil {
		tb.Fatalf("cognatetest: %v", err)
	}
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(string(u.TOTPSecret))
	if err != nil || len(key) == 0 {
		tb.Fatalf("cognatetest: the user %q has no authenticator app", username)
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(p.now().Unix()/30))) //nolint:gosec // the time is after 1970
	sum := mac.Sum(nil)
	from := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[from:from+4])&(1<<31-1)%1_000_000)
}

// page is an answer of the pool: a page, or a redirect to another site.
type page struct {
	at       *url.URL
	status   int
	body     string
	redirect *url.URL
}

// open follows redirects as long as they are to the pool.
func (p *Pool) open(tb testing.TB, browser *http.Client, address string) (page, error) {
	const most = 10
	for range most {
		req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, address, nil)
		if err != nil {
			return page{}, err
		}
		answer, next, err := p.send(browser, req)
		if err != nil || next == nil {
			return answer, err
		}
		address = next.String()
	}
	return page{}, errors.New("too many redirects")
}

// submit posts a form with the headers of a browser that shows the page.
func (p *Pool) submit(tb testing.TB, browser *http.Client, action string, form url.Values) (page, error) {
	body := strings.NewReader(form.Encode())
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, action, body)
	if err != nil {
		return page{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", p.URL)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, next, err := p.send(browser, req)
	if err != nil || next == nil {
		return answer, err
	}
	return p.open(tb, browser, next.String())
}

// send makes one request. If the answer redirects to the pool itself, the address is
// next; any other address is in answer.redirect.
func (p *Pool) send(browser *http.Client, req *http.Request) (answer page, next *url.URL, err error) {
	client := *browser
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return page{}, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return page{}, nil, err
	}
	answer = page{at: req.URL, status: resp.StatusCode, body: string(body)}
	if resp.StatusCode != http.StatusFound {
		return answer, nil, nil
	}
	to, err := resp.Location()
	if err != nil {
		return page{}, nil, err
	}
	if p.owns(to) {
		return page{}, to, nil
	}
	answer.redirect = to
	return answer, nil, nil
}

// owns reports whether an address is one of the pool's pages. An app may have the same
// host and port.
func (p *Pool) owns(u *url.URL) bool {
	if u.Scheme+"://"+u.Host != p.URL {
		return false
	}
	own := []string{
		"/login", "/error", "/logout", "/mfa", "/changePassword", "/passkeys/add", "/signup", "/confirm",
		"/confirmforgotPassword",
	}
	return slices.Contains(own, u.Path) ||
		slices.ContainsFunc([]string{"/oauth2/", "/login/", "/mfa/"}, func(folder string) bool {
			return strings.HasPrefix(u.Path, folder)
		})
}

// These expressions only need to match the pool's own pages, not all of HTML.
var (
	formTag  = regexp.MustCompile(`<form[^>]*\saction="([^"]*)"`)
	inputTag = regexp.MustCompile(`<input[^>]*>`)
	nameAttr = regexp.MustCompile(`\sname="([^"]*)"`)
	valAttr  = regexp.MustCompile(`\svalue="([^"]*)"`)
	alertTag = regexp.MustCompile(`role="alert"[^>]*>(?s:.*?)<span>([^<]*)</span>`)
)

// form returns the fields of the sign-in form and its action.
func (p page) form() (fields url.Values, action string, err error) {
	tag := formTag.FindStringSubmatch(p.body)
	if tag == nil {
		return nil, "", fmt.Errorf("%s answered %d without a sign-in form", p.at.Path, p.status)
	}
	to, err := p.at.Parse(html.UnescapeString(tag[1]))
	if err != nil {
		return nil, "", err
	}
	fields = url.Values{}
	for _, input := range inputTag.FindAllString(p.body, -1) {
		fields.Set(attr(nameAttr, input), attr(valAttr, input))
	}
	return fields, to.String(), nil
}

func attr(re *regexp.Regexp, tag string) string {
	m := re.FindStringSubmatch(tag)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// alert returns the message that the page shows, for the failure message.
func (p page) alert() string {
	return attr(alertTag, p.body)
}
