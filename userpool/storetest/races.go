package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/cognate-auth/cognate/userpool/store"
)

// won applies changes in a race, in which the error may be one of these.
func (s suite) won(changes []store.Change, allowed ...error) bool {
	err := s.Apply(s.Context(), poolA, changes...)
	if err != nil && !slices.ContainsFunc(allowed, func(e error) bool { return errors.Is(err, e) }) {
		s.Errorf("unexpected error: %v", err)
	}
	return err == nil
}

func testCreateRace(t *testing.T, st store.Store) {
	s := suite{t, st}
	for i := range 5 {
		wins := race(10, func(n int) bool {
			r := bare(fmt.Sprint(i))
			r.Body = fmt.Append(nil, n)
			return s.won([]store.Change{create(r)}, store.ErrExists)
		})
		if wins != 1 {
			t.Fatalf("the record was created %d times, want once", wins)
		}
	}
}

func testNameRace(t *testing.T, st store.Store) {
	s := suite{t, st}
	for i := range 5 {
		name := fmt.Sprint("name", i)
		wins := race(10, func(n int) bool {
			r := bare(fmt.Sprint(i, "-", n))
			r.Names, r.Terms = []string{"own " + r.ID, name}, []string{name}
			return s.won([]store.Change{create(r)}, store.ErrExists)
		})
		if wins != 1 {
			t.Fatalf("the name was given %d times, want once", wins)
		}
		s.same(s.list(store.Query{Term: name}), []string{s.find(name)})
	}
}

func testUpdateRace(t *testing.T, st store.Store) {
	s := suite{t, st}
	s.apply(create(record("1")))
	for version := range int64(5) {
		wins := race(10, func(int) bool {
			return s.won([]store.Change{update(record("1"), version+1)}, store.ErrConflict)
		})
		if wins != 1 {
			t.Fatalf("%d updates of one version succeeded, want 1", wins)
		}
	}
	if wins := race(20, func(int) bool { return s.won([]store.Change{update(record("1"), 0)}) }); wins != 20 {
		t.Errorf("%d updates of any version succeeded, want 20", wins)
	}
	s.has(stored(record("1"), 26))
}

// testCountRace counts with compare-and-swap, as the pool does: no count may
// get lost.
func testCountRace(t *testing.T, st store.Store) {
	const n = 20
	s := suite{t, st}
	race(n, func(int) bool {
		for range 10 * n {
			r, ok := s.get("count")
			count, _ := strconv.Atoi(string(r.Body))
			next := bare("count")
			next.Body = fmt.Append(nil, count+1)
			c := create(next)
			if ok {
				c = update(next, r.Version)
			}
			if s.won([]store.Change{c}, store.ErrConflict, store.ErrExists) {
				return true
			}
		}
		t.Error("no try succeeded")
		return false
	})
	r, _ := s.get("count")
	if string(r.Body) != strconv.Itoa(n) || r.Version != n {
		t.Errorf("counted to %s, version %d, want %d", r.Body, r.Version, n)
	}
}

func testTakeRace(t *testing.T, st store.Store) {
	s := suite{t, st}
	for i := range 10 {
		r := record(fmt.Sprint(i))
		s.apply(create(r))
		wins := race(30, func(int) bool {
			got, ok, err := s.Take(t.Context(), poolA, "thing", r.ID)
			if err != nil || ok && got.ID != r.ID {
				t.Errorf("taking: got %q, error %v", got.ID, err)
			}
			return ok
		})
		if wins != 1 {
			t.Fatalf("the record was taken %d times, want once", wins)
		}
	}
}

// testKeepRace creates records of one owner at the same time: the bound holds.
func testKeepRace(t *testing.T, st store.Store) {
	s := suite{t, st}
	for i := range 5 {
		wins := race(10, func(n int) bool {
			return s.won([]store.Change{keeping(fmt.Sprint(i, "-", n), 3)})
		})
		if got := s.list(store.Query{Owner: "ann"}); wins != 10 || len(got) != 3 {
			t.Fatalf("%d were created, and %q stay, want 10 and 3", wins, got)
		}
	}
}

// testRotationRace replaces records that have a term in common by further ones,
// while the term is deleted: either the replacement fails, or what it made goes
// too. Otherwise a refresh token could outlive its revocation.
func testRotationRace(t *testing.T, st store.Store) {
	s := suite{t, st}
	for i := range 20 {
		family := fmt.Sprint("family", i)
		member := func(n int) store.Record {
			r := bare(fmt.Sprint(i, "-", n))
			r.Owner, r.Terms = "owner of "+family, []string{family}
			return r
		}
		end := store.Change{Op: store.DeleteTerm, Record: member(0)}
		if i%2 == 1 {
			end.Op = store.DeleteOwned
		}
		s.apply(create(member(0)))
		var wg sync.WaitGroup
		for start := range 2 {
			wg.Go(func() {
				for n := start; n < 10; n++ {
					s.won([]store.Change{update(member(n), 0), create(member(n +
						1))}, store.ErrConflict, store.ErrExists)
				}
			})
		}
		wg.Go(func() { s.apply(end) })
		wg.Wait()
		if got := s.list(store.Query{Term: family}); len(got) > 0 {
			t.Fatalf("%q outlived the end of their family", got)
		}
	}
}

// testSwapRace applies changes that name the same records in opposite orders,
// which in many engines is a deadlock; the store has to solve it.
func testSwapRace(t *testing.T, st store.Store) {
	const n = 6
	s := suite{t, st}
	var forth []store.Change
	for i := range n {
		s.apply(create(record(fmt.Sprint(i))))
		forth = append(forth, update(record(fmt.Sprint(i)), 0))
	}
	back := slices.Clone(forth)
	slices.Reverse(back)
	wins := race(20, func(i int) bool {
		if i%2 == 0 {
			return s.won(forth)
		}
		return s.won(back)
	})
	if wins != 20 {
		t.Errorf("%d of 20 succeeded", wins)
	}
	for i := range n {
		s.has(stored(record(fmt.Sprint(i)), 21))
	}
}

// testReadRace reads while two records change together: no reader sees a half
// of a change, and none waits for ever.
func testReadRace(t *testing.T, st store.Store) {
	s := suite{t, st}
	numbered := func(id string, n int) store.Record {
		r := record(id)
		r.Terms = []string{"every", fmt.Sprint("number:", n)}
		r.Body = fmt.Append(nil, n)
		return r
	}
	s.apply(create(numbered("1", 0)), create(numbered("2", 0)))
	race(8, func(i int) bool {
		for n := range 25 {
			if i < 2 {
				s.won([]store.Change{update(numbered("1", n), 0), update(numbered("2", n), 0)})
				continue
			}
			q := []store.Query{{Term: "every"}, {TermPrefix: "number:"}, {Owner: "ann"}, {}}[i%4]
			q.Limit = 9
			list, err := s.List(t.Context(), poolA, "thing", q)
			if err != nil || len(list) != 2 || string(list[0].Body) != string(list[1].Body) ||
				list[0].Terms[1] != "number:"+string(list[0].Body) {
				t.Errorf("%+v: got %v, error %v", q, list, err)
			}
			got, ok, err := s.Find(t.Context(), poolA, "thing", "name of 2")
			if err != nil || !ok || got.ID != "2" {
				t.Errorf("got %v, error %v", got, err)
			}
		}
		return true
	})
}
