package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

func client(id string) userpool.Client {
	return userpool.Client{
		ID: id, Name: "App ü", Secret: "secret+secret_secret0123", DefaultRedirectURI: "https://app.example/a",
		CallbackURLs: []string{"https://app.example/a", "myapp://b"}, LogoutURLs: []string{"https://app.example/"},
		AllowedOAuthScopes: []string{"openid", "https://api.example/read"}, AllowedOAuthFlows: []string{"code"},
		AccessTokenValidity: 5 * time.Minute, IDTokenValidity: time.Hour, RefreshTokenValidity: 24 * time.Hour,
		RefreshTokenRotation: userpool.RefreshTokenRotation{Enabled: true, RetryGracePeriod: 7 * time.Second},
	}
}

func user(sub string, logins ...string) userpool.User {
	return userpool.User{
		Sub: sub, Username: "Ann", PasswordHash: "$argon2id$...", Created: moment, Logins: logins,
		Attributes: map[string]string{"email": "ann@example.com", "email_verified": "true", "custom:ü": "x\"'\\"},
		Groups:     []string{"zebra", "admins"},
	}
}

func testClients(t *testing.T, s userpool.Store) {
	ctx, want := t.Context(), client("one")
	must(t, s.CreateClient(ctx, poolA, want))
	same(t, present[userpool.Client](t)(s.Client(ctx, poolA, "one")), want)
	absent[userpool.Client](t)(s.Client(ctx, poolA, "two"))
	absent[userpool.Client](t)(s.Client(ctx, poolA, "ONE"))
	wantErr(t, "same ID", s.CreateClient(ctx, poolA, client("one")), userpool.ErrExists)
	must(t, s.CreateClient(ctx, poolA, userpool.Client{ID: "bare"}))
	same(t, present[userpool.Client](t)(s.Client(ctx, poolA, "bare")), userpool.Client{ID: "bare"})
}

func testUsers(t *testing.T, s userpool.Store) {
	ctx, want := t.Context(), user("sub-1", "ann", "ann@example.com")
	must(t, s.CreateUser(ctx, poolA, want))
	want.Version = 1
	same(t, present[userpool.User](t)(s.UserBySub(ctx, poolA, "sub-1")), want)
	same(t, present[userpool.User](t)(s.UserByLogin(ctx, poolA, "ann")), want)
	same(t, present[userpool.User](t)(s.UserByLogin(ctx, poolA, "ann@example.com")), want)
	for _, login := range []string{"", "an", "Ann", "ann ", "an%", "' OR ''='"} {
		absent[userpool.User](t)(s.UserByLogin(ctx, poolA, login))
	}
	absent[userpool.User](t)(s.UserBySub(ctx, poolA, "ann"))

	want.PasswordHash, want.Attributes["email"] = "new", "new@example.com"
	must(t, s.UpdateUser(ctx, poolA, want))
	want.Version = 2
	same(t, present[userpool.User](t)(s.UserBySub(ctx, poolA, "sub-1")), want)
	same(t, present[userpool.User](t)(s.UserByLogin(ctx, poolA, "ann")), want)
}

func testLogins(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	must(t, s.CreateUser(ctx, poolA, user("sub-1", "ann", "ann@example.com")))
	err := s.CreateUser(ctx, poolA, user("sub-2", "bob", "ann@example.com"))
	wantErr(t, "same login", err, userpool.ErrExists)
	wantErr(t, "same sub", s.CreateUser(ctx, poolA, user("sub-1", "carl")), userpool.ErrExists)
	absent[userpool.User](t)(s.UserByLogin(ctx, poolA, "bob")) // all or nothing
	absent[userpool.User](t)(s.UserBySub(ctx, poolA, "sub-2"))
	absent[userpool.User](t)(s.UserByLogin(ctx, poolA, "carl"))
	must(t, s.CreateUser(ctx, poolA, user("sub-2", "bob")))
}

func testUserConflict(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	wantErr(t, "nobody", s.UpdateUser(ctx, poolA, user("sub-1", "ann")), userpool.ErrConflict)
	must(t, s.CreateUser(ctx, poolA, user("sub-1", "ann")))
	old := present[userpool.User](t)(s.UserBySub(ctx, poolA, "sub-1"))
	must(t, s.UpdateUser(ctx, poolA, old))
	old.Username = "late"
	wantErr(t, "old version", s.UpdateUser(ctx, poolA, old), userpool.ErrConflict)
	got := present[userpool.User](t)(s.UserBySub(ctx, poolA, "sub-1"))
	if got.Username != "Ann" || got.Version != 2 {
		t.Errorf("got name %q, version %d, want Ann, 2", got.Username, got.Version)
	}
}

func testUserRace(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	must(t, s.CreateUser(ctx, poolA, user("sub-1", "ann")))
	old := present[userpool.User](t)(s.UserBySub(ctx, poolA, "sub-1"))
	wins := race(20, func() bool { return s.UpdateUser(ctx, poolA, old) == nil })
	if wins != 1 {
		t.Errorf("%d updates of one version succeeded, want 1", wins)
	}
}

func testAttempts(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	absent[userpool.Attempts](t)(s.Attempts(ctx, poolA, "k"))
	must(t, s.DeleteAttempts(ctx, poolA, "k"))
	a := userpool.Attempts{Key: "k", Failures: 3, LockedUntil: moment, Expires: moment.Add(time.Hour)}
	must(t, s.PutAttempts(ctx, poolA, a))
	wantErr(t, "second creation", s.PutAttempts(ctx, poolA, a), userpool.ErrConflict)
	a.Version = 1
	same(t, present[userpool.Attempts](t)(s.Attempts(ctx, poolA, "k")), a)
	a.Failures, a.LockedUntil = 4, time.Time{}
	must(t, s.PutAttempts(ctx, poolA, a))
	wantErr(t, "old version", s.PutAttempts(ctx, poolA, a), userpool.ErrConflict)
	a.Version = 2
	same(t, present[userpool.Attempts](t)(s.Attempts(ctx, poolA, "k")), a)
	must(t, s.DeleteAttempts(ctx, poolA, "k"))
	absent[userpool.Attempts](t)(s.Attempts(ctx, poolA, "k"))
	wantErr(t, "gone", s.PutAttempts(ctx, poolA, a), userpool.ErrConflict)
}

// testAttemptRace counts with compare-and-swap, as the pool does: no count may
// get lost.
func testAttemptRace(t *testing.T, s userpool.Store) {
	const n = 20
	ctx := t.Context()
	race(n, func() bool {
		for {
			a, _, err := s.Attempts(ctx, poolA, "k")
			if err != nil {
				t.Errorf("reading: %v", err)
				return false
			}
			a.Key, a.Expires, a.Failures = "k", moment, a.Failures+1
			err = s.PutAttempts(ctx, poolA, a)
			if !errors.Is(err, userpool.ErrConflict) {
				return err == nil
			}
		}
	})
	got := present[userpool.Attempts](t)(s.Attempts(ctx, poolA, "k"))
	if got.Failures != n || got.Version != n {
		t.Errorf("got %d failures, version %d, want %d", got.Failures, got.Version, n)
	}
}
