package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// model is a store of the plainest kind: one list, in the order of creation.
type model struct{ records []store.Record }

func (m *model) index(id string) int {
	return slices.IndexFunc(m.records, func(r store.Record) bool { return r.ID == id })
}

func (m *model) find(name string) (store.Record, bool) {
	for _, r := range m.records {
		if slices.Contains(r.Names, name) {
			return r, true
		}
	}
	return store.Record{}, false
}

// apply makes all of the changes or none.
func (m *model) apply(changes []store.Change) error {
	before := slices.Clone(m.records)
	for _, c := range changes {
		err := m.change(c)
		if err != nil {
			m.records = before
			return err
		}
	}
	return nil
}

func (m *model) change(c store.Change) error {
	i := m.index(c.ID)
	switch c.Op {
	case store.Create:
		if i >= 0 || m.taken(c.Record) {
			return store.ErrExists
		}
		c.Version = 1
		m.records = append(m.records, c.Record)
		m.keep(c.Owner, c.Keep)
	case store.Update:
		return m.update(i, c.Record)
	case store.Delete:
		if c.Version != 0 && (i < 0 || m.records[i].Version != c.Version) {
			return store.ErrConflict
		}
		m.drop(func(r store.Record) bool { return r.ID == c.ID })
	case store.DeleteOwned:
		m.drop(func(r store.Record) bool { return c.Owner != "" && r.Owner == c.Owner })
	case store.DeleteTerm:
		m.drop(func(r store.Record) bool { return slices.Contains(r.Terms, c.Terms[0]) })
	}
	return nil
}

func (m *model) update(i int, r store.Record) error {
	if i < 0 || r.Version != 0 && m.records[i].Version != r.Version {
		return store.ErrConflict
	}
	if m.taken(r) {
		return store.ErrExists
	}
	r.Version = m.records[i].Version + 1
	if r.Owner != m.records[i].Owner { // the newest of the new owner
		m.records = append(slices.Delete(slices.Clone(m.records), i, i+1), r)
	} else {
		m.records = slices.Concat(m.records[:i], []store.Record{r}, m.records[i+1:])
	}
	return nil
}

// taken reports whether another record has one of r's names.
func (m *model) taken(r store.Record) bool {
	return slices.ContainsFunc(r.Names, func(n string) bool {
		other, ok := m.find(n)
		return ok && other.ID != r.ID
	})
}

func (m *model) drop(gone func(store.Record) bool) {
	m.records = slices.DeleteFunc(slices.Clone(m.records), gone)
}

func (m *model) keep(owner string, keep int) {
	n := 0
	for _, r := range m.records {
		if r.Owner == owner {
			n++
		}
	}
	m.drop(func(r store.Record) bool {
		if owner == "" || keep <= 0 || r.Owner != owner || n <= keep {
			return false
		}
		n--
		return true
	})
}

func (m *model) list(q store.Query) []store.Record {
	out := []store.Record{}
	for _, r := range m.records {
		prefixed := slices.ContainsFunc(r.Terms, func(t string) bool { return strings.HasPrefix(t, q.TermPrefix) })
		switch {
		case q.Owner != "" && r.Owner != q.Owner, q.Term != "" && !slices.Contains(r.Terms, q.Term),
			q.TermPrefix != "" && !prefixed,
			q.After != "" && !q.Descending && r.ID <= q.After, q.After != "" && q.Descending && r.ID >= q.After:
			continue
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b store.Record) int { return cmp.Compare(a.ID, b.ID) })
	if q.Descending {
		slices.Reverse(out)
	}
	return out[:min(len(out), q.Limit)]
}

// dice makes changes and queries that meet often: there are few of everything.
type dice struct{ *rand.Rand }

func (d dice) one(prefix string, n int) string { return fmt.Sprint(prefix, d.IntN(n)) }

func (d dice) some(prefix string, n int) []string {
	var out []string
	for range d.IntN(3) {
		out = append(out, d.one(prefix, n))
	}
	return out
}

func (d dice) owner() string { return []string{"", "ann", "bob"}[d.IntN(3)] }

func (d dice) record() store.Record {
	r := store.Record{
		Kind: "thing", ID: d.one("", 24), Owner: d.owner(), Names: d.some("name", 16), Terms: d.some("term", 12),
		Body: fmt.Append(nil, d.Int64()),
	}
	if d.IntN(4) > 0 {
		r.Expires = moment.Add(time.Duration(d.IntN(1000)) * time.Second)
	}
	return r
}

func (d dice) change() store.Change {
	c := store.Change{Op: store.Create, Record: d.record()}
	switch n := d.IntN(20); {
	case n < 8:
		c.Keep = d.IntN(6) // none, or so few that no store may be late
	case n < 15:
		c.Op, c.Version = store.Update, int64(d.IntN(3))
	case n < 18:
		c.Op, c.Version = store.Delete, int64(d.IntN(2))
	case n == 18:
		c.Op = store.DeleteOwned
	default:
		c.Op, c.Terms = store.DeleteTerm, []string{d.one("term", 12)}
	}
	return c
}

func (d dice) query() store.Query {
	q := store.Query{Descending: d.IntN(2) == 0, Limit: 1 + d.IntN(30)}
	if d.IntN(3) == 0 {
		q.Owner = d.owner()
	}
	if d.IntN(3) == 0 {
		q.Term = d.one("term", 12)
	}
	if d.IntN(3) == 0 {
		q.TermPrefix = []string{"term", "term1", "t", "x"}[d.IntN(4)]
	}
	if d.IntN(2) == 0 {
		q.After = d.one("", 24)
	}
	return q
}

// testModel makes random changes and asks random questions; the answers must be
// those of the model. A failure is reported with the seed. The changes are other
// ones each time, so few of them will do.
func testModel(t *testing.T, st store.Store) {
	s, m := suite{t, st}, &model{}
	seed := rand.Uint64()                     //nolint:gosec // to play dice with
	d := dice{rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // as above
	for step := 0; step < 400 && !t.Failed(); step++ {
		changes := []store.Change{}
		for range 1 + d.IntN(3) {
			changes = append(changes, d.change())
		}
		want := m.apply(changes)
		got := s.Apply(t.Context(), poolA, changes...)
		if !errors.Is(got, want) {
			t.Errorf("%+v: got error %v, want %v", changes, got, want)
		}
		s.compare(m, d)
	}
	if t.Failed() {
		t.Logf("the seed is %d", seed)
	}
}

// compare asks for one record by ID, one by name, a list, and now and then for
// one to take and for what has expired.
func (s suite) compare(m *model, d dice) {
	s.Helper()
	id, name, q := d.one("", 24), d.one("name", 16), d.query()
	r, ok := s.get(id)
	i := m.index(id)
	if ok != (i >= 0) || ok && !equal(r, m.records[i]) {
		s.Errorf("%s: got %v %+v", id, ok, r)
	}
	r, ok, err := s.Find(s.Context(), poolA, "thing", name)
	s.must(err)
	want, have := m.find(name)
	if ok != have || !equal(r, want) {
		s.Errorf("%s: got %v %+v, want %v %+v", name, ok, r, have, want)
	}
	list, err := s.List(s.Context(), poolA, "thing", q)
	s.must(err)
	if want := m.list(q); !slices.EqualFunc(list, want, equal) {
		s.Errorf("%+v: got %+v\nwant %+v", q, list, want)
	}
	switch d.IntN(20) {
	case 0:
		_, ok, err = s.Take(s.Context(), poolA, "thing", id)
		s.must(err)
		s.same(ok, i >= 0)
		m.drop(func(r store.Record) bool { return r.ID == id })
	case 1:
		now, before := moment.Add(time.Duration(d.IntN(100))*time.Second), len(m.records)
		m.drop(func(r store.Record) bool { return !r.Expires.IsZero() && !r.Expires.After(now) })
		s.expired(now, 1000, before-len(m.records))
	}
}

func equal(a, b store.Record) bool {
	return a.Kind == b.Kind && a.ID == b.ID && a.Owner == b.Owner && slices.Equal(a.Names, b.Names) &&
		slices.Equal(a.Terms, b.Terms) && a.Expires.Equal(b.Expires) && a.Version == b.Version &&
		string(a.Body) == string(b.Body)
}
