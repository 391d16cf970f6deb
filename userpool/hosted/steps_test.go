package hosted_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// The factors, for short.
const (
	fTOTP, fSMS, fEmail = userpool.FactorTOTP, userpool.FactorSMS, userpool.FactorEmail
	fPassword, fPasskey = userpool.FactorPassword, userpool.FactorPasskey
)

const annsSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// steps is a pool whose clients let people choose how to sign in, if choice, and
// whose settings are those.
func steps(t *testing.T, choice bool, s userpool.Settings) *pooltest.Env {
	t.Helper()
	e := pooltest.New(t, func(c *pool.Config) {
		c.Settings, c.Passkeys, c.Store = s, pooltest.Passkeys{}, &failing{Store: c.Store}
	})
	if choice {
		e.AddClient(t, userpool.Client{
			ID: "choosy", Name: "Choosy", CallbackURLs: []string{pooltest.Callback},
			ExplicitAuthFlows: []string{"ALLOW_USER_AUTH"},
		})
	}
	return e
}

// settings is a pool with all second factors.
func settings(mfa userpool.MFA, types ...string) userpool.Settings {
	if len(types) == 0 {
		types = []string{fTOTP, fSMS, fEmail}
	}
	return userpool.Settings{Name: "Acme & Söhne", MFA: mfa, MFATypes: types}
}

// choosy is a pool with all first factors.
func choosy() userpool.Settings {
	return userpool.Settings{FirstFactors: []string{fPassword, fPasskey, fEmail, fSMS}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// withTOTP gives Ann an authenticator app.
func withTOTP(t *testing.T, e *pooltest.Env) {
	t.Helper()
	must(t, e.Pool.Users.SetTOTP(t.Context(), "ann", annsSecret))
}

// app is what Ann's authenticator app shows.
func app(t *testing.T, e *pooltest.Env) string {
	t.Helper()
	return pooltest.TOTP(t, annsSecret, e.Clock.Now())
}

// sent returns the newest code that was sent to an address.
func sent(t *testing.T, e *pooltest.Env, to string) string {
	t.Helper()
	list, err := e.Pool.Outbox.List(t.Context(), userpool.MessageQuery{To: to, Limit: 1})
	must(t, err)
	if len(list) == 0 {
		t.Fatalf("nothing was sent to %s", to)
	}
	return string(list[0].Code)
}

// typed signs in with name and password.
func typed(t *testing.T, e *pooltest.Env) *pooltest.Visitor {
	t.Helper()
	return e.NewVisitor().SignIn(t).Submit(t, "username", "ann", "password", pooltest.Password)
}

// named types the name alone, at a client whose people choose.
func named(t *testing.T, e *pooltest.Env, name string) *pooltest.Visitor {
	t.Helper()
	return e.NewVisitor().SignIn(t, "client_id", "choosy").Submit(t, "username", name)
}

// brief is the page without its style sheet.
func brief(v *pooltest.Visitor) string {
	_, body, _ := strings.Cut(v.Page.Body, "<main")
	return body
}

func wantPath(t *testing.T, v *pooltest.Visitor, want string) {
	t.Helper()
	if v.Path() != want || v.Left != nil {
		t.Fatalf("at %s (%d, left to %v), want %s: %s", v.At, v.Page.StatusCode, v.Left, want, brief(v))
	}
}

func wantIn(t *testing.T, v *pooltest.Visitor) {
	t.Helper()
	if v.Code() == "" || v.Cookie("cognito") == "" {
		t.Fatalf("not signed in: at %s (%d, left to %v): %s", v.At, v.Page.StatusCode, v.Left, brief(v))
	}
}

// wantRefused wants the page again, with this text as an alert.
func wantRefused(t *testing.T, v *pooltest.Visitor, status int, text string) {
	t.Helper()
	if v.Page.StatusCode != status || !strings.Contains(v.Page.Body, `role="alert"`) ||
		!strings.Contains(v.Page.Body, text) || v.Cookie("cognito") != "" {
		t.Fatalf("at %s: got %d, want %d with %q: %s", v.At, v.Page.StatusCode, status, text, brief(v))
	}
}

// TestTOTPSignIn is the second factor of an authenticator app.
func TestTOTPSignIn(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOptional))
	withTOTP(t, e)
	v := typed(t, e)
	wantPath(t, v, "/mfa/code")
	if v.Cookie("cognito") != "" || strings.Contains(e.Logs.String(), `msg="signed in"`) {
		t.Error("signed in by the password alone")
	}
	for _, want := range []string{`inputmode="numeric"`, `autocomplete="one-time-code"`, `<label for="code">`} {
		if !strings.Contains(v.Page.Body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	wantRefused(t, v.Submit(t, "code", "000000"), 401, "Invalid verification code provided")
	wantIn(t, v.Submit(t, "code", app(t, e)))
}

// TestTOTPCodeReuse types a code twice: it is good once, also in another flow,
// and the one before it is not good any more either.
func TestTOTPCodeReuse(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOptional))
	withTOTP(t, e)
	before := app(t, e)
	e.Clock.Advance(30 * time.Second)
	code := app(t, e)
	first, second := typed(t, e), typed(t, e)
	wantIn(t, first.Submit(t, "code", code))
	wantRefused(t, second.Submit(t, "code", code), 401, "Your software token has already been used once.")
	wantRefused(t, second.Submit(t, "code", before), 401, "already been used once")
	e.Clock.Advance(30 * time.Second)
	wantIn(t, second.Submit(t, "code", app(t, e)))
}

// TestWrongCodeLockout guesses codes of the second factor: five are free, then
// it locks, and the right password in between does not help. Nor does the lock
// hold up the password, or anybody else.
func TestWrongCodeLockout(t *testing.T) {
	t.Parallel()
	for _, factor := range []string{fTOTP, fSMS} {
		t.Run(factor, func(t *testing.T) {
			t.Parallel()
			e := steps(t, false, settings(userpool.MFAOptional))
			withTOTP(t, e)
			must(t, e.Pool.Users.SetMFA(t.Context(), "ann", []string{factor}, ""))
			right := func() string {
				if factor == fTOTP {
					return app(t, e)
				}
				return sent(t, e, "+4930123456")
			}
			for range 5 {
				v := typed(t, e)
				wrong := "000000"
				if right() == wrong {
					wrong = "000001"
				}
				wantRefused(t, v.Submit(t, "code", wrong), 401, "Invalid verification code")
			}
			v := typed(t, e)
			wantPath(t, v, "/mfa/code")
			wantRefused(t, v.Submit(t, "code", right()), 401, "Attempt limit exceeded")
			e.Clock.Advance(2 * time.Second)
			wantIn(t, v.Submit(t, "code", right()))
		})
	}
}

// TestSMSAndEmailCodes are the second factors that are sent.
func TestSMSAndEmailCodes(t *testing.T) {
	t.Parallel()
	for factor, tt := range map[string]struct{ to, hint, amr string }{
		fSMS:   {"+4930123456", "+*******3456", "sms"},
		fEmail: {"ann@example.com", "a***@e***", "email_otp"},
	} {
		t.Run(factor, func(t *testing.T) {
			t.Parallel()
			e := steps(t, false, settings(userpool.MFAOptional))
			must(t, e.Pool.Users.SetMFA(t.Context(), "ann", []string{factor}, factor))
			v := typed(t, e)
			wantPath(t, v, "/mfa/code")
			if !strings.Contains(html.UnescapeString(v.Page.Body), "<strong>"+tt.hint+"</strong>") ||
				strings.Contains(v.Page.Body, tt.to) {
				t.Errorf("the page does not say where the code went, or all of it: %s", brief(v))
			}
			first := sent(t, e, tt.to)
			v.Submit(t, "resend", "1")
			if !strings.Contains(v.Page.Body, signin.TextNewCode) {
				t.Errorf("got %s", brief(v))
			}
			second := sent(t, e, tt.to)
			if first != second {
				wantRefused(t, v.Submit(t, "code", first), 401, "Invalid verification code")
			}
			wantIn(t, v.Submit(t, "code", " "+second[:3]+" "+second[3:]))
			u, _, err := e.Pool.Users.Get(t.Context(), e.Ann.Sub)
			must(t, err)
			if factor == fSMS && u.Attributes["phone_number_verified"] != "true" {
				t.Error("the number is not verified, although the code arrived")
			}
		})
	}
}

// TestResendOfAStepIsBounded asks for one code after the other.
func TestResendOfAStepIsBounded(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOptional))
	must(t, e.Pool.Users.SetMFA(t.Context(), "ann", []string{fSMS}, ""))
	v := typed(t, e)
	for range 3 {
		v.Submit(t, "resend", "1")
	}
	wantRefused(t, v.Submit(t, "resend", "1"), 401, "Attempt limit exceeded")
	list, err := e.Pool.Outbox.List(t.Context(), userpool.MessageQuery{To: "+4930123456", Limit: 10})
	must(t, err)
	if len(list) != 4 {
		t.Errorf("%d messages, want 4", len(list))
	}
}

// TestMFAChoice chooses among several factors, and changes the mind.
func TestMFAChoice(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOptional))
	withTOTP(t, e)
	must(t, e.Pool.Users.SetMFA(t.Context(), "ann", []string{fTOTP, fSMS}, ""))
	v := typed(t, e)
	wantPath(t, v, "/mfa")
	for _, bad := range []string{fEmail, fPassword, fPasskey, "", "x"} {
		wantRefused(t, v.Submit(t, "factor", bad), 401, "Login option is not available")
	}
	v.Submit(t, "factor", fSMS)
	wantPath(t, v, "/mfa/code")
	v.Submit(t, "other", "1")
	wantPath(t, v, "/mfa")
	v.Submit(t, "factor", fTOTP)
	wantIn(t, v.Submit(t, "code", app(t, e)))
}

// TestMFATimeLimit lets the time of the second factor pass.
func TestMFATimeLimit(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOptional))
	withTOTP(t, e)
	late, early := typed(t, e), typed(t, e)
	e.Clock.Advance(3*time.Minute - time.Second)
	wantIn(t, early.Submit(t, "code", app(t, e)))
	e.Clock.Advance(time.Second)
	late.Submit(t, "code", app(t, e))
	if late.Code() != "" || late.Page.StatusCode != 400 || !strings.Contains(late.Page.Body, "expired_session") {
		t.Errorf("after three minutes: %d %s", late.Page.StatusCode, late.Page.Body)
	}
}

var secretKey = regexp.MustCompile(`<code class="secret">([A-Z2-7 ]+)</code>`)

// TestTOTPSetup registers an authenticator app where everyone needs one, with
// the secret on the page, and signs in with it the next time.
func TestTOTPSetup(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOn, fTOTP))
	v := typed(t, e)
	wantPath(t, v, "/mfa/setup")
	m := secretKey.FindStringSubmatch(v.Page.Body)
	if m == nil || len(strings.ReplaceAll(m[1], " ", "")) != 52 {
		t.Fatalf("no secret of 52 characters on %s", brief(v))
	}
	for _, want := range []string{
		`<svg class="qr" role="img" aria-label="QR code`, "<details><summary>Show secret key</summary>",
		`autocomplete="one-time-code"`,
	} {
		if !strings.Contains(v.Page.Body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	wantRefused(t, v.Submit(t, "code", "000000"), 401, "Invalid verification code")
	if again := secretKey.FindStringSubmatch(v.Page.Body); again == nil || again[1] != m[1] {
		t.Error("the secret changed after a typing error")
	}
	code := pooltest.TOTP(t, m[1], e.Clock.Now())
	wantIn(t, v.Submit(t, "code", code))
	v = typed(t, e)
	wantPath(t, v, "/mfa/code")
	wantRefused(t, v.Submit(t, "code", code), 401, "already been used once")
	e.Clock.Advance(30 * time.Second)
	wantIn(t, v.Submit(t, "code", pooltest.TOTP(t, m[1], e.Clock.Now())))
	if strings.Contains(e.Logs.String(), strings.ReplaceAll(m[1], " ", "")) {
		t.Error("the secret is in the log")
	}
}

// TestTOTPSetupTwice has two who know the password set up an app at the same
// time: what the first one registered stays.
func TestTOTPSetupTwice(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOn, fTOTP))
	ann, thief := typed(t, e), typed(t, e)
	hers := secretKey.FindStringSubmatch(ann.Page.Body)[1]
	wantIn(t, ann.Submit(t, "code", pooltest.TOTP(t, hers, e.Clock.Now())))
	thief.Submit(t, "code", pooltest.TOTP(t, secretKey.FindStringSubmatch(thief.Page.Body)[1], e.Clock.Now()))
	wantPath(t, thief, "/mfa/code")
	e.Clock.Advance(30 * time.Second)
	v := typed(t, e)
	wantIn(t, v.Submit(t, "code", pooltest.TOTP(t, hers, e.Clock.Now())))
}

// TestAddressSetup registers an address where everyone needs one: it counts when
// the code arrived, and a code for another address does not count for this one.
func TestAddressSetup(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOn, fSMS))
	_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{Username: "bob", Password: pooltest.Password})
	must(t, err)
	open := func() *pooltest.Visitor {
		v := e.NewVisitor().SignIn(t).Submit(t, "username", "bob", "password", pooltest.Password)
		wantPath(t, v, "/mfa/setup")
		return v
	}
	v := open()
	for _, bad := range []string{"", "0301234", "+49 abc", "bob@example.com", strings.Repeat("+1", 500)} {
		wantRefused(t, v.Submit(t, "factor", fSMS, "address", bad), 400, signin.TextBadAddress)
	}
	wantRefused(t, v.Submit(t, "factor", fEmail, "address", "bob@example.com"), 400, "Login option is not available")
	v.Submit(t, "factor", fSMS, "address", "+4915100000001")
	wantPath(t, v, "/mfa/code")
	own := sent(t, e, "+4915100000001")

	other := open().Submit(t, "factor", fSMS, "address", "+4915199999999")
	stolen := sent(t, e, "+4915199999999")
	v.Submit(t, "code", stolen) // of another address: it shows nothing about this one
	if v.Code() != "" {
		t.Fatal("a code for one address verified another")
	}
	u, _, err := e.Pool.Users.Find(t.Context(), "bob")
	must(t, err)
	if u.Attributes["phone_number"] != "" || len(u.MFA) != 0 {
		t.Fatalf("registered without a code: %v %v", u.Attributes, u.MFA)
	}
	_, _ = own, other
	v = open().Submit(t, "factor", fSMS, "address", "+4915100000001")
	wantIn(t, v.Submit(t, "code", sent(t, e, "+4915100000001")))
	u, _, err = e.Pool.Users.Find(t.Context(), "bob")
	must(t, err)
	if u.Attributes["phone_number"] != "+4915100000001" || u.Attributes["phone_number_verified"] != "true" ||
		!slices.Equal(u.MFA, []string{fSMS}) {
		t.Errorf("got %v %v", u.Attributes, u.MFA)
	}
}

// TestForcedPassword replaces a temporary password, with an attribute that is
// required and missing.
func TestForcedPassword(t *testing.T) {
	t.Parallel()
	s := settings(userpool.MFAOn, fTOTP)
	s.Passwords = userpool.PasswordPolicy{MinimumLength: 8, RequireNumbers: true, TemporaryValidity: time.Hour}
	s.Schema = []userpool.Attribute{{Name: "email", Required: true}, {Name: "name", Required: true}}
	e := steps(t, false, s)
	_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{
		Username: "bob", Password: "temporary1", Temporary: true,
		Attributes: map[string]string{"email": "bob@example.com", "email_verified": "true"},
	})
	must(t, err)
	v := e.NewVisitor().SignIn(t).Submit(t, "username", "bob", "password", "temporary1")
	wantPath(t, v, "/changePassword")
	if strings.Contains(v.Page.Body, "requiredAttributes[email]") ||
		!strings.Contains(v.Page.Body, "requiredAttributes[name]") {
		t.Errorf("the page asks for what is there, or not for what is missing: %s", brief(v))
	}
	set := func(pw, again, name string) *pooltest.Visitor {
		return v.Submit(t, "new_password", pw, "new_password_again", again, "requiredAttributes[name]", name,
			"requiredAttributes[email]", "eve@example.com")
	}
	wantRefused(t, set("new-password-1", "new-password-2", "Bob"), 401, signin.TextNotRepeated)
	wantRefused(t, set("new-pass", "new-pass", "Bob"), 400, "Password did not conform with policy")
	wantRefused(t, set("temporary1", "temporary1", "Bob"), 400, "Password has previously been used")
	wantRefused(t, set("new-password-1", "new-password-1", ""), 400, "Please fill in everything that is required.")
	set("new-password-1", "new-password-1", "Bob")
	wantPath(t, v, "/mfa/setup") // the second factor is still due
	u, _, err := e.Pool.Users.Find(t.Context(), "bob")
	must(t, err)
	if u.Status != userpool.UserConfirmed || u.Attributes["name"] != "Bob" ||
		u.Attributes["email"] != "bob@example.com" {
		t.Errorf("got %s %v", u.Status, u.Attributes)
	}
	v = e.NewVisitor().SignIn(t).Submit(t, "username", "bob", "password", "temporary1")
	wantRefused(t, v, 401, "Incorrect username or password.")
}

// TestExpiredTemporaryPassword comes too late.
func TestExpiredTemporaryPassword(t *testing.T) {
	t.Parallel()
	e := steps(t, false, userpool.Settings{Passwords: userpool.PasswordPolicy{TemporaryValidity: time.Hour}})
	_, err := e.Pool.Users.Create(
		t.Context(), userpool.NewUser{Username: "bob", Password: "temporary1", Temporary: true},
	)
	must(t, err)
	e.Clock.Advance(time.Hour)
	v := e.NewVisitor().SignIn(t).Submit(t, "username", "bob", "password", "temporary1")
	wantRefused(t, v, 401, "Temporary password has expired and must be reset by an administrator.")
}

// TestRefusedAccounts are users whom something keeps from signing in. Without
// the right password they look like everybody else.
func TestRefusedAccounts(t *testing.T) {
	t.Parallel()
	e := steps(t, false, userpool.Settings{})
	e.AddClient(t, userpool.Client{ID: "open", CallbackURLs: []string{pooltest.Callback}, RevealUserExistence: true})
	for name, n := range map[string]userpool.NewUser{
		"disabled": {Disabled: true}, "foreign": {Status: userpool.UserExternal},
	} {
		n.Username, n.Password = name, pooltest.Password
		if n.Status == userpool.UserExternal {
			n.Password = ""
		}
		_, err := e.Pool.Users.Create(t.Context(), n)
		must(t, err)
	}
	for _, tt := range []struct{ client, name, password, want string }{
		{"app", "disabled", pooltest.Password, "User is disabled."},
		{"app", "disabled", "wrong", "Incorrect username or password."},
		{"app", "foreign", "", "Incorrect username or password."},
		{"app", "foreign", pooltest.Password, "Incorrect username or password."},
		{"app", "nobody", "wrong", "Incorrect username or password."},
		{"open", "nobody", "wrong", "User does not exist."},
		{"open", "disabled", "wrong", "User is disabled."},
		{"open", "ann", "wrong", "Incorrect username or password."},
	} {
		v := e.NewVisitor().SignIn(t, "client_id", tt.client).Submit(t, "username", tt.name, "password", tt.password)
		wantRefused(t, v, 401, tt.want)
	}
}

// TestAMR checks what tokens say of how somebody signed in.
func TestAMR(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOptional))
	withTOTP(t, e)
	v := typed(t, e)
	wantIn(t, v.Submit(t, "code", app(t, e)))
	s, ok, err := e.Pool.Sessions.Get(t.Context(), userpool.Secret(v.Cookie("cognito")))
	must(t, err)
	if !ok || !slices.Equal(s.Methods, []string{"pwd", "otp", "mfa"}) {
		t.Errorf("got %v", s.Methods)
	}
}

// TestStepPages holds every page to what all pages have.
func TestStepPages(t *testing.T) {
	t.Parallel()
	for name, v := range everyStep(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "passkey" && name != "add passkey" { // those have a script, and its hash in the policy
				checkPage(t, v.Page)
			}
			if v.Page.StatusCode != http.StatusOK || !strings.Contains(v.Page.Body, "<h1>") {
				t.Errorf("got %d", v.Page.StatusCode)
			}
			for _, f := range v.Forms() {
				if f.Fields.Get("_csrf") == "" || f.Fields.Get("turn") == "" {
					t.Errorf("a form lacks its token or its turn: %v", f.Fields)
				}
			}
			checkLabels(t, v.Page.Body)
		})
	}
}

var (
	shownInput = regexp.MustCompile(`<input [^>]*>`)
	idOf       = regexp.MustCompile(`\sid="([^"]*)"`)
)

// checkLabels wants a label and an autocomplete attribute for every field.
func checkLabels(t *testing.T, page string) {
	t.Helper()
	for _, input := range shownInput.FindAllString(page, -1) {
		if strings.Contains(input, `type="hidden"`) {
			continue
		}
		id := idOf.FindStringSubmatch(input)
		if id == nil || !strings.Contains(page, `<label for="`+id[1]+`">`) ||
			!strings.Contains(input, "autocomplete=") {
			t.Errorf("%s has no label, or says nothing about autocomplete", input)
		}
	}
}

// everyStep returns a visitor at each page.
func everyStep(t *testing.T) map[string]*pooltest.Visitor {
	t.Helper()
	out := map[string]*pooltest.Visitor{}
	totp := steps(t, false, settings(userpool.MFAOptional))
	withTOTP(t, totp)
	out["mfa code"] = typed(t, totp)
	both := steps(t, false, settings(userpool.MFAOptional))
	withTOTP(t, both)
	must(t, both.Pool.Users.SetMFA(t.Context(), "ann", []string{fTOTP, fSMS}, ""))
	out["mfa choice"] = typed(t, both)
	none := steps(t, false, settings(userpool.MFAOn))
	for _, n := range []userpool.NewUser{{Username: "bob"}, {Username: "new", Temporary: true}} {
		n.Password = pooltest.Password
		_, err := none.Pool.Users.Create(t.Context(), n)
		must(t, err)
	}
	out["mfa setup"] = none.NewVisitor().SignIn(t).Submit(t, "username", "bob", "password", pooltest.Password)
	out["new password"] = none.NewVisitor().SignIn(t).Submit(t, "username", "new", "password", pooltest.Password)

	c := steps(t, true, choosy())
	out["name"] = c.NewVisitor().SignIn(t, "client_id", "choosy")
	out["factor"] = named(t, c, "ann")
	out["password"] = named(t, c, "ann").Submit(t, "factor", fPassword)
	out["code"] = named(t, c, "ann").Submit(t, "factor", fEmail)
	out["passkey"] = c.NewVisitor().SignIn(t, "client_id", "choosy").Submit(t, "passkey", "1")
	add := c.NewVisitor()
	add.SetCookie("cognito", strings.TrimPrefix(c.Session(t).Get("Cookie"), "cognito="))
	out["add passkey"] = add.Open(t, "/passkeys/add?client_id=choosy&redirect_uri="+url.QueryEscape(pooltest.Callback))
	return out
}

// TestWantedLevel asks for more than a password by acr_values: whoever can do
// more must, and whoever cannot is let in.
func TestWantedLevel(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOptional))
	sign := func() *pooltest.Visitor {
		v := e.NewVisitor().SignIn(t, "acr_values", "urn:x urn:cognito:loa:4")
		return v.Submit(t, "username", "ann", "password", pooltest.Password)
	}
	wantIn(t, sign())
	withTOTP(t, e)
	must(t, e.Pool.Users.SetMFA(t.Context(), "ann", nil, "")) // registered, and not on
	wantIn(t, typed(t, e))
	v := sign()
	wantPath(t, v, "/mfa/code")
	wantIn(t, v.Submit(t, "code", app(t, e)))
}
