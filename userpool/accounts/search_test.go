package accounts_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// TestSearch looks for parts of names.
func TestSearch(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for _, n := range []userpool.NewUser{
		{Sub: "1", Username: "Bob", Attributes: map[string]string{"email": "bob@work.example", "family_name": "Stein"}},
		{Sub: "2-beef", Username: "2-beef",
			Attributes: map[string]string{"phone_number": "+14155550123", "name": "ÉLODIE"}},
		{Sub: "3", Username: "carol", Disabled: true, Attributes: map[string]string{"nickname": "bobby"}},
	} {
		n.Password = pooltest.Password
		_, err := e.Pool.Users.Create(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
	}
	enabled := func(u userpool.User) bool { return !u.Disabled && u.Sub != e.Ann.Sub }
	for text, want := range map[string][]string{
		"": {"1", "2-beef"}, "OB": {"1"}, "work.ex": {"1"}, "tein": {"1"},
		"élo": {"2-beef"}, "5550": {"2-beef"}, " bob ": {"1"},
		"2-beef": {"2-beef"}, "beef": nil, "carol": nil, "bobby": nil, "nobody": nil,
	} {
		found, next, err := accounts.UserSearch{Text: text, Only: enabled}.In(t.Context(), e.Pool.Users)
		var got []string
		for _, u := range found {
			got = append(got, u.Sub)
		}
		if err != nil || next != "" || cmp.Diff(want, got) != "" {
			t.Errorf("%q: found %q, next %q (%v), want %q", text, got, next, err, want)
		}
	}
	found, next, err := accounts.UserSearch{Limit: 1, Only: enabled}.In(t.Context(), e.Pool.Users)
	if err != nil || len(found) != 1 || next == "" {
		t.Fatalf("the first of two: %v, next %q (%v)", found, next, err)
	}
	found, next, err = accounts.UserSearch{Limit: 1, Only: enabled, After: next}.In(t.Context(), e.Pool.Users)
	if err != nil || len(found) != 1 || found[0].Sub != "2-beef" {
		t.Errorf("after the first: %v, next %q (%v)", found, next, err)
	}
}

// TestSearchIsBounded searches among more users than one search looks at.
func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	st := memstore.New()
	e := pooltest.New(t, func(c *pool.Config) { c.Store = st })
	// The records of users who differ in their sub alone are quickly made.
	last, ok, err := st.Get(t.Context(), pooltest.PoolID, "user", e.Ann.Sub)
	if err != nil || !ok {
		t.Fatalf("ann is not there: %v", err)
	}
	const users = 45_000
	for first := 0; first < users; first += 1000 {
		var changes []store.Change
		for i := range 1000 {
			r := last
			r.ID, r.Names, r.Terms = fmt.Sprintf("a%06d", first+i), nil, nil
			r.Body = bytes.ReplaceAll(last.Body, []byte(e.Ann.Sub), []byte(r.ID))
			changes = append(changes, store.Change{Op: store.Create, Record: r})
		}
		err := st.Apply(t.Context(), pooltest.PoolID, changes...)
		if err != nil {
			t.Fatal(err)
		}
	}
	searches, next := 0, ""
	for searches == 0 || next != "" {
		var found []userpool.User
		found, next, err = accounts.UserSearch{Text: "nobody", After: next}.In(t.Context(), e.Pool.Users)
		searches++
		if err != nil || len(found) > 0 || searches > 10 {
			t.Fatalf("search %d found %v: %v", searches, found, err)
		}
	}
	if searches != 3 {
		t.Errorf("%d users took %d searches, want 3 of 20,000", users, searches)
	}
}
