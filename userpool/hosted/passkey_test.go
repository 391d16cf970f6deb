package hosted_test

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
)

// addPath is the page that adds a passkey, as an app links to it.
var addPath = "/passkeys/add?client_id=choosy&redirect_uri=" + url.QueryEscape(pooltest.Callback)

// inSession returns a visitor who is signed in as Ann.
func inSession(t *testing.T, e *pooltest.Env) *pooltest.Visitor {
	t.Helper()
	v := e.NewVisitor()
	v.SetCookie("cognito", strings.TrimPrefix(e.Session(t).Get("Cookie"), "cognito="))
	return v
}

// annsKey returns an authenticator with a passkey of Ann's.
func annsKey(t *testing.T, e *pooltest.Env) *pooltest.Authenticator {
	t.Helper()
	k := pooltest.NewAuthenticator()
	v := inSession(t, e).Open(t, addPath)
	wantPath(t, v, "/passkeys/add")
	v.Submit(t, "credential", k.Create(t, v.Options(t)))
	if v.Left == nil || v.Left.String() != pooltest.Callback {
		t.Fatalf("at %s (%d), left to %v, want %s", v.At, v.Page.StatusCode, v.Left, pooltest.Callback)
	}
	return k
}

func keysOf(t *testing.T, e *pooltest.Env, sub string) []userpool.Passkey {
	t.Helper()
	list, err := e.Pool.Passkeys.List(t.Context(), sub)
	must(t, err)
	return list
}

// TestAddPasskey registers a passkey in a session and signs in with it, with the
// name and without.
func TestAddPasskey(t *testing.T) {
	t.Parallel()
	e := steps(t, true, choosy())
	k := annsKey(t, e)
	keys := keysOf(t, e, e.Ann.Sub)
	if len(keys) != 1 || keys[0].ID != k.ID || keys[0].Name == "" || keys[0].Created.IsZero() ||
		!keys[0].Used.IsZero() {
		t.Fatalf("got %+v", keys)
	}
	v := named(t, e, "ann").Submit(t, "factor", fPasskey)
	wantPath(t, v, "/login/passkey")
	wantIn(t, v.Submit(t, "credential", k.Get(t, v.Options(t))))

	v = e.NewVisitor().SignIn(t, "client_id", "choosy").Submit(t, "passkey", "1")
	wantPath(t, v, "/login/passkey")
	wantIn(t, v.Submit(t, "credential", k.Get(t, v.Options(t))))
	s, _, err := e.Pool.Sessions.Get(t.Context(), userpool.Secret(v.Cookie("cognito")))
	must(t, err)
	if s.Sub != e.Ann.Sub || !slices.Equal(s.Methods, []string{"swk"}) {
		t.Errorf("got %s by %v", s.Sub, s.Methods)
	}
	if used := keysOf(t, e, e.Ann.Sub)[0]; used.Used.IsZero() || used.SignCount != 3 {
		t.Errorf("used %v, count %d", used.Used, used.SignCount)
	}
}

// TestAddPasskeySignsInFirst opens the page without a session.
func TestAddPasskeySignsInFirst(t *testing.T) {
	t.Parallel()
	e := steps(t, true, choosy())
	v := e.NewVisitor().Open(t, strings.Replace(addPath, "choosy", "app", 1))
	wantPath(t, v, "/login")
	v.Submit(t, "username", "ann", "password", pooltest.Password)
	wantPath(t, v, "/passkeys/add")
	if v.Cookie("cognito") != "" {
		t.Error("there is a session before the flow is over")
	}
	k := pooltest.NewAuthenticator()
	v.Submit(t, "credential", k.Create(t, v.Options(t)))
	if v.Left == nil || v.Left.String() != pooltest.Callback || v.Cookie("cognito") == "" {
		t.Errorf("left to %v, want %s and a session", v.Left, pooltest.Callback)
	}
	if len(keysOf(t, e, e.Ann.Sub)) != 1 {
		t.Error("there is no passkey")
	}
}

// TestSkipPasskey goes on without one.
func TestSkipPasskey(t *testing.T) {
	t.Parallel()
	e := steps(t, true, choosy())
	v := inSession(t, e).Open(t, addPath).Submit(t, "skip", "1")
	if v.Left == nil || v.Left.String() != pooltest.Callback || len(keysOf(t, e, e.Ann.Sub)) != 0 {
		t.Errorf("left to %v with %d passkeys", v.Left, len(keysOf(t, e, e.Ann.Sub)))
	}
}

// TestPasskeyIsBound sends what authenticators answered where it does not belong.
func TestPasskeyIsBound(t *testing.T) {
	t.Parallel()
	e := steps(t, true, choosy())
	bob, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{
		Username: "bob", Password: pooltest.Password,
		Attributes: map[string]string{"email": "b@x.test", "email_verified": "true"},
	})
	must(t, err)
	k := annsKey(t, e)
	atKey := func(name string) *pooltest.Visitor {
		v := e.NewVisitor().SignIn(t, "client_id", "choosy")
		if name == "" {
			return v.Submit(t, "passkey", "1")
		}
		return v.Submit(t, "username", name).Submit(t, "factor", fPasskey)
	}
	refused := func(what string, v *pooltest.Visitor) {
		t.Helper()
		if v.Code() != "" || v.Cookie("cognito") != "" || v.Page.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d at %s, left to %v", what, v.Page.StatusCode, v.At, v.Left)
		}
	}

	// A credential of another user.
	bobs := pooltest.NewAuthenticator()
	id, _, err := e.Pool.Sessions.Start(t.Context(), bob.Sub, []string{"pwd"}, "")
	must(t, err)
	b := e.NewVisitor()
	b.SetCookie("cognito", string(id))
	b.Open(t, addPath).Submit(t, "credential", bobs.Create(t, b.Options(t)))
	v := atKey("ann")
	refused("another user's passkey", v.Submit(t, "credential", bobs.Get(t, v.Options(t))))
	disguised := *bobs
	disguised.Sub = e.Ann.Sub
	v = atKey("ann")
	refused("another user's passkey in disguise", v.Submit(t, "credential", disguised.Get(t, v.Options(t))))

	// Assertion replay: the same turn, a new turn, another flow.
	v = atKey("ann")
	old := v.Copy()
	answer := k.Get(t, v.Options(t))
	wantIn(t, v.Submit(t, "credential", answer))
	if old.Submit(t, "credential", answer); old.Code() != "" {
		t.Error("an assertion was replayed in its flow")
	}
	refused("an assertion in another flow", atKey("ann").Submit(t, "credential", answer))
	refused("an assertion in a flow without name", atKey("").Submit(t, "credential", answer))

	// A challenge is used up by a wrong answer.
	v = atKey("ann")
	first := v.Options(t)
	refused("nonsense", v.Submit(t, "credential", `{"rawId":"AAAA"}`))
	if v.Options(t) == first {
		t.Error("the challenge is the same after a refusal")
	}
	refused("an answer to a challenge that is used up", v.Submit(t, "credential", k.Get(t, first)))
	wantIn(t, v.Submit(t, "credential", k.Get(t, v.Options(t))))

	// A cloned authenticator: the count of the copy is behind.
	clone := *k
	v = atKey("")
	wantIn(t, v.Submit(t, "credential", k.Get(t, v.Options(t))))
	v = atKey("")
	refused("a cloned authenticator", v.Submit(t, "credential", clone.Get(t, v.Options(t))))

	// An unknown passkey, and one that was removed.
	stranger := pooltest.NewAuthenticator()
	stranger.Sub = e.Ann.Sub
	v = atKey("ann")
	refused("an unknown passkey", v.Submit(t, "credential", stranger.Get(t, v.Options(t))))
	must(t, e.Pool.Passkeys.Delete(t.Context(), bob.Sub, k.ID)) // not his
	if len(keysOf(t, e, e.Ann.Sub)) != 1 {
		t.Error("somebody else removed a passkey")
	}
	v = atKey("")
	must(t, e.Pool.Passkeys.Delete(t.Context(), e.Ann.Sub, k.ID))
	refused("a passkey that was removed", v.Submit(t, "credential", k.Get(t, v.Options(t))))
}

// TestRegistrationIsBound sends registrations where they do not belong.
func TestRegistrationIsBound(t *testing.T) {
	t.Parallel()
	e := steps(t, true, choosy())
	bob, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{Username: "bob", Password: pooltest.Password})
	must(t, err)
	k := annsKey(t, e)

	v := inSession(t, e).Open(t, addPath)
	again := *k
	v.Submit(t, "credential", again.Create(t, v.Options(t)))
	if v.Left != nil || v.Page.StatusCode != http.StatusUnauthorized {
		t.Errorf("a credential id that is taken: %d, left to %v", v.Page.StatusCode, v.Left)
	}

	// The browser's session is another one by now, or over.
	id, _, err := e.Pool.Sessions.Start(t.Context(), bob.Sub, []string{"pwd"}, "")
	must(t, err)
	for what, session := range map[string]string{"bob": string(id), "nobody": "", "planted": strings.Repeat("A", 43)} {
		v := inSession(t, e).Open(t, addPath)
		mine := pooltest.NewAuthenticator().Create(t, v.Options(t))
		v.SetCookie("cognito", session)
		v.Submit(t, "credential", mine)
		if v.Left != nil || v.Page.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d, left to %v", what, v.Page.StatusCode, v.Left)
		}
	}
	if len(keysOf(t, e, e.Ann.Sub)) != 1 || len(keysOf(t, e, bob.Sub)) != 0 {
		t.Error("a passkey was added")
	}
}

// TestPasskeyLimit adds more than an account can have.
func TestPasskeyLimit(t *testing.T) {
	t.Parallel()
	e := steps(t, true, choosy())
	for range 20 {
		annsKey(t, e)
	}
	v := inSession(t, e).Open(t, addPath)
	v.Submit(t, "credential", pooltest.NewAuthenticator().Create(t, v.Options(t)))
	if !strings.Contains(v.Page.Body, "as many passkeys as one account can have") ||
		len(keysOf(t, e, e.Ann.Sub)) != 20 {
		t.Errorf("the 21st: %d, %d passkeys", v.Page.StatusCode, len(keysOf(t, e, e.Ann.Sub)))
	}
	must(t, e.Pool.Users.Delete(t.Context(), "ann"))
	if n := len(keysOf(t, e, e.Ann.Sub)); n != 0 {
		t.Errorf("%d passkeys are left of a user who is gone", n)
	}
}

// TestPasskeyAndMFA checks what a passkey is worth to who has a second factor.
func TestPasskeyAndMFA(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		counts, verifies bool
		wantIn           bool
	}{
		"does not count":           {false, true, false},
		"counts":                   {true, true, true},
		"counts, but not verified": {true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := settings(userpool.MFAOptional)
			s.FirstFactors, s.PasskeysAreMFA = choosy().FirstFactors, tt.counts
			e := steps(t, true, s)
			k := annsKey(t, e)
			withTOTP(t, e)
			k.Verifies = tt.verifies
			v := e.NewVisitor().SignIn(t, "client_id", "choosy").Submit(t, "passkey", "1")
			v.Submit(t, "credential", k.Get(t, v.Options(t)))
			if got := v.Code() != ""; got != tt.wantIn {
				t.Errorf("signed in: %t, want %t: at %s", got, tt.wantIn, v.At)
			}
			if !tt.counts {
				wantRefused(t, v, 401, "Login option is not available")
			}
		})
	}
}

// TestNoPasskeys is a pool without them: no page, no button, no way.
func TestNoPasskeys(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t, func(c *pool.Config) { c.Settings = choosy() }) // nothing can check them
	e.AddClient(t, userpool.Client{
		ID: "choosy", CallbackURLs: []string{pooltest.Callback}, ExplicitAuthFlows: []string{"ALLOW_USER_AUTH"},
	})
	v := e.NewVisitor().SignIn(t, "client_id", "choosy")
	if strings.Contains(v.Page.Body, "passkey") {
		t.Error("the sign-in page offers passkeys")
	}
	wantRefused(t, v.Submit(t, "passkey", "1"), 401, "Login option is not available")
	for _, v := range []*pooltest.Visitor{e.NewVisitor(), inSession(t, e)} {
		if v.Open(t, addPath); v.Page.StatusCode != http.StatusBadRequest || v.Left != nil {
			t.Errorf("the page to add one: %d at %s, left to %v", v.Page.StatusCode, v.At, v.Left)
		}
	}
}

var scriptElement = regexp.MustCompile(`(?s)<script>(.*)</script>`)

// TestPasskeyPageScript checks that the one script is allowed by its hash, that
// nothing else is, and that the page works without it.
func TestPasskeyPageScript(t *testing.T) {
	t.Parallel()
	e := steps(t, true, choosy())
	for what, v := range map[string]*pooltest.Visitor{
		"sign in": e.NewVisitor().SignIn(t, "client_id", "choosy").Submit(t, "passkey", "1"),
		"add":     inSession(t, e).Open(t, addPath),
	} {
		script := scriptElement.FindStringSubmatch(v.Page.Body)
		if script == nil || strings.Count(v.Page.Body, "<script") != 1 {
			t.Fatalf("%s: there must be one script", what)
		}
		sum := sha256.Sum256([]byte(script[1]))
		want := "; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		policy := v.Page.Header.Get("Content-Security-Policy")
		if !strings.HasSuffix(policy, want) || !strings.HasPrefix(policy, "default-src 'none'; ") {
			t.Errorf("%s: policy is %s, want %s at the end", what, policy, want)
		}
		page := html.UnescapeString(v.Page.Body)
		if !strings.Contains(page, "<noscript>") || !regexp.MustCompile(`name="(other|skip)"`).MatchString(page) {
			t.Errorf("%s: without scripts there is no way on", what)
		}
	}
}

// TestPasskeyAfterSignUp offers a passkey between the confirmation and the app,
// and makes nobody take it.
func TestPasskeyAfterSignUp(t *testing.T) {
	t.Parallel()
	s := choosy()
	s.SelfSignUp, s.AutoVerifiedAttributes = true, []string{"email"}
	s.Schema = []userpool.Attribute{{Name: "email", Required: true}}
	e := steps(t, true, s)
	for _, name := range []string{"takes", "leaves"} {
		v := e.NewVisitor().Open(t, "/signup?"+pooltest.Query("client_id", "choosy").Encode())
		f := v.Form(t)
		f.Fields.Set("username", name)
		f.Fields.Set("password", "a-password-1")
		for field := range f.Fields {
			if strings.Contains(field, "[email]") {
				f.Fields.Set(field, name+"@example.com")
			}
			if strings.Contains(field, "again") || strings.Contains(field, "repeat") {
				f.Fields.Set(field, "a-password-1")
			}
		}
		v.Send(t, f)
		wantPath(t, v, "/confirm")
		v.Submit(t, "code", sent(t, e, name+"@example.com"))
		wantPath(t, v, "/passkeys/add")
		if name == "leaves" {
			v.Submit(t, "skip", "1")
		} else {
			v.Submit(t, "credential", pooltest.NewAuthenticator().Create(t, v.Options(t)))
		}
		wantIn(t, v)
	}
}
