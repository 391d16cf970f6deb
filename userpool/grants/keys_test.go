package grants_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// keyStore is a store in memory that counts how often keys are read, and can
// hold back or fail what is about keys.
type keyStore struct {
	store.Store

	reads  atomic.Int64
	broken atomic.Bool
	apply  func(ctx context.Context) // called before keys are stored
}

var errBroken = errors.New("the store is broken")

func (s *keyStore) Get(ctx context.Context, p, kind, id string) (store.Record, bool, error) {
	if kind == "keys" {
		s.reads.Add(1)
		if s.broken.Load() {
			return store.Record{}, false, errBroken
		}
	}
	return s.Store.Get(ctx, p, kind, id)
}

func (s *keyStore) Apply(ctx context.Context, p string, changes ...store.Change) error {
	if changes[0].Kind == "keys" && s.apply != nil {
		s.apply(ctx)
	}
	return s.Store.Apply(ctx, p, changes...)
}

// startOn starts the pool of a store, as another process would.
func startOn(t *testing.T, s store.Store, now func() time.Time) *pool.Pool {
	t.Helper()
	p, err := pool.New(t.Context(), pool.Config{
		ID: pooltest.PoolID, Issuer: pooltest.BaseURL + "/", Store: s, Hashing: pooltest.Cheap, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// keyIDs returns the key ids that a pool publishes.
func keyIDs(t *testing.T, p *pool.Pool) (kids []string) {
	t.Helper()
	raw, err := p.Keys.JWKS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []struct{ Kid string } }
	err = json.Unmarshal(raw, &set)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		kids = append(kids, k.Kid)
	}
	return kids
}

// made are keys for all tests of the process, since they take long to make.
var made = [4]func() (*keys.Pair, error){
	sync.OnceValues(keys.Generate), sync.OnceValues(keys.Generate),
	sync.OnceValues(keys.Generate), sync.OnceValues(keys.Generate),
}

// withKeys returns a store in which a pool finds its keys.
func withKeys(t *testing.T) *keyStore {
	t.Helper()
	pair, err := made[0]()
	if err != nil {
		t.Fatal(err)
	}
	s := &keyStore{Store: memstore.New()}
	err = records.Keys{Store: s, Pool: pooltest.PoolID}.Create(t.Context(), []*keys.Pair{pair})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rotate gives a pool the n-th keys and returns the key ids from then on.
func rotate(t *testing.T, p *pool.Pool, n int) []string {
	t.Helper()
	pairs, err := made[n]()
	if err != nil {
		t.Fatal(err)
	}
	err = p.Keys.Rotate(t.Context(), pairs)
	if err != nil {
		t.Fatal(err)
	}
	return keyIDs(t, p)
}

// ownKeys lets pooltest make a pool that keeps its keys in a store.
func ownKeys(s store.Store) func(*pool.Config) {
	return func(c *pool.Config) { c.Keys, c.Store = nil, s }
}

func signer(t *testing.T, tokens map[string]any) string {
	t.Helper()
	header, _ := pooltest.Claims(t, tokens["access_token"])
	_, rest, _ := strings.Cut(header, `"kid":"`)
	kid, _, _ := strings.Cut(rest, `"`)
	return kid
}

// TestKeysAreKept starts a pool again on the same store: what it signed before
// is good, and its keys are the same, also those from before a rotation.
func TestKeysAreKept(t *testing.T) {
	t.Parallel()
	s := withKeys(t)
	e := pooltest.New(t, ownKeys(s))
	first := keyIDs(t, e.Pool)
	if len(first) != 2 || first[0] == first[1] {
		t.Fatalf("got key ids %q, want two", first)
	}
	rotated := rotate(t, e.Pool, 1)
	if len(rotated) != 4 || !slices.Equal(rotated[2:], first) {
		t.Errorf("got key ids %q, want two new ones and %q", rotated, first)
	}
	again := startOn(t, s, e.Clock.Now)
	if got := keyIDs(t, again); !slices.Equal(got, rotated) {
		t.Errorf("got key ids %q after a start, want %q", got, rotated)
	}
	tokens := e.Tokens(t)
	token, _ := tokens["access_token"].(string)
	_, err := again.Grants.UserInfo(t.Context(), userpool.Secret(token))
	if err != nil {
		t.Errorf("a token from before the start: %v", err)
	}
	err = again.Keys.Withdraw(t.Context())
	if err != nil {
		t.Error(err)
	}
	if got := keyIDs(t, startOn(t, s, e.Clock.Now)); !slices.Equal(got, rotated[:2]) {
		t.Errorf("got key ids %q after withdrawal and start, want %q", got, rotated[:2])
	}
}

// TestKeysAreMadeOnce starts pools on an empty store at the same time.
func TestKeysAreMadeOnce(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	var mu sync.Mutex
	var all [][]string
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			kids := keyIDs(t, startOn(t, s, nil))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, kids)
		})
	}
	wg.Wait()
	for _, kids := range all {
		if len(kids) != 2 || !slices.Equal(kids, all[0]) {
			t.Errorf("got key ids %q, want the same two everywhere", all)
		}
	}
}

// TestStartDoesNotWaitForKeys holds back the first keys of a pool: it starts,
// and only what needs them waits, as long as its context lets it.
func TestStartDoesNotWaitForKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ready := make(chan struct{})
		s := &keyStore{Store: memstore.New(), apply: func(context.Context) { <-ready }}
		e := pooltest.New(t, ownKeys(s))
		a := e.Get(t, "/login", pooltest.Query(), nil)
		if a.StatusCode != http.StatusOK {
			t.Errorf("the sign-in page: got %d, want 200", a.StatusCode)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := e.Pool.Keys.JWKS(short)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of the wait", err)
		}
		tokens := make(chan map[string]any)
		go func() { tokens <- e.Tokens(t) }()
		synctest.Wait()
		select {
		case <-tokens:
			t.Error("tokens before there were keys")
		default:
		}
		close(ready)
		if got, want := signer(t, <-tokens), keyIDs(t, e.Pool)[1]; got != want {
			t.Errorf("signed by %q, want %q", got, want)
		}
	})
}

// TestRotationElsewhere rotates keys at one process: another one honours them at
// once and signs with them soon, without reading the store for every token.
func TestRotationElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := withKeys(t)
		e := pooltest.New(t, ownKeys(s))
		other := startOn(t, s, e.Clock.Now)
		old := e.Tokens(t)
		before := s.reads.Load()
		for range 5 {
			e.Tokens(t)
		}
		if got := s.reads.Load() - before; got != 0 {
			t.Errorf("the keys were read %d times for 5 tokens, want never", got)
		}
		kids := rotate(t, other, 1)
		if got := keyIDs(t, e.Pool); !slices.Equal(got, kids) {
			t.Errorf("got key ids %q at the other process, want %q", got, kids)
		}
		if got := signer(t, e.Tokens(t)); got != kids[1] {
			t.Errorf("signed by %q, want %q", got, kids[1])
		}

		// Without a look at the key set it takes some seconds.
		newer := rotate(t, other, 2)
		e.Clock.Advance(6 * time.Second)
		e.Tokens(t) // which does not wait for a look at the store, and begins one
		synctest.Wait()
		if got := signer(t, e.Tokens(t)); got != newer[1] {
			t.Errorf("signed by %q soon after, want %q", got, newer[1])
		}
		newest := rotate(t, other, 3)
		e.Clock.Advance(2 * time.Minute) // after a long rest the first token waits
		if got := signer(t, e.Tokens(t)); got != newest[1] {
			t.Errorf("signed by %q after a rest, want %q", got, newest[1])
		}
		err := other.Keys.Withdraw(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e.Clock.Advance(2 * time.Minute)
		if a := e.UserInfo(t, old["access_token"]); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("a token of a key that was withdrawn elsewhere: got %d, want 401", a.StatusCode)
		}
	})
}

// TestNewKeyElsewhere verifies a token that was signed by a key that is known
// only to another process so far.
func TestNewKeyElsewhere(t *testing.T) {
	t.Parallel()
	s := withKeys(t)
	e := pooltest.New(t, ownKeys(s))
	other := startOn(t, s, e.Clock.Now)
	keyIDs(t, other)
	rotate(t, e.Pool, 1)
	token, _ := e.Tokens(t)["access_token"].(string)
	_, err := other.Grants.UserInfo(t.Context(), userpool.Secret(token))
	if err != nil {
		t.Error(err)
	}
}

// TestRotationsMeet rotates at two processes at the same time: no key is lost.
func TestRotationsMeet(t *testing.T) {
	t.Parallel()
	s := withKeys(t)
	pools := []*pool.Pool{startOn(t, s, nil), startOn(t, s, nil), startOn(t, s, nil)}
	first := keyIDs(t, pools[0])
	var wg sync.WaitGroup
	for i, p := range pools {
		wg.Go(func() { rotate(t, p, i+1) })
	}
	wg.Wait()
	for _, p := range pools {
		kids := keyIDs(t, p)
		if len(kids) != 8 || !slices.Equal(kids[6:], first) || !slices.Equal(kids, keyIDs(t, pools[0])) {
			t.Errorf("got key ids %q, want four pairs, the same everywhere", kids)
		}
	}
}

// TestKeysWithoutStore breaks the store: a start says so, and what has keys
// already goes on with them.
func TestKeysWithoutStore(t *testing.T) {
	t.Parallel()
	s := withKeys(t)
	e := pooltest.New(t, ownKeys(s))
	kids := keyIDs(t, e.Pool)
	s.broken.Store(true)
	_, err := pool.New(t.Context(), pool.Config{
		ID: pooltest.PoolID, Issuer: pooltest.BaseURL + "/", Store: s,
	})
	if !errors.Is(err, errBroken) {
		t.Errorf("starting: got %v, want that of the store", err)
	}
	e.Clock.Advance(time.Hour)
	if got := keyIDs(t, e.Pool); !slices.Equal(got, kids) {
		t.Errorf("got key ids %q, want %q", got, kids)
	}
	if got := signer(t, e.Tokens(t)); got != kids[1] {
		t.Errorf("signed by %q, want %q", got, kids[1])
	}
	err = e.Pool.Keys.Withdraw(t.Context())
	if !errors.Is(err, errBroken) {
		t.Errorf("withdrawing: got %v, want that of the store", err)
	}
}

// TestKeysComeBack fails the first attempt to make keys: the next one that needs
// them tries again.
func TestKeysComeBack(t *testing.T) {
	t.Parallel()
	s := &keyStore{Store: memstore.New()}
	s.apply = func(context.Context) { s.broken.Store(true) }
	p := startOn(t, s, nil)
	_, err := p.Keys.JWKS(t.Context())
	if !errors.Is(err, errBroken) {
		t.Errorf("got %v, want that of the store", err)
	}
	s.broken.Store(false)
	if got := keyIDs(t, p); len(got) != 2 {
		t.Errorf("got key ids %q, want two", got)
	}
}

// TestStoreWasEmptied removes everything under a running pool, which then keeps
// the keys that it has.
func TestStoreWasEmptied(t *testing.T) {
	t.Parallel()
	s := withKeys(t)
	p := startOn(t, s, nil)
	kids := keyIDs(t, p)
	change := store.Change{Op: store.Delete, Record: store.Record{Kind: "keys", ID: "signing"}}
	err := s.Apply(t.Context(), pooltest.PoolID, change)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := keyIDs(t, p); !slices.Equal(got, kids) {
			t.Errorf("got key ids %q, want %q", got, kids)
		}
		p = startOn(t, s, nil)
	}
}

// TestGivenKeysAreNotStored looks for them.
func TestGivenKeysAreNotStored(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	rotate(t, e.Pool, 1)
	r, ok, err := e.Store.Get(t.Context(), pooltest.PoolID, "keys", "signing")
	if ok || err != nil {
		t.Errorf("got %v, error %v, want nothing", r.ID, err)
	}
}

// TestDamagedKeys has records that no pool wrote; the error shows none of it.
func TestDamagedKeys(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no JSON":        `c2VjcmV0`,
		"no keys":        `{}`,
		"no key":         `{"Pairs":[{}]}`,
		"no PKCS #8":     `{"Pairs":[{"ID":"c2VjcmV0","Access":"c2VjcmV0"}]}`,
		"another's keys": `{"Pairs":[{"ID":"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := memstore.New()
			r := store.Record{Kind: "keys", ID: "signing", Body: []byte(body)}
			err := s.Apply(t.Context(), pooltest.PoolID, store.Change{Op: store.Create, Record: r})
			if err != nil {
				t.Fatal(err)
			}
			_, err = pool.New(t.Context(), pool.Config{
				ID: pooltest.PoolID, Issuer: pooltest.BaseURL + "/", Store: s,
			})
			if err == nil || !strings.Contains(err.Error(), "keys") || strings.Contains(err.Error(), "c2Vj") {
				t.Errorf("got error %v", err)
			}
		})
	}
}

// TestKeysEndWithTheirWork makes keys and leaves nothing behind that runs.
func TestKeysEndWithTheirWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keyIDs(t, startOn(t, memstore.New(), nil))
	}) // it fails if the work beside the start has not ended
}

// TestKeysAfterClockIsSetBack rotates the keys in another process.
func TestKeysAfterClockIsSetBack(t *testing.T) {
	t.Parallel()
	s := withKeys(t)
	e := pooltest.New(t, ownKeys(s))
	other := startOn(t, s, e.Clock.Now)
	e.Clock.Advance(-365 * 24 * time.Hour)
	newer := rotate(t, other, 1)
	if got := signer(t, e.Tokens(t)); got != newer[1] {
		t.Errorf("signed by %q, want %q, the key of the other process", got, newer[1])
	}
}
