package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/internal/listen"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/store"
)

const two = aPool + `  - id: local_A2
    clients:
      - id: two
        callback_urls: [https://app.example/cb]
`

// TestReloadAllOrNothing has mistakes in the second pool that only the pool or its
// store can find: the first pool must not change either.
func TestReloadAllOrNothing(t *testing.T) {
	t.Parallel()
	w := watch(t,
		strings.Replace(two, "    clients:", "    schema:\n      - {name: nickname, mutable: false}\n    clients:", 1))
	schema := "    schema:\n      - {name: nickname, mutable: false}\n    clients:"
	with := func(old, text string) string {
		return strings.Replace(strings.NewReplacer("one", "changed").Replace(two), old, text, 1)
	}
	w.change(t, strings.Replace(strings.Replace(two, "    clients:", schema, 1),
		"Correct-Horse-7\n", "Correct-Horse-7\n        attributes: {nickname: a}\n", 1))
	for name, tt := range map[string]struct{ text, says string }{
		"a scope": {with("id: two\n", "id: two\n        allowed_oauth_scopes: [openid, orders/read]\n"),
			`cognate.yaml:12:40: the scope "orders/read" belongs to no resource server of the pool`},
		"a provider": {with("id: two\n", "id: two\n        supported_identity_providers:\n          - Corp\n"),
			`cognate.yaml:13:13: the pool has no identity provider "Corp"`},
		"an attribute": {with("id: two\n", "id: two\n        read_attributes: [custom:a]\n") +
			"    schema: [{name: custom:b}]\n",
			`the pool has no attribute "custom:a"`},
		"a host of two pools": {with("", "") + "  - id: local_A3\n    domain: local-a2\n",
			"two pools have the host local-a2.localhost"},
		"an attribute that stays": {strings.Replace(with("    clients:", schema), "Correct-Horse-7\n",
			"Correct-Horse-7\n        attributes: {nickname: b}\n", 1),
			"Cannot modify the non-mutable attribute nickname"},
		"another sub": {with("username: ann", "username: ann\n        sub: other"), "has another sub already"},
	} {
		out, wrong := w.change(t, tt.text)
		if !strings.Contains(wrong, "nothing was changed") || !strings.Contains(wrong, tt.says) || out != "" {
			t.Errorf("%s: it says %q and %q", name, out, wrong)
		}
		for id, want := range map[string]bool{"one": true, "changed": false} {
			_, ok, err := w.pool().Clients.Get(t.Context(), id)
			if ok != want || err != nil {
				t.Errorf("%s: client %s: there %v (%v)", name, id, ok, err)
			}
		}
	}
}

// TestStartAllOrNothing starts on a store with data of an earlier start, with a file
// whose second pool the store refuses: the first pool must not change.
func TestStartAllOrNothing(t *testing.T) {
	t.Parallel()
	text := two + "    users:\n      - username: bob\n        password: Battery-Staple-7\n" +
		"    schema: [{name: nickname, mutable: false}]\n"
	parse := func(text string) *poolconfig.File {
		f, err := poolconfig.Loader{}.Parse("c.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first := newSite(t)
	err := first.start(t.Context(), parse(text))
	if err != nil {
		t.Fatal(err)
	}
	pools := first.table.Load().pools
	_, err = pools[1].pool.Users.Create(t.Context(), userpool.NewUser{ // as a sign-up does
		Username: "eve", Password: "Correct-Horse-7", Attributes: map[string]string{"nickname": "e"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ old, text, says string }{
		"another sub": {"username: bob", "username: bob\n        sub: other",
			"the user bob has another sub already"},
		"what people sign in by": {"id: local_A2", "id: local_A2\n    alias_attributes: [email]", "that cannot change"},
		"a user of a sign-up": {"username: bob", "username: eve\n        attributes: {nickname: f}",
			"Cannot modify the non-mutable attribute nickname"},
	} {
		second := newSite(t)
		second.store = first.store
		err := second.start(t.Context(),
			parse(strings.NewReplacer("id: one", "id: changed", tt.old, tt.text).Replace(text)))
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: the start says %v", name, err)
		}
		for id, want := range map[string]bool{"one": true, "changed": false} {
			_, ok, err := pools[0].pool.Clients.Get(t.Context(), id)
			if ok != want || err != nil {
				t.Errorf("%s: client %s: there %v (%v)", name, id, ok, err)
			}
		}
	}
}

// TestReloadTakesBack checks that what a file no longer says of a user is removed from
// the user.
func TestReloadTakesBack(t *testing.T) {
	t.Parallel()
	const start, user = "pools:\n- id: local_A1\n  users:\n", "  - username: ann\n    password: Correct-Horse-7\n"
	w := watch(t, start+user)
	ann := func() userpool.User {
		t.Helper()
		u, ok, err := w.pool().Users.Find(t.Context(), "ann")
		if err != nil || !ok {
			t.Fatalf("no user ann (%v)", err)
		}
		return u
	}
	for _, tt := range []struct {
		name, more, says string
		check            func(userpool.User) bool
	}{
		{"groups", "    groups: [admins, staff]\n", "1 user changed",
			func(u userpool.User) bool { return len(u.Groups) == 2 }},
		{"a group less", "    groups: [staff]\n", "1 user changed",
			func(u userpool.User) bool { return len(u.Groups) == 1 }},
		{"no groups", "    groups: []\n", "1 user changed", func(u userpool.User) bool { return len(u.Groups) == 0 }},
		{"the same in other words", "", "", func(u userpool.User) bool { return len(u.Groups) == 0 }},
		{"an attribute", "    attributes: {name: Ann, nickname: A}\n", "1 user changed",
			func(u userpool.User) bool { return u.Attributes["name"] == "Ann" }},
		{"an attribute less", "    attributes: {nickname: A}\n", "1 user changed",
			func(u userpool.User) bool { return len(u.Attributes) == 1 }},
		{"a second factor", "    totp_secret: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n    mfa: [SOFTWARE_TOKEN_MFA]\n" +
			"    preferred_mfa: SOFTWARE_TOKEN_MFA\n", "1 user changed",
			func(u userpool.User) bool { return len(u.MFA) == 1 && len(u.Attributes) == 0 }},
		{"none", "", "1 user changed",
			func(u userpool.User) bool { return len(u.MFA) == 0 && u.TOTPSecret == "" && u.PreferredMFA == "" }},
		{"a status", "    status: RESET_REQUIRED\n", "1 user changed",
			func(u userpool.User) bool { return u.Status == userpool.UserResetRequired }},
		{"confirmed", "    status: CONFIRMED\n", "1 user changed",
			func(u userpool.User) bool { return u.Status == userpool.UserConfirmed }},
		{"temporary", "    temporary: true\n", "1 user changed",
			func(u userpool.User) bool { return u.Status == userpool.UserForceChange && !u.TemporaryUntil.IsZero() }},
		{"for good", "", "1 user changed",
			func(u userpool.User) bool { return u.Status == userpool.UserConfirmed && u.TemporaryUntil.IsZero() }},
		{"disabled", "    disabled: true\n", "1 user changed", func(u userpool.User) bool { return u.Disabled }},
		{"enabled", "", "1 user changed", func(u userpool.User) bool { return !u.Disabled }},
	} {
		out, wrong := w.change(t, start+user+tt.more)
		if !tt.check(ann()) || wrong != "" || !strings.Contains(out, tt.says) ||
			tt.says == "" && strings.Contains(out, "changed") {
			t.Errorf("%s: it says %q and %q; status %s, groups %q, attributes %q, factors %q",
				tt.name, out, wrong, ann().Status, ann().Groups, ann().Attributes, ann().MFA)
		}
	}
	// After a temporary password was set, its state belongs to the user until the file
	// changes the password.
	w.change(t, start+user+"    temporary: true\n")
	err := w.pool().Users.SetPassword(t.Context(), "ann", "Chosen-By-Ann-7", true)
	if err != nil {
		t.Fatal(err)
	}
	w.change(t, start+user+"    temporary: true\n    groups: [staff]\n")
	if u := ann(); u.Status != userpool.UserConfirmed || len(u.Groups) != 1 {
		t.Errorf("a change of the groups made the user %s", u.Status)
	}
	w.change(t, start+strings.Replace(user, "Horse-7", "Horse-8", 1)+"    temporary: true\n    groups: [staff]\n")
	if u := ann(); u.Status != userpool.UserForceChange {
		t.Errorf("with a new temporary password the user is %s", u.Status)
	}
}

// processes share a store and apply the same file.
type processes struct {
	store store.Store
	sites []*site
}

// each calls do for all of them at the same time, and returns the errors.
func (p *processes) each(do func(*site) error) []error {
	errs := make([]error, len(p.sites))
	var begin, done sync.WaitGroup
	begin.Add(1)
	for i, s := range p.sites {
		done.Go(func() {
			begin.Wait()
			errs[i] = do(s)
		})
	}
	begin.Done()
	done.Wait()
	return errs
}

// TestProcessesAtOnce starts processes together on an empty store, and changes their
// file.
func TestProcessesAtOnce(t *testing.T) {
	t.Parallel()
	a, err := listen.Parse("--addr", "127.0.0.1:9229")
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() (store.Store, func(), error){
		"in memory": func() (store.Store, func(), error) { return memstore.New(), func() {}, nil },
		"in a file": func() (store.Store, func(), error) {
			return openStore(t.Context(), filepath.Join(t.TempDir(), "pool.db"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, closeStore, err := open()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(closeStore)
			p := &processes{store: st}
			for range 3 {
				p.sites = append(p.sites, newTestSite(a, st))
			}
			texts := []string{two,
				strings.NewReplacer("id: one", "id: uno", "id: two", "id: two\n        name: Two").Replace(two),
				strings.Replace(two, "Horse-7", "Horse-8\n        temporary: true\n        groups: [staff]", 1),
				strings.Replace(two, "username: ann", "username: bob", 1), two}
			for i, text := range texts {
				f, err := poolconfig.Loader{}.Parse("c.yaml", []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				for _, err := range p.each(func(s *site) error {
					if i == 0 {
						return s.start(t.Context(), f)
					}
					_, refused, err := s.apply(t.Context(), f)
					return errors.Join(s.validate(t.Context(), f), refused, err)
				}) {
					if err != nil {
						t.Errorf("text %d: %v", i, err)
					}
				}
			}
			users, err := p.sites[0].table.Load().pools[0].pool.Users.List(t.Context(), accounts.UserQuery{})
			if err != nil || len(users) != 2 {
				t.Errorf("%d users, %v; want ann and bob", len(users), err)
			}
		})
	}
}

// shaky is a store that fails while down is true.
type shaky struct {
	store.Store
	down atomic.Bool // atomic, because signing keys are made in the background
}

func (s *shaky) Apply(ctx context.Context, pool string, changes ...store.Change) error {
	if s.down.Load() {
		return errors.New("the store is down")
	}
	return s.Store.Apply(ctx, pool, changes...)
}

// TestReloadAgain checks that changes are tried again after the store was down, and
// that the failure is reported once.
func TestReloadAgain(t *testing.T) {
	t.Parallel()
	w := watch(t, aPool)
	s := &shaky{Store: memstore.New()}
	w.site = newSite(t)
	w.site.store = s
	f, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	err = w.site.start(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	s.down.Store(true)
	_, wrong := w.change(t, strings.Replace(aPool, "id: one", "id: two", 1))
	if !strings.Contains(wrong, "the store failed for some of the changes, and will be tried again") {
		t.Errorf("it says %q", wrong)
	}
	w.out.Reset()
	w.err.Reset()
	w.poll(t.Context())
	if w.out.Len()+w.err.Len() > 0 {
		t.Errorf("it says it again: %q%q", w.out.String(), w.err.String())
	}
	s.down.Store(false)
	w.poll(t.Context())
	if out := w.out.String(); !strings.Contains(out, "1 client added, 1 client removed") {
		t.Errorf("with the store back it says %q%q", out, w.err.String())
	}
	w.out.Reset()
	w.poll(t.Context())
	if w.out.Len()+w.err.Len() > 0 {
		t.Errorf("nothing changed, and it says %q%q", w.out.String(), w.err.String())
	}
}
