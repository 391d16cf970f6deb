// Package memstore keeps a user pool's data in memory: for tests, for a demo,
// and wherever everything may be forgotten at the end of the process.
//
// It does not grow without limit. Clients and users are refused beyond a
// million of each. Of sessions, codes, refresh tokens and counts of failures a
// million each is kept; one more drops the one that would expire soonest.
package memstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

// maxRecords bounds each kind of record, over all pools.
const maxRecords = 1 << 20

// Store is a userpool.Store in memory. It is safe for concurrent use.
type Store struct {
	// mu guards all below. No call holds it longer than a few map accesses.
	mu       sync.Mutex
	clients  map[key]userpool.Client
	users    map[key]userpool.User // :: sub → user
	logins   map[key]key           // :: login → key in users
	sessions *table[userpool.Session]
	codes    *table[userpool.Code]
	tokens   *table[userpool.RefreshToken]
	members  map[key][]key // :: origin_jti → its records in tokens
	attempts *table[userpool.Attempts]
}

var _ userpool.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	s := &Store{
		clients:  make(map[key]userpool.Client),
		users:    make(map[key]userpool.User),
		logins:   make(map[key]key),
		sessions: newTable[userpool.Session](maxRecords),
		codes:    newTable[userpool.Code](maxRecords),
		tokens:   newTable[userpool.RefreshToken](maxRecords),
		members:  make(map[key][]key),
		attempts: newTable[userpool.Attempts](maxRecords),
	}
	s.tokens.removed = s.leaveFamily
	return s
}

// CreateClient implements userpool.ClientStore.
func (s *Store) CreateClient(_ context.Context, pool string, c userpool.Client) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{pool, c.ID}
	if _, ok := s.clients[k]; ok {
		return userpool.ErrExists
	}
	if len(s.clients) >= maxRecords {
		return userpool.ErrFull
	}
	s.clients[k] = c.Clone()
	return nil
}

// Client implements userpool.ClientStore.
func (s *Store) Client(_ context.Context, pool, id string) (userpool.Client, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.clients[key{pool, id}]
	return c.Clone(), ok, nil
}

// CreateUser implements userpool.UserStore.
func (s *Store) CreateUser(_ context.Context, pool string, u userpool.User) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{pool, u.Sub}
	if _, taken := s.users[k]; taken || s.anyLoginTaken(pool, u.Logins) {
		return userpool.ErrExists
	}
	if len(s.users) >= maxRecords {
		return userpool.ErrFull
	}
	u = u.Clone()
	u.Version = 1
	s.users[k] = u
	for _, login := range u.Logins {
		s.logins[key{pool, login}] = k
	}
	return nil
}

func (s *Store) anyLoginTaken(pool string, logins []string) bool {
	return slices.ContainsFunc(logins, func(login string) bool {
		_, taken := s.logins[key{pool, login}]
		return taken
	})
}

// UpdateUser implements userpool.UserStore.
func (s *Store) UpdateUser(_ context.Context, pool string, u userpool.User) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{pool, u.Sub}
	old, ok := s.users[k]
	if !ok || old.Version != u.Version {
		return userpool.ErrConflict
	}
	u = u.Clone()
	u.Logins = old.Logins
	u.Version++
	s.users[k] = u
	return nil
}

// UserBySub implements userpool.UserStore.
func (s *Store) UserBySub(_ context.Context, pool, sub string) (userpool.User, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[key{pool, sub}]
	return u.Clone(), ok, nil
}

// UserByLogin implements userpool.UserStore.
func (s *Store) UserByLogin(_ context.Context, pool, login string) (userpool.User, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[s.logins[key{pool, login}]]
	return u.Clone(), ok, nil
}

// PutSession implements userpool.SessionStore.
func (s *Store) PutSession(_ context.Context, pool string, v userpool.Session, keep int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions.putOwned(key{pool, v.Hash}, key{pool, v.Sub}, v, v.Expires, keep)
	return nil
}

// Session implements userpool.SessionStore.
func (s *Store) Session(_ context.Context, pool, hash string) (userpool.Session, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.sessions.get(key{pool, hash})
	return v, ok, nil
}

// DeleteSession implements userpool.SessionStore.
func (s *Store) DeleteSession(_ context.Context, pool, hash string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions.take(key{pool, hash})
	return nil
}

// PutCode implements userpool.CodeStore.
func (s *Store) PutCode(_ context.Context, pool string, c userpool.Code, keep int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Scopes = slices.Clone(c.Scopes)
	s.codes.putOwned(key{pool, c.Hash}, key{pool, c.Sub}, c, c.Expires, keep)
	return nil
}

// TakeCode implements userpool.CodeStore.
func (s *Store) TakeCode(_ context.Context, pool, hash string) (userpool.Code, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.codes.take(key{pool, hash})
	return c, ok, nil
}

// PutRefreshToken implements userpool.RefreshTokenStore.
func (s *Store) PutRefreshToken(_ context.Context, pool string, t userpool.RefreshToken, keep int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putToken(pool, t, keep)
	return nil
}

func (s *Store) putToken(pool string, t userpool.RefreshToken, keep int) {
	t.Scopes = slices.Clone(t.Scopes)
	k, family := key{pool, t.Hash}, key{pool, t.OriginJTI}
	s.tokens.take(k)
	s.members[family] = append(s.members[family], k)
	s.tokens.putOwned(k, key{pool, t.Sub}, t, t.Expires, keep)
}

// RotateRefreshToken implements userpool.RefreshTokenStore.
func (s *Store) RotateRefreshToken(
	_ context.Context, pool, hash string, was, until time.Time, next userpool.RefreshToken, keep int,
) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{pool, hash}
	old, ok := s.tokens.get(k)
	if !ok || !old.RetryUntil.Equal(was) {
		return userpool.ErrConflict
	}
	old.RetryUntil, old.Expires = until, until
	s.tokens.replace(k, old, until)
	s.putToken(pool, next, keep)
	return nil
}

// leaveFamily keeps members in step with tokens.
func (s *Store) leaveFamily(r *record[userpool.RefreshToken]) {
	family := key{r.key.pool, r.value.OriginJTI}
	left := slices.DeleteFunc(s.members[family], func(k key) bool { return k == r.key })
	if len(left) == 0 {
		delete(s.members, family)
		return
	}
	s.members[family] = left
}

// RefreshToken implements userpool.RefreshTokenStore.
func (s *Store) RefreshToken(_ context.Context, pool, hash string) (userpool.RefreshToken, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tokens.get(key{pool, hash})
	t.Scopes = slices.Clone(t.Scopes)
	return t, ok, nil
}

// FamilyAlive implements userpool.RefreshTokenStore.
func (s *Store) FamilyAlive(_ context.Context, pool, originJTI string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.members[key{pool, originJTI}]) > 0, nil
}

// DeleteFamily implements userpool.RefreshTokenStore.
func (s *Store) DeleteFamily(_ context.Context, pool, originJTI string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range slices.Clone(s.members[key{pool, originJTI}]) {
		s.tokens.take(k)
	}
	return nil
}

// Attempts implements userpool.AttemptStore.
func (s *Store) Attempts(_ context.Context, pool, id string) (userpool.Attempts, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.attempts.get(key{pool, id})
	return a, ok, nil
}

// PutAttempts implements userpool.AttemptStore.
func (s *Store) PutAttempts(_ context.Context, pool string, a userpool.Attempts) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{pool, a.Key}
	old, _ := s.attempts.get(k)
	if old.Version != a.Version {
		return userpool.ErrConflict
	}
	a.Version++
	s.attempts.put(k, a, a.Expires)
	return nil
}

// DeleteAttempts implements userpool.AttemptStore.
func (s *Store) DeleteAttempts(_ context.Context, pool, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts.take(key{pool, id})
	return nil
}

// DeleteExpired implements userpool.Store.
func (s *Store) DeleteExpired(_ context.Context, now time.Time, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, expire := range []func(time.Time, int) int{
		s.sessions.expire, s.codes.expire, s.tokens.expire, s.attempts.expire,
	} {
		n += expire(now, limit-n)
	}
	return n, nil
}
