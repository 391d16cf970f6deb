package hosted_test

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/signin"
)

const newPassword = "Battery-Staple-9"

// openPool is a pool where people can register with an e-mail address.
func openPool(t testing.TB, changes ...func(*userpool.Settings)) *pooltest.Env {
	t.Helper()
	return pooltest.New(t, func(c *pool.Config) {
		c.Store = &failing{Store: c.Store}
		c.Settings = userpool.Settings{
			SelfSignUp: true, AutoVerifiedAttributes: []string{"email"}, FixedCode: "424242",
			Schema:    []userpool.Attribute{{Name: "email", Required: true}, {Name: "name"}},
			Passwords: userpool.PasswordPolicy{MinimumLength: 8, RequireUppercase: true, RequireNumbers: true},
		}
		for _, change := range changes {
			change(&c.Settings)
		}
	})
}

// A walk is one browser on its way through the pages.
type walk struct {
	t    testing.TB
	e    *pooltest.Env
	at   string // the address of the page
	last pooltest.Answer
}

// open opens a page of an authorization request.
func open(t testing.TB, e *pooltest.Env, path string, pairs ...string) *walk {
	t.Helper()
	w := &walk{t: t, e: e}
	w.get(path + "?" + pooltest.Query(pairs...).Encode())
	return w
}

func (w *walk) get(target string) {
	w.t.Helper()
	w.at = target
	w.last = w.e.Do(w.t, http.MethodGet, target, "", fromPage())
	w.follow()
}

// follow goes where a page of the pool sends the browser; not to the app.
func (w *walk) follow() {
	w.t.Helper()
	to := w.last.Header.Get("Location")
	if rest, ours := strings.CutPrefix(to, pooltest.BaseURL); ours {
		w.get(rest)
	}
}

// page is the last page without its style sheet, for messages.
func (w *walk) page() string {
	_, body, _ := strings.Cut(w.last.Body, "</style>")
	return body
}

var (
	formAction   = regexp.MustCompile(`<form [^>]*name="([\w-]+)"[^>]* action="([^"]+)"`)
	resendAction = regexp.MustCompile(`formaction="([^"]+)"`)
	turnField    = regexp.MustCompile(`name="turn" value="(\d+)"`)
)

// target is where the form of this name of the page posts to, and form what is
// hidden in it.
func (w *walk) target(name string) (action string, form url.Values) {
	w.t.Helper()
	form = url.Values{"_csrf": {csrf}}
	if turn := turnField.FindStringSubmatch(w.last.Body); turn != nil {
		form.Set("turn", turn[1])
	}
	if found := resendAction.FindStringSubmatch(w.last.Body); found != nil && name == "resend" {
		return html.UnescapeString(found[1]), form
	}
	for _, found := range formAction.FindAllStringSubmatch(w.last.Body, -1) {
		if found[1] == name {
			return html.UnescapeString(found[2]), form
		}
	}
	w.t.Fatalf("%s has no form %q:\n%s", w.at, name, w.page())
	return "", nil
}

// send fills in the form and sends it.
func (w *walk) send(name string, pairs ...string) *walk {
	w.t.Helper()
	action, form := w.target(name)
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	w.last = w.e.Post(w.t, action, form, fromPage())
	w.follow()
	return w
}

// want checks the page that the browser is at.
func (w *walk) want(path string, status int, texts ...string) {
	w.t.Helper()
	if !strings.HasPrefix(w.at, path+"?") || w.last.StatusCode != status {
		w.t.Fatalf("at %s with %d, want %s with %d\n%s", w.at, w.last.StatusCode, path, status, w.page())
	}
	for _, text := range texts {
		if !strings.Contains(html.UnescapeString(w.last.Body), text) {
			w.t.Errorf("%s lacks %q:\n%s", path, text, w.page())
		}
	}
}

// wantSignedIn checks that the browser was sent to the app, with a session and a
// code that is good.
func (w *walk) wantSignedIn() {
	w.t.Helper()
	to := w.last.Target(w.t)
	if !strings.HasPrefix(to.String(), pooltest.Callback+"?") || sessionCookie(w.last) == nil {
		w.t.Fatalf("at %s, got %d to %q\n%s", w.at, w.last.StatusCode, to, w.page())
	}
	if a := w.e.Redeem(w.t, to.Query().Get("code")); a.StatusCode != http.StatusOK {
		w.t.Errorf("the code gives %d %s", a.StatusCode, a.Body)
	}
}

// wantOut checks that nobody is signed in.
func (w *walk) wantOut() {
	w.t.Helper()
	if sessionCookie(w.last) != nil || strings.HasPrefix(w.last.Header.Get("Location"), pooltest.Callback) {
		w.t.Error("somebody is signed in")
	}
}

func outbox(t testing.TB, e *pooltest.Env) []userpool.Message {
	t.Helper()
	list, err := e.Pool.Outbox.List(t.Context(), userpool.MessageQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func mustUser(t testing.TB, e *pooltest.Env, name string) userpool.User {
	t.Helper()
	u, ok, err := e.Pool.Users.Find(t.Context(), name)
	if err != nil || !ok {
		t.Fatalf("user %s: %t, %v", name, ok, err)
	}
	return u
}

// register fills in the sign-up page.
func register(t testing.TB, e *pooltest.Env, name, email string) *walk {
	t.Helper()
	return open(t, e, "/signup").send("cognitoSignUpForm", "username", name, "password", newPassword,
		"requiredAttributes[email]", email)
}

// TestSignUp goes the whole way, and back to the app without another password.
func TestSignUp(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	w := open(t, e, "/login")
	link := regexp.MustCompile(`href="(/signup\?[^"]+)"`).FindStringSubmatch(w.last.Body)
	if link == nil {
		t.Fatal("the sign-in page has no link to sign up")
	}
	w.get(html.UnescapeString(link[1]))
	w.want("/signup", http.StatusOK, `autocomplete="new-password"`, `name="requiredAttributes[email]"`,
		`type="email"`, "At least 8 characters", "An uppercase letter", "A number", ">Email<", ">Username<")
	if strings.Contains(w.last.Body, "requiredAttributes[name]") {
		t.Error("the page asks for an attribute that is not required")
	}
	w.send(
		"cognitoSignUpForm", "username", "eve", "password", newPassword, "requiredAttributes[email]", "eve@example.com",
	)
	w.want("/confirm", http.StatusOK, "We have sent a code by email to e***@e***.", `autocomplete="one-time-code"`,
		`inputmode="numeric"`, "Send a new code")
	if u := mustUser(t, e, "eve"); u.Status != userpool.UserUnconfirmed || u.Attributes["email_verified"] != "" {
		t.Errorf("got %v", u)
	}
	m := outbox(t, e)
	if len(m) != 1 || m[0].To != "eve@example.com" || m[0].Code != "424242" || m[0].ClientID != "app" {
		t.Errorf("the outbox has %v", m)
	}
	w.send("confirm", "code", " 424 242 ")
	w.wantSignedIn()
	if u := mustUser(t, e, "eve"); u.Status != userpool.UserConfirmed || u.Attributes["email_verified"] != "true" {
		t.Errorf("got status %s, attributes %v", u.Status, u.Attributes)
	}
}

// TestSignUpRefused has every rule that a sign-up can break. The page comes
// again, with what was typed and without the password.
func TestSignUpRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ user, password, attribute, value, want string }{
		"taken":          {"ANN", newPassword, "email", "x@y.test", accounts.TextUserExists},
		"no name":        {"", newPassword, "email", "x@y.test", "a user name has 1 to 128 characters"},
		"space":          {"e ve", newPassword, "email", "x@y.test", "a user name has 1 to 128 characters"},
		"short":          {"eve", "Ab1", "email", "x@y.test", "Password not long enough"},
		"no uppercase":   {"eve", "abcdefg1", "email", "x@y.test", "Password must have uppercase characters"},
		"no number":      {"eve", "Abcdefgh", "email", "x@y.test", "Password must have numeric characters"},
		"no password":    {"eve", "", "email", "x@y.test", "Password not long enough"},
		"no e-mail":      {"eve", newPassword, "email", "", "email: The attribute is required"},
		"bad e-mail":     {"eve", newPassword, "email", "x", "Invalid email address format."},
		"unknown":        {"eve", newPassword, "admin", "yes", "Attribute does not exist in the schema."},
		"verified":       {"eve", newPassword, "email_verified", "true", accounts.TextUnauthorized},
		"sub":            {"eve", newPassword, "sub", "x", "Attribute does not exist in the schema."},
		"tag":            {"eve", newPassword, "<b>", "x", "Attribute does not exist in the schema."},
		"bad phone":      {"eve", newPassword, "phone_number", "030 12", "Invalid phone number format."},
		"space in front": {"eve", " Abcdefg1", "email", "x@y.test", "Password must not begin or end with a space"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := openPool(t)
			w := open(t, e, "/signup").send("cognitoSignUpForm", "username", tt.user, "password", tt.password,
				"requiredAttributes["+tt.attribute+"]", tt.value)
			w.want("/signup", http.StatusBadRequest, tt.want, `role="alert"`, `value="`+tt.user+`"`)
			w.wantOut()
			if tt.password != "" && strings.Contains(w.last.Body, tt.password) {
				t.Error("the page repeats the password")
			}
			if _, ok, _ := e.Pool.Users.Find(t.Context(), "eve"); ok || len(outbox(t, e)) != 0 {
				t.Error("the user was created, or a message sent")
			}
		})
	}
}

// TestSignUpOff checks that nobody gets in where nobody may register.
func TestSignUpOff(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]*pooltest.Env{
		"settings": openPool(t, func(s *userpool.Settings) { s.SelfSignUp = false }),
	} {
		w := open(t, e, "/login")
		if strings.Contains(w.last.Body, "/signup") {
			t.Errorf("%s: the sign-in page has a link", name)
		}
		w = open(t, e, "/signup")
		w.want("/error", http.StatusBadRequest, "You cannot sign up here")
		form := url.Values{"_csrf": {csrf}, "username": {"eve"}, "password": {newPassword},
			"requiredAttributes[email]": {"eve@example.com"}}
		a := e.Post(t, "/signup?"+pooltest.Query().Encode(), form, fromPage())
		if !strings.HasPrefix(a.Header.Get("Location"), pooltest.BaseURL+"/error?") {
			t.Errorf("%s: a form gets %d to %s", name, a.StatusCode, a.Header.Get("Location"))
		}
		if _, ok, _ := e.Pool.Users.Find(t.Context(), "eve"); ok {
			t.Errorf("%s: the user was created", name)
		}
	}
}

// TestSignUpWithoutVerification has the pool that verifies nothing: the user is
// there, and an error page.
func TestSignUpWithoutVerification(t *testing.T) {
	t.Parallel()
	e := openPool(t, func(s *userpool.Settings) { s.AutoVerifiedAttributes = nil })
	w := register(t, e, "eve", "eve@example.com")
	w.want("/error", http.StatusBadRequest, "waiting to be confirmed")
	if u := mustUser(t, e, "eve"); u.Status != userpool.UserUnconfirmed {
		t.Errorf("the user is %s", u.Status)
	}
	err := e.Pool.Users.Confirm(t.Context(), "eve")
	if err != nil {
		t.Fatal(err)
	}
	w = open(t, e, "/login").send("cognitoSignInForm", "username", "eve", "password", newPassword)
	w.wantSignedIn()
}

// TestSignUpByPhone sends the code by SMS.
func TestSignUpByPhone(t *testing.T) {
	t.Parallel()
	e := openPool(t, func(s *userpool.Settings) {
		s.AutoVerifiedAttributes = []string{"email", "phone_number"}
		s.UsernameAttributes = []string{"phone_number"}
		s.Schema = nil
	})
	w := open(t, e, "/signup")
	w.want("/signup", http.StatusOK, ">Phone number<", `type="tel"`)
	w.send("cognitoSignUpForm", "username", "+4915112345678", "password", newPassword)
	w.want("/confirm", http.StatusOK, "We have sent a code by text message to +*******5678.")
	m := outbox(t, e)
	if len(m) != 1 || m[0].Medium != userpool.MediumSMS || m[0].To != "+4915112345678" {
		t.Fatalf("the outbox has %v", m)
	}
	w.send("confirm", "code", "424242").wantSignedIn()
	u := mustUser(t, e, "+4915112345678")
	if u.Username != u.Sub || u.Attributes["phone_number_verified"] != "true" {
		t.Errorf("got %v", u)
	}
	w = open(t, e, "/signup").send("cognitoSignUpForm", "username", "+4915112345678", "password", newPassword)
	w.want("/signup", http.StatusBadRequest, accounts.TextPhoneExists)
	w = open(t, e, "/signup").send("cognitoSignUpForm", "username", "eve", "password", newPassword)
	w.want("/signup", http.StatusBadRequest, "Username should be a phone number.")
}

// TestConfirmRefused has wrong codes up to the lock, and an expired one.
func TestConfirmRefused(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	w := register(t, e, "eve", "eve@example.com")
	for _, code := range []string{"", "1", "111111", "4242420", "abcdef"} {
		w.send("confirm", "code", code)
		w.want("/confirm", http.StatusBadRequest, userpool.TextCodeMismatch)
	}
	w.send("confirm", "code", "424242")
	w.want("/confirm", http.StatusBadRequest, userpool.TextLimitExceeded)
	e.Clock.Advance(time.Second)
	w.send("confirm", "code", "424242")
	w.want("/confirm", http.StatusBadRequest, userpool.TextCodeExpired)
	w.wantOut()
	w.send("resend")
	w.want("/confirm", http.StatusOK, signin.TextNewCode, `role="status"`)
	w.send("confirm", "code", "424242").wantSignedIn()
}

// TestResendOfConfirmationIsBounded sends six codes in an hour.
func TestResendOfConfirmationIsBounded(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	w := register(t, e, "eve", "eve@example.com")
	for range 5 {
		w.send("resend").want("/confirm", http.StatusOK, signin.TextNewCode)
	}
	w.send("resend").want("/confirm", http.StatusBadRequest, userpool.TextLimitExceeded)
	if n := len(outbox(t, e)); n != 6 {
		t.Errorf("%d codes were sent", n)
	}
}

// TestResendByLink checks that looking at /resendcode sends nothing.
func TestResendByLink(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	w := register(t, e, "eve", "eve@example.com")
	w.get(strings.Replace(w.at, "/confirm?", "/resendcode?", 1))
	if n := len(outbox(t, e)); n != 1 || w.last.StatusCode != http.StatusOK {
		t.Errorf("%d codes were sent, status %d", n, w.last.StatusCode)
	}
}

// TestAliasTakenMeanwhile has two people with one address in a pool where it
// signs in: who confirms first has it.
func TestAliasTakenMeanwhile(t *testing.T) {
	t.Parallel()
	e := openPool(t, func(s *userpool.Settings) { s.AliasAttributes = []string{"email"} })
	first, second := register(t, e, "eve", "e@example.com"), register(t, e, "mallory", "E@example.com")
	first.send("confirm", "code", "424242").wantSignedIn()
	second.send("confirm", "code", "424242")
	second.want("/confirm", http.StatusBadRequest, accounts.TextEmailAlias)
	if u := mustUser(t, e, "e@example.com"); u.Username != "eve" {
		t.Errorf("the address signs in %s", u.Username)
	}
	if u := mustUser(t, e, "mallory"); u.Status != userpool.UserUnconfirmed {
		t.Errorf("the second is %s", u.Status)
	}
	open(t, e, "/signup").send("cognitoSignUpForm", "username", "x@example.com", "password", newPassword,
		"requiredAttributes[email]", "x@example.com").want("/signup", http.StatusBadRequest,
		"Username cannot be of email format")
}

// TestEmailTaken has the pool whose user name is the address: it refuses at once.
func TestEmailTaken(t *testing.T) {
	t.Parallel()
	e := openPool(t, func(s *userpool.Settings) { s.UsernameAttributes = []string{"email"} })
	w := open(t, e, "/signup")
	if strings.Contains(w.last.Body, "requiredAttributes") {
		t.Error("the page asks for the address twice")
	}
	w.send("cognitoSignUpForm", "username", "ANN@example.com", "password", newPassword)
	w.want("/signup", http.StatusBadRequest, accounts.TextEmailExists)
	w.send("cognitoSignUpForm", "username", "eve@example.com", "password", newPassword)
	w.want("/confirm", http.StatusOK)
	w.send("confirm", "code", "424242").wantSignedIn()
}

// linkOf returns the path and query of the link in the newest mail.
func linkOf(t *testing.T, e *pooltest.Env) string {
	t.Helper()
	m := outbox(t, e)[0]
	rest, ok := strings.CutPrefix(m.Link, pooltest.BaseURL)
	if !ok || !strings.Contains(m.Body, html.EscapeString(m.Link)) {
		t.Fatalf("the link is %q in %q", m.Link, m.Body)
	}
	return rest
}

// TestConfirmByLink follows the link of a mail: first as programs do that only
// look at it, then in earnest, then again.
func TestConfirmByLink(t *testing.T) {
	t.Parallel()
	e := openPool(t, func(s *userpool.Settings) { s.ConfirmByLink = true })
	w := register(t, e, "eve", "eve@example.com")
	w.want("/confirm", http.StatusOK, "We have sent a link by email to e***@e***.", "Send a new link")
	if strings.Contains(w.last.Body, `name="code"`) {
		t.Error("the page asks for a code")
	}
	w.send("confirm").want("/confirm", http.StatusBadRequest, signin.TextFollowLink)
	w.send("confirm", "code", "424242").want("/confirm", http.StatusBadRequest, signin.TextFollowLink)
	link := linkOf(t, e)
	if a := e.Do(t, http.MethodHead, link, "", nil); a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD gets %d", a.StatusCode)
	}
	for _, h := range []string{"Sec-Purpose", "Purpose", "X-Moz"} {
		a := e.Do(t, http.MethodGet, link, "", http.Header{h: {"prefetch;prerender"}})
		if a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: prefetch gets %d", h, a.StatusCode)
		}
	}
	if u := mustUser(t, e, "eve"); u.Status != userpool.UserUnconfirmed {
		t.Fatalf("somebody who only looked made the user %s", u.Status)
	}
	for range 2 { // a program that checks links, and the person
		a := e.Do(t, http.MethodGet, link, "", nil)
		if a.StatusCode != http.StatusOK || !strings.Contains(a.Body, "Your account is confirmed") ||
			sessionCookie(a) != nil {
			t.Errorf("the link gives %d\n%s", a.StatusCode, a.Body)
		}
		if strings.Contains(a.Body, "424242") {
			t.Error("the page repeats the code")
		}
	}
	if u := mustUser(t, e, "eve"); u.Status != userpool.UserConfirmed || u.Attributes["email_verified"] != "true" {
		t.Errorf("got %s, %v", u.Status, u.Attributes)
	}
	w.send("confirm").wantSignedIn()
	e.Clock.Advance(24 * time.Hour)
	a := e.Do(t, http.MethodGet, link, "", nil)
	if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.Body, "could not be confirmed") {
		t.Errorf("after a day the link gives %d", a.StatusCode)
	}
}

// TestForgedLinks has links that confirm nobody. They look alike, whoever has the
// name.
func TestForgedLinks(t *testing.T) {
	t.Parallel()
	e := openPool(t, func(s *userpool.Settings) { s.ConfirmByLink = true })
	register(t, e, "eve", "eve@example.com")
	q := func(pairs ...string) string {
		v := url.Values{"client_id": {"app"}, "user_name": {"eve"}, "confirmation_code": {"424242"}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return "/confirmUser?" + v.Encode()
	}
	bodies := map[string]bool{}
	for name, link := range map[string]string{
		"wrong code": q("confirmation_code", "111111"), "no code": q("confirmation_code", ""),
		"nobody": q("user_name", "nobody"), "no name": q("user_name", ""), "somebody else": q("user_name", "ann"),
		"a long name": q("user_name", strings.Repeat("e", 20000)), "odd name": q("user_name", "\x00"),
		"decoy": q("user_name", "decoy-"),
	} {
		a := e.Do(t, http.MethodGet, link, "", nil)
		if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.Body, userpool.TextCodeExpired) {
			t.Errorf("%s: got %d\n%s", name, a.StatusCode, a.Body)
		}
		bodies[a.Body] = true
	}
	if len(bodies) != 1 {
		t.Errorf("there are %d different answers", len(bodies))
	}
	for range 20 { // the lock, and the limit of the hour, do not show either
		for _, name := range []string{"eve", "nobody"} {
			bodies[e.Do(t, http.MethodGet, q("user_name", name, "confirmation_code", "111111"), "", nil).Body] = true
		}
	}
	if len(bodies) != 1 {
		t.Errorf("after many guesses there are %d different answers", len(bodies))
	}
	for name, link := range map[string]string{
		"unknown client": q("client_id", "nope"), "long client": q("client_id", strings.Repeat("a", 500)),
		"no client": q("client_id", ""), "twice": q() + "&user_name=ann", "malformed": q() + "&%zz",
	} {
		a := e.Do(t, http.MethodGet, link, "", nil)
		if a.StatusCode < 300 || strings.Contains(a.Body, "is confirmed") {
			t.Errorf("%s: got %d", name, a.StatusCode)
		}
	}
	if u := mustUser(t, e, "eve"); u.Status != userpool.UserUnconfirmed {
		t.Errorf("the user is %s", u.Status)
	}
}

// TestForgotPassword goes the whole way and signs in with the new password.
func TestForgotPassword(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	w := open(t, e, "/login")
	link := regexp.MustCompile(`href="(/forgotPassword\?[^"]+)"`).FindStringSubmatch(w.last.Body)
	if link == nil {
		t.Fatal("the sign-in page has no link")
	}
	w.get(html.UnescapeString(link[1]))
	w.want("/forgotPassword", http.StatusOK, "Reset my password")
	w.send("forgotPassword", "username", " ANN ")
	w.want("/confirmforgotPassword", http.StatusOK, "We have sent a code by email to a***@e***.",
		`autocomplete="new-password"`, `autocomplete="one-time-code"`, "At least 8 characters")
	w.send("confirmForgotPassword", "code", "424242", "password", newPassword, "confirm_password", newPassword)
	w.want("/login", http.StatusOK, signin.TextPasswordSet, `role="status"`)
	w.wantOut()
	w.send("cognitoSignInForm", "username", "ann", "password", newPassword).wantSignedIn()
	w = open(t, e, "/login").send("cognitoSignInForm", "username", "ann", "password", pooltest.Password)
	w.want("/login", http.StatusUnauthorized, userpool.TextIncorrect)
}

// TestResetRefused has every rule that a new password can break; the code is not
// spent by it.
func TestResetRefused(t *testing.T) {
	t.Parallel()
	e := openPool(t, func(s *userpool.Settings) { s.Passwords.History = 2 })
	err := e.Pool.Users.SetPassword(t.Context(), "ann", "Old-Password-1", true)
	if err != nil {
		t.Fatal(err)
	}
	w := open(t, e, "/forgotPassword").send("forgotPassword", "username", "ann")
	for _, tt := range []struct{ code, password, again, want string }{
		{"424242", "short", "short", "Password not long enough"},
		{"424242", "lowercase1", "lowercase1", "Password must have uppercase characters"},
		{"424242", newPassword, newPassword + "x", signin.TextNotRepeated},
		{"424242", "", "", signin.TextNotRepeated},
		{"424242", "Old-Password-1", "Old-Password-1", accounts.TextUsedPassword},
		{"424242", strings.Repeat("Aa1", 100), strings.Repeat("Aa1", 100), "Password too long"},
		{"111111", newPassword, newPassword, userpool.TextCodeMismatch},
		{"", newPassword, newPassword, userpool.TextCodeMismatch},
	} {
		w.send("confirmForgotPassword", "code", tt.code, "password", tt.password, "confirm_password", tt.again)
		w.want("/confirmforgotPassword", http.StatusBadRequest, tt.want)
	}
	w.send("confirmForgotPassword", "code", "424242", "password", newPassword, "confirm_password", newPassword)
	w.want("/login", http.StatusOK, signin.TextPasswordSet)
}

// TestNewResetCode asks for another code from the page.
func TestNewResetCode(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	w := open(t, e, "/forgotPassword").send("forgotPassword", "username", "ann")
	w.send("confirmForgotPassword", "resend", "1").want("/confirmforgotPassword", http.StatusOK, signin.TextNewCode)
	if n := len(outbox(t, e)); n != 2 {
		t.Errorf("%d codes were sent", n)
	}
	e.Clock.Advance(7*time.Minute + 59*time.Second)
	w.get(w.at)
	w.want("/confirmforgotPassword", http.StatusOK)
	e.Clock.Advance(time.Second)
	w.get(w.at)
	w.want("/confirmforgotPassword", http.StatusBadRequest, "expired_session")
}

// TestResetPathSpellings has the ways in which the path is written.
func TestResetPathSpellings(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	w := open(t, e, "/forgotPassword").send("forgotPassword", "username", "ann")
	for _, path := range []string{"/confirmForgotPassword", "/confirmforgotpassword"} {
		w.get(strings.Replace(w.at, "/confirmforgotPassword", path, 1))
		if w.last.StatusCode != http.StatusOK || !strings.Contains(w.last.Body, "New password") {
			t.Errorf("%s: %d", path, w.last.StatusCode)
		}
		w.at = strings.Replace(w.at, path, "/confirmforgotPassword", 1)
	}
}

// TestRecoveryByAdministratorOnly has no link and an error page.
func TestRecoveryByAdministratorOnly(t *testing.T) {
	t.Parallel()
	e := openPool(t, func(s *userpool.Settings) { s.Recovery = []string{"admin_only"} })
	if w := open(t, e, "/login"); strings.Contains(w.last.Body, "/forgotPassword") {
		t.Error("the sign-in page has a link")
	}
	open(t, e, "/forgotPassword").want("/error", http.StatusBadRequest, "You cannot reset your password here")
	a := e.Post(
		t, "/forgotPassword?"+pooltest.Query().Encode(), url.Values{"_csrf": {csrf}, "username": {"ann"}}, fromPage(),
	)
	if !strings.HasPrefix(a.Header.Get("Location"), pooltest.BaseURL+"/error?") || len(outbox(t, e)) != 0 {
		t.Errorf("a form gets %d to %s", a.StatusCode, a.Header.Get("Location"))
	}
}

// TestForgotLooksTheSame walks the recovery of a user, of names that nobody has
// and of users whom no code can reach, side by side: status, headers and body are
// the same at every step. (The work is compared in accounts.TestForgotWork.)
func TestForgotLooksTheSame(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	add := func(n userpool.NewUser) {
		t.Helper()
		n.Password = "pw"
		_, err := e.Pool.Users.Create(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
	}
	verified := map[string]string{"email": "a@e.test", "email_verified": "true"}
	add(userpool.NewUser{Username: "off", Disabled: true, Attributes: verified})
	add(userpool.NewUser{Username: "unverified", Attributes: map[string]string{"email": "a@e.test"}})
	add(userpool.NewUser{Username: "bare"})
	add(userpool.NewUser{Username: "fresh", Temporary: true, Attributes: verified})
	hint := regexp.MustCompile(`[^ ]\*\*\*@[^ ]\*\*\*`)
	names := []string{"ann", "nobody", "nobody@example.com", "off", "unverified", "bare", "fresh"}
	steps := map[string][]string{} // :: what is seen at each step → of whom
	see := func(step int, name string, a pooltest.Answer) {
		a.Header.Del("X-Amz-Cognito-Request-Id")
		seen := fmt.Sprint(step, a.StatusCode, a.Header, a.Body)
		seen = regexp.MustCompile(`flow=[\w-]+`).ReplaceAllString(seen, "flow=F")
		seen = strings.ReplaceAll(seen, `value="`+name+`"`, `value="N"`)
		seen = hint.ReplaceAllString(seen, "h***@h***")
		steps[seen] = append(steps[seen], name)
	}
	for _, name := range names {
		w := open(t, e, "/forgotPassword").send("forgotPassword", "username", name)
		see(0, name, w.last)
		if hint.FindString(w.last.Body) == "" {
			t.Errorf("%s: no hint where the code went", name)
		}
		for i, code := range []string{"111111", "222222", "333333", "444444", "555555", "666666"} {
			w.send("confirmForgotPassword", "code", code, "password", newPassword, "confirm_password", newPassword)
			see(i+1, name, w.last)
		}
		w.send("confirmForgotPassword", "resend", "1")
		see(7, name, w.last)
		w.get(w.at)
		see(8, name, w.last)
	}
	for seen, who := range steps {
		if len(who) != len(names) {
			t.Errorf("only %v see:\n%s", who, seen)
		}
	}
	for _, m := range outbox(t, e) {
		if m.Username != "Ann" {
			t.Errorf("a message went to %s", m.Username)
		}
	}
}

// TestHintIsStable checks that a made-up hint depends on the name, and on
// nothing that changes.
func TestHintIsStable(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	seen := map[string]int{}
	for range 2 {
		for i := range 20 {
			w := open(t, e, "/forgotPassword").send("forgotPassword", "username", fmt.Sprint("nobody", i))
			seen[regexp.MustCompile(`.\*\*\*@.\*\*\*`).FindString(w.last.Body)]++
		}
	}
	if len(seen) < 5 {
		t.Errorf("there are %d hints", len(seen))
	}
	for hint, n := range seen {
		if n%2 != 0 {
			t.Errorf("the hint %s was seen %d times", hint, n)
		}
	}
}

// TestForgotReveals has the client that wants people to know.
func TestForgotReveals(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	legacy := e.App
	legacy.ID, legacy.Secret, legacy.RevealUserExistence = "legacy", "", true
	e.AddClient(t, legacy)
	for name, want := range map[string]string{
		"nobody": accounts.TextNoSuchCombination, "bare": accounts.TextNoRecovery, "off": accounts.TextDisabled,
		"fresh": accounts.TextNoReset,
	} {
		if name != "nobody" {
			n := userpool.NewUser{Username: name, Password: "x", Disabled: name == "off", Temporary: name == "fresh"}
			_, err := e.Pool.Users.Create(t.Context(), n)
			if err != nil {
				t.Fatal(err)
			}
		}
		w := open(t, e, "/forgotPassword", "client_id", "legacy").send("forgotPassword", "username", name)
		w.want("/forgotPassword", http.StatusBadRequest, want)
	}
}

// TestResetGuessing tries codes for hours: about a hundred guesses an hour get an
// answer, however many new codes are asked for.
func TestResetGuessing(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	w := open(t, e, "/forgotPassword").send("forgotPassword", "username", "ann")
	judged := 0
	for range 120 {
		e.Clock.Advance(30 * time.Second)
		w.send("confirmForgotPassword", "code", "111111", "password", newPassword, "confirm_password", newPassword)
		switch {
		case strings.Contains(w.last.Body, userpool.TextCodeMismatch):
			judged++
		case strings.Contains(w.last.Body, userpool.TextCodeExpired):
			w.send("confirmForgotPassword", "resend", "1")
		case strings.Contains(w.last.Body, "expired_session"):
			w = open(t, e, "/forgotPassword").send("forgotPassword", "username", "ann")
		}
	}
	if judged > 20 || judged < 5 {
		t.Errorf("%d guesses were judged in an hour", judged)
	}
}

// TestAccountStepsAreNotReplayed sends each form twice, and late ones.
func TestAccountStepsAreNotReplayed(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	w := register(t, e, "eve", "eve@example.com")
	action, form := w.target("confirm")
	form.Set("code", "424242")
	first, second := e.Post(t, action, form, fromPage()), e.Post(t, action, form, fromPage())
	if first.StatusCode != http.StatusFound || sessionCookie(first) == nil {
		t.Fatalf("the first gets %d", first.StatusCode)
	}
	if sessionCookie(second) != nil || second.StatusCode != http.StatusBadRequest {
		t.Errorf("the second gets %d", second.StatusCode)
	}
	w = open(t, e, "/forgotPassword").send("forgotPassword", "username", "ann")
	action, form = w.target("confirmForgotPassword")
	late := maps.Clone(form)
	w.send("confirmForgotPassword", "resend", "1") // another tab went on
	maps.Copy(late, url.Values{"code": {"424242"}, "password": {newPassword}, "confirm_password": {newPassword}})
	a := e.Post(t, action, late, fromPage())
	if a.StatusCode != http.StatusFound || !strings.Contains(a.Header.Get("Location"), "/confirmforgotPassword?") {
		t.Errorf("a late form gets %d to %s", a.StatusCode, a.Header.Get("Location"))
	}
	w.get(w.at)
	action, form = w.target("confirmForgotPassword")
	maps.Copy(form, url.Values{"code": {"424242"}, "password": {newPassword}, "confirm_password": {newPassword}})
	e.Post(t, action, form, fromPage())
	a = e.Post(t, action, form, fromPage())
	if !strings.Contains(a.Header.Get("Location"), "/login?") {
		t.Errorf("the same form again gets %d to %s", a.StatusCode, a.Header.Get("Location"))
	}
}

// TestAccountStepsAreNotSkipped goes to pages whose turn it is not, without a
// flow, with the flow of another browser and with that of another step.
func TestAccountStepsAreNotSkipped(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	w := register(t, e, "eve", "eve@example.com")
	_, flow, _ := strings.Cut(w.at, "flow=")
	query := pooltest.Query().Encode()
	stranger := fromPage()
	stranger.Set("Cookie", "XSRF-TOKEN=abcdefab-0000-4000-8000-0000000000aa")
	form := url.Values{"_csrf": {csrf}, "turn": {"1"}, "code": {"424242"}, "password": {newPassword},
		"confirm_password": {newPassword}, "username": {"ann"}}
	theirs := maps.Clone(form)
	theirs.Set("_csrf", "abcdefab-0000-4000-8000-0000000000aa")
	for name, a := range map[string]pooltest.Answer{
		"confirm without a flow": e.Post(t, "/confirm?"+query, form, fromPage()),
		"reset without a flow":   e.Post(t, "/confirmforgotPassword?"+query, form, fromPage()),
		"another browser":        e.Post(t, "/confirm?"+query+"&flow="+flow, theirs, stranger),
		"another request": e.Post(t, "/confirm?"+pooltest.Query("state", "T").Encode()+"&flow="+
			flow, form, fromPage()),
		"reset in place of code":   e.Post(t, "/confirmforgotPassword?"+query+"&flow="+flow, form, fromPage()),
		"forgot in place of code":  e.Post(t, "/forgotPassword?"+query+"&flow="+flow, form, fromPage()),
		"sign-in in place of code": e.Post(t, "/login?"+query+"&flow="+flow, form, fromPage()),
		"made-up flow":             e.Post(t, "/confirm?"+query+"&flow=x", form, fromPage()),
		"resend without a flow":    e.Post(t, "/resendcode?"+query, form, fromPage()),
		"page of another browser":  e.Do(t, http.MethodGet, "/confirm?"+query+"&flow="+flow, "", stranger),
	} {
		ours := a.StatusCode == http.StatusFound && strings.Contains(a.Header.Get("Location"), "/confirm?")
		if a.StatusCode != http.StatusBadRequest && !ours || sessionCookie(a) != nil {
			t.Errorf("%s: got %d to %s", name, a.StatusCode, a.Header.Get("Location"))
		}
	}
	if u := mustUser(t, e, "eve"); u.Status != userpool.UserUnconfirmed || len(outbox(t, e)) != 1 {
		t.Errorf("the user is %s, %d messages", u.Status, len(outbox(t, e)))
	}
}

// TestForgedAccountForms has posts that did not come from our page in this
// browser, and such that are too large or odd. None has an effect.
func TestForgedAccountForms(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	form := url.Values{"_csrf": {csrf}, "username": {"eve"}, "password": {newPassword},
		"requiredAttributes[email]": {"eve@example.com"}}
	with := func(name string, values ...string) url.Values {
		v := maps.Clone(form)
		v[name] = values
		return v
	}
	site := fromPage()
	site.Set("Sec-Fetch-Site", "cross-site")
	plain := fromPage()
	plain.Set("Content-Type", "text/plain")
	for _, path := range []string{"/signup", "/forgotPassword"} {
		target := path + "?" + pooltest.Query().Encode()
		for name, a := range map[string]pooltest.Answer{
			"other site":  e.Post(t, target, form, site),
			"no cookie":   e.Post(t, target, form, http.Header{"Sec-Fetch-Site": {"same-origin"}}),
			"wrong token": e.Post(t, target, with("_csrf", "x"), fromPage()),
			"no token":    e.Post(t, target, with("_csrf"), fromPage()),
			"other type":  e.Post(t, target, form, plain),
			"oversized":   e.Post(t, target, with("username", strings.Repeat("e", 70<<10)), fromPage()),
			"name twice":  e.Post(t, target, with("username", "eve", "ann"), fromPage()),
			"unregistered": e.Post(
				t, path+"?"+pooltest.Query("redirect_uri", "https://evil.test/").Encode(), form, fromPage(),
			),
			"prompt none":   e.Post(t, path+"?"+pooltest.Query("prompt", "none").Encode(), form, fromPage()),
			"unknown app":   e.Post(t, path+"?"+pooltest.Query("client_id", "nope").Encode(), form, fromPage()),
			"other methods": e.Do(t, http.MethodPut, target, "", fromPage()),
		} {
			if a.StatusCode == http.StatusOK || sessionCookie(a) != nil ||
				strings.Contains(a.Header.Get("Location"), "confirm") {
				t.Errorf("%s, %s: got %d to %s", path, name, a.StatusCode, a.Header.Get("Location"))
			}
		}
	}
	if _, ok, _ := e.Pool.Users.Find(t.Context(), "eve"); ok || len(outbox(t, e)) != 0 {
		t.Error("a forged form had an effect")
	}
}

// TestSignUpFixation checks that the session after a sign-up is new, and that the
// browser's before it is over.
func TestSignUpFixation(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	w := register(t, e, "eve", "eve@example.com")
	planted := strings.TrimPrefix(e.Session(t).Get("Cookie"), "cognito=")
	action, form := w.target("confirm")
	form.Set("code", "424242")
	a := e.Post(t, action, form, fromPage("cognito="+planted))
	c := sessionCookie(a)
	if c == nil || c.Value == planted {
		t.Fatal("the session is not a new one")
	}
	_, ok, err := e.Pool.Sessions.Get(t.Context(), userpool.Secret(planted))
	if ok || err != nil {
		t.Errorf("the planted session lives on: %v", err)
	}
}

// TestOversizedAttributes has more attributes and longer ones than anyone needs.
func TestOversizedAttributes(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	pairs := []string{"username", "eve", "password", newPassword, "requiredAttributes[email]", "eve@example.com"}
	many := pairs
	for i := range 200 {
		many = append(many, fmt.Sprintf("requiredAttributes[custom:a%d]", i), "x")
	}
	open(t, e, "/signup").send("cognitoSignUpForm", many...).want(
		"/signup", http.StatusBadRequest, "at most 100 attributes",
	)
	long := append(pairs, "requiredAttributes[name]", strings.Repeat("n", 2049))
	open(t, e, "/signup").send("cognitoSignUpForm", long...).want(
		"/signup", http.StatusBadRequest, "at most 2048 bytes",
	)
}

// TestUnconfirmedSignIn signs in with the right password before the code was
// typed: a new one is sent, and it signs in. The wrong password learns nothing.
func TestUnconfirmedSignIn(t *testing.T) {
	t.Parallel()
	for name, reveal := range map[string]bool{"hidden": false, "revealed": true} {
		e := openPool(t)
		client := e.App
		client.ID, client.RevealUserExistence = name, reveal
		e.AddClient(t, client)
		register(t, e, "eve", "eve@example.com")
		w := open(t, e, "/login", "client_id", name)
		w.send("cognitoSignInForm", "username", "eve", "password", "wrong")
		w.want("/login", http.StatusUnauthorized, userpool.TextIncorrect)
		w.send("cognitoSignInForm", "username", "eve", "password", newPassword)
		w.want("/confirm", http.StatusOK, "e***@e***")
		w.wantOut()
		if n := len(outbox(t, e)); n != 2 {
			t.Errorf("%s: %d codes were sent", name, n)
		}
		w.send("confirm", "code", "424242")
		if sessionCookie(w.last) == nil {
			t.Errorf("%s: not signed in", name)
		}
	}
}

// TestUnconfirmedWithoutAddress has nothing that a code could go to.
func TestUnconfirmedWithoutAddress(t *testing.T) {
	t.Parallel()
	e := openPool(t, func(s *userpool.Settings) { s.AutoVerifiedAttributes = nil })
	register(t, e, "eve", "eve@example.com")
	w := open(t, e, "/login").send("cognitoSignInForm", "username", "eve", "password", newPassword)
	w.want("/login", http.StatusUnauthorized, accounts.TextNotConfirmed)
}

// TestResetRequired has users who must choose a new password: one whom the
// administrator reset, and one who was imported without a password.
func TestResetRequired(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	legacy := e.App
	legacy.ID, legacy.RevealUserExistence = "legacy", true
	e.AddClient(t, legacy)
	_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{
		Username: "eve", Status: userpool.UserResetRequired,
		Attributes: map[string]string{"email": "eve@example.com", "email_verified": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := e.Pool.Recovery.ResetPassword(t.Context(), "ann")
	if err != nil || d.Destination != "a***@e***" {
		t.Fatalf("resetting: %v, %v", d, err)
	}
	w := open(t, e, "/login").send("cognitoSignInForm", "username", "ann", "password", "wrong")
	w.want("/login", http.StatusUnauthorized, userpool.TextIncorrect)
	w.send("cognitoSignInForm", "username", "ann", "password", pooltest.Password)
	w.want("/confirmforgotPassword", http.StatusOK, accounts.TextResetRequired)
	w.wantOut()
	w = open(t, e, "/login").send("cognitoSignInForm", "username", "eve", "password", "anything")
	w.want("/login", http.StatusUnauthorized, userpool.TextIncorrect)
	w = open(t, e, "/login", "client_id", "legacy").send("cognitoSignInForm", "username", "eve", "password", "anything")
	w.want("/confirmforgotPassword", http.StatusOK, "e***@e***")
	w.send("confirmForgotPassword", "code", "424242", "password", newPassword, "confirm_password", newPassword)
	w.want("/login", http.StatusOK, signin.TextPasswordSet)
	w.send("cognitoSignInForm", "username", "eve", "password", newPassword)
	if sessionCookie(w.last) == nil {
		t.Error("the new password does not sign in")
	}
}

// TestSignUpThenSecondFactor checks that the code of a sign-up is the second
// factor when its medium is one, and that an app is set up otherwise.
func TestSignUpThenSecondFactor(t *testing.T) {
	t.Parallel()
	for factor, want := range map[string]string{
		userpool.FactorEmail: pooltest.Callback, userpool.FactorTOTP: "/mfa/setup",
	} {
		e := openPool(t, func(s *userpool.Settings) {
			s.MFA, s.MFATypes = userpool.MFAOn, []string{factor}
			s.Recovery = []string{"verified_phone_number"}
		})
		w := register(t, e, "eve", "eve@example.com").send("confirm", "code", "424242")
		at := w.last.Header.Get("Location") + w.at
		if !strings.HasPrefix(at, want) {
			t.Errorf("%s: at %s, want %s", factor, at, want)
		}
	}
}
