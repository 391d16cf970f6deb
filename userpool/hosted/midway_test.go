package hosted_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// bob is a user of every environment here, with nothing but a password.
func bob(t *testing.T, e *pooltest.Env) {
	t.Helper()
	_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{Username: "bob", Password: pooltest.Password})
	must(t, err)
}

func asBob(t *testing.T, e *pooltest.Env) *pooltest.Visitor {
	t.Helper()
	return e.NewVisitor().SignIn(t).Submit(t, "username", "bob", "password", pooltest.Password)
}

// TestAddressSetupTwice is begun by somebody who knows the password alone, and
// ended when the account has a second factor of its owner's: the address of the
// first does not count any more.
func TestAddressSetupTwice(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(*testing.T, *pooltest.Env) error{
		"an app": func(t *testing.T, e *pooltest.Env) error {
			t.Helper()
			return e.Pool.Users.SetTOTP(t.Context(), "bob", annsSecret)
		},
		"another address": func(t *testing.T, e *pooltest.Env) error {
			t.Helper()
			_, err := e.Pool.Users.UpdateAttributes(
				t.Context(), "bob", map[string]string{"phone_number": "+4915100000001"},
			)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := steps(t, false, settings(userpool.MFAOn, fTOTP, fSMS))
			bob(t, e)
			thief := asBob(t, e).Submit(t, "factor", fSMS, "address", "+4915199999999")
			must(t, meanwhile(t, e))
			thief.Submit(t, "code", sent(t, e, "+4915199999999"))
			wantPath(t, thief, "/mfa/code")
			if !strings.Contains(thief.Page.Body, signin.TextRegistered) || thief.Cookie("cognito") != "" {
				t.Errorf("got %s", brief(thief))
			}
			u, _, err := e.Pool.Users.Find(t.Context(), "bob")
			must(t, err)
			if u.Attributes["phone_number"] == "+4915199999999" {
				t.Error("the thief's address is the account's")
			}
		})
	}
}

// TestCodeForAnotherAddress has a code go to an address of the thief's, by a flow
// that began when the account had no second factor, and types it into another
// one, which asked for the code at the owner's address.
func TestCodeForAnotherAddress(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOn, fSMS, fEmail))
	bob(t, e)
	old := asBob(t, e).Submit(t, "factor", fSMS, "address", "+4915199999999")
	_, err := e.Pool.Users.UpdateAttributes(t.Context(), "bob", map[string]string{"phone_number": "+4915100000001"})
	must(t, err)
	v := asBob(t, e)
	wantPath(t, v, "/mfa/code")
	old.Submit(t, "resend", "1")
	v.Submit(t, "code", sent(t, e, "+4915199999999"))
	if v.Code() != "" {
		t.Fatal("signed in by a code for an address that is not the account's")
	}
	v.Submit(t, "resend", "1")
	wantIn(t, v.Submit(t, "code", sent(t, e, "+4915100000001")))
}

// midway are the ways in which an account can end while its user is signing in.
func midway(t *testing.T, e *pooltest.Env) map[string]func(name string) error {
	t.Helper()
	return map[string]func(string) error{
		"disabled": func(name string) error { return e.Pool.Users.Disable(t.Context(), name) },
		"deleted":  func(name string) error { return e.Pool.Users.Delete(t.Context(), name) },
	}
}

// TestAccountEndsMidway disables or deletes the user at each step: the right
// answer to it signs nobody in and changes nothing.
func TestAccountEndsMidway(t *testing.T) {
	t.Parallel()
	type at struct {
		v     *pooltest.Visitor
		e     *pooltest.Env
		user  string
		pairs []string
	}
	for name, arrive := range map[string]func(*testing.T) at{
		"mfa code": func(t *testing.T) at {
			t.Helper()
			e := steps(t, false, settings(userpool.MFAOptional))
			withTOTP(t, e)
			return at{typed(t, e), e, "ann", []string{"code", app(t, e)}}
		},
		"mfa code by SMS": func(t *testing.T) at {
			t.Helper()
			e := steps(t, false, settings(userpool.MFAOptional))
			must(t, e.Pool.Users.SetMFA(t.Context(), "ann", []string{fSMS}, ""))
			v := typed(t, e)
			return at{v, e, "ann", []string{"code", sent(t, e, "+4930123456")}}
		},
		"mfa setup": func(t *testing.T) at {
			t.Helper()
			e := steps(t, false, settings(userpool.MFAOn, fTOTP))
			v := typed(t, e)
			key := secretKey.FindStringSubmatch(v.Page.Body)[1]
			return at{v, e, "ann", []string{"code", pooltest.TOTP(t, key, e.Clock.Now())}}
		},
		"new password": func(t *testing.T) at {
			t.Helper()
			e := steps(t, false, settings(userpool.MFAOff))
			_, err := e.Pool.Users.Create(
				t.Context(), userpool.NewUser{Username: "new", Password: pooltest.Password, Temporary: true},
			)
			must(t, err)
			v := e.NewVisitor().SignIn(t).Submit(t, "username", "new", "password", pooltest.Password)
			return at{v, e, "new", []string{"new_password", newPassword, "new_password_again", newPassword}}
		},
		"password": func(t *testing.T) at {
			t.Helper()
			e := steps(t, true, choosy())
			return at{
				named(t, e, "ann").Submit(t, "factor", fPassword), e, "ann", []string{"password", pooltest.Password},
			}
		},
		"code": func(t *testing.T) at {
			t.Helper()
			e := steps(t, true, choosy())
			v := named(t, e, "ann").Submit(t, "factor", fEmail)
			return at{v, e, "ann", []string{"code", sent(t, e, "ann@example.com")}}
		},
		"passkey": func(t *testing.T) at {
			t.Helper()
			e := steps(t, true, choosy())
			key := annsKey(t, e)
			v := e.NewVisitor().SignIn(t, "client_id", "choosy").Submit(t, "passkey", "1")
			return at{v, e, "ann", []string{"credential", key.Get(t, v.Options(t))}}
		},
		"add passkey": func(t *testing.T) at {
			t.Helper()
			e := steps(t, true, choosy())
			v := e.NewVisitor().SignIn(t, "after", "add-passkey").Submit(
				t, "username", "ann", "password", pooltest.Password,
			)
			return at{v, e, "ann", []string{"credential", pooltest.NewAuthenticator().Create(t, v.Options(t))}}
		},
		"skip passkey": func(t *testing.T) at {
			t.Helper()
			e := steps(t, true, choosy())
			v := e.NewVisitor().SignIn(t, "after", "add-passkey").Submit(
				t, "username", "ann", "password", pooltest.Password,
			)
			return at{v, e, "ann", []string{"skip", "1"}}
		},
		"confirm": func(t *testing.T) at {
			t.Helper()
			e := openPool(t)
			v := e.NewVisitor().Open(t, "/signup?"+pooltest.Query().Encode()).Submit(t, "username", "eve",
				"password", newPassword, "requiredAttributes[email]", "eve@example.com")
			return at{v, e, "eve", []string{"code", "424242"}}
		},
		"reset": func(t *testing.T) at {
			t.Helper()
			e := openPool(t)
			v := e.NewVisitor().Open(t, "/forgotPassword?"+pooltest.Query().Encode()).Submit(t, "username", "ann")
			return at{v, e, "ann", []string{"code", "424242", "password", newPassword, "confirm_password", newPassword}}
		},
	} {
		for _, what := range []string{"disabled", "deleted"} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				a := arrive(t)
				must(t, midway(t, a.e)[what](a.user))
				before, _, err := a.e.Pool.Users.Find(t.Context(), a.user)
				must(t, err)
				v := a.v.Submit(t, a.pairs...)
				if v.Left != nil || v.Cookie("cognito") != "" || v.Page.StatusCode < 400 {
					t.Errorf("at %s (%d), left to %v: %s", v.At, v.Page.StatusCode, v.Left, brief(v))
				}
				after, _, err := a.e.Pool.Users.Find(t.Context(), a.user)
				must(t, err)
				if string(after.PasswordHash) != string(before.PasswordHash) || after.Status != before.Status ||
					len(after.MFA) != len(before.MFA) {
					t.Errorf("the account changed from %v to %v", before, after)
				}
			})
		}
	}
}

// TestPasskeyNeedsAnAccountInOrder opens the page that adds a passkey in a
// session whose user has to choose another password: a passkey of whoever has
// the session would outlast that.
func TestPasskeyNeedsAnAccountInOrder(t *testing.T) {
	t.Parallel()
	e := steps(t, true, choosy())
	open := inSession(t, e).Open(t, addPath)
	_, err := e.Pool.Recovery.ResetPassword(t.Context(), "ann")
	must(t, err)
	k := pooltest.NewAuthenticator()
	v := open.Submit(t, "credential", k.Create(t, open.Options(t)))
	if n := len(keysOf(t, e, e.Ann.Sub)); v.Page.StatusCode != http.StatusUnauthorized || n != 0 {
		t.Errorf("got %d and %d passkeys", v.Page.StatusCode, n)
	}
	wantPath(t, inSession(t, e).Open(t, addPath), "/login")
}

// TestPlantedFlow has somebody plant the browser's token, and a flow that they have
// begun, and wait for Ann to sign in there: from then on they are out.
func TestPlantedFlow(t *testing.T) {
	t.Parallel()
	s := choosy()
	s.MFA, s.MFATypes = userpool.MFAOptional, []string{fTOTP}
	e := steps(t, true, s)
	for name, arrive := range map[string]func(*pooltest.Visitor){
		"add a passkey": func(ann *pooltest.Visitor) { ann.Submit(t, "password", pooltest.Password) },
		"another step": func(ann *pooltest.Visitor) {
			withTOTP(t, e)
			ann.Submit(t, "password", pooltest.Password)
		},
	} {
		thief := e.NewVisitor().SignIn(t, "client_id", "choosy", "after", "add-passkey").Submit(t, "username", "ann")
		if thief.Path() == "/login/factor" {
			thief.Submit(t, "factor", fPassword)
		}
		wantPath(t, thief, "/login/password")
		ann := thief.Copy().Open(t, thief.At)
		_, planted, _ := strings.Cut(thief.At, "&flow=")
		arrive(ann)
		if ann.Path() == "/login/password" || ann.Path() == "/login" {
			t.Fatalf("%s: Ann is at %s: %s", name, ann.At, brief(ann))
		}
		if strings.Contains(ann.At, planted) {
			t.Errorf("%s: Ann goes on in the flow that was planted", name)
		}
		thief.Open(t, ann.Path()+thief.At[strings.IndexByte(thief.At, '?'):])
		if thief.Page.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: the thief is at %s", name, thief.At)
		}
	}
}

// TestFailingMessageTellsNobody has the trigger refuse messages, which are made for
// users who exist alone: the page for the code looks the same.
func TestFailingMessageTellsNobody(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t, func(c *pool.Config) {
		c.Settings = userpool.Settings{FirstFactors: []string{fEmail, fPassword}}
		c.Settings.Triggers = map[string]userpool.Trigger{userpool.TriggerCustomMessage: {URL: "http://trigger.test/"}}
		c.Invoke = func(context.Context, userpool.Trigger, []byte) ([]byte, error) {
			return nil, errors.New("no messages today")
		}
	})
	e.AddClient(t, userpool.Client{
		ID: "choosy", CallbackURLs: []string{pooltest.Callback}, ExplicitAuthFlows: []string{"ALLOW_USER_AUTH"},
	})
	v := named(t, e, "ann").Submit(t, "factor", fEmail)
	wantPath(t, v, "/login/code")
	wantRefused(t, v.Submit(t, "code", "000000"), 401, userpool.TextCodeMismatch)
	v.Submit(t, "resend", "1")
	if v.Page.StatusCode != http.StatusOK {
		t.Errorf("sending again: %d %s", v.Page.StatusCode, brief(v))
	}
}
