package cognate

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
	"github.com/cognate-auth/cognate/internal/gate"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/seal"
)

// cookieSessions keeps each session in the browser's cookies: the identity in one that is
// read with every request, and the tokens, if the app wants them, in another that is read
// when somebody asks for them. It is safe for concurrent use.
type cookieSessions struct {
	*sessionPolicy
	cookie     cookie.Spec
	identities *seal.Sealer
	secrets    *seal.Sealer // of tokens; nil if none are kept
	log        *slog.Logger
	// opened holds sessions by the cookie value they came in, so that a live one
	// costs a look-up instead of a decryption.
	opened *cache.Cache[*session]
	// successors holds what came of refreshes by the refresh token that was used. A
	// browser sends its old cookies until it has got the new ones, and an answer that was
	// under way longer than others puts old ones back: for how long, nobody knows.
	successors *successors
	flight     flight.Group
	gate       *gate.Gate
}

// find decrypts the cookie, or knows it already.
func (k *cookieSessions) find(r *http.Request, _ time.Time) (s *session, present bool, err error) {
	value, count := cookie.ReadChunks(r.Header, k.cookie.Name, maxIdentityChunks)
	if count != 1 || value == "" {
		// Two cookies of one name: one of them is not from here. Nobody can say which.
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
func (k *cookieSessions) open(value string) *session {
	plaintext, current, err := k.identities.Open(k.cookie.Name, value)
	if err != nil {
		return nil
	}
	s, err := decodeSession(plaintext)
	if err != nil || !k.admits(s.user) {
		return nil
	}
	s.user.Issuer = k.issuer
	s.oldKey = !current
	return s
}

// begin sets the cookies. Tokens that are too large lose the raw ID token first, which
// only spares the provider a question at sign-out; if that is not enough they are left
// out.
func (k *cookieSessions) begin(w http.ResponseWriter, r *http.Request, s *session, t *tokenSet) error {
	if k.secrets == nil || t == nil {
		return k.write(w, r, s)
	}
	if k.writeTokens(w, r, s, t) {
		return k.write(w, r, s)
	}
	slim := *t
	slim.id = ""
	if k.writeTokens(w, r, s, &slim) {
		k.warnOfSize(r.Context(), "cognate: the raw ID token was left out", t)
		return k.write(w, r, s)
	}
	k.warnOfSize(r.Context(), "cognate: the tokens were left out: a session in cookies has no room for them; use a Session.Store", t)
	k.cookie.RemoveChunks(w, r, tokensName(k.cookie), 0)
	s.dropped = true
	return k.write(w, r, s)
}

func (k *cookieSessions) warnOfSize(ctx context.Context, message string, t *tokenSet) {
	k.log.LogAttrs(ctx, slog.LevelWarn, message, slog.Int("id_token_bytes", len(t.id)), slog.Int("access_token_bytes", len(t.access)),
		slog.Int("refresh_token_bytes", len(t.refresh)), slog.Int("limit_bytes", cookie.MaxChunks*cookie.ChunkSize))
}

// write sets the identity's cookie. The size of one that is too large is in the error.
func (k *cookieSessions) write(w http.ResponseWriter, r *http.Request, s *session) error {
	value := k.identities.Seal(k.cookie.Name, s.encode())
	if !k.cookie.SetChunks(w, r, k.cookie.Name, value, maxIdentityChunks, k.left(s)) {
		return refusal.New(refusal.SessionTooLarge, "the identity takes %d bytes sealed, more than the %d that cookies may take; "+
			"keep fewer claims (Config.Claims) or groups, or use a Session.Store", len(value), maxIdentityChunks*cookie.ChunkSize)
	}
	k.opened.Put(value, s)
	return nil
}

func (k *cookieSessions) left(s *session) time.Duration { return s.expires.Sub(k.now()) }

// writeTokens sets the cookies of the tokens, unless they are too large.
func (k *cookieSessions) writeTokens(w http.ResponseWriter, r *http.Request, s *session, t *tokenSet) bool {
	name := tokensName(k.cookie)
	return k.cookie.SetChunks(w, r, name, k.secrets.Seal(name+s.id, t.encode()), cookie.MaxChunks, k.left(s))
}

// tokens opens the cookies of the tokens. They open for their own session only.
func (k *cookieSessions) tokens(r *http.Request, s *session) *tokenSet {
	t, _ := k.openTokens(r, s)
	return t
}

func (k *cookieSessions) openTokens(r *http.Request, s *session) (t *tokenSet, current bool) {
	if k.secrets == nil {
		return nil, false
	}
	name := tokensName(k.cookie)
	value, count := cookie.ReadChunks(r.Header, name, cookie.MaxChunks)
	if count != 1 || value == "" {
		return nil, false
	}
	plaintext, current, err := k.secrets.Open(name+s.id, value)
	if err != nil {
		return nil, false
	}
	t, err = decodeTokens(plaintext)
	if err != nil {
		return nil, false
	}
	return t, current
}

// renew sets the identity's cookie again, and the tokens' if an old key sealed it.
func (k *cookieSessions) renew(w http.ResponseWriter, r *http.Request, s *session) bool {
	_ = k.write(w, r, s) // as large as before; a key is as long as the other
	if t, current := k.openTokens(r, s); t != nil && !current {
		k.writeTokens(w, r, s, t)
	}
	return true
}

// end does nothing: a cookie can't be recalled.
func (k *cookieSessions) end(context.Context, *session) error { return nil }

// discard returns the session, so that it is remembered as ended.
func (k *cookieSessions) discard(r *http.Request, now time.Time) (*session, error) {
	s, _, err := k.find(r, now)
	return s, err
}

// refresh asks the provider, unless somebody just did with the same refresh token, and
// sets the cookies.
func (k *cookieSessions) refresh(
	ctx context.Context, c *requestContext, s *session, old *tokenSet, ask asker,
) (*session, *tokenSet, error) {
	var err error
	last, got := k.successors.last(old)
	if got == nil || !got.tokens.fresh(k.now()) {
		got, err = k.refreshOnce(ctx, c, s, last, ask)
	}
	if err != nil {
		return nil, nil, err
	}
	next := *s
	next.user = got.user
	err = k.give(c, &next, got.tokens)
	if err == nil {
		err = got.unusable
	}
	return &next, got.tokens, err
}

// refreshOnce asks the provider once for all callers.
func (k *cookieSessions) refreshOnce(
	ctx context.Context, c *requestContext, s *session, old *tokenSet, ask asker,
) (*refreshed, error) {
	return flight.Do(ctx, &k.flight, old.refresh, refreshTime, func(ctx context.Context) (*refreshed, error) {
		last, got := k.successors.last(old) // a flight may just have ended
		if got != nil && got.tokens.fresh(k.now()) {
			return got, nil
		}
		waiting, cancel := context.WithTimeout(ctx, gateTime)
		defer cancel()
		err := k.gate.Enter(waiting)
		if err != nil {
			return nil, err
		}
		defer k.gate.Leave()
		err = c.writable()
		if err != nil {
			return nil, err // before the refresh token is spent
		}
		got, err = ask(ctx, s, last)
		if err == nil {
			k.successors.put(last.refresh, got)
		}
		return got, err
	})
}

// give sets the cookies while that is possible. Others with the old ones get their successors.
func (k *cookieSessions) give(c *requestContext, s *session, t *tokenSet) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writable() != nil {
		return nil
	}
	return k.begin(c.w, c.r, s, t)
}

// successors remembers refreshes by the hash of the refresh token that was used, so that none
// is spent twice: a provider may take that for a theft (RFC 9700, 4.14.2) and end the session.
// It is safe for concurrent use.
type successors struct {
	outcomes *cache.Cache[*refreshed]
}

// maxSuccessors bounds how many refreshes are remembered, of some 5 KB each; the half that was
// used last is kept for certain.
const maxSuccessors = 2000

func newSuccessors() *successors { return &successors{cache.New[*refreshed](maxSuccessors)} }

func (m *successors) put(refresh string, got *refreshed) { m.outcomes.Put(tokenHash(refresh), got) }

// maxFollowed bounds how many refreshes last follows: as many as tokens of five minutes, the
// shortest at Cognito, take in the eight hours of a session.
const maxFollowed = 100

// last returns the tokens whose refresh token has not been used yet: t, or those that came of
// it at last and, then, the refresh that brought them.
func (m *successors) last(t *tokenSet) (*tokenSet, *refreshed) {
	var by *refreshed
	for range maxFollowed {
		got, ok := m.outcomes.Get(tokenHash(t.refresh))
		if !ok || got == by {
			break
		}
		t, by = got.tokens, got
	}
	return t, by
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return string(sum[:])
}
