package accounts_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// TestCreateUser has what is refused.
func TestCreateUser(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	groups := make([]string, 101)
	for i := range groups {
		groups[i] = fmt.Sprint("g", i)
	}
	attribute := func(name, value string) userpool.NewUser {
		return userpool.NewUser{Username: "bob", Password: "x", Attributes: map[string]string{name: value}}
	}
	for name, u := range map[string]userpool.NewUser{
		"no name": {Password: "x"}, "space": {Username: "a b", Password: "x"},
		"long name":         {Username: strings.Repeat("a", 129), Password: "x"},
		"not UTF-8":         {Username: "\xff", Password: "x"},
		"no password":       {Username: "bob"},
		"long password":     {Username: "bob", Password: userpool.Secret(strings.Repeat("p", 257))},
		"unknown attribute": attribute("admin", "true"), "sub": attribute("sub", "x"),
		"no custom name": attribute("custom:", "x"),
		"claim":          attribute("cognito:groups", "x"), "bad e-mail": attribute("email", "bob"),
		"two at":     attribute("email", "a@b@c"),
		"long value": attribute("name", strings.Repeat("n", 2049)), "odd value": attribute("name", "\xff"),
		"verified what": attribute("email_verified", "true"),
		"groups":        {Username: "bob", Password: "x", Groups: groups},
		"group twice":   {Username: "bob", Password: "x", Groups: []string{"a", "a"}},
		"odd group":     {Username: "bob", Password: "x", Groups: []string{"a b"}},
		"odd boolean": {Username: "bob", Password: "x",
			Attributes: map[string]string{"email": "b@c.test", "email_verified": "yes"}},
	} {
		_, err := e.Pool.Users.Create(t.Context(), u)
		if _, ok := errors.AsType[*userpool.Error](err); !ok {
			t.Errorf("%s: got error %v, want an *Error", name, err)
		}
	}
	_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{Username: "ANN", Password: "x"})
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("name in upper case: got error %v, want ErrExists", err)
	}
}

// TestEmailAsUsername checks the pools whose user name is the address.
func TestEmailAsUsername(t *testing.T) {
	t.Parallel()
	e := newEmailPool(t)
	u, err := e.Users.Create(t.Context(), userpool.NewUser{Username: "Bob@Example.com", Password: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if u.Username != u.Sub || u.Attributes["email"] != "Bob@Example.com" {
		t.Errorf("got user name %s, sub %s, e-mail %s", u.Username, u.Sub, u.Attributes["email"])
	}
	for _, name := range []string{"bob@example.com", "BOB@EXAMPLE.COM"} {
		got, err := e.Users.SignIn(t.Context(), name, "x")
		if err != nil || got.Sub != u.Sub {
			t.Errorf("%s: got %s, %v", name, got.Sub, err)
		}
	}
	for name, n := range map[string]userpool.NewUser{
		"no address": {Username: "bob", Password: "x"},
		"differ":     {Username: "a@b.test", Password: "x", Attributes: map[string]string{"email": "c@d.test"}},
	} {
		_, err := e.Users.Create(t.Context(), n)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	_, err = e.Users.SignIn(t.Context(), u.Sub, "x")
	if err == nil {
		t.Error("signed in with the sub")
	}
}

func newEmailPool(t *testing.T) *pool.Pool {
	t.Helper()
	keys, err := pooltest.Keys()
	if err != nil {
		t.Fatal(err)
	}
	p, err := pool.New(t.Context(), pool.Config{
		Issuer: "http://localhost/", Store: memstore.New(), Keys: keys, Hashing: pooltest.Cheap,
		Settings: userpool.Settings{UsernameAttributes: []string{"email"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAlias checks that only a verified address signs in, and only one person.
func TestAlias(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t, func(c *pool.Config) { c.Settings.AliasAttributes = []string{"email"} })
	add := func(name, email, verified string) error {
		_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{Username: name, Password: "x",
			Attributes: map[string]string{"email": email, "email_verified": verified}})
		return err
	}
	err := add("bob", "bob@example.com", "false")
	if err != nil {
		t.Fatal(err)
	}
	pooltest.WantAnswer(t, "not verified", e.TrySignIn(t, "bob@example.com", "x"), userpool.TextIncorrect)
	err = add("carl", "Bob@example.com", "True")
	if err != nil {
		t.Fatal(err)
	}
	pooltest.WantAnswer(t, "verified", e.TrySignIn(t, "bob@example.com", "x"), "ok")
	err = add("dora", "bob@example.com", "true")
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("second owner: got error %v, want ErrExists", err)
	}
	err = add("ann@evil.test", "x@y.test", "false")
	if err == nil {
		t.Error("accepted a user name that looks like an address")
	}
}

// TestCreateAll adds users with a change that goes with them: all, or none.
func TestCreateAll(t *testing.T) {
	t.Parallel()
	e := newAccounts(t)
	with := func(id string) store.Change {
		return store.Change{Op: store.Create, Record: store.Record{Kind: "note", ID: id}}
	}
	named := func(names ...string) (list []userpool.NewUser) {
		for _, name := range names {
			list = append(list, userpool.NewUser{Username: name, Password: "one"})
		}
		return list
	}
	for name, tt := range map[string]struct {
		users []userpool.NewUser
		with  string
		want  error // nil: an [*userpool.Error]
	}{
		"a name that is there":  {named("new1", "Ann"), "free", store.ErrExists},
		"a name twice":          {named("new1", "NEW1"), "free", store.ErrExists},
		"a change that fails":   {named("new1", "new2"), "taken", store.ErrExists},
		"a name that is no one": {named("new1", "with space"), "free", nil},
	} {
		_ = e.Pool.Users.CreateAll(t.Context(), nil, with("taken"))
		err := e.Pool.Users.CreateAll(t.Context(), tt.users, with(tt.with))
		_, rule := errors.AsType[*userpool.Error](err)
		if tt.want != nil && !errors.Is(err, tt.want) || tt.want == nil && !rule {
			t.Errorf("%s: got %v", name, err)
		}
		_, there, err := e.Pool.Users.Find(t.Context(), "new1")
		if there || err != nil {
			t.Errorf("%s: a part was stored, error %v", name, err)
		}
	}
	err := e.Pool.Users.CreateAll(t.Context(), named("new1", "new2"), with("free"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new1", "new2"} {
		pooltest.WantAnswer(t, name, e.TrySignIn(t, name, "one"), "ok")
	}
}
