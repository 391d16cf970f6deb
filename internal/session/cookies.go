package session

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/flight"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/seal"
)

// cookieSessions keeps each session in the browser's cookies: the identity in one cookie,
// which is read with every request, and the tokens, if the app keeps them, in another, which
// is read only when they are needed. It is safe for concurrent use.
type cookieSessions struct {
	config     *Config
	limits     limits
	identities *seal.Sealer
	secrets    *seal.Sealer // of tokens; nil if none are kept
	// opened holds sessions by their cookie value, so that a known one costs a look-up
	// instead of a decryption.
	opened *cache.Cache[*Session]
	// successors holds the results of refreshes by the refresh token that was used. A
	// browser sends its old cookies until it has received the new ones, and a late answer
	// may even restore old ones, after any length of time.
	successors *successors
	flight     flight.Group
}

// maxIdentityChunks bounds how many cookies the identity may take.
const maxIdentityChunks = 3

func newCookieSessions(c *Config) (*cookieSessions, error) {
	k := &cookieSessions{
		config: c, limits: newLimits(c.RequestTime),
		opened: cache.New[*Session](c.CacheSize), successors: newSuccessors(),
	}
	var err error
	k.identities, err = seal.New(c.Keys, "session", c.Bound, maxIdentityChunks*cookie.ChunkSize)
	if err == nil && c.TokensInCookie {
		k.secrets, err = seal.New(c.Keys, "tokens", c.Bound, cookie.MaxChunks*cookie.ChunkSize)
	}
	return k, err
}

// find decrypts the cookie, unless its value is cached.
func (k *cookieSessions) find(r *http.Request, _ time.Time) (s *Session, present bool, err error) {
	value, count := cookie.ReadChunks(r.Header, k.config.Cookie.Name, maxIdentityChunks)
	if count != 1 || value == "" {
		// Of two cookies with the same name one is not ours, and we can't tell which.
		return nil, count > 0, nil
	}
	s, ok := k.opened.Get(value)
	if !ok {
		s = k.open(value)
		if s != nil {
			k.opened.Put(strings.Clone(value), s)
		}
	}
	return s, true, nil
}

// open decrypts a cookie value.
func (k *cookieSessions) open(value string) *Session {
	plaintext, current, err := k.identities.Open(k.config.Cookie.Name, value)
	if err != nil {
		return nil
	}
	s, err := decodeSession(plaintext, k.config.Decode)
	if err != nil || !k.config.Admits(s.Identity) {
		return nil
	}
	s.oldKey = !current
	return s
}

// begin sets the cookies, those of the tokens first, because the session records whether
// tokens had to be left out.
func (k *cookieSessions) begin(w http.ResponseWriter, r *http.Request, s *Session, t *Tokens) error {
	if k.secrets == nil || t == nil {
		return k.write(w, r, s)
	}
	for i, kept := range t.reductions() {
		if kept == nil {
			k.warnOfSize(r.Context(), "cognate: the tokens were left out: a session in cookies has no room for them; "+
				"use a Session.Store", t)
			k.config.Cookie.RemoveChunks(w, r, k.config.tokensName(), 0)
			s.TokensDropped = true
			break
		}
		if k.writeTokens(w, r, s, kept) {
			if i > 0 {
				k.warnOfSize(r.Context(), "cognate: the raw ID token was left out", t)
			}
			break
		}
	}
	return k.write(w, r, s)
}

func (k *cookieSessions) warnOfSize(ctx context.Context, message string, t *Tokens) {
	k.config.Log.LogAttrs(ctx, slog.LevelWarn, message,
		slog.Int("id_token_bytes", len(t.ID)), slog.Int("access_token_bytes", len(t.Access)),
		slog.Int("refresh_token_bytes", len(t.Refresh)), slog.Int("limit_bytes", cookie.MaxChunks*cookie.ChunkSize))
}

// write sets the identity's cookie. It returns an error if the identity is too large.
func (k *cookieSessions) write(w http.ResponseWriter, r *http.Request, s *Session) error {
	value := k.identities.Seal(k.config.Cookie.Name, s.encode())
	if !k.config.Cookie.SetChunks(w, r, k.config.Cookie.Name, value, maxIdentityChunks, k.maxAge(s)) {
		return refusal.New(refusal.SessionTooLarge, "the identity takes %d bytes sealed, more than the %d that "+
			"cookies may take; keep fewer claims (Config.Claims) or groups, or use a Session.Store",
			len(value), maxIdentityChunks*cookie.ChunkSize)
	}
	k.opened.Put(value, s)
	return nil
}

func (k *cookieSessions) maxAge(s *Session) time.Duration { return s.expires.Sub(k.config.Now()) }

// writeTokens sets the cookies of the tokens, and reports whether they were small enough.
func (k *cookieSessions) writeTokens(w http.ResponseWriter, r *http.Request, s *Session, t *Tokens) bool {
	name := k.config.tokensName()
	return k.config.Cookie.SetChunks(w, r, name, k.secrets.Seal(name+s.ID, t.encode()), cookie.MaxChunks, k.maxAge(s))
}

// tokens decrypts the cookies of the tokens, which belong to this session only.
func (k *cookieSessions) tokens(r *http.Request, s *Session) *Tokens {
	t, _ := k.openTokens(r, s)
	return t
}

func (k *cookieSessions) latest(old *Tokens) *Tokens {
	last, _ := k.successors.last(old)
	return last
}

func (k *cookieSessions) openTokens(r *http.Request, s *Session) (t *Tokens, current bool) {
	if k.secrets == nil {
		return nil, false
	}
	name := k.config.tokensName()
	value, count := cookie.ReadChunks(r.Header, name, cookie.MaxChunks)
	if count != 1 || value == "" {
		return nil, false
	}
	plaintext, current, err := k.secrets.Open(name+s.ID, value)
	if err != nil {
		return nil, false
	}
	t, err = decodeTokens(plaintext)
	if err != nil {
		return nil, false
	}
	return t, current
}

// renew sets the identity's cookie again, and the tokens' cookies if an old key sealed them.
func (k *cookieSessions) renew(w http.ResponseWriter, r *http.Request, s *Session) bool {
	_ = k.write(w, r, s) // no error: it is as large as before, whatever the key
	if t, current := k.openTokens(r, s); t != nil && !current {
		k.writeTokens(w, r, s, t)
	}
	return true
}

// end does nothing: a cookie can't be recalled.
func (k *cookieSessions) end(context.Context, *Session) error { return nil }

// endAll returns an error: the server can't reach the cookies of other browsers.
func (k *cookieSessions) endAll(context.Context, Index, string) (int, error) { return 0, errNoStore }

// discard returns the session, so that it is remembered as ended.
func (k *cookieSessions) discard(r *http.Request, now time.Time) (*Session, error) {
	s, _, err := k.find(r, now)
	return s, err
}

// refresh asks the provider, unless the refresh token has already been used here and its
// successors are fresh, and sets the cookies.
func (k *cookieSessions) refresh(
	ctx context.Context, v *Visit, s *Session, old *Tokens, ask Refresher,
) (*Session, *Tokens, error) {
	var err error
	last, got := k.successors.last(old)
	if got == nil || !got.Tokens.Fresh(k.config.Now()) {
		got, err = k.refreshOnce(ctx, v, s, last, ask)
	}
	if err != nil {
		return nil, nil, err
	}
	next := *s
	next.Identity = got.Identity
	// If it is too late to set cookies, later requests with the old ones find their successors.
	err = v.setCookies(func(w http.ResponseWriter, r *http.Request) error { return k.begin(w, r, &next, got.Tokens) })
	if err == nil {
		err = got.Unusable
	}
	return &next, got.Tokens, err
}

// refreshOnce asks the provider once for all callers.
func (k *cookieSessions) refreshOnce(
	ctx context.Context, v *Visit, s *Session, old *Tokens, ask Refresher,
) (*Refreshed, error) {
	return flight.Do(ctx, &k.flight, old.Refresh, k.limits.all, func(ctx context.Context) (*Refreshed, error) {
		last, got := k.successors.last(old) // another flight may just have ended
		if got != nil && got.Tokens.Fresh(k.config.Now()) {
			return got, nil
		}
		waiting, cancel := context.WithTimeout(ctx, k.limits.wait)
		defer cancel()
		err := k.config.Gate.Enter(waiting)
		if err != nil {
			return nil, err
		}
		defer k.config.Gate.Leave()
		err = v.writable()
		if err != nil {
			return nil, err // before the refresh token is spent
		}
		got, err = ask(ctx, s, last)
		if err == nil {
			k.successors.put(last.Refresh, got)
		}
		return got, err
	})
}

// successors remembers refreshes by the hash of the refresh token that was used, so that no
// refresh token is used twice: a provider may take that for a theft (RFC 9700, 4.14.2) and
// revoke the tokens. It is safe for concurrent use.
type successors struct {
	outcomes *cache.Cache[*Refreshed]
}

// maxSuccessors bounds how many refreshes are remembered, each of about 5 KB. The half that
// was used last is never dropped.
const maxSuccessors = 2000

func newSuccessors() *successors { return &successors{cache.New[*Refreshed](maxSuccessors)} }

func (m *successors) put(refresh string, got *Refreshed) { m.outcomes.Put(tokenHash(refresh), got) }

// maxFollowed bounds how many refreshes last follows: about as many as a session of eight
// hours has with access tokens of five minutes, the shortest lifetime at Cognito.
const maxFollowed = 100

// last follows the refreshes from t on and returns the last tokens, whose refresh token has
// not been used yet, and the refresh that they came from. If there was none, it returns t and
// nil.
func (m *successors) last(t *Tokens) (*Tokens, *Refreshed) {
	var by *Refreshed
	for range maxFollowed {
		got, ok := m.outcomes.Get(tokenHash(t.Refresh))
		if !ok || got == by {
			break
		}
		t, by = got.Tokens, got
	}
	return t, by
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return string(sum[:])
}
