package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

func session(hash, sub string) userpool.Session {
	return userpool.Session{Hash: hash, Sub: sub, AuthTime: moment, Expires: moment.Add(time.Hour)}
}

func code(hash, sub string) userpool.Code {
	return userpool.Code{
		Hash: hash, ClientID: "app", Sub: sub, RedirectURI: "https://app.example/cb?x=1", RedirectOmitted: true,
		Challenge: "challenge", Nonce: "n'once", Scopes: []string{"openid", "email"},
		AuthTime: moment, Expires: moment.Add(5 * time.Minute),
	}
}

func token(hash, sub, origin string) userpool.RefreshToken {
	return userpool.RefreshToken{
		Hash: hash, ClientID: "app", Sub: sub, Scopes: []string{"openid"}, OriginJTI: origin,
		AuthTime: moment, ValidUntil: moment.Add(time.Hour), Expires: moment.Add(25 * time.Hour),
	}
}

func testSessions(t *testing.T, s userpool.Store) {
	ctx, want := t.Context(), session("h1", "ann")
	absent[userpool.Session](t)(s.Session(ctx, poolA, "h1"))
	must(t, s.DeleteSession(ctx, poolA, "h1"))
	must(t, s.PutSession(ctx, poolA, want, 10))
	same(t, present[userpool.Session](t)(s.Session(ctx, poolA, "h1")), want)
	must(t, s.DeleteSession(ctx, poolA, "h1"))
	absent[userpool.Session](t)(s.Session(ctx, poolA, "h1"))
}

func testSessionLimit(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	must(t, s.PutSession(ctx, poolA, session("bob", "bob"), 2))
	for i := range 4 {
		must(t, s.PutSession(ctx, poolA, session(fmt.Sprint("h", i), "ann"), 2))
	}
	absent[userpool.Session](t)(s.Session(ctx, poolA, "h0"))
	absent[userpool.Session](t)(s.Session(ctx, poolA, "h1"))
	present[userpool.Session](t)(s.Session(ctx, poolA, "h2"))
	present[userpool.Session](t)(s.Session(ctx, poolA, "h3"))
	present[userpool.Session](t)(s.Session(ctx, poolA, "bob"))
}

func testCodes(t *testing.T, s userpool.Store) {
	ctx, want := t.Context(), code("h1", "ann")
	absent[userpool.Code](t)(s.TakeCode(ctx, poolA, "h1"))
	must(t, s.PutCode(ctx, poolA, want, 10))
	same(t, present[userpool.Code](t)(s.TakeCode(ctx, poolA, "h1")), want)
	absent[userpool.Code](t)(s.TakeCode(ctx, poolA, "h1"))
}

func testCodeLimit(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	for i := range 3 {
		must(t, s.PutCode(ctx, poolA, code(fmt.Sprint("h", i), "ann"), 2))
	}
	absent[userpool.Code](t)(s.TakeCode(ctx, poolA, "h0"))
	present[userpool.Code](t)(s.TakeCode(ctx, poolA, "h1"))
	must(t, s.PutCode(ctx, poolA, code("h3", "ann"), 2)) // a code that was taken makes room
	present[userpool.Code](t)(s.TakeCode(ctx, poolA, "h2"))
	present[userpool.Code](t)(s.TakeCode(ctx, poolA, "h3"))
}

func testCodeRace(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	for i := range 10 {
		hash := fmt.Sprint("h", i)
		must(t, s.PutCode(ctx, poolA, code(hash, "ann"), 100))
		wins := race(50, func() bool {
			_, ok, err := s.TakeCode(ctx, poolA, hash)
			if err != nil {
				t.Errorf("taking: %v", err)
			}
			return ok
		})
		if wins != 1 {
			t.Fatalf("the code was taken %d times, want once", wins)
		}
	}
}

func testTokens(t *testing.T, s userpool.Store) {
	ctx, want := t.Context(), token("h1", "ann", "o1")
	absent[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h1"))
	must(t, s.PutRefreshToken(ctx, poolA, want, 10))
	same(t, present[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h1")), want)
	same(t, present[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h1")), want)
}

// testTokenLimit also shows that a dropped token ends its family: what is
// forgotten is refused.
func testTokenLimit(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	for i := range 3 {
		must(t, s.PutRefreshToken(ctx, poolA, token(fmt.Sprint("h", i), "ann", fmt.Sprint("o", i)), 2))
	}
	absent[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h0"))
	present[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h1"))
	alive(t, s, poolA, "o0", false)
	alive(t, s, poolA, "o2", true)
}

func testFamilies(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	alive(t, s, poolA, "o1", false)
	alive(t, s, poolA, "", false)
	must(t, s.DeleteFamily(ctx, poolA, "o1"))
	must(t, s.PutRefreshToken(ctx, poolA, token("h1", "ann", "o1"), 10))
	must(t, s.PutRefreshToken(ctx, poolA, token("h2", "ann", "o1"), 10))
	must(t, s.PutRefreshToken(ctx, poolA, token("h3", "ann", "o2"), 10))
	alive(t, s, poolA, "o1", true)
	must(t, s.DeleteFamily(ctx, poolA, "o1"))
	alive(t, s, poolA, "o1", false)
	alive(t, s, poolA, "o2", true)
	absent[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h1"))
	absent[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h2"))
	present[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h3"))
}

func testRotation(t *testing.T, s userpool.Store) {
	ctx, old, until := t.Context(), token("h1", "ann", "o1"), moment.Add(time.Minute)
	between := token("h0", "bob", "o0") // ends before old, and after old once it is rotated
	between.Expires = moment.Add(2 * time.Hour)
	must(t, s.PutRefreshToken(ctx, poolA, between, 2))
	must(t, s.PutRefreshToken(ctx, poolA, old, 2))
	must(t, s.RotateRefreshToken(ctx, poolA, "h1", time.Time{}, until, token("h2", "ann", "o1"), 2))
	old.RetryUntil, old.Expires = until, until
	same(t, present[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h1")), old)
	same(t, present[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h2")), token("h2", "ann", "o1"))

	// Once more from the same token, in its grace; the oldest makes room.
	must(t, s.RotateRefreshToken(ctx, poolA, "h1", until, until, token("h3", "ann", "o1"), 3))
	same(t, present[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h1")), old)
	must(t, s.RotateRefreshToken(ctx, poolA, "h3", time.Time{}, until, token("h4", "ann", "o1"), 3))
	absent[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h1"))

	// The rotated one leaves when its grace is over, and the family lives on.
	deleted(t, s, until, 100, 1)
	absent[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h3"))
	present[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h4"))
	alive(t, s, poolA, "o1", true)
	must(t, s.DeleteFamily(ctx, poolA, "o1"))
	absent[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h4"))
}

func testRotationConflict(t *testing.T, s userpool.Store) {
	ctx, zero, until := t.Context(), time.Time{}, moment.Add(time.Minute)
	rotate := func(pool, hash string, was time.Time) error {
		return s.RotateRefreshToken(ctx, pool, hash, was, until, token("next", "ann", "o1"), 10)
	}
	wantErr(t, "no such token", rotate(poolA, "h1", zero), userpool.ErrConflict)
	must(t, s.PutRefreshToken(ctx, poolA, token("h1", "ann", "o1"), 10))
	wantErr(t, "another pool's token", rotate(poolB, "h1", zero), userpool.ErrConflict)
	wantErr(t, "never rotated", rotate(poolA, "h1", until), userpool.ErrConflict)
	same(t, present[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h1")), token("h1", "ann", "o1"))
	must(t, s.RotateRefreshToken(ctx, poolA, "h1", zero, until, token("h2", "ann", "o1"), 10))
	wantErr(t, "rotated meanwhile", rotate(poolA, "h1", zero), userpool.ErrConflict)
	must(t, s.DeleteFamily(ctx, poolA, "o1"))
	wantErr(t, "revoked meanwhile", rotate(poolA, "h1", until), userpool.ErrConflict)
	absent[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "next")) // all or nothing
	absent[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolB, "next"))
	alive(t, s, poolA, "o1", false)
}

func testRotationRace(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	must(t, s.PutRefreshToken(ctx, poolA, token("h", "ann", "o"), 100))
	var n atomic.Int64
	wins := race(50, func() bool {
		next := token(fmt.Sprint("h", n.Add(1)), "ann", "o")
		return s.RotateRefreshToken(ctx, poolA, "h", time.Time{}, moment, next, 100) == nil
	})
	if wins != 1 {
		t.Errorf("the token was rotated %d times, want once", wins)
	}
}

func alive(t *testing.T, s userpool.Store, pool, origin string, want bool) {
	t.Helper()
	got, err := s.FamilyAlive(t.Context(), pool, origin)
	must(t, err)
	if got != want {
		t.Errorf("family %q alive: got %t, want %t", origin, got, want)
	}
}

// fill stores one record of each expiring kind, under hash h.
func fill(t *testing.T, s userpool.Store, pool, h string, expires time.Time) {
	t.Helper()
	ctx := t.Context()
	v, c, r := session(h, "ann"), code(h, "ann"), token(h, "ann", h)
	v.Expires, c.Expires, r.Expires = expires, expires, expires
	must(t, s.PutSession(ctx, pool, v, 10))
	must(t, s.PutCode(ctx, pool, c, 10))
	must(t, s.PutRefreshToken(ctx, pool, r, 10))
	must(t, s.PutAttempts(ctx, pool, userpool.Attempts{Key: h, Failures: 1, Expires: expires}))
}

// kinds is how many records fill stores.
const kinds = 4

func testExpiry(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	fill(t, s, poolA, "now", moment)
	fill(t, s, poolB, "before", moment.Add(-time.Second))
	fill(t, s, poolA, "after", moment.Add(time.Millisecond))
	must(t, s.CreateClient(ctx, poolA, client("app")))
	must(t, s.CreateUser(ctx, poolA, user("ann", "ann")))
	deleted(t, s, moment, 100, 2*kinds)
	deleted(t, s, moment, 100, 0)

	absent[userpool.Session](t)(s.Session(ctx, poolA, "now"))
	absent[userpool.Code](t)(s.TakeCode(ctx, poolA, "now"))
	absent[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "now"))
	alive(t, s, poolA, "now", false)
	absent[userpool.Attempts](t)(s.Attempts(ctx, poolA, "now"))
	absent[userpool.Session](t)(s.Session(ctx, poolB, "before"))

	present[userpool.Session](t)(s.Session(ctx, poolA, "after"))
	present[userpool.Code](t)(s.TakeCode(ctx, poolA, "after"))
	present[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "after"))
	present[userpool.Attempts](t)(s.Attempts(ctx, poolA, "after"))
	present[userpool.Client](t)(s.Client(ctx, poolA, "app"))
	present[userpool.User](t)(s.UserBySub(ctx, poolA, "ann"))
}

func testExpiryLimit(t *testing.T, s userpool.Store) {
	fill(t, s, poolA, "one", moment)
	fill(t, s, poolA, "two", moment)
	deleted(t, s, moment, 3, 3)
	deleted(t, s, moment, 100, 2*kinds-3)
}

func deleted(t *testing.T, s userpool.Store, now time.Time, limit, want int) {
	t.Helper()
	got, err := s.DeleteExpired(t.Context(), now, limit)
	must(t, err)
	if got != want {
		t.Errorf("removed %d expired records, want %d", got, want)
	}
}

func testIsolation(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	fill(t, s, poolA, "h", moment)
	must(t, s.CreateClient(ctx, poolA, client("app")))
	must(t, s.CreateUser(ctx, poolA, user("ann", "ann")))
	absent[userpool.Session](t)(s.Session(ctx, poolB, "h"))
	absent[userpool.Code](t)(s.TakeCode(ctx, poolB, "h"))
	absent[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolB, "h"))
	alive(t, s, poolB, "h", false)
	absent[userpool.Attempts](t)(s.Attempts(ctx, poolB, "h"))
	absent[userpool.Client](t)(s.Client(ctx, poolB, "app"))
	absent[userpool.User](t)(s.UserBySub(ctx, poolB, "ann"))
	absent[userpool.User](t)(s.UserByLogin(ctx, poolB, "ann"))

	// What happens in one pool leaves the other's records of the same name alone.
	fill(t, s, poolB, "h", moment)
	must(t, s.CreateClient(ctx, poolB, client("app")))
	must(t, s.CreateUser(ctx, poolB, user("ann", "ann")))
	must(t, s.DeleteSession(ctx, poolB, "h"))
	must(t, s.DeleteFamily(ctx, poolB, "h"))
	must(t, s.DeleteAttempts(ctx, poolB, "h"))
	present[userpool.Session](t)(s.Session(ctx, poolA, "h"))
	present[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h"))
	present[userpool.Attempts](t)(s.Attempts(ctx, poolA, "h"))
	must(t, s.PutSession(ctx, poolB, session("h2", "ann"), 1))
	present[userpool.Session](t)(s.Session(ctx, poolA, "h"))
}

// testCopies changes what went in and what came out; the store must not notice.
func testCopies(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	c, u := client("app"), user("ann", "ann")
	must(t, s.CreateClient(ctx, poolA, c))
	must(t, s.CreateUser(ctx, poolA, u))
	r := token("h", "ann", "o")
	must(t, s.PutRefreshToken(ctx, poolA, r, 10))
	spoil := func(c userpool.Client, u userpool.User, r userpool.RefreshToken) {
		c.CallbackURLs[0], c.LogoutURLs[0] = "https://evil.example/", "https://evil.example/"
		c.AllowedOAuthScopes[0], c.AllowedOAuthFlows[0] = "evil", "evil"
		u.Attributes["email"], u.Groups[0], u.Logins[0], r.Scopes[0] = "evil", "evil", "evil", "evil"
	}
	spoil(c, u, r)
	for range 2 {
		gotC := present[userpool.Client](t)(s.Client(ctx, poolA, "app"))
		gotU := present[userpool.User](t)(s.UserByLogin(ctx, poolA, "ann"))
		gotR := present[userpool.RefreshToken](t)(s.RefreshToken(ctx, poolA, "h"))
		wantU := user("ann", "ann")
		wantU.Version = 1
		same(t, gotC, client("app"))
		same(t, gotU, wantU)
		same(t, gotR, token("h", "ann", "o"))
		spoil(gotC, gotU, gotR)
	}
}
