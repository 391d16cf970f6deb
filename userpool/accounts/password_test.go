package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// TestLockout walks through all locks, for a user and for a name nobody has:
// 5 failures are free, the fifth locks for 1 s, each further one for twice as
// long, up to 15 minutes.
func TestLockout(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ann", "nobody"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			for range 4 {
				pooltest.WantAnswer(t, "free failure", e.TrySignIn(t, name, "wrong"), userpool.TextIncorrect)
			}
			for _, seconds := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512} {
				pooltest.WantAnswer(t, "failure", e.TrySignIn(t, name, "wrong"), userpool.TextIncorrect)
				lock := time.Duration(seconds) * time.Second
				pooltest.WantAnswer(t, "at once", e.TrySignIn(t, name, "wrong"), userpool.TextLocked)
				e.Clock.Advance(lock - time.Nanosecond)
				for range 3 { // attempts that do not count
					pooltest.WantAnswer(t, "locked", e.TrySignIn(t, name, pooltest.Password), userpool.TextLocked)
				}
				e.Clock.Advance(time.Nanosecond)
			}
			pooltest.WantAnswer(t, "fifteenth", e.TrySignIn(t, name, "wrong"), userpool.TextIncorrect)
			e.Clock.Advance(15*time.Minute - time.Nanosecond)
			pooltest.WantAnswer(t, "longest lock", e.TrySignIn(t, name, "wrong"), userpool.TextLocked)
			e.Clock.Advance(time.Nanosecond)
			pooltest.WantAnswer(t, "after 15 minutes", e.TrySignIn(t, name, "wrong"), userpool.TextIncorrect)
		})
	}
}

// TestLockoutResets has the two ways to get back to five free failures.
func TestLockoutResets(t *testing.T) {
	t.Parallel()
	five := func(t *testing.T, e *pooltest.Env) {
		t.Helper()
		for range 5 {
			pooltest.WantAnswer(t, "failure", e.TrySignIn(t, "ann", "wrong"), userpool.TextIncorrect)
		}
		pooltest.WantAnswer(t, "sixth", e.TrySignIn(t, "ann", "wrong"), userpool.TextLocked)
	}
	t.Run("success after the lock", func(t *testing.T) {
		t.Parallel()
		e := pooltest.New(t)
		five(t, e)
		e.Clock.Advance(time.Second)
		pooltest.WantAnswer(t, "right password", e.TrySignIn(t, "ann", pooltest.Password), "ok")
		five(t, e)
	})
	t.Run("quiet", func(t *testing.T) {
		t.Parallel()
		e := pooltest.New(t)
		five(t, e)
		e.Clock.Advance(15 * time.Minute)
		five(t, e)
	})
	t.Run("quiet, before it is tidied up", func(t *testing.T) {
		t.Parallel()
		e := pooltest.New(t)
		five(t, e)
		e.Clock.Advance(15*time.Minute - time.Second)
		e.Session(t) // tidies up, and not again within a minute
		e.Clock.Advance(time.Second)
		five(t, e)
	})
	t.Run("not quiet enough", func(t *testing.T) {
		t.Parallel()
		e := pooltest.New(t)
		five(t, e)
		e.Clock.Advance(15*time.Minute - time.Second)
		pooltest.WantAnswer(t, "sixth failure", e.TrySignIn(t, "ann", "wrong"), userpool.TextIncorrect)
		pooltest.WantAnswer(t, "locked again", e.TrySignIn(t, "ann", "wrong"), userpool.TextLocked)
	})
	t.Run("an attempt ends the quiet", func(t *testing.T) {
		t.Parallel()
		e := pooltest.New(t)
		for range 14 {
			e.Clock.Advance(10 * time.Minute)
			e.TrySignIn(t, "ann", "wrong")
		}
		e.Clock.Advance(8 * time.Minute)
		pooltest.WantAnswer(t, "during the lock", e.TrySignIn(t, "ann", "wrong"), userpool.TextLocked)
		e.Clock.Advance(8 * time.Minute)
		pooltest.WantAnswer(t, "after it", e.TrySignIn(t, "ann", "wrong"), userpool.TextIncorrect)
		pooltest.WantAnswer(t, "still counted", e.TrySignIn(t, "ann", "wrong"), userpool.TextLocked)
	})
}

// TestLockIsTheAccounts checks that another spelling is no second chance, and
// that nobody else is locked.
func TestLockIsTheAccounts(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t, func(c *pool.Config) { c.Settings.AliasAttributes = []string{"email"} })
	for _, name := range []string{"ann", "ANN", " ann ", "ann@example.com", "ANN@example.com"} {
		pooltest.WantAnswer(t, name, e.TrySignIn(t, name, "wrong"), userpool.TextIncorrect)
	}
	pooltest.WantAnswer(t, "locked", e.TrySignIn(t, "ann", "wrong"), userpool.TextLocked)
	pooltest.WantAnswer(t, "locked by address", e.TrySignIn(t, "ann@example.com", "wrong"), userpool.TextLocked)
	pooltest.WantAnswer(t, "someone else", e.TrySignIn(t, "bob", "wrong"), userpool.TextIncorrect)
}

// TestConcurrentGuesses fires many guesses at once: no more than five may be
// checked before the lock.
func TestConcurrentGuesses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ann", "nobody"} {
		e := pooltest.New(t, func(c *pool.Config) {
			c.MaxHashes = 50 // so that nothing but the account holds them up
			c.Store = pooltest.SlowStore{Store: c.Store, Kind: "attempts"}
		})
		before := e.Pool.Users.Hashes()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { _, _ = e.Pool.Users.SignIn(context.WithoutCancel(t.Context()), name, "wrong") })
		}
		wg.Wait()
		if got := e.Pool.Users.Hashes() - before; got != 5 {
			t.Errorf("%s: %d guesses were checked, want 5", name, got)
		}
		if got := e.Pool.Users.Doors(); got != 0 {
			t.Errorf("%s: %d doors are left", name, got)
		}
	}
}

// TestConcurrentSignIns is the other side: the right password may be typed in
// many places at once.
func TestConcurrentSignIns(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			_, err := e.Pool.Users.SignIn(context.WithoutCancel(t.Context()), "ann", pooltest.Password)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestSameWork counts hashes: a wrong password, a right one and an unknown name
// cost the same.
func TestSameWork(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for _, attempt := range []struct{ name, password string }{
		{"ann", "wrong"}, {"ann", pooltest.Password}, {"nobody", "wrong"}, {"nobody", pooltest.Password}, {"", ""},
		{strings.Repeat("x", 10_000), "wrong"},
	} {
		before := e.Pool.Users.Hashes()
		e.TrySignIn(t, attempt.name, userpool.Secret(attempt.password))
		if got := e.Pool.Users.Hashes() - before; got != 1 {
			t.Errorf("%.20q, %q: %d hashes, want 1", attempt.name, attempt.password, got)
		}
	}
}

// TestRehash changes the cost between two processes on one store.
func TestRehash(t *testing.T) {
	t.Parallel()
	old := pooltest.New(t)
	dearer := userpool.HashCost{MemoryKiB: 16, Passes: 2, Lanes: 1}
	cfg := pool.Config{
		ID: pooltest.PoolID, Issuer: old.Pool.Issuer(), Store: old.Store, Hashing: dearer, Now: old.Clock.Now,
	}
	keys, err := pooltest.Keys()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Keys = keys
	p, err := pool.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	stored := func() string {
		u, _, err := old.Pool.Users.Get(t.Context(), old.Ann.Sub)
		if err != nil {
			t.Fatal(err)
		}
		return string(u.PasswordHash)
	}
	first := stored()
	_, err = p.Users.SignIn(t.Context(), "ann", "wrong")
	if err == nil || stored() != first {
		t.Fatalf("a wrong password: error %v, and the hash changed: %t", err, stored() != first)
	}
	_, err = p.Users.SignIn(t.Context(), "ann", pooltest.Password)
	if err != nil || !strings.HasPrefix(stored(), "$argon2id$v=19$m=16,t=2,p=1$") {
		t.Fatalf("the right one: error %v, cost %.30s", err, stored())
	}
	second := stored()
	_, err = p.Users.SignIn(t.Context(), "ann", pooltest.Password)
	if err != nil || stored() != second {
		t.Errorf("once more: error %v, and the hash changed again: %t", err, stored() != second)
	}
}

// TestBusy fills the only slot and checks that the wait is bounded and gives
// nothing away.
func TestBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := pooltest.New(t, func(c *pool.Config) { c.MaxHashes, c.HashWait = 1, 5*time.Second })
		leave, err := e.Pool.Users.TakeHashSlot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 8 {
			name := "ann"
			if i > 0 {
				name = fmt.Sprint("nobody", i) // the account is not what holds them up
			}
			wg.Go(func() {
				_, err := e.Pool.Users.SignIn(t.Context(), name, "wrong")
				if !errors.Is(err, userpool.ErrBusy) {
					t.Errorf("%s: got error %v, want ErrBusy", name, err)
				}
			})
		}
		wg.Wait()
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("they were turned away after %v, want 5 s", got)
		}
		leave()
		if got := e.TrySignIn(t, "ann", pooltest.Password); got != "ok" {
			t.Errorf("got %q when nobody was at it", got)
		}
	})
}

// TestCancelledSignIn does not count as a failure of the person.
func TestCancelledSignIn(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t, func(c *pool.Config) { c.MaxHashes = 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		_, _ = e.Pool.Users.SignIn(ctx, "bob", "wrong")
	}
	if got := e.TrySignIn(t, "ann", pooltest.Password); got != "ok" {
		t.Errorf("got %q", got)
	}
}

// TestSameWorkOverChoice counts hashes and store accesses where the name comes
// first: of a user, of one without a password, and of names that nobody has.
func TestSameWorkOverChoice(t *testing.T) {
	t.Parallel()
	counter := &countingStore{}
	e := pooltest.New(t, func(c *pool.Config) {
		c.Settings.FirstFactors = []string{userpool.FactorPassword, userpool.FactorEmail, userpool.FactorSMS}
		counter.Store, c.Store = c.Store, counter
	})
	_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{Username: "foreign", Status: userpool.UserExternal})
	if err != nil {
		t.Fatal(err)
	}
	a := &grants.Authorization{Client: userpool.Client{ID: "c", ExplicitAuthFlows: []string{"ALLOW_USER_AUTH"}}}
	reads := map[int64][]string{}
	for i, name := range []string{"warm-up", "ann", "foreign", "nobody", "none"} {
		_, f := e.Pool.Flows.Start("browser", "")
		f.Username = name
		hashes, gets := e.Pool.Users.Hashes(), counter.n.Load()
		err := e.Pool.Steps.SignIn(t.Context(), a.Request(), f, "")
		if err != nil {
			t.Fatal(err)
		}
		f.Step = userpool.StepPassword
		err = e.Pool.Steps.Password(t.Context(), a.Request(), f, "wrong")
		if _, refused := errors.AsType[*userpool.Error](err); !refused {
			t.Fatalf("%s: %v", name, err)
		}
		if got := e.Pool.Users.Hashes() - hashes; got != 1 {
			t.Errorf("%q: %d hashes, want 1", name, got)
		}
		if n := counter.n.Load() - gets; i > 0 && name != "" {
			reads[n] = append(reads[n], name)
		}
	}
	if len(reads) != 1 {
		t.Errorf("names by how often the store was read: %v", reads)
	}
}

// countingStore counts what is read.
type countingStore struct {
	store.Store
	n atomic.Int64
}

func (s *countingStore) Get(ctx context.Context, p, kind, id string) (store.Record, bool, error) {
	s.n.Add(1)
	return s.Store.Get(ctx, p, kind, id)
}

func (s *countingStore) Find(ctx context.Context, p, kind, name string) (store.Record, bool, error) {
	s.n.Add(1)
	return s.Store.Find(ctx, p, kind, name)
}
