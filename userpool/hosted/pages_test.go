package hosted_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// A stop is a page with a form, and how to fill it in.
type stop struct {
	e     *pooltest.Env
	v     *pooltest.Visitor
	right []string // what its form wants
}

// users is all that a form can change of the accounts, and the messages.
func (s stop) users(t *testing.T) string {
	t.Helper()
	list, err := s.e.Pool.Users.List(t.Context(), accounts.UserQuery{})
	must(t, err)
	var out strings.Builder
	for _, u := range list {
		keys, err := s.e.Pool.Passkeys.List(t.Context(), u.Sub)
		must(t, err)
		fmt.Fprintln(&out, u.Username, u.Status, u.Attributes, u.MFA, u.TOTPStep, string(u.PasswordHash), len(keys))
	}
	sent, err := s.e.Pool.Outbox.List(t.Context(), userpool.MessageQuery{})
	must(t, err)
	fmt.Fprintln(&out, len(sent))
	return out.String()
}

// everyPage has a way to each page with a form.
var everyPage = map[string]func(*testing.T) stop{
	"/login": func(t *testing.T) stop {
		t.Helper()
		e := steps(t, false, settings(userpool.MFAOff))
		return stop{
			e: e, v: e.NewVisitor().SignIn(t), right: []string{"username", "ann", "password", pooltest.Password},
		}
	},
	"/login by name": func(t *testing.T) stop {
		t.Helper()
		e := steps(t, true, choosy())
		return stop{e: e, v: e.NewVisitor().SignIn(t, "client_id", "choosy"), right: []string{"username", "ann"}}
	},
	"/login/factor": func(t *testing.T) stop {
		t.Helper()
		e := steps(t, true, choosy())
		return stop{e: e, v: named(t, e, "ann"), right: []string{"factor", fEmail}}
	},
	"/login/password": func(t *testing.T) stop {
		t.Helper()
		e := steps(t, true, choosy())
		return stop{
			e: e, v: named(t, e, "ann").Submit(t, "factor", fPassword), right: []string{"password", pooltest.Password},
		}
	},
	"/login/code": func(t *testing.T) stop {
		t.Helper()
		e := steps(t, true, choosy())
		v := named(t, e, "ann").Submit(t, "factor", fEmail)
		return stop{e: e, v: v, right: []string{"code", sent(t, e, "ann@example.com")}}
	},
	"/login/passkey": func(t *testing.T) stop {
		t.Helper()
		e := steps(t, true, choosy())
		k := annsKey(t, e)
		v := e.NewVisitor().SignIn(t, "client_id", "choosy").Submit(t, "passkey", "1")
		return stop{e: e, v: v, right: []string{"credential", k.Get(t, v.Options(t))}}
	},
	"/mfa": func(t *testing.T) stop {
		t.Helper()
		e := steps(t, false, settings(userpool.MFAOptional))
		withTOTP(t, e)
		must(t, e.Pool.Users.SetMFA(t.Context(), "ann", []string{fTOTP, fSMS}, ""))
		return stop{e: e, v: typed(t, e), right: []string{"factor", fSMS}}
	},
	"/mfa/code": func(t *testing.T) stop {
		t.Helper()
		e := steps(t, false, settings(userpool.MFAOptional))
		withTOTP(t, e)
		return stop{e: e, v: typed(t, e), right: []string{"code", app(t, e)}}
	},
	"/mfa/setup": func(t *testing.T) stop {
		t.Helper()
		e := steps(t, false, settings(userpool.MFAOn, fTOTP))
		v := typed(t, e)
		key := secretKey.FindStringSubmatch(v.Page.Body)[1]
		return stop{e: e, v: v, right: []string{"code", pooltest.TOTP(t, key, e.Clock.Now())}}
	},
	"/changePassword": func(t *testing.T) stop {
		t.Helper()
		e := steps(t, false, settings(userpool.MFAOff))
		_, err := e.Pool.Users.Create(
			t.Context(), userpool.NewUser{Username: "new", Password: pooltest.Password, Temporary: true},
		)
		must(t, err)
		v := e.NewVisitor().SignIn(t).Submit(t, "username", "new", "password", pooltest.Password)
		return stop{e: e, v: v, right: []string{"new_password", newPassword, "new_password_again", newPassword}}
	},
	"/passkeys/add": func(t *testing.T) stop {
		t.Helper()
		e := steps(t, true, choosy())
		v := inSession(t, e).Open(t, addPath)
		return stop{e: e, v: v, right: []string{"credential", pooltest.NewAuthenticator().Create(t, v.Options(t))}}
	},
	"/signup": func(t *testing.T) stop {
		t.Helper()
		e := openPool(t)
		v := e.NewVisitor().Open(t, "/signup?"+pooltest.Query().Encode())
		return stop{e: e, v: v, right: []string{
			"username", "eve", "password", newPassword, "requiredAttributes[email]", "eve@example.com"}}
	},
	"/confirm": func(t *testing.T) stop {
		t.Helper()
		e := openPool(t)
		v := e.NewVisitor().Open(t, "/signup?"+pooltest.Query().Encode()).Submit(t, "username", "eve",
			"password", newPassword, "requiredAttributes[email]", "eve@example.com")
		return stop{e: e, v: v, right: []string{"code", "424242"}}
	},
	"/forgotPassword": func(t *testing.T) stop {
		t.Helper()
		e := openPool(t)
		return stop{e: e, v: e.NewVisitor().Open(t, "/forgotPassword?"+
			pooltest.Query().Encode()), right: []string{"username", "ann"}}
	},
	"/confirmforgotPassword": func(t *testing.T) stop {
		t.Helper()
		e := openPool(t)
		v := e.NewVisitor().Open(t, "/forgotPassword?"+pooltest.Query().Encode()).Submit(t, "username", "ann")
		return stop{
			e: e, v: v, right: []string{"code", "424242", "password", newPassword, "confirm_password", newPassword},
		}
	},
}

// pages runs a test at each page.
func pages(t *testing.T, test func(*testing.T, stop)) {
	t.Helper()
	for name, arrive := range everyPage {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrive(t)
			path, _, _ := strings.Cut(name, " ")
			wantPath(t, s.v, path)
			test(t, s)
		})
	}
}

// filled is the form of the page as it should be.
func (s stop) filled(t *testing.T) pooltest.Form {
	t.Helper()
	f := s.v.Form(t, s.right...)
	for i := 0; i+1 < len(s.right); i += 2 {
		f.Fields.Set(s.right[i], s.right[i+1])
	}
	return f
}

// wentOn reports whether a form led anywhere.
func (s stop) wentOn(v *pooltest.Visitor) bool {
	return v.Left != nil || v.Path() != s.v.Path() && v.Page.StatusCode == http.StatusOK ||
		v.Cookie("cognito") != s.v.Cookie("cognito")
}

// TestForgedFormsOfEachPage sends the right form of each page as another site
// would have it sent.
func TestForgedFormsOfEachPage(t *testing.T) {
	t.Parallel()
	pages(t, func(t *testing.T, s stop) {
		before, f := s.users(t), s.filled(t)
		cookie := "XSRF-TOKEN=" + s.v.Cookie("XSRF-TOKEN")
		if c := s.v.Cookie("cognito"); c != "" {
			cookie += "; cognito=" + c
		}
		token := func(value string) url.Values {
			fields := maps.Clone(f.Fields)
			fields["_csrf"] = []string{value}
			return fields
		}
		twice := maps.Clone(f.Fields)
		twice["_csrf"] = []string{csrf, f.Fields.Get("_csrf")}
		own := f.Fields.Get("_csrf")
		for name, tt := range map[string]struct {
			fields url.Values
			header http.Header
		}{
			"another origin":       {token(own), http.Header{"Origin": {"https://evil.test"}}},
			"no origin":            {token(own), http.Header{"Origin": {"null"}}},
			"the host elsewhere":   {token(own), http.Header{"Origin": {pooltest.BaseURL + ".evil.test"}}},
			"a neighbour":          {token(own), http.Header{"Sec-Fetch-Site": {"same-site"}}},
			"another site":         {token(own), http.Header{"Sec-Fetch-Site": {"cross-site"}}},
			"no token":             {token(""), nil},
			"somebody's token":     {token(csrf), nil},
			"two tokens":           {twice, nil},
			"two cookies":          {token(own), http.Header{"Cookie": {cookie + "; XSRF-TOKEN=" + csrf}}},
			"somebody's cookie":    {token(csrf), http.Header{"Cookie": {"XSRF-TOKEN="}}},
			"no cookie":            {token(own), http.Header{"Cookie": {"a=b"}}},
			"a form of plain text": {token(own), http.Header{"Content-Type": {"text/plain"}}},
			"JSON":                 {token(own), http.Header{"Content-Type": {"application/json"}}},
			"multipart":            {token(own), http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}},
		} {
			header := http.Header{"Cookie": {cookie}}
			maps.Copy(header, tt.header)
			a := s.e.Post(t, f.Action, tt.fields, header)
			if a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusBadRequest ||
				sessionCookie(a) != nil {
				t.Errorf("%s: got %d to %s", name, a.StatusCode, a.Header.Get("Location"))
			}
		}
		for _, method := range []string{
			http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPatch,
		} {
			a := s.e.Do(t, method, f.Action+"&"+f.Fields.Encode(), "", http.Header{"Cookie": {cookie}})
			if sessionCookie(a) != nil || strings.Contains(a.Header.Get("Location"), "code=") {
				t.Errorf("%s has an effect: got %d to %s", method, a.StatusCode, a.Header.Get("Location"))
			}
		}
		if after := s.users(t); after != before {
			t.Errorf("a forged form had an effect: %s\n%s", before, after)
		}
		if got := s.v.Copy().Send(t, f); !s.wentOn(got) {
			t.Errorf("the right form does not count any more: %d at %s", got.Page.StatusCode, got.At)
		}
	})
}

// TestClickjacking wants no answer to be shown in a frame: neither the pages nor
// what they answer when something is wrong.
func TestClickjacking(t *testing.T) {
	t.Parallel()
	pages(t, func(t *testing.T, s stop) {
		answers := map[string]*pooltest.Visitor{
			"page":     s.v,
			"refusal":  s.v.Copy().Submit(t),
			"another":  s.e.NewVisitor().Open(t, s.v.At),
			"no token": s.v.Copy().Send(t, pooltest.Form{Action: s.v.At, Fields: url.Values{}}),
			"error":    s.e.NewVisitor().Open(t, "/error?error=redirect_mismatch"),
			"index":    s.e.NewVisitor().Open(t, "/"),
			"link":     s.e.NewVisitor().Open(t, "/confirmUser?client_id=app&user_name=ann&confirmation_code=1"),
		}
		for name, v := range answers {
			h := v.Page.Header
			if h.Get("X-Frame-Options") != "DENY" ||
				!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("%s (%d): X-Frame-Options %q, policy %q", name, v.Page.StatusCode, h.Get("X-Frame-Options"),
					h.Get("Content-Security-Policy"))
			}
			if h.Get("Cross-Origin-Opener-Policy") == "" {
				t.Errorf("%s: whoever opened it keeps hold of it", name)
			}
			if strings.Contains(h.Get("Content-Security-Policy"), "unsafe") ||
				h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: policy %q", name, h.Get("Content-Security-Policy"))
			}
		}
	})
}

// TestReplayOfEachStep sends the right form of each page again and many times at
// once: what it does, it does once. A form of a first page begins another flow,
// with what it takes to: name and password.
func TestReplayOfEachStep(t *testing.T) {
	t.Parallel()
	pages(t, func(t *testing.T, s stop) {
		f := s.filled(t)
		first := strings.HasPrefix(s.v.Path(), "/login") && !strings.Contains(s.v.At, "flow=") ||
			s.v.Path() == "/forgotPassword"
		took := make(chan bool, 8)
		if !first {
			for range cap(took) {
				go func() {
					a := s.e.Post(t, f.Action, f.Fields, s.header())
					took <- sessionCookie(a) != nil || a.Header.Get("Location") == pooltest.Callback
				}()
			}
			n := 0
			for range cap(took) {
				if <-took {
					n++
				}
			}
			if n > 1 {
				t.Errorf("%d of equal forms sign in", n)
			}
		} else {
			s.v.Copy().Send(t, f)
		}
		before := s.users(t)
		e := s.e
		e.Clock.Advance(31 * time.Second) // another code of an app is good now, but this one is not
		a := e.Post(t, f.Action, f.Fields, s.header())
		if !first && (sessionCookie(a) != nil || strings.Contains(a.Header.Get("Location"), "code=")) {
			t.Errorf("the form again: %d to %s", a.StatusCode, a.Header.Get("Location"))
		}
		if after := s.users(t); !first && after != before {
			t.Errorf("the form again had an effect: %s\n%s", before, after)
		}
	})
}

// header is that of the browser at the page.
func (s stop) header() http.Header {
	cookie := "XSRF-TOKEN=" + s.v.Cookie("XSRF-TOKEN")
	if c := s.v.Cookie("cognito"); c != "" {
		cookie += "; cognito=" + c
	}
	return http.Header{"Cookie": {cookie}, "Sec-Fetch-Site": {"same-origin"}, "Origin": {pooltest.BaseURL}}
}

// TestOversizedBodies sends more than any form has to each page.
func TestOversizedBodies(t *testing.T) {
	t.Parallel()
	pages(t, func(t *testing.T, s stop) {
		before, f := s.users(t), s.filled(t)
		big := maps.Clone(f.Fields)
		big.Set("x", strings.Repeat("x", 65<<10))
		many := f.Fields.Encode() + strings.Repeat("&a=", 20_000)
		other := strings.Builder{}
		other.WriteString(f.Fields.Encode())
		for i := range 6000 {
			fmt.Fprintf(&other, "&f%d=", i)
		}
		header := s.header()
		header.Set("Content-Type", "application/x-www-form-urlencoded")
		for name, body := range map[string]string{
			"a megabyte": f.Fields.Encode() + "&x=" + strings.Repeat("x", 1<<20), "just too much": big.Encode(),
			"one field often": many, "half an escape": f.Fields.Encode() + "&x=%",
			"semicolons": f.Fields.Encode() + ";x=1",
		} {
			a := s.e.Do(t, http.MethodPost, f.Action, body, header)
			if a.StatusCode != http.StatusRequestEntityTooLarge && a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: got %d to %s", name, a.StatusCode, a.Header.Get("Location"))
			}
		}
		long := s.e.Do(t, http.MethodPost, f.Action+"&x="+strings.Repeat("x", 33<<10), f.Fields.Encode(), header)
		if !strings.HasPrefix(long.Header.Get("Location"), pooltest.BaseURL+"/error?") {
			t.Errorf("a long query: got %d to %s", long.StatusCode, long.Header.Get("Location"))
		}
		if after := s.users(t); after != before {
			t.Errorf("an oversized form had an effect: %s\n%s", before, after)
		}
		// Thousands of fields that fit are odd and no more.
		if a := s.e.Do(t, http.MethodPost, f.Action, other.String(), header); a.StatusCode >= 500 {
			t.Errorf("many fields: got %d", a.StatusCode)
		}
	})
}

// TestOpenRedirects puts addresses of another site where a page may look for one.
func TestOpenRedirects(t *testing.T) {
	t.Parallel()
	ours := func(t *testing.T, what string, a pooltest.Answer) {
		t.Helper()
		to := a.Header.Get("Location")
		path := strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.HasPrefix(to, `/\`)
		if to != "" && !path && !strings.HasPrefix(to, pooltest.BaseURL+"/") &&
			!strings.HasPrefix(to, pooltest.Callback) &&
			to != pooltest.Bye {
			t.Errorf("%s leads to %s", what, to)
		}
		if strings.Contains(a.Body, `href="https://evil`) || strings.Contains(a.Body, `href="//evil`) ||
			strings.Contains(a.Body, `action="//`) || strings.Contains(a.Body, `href="javascript:`) {
			t.Errorf("%s has a link to another site: %s", what, a.Body)
		}
	}
	evils := []string{
		"https://evil.test/", "//evil.test", `\\evil.test`, "/\\evil.test", "javascript:alert(1)",
		"https://evil.test/\r\nSet-Cookie: a=b",
	}
	near := []string{ // to the address of the app
		pooltest.Callback + ".evil.test", pooltest.Callback + "@evil.test", pooltest.Callback + "#x",
		pooltest.Callback + "/../x",
	}
	attacks := map[string][]string{"redirect_uri": slices.Concat(evils, near), "logout_uri": slices.Concat(evils, near)}
	for _, param := range []string{
		"flow", "lang", "after", "state", "login_hint", "identity_provider", "idp_identifier", "client_id",
		"response_type", "scope",
		"redirect,next,return_to,error,RelayState", // which mean nothing to any page
	} {
		attacks[param] = evils
	}
	attack := func(q url.Values, params, evil string) {
		for param := range strings.SplitSeq(params, ",") {
			q.Set(param, evil)
		}
	}
	pages(t, func(t *testing.T, s stop) {
		f := s.filled(t)
		at, err := url.Parse(f.Action)
		must(t, err)
		for param, evils := range attacks {
			for _, evil := range evils {
				q := at.Query()
				attack(q, param, evil)
				target := at.Path + "?" + q.Encode()
				ours(t, "GET "+param+" "+evil, s.e.Do(t, http.MethodGet, target, "", s.header()))
				if param == "state" || param == "login_hint" || param == "flow" {
					continue // and the form could be right
				}
				fields := maps.Clone(f.Fields)
				attack(fields, param, evil)
				for _, wrong := range []string{"password", "code", "credential", "new_password", "username"} {
					if fields.Has(wrong) {
						fields[wrong] = []string{"wrong"}
					}
				}
				ours(t, "POST "+param+" "+evil, s.e.Post(t, target, fields, s.header()))
			}
		}
	})
	e := pooltest.New(t)
	for _, path := range []string{
		"/error", "/confirmUser", "/resendcode", "/passkeys/add", "/logout", "/", "/oauth2/authorize",
		"//evil.test/", "/login/",
	} {
		for param, evils := range attacks {
			for _, evil := range evils {
				alone, added := url.Values{"x": {"1"}}, pooltest.Query()
				attack(alone, param, evil)
				attack(added, param, evil)
				ours(t, path+" "+param+" "+evil, e.Get(t, path, alone, nil))
				ours(t, path+" "+param+" "+evil, e.Get(t, path, added, e.Session(t)))
			}
		}
	}
}
