package hosted_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// stepPaths are the pages that a sign-in leads through.
var stepPaths = []string{
	"/changePassword", "/login/factor", "/login/password", "/login/code", "/login/passkey", "/mfa", "/mfa/setup",
	"/mfa/code", "/passkeys/add",
}

// filledIn has a value for every field of every page.
func filledIn(t *testing.T, e *pooltest.Env, v *pooltest.Visitor) url.Values {
	t.Helper()
	f := url.Values{
		"username": {"ann"}, "password": {pooltest.Password}, "code": {app(t, e)}, "factor": {fTOTP},
		"new_password": {"x-new-password-1"}, "new_password_again": {"x-new-password-1"}, "address": {"+4915100000001"},
		"credential": {"{}"},
	}
	if forms := v.Forms(); len(forms) > 0 {
		for _, name := range []string{"_csrf", "turn"} {
			f[name] = forms[0].Fields[name]
		}
	}
	return f
}

// TestSkippedStep posts to every page while the flow waits for the code of the
// second factor: nothing but that code counts.
func TestSkippedStep(t *testing.T) {
	t.Parallel()
	e := steps(t, true, settings(userpool.MFAOptional))
	withTOTP(t, e)
	v := typed(t, e)
	query := v.At[strings.IndexByte(v.At, '?'):]
	for _, path := range append([]string{"/login"}, stepPaths...) {
		if path == "/mfa/code" {
			continue
		}
		for _, extra := range []string{"", "skip", "other", "resend", "passkey"} {
			thief := v.Copy()
			fields := filledIn(t, e, v)
			fields.Set("code", "000000")
			if extra != "" {
				fields.Set(extra, "1")
			}
			thief.Send(t, pooltest.Form{Action: path + query, Fields: fields})
			if thief.Code() != "" || thief.Cookie("cognito") != "" {
				t.Fatalf("POST %s %s signed in", path, extra)
			}
		}
		if v.Copy().Open(t, path+query).Path() != "/mfa/code" {
			t.Errorf("GET %s does not lead to the step that is due", path)
		}
	}
	wantIn(t, v.Submit(t, "code", app(t, e)))
}

// TestReplayedStep sends each form of a whole sign-in again: at once, after the
// next step, and after the end. Only the first time counts.
func TestReplayedStep(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOn, fTOTP))
	v := e.NewVisitor().SignIn(t).Submit(t, "username", "ann", "password", pooltest.Password)
	wantPath(t, v, "/mfa/setup")
	key := secretKey.FindStringSubmatch(v.Page.Body)[1]
	setup := v.Form(t)
	wrong := pooltest.Form{Action: setup.Action, Fields: maps.Clone(setup.Fields)}
	wrong.Fields["code"] = []string{"000000"}
	setup.Fields.Set("code", pooltest.TOTP(t, key, e.Clock.Now()))
	wantRefused(t, v.Copy().Send(t, wrong), 401, "Invalid verification code")

	replay := v.Copy().Send(t, setup) // its turn was the one of the wrong code
	if replay.Code() != "" || replay.Path() != "/mfa/setup" {
		t.Fatalf("an old turn counted: %s", replay.At)
	}
	now := v.Open(t, v.At).Form(t)
	now.Fields.Set("code", pooltest.TOTP(t, key, e.Clock.Now()))
	done := v.Copy()
	wantIn(t, done.Send(t, now))
	e.Clock.Advance(30 * time.Second)
	for name, f := range map[string]pooltest.Form{"the last form": now, "an old one": setup, "a refused one": wrong} {
		again := v.Copy().Send(t, f)
		if again.Code() != "" || again.Page.StatusCode != http.StatusBadRequest {
			t.Errorf("%s after the end: %d at %s, left to %v", name, again.Page.StatusCode, again.At, again.Left)
		}
	}
}

// TestConcurrentReplay sends the last form many times at once: one gets a code.
func TestConcurrentReplay(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOptional))
	withTOTP(t, e)
	v := typed(t, e)
	f := v.Form(t)
	f.Fields.Set("code", app(t, e))
	codes := make(chan string, 20)
	for range cap(codes) {
		go func() { codes <- v.Copy().Send(t, f).Code() }()
	}
	n := 0
	for range cap(codes) {
		if <-codes != "" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d sign-ins, want 1", n)
	}
}

// TestForeignFlow uses a flow from another browser, of another request, and of
// another user.
func TestForeignFlow(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOptional))
	withTOTP(t, e)
	v := typed(t, e)
	f := v.Form(t)
	f.Fields.Set("code", app(t, e))

	other := e.NewVisitor().SignIn(t) // has a cookie of its own
	stolen := pooltest.Form{Action: f.Action, Fields: maps.Clone(f.Fields)}
	if got := other.Copy().Send(t, stolen); got.Code() != "" || got.Page.StatusCode != http.StatusForbidden {
		t.Errorf("another browser's form: %d, left to %v", got.Page.StatusCode, got.Left)
	}
	stolen.Fields["_csrf"] = []string{other.Cookie("XSRF-TOKEN")}
	if got := other.Copy().Send(t, stolen); got.Code() != "" || got.Page.StatusCode != http.StatusBadRequest {
		t.Errorf("another browser's flow: %d, left to %v", got.Page.StatusCode, got.Left)
	}
	if got := other.Copy().Open(t, v.At); got.Page.StatusCode != http.StatusBadRequest {
		t.Errorf("another browser's page: %d", got.Page.StatusCode)
	}

	for _, change := range []struct{ from, to string }{
		{"state=S", "state=T"}, {"client_id=app", "client_id=other"}, {"&flow=", "&nonce=x&flow="},
	} {
		moved := pooltest.Form{Action: strings.Replace(f.Action, change.from, change.to, 1), Fields: f.Fields}
		if moved.Action == f.Action {
			t.Fatalf("%s has no %s", f.Action, change.from)
		}
		if got := v.Copy().Send(t, moved); got.Code() != "" || got.Page.StatusCode != http.StatusBadRequest {
			t.Errorf("with %s: %d, left to %v", change.to, got.Page.StatusCode, got.Left)
		}
	}
	wantIn(t, v.Send(t, f))
}

// TestChallengeOfAnotherUser answers Ann's challenge with what Bob was sent.
func TestChallengeOfAnotherUser(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOptional))
	_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{
		Username: "bob", Password: pooltest.Password, Attributes: map[string]string{"phone_number": "+4915100000001"},
	})
	must(t, err)
	must(t, e.Pool.Users.SetMFA(t.Context(), "ann", []string{fSMS}, ""))
	must(t, e.Pool.Users.SetMFA(t.Context(), "bob", []string{fSMS}, ""))
	ann := typed(t, e)
	bob := e.NewVisitor().SignIn(t).Submit(t, "username", "bob", "password", pooltest.Password)
	hers, his := sent(t, e, "+4930123456"), sent(t, e, "+4915100000001")
	for hers == his { // one in a million
		bob.Submit(t, "resend", "1")
		his = sent(t, e, "+4915100000001")
	}
	wantRefused(t, ann.Submit(t, "code", his), 401, "Invalid verification code")
	wantIn(t, bob.Submit(t, "code", his))
	wantIn(t, ann.Submit(t, "code", hers))
}

// TestSessionFixationOverSteps plants a session before the second factor.
func TestSessionFixationOverSteps(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOptional))
	withTOTP(t, e)
	v := typed(t, e)
	planted := strings.Repeat("A", 43)
	v.SetCookie("cognito", planted)
	v.Submit(t, "code", app(t, e))
	if v.Code() == "" || v.Cookie("cognito") == planted {
		t.Error("the session goes on under an id that was there before")
	}
}

// TestForgedStepForms sends the form of each page as a forger would.
func TestForgedStepForms(t *testing.T) {
	t.Parallel()
	for name, v := range everyStep(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := v.Form(t)
			for what, change := range map[string]func(url.Values){
				"no token":    func(f url.Values) { f.Del("_csrf") },
				"empty token": func(f url.Values) { f.Set("_csrf", "") },
				"other token": func(f url.Values) { f.Set("_csrf", csrf) },
			} {
				forged := pooltest.Form{Action: f.Action, Fields: maps.Clone(f.Fields)}
				change(forged.Fields)
				got := v.Copy().Send(t, forged)
				if got.Page.StatusCode != http.StatusForbidden || got.Code() != "" {
					t.Errorf("%s: got %d", what, got.Page.StatusCode)
				}
			}
			thief := v.Copy()
			thief.SetCookie("XSRF-TOKEN", csrf)
			if got := thief.Send(t, f); got.Page.StatusCode != http.StatusForbidden {
				t.Errorf("other cookie: got %d", got.Page.StatusCode)
			}
			big := pooltest.Form{Action: f.Action, Fields: maps.Clone(f.Fields)}
			big.Fields.Set("code", strings.Repeat("1", 1<<20))
			if got := v.Copy().Send(t, big); got.Page.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("a megabyte: got %d", got.Page.StatusCode)
			}
			if again := v.Copy().Open(t, v.At); again.Path() != v.Path() {
				t.Errorf("a forged form had an effect: at %s", again.At)
			}
		})
	}
}

// TestStepFormLimits fills the fields of each page with what does not belong
// there.
func TestStepFormLimits(t *testing.T) {
	t.Parallel()
	for name, v := range everyStep(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, junk := range []string{
				"", "\x00", "\xff\xfe", strings.Repeat("é", 10_000), "{}", `{"rawId":"AA"}`, "null", "１２３４５６",
			} {
				w := v.Copy().Open(t, v.At)
				for _, form := range w.Forms() {
					for field := range form.Fields {
						if field != "_csrf" && field != "turn" {
							form.Fields.Set(field, junk)
						}
					}
					form.Fields.Set("new_password", junk)
					form.Fields.Set("new_password_again", junk)
					form.Fields.Set("factor", junk)
					got := w.Copy().Send(t, form)
					if got.Page.StatusCode >= 500 || got.Code() != "" || got.Cookie("cognito") != v.Cookie("cognito") {
						t.Errorf("%.20q: %d, left to %v", junk, got.Page.StatusCode, got.Left)
					}
				}
			}
		})
	}
}

var volatile = regexp.MustCompile(`flow=[\w-]+|name="_csrf" value="[^"]*"|&#34;challenge&#34;:&#34;\w+&#34;`)

// looks is all that an answer tells, without what is different every time, and
// with the name that was typed replaced.
func looks(v *pooltest.Visitor, name string) string {
	h := v.Page.Header.Clone()
	h.Del("X-Amz-Cognito-Request-Id")
	h.Del("Set-Cookie")
	// The style sheet is most of the page, and slow to search.
	head, rest, _ := strings.Cut(v.Page.Body, "<style>")
	style, rest, _ := strings.Cut(rest, "</style>")
	body := strings.ReplaceAll(volatile.ReplaceAllString(head+rest, "*"), name, "NAME")
	return fmt.Sprint(v.Path(), v.Page.StatusCode, h, body, sha256.Sum256([]byte(style)))
}

// TestUserEnumerationOverChoice walks the choice-based pages for a user and for
// names that nobody has: whatever set of factors somebody has, nobody has too.
func TestUserEnumerationOverChoice(t *testing.T) {
	t.Parallel()
	s := choosy()
	s.FirstFactors = []string{fPassword, fEmail}
	e := steps(t, true, s)
	_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{Username: "bob", Password: pooltest.Password})
	must(t, err)
	shapes := map[string]string{} // where the name leads → a name that nobody has
	for i := range 40 {
		name := fmt.Sprintf("no%02d", i)
		shapes[named(t, e, name).Path()] = name
	}
	for _, user := range []string{"ann", "bob"} { // with a verified address, and without
		v := named(t, e, user)
		nobody, ok := shapes[v.Path()]
		if !ok {
			t.Fatalf("%s leads to %s, and no unknown name does", user, v.Path())
		}
		w := named(t, e, nobody)
		if a, b := looks(v, user), looks(w, nobody); a != b {
			t.Errorf("%s and %s differ:\n%s\n%s", user, nobody, a, b)
		}
		if v.Path() == "/login/factor" {
			v.Submit(t, "factor", fEmail)
			w.Submit(t, "factor", fEmail)
			hint := regexp.MustCompile(`<strong>[a-z]\*\*\*@[a-z]\*\*\*</strong>`)
			mask := func(v *pooltest.Visitor, name string) string {
				return hint.ReplaceAllString(strings.ReplaceAll(looks(v, name), "&#42;", "*"), "HINT")
			}
			for range 8 { // until the lock and beyond
				if a, b := mask(v, user), mask(w, nobody); a != b {
					t.Fatalf("the code pages differ:\n%s\n%s", a, b)
				}
				v.Submit(t, "code", "999999x")
				w.Submit(t, "code", "999999x")
			}
			v.Submit(t, "resend", "1")
			w.Submit(t, "resend", "1")
			if a, b := mask(v, user), mask(w, nobody); a != b {
				t.Errorf("after sending again:\n%s\n%s", a, b)
			}
			v.Submit(t, "other", "1").Submit(t, "factor", fPassword)
			w.Submit(t, "other", "1").Submit(t, "factor", fPassword)
		}
		for range 7 {
			v.Submit(t, "password", "wrong")
			w.Submit(t, "password", "wrong")
			if a, b := looks(v, user), looks(w, nobody); a != b {
				t.Fatalf("the password pages differ:\n%s\n%s", a, b)
			}
		}
	}
}

// TestDecoysStay checks that an unknown name looks the same at every visit, and
// that not all of them do.
func TestDecoysStay(t *testing.T) {
	t.Parallel()
	e := steps(t, true, choosy())
	differ := 0
	for i := range 20 {
		name := fmt.Sprintf("no%02d", i)
		first := looks(named(t, e, name), name)
		if first != looks(named(t, e, strings.ToUpper(name)), strings.ToUpper(name)) {
			t.Errorf("%s looks different in capitals", name)
		}
		if first != looks(named(t, e, name), name) {
			t.Errorf("%s looks different the second time", name)
		}
		if i > 0 && first != looks(named(t, e, "no00"), "no00") {
			differ++
		}
	}
	if differ == 0 {
		t.Error("all unknown names look the same: who looks different exists")
	}
}
