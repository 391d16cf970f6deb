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
	// Keys seal the sessions. Bound names the provider and the client they are sealed for.
	Keys  seal.Keys
	Bound string
	// Cookie has the attributes of the cookies and the name of the session cookie.
	Cookie cookie.Spec
	// Store keeps the sessions; nil means cookies.
	Store *record.Store
	// TokensInCookie keeps the tokens in cookies, if there is no store.
	TokensInCookie bool
	// Lifetime is how long a session lasts at most, and IdleTime how long it lasts without
	// a request. An IdleTime of zero means no such limit.
	Lifetime, IdleTime time.Duration
	// Skew is how much the clocks of two machines may differ.
	Skew time.Duration
	// CacheSize bounds how many decrypted sessions are kept in memory.
	CacheSize int
	// RequestTime bounds a request to the provider. The lease on a session's tokens lasts
	// longer; otherwise two processes could refresh them at the same time.
	RequestTime time.Duration
	// Gate limits the refreshes.
	Gate *gate.Gate
	// Decode decodes the identities of sessions.
	Decode Decoder
	// Admits reports whether a user may still have a session: the rules may have changed
	// since the sign-in.
	Admits func(Identity) bool
	// Expired is called once for a session that is first used after it has expired.
	Expired func(context.Context, *Session)
	// Log logs errors of the store, and sessions that are too large.
	Log *slog.Logger
	// Now is the clock.
	Now func() time.Time
}

// expiry returns when a session expires if no more requests come.
func (c *Config) expiry(s *Session) time.Time {
	end := s.expires
	if limit := s.Created.Add(c.Lifetime); limit.Before(end) {
		end = limit
	}
	if c.IdleTime > 0 {
		if limit := s.lastSeen.Add(c.IdleTime); limit.Before(end) {
			end = limit
		}
	}
	return end
}

// hasExpired reports whether a session has expired.
func (c *Config) hasExpired(s *Session, now time.Time) bool { return !now.Before(c.expiry(s)) }

// fromFuture reports whether a session was created in the future, by more than the skew: a
// clock was wrong.
func (c *Config) fromFuture(s *Session, now time.Time) bool {
	return s.Created.After(now.Add(c.Skew))
}

// A backend keeps sessions, in the browser's cookies or in a store.
type backend interface {
	// find returns the session that a request's cookie names, or nil; present reports
	// whether there is such a cookie. An error means that the store could not be asked.
	find(r *http.Request, now time.Time) (s *Session, present bool, err error)
	// begin saves a new session and its tokens, and sets its cookies.
	begin(w http.ResponseWriter, r *http.Request, s *Session, t *Tokens) error
	// renew saves a session of which only the dates or the sealing key have changed, and
	// reports whether it still exists.
	renew(w http.ResponseWriter, r *http.Request, s *Session) bool
	// end makes the session unusable, if the backend can do so.
	end(ctx context.Context, s *Session) error
	// endAll ends every session with an index value, and returns how many there were.
	endAll(ctx context.Context, by Index, value string) (int, error)
	// discard makes the session that a request's cookie names unusable. If this process has
	// to remember for that purpose that the session has ended, discard returns it.
	discard(r *http.Request, now time.Time) (*Session, error)
	// tokens returns the session's tokens as far as they are known without a request to
	// the store or the provider, or nil.
	tokens(r *http.Request, s *Session) *Tokens
	// latest returns the tokens that replaced old by refreshes in this process, or old.
	latest(old *Tokens) *Tokens
	// refresh replaces old tokens that are not fresh, by calling ask, and returns the
	// session and its new tokens. Any number of callers share one call of ask.
	refresh(ctx context.Context, v *Visit, s *Session, old *Tokens, ask Refresher) (*Session, *Tokens, error)
}

// Sessions are the sessions of one app. They are safe for concurrent use.
type Sessions struct {
	backend

	config *Config
	// setsCookies says that the answer to any request may set cookies.
	setsCookies bool
	// ended holds the IDs of sessions that have ended in this process, so that it does not
	// accept them again: a cookie can't be recalled, and a store may answer from a cache.
	ended *cache.Set
	// expired holds the IDs of sessions that had expired when they were last used.
	expired *cache.Set
	// failedRefresh holds, by session ID, when a refresh last failed.
	failedRefresh *cache.Cache[time.Time]
}

// New returns the sessions of an app.
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

// CookieName returns the name of the session cookie.
func (m *Sessions) CookieName() string { return m.config.Cookie.Name }

// KeepTokens reports whether sessions hold tokens.
func (m *Sessions) KeepTokens() bool { return m.config.Store != nil || m.config.TokensInCookie }

// Create returns a session for a user who has just signed in; sid is the session ID at the
// provider, if it sent one.
func (m *Sessions) Create(identity Identity, sid string) *Session {
	now := m.config.Now().Truncate(time.Second)
	return &Session{
		ID: seal.Random(idSize), Created: now, lastSeen: now, expires: now.Add(m.config.Lifetime),
		sid: sid, Identity: identity,
	}
}

// Begin saves a session that Create has returned, and sets its cookies.
func (m *Sessions) Begin(w http.ResponseWriter, r *http.Request, s *Session, t *Tokens) error {
	return m.begin(w, r, s, t)
}

// Read returns the live session of a request, or nil; then present reports whether there is
// a useless cookie, to be removed. The caller passes the time, because reading the clock is
// a considerable part of the cost of a signed-in request.
func (m *Sessions) Read(r *http.Request, now time.Time) (s *Session, present bool, err error) {
	s, present, err = m.find(r, now)
	switch {
	case s == nil || err != nil:
		return nil, present, err
	case m.config.hasExpired(s, now):
		// The session may live on: this may be an old copy of a cookie that was renewed.
		if !m.ended.Has(s.ID, now) && m.expired.Add(s.ID, now.Add(m.config.Lifetime), now) {
			m.config.Expired(r.Context(), s)
		}
		return nil, true, nil
	case m.ended.Has(s.ID, now):
		return nil, true, nil
	case m.config.fromFuture(s, now):
		return nil, false, nil // keep the cookie: it is valid as soon as the clock is right
	}
	return s, true, nil
}

// Roll saves the session again if at least a tenth of the idle time has passed since it was
// last saved, or if an old key sealed it; so most requests write nothing. It returns the
// current session, or nil if it no longer exists.
func (m *Sessions) Roll(w http.ResponseWriter, r *http.Request, s *Session, now time.Time) *Session {
	ahead := s.lastSeen.After(now.Add(m.config.Skew)) // saved by a process with a wrong clock
	due := m.config.IdleTime > 0 && (now.Sub(s.lastSeen) >= m.config.IdleTime/10 || ahead)
	if !due && !s.oldKey {
		return s
	}
	next := *s
	next.oldKey = false
	// A process whose clock is ahead within the skew may have saved it: keep the later time.
	if seen := now.Truncate(time.Second); seen.After(next.lastSeen) || ahead {
		next.lastSeen = seen
	}
	if !m.renew(w, r, &next) {
		return nil
	}
	return &next
}

// Tokens returns a session's tokens as far as they are known without a request to the store
// or the provider, or nil.
func (m *Sessions) Tokens(r *http.Request, s *Session) *Tokens { return m.tokens(r, s) }

// Latest returns the tokens that replaced old by refreshes in this process, or old itself.
// As far as this process knows, their refresh token has not been used yet.
func (m *Sessions) Latest(old *Tokens) *Tokens { return m.latest(old) }

// Close ends the session, so that this process does not accept it any more; first reports
// whether it had not ended in this process before. For a nil session, Close does nothing.
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

// An Index is the kind of a value that several sessions in a store may share.
type Index string

// The indexes: the subject, and the session ID at the provider.
const (
	BySubject Index = "sub"
	BySID     Index = "sid"
)

var errNoStore = errors.New("cognate: sessions in cookies can't be ended from outside; set Session.Store")

// EndAll ends every session whose index has the value, and returns how many it ended, also
// with an error. It works only for sessions in a store.
func (m *Sessions) EndAll(ctx context.Context, by Index, value string) (int, error) {
	return m.endAll(ctx, by, value)
}

// Discard ends the session that a request's cookie names although this process does not
// accept it: another process, or this one at a later time, might accept it.
func (m *Sessions) Discard(r *http.Request) error {
	now := m.config.Now()
	s, err := m.discard(r, now)
	if s != nil {
		m.ended.Add(s.ID, s.expires, now)
	}
	return err
}

// tokensName returns the name of the cookie with a session's tokens. Configured names
// contain no dot, so it can't be the name of another session's cookie.
func (c *Config) tokensName() string { return c.Cookie.Name + ".t" }

// Forget removes every cookie of a session from the browser.
func (m *Sessions) Forget(w http.ResponseWriter, r *http.Request) {
	m.config.Cookie.RemoveChunks(w, r, m.config.Cookie.Name, 0)
	m.config.Cookie.RemoveChunks(w, r, m.config.tokensName(), 0)
}

// CountCookies returns the highest number of cookies that share the name of one of the
// session's cookies (more than one means duplicates), and whether the value is complete.
func (m *Sessions) CountCookies(h http.Header) (most int, complete bool) {
	return cookie.CountChunks(h, m.config.Cookie.Name, maxIdentityChunks)
}
