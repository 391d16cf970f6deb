package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
	"github.com/cognate-auth/cognate/userpool/trace"
)

const viewToken = "the-token_of.this~view"

// newDeveloped returns a pool with a developer's view.
func newDeveloped(t *testing.T, s userpool.Settings, change func(*server.Config)) *pooltest.Env {
	t.Helper()
	e := pooltest.New(t, func(c *pool.Config) { c.Settings, c.Trace = s, trace.New(c.Now) })
	cfg := server.Config{
		Pool: e.Pool, BaseURL: pooltest.BaseURL, DevView: true, DevViewToken: viewToken,
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	e.Handler, err = server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// opened returns the cookies of a browser that opened the view, by the paths that they
// are sent to.
func opened(t *testing.T, e *pooltest.Env) (view, everywhere *http.Cookie) {
	t.Helper()
	for _, c := range e.Do(t, http.MethodGet, "/_cognate/?token="+viewToken, "", nil).Cookies() {
		switch {
		case c.Path == "/_cognate/" && c.SameSite == http.SameSiteStrictMode && c.HttpOnly:
			view = c
		case c.Path == "/" && c.SameSite == http.SameSiteLaxMode && c.HttpOnly:
			everywhere = c
		}
	}
	if view == nil || everywhere == nil {
		t.Fatalf("the view sets the cookies %v and %v", view, everywhere)
	}
	return view, everywhere
}

// TestOutboxIsShownToDevelopers looks at the pages that ask for a code, and that wait for a
// link, in browsers that opened the developer's view and in others.
func TestOutboxIsShownToDevelopers(t *testing.T) {
	t.Parallel()
	const link = `<a href="http://pool.test/_cognate/outbox" target="_blank">the `
	eve := []string{"username", "eve", "password", "Correct-Horse-7", "requiredAttributes[email]", "e@example.com"}
	for name, tt := range map[string]struct {
		first  string
		fields []string
		link   bool
	}{
		"sign-up":           {"/signup", eve, false},
		"sign-up by link":   {"/signup", eve, true},
		"forgotten":         {"/forgotPassword", []string{"username", "ann"}, false},
		"second factor":     {"/login", []string{"username", "ann", "password", pooltest.Password}, false},
		"nobody's password": {"/forgotPassword", []string{"username", "nobody"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newDeveloped(t, userpool.Settings{
				SelfSignUp: true, AutoVerifiedAttributes: []string{"email"}, ConfirmByLink: tt.link,
				MFA:      userpool.MFAOptional,
				MFATypes: []string{userpool.FactorEmail}, Schema: []userpool.Attribute{{Name: "email", Required: true}},
			}, nil)
			err := e.Pool.Users.SetMFA(t.Context(), "ann", []string{userpool.FactorEmail}, "")
			if err != nil {
				t.Fatal(err)
			}
			view, everywhere := opened(t, e)
			for i, cookie := range []*http.Cookie{
				everywhere, nil, {Name: everywhere.Name, Value: strings.Repeat("0", 64)}, {Name: everywhere.Name},
			} {
				who, v := fmt.Sprint("a browser with ", cookie), e.NewVisitor()
				if cookie != nil {
					v.SetCookie(cookie.Name, cookie.Value)
				}
				v.Open(t, tt.first+"?"+pooltest.Query().Encode())
				if strings.Contains(v.Page.Body, "_cognate") {
					t.Errorf("%s: %s leads to the view: no code was sent yet", who, v.At)
				}
				fields := slices.Clone(tt.fields)
				if fields[1] == "eve" {
					fields[1] += strconv.Itoa(i) // a name that is free
				}
				v.Submit(t, fields...)
				want := cookie == everywhere
				if got := strings.Contains(v.Page.Body, link); got != want || strings.Contains(v.Page.Body, viewToken) {
					t.Errorf("%s: the link to the outbox is on %s: %t, want %t", who, v.Path(), got, want)
				}
			}
			a := e.Do(t, http.MethodGet, "/_cognate/outbox", "", http.Header{
				"Cookie": {everywhere.Name + "=" + everywhere.Value + "; " + view.Name + "=" + everywhere.Value},
			})
			if a.StatusCode != http.StatusUnauthorized {
				t.Errorf("the mark opens the view: got %d", a.StatusCode)
			}
		})
	}
}

// developer is a browser that has opened the view.
func developer(t *testing.T, e *pooltest.Env) *pooltest.Visitor {
	t.Helper()
	v := e.NewVisitor()
	view, everywhere := opened(t, e)
	v.SetCookie(view.Name, view.Value)
	v.SetCookie(everywhere.Name, everywhere.Value)
	return v
}

// oneClick presses the button of a user on the sign-in page that is open.
func oneClick(t *testing.T, v *pooltest.Visitor, sub string) *pooltest.Visitor {
	t.Helper()
	for _, f := range v.Forms() {
		if strings.HasPrefix(f.Action, "/_cognate/sign-in?") {
			f.Fields.Set("sub", sub)
			return v.Send(t, f)
		}
	}
	t.Fatalf("%s has no list of users:\n%s", v.At, v.Page.Body)
	return nil
}

func withOneClick(c *server.Config) { c.OneClickSignIn = true }

// TestOneClickSignIn signs a user in with one click, up to the app's tokens, which say so.
func TestOneClickSignIn(t *testing.T) {
	t.Parallel()
	e := newDeveloped(t, userpool.Settings{}, withOneClick)
	v := developer(t, e).SignIn(t)
	if !strings.Contains(v.Page.Body, ">Sign in as Ann <span>zebra, admins</span></button>") {
		t.Errorf("the page does not have ann: %s", v.Page.Body)
	}
	code := oneClick(t, v, e.Ann.Sub).Code()
	_, claims := pooltest.Claims(t, e.Redeem(t, code).JSON(t)["id_token"])
	proven := fmt.Sprintf("%v %v", claims["amr"], claims["acr"])
	if claims["sub"] != e.Ann.Sub || proven != "[pwd one_click] urn:cognito:loa:1" {
		t.Errorf("the ID token has %v", claims)
	}
	signIns, _ := e.Pool.Trace().SignIns()
	if len(signIns) != 1 || signIns[0].Sub != e.Ann.Sub {
		t.Fatalf("the trace has %+v, want one sign-in of ann", signIns)
	}
	seen := ""
	for _, s := range signIns[0].Steps {
		seen += s.Path + " "
		for _, d := range s.Decisions {
			seen += d.Event + "; "
		}
	}
	if !strings.Contains(seen, "/_cognate/sign-in one-click sign-in: nothing was proven; signed in; ") {
		t.Errorf("the trace does not say that nothing was proven: %s", seen)
	}
}

// TestOneClickAsksForNothing has users of whom the pool, or the app, wants more than a
// password.
func TestOneClickAsksForNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		settings userpool.Settings
		wanted   string // acr_values
		mfa      []string
		want     string // amr
	}{
		"MFA that is not set up": {
			userpool.Settings{MFA: userpool.MFAOn, MFATypes: []string{userpool.FactorTOTP}}, "", nil,
			"[pwd otp mfa one_click]",
		},
		"a choice of MFA": {
			userpool.Settings{MFA: userpool.MFAOptional, MFATypes: []string{userpool.FactorEmail, userpool.FactorSMS}},
			"", []string{userpool.FactorEmail, userpool.FactorSMS}, "[pwd sms mfa one_click]",
		},
		"a level": {
			userpool.Settings{MFA: userpool.MFAOptional, MFATypes: []string{userpool.FactorEmail}}, "urn:cognito:loa:3",
			nil, "[pwd email_otp mfa one_click]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newDeveloped(t, tt.settings, withOneClick)
			if tt.mfa != nil {
				err := e.Pool.Users.SetMFA(t.Context(), "ann", tt.mfa, "")
				if err != nil {
					t.Fatal(err)
				}
			}
			code := oneClick(t, developer(t, e).SignIn(t, "acr_values", tt.wanted), e.Ann.Sub).Code()
			_, claims := pooltest.Claims(t, e.Redeem(t, code).JSON(t)["id_token"])
			if got := fmt.Sprint(claims["amr"]); got != tt.want {
				t.Errorf("amr is %s, want %s", got, tt.want)
			}
		})
	}
}

// TestOneClickIsTheDevelopers has others try.
func TestOneClickIsTheDevelopers(t *testing.T) {
	t.Parallel()
	e := newDeveloped(t, userpool.Settings{}, withOneClick)
	view, everywhere := opened(t, e)
	off := newDeveloped(t, userpool.Settings{}, nil)
	const csrf = "abcdefab-0000-4000-8000-00000000000f"
	target := "/_cognate/sign-in?" + pooltest.Query().Encode()
	form := url.Values{"_csrf": {csrf}, "turn": {"0"}, "sub": {e.Ann.Sub}}
	header := func(site string, cookies ...*http.Cookie) http.Header {
		all := []string{"XSRF-TOKEN=" + csrf}
		for _, c := range cookies {
			all = append(all, c.Name+"="+c.Value)
		}
		return http.Header{"Cookie": {strings.Join(all, "; ")}, "Sec-Fetch-Site": {site}}
	}
	if a := e.Post(t, target, form, header("same-origin", view)); a.StatusCode != http.StatusFound {
		t.Fatalf("the developer: got %d %s", a.StatusCode, a.Body)
	}
	another := &http.Cookie{Name: view.Name, Value: everywhere.Value}
	unsigned := url.Values{"turn": {"0"}, "sub": {e.Ann.Sub}}
	for name, tt := range map[string]struct {
		e      *pooltest.Env
		form   url.Values
		header http.Header
		want   int
	}{
		"a stranger":               {e, form, header("same-origin"), 403},
		"with the mark alone":      {e, form, header("same-origin", everywhere), 403},
		"with the mark as a token": {e, form, header("same-origin", another), 403},
		"from another site":        {e, form, header("cross-site", view), 403},
		"from another port":        {e, form, header("same-site", view), 403},
		"without the form's token": {e, unsigned, header("same-origin", view), 403},
		"where it is switched off": {off, form, header("same-origin", view), 405},
	} {
		a := tt.e.Post(t, target, tt.form, tt.header)
		if a.StatusCode != tt.want || strings.Contains(fmt.Sprint(a.Header["Set-Cookie"]), "cognito=") {
			t.Errorf("%s: got %d with %v, want %d and no session", name, a.StatusCode, a.Header["Set-Cookie"], tt.want)
		}
	}
	stranger := e.NewVisitor().SignIn(t)
	marked := off.NewVisitor()
	marked.SetCookie(everywhere.Name, everywhere.Value)
	for name, v := range map[string]*pooltest.Visitor{"a stranger": stranger, "switched off": marked.SignIn(t)} {
		if strings.Contains(v.Page.Body, "one click") || strings.Contains(v.Page.Body, "_cognate") {
			t.Errorf("%s sees the list", name)
		}
	}
}

// TestOneClickRefuses has users and clients that no sign-in with a password would do for.
func TestOneClickRefuses(t *testing.T) {
	t.Parallel()
	refusing := userpool.Settings{Triggers: map[string]userpool.Trigger{
		userpool.TriggerPreAuthentication: {URL: "https://hook.test/"},
	}}
	e := pooltest.New(t, func(c *pool.Config) {
		c.Settings = refusing
		c.Invoke = func(_ context.Context, _ userpool.Trigger, event []byte) ([]byte, error) {
			if strings.Contains(string(event), `"unwanted"`) {
				return nil, &userpool.TriggerRefusal{Message: "not today"}
			}
			return event, nil
		}
	})
	var err error
	e.Handler, err = server.New(server.Config{
		Pool: e.Pool, BaseURL: pooltest.BaseURL, DevView: true, DevViewToken: viewToken, OneClickSignIn: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []userpool.NewUser{
		{Sub: "disabled", Username: "disabled", Disabled: true}, {Sub: "new", Username: "new", Temporary: true},
		{Sub: "unconfirmed", Username: "unconfirmed", Status: userpool.UserUnconfirmed},
		{Sub: "unwanted", Username: "unwanted"},
	} {
		n.Password = pooltest.Password
		_, err := e.Pool.Users.Create(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
	}
	for sub, want := range map[string]string{
		"disabled": userpool.TextNoSuchLogin, "new": userpool.TextNoSuchLogin, "unconfirmed": userpool.TextNoSuchLogin,
		"nobody": userpool.TextNoSuchLogin, "": userpool.TextNoSuchLogin, "unwanted": "not today",
	} {
		v := developer(t, e).SignIn(t)
		if listed := strings.Contains(v.Page.Body, `value="`+sub+`"`); sub != "" && listed != (sub == "unwanted") {
			t.Errorf("%s is listed: %t", sub, listed)
		}
		v = oneClick(t, v, sub)
		if v.Page.StatusCode != http.StatusUnauthorized || !strings.Contains(v.Page.Body, want) {
			t.Errorf("%q: got %d, want 401 with %q", sub, v.Page.StatusCode, want)
		}
		if v = oneClick(t, v, e.Ann.Sub); v.Code() == "" {
			t.Errorf("after %q: ann can't be signed in: %s", sub, v.At)
		}
	}
}

// TestOneClickSearch has more users than the page lists.
func TestOneClickSearch(t *testing.T) {
	t.Parallel()
	e := newDeveloped(t, userpool.Settings{}, withOneClick)
	for i := range 20 {
		_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{
			Username: fmt.Sprintf("visitor%02d", i), Password: pooltest.Password,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const search = "&developer_search="
	request := "/login?" + pooltest.Query("state", "a&b").Encode()
	for target, want := range map[string]int{
		request: 10, request + search + "OR17": 1, request + search + "visitor": 10, request + search + "nobody": 0,
	} {
		v := developer(t, e).Open(t, target)
		got, search := strings.Count(v.Page.Body, ">Sign in as "), strings.Contains(v.Page.Body, `role="search"`)
		if got != want || !search {
			t.Errorf("%s lists %d users, want %d and a search", target, got, want)
		}
	}
	v := developer(t, e).Open(t, request)
	var find pooltest.Form
	for _, f := range v.Forms() {
		if f.Fields.Has("developer_search") {
			find = f
		}
	}
	find.Fields.Set("developer_search", "isitor03")
	v.Open(t, find.Action+"?"+find.Fields.Encode())
	user, _, err := e.Pool.Users.Find(t.Context(), "visitor03")
	if err != nil || strings.Count(v.Page.Body, ">Sign in as ") != 1 {
		t.Fatalf("the form finds no visitor03 (%v): %s", err, v.Page.Body)
	}
	if v = oneClick(t, v, user.Sub); v.Code() == "" || !strings.Contains(v.At, "state=a%26b") {
		t.Errorf("the sign-in ended at %s", v.At)
	}
	for _, bad := range []string{search + "a" + search + "b", search + strings.Repeat("a", 129)} {
		if v = developer(t, e).Open(t, request+bad); v.Path() != "/error" {
			t.Errorf("%s: got %s, want the error page", bad, v.At)
		}
	}
}
