package poolconfig_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// counting is a store that counts its calls, and fails from a transaction on.
type counting struct {
	store.Store

	mu            sync.Mutex // guards the counts
	reads, writes int
	fails         int // the number of the transaction; 0: none
}

func (c *counting) count(calls *int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	*calls++
	return *calls
}

var errGone = errors.New("the store is gone")

func (c *counting) Find(ctx context.Context, pool, kind, name string) (store.Record, bool, error) {
	c.count(&c.reads)
	return c.Store.Find(ctx, pool, kind, name)
}

func (c *counting) Get(ctx context.Context, pool, kind, id string) (store.Record, bool, error) {
	c.count(&c.reads)
	return c.Store.Get(ctx, pool, kind, id)
}

func (c *counting) Apply(ctx context.Context, pool string, changes ...store.Change) error {
	if c.count(&c.writes) == c.fails {
		return errGone
	}
	return c.Store.Apply(ctx, pool, changes...)
}

// newImportPool returns a pool with these settings on an empty store in memory.
func newImportPool(t testing.TB, s userpool.Settings) (*pool.Pool, *counting) {
	t.Helper()
	st := &counting{Store: memstore.New()}
	up, err := pool.New(t.Context(), pool.Config{
		ID: "local_A1", Issuer: "http://localhost/", Store: st, Settings: s, Keys: pair,
		Hashing: userpool.HashCost{MemoryKiB: 8, Passes: 1, Lanes: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	st.reads, st.writes = 0, 0
	return up, st
}

const importHeader = "cognito:username,email,email_verified,custom:plan\n"

// someUsers returns n lines of a CSV file, with its header.
func someUsers(n int) string {
	return importHeader + lines(n, "user#,user#@example.com,true,gold\n")
}

func importUsers(ctx context.Context, up *pool.Pool, text string, progress func(poolconfig.Imported)) (
	poolconfig.Imported, error,
) {
	p := aPool
	p.Settings = *up.Settings()
	return poolconfig.Import(ctx, up, p, []byte(text), "u.csv", progress)
}

func quiet(poolconfig.Imported) {}

// usersIn returns what the store has of all users, without the times.
func usersIn(t *testing.T, s store.Store) []string {
	t.Helper()
	var all []string
	for q := (store.Query{Limit: 500}); ; {
		list, err := s.List(t.Context(), "local_A1", "user", q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			body, _, _ := strings.Cut(string(r.Body), `"Created"`)
			all = append(all, fmt.Sprint(r.ID, r.Names, r.Terms, r.Version, body))
		}
		if len(list) < q.Limit {
			return all
		}
		q.After = list[len(list)-1].ID
	}
}

// TestImportWork counts what an import asks of the store: one transaction for many
// users, and nothing is read of users who are new. Those who are there cost one read
// each, and one transaction for many.
func TestImportWork(t *testing.T) {
	t.Parallel()
	const users, batches = 2000, 8
	up, s := newImportPool(t, aPool.Settings)
	text := someUsers(users)
	done, err := importUsers(t.Context(), up, text, quiet)
	if err != nil || done != (poolconfig.Imported{Added: users}) {
		t.Fatalf("got %+v, %v", done, err)
	}
	if s.writes != batches || s.reads != 0 {
		t.Errorf("%d transactions and %d reads, want %d and none", s.writes, s.reads, batches)
	}
	s.reads, s.writes = 0, 0
	done, err = importUsers(t.Context(), up, text, quiet)
	if err != nil || done != (poolconfig.Imported{There: users}) {
		t.Fatalf("again: got %+v, %v", done, err)
	}
	if s.writes != batches || s.reads != users {
		t.Errorf("again: %d transactions and %d reads, want %d and %d", s.writes, s.reads, batches, users)
	}
}

// TestUsersCSVWork counts the same for the users of the file that the pool names.
func TestUsersCSVWork(t *testing.T) {
	t.Parallel()
	const users, batches = 2000, 8
	up, s := newImportPool(t, aPool.Settings)
	p := aPool
	err := poolconfig.ReadCSV([]byte(someUsers(users)), "u.csv", p, func(u poolconfig.User) error {
		p.Users = append(p.Users, u)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		says   string
		writes int
	}{
		{"2000 users added", batches + 2}, // the sign-in names are recorded first
		{"nothing", 0},
	} {
		s.reads, s.writes = 0, 0
		changes, err := poolconfig.Apply(t.Context(), s, up, p)
		if err != nil || changes.String() != want.says {
			t.Fatalf("got %s, %v, want %s", changes, err, want.says)
		}
		if s.writes != want.writes || s.reads > users+1 {
			t.Errorf("%s: %d transactions and %d reads, want %d and one for each user",
				want.says, s.writes, s.reads, want.writes)
		}
	}
}

// TestImportAround imports users around others who are there: with the same values, with
// others, under a name that is an alias, and with an address that is another user's.
func TestImportAround(t *testing.T) {
	t.Parallel()
	up, s := newImportPool(t, userpool.Settings{
		Schema: aPool.Settings.Schema, AliasAttributes: []string{"email", "preferred_username"},
	})
	for _, n := range []userpool.NewUser{
		{Username: "same", Attributes: map[string]string{
			"email": "same@example.com", "email_verified": "true", "custom:plan": "gold"}},
		{Username: "Other", Attributes: map[string]string{"name": "Another"}},
		{Username: "owner", Attributes: map[string]string{"email": "taken@example.com", "email_verified": "true"}},
		{Username: "named", Attributes: map[string]string{"preferred_username": "alias"}},
	} {
		n.Password = "Correct-Horse-7"
		_, err := up.Users.Create(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
	}
	before := usersIn(t, s)
	done, err := importUsers(t.Context(), up, importHeader+
		"new1,new1@example.com,true,gold\n"+
		"same,same@example.com,TRUE,gold\n"+
		"other,other@example.com,true,gold\n"+
		"alias,alias@example.com,true,gold\n"+
		"thief,Taken@example.com,true,gold\n"+
		"twin1,twin@example.com,true,gold\n"+
		"twin2,twin@example.com,true,gold\n"+
		"new2,new2@example.com,true,gold\n", quiet)
	want := poolconfig.Imported{Added: 3, There: 2, Refused: 3, Differing: 1, FirstDiffering: "other (line 4)"}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	const taken = " can't be added: the user name, the sub or an address is another user's"
	lines := []string{
		"u.csv:5: the user alias" + taken, "u.csv:6: the user thief" + taken, "u.csv:8: the user twin2" + taken,
	}
	if err == nil || err.Error() != strings.Join(lines, "\n") {
		t.Errorf("got %v, want %s", err, strings.Join(lines, "\n"))
	}
	after := usersIn(t, s)
	for _, u := range before {
		if !slices.Contains(after, u) {
			t.Errorf("an import changed %s", u)
		}
	}
	if len(after) != len(before)+3 {
		t.Errorf("%d users, want %d", len(after), len(before)+3)
	}
}

// TestImportInterrupted interrupts an import after each batch: by Ctrl-C, and by a store
// that fails. What is counted is what is stored, and the next import goes on, even if a
// user changed meanwhile. What comes of it is what comes of one import.
func TestImportInterrupted(t *testing.T) {
	t.Parallel()
	const users = 1100 // four batches and a part
	text := someUsers(users)
	whole, want := newImportPool(t, aPool.Settings)
	_, err := importUsers(t.Context(), whole, text, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for stop := range 5 {
		for name, interrupt := range map[string]func(*counting, context.CancelFunc) func(poolconfig.Imported){
			"Ctrl-C": func(_ *counting, cancel context.CancelFunc) func(poolconfig.Imported) {
				batches := 0
				if stop == 0 {
					cancel()
				}
				return func(poolconfig.Imported) {
					batches++
					if batches == stop {
						cancel()
					}
				}
			},
			"store": func(s *counting, _ context.CancelFunc) func(poolconfig.Imported) {
				s.fails = stop + 1
				return quiet
			},
		} {
			up, s := newImportPool(t, aPool.Settings)
			ctx, cancel := context.WithCancel(t.Context())
			done, err := importUsers(ctx, up, text, interrupt(s, cancel))
			cancel()
			if !errors.Is(err, context.Canceled) && !errors.Is(err, errGone) {
				t.Fatalf("%s after %d: got %v", name, stop, err)
			}
			if done != (poolconfig.Imported{Added: stop * 250}) || len(usersIn(t, s)) != done.Added {
				t.Errorf("%s after %d: %d users are stored, and it counts %+v", name, stop, len(usersIn(t, s)), done)
			}
			s.fails = 0
			done, err = importUsers(t.Context(), up, text, quiet)
			if err != nil || done != (poolconfig.Imported{Added: users - stop*250, There: stop * 250}) {
				t.Errorf("%s after %d: the next import: %+v, %v", name, stop, done, err)
			}
			if diff := cmp.Diff(usersIn(t, want), usersIn(t, s)); diff != "" {
				t.Errorf("%s after %d (-want +got):\n%s", name, stop, diff)
			}
		}
	}
}

// TestImportAtOnce has several programs import one file: each user is added once.
func TestImportAtOnce(t *testing.T) {
	t.Parallel()
	const users, programs = 1100, 4
	up, s := newImportPool(t, aPool.Settings)
	var all sync.WaitGroup
	results := make([]poolconfig.Imported, programs)
	for i := range programs {
		all.Go(func() {
			var err error
			results[i], err = importUsers(t.Context(), up, someUsers(users), quiet)
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	added := 0
	for _, r := range results {
		added += r.Added
		if r.Done() != users || r.Refused+r.Differing > 0 {
			t.Errorf("got %+v", r)
		}
	}
	if added != users || len(usersIn(t, s)) != users {
		t.Errorf("%d were added, and %d are there, want %d", added, len(usersIn(t, s)), users)
	}
}
