package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/sessionstore"
	"github.com/redis/rueidis"
)

// A Store is a [sessionstore.Store] in Redis or Valkey. It is safe for concurrent use.
type Store struct {
	config  Config
	client  rueidis.Client
	written *recentWrites
	close   func()
}

var _ sessionstore.Store = (*Store)(nil)

// Close closes the connections, unless they belong to the caller of [NewFromClient],
// and waits for calls that are under way.
func (s *Store) Close() { s.close() }

// Ping checks that the server, or one node of a cluster, answers.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	err := s.client.Do(ctx, s.client.B().Ping().Build()).Error()
	if err != nil {
		return s.config.wrap("pinging the server", err)
	}
	return nil
}

func (s *Store) recordKey(key string) string  { return s.config.KeyPrefix + "r:" + key }
func (s *Store) indexKey(index string) string { return s.config.KeyPrefix + "x:" + index }

// Create implements [sessionstore.Store].
func (s *Store) Create(ctx context.Context, r sessionstore.Record) error {
	err := check(r)
	if err != nil {
		return err
	}
	err = ctx.Err()
	if err != nil {
		return s.config.wrap("creating a record", err)
	}
	h := newHead(r, time.Now())
	stored := append(h.append(make([]byte, 0, maxHeadSize+len(r.Value))), r.Value...)
	err = s.set(ctx, r.Key, string(stored), h.expires)
	if errors.Is(err, sessionstore.ErrRecordChanged) && s.clear(ctx, r.Key) {
		err = s.set(ctx, r.Key, string(stored), h.expires)
	}
	if err != nil {
		return err
	}
	// The record is saved first: so if a member's record does not exist, the record is
	// gone, and not about to be saved.
	err = s.index(ctx, r.Key, &h)
	if err != nil {
		s.undo(ctx, r.Key)
		return s.config.wrap("indexing a record", err)
	}
	return nil
}

// set saves a record that must not exist yet.
func (s *Store) set(ctx context.Context, key, stored string, expires int64) error {
	wait := s.withTimeout(ctx)
	defer wait.stop()
	err := s.client.Do(wait, s.client.B().Set().Key(s.recordKey(key)).Value(stored).Nx().
		PxatMillisecondsTimestamp(expires).Build()).Error()
	switch {
	case err == nil:
		s.note(key, 1)
		return nil
	case rueidis.IsRedisNil(err):
		return sessionstore.ErrRecordChanged
	}
	s.note(key, unknown)
	return s.config.wrap("creating a record", err)
}

// clear removes a value that is not a record and prevents a new one, and reports
// whether it did.
func (s *Store) clear(ctx context.Context, key string) bool {
	wait := s.withTimeout(ctx)
	defer wait.stop()
	stored, err := s.client.Do(wait, s.client.B().Get().Key(s.recordKey(key)).Build()).ToString()
	var seen []string
	switch {
	case err == nil:
		_, _, err := parse([]byte(stored))
		if err == nil {
			return false
		}
		seen = []string{stored}
	case !isWrongType(err):
		return false
	}
	n, err := removeForeign.Exec(wait, s.client, []string{s.recordKey(key)}, seen).AsInt64()
	return err == nil && n > 0
}

// undo removes a record whose Create fails, even if the caller's context has ended.
func (s *Store) undo(ctx context.Context, key string) {
	// Nobody knows the key. If this fails, the record remains until it expires.
	_ = s.Delete(context.WithoutCancel(ctx), key)
}

// index adds a record to its indexes.
func (s *Store) index(ctx context.Context, key string, h *head) error {
	if len(h.indexes) == 0 {
		return nil
	}
	wait := s.withTimeout(ctx)
	defer wait.stop()
	return each(h.indexes, func(index string) error {
		return addMember.Exec(wait, s.client, []string{s.indexKey(index)},
			[]string{h.member(key), decimal(h.indexed)}).Error()
	})
}

// Load implements [sessionstore.Store]. It may answer from memory; see the package's
// documentation.
func (s *Store) Load(ctx context.Context, key string) (sessionstore.Record, error) {
	if s.config.DisableCache {
		return s.LoadLatest(ctx, key)
	}
	err := checkKey(key)
	if err != nil {
		return sessionstore.Record{}, err
	}
	err = ctx.Err()
	if err != nil {
		return sessionstore.Record{}, s.config.wrap("loading a record", err)
	}
	now := time.Now()
	oldest := s.written.oldest(key, now)
	if oldest == unknown {
		return s.LoadLatest(ctx, key)
	}
	wait := s.withTimeout(ctx)
	defer wait.stop()
	r, err := s.record(key, now, s.client.DoCache(wait,
		s.client.B().Get().Key(s.recordKey(key)).Cache(), s.config.LocalTTL))
	// Calls that wait for the same answer all get the error of the call that asked. If
	// its context ended, that is not an error of this call.
	others := err != nil && isContext(err) && wait.Err() == nil
	if others || r.Version < oldest && (err == nil || errors.Is(err, sessionstore.ErrNoRecord)) {
		return s.LoadLatest(ctx, key)
	}
	return r, err
}

// LoadLatest implements [sessionstore.Store].
func (s *Store) LoadLatest(ctx context.Context, key string) (sessionstore.Record, error) {
	err := checkKey(key)
	if err != nil {
		return sessionstore.Record{}, err
	}
	err = ctx.Err()
	if err != nil {
		return sessionstore.Record{}, s.config.wrap("loading a record", err)
	}
	wait := s.withTimeout(ctx)
	defer wait.stop()
	return s.record(key, time.Now(), s.client.Do(wait, s.client.B().Get().Key(s.recordKey(key)).Build()))
}

// record parses the server's answer. The value is shared with the client's memory.
func (s *Store) record(key string, now time.Time, answer rueidis.RedisResult) (sessionstore.Record, error) {
	stored, err := answer.AsBytes()
	switch {
	case rueidis.IsRedisNil(err):
		return sessionstore.Record{}, sessionstore.ErrNoRecord
	case isWrongType(err):
		return sessionstore.Record{}, s.config.wrap("loading a record", errForeign)
	case err != nil:
		return sessionstore.Record{}, s.config.wrap("loading a record", err)
	}
	h, value, err := parse(stored)
	if err != nil {
		return sessionstore.Record{}, s.config.wrap("loading a record", err)
	}
	expires := time.UnixMilli(h.expires)
	if !now.Before(expires) {
		return sessionstore.Record{}, sessionstore.ErrNoRecord
	}
	return sessionstore.Record{Key: key, Version: h.version, Value: value, Indexes: h.indexes, Expires: expires}, nil
}

// Update implements [sessionstore.Store].
func (s *Store) Update(ctx context.Context, r sessionstore.Record) error {
	err := check(r)
	if err != nil {
		return err
	}
	err = ctx.Err()
	if err != nil {
		return s.config.wrap("updating a record", err)
	}
	short, err := s.update(ctx, r, "")
	if err != nil || short == nil {
		return err
	}
	// The indexes come first: they must keep the record as long as it lives.
	short.indexed = indexedUntil(milli(r.Expires), time.Now())
	err = s.index(ctx, r.Key, short)
	if err != nil {
		return s.config.wrap("indexing a record", err)
	}
	short, err = s.update(ctx, r, decimal(short.indexed))
	if err == nil && short != nil {
		err = s.config.wrap("updating a record", errForeign)
	}
	return err
}

// update runs the script. If the record's indexes would drop it too early, update
// changes nothing and returns the record's head.
func (s *Store) update(ctx context.Context, r sessionstore.Record, indexed string) (*head, error) {
	wait := s.withTimeout(ctx)
	defer wait.stop()
	expires := milli(r.Expires)
	answer, err := update.Exec(wait, s.client, []string{s.recordKey(r.Key)}, []string{
		bigEndian(r.Version), bigEndian(r.Version + 1), bigEndian(uint64(expires)), //nolint:gosec // not negative
		strconv.FormatInt(expires, 10), indexed, string(r.Value),
	}).ToMessage()
	if err != nil {
		s.note(r.Key, unknown)
		return nil, s.config.wrap("updating a record", err)
	}
	if answer.IsString() {
		stored, _ := answer.AsBytes()
		h, _, err := parse(stored)
		if err != nil {
			return nil, s.config.wrap("updating a record", err)
		}
		return &h, nil
	}
	switch done, _ := answer.AsInt64(); done {
	case 0:
		return nil, sessionstore.ErrNoRecord
	case 1:
		return nil, sessionstore.ErrRecordChanged
	}
	s.note(r.Key, r.Version+1)
	return nil, nil
}

func bigEndian(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

// Delete implements [sessionstore.Store].
func (s *Store) Delete(ctx context.Context, key string) error {
	err := checkKey(key)
	if err != nil {
		return err
	}
	err = ctx.Err()
	if err != nil {
		return s.config.wrap("deleting a record", err)
	}
	wait := s.withTimeout(ctx)
	defer wait.stop()
	stored, err := remove.Exec(wait, s.client, []string{s.recordKey(key)}, nil).AsBytes()
	s.note(key, unknown)
	if err != nil {
		return s.config.wrap("deleting a record", err)
	}
	h, _, err := parse(stored)
	if err != nil {
		return nil // there was no record, or not one of this store
	}
	// A member without a record does no harm and expires, so a failure is ignored.
	_ = each(h.indexes, func(index string) error {
		return s.client.Do(wait, s.client.B().Zrem().Key(s.indexKey(index)).Member(h.member(key)).Build()).Error()
	})
	return nil
}

// page is how many records DeleteIndexed deletes per call.
const page = 500

// DeleteIndexed implements [sessionstore.Store]. If it fails, the records that it has
// deleted remain deleted; another call continues. If another program overwrote the
// index, DeleteIndexed removes the value and returns an error, once.
func (s *Store) DeleteIndexed(ctx context.Context, index string) (int, error) {
	err := checkKey(index)
	if err != nil {
		return 0, err
	}
	live := 0
	for {
		err := ctx.Err()
		if err != nil {
			return live, s.config.wrap("deleting records by index", err)
		}
		n, more, err := s.deletePage(ctx, index)
		live += n
		if err != nil {
			return live, s.config.wrap("deleting records by index", err)
		}
		if !more {
			return live, nil
		}
	}
}

// deletePage deletes the records of some members of an index, and then the members. It
// returns how many live records there were, and whether the index may have more
// members.
func (s *Store) deletePage(ctx context.Context, index string) (live int, more bool, err error) {
	wait := s.withTimeout(ctx)
	defer wait.stop()
	members, err := s.client.Do(wait, s.client.B().Zrange().Key(s.indexKey(index)).
		Min("0").Max(strconv.Itoa(page-1)).Build()).AsStrSlice()
	if isWrongType(err) {
		// The value is removed so that another call succeeds. The error is reported,
		// because it is unknown which records the index named.
		err = errors.Join(errForeignIndex,
			removeForeignIndex.Exec(wait, s.client, []string{s.indexKey(index)}, nil).Error())
	}
	if err != nil || len(members) == 0 {
		return 0, false, err
	}
	var mu sync.Mutex
	err = each(members, func(member string) error {
		key, ok := keyOf(member)
		if !ok {
			return nil // it was not a record of this store
		}
		n, err := removeIndexed.Exec(wait, s.client, []string{s.recordKey(key)}, []string{index}).AsInt64()
		s.note(key, unknown)
		mu.Lock()
		defer mu.Unlock()
		live += int(n)
		return err
	})
	if err != nil {
		return live, false, err
	}
	err = s.client.Do(wait, s.client.B().Zrem().Key(s.indexKey(index)).Member(members...).Build()).Error()
	return live, true, err
}

// note remembers what this process wrote, for Load.
func (s *Store) note(key string, version uint64) {
	if !s.config.DisableCache {
		s.written.note(key, version, time.Now())
	}
}

// isContext reports whether an error is that of a context.
func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// each calls do for all items, some at the same time, and returns one of the errors.
// The client sends concurrent commands together.
func each(items []string, do func(string) error) error {
	if len(items) == 1 {
		return do(items[0])
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	errs := make([]error, len(items))
	for i, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(item)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
