package cognate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/flight"
	"github.com/cognate-auth/cognate/internal/gate"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/seal"
	"github.com/cognate-auth/cognate/sessionstore"
)

const (
	// storedFormat is the first byte of a session as a store has it.
	storedFormat = 1
	// storeIDSize is the size of the random id in the cookie, in bytes.
	storeIDSize = 32
	// leaseTime is how long one process may take to refresh the tokens of a session
	// before another one tries: longer than a request to the provider can take, and
	// short enough for those who wait when the process died.
	leaseTime = oidc.RequestTimeout + 5*time.Second
	// askTime bounds what is done under a lease before the tokens are saved, userInfo and
	// hooks included: after it somebody else would spend the same refresh token.
	askTime = leaseTime - 2*time.Second
	// leasePoll is the pause between two looks at a session that another process
	// refreshes.
	leasePoll = 50 * time.Millisecond
	// storeSlack is how much longer than the session a record lives, for clocks that
	// differ.
	storeSlack = 5 * time.Minute
)

// stored is what a store has of a session beside the session itself.
type stored struct {
	key     string
	version uint64
	tokens  *tokenSet // nil if there are none
	lease   lease
}

// A lease is one process's right to refresh the tokens.
type lease struct {
	holder string // random; empty if nobody is at it
	until  time.Time
}

// held reports whether somebody may be at it, as far as a clock can say that may differ from
// the holder's by the skew in both directions. A lease that ends later than any can comes
// from a clock that was wrong.
func (l lease) held(now time.Time, skew time.Duration) bool {
	return l.holder != "" && now.Before(l.until.Add(skew)) && l.until.Sub(now) <= leaseTime+skew
}

// A watch is how long one process has looked at a lease. What two clocks say is known within
// the skew, which is longer than a lease; but how much time passes every process can tell by
// itself. So a lease whose holder died is over, whatever the clocks say, when it has been
// watched for its length.
type watch struct {
	holder string
	since  time.Time // with a monotonic reading: not Config.Now, which may be set
}

// over reports whether the lease has been watched for long enough.
func (w *watch) over(l lease) bool {
	if w.holder != l.holder {
		w.holder, w.since = l.holder, time.Now()
	}
	return time.Since(w.since) >= leaseTime
}

// storeSessions keeps sessions in a store. The browser's cookie holds a random id;
// the store gets its hash, and the session sealed for that hash. It is safe for
// concurrent use.
type storeSessions struct {
	*sessionPolicy
	cookie cookie.Spec
	store  sessionstore.Store
	sealer *seal.Sealer
	bound  string // issuer and client, in every hash
	log    *slog.Logger
	// opened holds by the cookie value what was decrypted last, so that a session that
	// did not change costs the store's answer and no decryption.
	opened *cache.Cache[*session]
	flight flight.Group
	gate   *gate.Gate
	// unreadable holds the keys of records that can't be read, so that each is reported once.
	unreadable *cache.Set
}

// maxUnreadable bounds how many records that can't be read are remembered.
const maxUnreadable = 10_000

// hash names something in the store. kind keeps ids, subjects and session IDs apart.
func (k *storeSessions) hash(kind, value string) string {
	h := sha256.New()
	for _, part := range []string{"cognate", kind, k.bound, value} {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		_, _ = h.Write([]byte(part))
	}
	return seal.Encoding.EncodeToString(h.Sum(nil))
}

// key names the session with this id in the store. The cookie's name is in it: the id of one
// Auth, moved into the cookie of another that asks more of a sign-in, is none of its own.
func (k *storeSessions) key(id string) string {
	return k.hash("session", k.cookie.Name+"\x00"+id)
}

func (k *storeSessions) find(r *http.Request, now time.Time) (s *session, present bool, err error) {
	value, key, known, count := k.named(r)
	if key == "" {
		return nil, count > 0, nil
	}
	rec, err := k.store.Load(r.Context(), key)
	s, err = k.read(r.Context(), rec, err, key, known, now)
	if err == nil && s != nil && k.over(s, now) {
		// The idle clock may have been wound in another process a moment ago.
		rec, err = k.store.LoadLatest(r.Context(), key)
		s, err = k.read(r.Context(), rec, err, key, s, now)
	}
	if err == nil && s != nil && s != known {
		k.opened.Put(strings.Clone(value), s)
	}
	return s, true, err
}

// named returns the cookie's value, the key of the record that it names, or "" if that is none
// of ours, and what was decrypted of it last; count is how many cookies there are.
func (k *storeSessions) named(r *http.Request) (value, key string, known *session, count int) {
	value, count = cookie.Find(r.Header, k.cookie.Name)
	if count != 1 || len(value) != seal.Encoding.EncodedLen(storeIDSize) {
		return "", "", nil, count
	}
	if known, ok := k.opened.Get(value); ok {
		return value, known.stored.key, known, count
	}
	id, err := seal.Encoding.DecodeString(value)
	if err != nil {
		return "", "", nil, count
	}
	return value, k.key(string(id)), nil, count
}

// discard removes the record that a request's cookie names, whatever is in it.
func (k *storeSessions) discard(r *http.Request, _ time.Time) (*session, error) {
	_, key, _, _ := k.named(r)
	if key == "" {
		return nil, nil
	}
	err := k.store.Delete(r.Context(), key)
	if err != nil {
		return nil, storeDown(err)
	}
	return nil, nil
}

// read makes a session of a store's answer. known is what was decrypted before, if anything.
func (k *storeSessions) read(
	ctx context.Context, rec sessionstore.Record, err error, key string, known *session, now time.Time,
) (*session, error) {
	switch {
	case errors.Is(err, sessionstore.ErrNoRecord) && known != nil && k.over(known, now):
		return known, nil // the store has dropped it in time
	case errors.Is(err, sessionstore.ErrNoRecord):
		k.reportUnreadable(ctx, key, err)
		return nil, nil
	case err != nil:
		return nil, storeDown(err)
	case known != nil && known.stored.version == rec.Version:
		return known, nil
	}
	return k.open(ctx, rec, key), nil
}

// storeDown is the refusal that a store which can't be asked leads to.
func storeDown(err error) *refusal.Error {
	e := refusal.New(refusal.StoreDown, "the session store can't be asked: %w", err)
	e.RetryAfter = time.Second
	return e
}

// open decrypts a record. One that can't be read is nobody's session, and worth a line:
// the keys are wrong, or somebody wrote to the store.
func (k *storeSessions) open(ctx context.Context, rec sessionstore.Record, key string) *session {
	s, err := k.decode(rec, key)
	if err != nil {
		k.reportUnreadable(ctx, key, fmt.Errorf("are Config.Keys those that sealed it? %w", err))
		return nil
	}
	if !k.admits(s.user) {
		return nil
	}
	return s
}

// reportUnreadable writes one line about a record that can't be read. That there is none is no
// such thing.
func (k *storeSessions) reportUnreadable(ctx context.Context, key string, err error) {
	now := k.now()
	if err == sessionstore.ErrNoRecord || !k.unreadable.Add(key, now.Add(k.lifetime), now) { //nolint:errorlint // wrapped, it says more
		return
	}
	k.log.LogAttrs(ctx, slog.LevelWarn, "cognate: a session in the store can't be read, and counts as none", slog.String("err", err.Error()))
}

func (k *storeSessions) decode(rec sessionstore.Record, key string) (*session, error) {
	plaintext, current, err := k.sealer.OpenBytes(key, rec.Value)
	if err != nil {
		return nil, err
	}
	s, err := decodeStored(plaintext)
	if err != nil {
		return nil, err
	}
	s.user.Issuer = k.issuer
	s.oldKey = !current
	s.stored.key, s.stored.version = key, rec.Version
	return s, nil
}

// encodeStored is the session, its tokens and its lease.
func encodeStored(s *session, t *tokenSet, l lease) []byte {
	b := seal.AppendString([]byte{storedFormat}, string(s.encode()))
	tokens := ""
	if t != nil {
		tokens = string(t.encode())
	}
	b = seal.AppendString(seal.AppendString(b, tokens), l.holder)
	return binary.AppendUvarint(b, uint64(max(l.until.UnixMilli(), 0)))
}

func decodeStored(data []byte) (*session, error) {
	d := seal.NewDecoder(data)
	if d.Byte() != storedFormat {
		return nil, errSession
	}
	identity, tokens, holder, until := d.String(), d.String(), d.String(), d.Uvarint()
	if !d.Done() || until > seal.MaxSeconds*1000 {
		return nil, errSession
	}
	s, err := decodeSession([]byte(identity))
	if err != nil {
		return nil, err
	}
	s.stored = &stored{lease: lease{holder: holder}}
	if until > 0 {
		s.stored.lease.until = time.UnixMilli(int64(until))
	}
	if tokens != "" {
		s.stored.tokens, err = decodeTokens([]byte(tokens))
	}
	return s, err
}

// record seals a session for the store. Tokens that make it too large lose the raw ID
// token first, and are left out if that is not enough; what was kept is returned.
func (k *storeSessions) record(ctx context.Context, key string, s *session, t *tokenSet, l lease) (sessionstore.Record, *session, *tokenSet) {
	rec := k.seal(key, s, t, l)
	size := len(rec.Value)
	if size <= sessionstore.MaxRecordValue || t == nil {
		return rec, s, t
	}
	slim := *t
	slim.id = ""
	t = &slim
	rec = k.seal(key, s, t, l)
	if len(rec.Value) > sessionstore.MaxRecordValue {
		without := *s
		without.dropped = true
		s, t = &without, nil
		rec = k.seal(key, s, t, l)
	}
	k.log.LogAttrs(ctx, slog.LevelWarn, "cognate: the session is too large for a store; tokens were left out, the raw ID token first",
		slog.Int("bytes", size), slog.Int("kept_bytes", len(rec.Value)), slog.Int("limit_bytes", sessionstore.MaxRecordValue))
	return rec, s, t
}

func (k *storeSessions) seal(key string, s *session, t *tokenSet, l lease) sessionstore.Record {
	value := k.sealer.SealBytes(key, encodeStored(s, t, l))
	return sessionstore.Record{Key: key, Version: 1, Value: value, Expires: k.ends(s).Add(storeSlack)}
}

func (k *storeSessions) begin(w http.ResponseWriter, r *http.Request, s *session, t *tokenSet) error {
	id := seal.Random(storeIDSize)
	rec, s, _ := k.record(r.Context(), k.key(id), s, t, lease{})
	if len(rec.Value) > sessionstore.MaxRecordValue {
		return refusal.New(refusal.SessionTooLarge, "the identity takes %d bytes sealed, more than a record's %d; keep fewer claims (Config.Claims)",
			len(rec.Value), sessionstore.MaxRecordValue)
	}
	rec.Indexes = []string{k.hash("sub", s.user.Subject)}
	if s.sid != "" {
		rec.Indexes = append(rec.Indexes, k.hash("sid", s.sid))
	}
	err := k.store.Create(r.Context(), rec)
	if err != nil {
		return storeDown(err)
	}
	k.cookie.RemoveChunks(w, r, k.cookie.Name, 1)
	k.cookie.RemoveChunks(w, r, tokensName(k.cookie), 0) // from when there was no store
	k.cookie.Set(w, k.cookie.Name, seal.Encoding.EncodeToString([]byte(id)), s.expires.Sub(k.now()))
	return nil
}

// renew saves the session's dates. Somebody else's change in the meantime is as good, and
// a store that is down is noticed by the next request.
func (k *storeSessions) renew(_ http.ResponseWriter, r *http.Request, s *session) bool {
	rec, _, _ := k.record(r.Context(), s.stored.key, s, s.stored.tokens, s.stored.lease)
	rec.Version = s.stored.version
	return !errors.Is(k.store.Update(r.Context(), rec), sessionstore.ErrNoRecord)
}

func (k *storeSessions) end(ctx context.Context, s *session) error {
	err := k.store.Delete(ctx, s.stored.key)
	if err != nil {
		return storeDown(err)
	}
	return nil
}

func (k *storeSessions) tokens(_ *http.Request, s *session) *tokenSet { return s.stored.tokens }

// latest reads the session from the store itself.
func (k *storeSessions) latest(ctx context.Context, key string) (*session, error) {
	rec, err := k.store.LoadLatest(ctx, key)
	if errors.Is(err, sessionstore.ErrNoRecord) {
		k.reportUnreadable(ctx, key, err)
		return nil, errEnded
	}
	if err != nil {
		return nil, storeDown(err)
	}
	s := k.open(ctx, rec, key)
	if s == nil || k.over(s, k.now()) {
		return nil, errEnded
	}
	return s, nil
}

// refresh takes the lease, asks the provider and saves the tokens before anybody uses
// them. If another process has the lease, it waits for what that one gets.
func (k *storeSessions) refresh(
	ctx context.Context, _ *requestContext, s *session, _ *tokenSet, ask asker,
) (*session, *tokenSet, error) {
	key := s.stored.key
	next, err := flight.Do(ctx, &k.flight, key, refreshTime, func(ctx context.Context) (*session, error) {
		return k.refreshOnce(ctx, key, ask)
	})
	if err != nil {
		return nil, nil, err
	}
	return next, next.stored.tokens, nil
}

func (k *storeSessions) refreshOnce(ctx context.Context, key string, ask asker) (*session, error) {
	s, since, err := k.takeLease(ctx, key)
	if err != nil || k.settled(s) {
		return s, err
	}
	defer k.gate.Leave()
	done := false
	defer func() {
		if !done { // also after a panic
			k.giveBack(ctx, s)
		}
	}()
	asking, cancel := context.WithDeadline(ctx, since.Add(askTime))
	defer cancel()
	got, err := ask(asking, s, s.stored.tokens)
	done = err == nil || errors.Is(err, errRefused)
	if err != nil {
		return nil, err
	}
	next, err := k.save(ctx, s, got)
	if errors.Is(err, errEnded) {
		got.tooLate(ctx)
	}
	if err != nil {
		return nil, err
	}
	return next, got.unusable
}

// settled reports whether there is nothing to refresh.
func (k *storeSessions) settled(s *session) bool {
	return s.stored.tokens == nil || s.stored.tokens.fresh(k.now())
}

// takeLease returns the session as it is in the store: settled, or with a lease that this
// call holds, inside the gate, which has to be left then. since is when the lease was asked
// for: others watch it from then on at the earliest.
func (k *storeSessions) takeLease(ctx context.Context, key string) (s *session, since time.Time, err error) {
	waiting, cancel := context.WithTimeout(ctx, gateTime)
	defer cancel()
	inside := false
	defer func() {
		if inside && (err != nil || k.settled(s)) {
			k.gate.Leave()
		}
	}()
	mine := seal.Random(8)
	var seen watch
	for {
		s, err = k.latest(ctx, key)
		if err != nil || k.settled(s) || inside && s.stored.lease.holder == mine {
			return s, since, err
		}
		busy := s.stored.lease.held(k.now(), k.skew) && !seen.over(s.stored.lease)
		switch {
		case busy && inside: // somebody else was faster
			k.gate.Leave()
			inside = false
		case busy:
		case !inside: // and look again: that may have taken time
			err := k.gate.Enter(waiting)
			if err != nil {
				return nil, since, err
			}
			inside = true
			continue
		default:
			// Whatever goes wrong, the next look tells what came of it.
			since = time.Now()
			next, err := k.update(ctx, s, s.stored.tokens, lease{holder: mine, until: k.now().Add(leaseTime)})
			if err == nil || errors.Is(err, errEnded) {
				return next, since, err
			}
		}
		if !pause(waiting, leasePoll) {
			return nil, since, refusal.New(refusal.RefreshFailed, "another process took too long to refresh the tokens: %w", waiting.Err())
		}
	}
}

// giveBack lets others try at once, as far as the store lets it. Somebody may have changed
// the session's dates under the lease.
func (k *storeSessions) giveBack(ctx context.Context, s *session) {
	for range 3 {
		_, err := k.update(ctx, s, s.stored.tokens, lease{})
		if !errors.Is(err, sessionstore.ErrRecordChanged) {
			return
		}
		latest, err := k.latest(ctx, s.stored.key)
		if err != nil || latest.stored.lease.holder != s.stored.lease.holder {
			return
		}
		s = latest
	}
}

// pause waits, and reports whether the context let it.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// update replaces the session if nobody changed it, and returns it with its new version.
func (k *storeSessions) update(ctx context.Context, s *session, t *tokenSet, l lease) (*session, error) {
	rec, kept, t := k.record(ctx, s.stored.key, s, t, l)
	rec.Version = s.stored.version
	err := k.store.Update(ctx, rec)
	switch {
	case errors.Is(err, sessionstore.ErrNoRecord):
		return nil, errEnded
	case errors.Is(err, sessionstore.ErrRecordChanged):
		return nil, err
	case err != nil:
		return nil, storeDown(err)
	}
	next := *kept
	next.stored = &stored{key: s.stored.key, version: s.stored.version + 1, tokens: t, lease: l}
	return &next, nil
}

// save writes new tokens and gives back the lease. Only dates can have changed under the
// lease, so somebody else's change is taken over and the tokens put on top; so they are when
// the lease was over and somebody else's attempt came to nothing. A store that fails for a
// moment is tried again: the refresh token that was spent is worth it.
func (k *storeSessions) save(ctx context.Context, s *session, got *refreshed) (*session, error) {
	mine, wait := s.stored.lease.holder, leasePoll
	for {
		next := *s
		next.user = got.user
		saved, err := k.update(ctx, &next, got.tokens, lease{})
		if err == nil || errors.Is(err, errEnded) {
			return saved, err
		}
		if !pause(ctx, wait) {
			return nil, err
		}
		wait = min(2*wait, time.Second)
		latest, readErr := k.latest(ctx, s.stored.key)
		switch {
		case errors.Is(readErr, errEnded):
			return nil, readErr
		case readErr != nil:
			continue
		case k.settled(latest):
			return latest, nil // it was saved after all, or another process was faster
		case latest.stored.lease.holder != mine && latest.stored.tokens.refresh == got.tokens.refresh && got.unusable != nil:
			return latest, nil // the same, with nothing that can be used
		}
		s = latest
	}
}
