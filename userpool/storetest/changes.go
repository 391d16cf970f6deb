package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cognate-auth/cognate/userpool/store"
)

func testCreate(t *testing.T, st store.Store) {
	s, r := suite{t, st}, record("1")
	s.gone("1")
	s.apply() // no change is no error
	r.Version = 7
	s.apply(create(r), create(bare("2")))
	s.has(stored(r, 1)) // a new record's version is 1, whatever it says
	s.has(stored(bare("2"), 1))
	for _, name := range r.Names {
		got, ok, err := s.Find(t.Context(), poolA, "thing", name)
		s.must(err)
		if !ok {
			t.Errorf("nothing is found by %q", name)
		}
		s.same(got, stored(r, 1))
	}
	for _, name := range []string{"", "1", "Name of 1", "name of 1 ", "name of%", "' OR ''='", "group:a"} {
		if got := s.find(name); got != "" {
			t.Errorf("%q finds %q, want nothing", name, got)
		}
	}
	s.gone("", "1 ", "01", "name of 1", "%", "_")
}

func testCreateExists(t *testing.T, st store.Store) {
	s, other := suite{t, st}, record("2")
	s.apply(create(record("1")))
	same := bare("1")
	same.Names, same.Terms, same.Owner = []string{"fresh"}, []string{"fresh"}, "bob"
	s.refused("same ID", store.ErrExists, create(same))
	other.Names = []string{"fresh", "name of 1"}
	s.refused("same name", store.ErrExists, create(other))
	s.has(stored(record("1"), 1))
	s.gone("2")
	s.same([]string{s.find("fresh"), s.find("name of 1")}, []string{"", "1"})
	s.same(s.list(store.Query{Term: "fresh"}), []string{})
	s.same(s.list(store.Query{Owner: "bob"}), []string{})
	other.Names, other.Terms = []string{"fresh", "fresh"}, []string{"twice", "twice"}
	s.apply(create(other)) // said twice is said
	s.same([]string{s.find("fresh")}, []string{"2"})
	s.same(s.list(store.Query{Term: "twice"}), []string{"2"})
	s.has(stored(other, 1))
}

// testCreateMany creates records in numbers that a store may take together, and holds it
// to all or nothing when one of them, wherever it is, is like another one.
func testCreateMany(t *testing.T, st store.Store) {
	s := suite{t, st}
	many := func(first, n int) (changes []store.Change) {
		for i := range n {
			changes = append(changes, create(User(first+i)))
		}
		return changes
	}
	first := 0
	for _, n := range []int{2, 3, 4, 5, 15, 16, 17, 21, 64, 100} {
		s.apply(many(first, n)...)
		for i := first; i < first+n; i++ {
			s.hasUser(User(i))
		}
		first += n
	}
	for name, spoil := range map[string]func(*store.Record){
		"an ID that is there":      func(r *store.Record) { r.ID = User(7).ID },
		"a name that is there":     func(r *store.Record) { r.Names[1] = User(7).Names[0] },
		"the ID of another one":    func(r *store.Record) { r.ID = User(first + 1).ID },
		"the name of another one":  func(r *store.Record) { r.Names[0] = User(first + 1).Names[1] },
		"an owner, and ID of many": func(r *store.Record) { r.Owner, r.ID = "ann", User(first+1).ID },
	} {
		for _, at := range []int{0, 15, 16, 19} {
			changes := many(first, 20)
			spoil(&changes[at].Record)
			s.refused(fmt.Sprint(name, " at ", at), store.ErrExists, changes...)
			for i := range 20 {
				_, ok, err := s.Get(t.Context(), poolA, "user", User(first+i).ID)
				s.must(err)
				_, named, err := s.Find(t.Context(), poolA, "user", User(first + i).Names[0])
				s.must(err)
				if ok || named {
					t.Fatalf("%s at %d: record %d is there", name, at, i)
				}
			}
		}
	}
	// Between others, each does what it does alone.
	mixed := append(many(first, 3), create(record("1")), create(bare("2")), remove("1"))
	mixed = append(append(mixed, many(first+3, 2)...), create(record("1")))
	s.apply(mixed...)
	s.has(stored(record("1"), 1))
	s.has(stored(bare("2"), 1))
	for i := range 5 {
		_, ok, err := s.Get(t.Context(), poolA, "user", User(first+i).ID)
		s.must(err)
		if !ok {
			t.Errorf("record %d of the mixed ones is gone", i)
		}
	}
}

// hasUser checks that a record is found by its name and once by its term.
func (s suite) hasUser(r store.Record) {
	s.Helper()
	got, ok, err := s.Find(s.Context(), poolA, r.Kind, r.Names[1])
	s.must(err)
	listed, err := s.List(s.Context(), poolA, r.Kind, store.Query{Term: r.Terms[0], Limit: 2})
	s.must(err)
	if !ok || len(listed) != 1 {
		s.Fatalf("%s is found by name: %t, and by term %d times", r.ID, ok, len(listed))
	}
	s.same(got, stored(r, 1))
	s.same(listed[0], stored(r, 1))
}

func testUpdate(t *testing.T, st store.Store) {
	s, r := suite{t, st}, record("1")
	s.apply(create(r), create(record("2")))
	r.Owner, r.Expires, r.Body = "bob", moment.AddDate(1, 0, 0), []byte("changed")
	s.apply(update(r, 1))
	s.has(stored(r, 2))
	s.same(s.list(store.Query{Owner: "ann"}), []string{"2"})
	s.same(s.list(store.Query{Owner: "bob"}), []string{"1"})
	s.apply(update(bare("1"), 2))
	s.has(stored(bare("1"), 3))
	s.same(s.list(store.Query{Owner: "bob"}), []string{})
	s.has(stored(record("2"), 1))
}

func testUpdateKeys(t *testing.T, st store.Store) {
	s, r := suite{t, st}, record("1")
	s.apply(create(r), create(record("2")))
	r.Names, r.Terms = []string{"new", "name of 1"}, []string{"group:b", "color:1"}
	s.apply(update(r, 1))
	s.has(stored(r, 2))
	s.same([]string{s.find("new"), s.find("name of 1"), s.find("1@example.com")}, []string{"1", "1", ""})
	s.same(s.list(store.Query{Term: "group:a"}), []string{"2"})
	s.same(s.list(store.Query{Term: "group:b"}), []string{"1"})
	s.same(s.list(store.Query{Term: "color:1"}), []string{"1"})

	taken := r
	taken.Names, taken.Terms, taken.Body = []string{"newer", "name of 2"}, nil, nil
	s.refused("another's name", store.ErrExists, update(taken, 2))
	s.has(stored(r, 2))
	s.same([]string{s.find("new"), s.find("newer"), s.find("name of 2")}, []string{"1", "", "2"})

	free := record("3")
	free.Names = []string{"1@example.com"}
	s.apply(create(free)) // a name that was given up is free
	s.same([]string{s.find("1@example.com")}, []string{"3"})
}

func testUpdateConflict(t *testing.T, st store.Store) {
	s, r := suite{t, st}, record("1")
	s.refused("nobody", store.ErrConflict, update(r, 1))
	s.refused("nobody, any version", store.ErrConflict, update(r, 0))
	s.apply(create(r))
	s.apply(update(r, 1))
	late := r
	late.Body, late.Names, late.Terms = []byte("late"), []string{"late"}, []string{"late"}
	s.refused("old version", store.ErrConflict, update(late, 1))
	s.refused("future version", store.ErrConflict, update(late, 3))
	s.has(stored(r, 2))
	s.same([]string{s.find("late"), s.find("name of 1")}, []string{"", "1"})
	s.apply(remove("1"))
	s.refused("gone", store.ErrConflict, update(late, 2))
	s.apply(create(r))
	s.refused("the one before", store.ErrConflict, update(late, 2))
}

func testUpdateAnyVersion(t *testing.T, st store.Store) {
	s, r := suite{t, st}, record("1")
	s.apply(create(r))
	for version := range int64(3) {
		r.Body = fmt.Append(nil, version)
		s.apply(update(r, 0))
		s.has(stored(r, version+2))
	}
}

func testDelete(t *testing.T, st store.Store) {
	s := suite{t, st}
	s.apply(remove("1")) // nothing is there, and that is no error
	s.apply(create(record("1")), create(record("2")))
	s.apply(remove("1"))
	s.gone("1")
	s.same([]string{s.find("name of 1"), s.find("name of 2")}, []string{"", "2"})
	s.same(s.list(store.Query{Term: "group:a"}), []string{"2"})
	s.same(s.list(store.Query{Owner: "ann"}), []string{"2"})
	s.apply(create(record("1"))) // all it had is free
	s.has(stored(record("1"), 1))
}

func testDeleteVersion(t *testing.T, st store.Store) {
	s, c := suite{t, st}, remove("1")
	c.Version = 1
	s.refused("nothing there", store.ErrConflict, c)
	s.apply(create(record("1")), update(record("1"), 1))
	s.refused("old version", store.ErrConflict, c)
	s.has(stored(record("1"), 2))
	c.Version = 2
	s.apply(c)
	s.gone("1")
}

func testDeleteOwned(t *testing.T, st store.Store) {
	s, other, nobodys := suite{t, st}, record("3"), record("4")
	other.Owner, nobodys.Owner = "bob", ""
	owned := func(owner string) store.Change {
		return store.Change{Op: store.DeleteOwned, Record: store.Record{Kind: "thing", Owner: owner}}
	}
	s.apply(owned("ann"))
	s.apply(create(record("1")), create(record("2")), create(other), create(nobodys))
	s.apply(owned("")) // what is nobody's is not owned
	s.has(stored(record("1"), 1))
	s.has(stored(nobodys, 1))
	s.apply(owned("ann"))
	s.gone("1", "2")
	s.has(stored(other, 1))
	s.same([]string{s.find("name of 1"), s.find("name of 3")}, []string{"", "3"})
	s.same(s.list(store.Query{Term: "group:a"}), []string{"3", "4"})
	s.apply(create(record("1")))
}

func testDeleteTerm(t *testing.T, st store.Store) {
	s, other := suite{t, st}, record("3")
	other.Terms = []string{"group:ab", "group"}
	byTerm := func(term string) store.Change {
		r := store.Record{Kind: "thing", Terms: []string{term}}
		return store.Change{Op: store.DeleteTerm, Record: r}
	}
	s.apply(byTerm("group:a"))
	s.apply(create(record("1")), create(record("2")), create(other))
	s.apply(byTerm("group:"), byTerm(""), byTerm("name of 1"))
	s.same(s.list(store.Query{}), []string{"1", "2", "3"})
	s.apply(byTerm("group:a"))
	s.gone("1", "2")
	s.has(stored(other, 1))
	s.same([]string{s.find("name of 1"), s.find("name of 3")}, []string{"", "3"})
	s.same(s.list(store.Query{Term: "color:1"}), []string{})
	s.apply(create(record("1")))
}

// testUnknownOp has changes that no store can make sense of; they are errors,
// and no panics.
func testUnknownOp(t *testing.T, st store.Store) {
	s := suite{t, st}
	s.apply(create(record("1")))
	for what, c := range map[string]store.Change{
		"an operation there is not": {Op: 99, Record: bare("1")},
		"no operation":              {Op: -1, Record: bare("1")},
		"a term that is not said":   {Op: store.DeleteTerm, Record: bare("1")},
	} {
		err := s.Apply(t.Context(), poolA, remove("1"), c)
		if err == nil {
			t.Errorf("%s: got no error", what)
		}
	}
	s.has(stored(record("1"), 1))
}

func testTake(t *testing.T, st store.Store) {
	s, ctx := suite{t, st}, t.Context()
	for _, r := range []store.Record{record("1"), bare("2")} {
		_, ok, err := s.Take(ctx, poolA, "thing", r.ID)
		if err != nil || ok {
			t.Errorf("before: got %v, %v, want nothing", ok, err)
		}
		s.apply(create(r), update(r, 0))
		got, ok, err := s.Take(ctx, poolA, "thing", r.ID)
		s.must(err)
		if !ok {
			t.Error("record is missing")
		}
		s.same(got, stored(r, 2))
		_, ok, err = s.Take(ctx, poolA, "thing", r.ID)
		if err != nil || ok {
			t.Errorf("again: got %v, %v, want nothing", ok, err)
		}
		s.gone(r.ID)
		s.apply(create(r))
	}
	s.has(stored(record("1"), 1))
}

// keeping is the creation of a record of ann's, of which at most keep stay.
func keeping(id string, keep int) store.Change {
	c := create(record(id))
	c.Keep = keep
	return c
}

func testKeep(t *testing.T, st store.Store) {
	s, bob, nobodys, other := suite{t, st}, record("bob"), record("nobodys"), record("1")
	bob.Owner, nobodys.Owner, other.Kind = "bob", "", "other"
	s.apply(create(bob), create(nobodys), create(other))
	for i := range 4 {
		s.apply(keeping(fmt.Sprint(i), 2))
	}
	s.same(s.list(store.Query{}), []string{"2", "3", "bob", "nobodys"})
	s.same([]string{s.find("name of 0"), s.find("name of 1"), s.find("name of 2")}, []string{"", "", "2"})
	s.same(s.list(store.Query{Term: "color:1"}), []string{})
	s.apply(remove("2"))
	s.apply(keeping("4", 2)) // one that went makes room
	s.same(s.list(store.Query{Owner: "ann"}), []string{"3", "4"})
	s.apply(keeping("5", 1))
	s.same(s.list(store.Query{Owner: "ann"}), []string{"5"})
	s.apply(keeping("6", 0), keeping("7", -1)) // as many as there are
	s.same(s.list(store.Query{Owner: "ann"}), []string{"5", "6", "7"})

	nobodys = record("8") // nobody's records are not counted
	nobodys.Owner = ""
	c := create(nobodys)
	c.Keep = 1
	s.apply(c)
	s.same(s.list(store.Query{}), []string{"5", "6", "7", "8", "bob", "nobodys"})
}

// testKeepOrder creates in another order than that of the IDs and the expiries,
// and changes the oldest, which stays the oldest.
func testKeepOrder(t *testing.T, st store.Store) {
	s := suite{t, st}
	for i, id := range []string{"m", "z", "a", "k"} {
		r := record(id)
		r.Expires = moment.AddDate(0, 0, -i)
		s.apply(create(r))
	}
	s.apply(update(record("m"), 1))
	s.apply(keeping("b", 3))
	s.same(s.list(store.Query{}), []string{"a", "b", "k"})
}

// testKeepMoved gives records to another owner, whose newest they are then.
func testKeepMoved(t *testing.T, st store.Store) {
	s := suite{t, st}
	for _, id := range []string{"1", "2", "3"} {
		r := record(id)
		r.Owner = "bob"
		s.apply(create(r))
	}
	s.apply(create(record("4")), create(record("5")))
	s.apply(update(record("1"), 0))
	s.apply(keeping("6", 2))
	s.same(s.list(store.Query{Owner: "ann"}), []string{"1", "6"})
	s.same(s.list(store.Query{Owner: "bob"}), []string{"2", "3"})
}

// testKeepMany has so many records that a store may be late in dropping some.
func testKeepMany(t *testing.T, st store.Store) {
	const keep, most = 32, 32 + 32/8
	s := suite{t, st}
	for i := range 3 * keep {
		s.apply(keeping(fmt.Sprintf("%03d", i), keep))
		if n := len(s.list(store.Query{Owner: "ann"})); n < min(i+1, keep) || n > most {
			t.Fatalf("%d records stay of %d, want %d to %d", n, i+1, min(i+1, keep), most)
		}
	}
	ids := s.list(store.Query{Owner: "ann"})
	for i := range keep {
		if want := fmt.Sprintf("%03d", 3*keep-1-i); ids[len(ids)-1-i] != want {
			t.Fatalf("got %q, want the newest %d", ids, keep)
		}
	}
}

// testAtomic fails with the last of several changes.
func testAtomic(t *testing.T, st store.Store) {
	s := suite{t, st}
	s.apply(create(record("1")), create(record("2")))
	changed, named := record("1"), record("6")
	changed.Names, changed.Terms, changed.Owner = []string{"changed"}, []string{"changed"}, "bob"
	named.Names = []string{"fresh", "name of 7"}
	changes := []store.Change{
		update(changed, 1), remove("2"), create(record("3")), keeping("4", 1),
		{Op: store.DeleteOwned, Record: store.Record{Kind: "thing", Owner: "bob"}},
		{Op: store.DeleteTerm, Record: store.Record{Kind: "thing", Terms: []string{"group:a"}}},
		create(record("7")),
	}
	stale := remove("2")
	stale.Version = 1
	for _, tt := range []struct {
		what  string
		fault store.Change
		want  error
	}{
		{"create", create(bare("7")), store.ErrExists},
		{"create with a name", create(named), store.ErrExists},
		{"update", update(record("9"), 1), store.ErrConflict},
		{"update with a name", update(named, 0), store.ErrConflict},
		{"delete", stale, store.ErrConflict},
	} {
		s.refused(tt.what, tt.want, append(slices.Clone(changes), tt.fault)...)
		s.same(s.list(store.Query{}), []string{"1", "2"})
		s.has(stored(record("1"), 1))
		s.has(stored(record("2"), 1))
		s.same([]string{
			s.find("name of 1"), s.find("name of 2"), s.find("changed"), s.find("name of 7"), s.find("fresh"),
		},
			[]string{"1", "2", "", "", ""})
		s.same(s.list(store.Query{Term: "group:a"}), []string{"1", "2"})
		s.same(s.list(store.Query{Owner: "ann"}), []string{"1", "2"})
		s.same(s.list(store.Query{Owner: "bob"}), []string{})
	}
}

// testAtomicUndo shows that a change that was undone leaves the order of the
// records alone, and what they are found by.
func testAtomicUndo(t *testing.T, st store.Store) {
	s := suite{t, st}
	s.apply(create(record("3")), create(record("2")), create(record("1")))
	s.refused("undone", store.ErrConflict,
		keeping("4", 1), remove("4"), create(record("3")), update(record("9"), 0))
	s.same(s.list(store.Query{Owner: "ann"}), []string{"1", "2", "3"})
	s.apply(keeping("0", 2))
	s.same(s.list(store.Query{Owner: "ann"}), []string{"0", "1"})
	n, err := s.DeleteExpired(t.Context(), moment, 100)
	s.must(err)
	s.same(n, 2)
}

// testSequence makes changes that build on the ones before.
func testSequence(t *testing.T, st store.Store) {
	s, second := suite{t, st}, record("2")
	second.Names = []string{"name of 1"}
	s.apply(create(record("1")), update(record("1"), 1), remove("1"), create(second), update(second, 1),
		update(second, 2))
	s.gone("1")
	s.has(stored(second, 3))
	s.same([]string{s.find("name of 1"), s.find("1@example.com")}, []string{"2", ""})
	s.refused("twice in one", store.ErrExists, create(record("3")), create(record("3")))
	s.gone("3")
	first := record("1")
	first.Names, second.Names = []string{"name of 1"}, []string{"name of 2"}
	s.apply(update(second, 3), create(first)) // a name changes hands
	s.same([]string{s.find("name of 1"), s.find("name of 2")}, []string{"1", "2"})
}
