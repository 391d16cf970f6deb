package accounts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
	"github.com/google/go-cmp/cmp"
)

const goodPassword = "Battery-Staple-9"

// newAccounts is a pool where people can register.
func newAccounts(t testing.TB, changes ...func(*pool.Config)) *pooltest.Env {
	t.Helper()
	changes = append([]func(*pool.Config){func(c *pool.Config) {
		c.Settings = userpool.Settings{
			SelfSignUp: true, AutoVerifiedAttributes: []string{"email"}, FixedCode: "424242",
		}
	}}, changes...)
	return pooltest.New(t, changes...)
}

func signUpEve(t *testing.T, e *pooltest.Env) userpool.User {
	t.Helper()
	u, _, err := e.Pool.Registration.SignUp(t.Context(), accounts.SignUpRequest{
		Client: e.App, Username: "eve", Password: goodPassword,
		Attributes: map[string]string{"email": "eve@example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func find(t *testing.T, e *pooltest.Env, name string) userpool.User {
	t.Helper()
	u, ok, err := e.Pool.Users.Find(t.Context(), name)
	if err != nil || !ok {
		t.Fatalf("user %s: %t, %v", name, ok, err)
	}
	return u
}

// TestForgotWork compares what a request for a code, and a wrong code, cost for a
// user, for a name that nobody has, and for users whom no code can reach: the
// same look-ups, the same writes and no hash.
func TestForgotWork(t *testing.T) {
	t.Parallel()
	spy := &pooltest.Spy{}
	e := newAccounts(t, func(c *pool.Config) {
		spy.Store = c.Store
		c.Store = spy
	})
	verified := map[string]string{"email": "a@e.test", "email_verified": "true"}
	for _, n := range []userpool.NewUser{
		{Username: "off", Disabled: true, Attributes: verified}, {Username: "bare"},
		{Username: "fresh", Temporary: true, Attributes: verified},
		{Username: "confirmed", Attributes: verified},
	} {
		n.Password = "pw"
		_, err := e.Pool.Users.Create(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
	}
	signUpEve(t, e)
	_, err := e.Pool.Recovery.ForgotPassword(t.Context(), e.App, "warm") // makes the pool's secret
	pooltest.WantCode(t, "warming up", err, "")
	for _, tt := range []struct {
		what  string
		names []string
		do    func(name string) error
	}{
		{"forgot", []string{"ann", "nobody", "off", "bare", "fresh", "eve"}, func(name string) error {
			_, err := e.Pool.Recovery.ForgotPassword(t.Context(), e.App, name)
			return err
		}},
		{"confirm forgot", []string{"ann", "nobody", "off", "bare", "fresh", "eve"}, func(name string) error {
			return e.Pool.Recovery.ConfirmForgotPassword(t.Context(), e.App, name, "111111", goodPassword)
		}},
		{"resend", []string{"eve", "nobody", "off", "confirmed"}, func(name string) error {
			_, err := e.Pool.Registration.ResendConfirmation(t.Context(), e.App, name)
			return err
		}},
		{"confirm", []string{"eve", "nobody", "off", "confirmed"}, func(name string) error {
			_, err := e.Pool.Registration.ConfirmSignUp(t.Context(), e.App, name, "111111")
			return err
		}},
	} {
		for round := range 3 {
			var first []string
			for i, name := range tt.names {
				e.Clock.Advance(2 * time.Minute) // so that tidying up falls on each
				spy.Calls()
				before := e.Pool.Users.Hashes()
				got := fmt.Sprint(tt.do(name), e.Pool.Users.Hashes()-before)
				ops := append(spy.Calls(), got)
				if i == 0 {
					first = ops
				}
				if round > 0 && !slices.Equal(ops, first) { // the first round begins the counts
					t.Errorf(
						"%s, round %d: %s differs from %s:\n%s", tt.what, round, name, tt.names[0],
						cmp.Diff(first, ops),
					)
				}
			}
		}
	}
}

// TestRevealedErrors has the texts of a client that wants people to know, and
// what others get instead.
func TestRevealedErrors(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	legacy := e.App
	legacy.ID, legacy.RevealUserExistence = "legacy", true
	signUpEve(t, e)
	forgot := func(c userpool.Client, name string) error {
		_, err := e.Pool.Recovery.ForgotPassword(t.Context(), c, name)
		return err
	}
	resend := func(c userpool.Client, name string) error {
		_, err := e.Pool.Registration.ResendConfirmation(t.Context(), c, name)
		return err
	}
	confirm := func(c userpool.Client, name string) error {
		_, err := e.Pool.Registration.ConfirmSignUp(t.Context(), c, name, "424242")
		return err
	}
	reset := func(c userpool.Client, name string) error {
		return e.Pool.Recovery.ConfirmForgotPassword(t.Context(), c, name, "424242", goodPassword)
	}
	for _, tt := range []struct {
		what           string
		do             func(userpool.Client, string) error
		name           string
		legacy, hidden string
	}{
		{"forgot", forgot, "nobody", userpool.CodeUserNotFound, ""},
		{"forgot", forgot, "eve", userpool.CodeInvalidParameter, ""},
		{"resend", resend, "nobody", userpool.CodeUserNotFound, ""},
		{"resend", resend, "ann", userpool.CodeInvalidParameter, ""},
		{"confirm", confirm, "ann", userpool.CodeNotAuthorized, userpool.CodeMismatch},
		{"confirm", confirm, "nobody", userpool.CodeUserNotFound, userpool.CodeMismatch},
		{"confirm", confirm, "none", userpool.CodeUserNotFound, userpool.CodeExpired},
		{"reset", reset, "nobody", userpool.CodeUserNotFound, userpool.CodeMismatch},
		{"reset", reset, "none", userpool.CodeUserNotFound, userpool.CodeExpired},
	} {
		pooltest.WantCode(t, tt.what+" "+tt.name+" at the legacy client", tt.do(legacy, tt.name), tt.legacy)
		pooltest.WantCode(t, tt.what+" "+tt.name, tt.do(e.App, tt.name), tt.hidden)
	}
}

func TestPasswordPolicy(t *testing.T) {
	t.Parallel()
	all := userpool.PasswordPolicy{
		MinimumLength: 8, RequireUppercase: true, RequireLowercase: true, RequireNumbers: true, RequireSymbols: true,
	}
	const prefix = "Password did not conform with policy: "
	for _, tt := range []struct {
		policy   userpool.PasswordPolicy
		password userpool.Secret
		want     string
	}{
		{userpool.PasswordPolicy{}, "", "Password not long enough"},
		{userpool.PasswordPolicy{}, "x", ""},
		{userpool.PasswordPolicy{}, userpool.Secret(strings.Repeat("x", 256)), ""},
		{userpool.PasswordPolicy{}, userpool.Secret(strings.Repeat("x", 257)), "Password too long"},
		{userpool.PasswordPolicy{}, " x", "Password must not begin or end with a space"},
		{all, "Aa1-567", "Password not long enough"},
		{all, "äöüÄÖÜß1", "Password must have uppercase characters"},
		{all, "AAAA1111", "Password must have lowercase characters"},
		{all, "Aaaaaaa-", "Password must have numeric characters"},
		{all, "Aaaaaaa١-", "Password must have numeric characters"},
		{all, "Aaaaaaa1", "Password must have symbol characters"},
		{all, "Aaaaaaa1€", "Password must have symbol characters"},
		{all, "Aaaaaa1-", ""}, {all, "Aaaa aa1", ""}, {all, "Aaaaaa1`", ""}, {all, `Aaaaaa1\`, ""},
	} {
		got := ""
		err := tt.policy.Check(tt.password)
		if refusal, ok := errors.AsType[*userpool.Error](err); ok {
			got = strings.TrimPrefix(refusal.Description, prefix)
			if refusal.Code != userpool.CodeInvalidPassword {
				t.Errorf("%q: code %s", string(tt.password), refusal.Code)
			}
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", string(tt.password), got, tt.want)
		}
	}
}

// TestPasswordHistory keeps the last three passwords from being used again, and
// no more.
func TestPasswordHistory(t *testing.T) {
	t.Parallel()
	e := newAccounts(t, func(c *pool.Config) { c.Settings.Passwords.History = 3 })
	set := func(pw userpool.Secret) error { return e.Pool.Users.SetPassword(t.Context(), "ann", pw, true) }
	for _, pw := range []userpool.Secret{"first", "second", "third"} {
		pooltest.WantCode(t, string(pw), set(pw), "")
	}
	for _, pw := range []userpool.Secret{"first", "second", "third"} {
		pooltest.WantCode(t, string(pw)+" again", set(pw), userpool.CodePasswordHistory)
	}
	pooltest.WantCode(t, "the one before them", set(pooltest.Password), "")
	pooltest.WantCode(t, "first, which is forgotten by now", set("first"), "")
	if n := len(find(t, e, "ann").PreviousHashes); n != 3 {
		t.Errorf("%d hashes are kept", n)
	}
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	pooltest.WantCode(t, "temporary", e.Pool.Users.SetPassword(t.Context(), e.Ann.Sub, goodPassword, false), "")
	u := find(t, e, "ann")
	if u.Status != userpool.UserForceChange || !u.TemporaryUntil.Equal(e.Clock.Now().Add(7*24*time.Hour)) {
		t.Errorf("got %s until %s", u.Status, u.TemporaryUntil)
	}
	pooltest.WantCode(t, "permanent", e.Pool.Users.SetPassword(t.Context(), "ANN", "other", true), "")
	if u = find(t, e, "ann"); u.Status != userpool.UserConfirmed || !u.TemporaryUntil.IsZero() {
		t.Errorf("got %s until %s", u.Status, u.TemporaryUntil)
	}
	pooltest.WantAnswer(t, "the new one", e.TrySignIn(t, "ann", "other"), "ok")
	pooltest.WantCode(
		t, "nobody", e.Pool.Users.SetPassword(t.Context(), "nobody", "x", true), userpool.CodeUserNotFound,
	)
	pooltest.WantCode(t, "none", e.Pool.Users.SetPassword(t.Context(), "ann", "", true), userpool.CodeInvalidPassword)
}

func TestTemporaryUsers(t *testing.T) {
	t.Parallel()
	e := newAccounts(t, func(c *pool.Config) {
		c.Settings.Passwords = userpool.PasswordPolicy{MinimumLength: 40, RequireSymbols: true, RequireLowercase: true}
	})
	u, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{
		Username: "new", Invite: true, Attributes: map[string]string{"email": "new@example.com"},
	})
	if err != nil || u.Status != userpool.UserForceChange || u.TemporaryUntil.IsZero() {
		t.Fatalf("got %s, %v", u.Status, err)
	}
	m := e.Newest(t)
	if m.Purpose != userpool.PurposeInvitation || m.To != "new@example.com" ||
		!strings.Contains(m.Body, string(m.Code)) ||
		!strings.Contains(m.Body, "new") || e.Pool.Settings().Passwords.Check(m.Code) != nil {
		t.Errorf("the invitation is %v with a password of %d bytes", m, len(m.Code))
	}
	imported, err := e.Pool.Users.Create(
		t.Context(), userpool.NewUser{Username: "imported", Status: userpool.UserResetRequired},
	)
	if err != nil || imported.PasswordHash != "" {
		t.Errorf("importing: %v", err)
	}
	for name, n := range map[string]userpool.NewUser{
		"no password": {Username: "x"}, "odd status": {Username: "x", Password: "x", Status: "ARCHIVED"},
		"temporary, none": {Username: "x", Temporary: true}, "odd sub": {Username: "x", Password: "x", Sub: "a b"},
	} {
		_, err := e.Pool.Users.Create(t.Context(), n)
		pooltest.WantCode(t, name, err, userpool.CodeInvalidParameter)
	}
	_, err = e.Pool.Users.Create(t.Context(), userpool.NewUser{Username: "x", Password: "x", Sub: e.Ann.Sub})
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("a sub that is taken: %v", err)
	}
}

// TestSchemaValues holds values to types and bounds.
func TestSchemaValues(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	err := e.Pool.Configure(t.Context(), userpool.Settings{Schema: []userpool.Attribute{
		{Name: "custom:n", Type: userpool.TypeNumber, Min: -5, Max: 10},
		{Name: "custom:s", Type: userpool.TypeString, Min: 2, Max: 3},
		{Name: "custom:b", Type: userpool.TypeBoolean}, {Name: "custom:d", Type: userpool.TypeDateTime},
		{Name: "custom:f", Immutable: true}, {Name: "nickname", Max: 4},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, value string
		ok          bool
	}{
		{"custom:n", "10", true}, {"custom:n", "-5", true}, {"custom:n", "11", false}, {"custom:n", "-6", false},
		{"custom:n", "1.5", false}, {"custom:n", "0x1", false}, {"custom:n", strings.Repeat("9", 30), false},
		{"custom:s", "üü", true}, {"custom:s", "ü", false}, {"custom:s", "üüüü", false},
		{"custom:b", "TRUE", true}, {"custom:b", "yes", false},
		{"custom:d", "2026-05-06", true}, {"custom:d", "2026-05-06T07:08:09Z", true}, {"custom:d", "1777777777", true},
		{"custom:d", "tomorrow", false}, {"custom:unlisted", "x", false}, {"nickname", "abcd", true},
		{"nickname", "abcde", false},
		{"birthdate", "1999-12-31", true}, {"birthdate", "1999", false}, {"updated_at", "1", true},
		{"updated_at", "-1", false},
		{"updated_at", "now", false}, {"phone_number", "+4930123456", true}, {"phone_number", "030123456", false},
		{"phone_number", "+0301", false}, {"phone_number", "+1234567890123456", false}, {"name", "a\x00b", false},
		{"address", "a\nb", true}, {"sub", "x", false}, {"custom:f", "a", true}, {"custom:f", "b", false},
	} {
		u, err := e.Pool.Users.UpdateAttributes(t.Context(), "ann", map[string]string{tt.name: tt.value})
		refusal, refused := errors.AsType[*userpool.Error](err)
		if tt.ok != (err == nil) || err != nil && !refused {
			t.Errorf("%s = %q: %v", tt.name, tt.value, err)
		}
		if err == nil && !strings.EqualFold(u.Attributes[tt.name], tt.value) {
			t.Errorf("%s is %q, want %q", tt.name, u.Attributes[tt.name], tt.value)
		}
		if refused && refusal.Code != userpool.CodeInvalidParameter {
			t.Errorf("%s = %q: code %s", tt.name, tt.value, refusal.Code)
		}
	}
}

func TestSchemaSettings(t *testing.T) {
	t.Parallel()
	many := make([]userpool.Attribute, 51)
	for i := range many {
		many[i].Name = fmt.Sprint("custom:a", i)
	}
	for name, tt := range map[string]struct {
		schema []userpool.Attribute
		ok     bool
	}{
		"none": {nil, true}, "standard": {[]userpool.Attribute{{Name: "email", Required: true, Type: "String"}}, true},
		"sub":             {[]userpool.Attribute{{Name: "sub", Required: true, Immutable: true}}, true},
		"updated_at":      {[]userpool.Attribute{{Name: "updated_at", Type: "Number"}}, true},
		"unknown":         {[]userpool.Attribute{{Name: "plan"}}, false},
		"twice":           {[]userpool.Attribute{{Name: "email"}, {Name: "email"}}, false},
		"custom required": {[]userpool.Attribute{{Name: "custom:a", Required: true}}, false},
		"odd type":        {[]userpool.Attribute{{Name: "custom:a", Type: "Integer"}}, false},
		"other type":      {[]userpool.Attribute{{Name: "email", Type: "Number"}}, false},
		"verified":        {[]userpool.Attribute{{Name: "email_verified", Required: true}}, false},
		"bounds":          {[]userpool.Attribute{{Name: "name", Min: 5, Max: 4}}, false},
		"long name":       {[]userpool.Attribute{{Name: "custom:" + strings.Repeat("a", 21)}}, false},
		"50":              {many[:50], true}, "51": {many, false},
	} {
		err := userpool.CheckSettings(userpool.Settings{Schema: tt.schema})
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSignInNames has every kind of name that signs somebody in.
func TestSignInNames(t *testing.T) {
	t.Parallel()
	both := []string{"email", "phone_number"}
	for name, tt := range map[string]struct {
		usernames, aliases []string
		user               userpool.NewUser
		works, fails       []string
	}{
		"plain": {user: userpool.NewUser{
			Username: "Bob", Attributes: map[string]string{"email": "b@c.test", "email_verified": "true"},
		},
			works: []string{"bob", "BOB "}, fails: []string{"b@c.test"}},
		"aliases": {aliases: []string{"email", "phone_number", "preferred_username"},
			user: userpool.NewUser{Username: "Bob", Attributes: map[string]string{
				"email": "b@c.test", "email_verified": "true", "phone_number": "+4912345",
				"preferred_username": "Bobby"}},
			works: []string{"bob", "B@c.test", "bobby"}, fails: []string{"+4912345"}},
		"phone alias": {aliases: []string{"phone_number"},
			user: userpool.NewUser{Username: "bob", Attributes: map[string]string{
				"phone_number": "+4912345", "phone_number_verified": "true"}},
			works: []string{"bob", "+4912345"}},
		"phone": {
			usernames: []string{"phone_number"}, user: userpool.NewUser{Username: "+4912345"},
			works: []string{"+4912345"},
		},
		"either, by phone": {usernames: both,
			user:  userpool.NewUser{Username: "+4912345", Attributes: map[string]string{"email": "b@c.test"}},
			works: []string{"+4912345"}, fails: []string{"b@c.test"}},
		"either, by e-mail": {usernames: both,
			user: userpool.NewUser{Username: "b@c.test", Attributes: map[string]string{
				"phone_number": "+4912345", "phone_number_verified": "true"}},
			works: []string{"b@c.test", "+4912345"}},
		"either, by attribute": {usernames: both,
			user: userpool.NewUser{Attributes: map[string]string{"email": "b@c.test"}}, works: []string{"b@c.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newAccounts(t, func(c *pool.Config) {
				c.Settings.UsernameAttributes, c.Settings.AliasAttributes = tt.usernames, tt.aliases
			})
			tt.user.Password = "x"
			u, err := e.Pool.Users.Create(t.Context(), tt.user)
			if err != nil {
				t.Fatal(err)
			}
			if tt.usernames != nil && u.Username != u.Sub {
				t.Errorf("the user name is %s", u.Username)
			}
			for _, login := range tt.works {
				pooltest.WantAnswer(t, login, e.TrySignIn(t, login, "x"), "ok")
			}
			for _, login := range append(tt.fails, "", "nobody") {
				pooltest.WantAnswer(t, login, e.TrySignIn(t, login, "x"), userpool.TextIncorrect)
			}
		})
	}
}

// TestNamesThatLookAlike has names that could stand where somebody's address
// belongs.
func TestNamesThatLookAlike(t *testing.T) {
	t.Parallel()
	e := newAccounts(t, func(c *pool.Config) {
		c.Settings.AliasAttributes = []string{"email", "phone_number", "preferred_username"}
	})
	for name, n := range map[string]userpool.NewUser{
		"e-mail": {Username: "v@c.test"}, "phone": {Username: "+4912345"},
		"preferred e-mail": {Username: "eve", Attributes: map[string]string{"preferred_username": "v@c.test"}},
		"preferred phone":  {Username: "eve", Attributes: map[string]string{"preferred_username": "+4912345"}},
		"preferred space":  {Username: "eve", Attributes: map[string]string{"preferred_username": "e ve"}},
	} {
		n.Password = "x"
		_, err := e.Pool.Users.Create(t.Context(), n)
		pooltest.WantCode(t, name, err, userpool.CodeInvalidParameter)
	}
	n := userpool.NewUser{Username: "eve", Password: "x", Attributes: map[string]string{"preferred_username": "ANN"}}
	_, err := e.Pool.Users.Create(t.Context(), n)
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("somebody's user name as preferred_username: %v", err)
	}
	_, _, err = e.Pool.Registration.SignUp(t.Context(), accounts.SignUpRequest{
		Client: e.App, Username: "eve", Password: "x",
		Attributes: map[string]string{"email": "e@c.test", "preferred_username": "evy"},
	})
	pooltest.WantCode(t, "preferred_username at sign-up", err, userpool.CodeInvalidParameter)
}

// TestUpdateAttributes has what follows when an address changes.
func TestUpdateAttributes(t *testing.T) {
	t.Parallel()
	e := newAccounts(t, func(c *pool.Config) { c.Settings.AliasAttributes = []string{"email"} })
	update := func(name string, attributes map[string]string) (userpool.User, error) {
		return e.Pool.Users.UpdateAttributes(t.Context(), name, attributes)
	}
	pooltest.WantAnswer(t, "before", e.TrySignIn(t, "ann@example.com", pooltest.Password), "ok")
	u, err := update("ann@example.com", map[string]string{"email": "new@example.com"})
	if err != nil || u.Attributes["email_verified"] != "false" {
		t.Errorf("got %v, %v", u.Attributes, err)
	}
	for _, old := range []string{"ann@example.com", "new@example.com"} {
		pooltest.WantAnswer(t, old, e.TrySignIn(t, old, pooltest.Password), userpool.TextIncorrect)
	}
	u, err = update("ann", map[string]string{"email_verified": "true", "custom:plan": "", "name": "Anne"})
	if err != nil || u.Attributes["custom:plan"] != "" || u.Attributes["name"] != "Anne" {
		t.Errorf("got %v, %v", u.Attributes, err)
	}
	pooltest.WantAnswer(t, "verified", e.TrySignIn(t, "new@example.com", pooltest.Password), "ok")
	n := userpool.NewUser{Username: "bob", Password: "x", Attributes: map[string]string{"email": "NEW@example.com"}}
	_, err = e.Pool.Users.Create(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	_, err = update("bob", map[string]string{"email_verified": "true"})
	pooltest.WantCode(t, "an alias that is taken", err, userpool.CodeAliasExists)
	u, err = update("ann", map[string]string{"email": ""})
	if _, there := u.Attributes["email_verified"]; err != nil || there {
		t.Errorf("after removing: %v, %v", u.Attributes, err)
	}
	_, err = update("nobody", nil)
	pooltest.WantCode(t, "nobody", err, userpool.CodeUserNotFound)
	_, err = update("ann", map[string]string{"cognito:groups": "admins"})
	pooltest.WantCode(t, "unknown", err, userpool.CodeInvalidParameter)
}

// TestDisableUser checks that nothing of a disabled user works any more.
func TestDisableUser(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	session, tokens := e.Session(t), e.Tokens(t)
	_, err := e.Pool.Recovery.ForgotPassword(t.Context(), e.App, "ann")
	pooltest.WantCode(t, "forgot", err, "")
	pooltest.WantCode(t, "disabling", e.Pool.Users.Disable(t.Context(), "ann"), "")
	if got := e.TrySignIn(t, "ann", pooltest.Password); got == "ok" {
		t.Error("signed in")
	}
	a := e.Get(t, "/oauth2/authorize", pooltest.Query(), session)
	if strings.Contains(a.Header.Get("Location"), "code=") {
		t.Error("the session works")
	}
	if a := e.Refresh(t, tokens["refresh_token"]); a.StatusCode == 200 {
		t.Error("the refresh token works")
	}
	err = e.Pool.Recovery.ConfirmForgotPassword(t.Context(), e.App, "ann", "424242", goodPassword)
	pooltest.WantCode(t, "the code for a new password", err, userpool.CodeExpired)
	pooltest.WantCode(t, "enabling", e.Pool.Users.Enable(t.Context(), "ann"), "")
	pooltest.WantAnswer(t, "enabled", e.TrySignIn(t, "ann", pooltest.Password), "ok")
}

func TestAdminConfirm(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	signUpEve(t, e)
	pooltest.WantCode(t, "confirming", e.Pool.Users.Confirm(t.Context(), "eve"), "")
	if u := find(t, e, "eve"); u.Status != userpool.UserConfirmed || u.Attributes["email_verified"] != "" {
		t.Errorf("got %s, %v", u.Status, u.Attributes)
	}
	pooltest.WantCode(t, "again", e.Pool.Users.Confirm(t.Context(), "eve"), userpool.CodeNotAuthorized)
	_, err := e.Pool.Registration.ConfirmSignUp(t.Context(), e.App, "eve", "424242")
	pooltest.WantCode(t, "the code", err, userpool.CodeExpired)
}

// TestConfirmVerifiesWhatWasSent checks that a code does not verify an address
// that it did not go to.
func TestConfirmVerifiesWhatWasSent(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	signUpEve(t, e)
	_, err := e.Pool.Users.UpdateAttributes(t.Context(), "eve", map[string]string{"email": "victim@example.com"})
	pooltest.WantCode(t, "changing", err, "")
	u, err := e.Pool.Registration.ConfirmSignUp(t.Context(), e.App, "eve", "424242")
	if err != nil || u.Status != userpool.UserConfirmed || u.Attributes["email_verified"] != "" {
		t.Errorf("got %s, %v, %v", u.Status, u.Attributes, err)
	}
}

func TestDeleteUserEndsAll(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	session := e.Session(t)
	_, err := e.Pool.Recovery.ForgotPassword(t.Context(), e.App, "ann")
	pooltest.WantCode(t, "forgot", err, "")
	pooltest.WantCode(t, "deleting", e.Pool.Users.Delete(t.Context(), "ann"), "")
	pooltest.WantCode(t, "again", e.Pool.Users.Delete(t.Context(), "ann"), userpool.CodeUserNotFound)
	a := e.Get(t, "/oauth2/authorize", pooltest.Query(), session)
	if strings.Contains(a.Header.Get("Location"), "code=") {
		t.Error("the session works")
	}
	err = e.Pool.Recovery.ConfirmForgotPassword(t.Context(), e.App, "ann", "424242", goodPassword)
	pooltest.WantCode(t, "the code", err, userpool.CodeExpired)
}

func TestGroupsOfUser(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	pooltest.WantCode(t, "adding", e.Pool.Users.AddToGroup(t.Context(), "ann", "new"), "")
	pooltest.WantCode(t, "again", e.Pool.Users.AddToGroup(t.Context(), "ann", "new"), "")
	pooltest.WantCode(t, "removing", e.Pool.Users.RemoveFromGroup(t.Context(), "ann", "admins"), "")
	pooltest.WantCode(t, "again", e.Pool.Users.RemoveFromGroup(t.Context(), "ann", "admins"), "")
	pooltest.WantCode(
		t, "an odd one", e.Pool.Users.AddToGroup(t.Context(), "ann", "a b"), userpool.CodeInvalidParameter,
	)
	if got := find(t, e, "ann").Groups; !slices.Equal(got, []string{"zebra", "new"}) {
		t.Errorf("got %v", got)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	for i := range 5 {
		_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{
			Username: fmt.Sprint("bob", i), Password: "x", Groups: []string{"bobs"},
			Attributes: map[string]string{"name": fmt.Sprint("Bob ", i)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		q    accounts.UserQuery
		want int
	}{
		"all": {accounts.UserQuery{}, 6}, "two": {accounts.UserQuery{Limit: 2}, 2},
		"group":   {accounts.UserQuery{Group: "bobs"}, 5},
		"name":    {accounts.UserQuery{Attribute: "name", Value: "Bob 3"}, 1},
		"prefix":  {accounts.UserQuery{Attribute: "username", Value: "bob", Prefix: true}, 5},
		"partial": {accounts.UserQuery{Attribute: "name", Value: "Bob"}, 0},
		"status":  {accounts.UserQuery{Attribute: "status", Value: "CONFIRMED"}, 6},
	} {
		got, err := e.Pool.Users.List(t.Context(), tt.q)
		if err != nil || len(got) != tt.want {
			t.Errorf("%s: got %d, %v, want %d", name, len(got), err, tt.want)
		}
	}
	_, err := e.Pool.Users.List(t.Context(), accounts.UserQuery{Attribute: "group", Value: "bobs"})
	pooltest.WantCode(t, "no attribute", err, userpool.CodeInvalidParameter)
	seen, q := 0, accounts.UserQuery{Limit: 4}
	for {
		page, err := e.Pool.Users.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page)
		if len(page) < q.Limit {
			break
		}
		q.After = page[len(page)-1].Sub
	}
	if seen != 6 {
		t.Errorf("pages have %d users", seen)
	}
}

// TestPutUser makes users as a file says, again and again.
func TestPutUser(t *testing.T) {
	t.Parallel()
	e := newAccounts(t, func(c *pool.Config) { c.Settings.AliasAttributes = []string{"preferred_username"} })
	put := func(n userpool.NewUser, wantCreated bool) userpool.User {
		t.Helper()
		u, created, err := e.Pool.Users.Put(t.Context(), n)
		if err != nil || created != wantCreated {
			t.Fatalf("putting: created %t, %v", created, err)
		}
		return u
	}
	n := userpool.NewUser{Sub: "fixed", Username: "Bob", Password: "one", Attributes: map[string]string{"name": "Bob"}}
	first := put(n, true)
	same := put(n, false)
	if same.Version != first.Version || !same.PasswordHash.Equal(first.PasswordHash) || same.Sub != "fixed" {
		t.Error("the same again changed something")
	}
	n.Attributes, n.Groups = map[string]string{"name": "Robert"}, []string{"g"}
	changed := put(n, false)
	if changed.Attributes["name"] != "Robert" || !changed.PasswordHash.Equal(first.PasswordHash) ||
		len(changed.Groups) != 1 {
		t.Errorf("got %v", changed)
	}
	n.Password = "two"
	put(n, false)
	pooltest.WantAnswer(t, "the new password", e.TrySignIn(t, "bob", "two"), "ok")
	n.Disabled = true
	put(n, false)
	if got := e.TrySignIn(t, "bob", "two"); got == "ok" {
		t.Error("a disabled user signs in")
	}
	invited := userpool.NewUser{Username: "new", Password: "temporary", Temporary: true}
	put(invited, true)
	pooltest.WantCode(t, "choosing a password", e.Pool.Users.SetPassword(t.Context(), "new", "own", true), "")
	put(invited, false)
	pooltest.WantAnswer(t, "the chosen one stays", e.TrySignIn(t, "new", "own"), "ok")
	_, err := e.Pool.Users.UpdateAttributes(t.Context(), "ann", map[string]string{"preferred_username": "carl"})
	pooltest.WantCode(t, "an alias", err, "")
	_, _, err = e.Pool.Users.Put(t.Context(), userpool.NewUser{Username: "carl", Password: "x"})
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("a name that is Ann's alias: %v", err)
	}
	_, _, err = e.Pool.Users.Put(t.Context(), userpool.NewUser{Sub: "other", Username: "bob", Password: "two"})
	pooltest.WantCode(t, "another sub", err, userpool.CodeInvalidParameter)
}

// TestConcurrentReset sends one code many times at once: one password is set.
func TestConcurrentReset(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	_, err := e.Pool.Recovery.ForgotPassword(t.Context(), e.App, "ann")
	pooltest.WantCode(t, "forgot", err, "")
	done := make(chan error, 16)
	for i := range cap(done) {
		go func() {
			pw := userpool.Secret(fmt.Sprint("password-", i))
			done <- e.Pool.Recovery.ConfirmForgotPassword(t.Context(), e.App, "ann", "424242", pw)
		}()
	}
	set := 0
	for range cap(done) {
		err := <-done
		if err == nil {
			set++
		} else {
			pooltest.WantCode(t, "one of the others", err, userpool.CodeExpired)
		}
	}
	if set != 1 {
		t.Errorf("%d passwords were set", set)
	}
}

// TestResetUnlocks lets in who was locked out by somebody else's guesses.
func TestResetUnlocks(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	for range 12 {
		e.TrySignIn(t, "ann", "wrong")
		e.Clock.Advance(4 * time.Minute)
	}
	pooltest.WantAnswer(t, "the next", e.TrySignIn(t, "ann", "wrong"), userpool.TextIncorrect)
	pooltest.WantAnswer(t, "locked", e.TrySignIn(t, "ann", pooltest.Password), userpool.TextLocked)
	_, err := e.Pool.Recovery.ForgotPassword(t.Context(), e.App, "ann")
	pooltest.WantCode(t, "forgot", err, "")
	pooltest.WantCode(
		t, "reset", e.Pool.Recovery.ConfirmForgotPassword(t.Context(), e.App, "ann", "424242", goodPassword), "",
	)
	pooltest.WantAnswer(t, "the new one", e.TrySignIn(t, "ann", goodPassword), "ok")
}

// TestRecoveryMedium chooses where the code for a new password goes.
func TestRecoveryMedium(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		recovery []string
		user     userpool.NewUser
		mfa      userpool.MFA
		want     string
	}{
		"e-mail first": {nil, userpool.NewUser{}, "", "b***@c***"},
		"phone first":  {[]string{"verified_phone_number", "verified_email"}, userpool.NewUser{}, "", "+*******2345"},
		"second factor": {
			nil, userpool.NewUser{MFA: []string{userpool.FactorEmail}}, userpool.MFAOptional, "+*******2345",
		},
		"no longer one": {nil, userpool.NewUser{MFA: []string{userpool.FactorEmail}}, userpool.MFAOff, "b***@c***"},
	} {
		e := newAccounts(t, func(c *pool.Config) {
			c.Settings.Recovery, c.Settings.MFA = tt.recovery, tt.mfa
			c.Settings.MFATypes = []string{userpool.FactorEmail}
		})
		tt.user.Username, tt.user.Password = "bob", "x"
		tt.user.Attributes = map[string]string{
			"email": "b@c.test", "email_verified": "true", "phone_number": "+4912345", "phone_number_verified": "true",
		}
		_, err := e.Pool.Users.Create(t.Context(), tt.user)
		if err != nil {
			t.Fatal(err)
		}
		d, err := e.Pool.Recovery.ForgotPassword(t.Context(), e.App, "bob")
		if err != nil || d.Destination != tt.want {
			t.Errorf("%s: got %v, %v, want %s", name, d, err, tt.want)
		}
	}
}

// TestWriteAttributes holds a sign-up to what its client may write.
func TestWriteAttributes(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	c := e.App
	c.WriteAttributes = []string{"email"}
	r := accounts.SignUpRequest{
		Client: c, Username: "eve", Password: "x", Attributes: map[string]string{"email": "e@c.test", "name": "E"},
	}
	_, _, err := e.Pool.Registration.SignUp(t.Context(), r)
	pooltest.WantCode(t, "name", err, userpool.CodeNotAuthorized)
	delete(r.Attributes, "name")
	_, _, err = e.Pool.Registration.SignUp(t.Context(), r)
	pooltest.WantCode(t, "email alone", err, "")
}

// triggers answers with what a test wants, by trigger source.
func triggers(answers map[string]string, refusals map[string]string, seen *[]string) func(*pool.Config) {
	return func(c *pool.Config) {
		c.Settings.Triggers = map[string]userpool.Trigger{}
		for _, name := range []string{
			userpool.TriggerPreSignUp, userpool.TriggerPostConfirmation, userpool.TriggerCustomMessage,
		} {
			c.Settings.Triggers[name] = userpool.Trigger{URL: "http://trigger.test/"}
		}
		c.Invoke = func(_ context.Context, _ userpool.Trigger, event []byte) ([]byte, error) {
			var e struct{ TriggerSource string }
			err := json.Unmarshal(event, &e)
			if err != nil {
				return nil, err
			}
			*seen = append(*seen, e.TriggerSource)
			if text := refusals[e.TriggerSource]; text != "" {
				return nil, &userpool.TriggerRefusal{Message: text}
			}
			response := answers[e.TriggerSource]
			if response == "" {
				response = "{}"
			}
			return []byte(`{"response":` + response + `}`), nil
		}
	}
}

func TestAccountTriggers(t *testing.T) {
	t.Parallel()
	var seen []string
	e := newAccounts(t, triggers(map[string]string{
		"CustomMessage_SignUp":         `{"emailMessage":"<b>{####}</b> for {username}","emailSubject":"hi"}`,
		"CustomMessage_ForgotPassword": `{"smsMessage":"unused"}`,
	}, nil, &seen))
	seen = nil
	signUpEve(t, e)
	if m := e.Newest(t); m.Subject != "hi" || m.Body != "<b>424242</b> for eve" || !m.HTML {
		t.Errorf("the mail is %q, %q", m.Subject, m.Body)
	}
	_, err := e.Pool.Registration.ResendConfirmation(t.Context(), e.App, "eve")
	pooltest.WantCode(t, "resend", err, "")
	_, err = e.Pool.Registration.ConfirmSignUp(t.Context(), e.App, "eve", "424242")
	pooltest.WantCode(t, "confirm", err, "")
	_, err = e.Pool.Recovery.ForgotPassword(t.Context(), e.App, "eve")
	pooltest.WantCode(t, "forgot", err, "")
	_, err = e.Pool.Recovery.ForgotPassword(t.Context(), e.App, "nobody")
	pooltest.WantCode(t, "forgot nobody", err, "")
	pooltest.WantCode(
		t, "reset", e.Pool.Recovery.ConfirmForgotPassword(t.Context(), e.App, "eve", "424242", goodPassword), "",
	)
	want := []string{
		"PreSignUp_SignUp", "CustomMessage_SignUp", "CustomMessage_ResendCode", "PostConfirmation_ConfirmSignUp",
		"CustomMessage_ForgotPassword", "PostConfirmation_ConfirmForgotPassword",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("got %v, want %v", seen, want)
	}
}

// TestAutoConfirm has a pre-sign-up trigger that lets everybody in, or nobody.
func TestAutoConfirm(t *testing.T) {
	t.Parallel()
	var seen []string
	e := newAccounts(t, triggers(map[string]string{
		"PreSignUp_SignUp": `{"autoConfirmUser":true,"autoVerifyEmail":true}`,
	}, nil, &seen))
	u := signUpEve(t, e)
	if u.Status != userpool.UserConfirmed || u.Attributes["email_verified"] != "true" || len(seen) != 2 {
		t.Errorf("got %s, %v, triggers %v", u.Status, u.Attributes, seen)
	}
	_, _, err := e.Pool.Registration.SignUp(
		t.Context(), accounts.SignUpRequest{Client: e.App, Username: "noaddress", Password: "x"},
	)
	pooltest.WantCode(t, "verified, but not there", err, userpool.CodeInvalidParameter)
	e = newAccounts(t, triggers(nil, map[string]string{"PreSignUp_SignUp": "no way"}, &seen))
	_, _, err = e.Pool.Registration.SignUp(
		t.Context(), accounts.SignUpRequest{Client: e.App, Username: "eve", Password: "x"},
	)
	pooltest.WantCode(t, "refused", err, "UserLambdaValidationException")
	if _, ok, _ := e.Pool.Users.Find(t.Context(), "eve"); ok {
		t.Error("the user was created")
	}
}

// TestFailingMessageTrigger must not tell who exists.
func TestFailingMessageTrigger(t *testing.T) {
	t.Parallel()
	var seen []string
	e := newAccounts(t, triggers(nil, map[string]string{"CustomMessage_ForgotPassword": "broken"}, &seen))
	for _, name := range []string{"ann", "nobody"} {
		d, err := e.Pool.Recovery.ForgotPassword(t.Context(), e.App, name)
		if err != nil || d.Destination == "" {
			t.Errorf("%s: got %v, %v", name, d, err)
		}
	}
	legacy := e.App
	legacy.RevealUserExistence = true
	_, err := e.Pool.Recovery.ForgotPassword(t.Context(), legacy, "ann")
	pooltest.WantCode(t, "where people may know", err, "UserLambdaValidationException")
}

// FuzzSignUp checks that no name or attribute brings the pool out of step: who
// could register is found by the name, and by nobody else's.
func FuzzSignUp(f *testing.F) {
	f.Add("eve", "email", "eve@example.com")
	f.Add("ANN", "phone_number", "+4912345")
	f.Add("\u212A", "custom:plan", "\x00")
	f.Add("İ", "name", "\xff")
	f.Add("", "preferred_username", "ann")
	e := newAccounts(f, func(c *pool.Config) {
		c.Settings.AliasAttributes = []string{"email", "phone_number", "preferred_username"}
	})
	f.Fuzz(func(t *testing.T, name, attribute, value string) {
		u, _, err := e.Pool.Registration.SignUp(t.Context(), accounts.SignUpRequest{
			Client: e.App, Username: name, Password: "x", Attributes: map[string]string{attribute: value},
		})
		refusal, refused := errors.AsType[*userpool.Error](err)
		switch {
		case refused && refusal.Description != "":
			return
		case err != nil:
			t.Fatal(err)
		}
		got, ok, err := e.Pool.Users.Find(t.Context(), name)
		if err != nil || !ok || got.Sub != u.Sub || got.Status != userpool.UserUnconfirmed {
			t.Errorf("%q is found as %v, %t, %v", name, got, ok, err)
		}
		if value != "" && !maps.Equal(got.Attributes, u.Attributes) {
			t.Errorf("got %v, want %v", got.Attributes, u.Attributes)
		}
		err = e.Pool.Users.Delete(t.Context(), u.Sub)
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestRecoveryIsNoSecondFactor keeps a forgotten password apart from the second
// factor also where nobody turned that on: where everyone needs one, an address
// is asked by itself, and who reads its mails must not need nothing else.
func TestRecoveryIsNoSecondFactor(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		types []string
		mfa   []string
		phone bool
		want  string // empty: nowhere
	}{
		"its only factor":    {[]string{userpool.FactorEmail}, nil, false, ""},
		"with a phone":       {[]string{userpool.FactorEmail}, nil, true, "+*******2345"},
		"the phone is asked": {[]string{userpool.FactorEmail, userpool.FactorSMS}, nil, true, "b***@c***"},
		"both are on": {
			[]string{userpool.FactorEmail, userpool.FactorSMS}, []string{userpool.FactorEmail, userpool.FactorSMS},
			true, "b***@c***",
		},
		"no factor of the pool": {[]string{userpool.FactorTOTP}, nil, false, "b***@c***"},
	} {
		e := newAccounts(t, func(c *pool.Config) {
			c.Settings.MFA, c.Settings.MFATypes = userpool.MFAOn, tt.types
		})
		attributes := map[string]string{"email": "b@c.test", "email_verified": "true"}
		if tt.phone {
			attributes["phone_number"], attributes["phone_number_verified"] = "+4912345", "true"
		}
		_, err := e.Pool.Users.Create(
			t.Context(), userpool.NewUser{Username: "bob", Password: "x", Attributes: attributes, MFA: tt.mfa},
		)
		pooltest.WantCode(t, "creating", err, "")
		_, err = e.Pool.Recovery.ForgotPassword(t.Context(), e.App, "bob")
		pooltest.WantCode(t, "forgot", err, "")
		sent, err := e.Pool.Outbox.List(t.Context(), userpool.MessageQuery{Username: "bob"})
		pooltest.WantCode(t, "outbox", err, "")
		got := ""
		if len(sent) > 0 {
			got = userpool.Mask(sent[0].To)
		}
		if got != tt.want {
			t.Errorf("%s: the code went to %q, want %q", name, got, tt.want)
		}
	}
}

// TestResetCodeOfAFormerAddress uses the code that went to an address which is
// not the user's any more.
func TestResetCodeOfAFormerAddress(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	_, err := e.Pool.Recovery.ForgotPassword(t.Context(), e.App, "ann")
	pooltest.WantCode(t, "forgot", err, "")
	_, err = e.Pool.Users.UpdateAttributes(
		t.Context(), "ann", map[string]string{"email": "new@example.com", "email_verified": "true"},
	)
	pooltest.WantCode(t, "another address", err, "")
	err = e.Pool.Recovery.ConfirmForgotPassword(t.Context(), e.App, "ann", "424242", goodPassword)
	pooltest.WantCode(t, "the code of the former one", err, userpool.CodeExpired)
	_, err = e.Pool.Recovery.ForgotPassword(t.Context(), e.App, "ann")
	pooltest.WantCode(t, "forgot again", err, "")
	err = e.Pool.Recovery.ConfirmForgotPassword(t.Context(), e.App, "ann", "424242", goodPassword)
	pooltest.WantCode(t, "reset", err, "")
}
