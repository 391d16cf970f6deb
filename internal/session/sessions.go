package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/gate"
	"github.com/cognate-auth/cognate/internal/record"
	"github.com/cognate-auth/cognate/internal/seal"
)

// maxEnded bounds how many ended sessions are remembered.
const maxEnded = 100_000

// Config says how long sessions last and where they are kept.
type Config struct {
	// Keys seal them, for what Bound names: a provider and a client.
	Keys  seal.Keys
	Bound string
	// Cookie is how their cookies look, and names the first.
	Cookie cookie.Spec
	// Store keeps them; nil means cookies.
	Store *record.Store
	// TokensInCookie keeps the tokens without a store.
	TokensInCookie bool
	// Lifetime is how long a session lasts at most, IdleTime how long without a request;
	// zero is no limit of that kind.
	Lifetime, IdleTime time.Duration
	// Skew is by how much the clocks of two machines may differ.
	Skew time.Duration
	// CacheSize bounds how many opened sessions are kept in memory.
	CacheSize int
	// RequestTime bounds a request to the provider. The right to refresh a session's
	// tokens lasts longer, or two processes would have it at once.
	RequestTime time.Duration
	// Gate is what refreshes have to pass.
	Gate *gate.Gate
	// Decode makes identities of what they packed.
	Decode Decoder
	// Admits reports whether somebody may still have a session: it may have begun when
	// other rules held.
	Admits func(Identity) bool
	// Expired is called once for a session that is seen after its time.
	Expired func(context.Context, *Session)
	// Log takes what went wrong with a store or a size.
	Log *slog.Logger
	// Now is the clock.
	Now func() time.Time
}

// ends is when a session ends if no request comes any more.
func (c *Config) ends(s *Session) time.Time {
	end := s.expires
	if limit := s.Created.Add(c.Lifetime); limit.Before(end) {
		end = limit
	}
	if c.IdleTime > 0 {
		if limit := s.seen.Add(c.IdleTime); limit.Before(end) {
			end = limit
		}
	}
	return end
}

// over reports whether a session's time has passed.
func (c *Config) over(s *Session, now time.Time) bool { return !now.Before(c.ends(s)) }

// early reports whether a session begins in the future: it comes from a clock that was
// wrong. Within the skew it is forgiven.
func (c *Config) early(s *Session, now time.Time) bool {
	return s.Created.After(now.Add(c.Skew))
}

// A backend is where sessions are: in the browser's cookies or in a store.
type backend interface {
	// find returns the session that a request's cookie stands for, or nil; present
	// reports whether there is a cookie at all. An error means that nobody knows.
	find(r *http.Request, now time.Time) (s *Session, present bool, err error)
	// begin saves a new session and its tokens, and gives the browser its cookie.
	begin(w http.ResponseWriter, r *http.Request, s *Session, t *Tokens) error
	// renew saves a session that has changed in nothing but its dates and keys, and
	// reports whether it still exists.
	renew(w http.ResponseWriter, r *http.Request, s *Session) bool
	// end makes the session unusable.
	end(ctx context.Context, s *Session) error
	// endAll does so with every session that has an index, and counts them.
	endAll(ctx context.Context, by Index, value string) (int, error)
	// discard makes whatever a request's cookie stands for unusable, and returns it if that
	// takes this process to remember it.
	discard(r *http.Request, now time.Time) (*Session, error)
	// tokens returns the session's tokens as far as they are known without asking
	// anybody, or nil.
	tokens(r *http.Request, s *Session) *Tokens
	// latest returns the tokens that old ones have become here, or these.
	latest(old *Tokens) *Tokens
	// refresh returns the session of a visit with tokens in the place of old ones that are
	// not fresh, asking the provider with ask; for any number of callers only one asks.
	refresh(ctx context.Context, v *Visit, s *Session, old *Tokens, ask Refresher) (*Session, *Tokens, error)
}

// Sessions are the sessions of one app. They are safe for concurrent use.
type Sessions struct {
	backend

	config *Config
	// setsCookies tells that the answer to any request may set cookies.
	setsCookies bool
	// ended holds the IDs of sessions that ended here. A cookie can't be recalled, and
	// a store may be read from a memory; this process at least does not take it again.
	ended *cache.Set
	// expired holds the IDs of sessions whose time was over when they were last seen.
	expired *cache.Set
	// failedRefresh holds, by the session's ID, when a refresh failed last.
	failedRefresh *cache.Cache[time.Time]
}

// New makes the sessions of an app.
func New(config Config) (*Sessions, error) {
	m := &Sessions{
		config: &config, ended: cache.NewSet(maxEnded), expired: cache.NewSet(maxEnded),
		failedRefresh: cache.New[time.Time](config.CacheSize),
		setsCookies:   config.TokensInCookie || config.Store == nil && (config.IdleTime > 0 || len(config.Keys) > 1),
	}
	var err error
	if config.Store != nil {
		m.backend, err = newStoredSessions(m.config)
	} else {
		m.backend, err = newCookieSessions(m.config)
	}
	return m, err
}

// CookieName is the name of the cookie that a session is known by.
func (m *Sessions) CookieName() string { return m.config.Cookie.Name }

// KeepTokens reports whether sessions hold tokens.
func (m *Sessions) KeepTokens() bool { return m.config.Store != nil || m.config.TokensInCookie }

// Create makes the session of somebody who has just signed in; sid is the provider's own, if
// it named one.
func (m *Sessions) Create(who Identity, sid string) *Session {
	now := m.config.Now().Truncate(time.Second)
	return &Session{
		ID: seal.Random(idSize), Created: now, seen: now, expires: now.Add(m.config.Lifetime), sid: sid, Identity: who,
	}
}

// Begin saves a session that Create has made, and gives the browser its cookie.
func (m *Sessions) Begin(w http.ResponseWriter, r *http.Request, s *Session, t *Tokens) error {
	return m.begin(w, r, s, t)
}

// Read returns the live session of a request, or nil; present reports whether there was a
// cookie that is of no use any more, so that it can be removed. The time is the caller's: asking the
// clock is a good part of what a signed-in request costs.
func (m *Sessions) Read(r *http.Request, now time.Time) (s *Session, present bool, err error) {
	s, present, err = m.find(r, now)
	switch {
	case s == nil || err != nil:
		return nil, present, err
	case m.config.over(s, now):
		// Not its end: this may be an old copy of a cookie whose idle clock was wound since.
		if !m.ended.Has(s.ID, now) && m.expired.Add(s.ID, now.Add(m.config.Lifetime), now) {
			m.config.Expired(r.Context(), s)
		}
		return nil, true, nil
	case m.ended.Has(s.ID, now):
		return nil, true, nil
	case m.config.early(s, now):
		return nil, false, nil // it is good again as soon as the clock is, so it has to stay
	}
	return s, true, nil
}

// Roll writes the session anew when its idle clock has run for a tenth of the idle time,
// or when an old key had sealed it. So most requests write nothing. It returns the session
// as it is now, or nil if it exists no more.
func (m *Sessions) Roll(w http.ResponseWriter, r *http.Request, s *Session, now time.Time) *Session {
	ahead := s.seen.After(now.Add(m.config.Skew)) // wound by a clock that was wrong
	due := m.config.IdleTime > 0 && (now.Sub(s.seen) >= m.config.IdleTime/10 || ahead)
	if !due && !s.oldKey {
		return s
	}
	next := *s
	next.oldKey = false
	// Somebody whose clock is ahead may have been here before.
	if seen := now.Truncate(time.Second); seen.After(next.seen) || ahead {
		next.seen = seen
	}
	if !m.renew(w, r, &next) {
		return nil
	}
	return &next
}

// Tokens returns a session's tokens as far as they are known without asking anybody, or nil.
func (m *Sessions) Tokens(r *http.Request, s *Session) *Tokens { return m.tokens(r, s) }

// Latest returns the tokens that old ones have become by refreshes here, as far as the
// process knows: with the refresh token that has not been used yet.
func (m *Sessions) Latest(old *Tokens) *Tokens { return m.latest(old) }

// Close ends the session and sees to it that this process takes it no more; first reports
// whether it had not ended here before. A nil session is none.
func (m *Sessions) Close(ctx context.Context, s *Session) (first bool, err error) {
	if s == nil {
		return false, nil
	}
	err = m.end(ctx, s)
	if err != nil {
		return true, err
	}
	return m.ended.Add(s.ID, s.expires, m.config.Now()), nil
}

// Ended reports whether the session has ended in this process.
func (m *Sessions) Ended(s *Session) bool { return m.ended.Has(s.ID, m.config.Now()) }

// An Index is what several sessions in a store may have in common.
type Index string

// The indexes: the subject, and the session at the provider.
const (
	BySubject Index = "sub"
	BySID     Index = "sid"
)

var errNoStore = errors.New("cognate: sessions in cookies can't be ended from outside; set Session.Store")

// EndAll ends every session whose index has the value, and returns how many there were, also
// with an error. Only sessions in a store can be ended so.
func (m *Sessions) EndAll(ctx context.Context, by Index, value string) (int, error) {
	return m.endAll(ctx, by, value)
}

// Discard ends what a request's cookie stands for although nobody is signed in by it: it can't
// be read here, or not yet, but elsewhere or later it might be.
func (m *Sessions) Discard(r *http.Request) error {
	now := m.config.Now()
	s, err := m.discard(r, now)
	if s != nil {
		m.ended.Add(s.ID, s.expires, now)
	}
	return err
}

// tokensName is the name of the cookie with a session's tokens. No configured name holds a
// dot, so it is no other session's.
func (c *Config) tokensName() string { return c.Cookie.Name + ".t" }

// Forget removes every cookie of a session from the browser.
func (m *Sessions) Forget(w http.ResponseWriter, r *http.Request) {
	m.config.Cookie.RemoveChunks(w, r, m.config.Cookie.Name, 0)
	m.config.Cookie.RemoveChunks(w, r, m.config.tokensName(), 0)
}

// CountCookies returns how often that cookie of a session is there which is there most often,
// and whether all are there.
func (m *Sessions) CountCookies(h http.Header) (most int, whole bool) {
	return cookie.CountChunks(h, m.config.Cookie.Name, maxIdentityChunks)
}
