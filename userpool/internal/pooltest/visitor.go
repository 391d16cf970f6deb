package pooltest

import (
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Visitor is a browser without a screen: it keeps cookies, follows redirects
// within the pool, and fills in forms.
type Visitor struct {
	env     *Env
	cookies map[string]string

	At   string // path and query of the page that is open
	Page Answer
	Left *url.URL // where the pool sent the browser to, if that is elsewhere
}

// NewVisitor returns one without cookies.
func (e *Env) NewVisitor() *Visitor { return &Visitor{env: e, cookies: map[string]string{}} }

// Copy returns another visitor with the same cookies at the same page: a second
// tab, or a thief.
func (v *Visitor) Copy() *Visitor {
	c := *v
	c.cookies = maps.Clone(v.cookies)
	return &c
}

// Cookie returns the value of a cookie.
func (v *Visitor) Cookie(name string) string { return v.cookies[name] }

// SetCookie gives the visitor a cookie.
func (v *Visitor) SetCookie(name, value string) { v.cookies[name] = value }

func (v *Visitor) header() http.Header {
	h := http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {BaseURL}}
	for name, value := range v.cookies {
		h.Add("Cookie", name+"="+value)
	}
	if len(h["Cookie"]) > 0 {
		h.Set("Cookie", strings.Join(h["Cookie"], "; "))
	}
	return h
}

// Open opens a page of the pool and follows redirects.
func (v *Visitor) Open(t testing.TB, target string) *Visitor {
	t.Helper()
	v.arrive(t, target, v.env.Do(t, http.MethodGet, target, "", v.header()))
	return v
}

// SignIn opens the sign-in page of the app, with the request changed by the
// pairs.
func (v *Visitor) SignIn(t testing.TB, pairs ...string) *Visitor {
	t.Helper()
	return v.Open(t, "/login?"+Query(pairs...).Encode())
}

func (v *Visitor) arrive(t testing.TB, target string, a Answer) {
	t.Helper()
	for range 10 {
		for _, c := range a.Cookies() {
			v.cookies[c.Name] = c.Value
			if c.MaxAge < 0 {
				delete(v.cookies, c.Name)
			}
		}
		v.At, v.Page, v.Left = target, a, nil
		if a.StatusCode != http.StatusFound {
			return
		}
		to := a.Header.Get("Location")
		rest, own := strings.CutPrefix(to, BaseURL+"/")
		if !own {
			v.Left = a.Target(t)
			return
		}
		target = "/" + rest
		a = v.env.Do(t, http.MethodGet, target, "", v.header())
	}
	t.Fatal("too many redirects")
}

var (
	formElement  = regexp.MustCompile(`(?s)<form[^>]*\saction="([^"]*)"[^>]*>(.*?)</form>`)
	inputElement = regexp.MustCompile(`<input\s[^>]*>`)
	nameOf       = regexp.MustCompile(`\sname="([^"]*)"`)
	valueOf      = regexp.MustCompile(`\svalue="([^"]*)"`)
)

// Form is a form of a page.
type Form struct {
	Action string
	Fields url.Values
}

// Forms returns the forms of the page that is open.
func (v *Visitor) Forms() []Form {
	var out []Form
	for _, m := range formElement.FindAllStringSubmatch(v.Page.Body, -1) {
		f := Form{html.UnescapeString(m[1]), url.Values{}}
		for _, input := range inputElement.FindAllString(m[2], -1) {
			name, value := nameOf.FindStringSubmatch(input), valueOf.FindStringSubmatch(input)
			if name != nil {
				f.Fields.Set(name[1], "")
			}
			if name != nil && value != nil {
				f.Fields.Set(name[1], html.UnescapeString(value[1]))
			}
		}
		out = append(out, f)
	}
	return out
}

// Form returns the form of the page that has this field with this value, or the
// first one.
func (v *Visitor) Form(t testing.TB, pairs ...string) Form {
	t.Helper()
	forms := v.Forms()
	if len(forms) == 0 {
		t.Fatalf("%s answered %d without a form: %s", v.At, v.Page.StatusCode, v.Page.Body)
	}
	for _, f := range forms {
		if len(pairs) >= 2 && f.Fields.Get(pairs[0]) == pairs[1] {
			return f
		}
	}
	return forms[0]
}

// Submit fills in the form of the page, the one whose first field has this value
// already if there are several, and sends it.
func (v *Visitor) Submit(t testing.TB, pairs ...string) *Visitor {
	t.Helper()
	f := v.Form(t, pairs...)
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Fields.Set(pairs[i], pairs[i+1])
	}
	return v.Send(t, f)
}

// Send posts a form.
func (v *Visitor) Send(t testing.TB, f Form) *Visitor {
	t.Helper()
	v.arrive(t, f.Action, v.env.Post(t, f.Action, f.Fields, v.header()))
	return v
}

// Path returns the path of the page that is open.
func (v *Visitor) Path() string {
	path, _, _ := strings.Cut(v.At, "?")
	return path
}

var requestOf = regexp.MustCompile(`data-request="([^"]*)"`)

// Options returns what the page tells the browser's passkey functions.
func (v *Visitor) Options(t testing.TB) string {
	t.Helper()
	m := requestOf.FindStringSubmatch(v.Page.Body)
	if m == nil {
		t.Fatalf("%s has no passkey request: %s", v.At, v.Page.Body)
	}
	return html.UnescapeString(m[1])
}

// Code returns the code with which the visitor came back to the app; empty:
// not yet.
func (v *Visitor) Code() string {
	if v.Left == nil {
		return ""
	}
	return v.Left.Query().Get("code")
}
