package session

import (
	"context"
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
	"github.com/cognate-auth/cognate/internal/record"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/seal"
	"github.com/cognate-auth/cognate/sessionstore"
)

const (
	// storedFormat is the first byte of a session as a store has it.
	storedFormat = 1
	// storeIDSize is the size of the random ID in the cookie, in bytes.
	storeIDSize = 32
	// storeSlack is how much longer a record lives than its session, because clocks differ.
	storeSlack = 5 * time.Minute
)

// stored is what a store keeps of a session in addition to the session itself.
type stored struct {
	key     string
	version uint64
	tokens  *Tokens // nil if there are none
	lease   lease
}

// storedSessions keeps sessions in a store. The browser's cookie holds a random ID. The hash
// of the ID is the key in the store, and the session is sealed for that key. It is safe for
// concurrent use.
type storedSessions struct {
	config *Config
	limits limits
	sealer *seal.Sealer
	// opened holds decrypted sessions by cookie value, so that an unchanged session costs a
	// call of the store but no decryption.
	opened *cache.Cache[*Session]
	flight flight.Group
	// unreadable holds the keys of unreadable records, so that each is reported once.
	unreadable *cache.Set
}

// maxUnreadable bounds how many unreadable records are remembered.
const maxUnreadable = 10_000

func newStoredSessions(c *Config) (*storedSessions, error) {
	sealer, err := seal.New(c.Keys, "stored session", c.Bound, sessionstore.MaxRecordValue)
	return &storedSessions{
		config: c, limits: newLimits(c.RequestTime), sealer: sealer, opened: cache.New[*Session](c.CacheSize),
		unreadable: cache.NewSet(maxUnreadable),
	}, err
}

// key returns the key in the store of the session with this ID. It depends on the cookie's
// name: an ID of one Auth must not be valid in the cookie of another Auth, which may require
// more of a sign-in.
func (k *storedSessions) key(id string) string {
	return k.config.Store.Name("session", k.config.Cookie.Name+"\x00"+id)
}

func (k *storedSessions) find(r *http.Request, now time.Time) (s *Session, present bool, err error) {
	value, key, known, count := k.lookup(r)
	if key == "" {
		return nil, count > 0, nil
	}
	rec, err := k.config.Store.Load(r.Context(), key)
	s, err = k.read(r.Context(), rec, err, key, known, now)
	if err == nil && s != nil && k.config.hasExpired(s, now) {
		// Another process may have renewed the session a moment ago.
		rec, err = k.config.Store.LoadLatest(r.Context(), key)
		s, err = k.read(r.Context(), rec, err, key, s, now)
	}
	if err == nil && s != nil && s != known {
		k.opened.Put(strings.Clone(value), s)
	}
	return s, true, err
}

// lookup returns the session cookie's value, the key of the record that it names, or "" if
// the value is malformed, and the session that was last decrypted from that record, if it is
// cached; count is the number of session cookies.
func (k *storedSessions) lookup(r *http.Request) (value, key string, known *Session, count int) {
	value, count = cookie.Find(r.Header, k.config.Cookie.Name)
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

// discard removes the record that a request's cookie names, whatever it contains.
func (k *storedSessions) discard(r *http.Request, _ time.Time) (*Session, error) {
	_, key, _, _ := k.lookup(r)
	if key == "" {
		return nil, nil
	}
	err := k.config.Store.Delete(r.Context(), key)
	if err != nil {
		return nil, record.Down(err)
	}
	return nil, nil
}

// read returns the session in a store's answer. known is the cached session, if any.
func (k *storedSessions) read(
	ctx context.Context, rec sessionstore.Record, err error, key string, known *Session, now time.Time,
) (*Session, error) {
	switch {
	case errors.Is(err, sessionstore.ErrNoRecord) && known != nil && k.config.hasExpired(known, now):
		return known, nil // the store has removed the expired session
	case errors.Is(err, sessionstore.ErrNoRecord):
		k.reportUnreadable(ctx, key, err)
		return nil, nil
	case err != nil:
		return nil, record.Down(err)
	case known != nil && known.stored.version == rec.Version:
		return known, nil
	}
	return k.open(ctx, rec, key), nil
}

// open decrypts a record and returns its session, or nil. A record that can't be decrypted is
// logged: either the keys are wrong, or something else wrote to the store.
func (k *storedSessions) open(ctx context.Context, rec sessionstore.Record, key string) *Session {
	s, err := k.decode(rec, key)
	if err != nil {
		k.reportUnreadable(ctx, key, fmt.Errorf("are Config.Keys those that sealed it? %w", err))
		return nil
	}
	if !k.config.Admits(s.Identity) {
		return nil
	}
	return s
}

// reportUnreadable logs an unreadable record once. It does not log a missing one.
func (k *storedSessions) reportUnreadable(ctx context.Context, key string, err error) {
	now := k.config.Now()
	if err == sessionstore.ErrNoRecord { //nolint:errorlint // a wrapped one says what is unreadable
		return
	}
	if !k.unreadable.Add(key, now.Add(k.config.Lifetime), now) {
		return
	}
	k.config.Log.LogAttrs(ctx, slog.LevelWarn, "cognate: a session in the store can't be read, and counts as missing",
		slog.String("err", err.Error()))
}

func (k *storedSessions) decode(rec sessionstore.Record, key string) (*Session, error) {
	plaintext, current, err := k.sealer.OpenBytes(key, rec.Value)
	if err != nil {
		return nil, err
	}
	s, err := decodeStored(plaintext, k.config.Decode)
	if err != nil {
		return nil, err
	}
	s.oldKey = !current
	s.stored.key, s.stored.version = key, rec.Version
	return s, nil
}

// encodeStored encodes the session, its tokens and its lease.
func encodeStored(s *Session, t *Tokens, l lease) []byte {
	b := seal.AppendString([]byte{storedFormat}, string(s.encode()))
	tokens := ""
	if t != nil {
		tokens = string(t.encode())
	}
	b = seal.AppendString(seal.AppendString(b, tokens), l.holder)
	return binary.AppendUvarint(b, uint64(max(l.until.UnixMilli(), 0)))
}

func decodeStored(data []byte, decode Decoder) (*Session, error) {
	d := seal.NewDecoder(data)
	if d.Byte() != storedFormat {
		return nil, errSession
	}
	identity, tokens, holder, until := d.String(), d.String(), d.String(), d.Uvarint()
	if !d.Done() || until > seal.MaxSeconds*1000 {
		return nil, errSession
	}
	s, err := decodeSession([]byte(identity), decode)
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

// record seals a session for the store, with as many of its tokens as fit, and returns the
// session and the tokens as they are in the record.
func (k *storedSessions) record(
	ctx context.Context, key string, s *Session, t *Tokens, l lease,
) (rec sessionstore.Record, kept *Session, tokens *Tokens) {
	size := 0
	for i, reduced := range t.reductions() {
		kept, tokens = s, reduced
		if reduced == nil && t != nil {
			without := *s
			without.TokensDropped = true
			kept = &without
		}
		rec = k.seal(key, kept, tokens, l)
		if i == 0 {
			size = len(rec.Value)
		}
		if len(rec.Value) <= sessionstore.MaxRecordValue {
			break
		}
	}
	if size > sessionstore.MaxRecordValue && t != nil {
		k.config.Log.LogAttrs(ctx, slog.LevelWarn,
			"cognate: the session is too large for a store; tokens were left out, the raw ID token first",
			slog.Int("bytes", size), slog.Int("kept_bytes", len(rec.Value)),
			slog.Int("limit_bytes", sessionstore.MaxRecordValue))
	}
	return rec, kept, tokens
}

func (k *storedSessions) seal(key string, s *Session, t *Tokens, l lease) sessionstore.Record {
	value := k.sealer.SealBytes(key, encodeStored(s, t, l))
	return sessionstore.Record{Key: key, Version: 1, Value: value, Expires: k.config.expiry(s).Add(storeSlack)}
}

func (k *storedSessions) begin(w http.ResponseWriter, r *http.Request, s *Session, t *Tokens) error {
	id := seal.Random(storeIDSize)
	rec, s, _ := k.record(r.Context(), k.key(id), s, t, lease{})
	if len(rec.Value) > sessionstore.MaxRecordValue {
		return refusal.New(refusal.SessionTooLarge, "the identity takes %d bytes sealed, more than a record's %d; "+
			"keep fewer claims (Config.Claims)",
			len(rec.Value), sessionstore.MaxRecordValue)
	}
	rec.Indexes = []string{k.config.Store.Name(string(BySubject), s.Identity.Subject())}
	if s.sid != "" {
		rec.Indexes = append(rec.Indexes, k.config.Store.Name(string(BySID), s.sid))
	}
	err := k.config.Store.Create(r.Context(), rec)
	if err != nil {
		return record.Down(err)
	}
	k.config.Cookie.RemoveChunks(w, r, k.config.Cookie.Name, 1)
	k.config.Cookie.RemoveChunks(w, r, k.config.tokensName(), 0) // left from a time without a store
	value := seal.Encoding.EncodeToString([]byte(id))
	k.config.Cookie.Set(w, k.config.Cookie.Name, value, s.expires.Sub(k.config.Now()))
	return nil
}

// renew saves the session's dates. It ignores a concurrent change, which serves the same
// purpose, and an error of the store, which the next request will report.
func (k *storedSessions) renew(_ http.ResponseWriter, r *http.Request, s *Session) bool {
	rec, _, _ := k.record(r.Context(), s.stored.key, s, s.stored.tokens, s.stored.lease)
	rec.Version = s.stored.version
	return !errors.Is(k.config.Store.Update(r.Context(), rec), sessionstore.ErrNoRecord)
}

func (k *storedSessions) end(ctx context.Context, s *Session) error {
	err := k.config.Store.Delete(ctx, s.stored.key)
	if err != nil {
		return record.Down(err)
	}
	return nil
}

func (k *storedSessions) endAll(ctx context.Context, by Index, value string) (int, error) {
	n, err := k.config.Store.DeleteIndexed(ctx, k.config.Store.Name(string(by), value))
	if err != nil {
		return n, record.Down(err)
	}
	return n, nil
}

func (k *storedSessions) tokens(_ *http.Request, s *Session) *Tokens { return s.stored.tokens }

// latest returns old itself: only the store knows its successors.
func (k *storedSessions) latest(old *Tokens) *Tokens { return old }

// loadLatest reads the session from the store, not from a cache.
func (k *storedSessions) loadLatest(ctx context.Context, key string) (*Session, error) {
	rec, err := k.config.Store.LoadLatest(ctx, key)
	if errors.Is(err, sessionstore.ErrNoRecord) {
		k.reportUnreadable(ctx, key, err)
		return nil, ErrEndedElsewhere
	}
	if err != nil {
		return nil, record.Down(err)
	}
	s := k.open(ctx, rec, key)
	if s == nil || k.config.hasExpired(s, k.config.Now()) {
		return nil, ErrEndedElsewhere
	}
	return s, nil
}
