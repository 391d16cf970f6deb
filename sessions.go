package cognate

import (
	"context"
	"net/http"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/seal"
)

const (
	// maxEnded bounds how many ended sessions are remembered.
	maxEnded = 100_000
	// maxIdentityChunks bounds how many cookies the identity may take.
	maxIdentityChunks = 3
)

// A sessionPolicy is what holds for all sessions of one Auth, wherever they are kept.
type sessionPolicy struct {
	issuer   string // of all users here
	lifetime time.Duration
	idle     time.Duration // 0: none
	skew     time.Duration
	now      func() time.Time
	// verifiedEmail is Config.RequireVerifiedEmail: it holds for sessions, too, that
	// began when it did not.
	verifiedEmail bool
}

// admits reports whether the configuration lets this user have a session.
func (p *sessionPolicy) admits(u *User) bool { return u.EmailVerified || !p.verifiedEmail }

// ends is when a session ends if no request comes any more.
func (p *sessionPolicy) ends(s *session) time.Time {
	end := s.expires
	if limit := s.created.Add(p.lifetime); limit.Before(end) {
		end = limit
	}
	if p.idle > 0 {
		if limit := s.seen.Add(p.idle); limit.Before(end) {
			end = limit
		}
	}
	return end
}

// over reports whether a session's time has passed.
func (p *sessionPolicy) over(s *session, now time.Time) bool { return !now.Before(p.ends(s)) }

// early reports whether a session begins in the future: it comes from a clock that was
// wrong. Within the skew it is forgiven.
func (p *sessionPolicy) early(s *session, now time.Time) bool {
	return s.created.After(now.Add(p.skew))
}

// young reports whether a session's sign-in was moments ago.
func (p *sessionPolicy) young(s *session, now time.Time) bool {
	return cache.Within(now, s.created.Add(-p.skew), rowTime+p.skew)
}

// A keeper is where sessions are: in the browser's cookies or in a store.
type keeper interface {
	// find returns the session that a request's cookie stands for, or nil; present
	// reports whether there is a cookie at all. An error means that nobody knows.
	find(r *http.Request, now time.Time) (s *session, present bool, err error)
	// begin saves a new session and its tokens, and gives the browser its cookie.
	begin(w http.ResponseWriter, r *http.Request, s *session, t *tokenSet) error
	// renew saves a session that has changed in nothing but its dates and keys, and
	// reports whether it still exists.
	renew(w http.ResponseWriter, r *http.Request, s *session) bool
	// end makes the session unusable.
	end(ctx context.Context, s *session) error
	// discard does so with whatever a request's cookie stands for, and returns it if that
	// takes this process to remember it.
	discard(r *http.Request, now time.Time) (*session, error)
	// tokens returns the session's tokens as far as they are known without asking
	// anybody, or nil.
	tokens(r *http.Request, s *session) *tokenSet
	// refresh returns the session of a request with tokens in the place of old ones that
	// are not fresh, asking the provider with ask; for any number of callers only one asks.
	refresh(ctx context.Context, c *requestContext, s *session, old *tokenSet, ask asker) (*session, *tokenSet, error)
}

// sessions are the sessions of one Auth. It is safe for concurrent use.
type sessions struct {
	*sessionPolicy
	keeper
	cookie cookie.Spec
	// ended holds the IDs of sessions that ended here. A cookie can't be recalled, and
	// a store may be read from a memory; this process at least does not take it again.
	ended *cache.Set
	// past holds the IDs of sessions whose time was over when they were last seen.
	past *cache.Set
	// lapsed is called once for a session that is seen after its time.
	lapsed func(ctx context.Context, s *session)
}

// create makes the session of a user who has just signed in.
func (m *sessions) create(u *User, sid string) *session {
	now := m.now().Truncate(time.Second)
	return &session{
		id: seal.Random(sessionIDSize), created: now, seen: now, expires: now.Add(m.lifetime), sid: sid, user: u,
	}
}

// read returns the live session of a request, or nil; present reports whether there was a
// cookie that is of no use any more, so that it can be removed. The time is the caller's: asking the
// clock is a good part of what a signed-in request costs.
func (m *sessions) read(r *http.Request, now time.Time) (s *session, present bool, err error) {
	s, present, err = m.find(r, now)
	switch {
	case s == nil || err != nil:
		return nil, present, err
	case m.over(s, now):
		// Not its end: this may be an old copy of a cookie whose idle clock was wound since.
		if !m.ended.Has(s.id, now) && m.past.Add(s.id, now.Add(m.lifetime), now) {
			m.lapsed(r.Context(), s)
		}
		return nil, true, nil
	case m.ended.Has(s.id, now):
		return nil, true, nil
	case m.early(s, now):
		return nil, false, nil // it is good again as soon as the clock is, so it has to stay
	}
	return s, true, nil
}

// roll writes the session anew when its idle clock has run for a tenth of the idle time,
// or when an old key had sealed it. So most requests write nothing. It returns the session
// as it is now, or nil if it exists no more.
func (m *sessions) roll(w http.ResponseWriter, r *http.Request, s *session, now time.Time) *session {
	ahead := s.seen.After(now.Add(m.skew)) // wound by a clock that was wrong
	due := m.idle > 0 && (now.Sub(s.seen) >= m.idle/10 || ahead)
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

// close ends the session and sees to it that this process takes it no more; first tells
// whether it had not ended here before. A nil session is none.
func (m *sessions) close(ctx context.Context, s *session) (first bool, err error) {
	if s == nil {
		return false, nil
	}
	err = m.end(ctx, s)
	if err != nil {
		return true, err
	}
	return m.ended.Add(s.id, s.expires, m.now()), nil
}

// discard ends what a request's cookie stands for although nobody is signed in by it: it can't
// be read here, or not yet, but elsewhere or later it might be.
func (m *sessions) discard(r *http.Request) error {
	now := m.now()
	s, err := m.keeper.discard(r, now)
	if s != nil {
		m.ended.Add(s.id, s.expires, now)
	}
	return err
}

// tokensName is the name of the cookie with a session's tokens. No configured name holds a
// dot, so it is no other session's.
func tokensName(spec cookie.Spec) string { return spec.Name + ".t" }

// forget removes every cookie of a session from the browser.
func (m *sessions) forget(w http.ResponseWriter, r *http.Request) {
	m.cookie.RemoveChunks(w, r, m.cookie.Name, 0)
	m.cookie.RemoveChunks(w, r, tokensName(m.cookie), 0)
}
