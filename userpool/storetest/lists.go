package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

func testList(t *testing.T, st store.Store) {
	s := suite{t, st}
	s.same(s.list(store.Query{}), []string{})
	s.apply(create(record("2")), create(bare("3")), create(record("1")))
	s.same(s.list(store.Query{}), []string{"1", "2", "3"})
	s.same(s.list(store.Query{Descending: true}), []string{"3", "2", "1"})
	s.same(s.list(store.Query{Limit: 2}), []string{"1", "2"})
	s.same(s.list(store.Query{Limit: 2, Descending: true}), []string{"3", "2"})
	s.same(s.list(store.Query{After: "1"}), []string{"2", "3"})
	s.same(s.list(store.Query{After: "11"}), []string{"2", "3"})
	s.same(s.list(store.Query{After: "2", Descending: true}), []string{"1"})
	s.same(s.list(store.Query{After: "3"}), []string{})
	s.same(s.list(store.Query{After: "1", Descending: true}), []string{})
	got, err := s.List(t.Context(), poolA, "thing", store.Query{Limit: 10})
	s.must(err)
	s.same(got, []store.Record{stored(record("1"), 1), stored(record("2"), 1), stored(bare("3"), 1)})
	for _, limit := range []int{0, -1} {
		got, err = s.List(t.Context(), poolA, "thing", store.Query{Limit: limit})
		s.must(err)
		s.same(got, []store.Record{})
	}
}

func testListOwner(t *testing.T, st store.Store) {
	s := suite{t, st}
	for i, owner := range []string{"ann", "bob", "ann", "", "ann", "an", "ann "} {
		r := record(fmt.Sprint(i))
		r.Owner = owner
		s.apply(create(r))
	}
	s.same(s.list(store.Query{Owner: "ann"}), []string{"0", "2", "4"})
	s.same(s.list(store.Query{Owner: "ann", After: "0", Limit: 1}), []string{"2"})
	s.same(s.list(store.Query{Owner: "ann", After: "4", Descending: true}), []string{"2", "0"})
	s.same(s.list(store.Query{Owner: "nobody"}), []string{})
}

func testListTerm(t *testing.T, st store.Store) {
	s := suite{t, st}
	for i, terms := range [][]string{{"a"}, {"b", "a"}, {"ab"}, nil, {"A", "a "}, {"a", "b"}, {""}} {
		r := record(fmt.Sprint(i))
		r.Terms = terms
		s.apply(create(r))
	}
	s.same(s.list(store.Query{Term: "a"}), []string{"0", "1", "5"})
	s.same(s.list(store.Query{Term: "b"}), []string{"1", "5"})
	s.same(s.list(store.Query{Term: "a", Limit: 1}), []string{"0"})
	s.same(s.list(store.Query{Term: "a", After: "0", Limit: 1}), []string{"1"})
	s.same(s.list(store.Query{Term: "a", Descending: true}), []string{"5", "1", "0"})
	s.same(s.list(store.Query{Term: "a", Descending: true, After: "5", Limit: 1}), []string{"1"})
	s.same(s.list(store.Query{Term: "%"}), []string{})
	s.same(s.list(store.Query{Term: "c"}), []string{})
}

func testListPrefix(t *testing.T, st store.Store) {
	s := suite{t, st}
	for i, terms := range [][]string{
		{"email:ann@", "name:ann"}, {"email:anna@"}, {"email:a\xff\xff"}, {"email:b"}, {"Email:ann"},
		{"email:ann@", "email:anton"}, {"\xff\xff\xff"}, {"\xff\xff"}, nil,
	} {
		r := record(fmt.Sprint(i))
		r.Terms = terms
		s.apply(create(r))
	}
	for prefix, want := range map[string][]string{
		"email:":       {"0", "1", "2", "3", "5"},
		"email:a":      {"0", "1", "2", "5"},
		"email:an":     {"0", "1", "5"},
		"email:ann@":   {"0", "5"},
		"email:a\xff":  {"2"},
		"\xff":         {"6", "7"},
		"\xff\xff\xff": {"6"},
		"email_":       {},
		"email:%":      {},
		"ann":          {},
	} {
		s.same(s.list(store.Query{TermPrefix: prefix}), want)
		slices.Reverse(want)
		s.same(s.list(store.Query{TermPrefix: prefix, Descending: true}), want)
	}
	s.same(s.list(store.Query{TermPrefix: "email:", After: "1", Limit: 2}), []string{"2", "3"})
	s.same(s.list(store.Query{TermPrefix: "email:", After: "3", Limit: 2, Descending: true}), []string{"2", "1"})
}

func testListCombined(t *testing.T, st store.Store) {
	s := suite{t, st}
	for i := range 24 {
		r := record(fmt.Sprintf("%02d", i))
		r.Owner = []string{"ann", "bob"}[i%2]
		r.Terms = []string{fmt.Sprint("third:", i%3), fmt.Sprint("quarter:", i%4), "all"}
		s.apply(create(r))
	}
	s.same(s.list(store.Query{Owner: "ann", Term: "third:0"}), []string{"00", "06", "12", "18"})
	s.same(s.list(store.Query{Owner: "bob", Term: "quarter:0"}), []string{})
	s.same(s.list(store.Query{Owner: "ann", TermPrefix: "third:", After: "10", Limit: 2}), []string{"12", "14"})
	s.same(s.list(store.Query{Term: "third:1", TermPrefix: "quarter:1"}), []string{"01", "13"})
	s.same(s.list(store.Query{Term: "third:1", TermPrefix: "quarter:", Limit: 2}), []string{"01", "04"})
	s.same(s.list(store.Query{
		Owner: "bob", Term: "third:0", TermPrefix: "al", After: "15", Descending: true, Limit: 2,
	}), []string{"09", "03"})
}

// testListPages reads everything, page by page, in both directions.
func testListPages(t *testing.T, st store.Store) {
	const n = 60
	s := suite{t, st}
	want, all := []string{}, []store.Change{}
	for i := range n {
		r := record(fmt.Sprintf("%x-%d", i*7919%251, i))
		r.Terms = []string{"every", fmt.Sprint("number:", i)}
		want, all = append(want, r.ID), append(all, create(r))
	}
	s.apply(all...)
	slices.Sort(want)
	for _, q := range []store.Query{
		{Limit: 7}, {Limit: 2 * n}, {Limit: n}, {Limit: 9, Owner: "ann"}, {Limit: 9, Term: "every"},
		{Limit: 9, TermPrefix: "number:"}, {Limit: 25, Owner: "ann", Term: "every", TermPrefix: "number:"},
	} {
		for _, q.Descending = range []bool{false, true} {
			q.After = ""
			got := []string{}
			for page := s.list(q); len(page) > 0; page = s.list(q) {
				got = append(got, page...)
				q.After = page[len(page)-1]
			}
			if q.Descending {
				slices.Reverse(got)
			}
			s.same(got, want)
		}
	}
}

// odd are keys that an engine may stumble over, in byte order.
var odd = []string{
	"\x00", "\x00\x00", "\t\n", " ", "  ", "\"';--", "%", "?1", "A", "Z", "[a]", "\\", "_", "a", "a\x00", "a\x00b",
	"aB",
	"aa", "z", "\x7f", "\u0080", "\u00e4", "a\u0308"[1:], "\u00df", "\u1e9e", "\u2028", "\ufeff", "\uffff",
	"\U0001f600",
	"\xfe", "\xff", "\xff\xff",
}

func testByteOrder(t *testing.T, st store.Store) {
	s, want := suite{t, st}, slices.Sorted(slices.Values(odd))
	for _, id := range odd {
		r := bare(id)
		r.Terms = []string{"every"}
		s.apply(create(r))
	}
	for _, q := range []store.Query{{}, {Term: "every"}, {TermPrefix: "ev"}} {
		s.same(s.list(q), want)
		for i, after := range want {
			q.After = after
			s.same(s.list(q), want[i+1:])
		}
	}
}

func testOddKeys(t *testing.T, st store.Store) {
	s := suite{t, st}
	for i, key := range odd {
		r := store.Record{
			Kind: "thing", ID: key, Owner: key, Names: []string{"name " + key, key},
			Terms: []string{key, "term " + key},
			Body:  []byte(key),
		}
		s.apply(create(r), update(r, 1))
		s.has(stored(r, 2))
		s.same([]string{s.find(key), s.find("name " + key)}, []string{key, key})
		s.same(s.list(store.Query{Owner: key}), []string{key})
		s.same(s.list(store.Query{Term: key}), []string{key})
		s.same(s.list(store.Query{TermPrefix: "term " + key, Term: key}), []string{key})
		s.same(len(s.list(store.Query{})), i+1)
	}
}

// testLongKeys has an ID, names and terms as long as they may be. Only what
// differs late tells them apart.
func testLongKeys(t *testing.T, st store.Store) {
	s := suite{t, st}
	long := strings.Repeat("long\u00e4\xf3", 10000)
	id := strings.Repeat("i", 299)
	for i, end := range []string{"1", "2", ""} {
		r := bare((id + end + "x")[:300])
		r.Owner = long[:299] + fmt.Sprint(i)
		for _, n := range []int{900, 967, 968, 969, 999, 1000, 1001, 9000, 16_000} {
			r.Names = append(r.Names, long[:n]+end)
			r.Terms = append(r.Terms, long[:n]+end)
		}
		if i == 1 {
			r.Names, r.Terms = r.Names[:len(r.Names)-1], r.Terms[:len(r.Terms)-1]
		}
		s.apply(create(r))
		s.has(stored(r, 1))
		for _, key := range r.Names {
			s.same([]string{s.find(key)}, []string{r.ID})
			s.same(s.list(store.Query{Term: key}), []string{r.ID})
		}
		s.same(s.list(store.Query{Owner: r.Owner}), []string{r.ID})
	}
	s.same(s.find(long[:16_000]+"2"), "")
	s.same(s.list(store.Query{Term: long[:16_000] + "2"}), []string{})
	s.same(len(s.list(store.Query{TermPrefix: long[:900]})), 3)
}

func testBodies(t *testing.T, st store.Store) {
	s := suite{t, st}
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for i, body := range [][]byte{nil, {}, {0}, every, []byte("NULL"), []byte("\xff\xfe"), bytes.Repeat(every, 4096)} {
		r := bare(fmt.Sprint(i))
		r.Body = body
		s.apply(create(r))
		s.has(stored(r, 1))
		s.apply(update(r, 1))
		s.has(stored(r, 2))
	}
}

func testTimes(t *testing.T, st store.Store) {
	s := suite{t, st}
	berlin := time.FixedZone("Berlin", 3600)
	for i, tt := range []struct{ in, want time.Time }{
		{time.Time{}, time.Time{}},
		{moment, moment},
		{moment.In(berlin), moment},
		{moment.Add(999), moment}, // less than a microsecond
		{time.Unix(0, 0), time.Unix(0, 0).UTC()},
		{time.Unix(-1, 0), time.Unix(-1, 0).UTC()},
		{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		r := bare(fmt.Sprint(i))
		r.Expires = tt.in
		s.apply(create(r))
		got, _ := s.get(r.ID)
		if got.Expires != tt.want {
			t.Errorf("got %#v, want %#v", got.Expires, tt.want)
		}
	}
}

func (s suite) expired(now time.Time, limit, want int) {
	s.Helper()
	got, err := s.DeleteExpired(s.Context(), now, limit)
	s.must(err)
	if got != want {
		s.Errorf("removed %d expired records, want %d", got, want)
	}
}

func testExpiry(t *testing.T, st store.Store) {
	s := suite{t, st}
	for id, expires := range map[string]time.Time{
		"never": {}, "before": moment.Add(-time.Hour), "now": moment, "after": moment.Add(time.Microsecond),
		"changed": moment, "extended": moment, "ended": {},
	} {
		r := record(id)
		r.Expires = expires
		s.apply(create(r))
	}
	for id, expires := range map[string]time.Time{
		"changed": moment, "extended": moment.Add(time.Hour), "ended": moment.Add(-time.Hour),
	} {
		r := record(id)
		r.Expires = expires
		s.apply(update(r, 1))
	}
	other := record("other")
	other.Kind = "other"
	s.must(s.Apply(t.Context(), poolB, create(record("now")), create(other)))
	s.expired(moment.Add(-2*time.Hour), 100, 0)
	s.expired(moment, 100, 6) // now, before, changed and ended here, now and other there
	s.expired(moment, 100, 0)
	s.same(s.list(store.Query{}), []string{"after", "extended", "never"})
	s.expired(moment.AddDate(1000, 0, 0), 100, 2)
	s.same(s.list(store.Query{}), []string{"never"})
}

func testExpiryPortions(t *testing.T, st store.Store) {
	const n = 300
	s, all := suite{t, st}, []store.Change{}
	for i := range n {
		r := bare(fmt.Sprintf("%03d", i))
		r.Expires = moment.Add(time.Duration(i%7) * time.Second)
		all = append(all, create(r))
	}
	s.apply(all...)
	now := moment.Add(time.Hour)
	for _, limit := range []int{0, -1} {
		s.expired(now, limit, 0)
	}
	s.expired(now, 1, 1)
	s.expired(now, 119, 119)
	s.expired(now, n, n-120)
}

func testExpiryKeys(t *testing.T, st store.Store) {
	s := suite{t, st}
	s.apply(create(record("1")), create(record("2")))
	s.has(stored(record("1"), 1)) // it stays until it is removed
	s.expired(moment, 100, 2)
	s.gone("1", "2")
	s.same([]string{s.find("name of 1")}, []string{""})
	s.same(s.list(store.Query{Term: "group:a"}), []string{})
	s.same(s.list(store.Query{Owner: "ann"}), []string{})
	s.apply(create(record("1")))
}

func testPools(t *testing.T, st store.Store) {
	s, ctx := suite{t, st}, t.Context()
	there := record("1")
	there.Body = []byte("there")
	s.apply(create(record("1")), create(record("2")))
	s.must(s.Apply(ctx, poolB, create(there))) // the same ID, names, terms and owner
	s.has(stored(record("1"), 1))
	own := func() {
		t.Helper()
		got, ok, err := s.Get(ctx, poolB, "thing", "1")
		s.must(err)
		s.same(ok, true)
		s.same(got, stored(there, 1))
		got, ok, err = s.Find(ctx, poolB, "thing", "name of 1")
		s.must(err)
		s.same(ok, true)
		s.same(got, stored(there, 1))
		for _, q := range []store.Query{{}, {Owner: "ann"}, {Term: "group:a"}, {TermPrefix: "gr"}} {
			q.Limit = 9
			list, err := s.List(ctx, poolB, "thing", q)
			s.must(err)
			s.same(list, []store.Record{stored(there, 1)})
		}
	}
	own()
	s.apply(update(record("1"), 1), keeping("3", 1),
		store.Change{Op: store.DeleteTerm, Record: store.Record{Kind: "thing", Terms: []string{"group:a"}}},
		store.Change{Op: store.DeleteOwned, Record: store.Record{Kind: "thing", Owner: "ann"}})
	_, ok, err := s.Take(ctx, poolA, "thing", "1")
	s.must(err)
	s.same(ok, false)
	own()
}

func testKinds(t *testing.T, st store.Store) {
	s, ctx, other := suite{t, st}, t.Context(), record("1")
	other.Kind = "other"
	s.apply(create(record("1")), create(other)) // the same ID, names, terms and owner
	s.has(stored(record("1"), 1))
	s.apply(update(record("1"), 1), keeping("2", 1),
		store.Change{Op: store.DeleteTerm, Record: store.Record{Kind: "thing", Terms: []string{"group:a"}}},
		store.Change{Op: store.DeleteOwned, Record: store.Record{Kind: "thing", Owner: "ann"}}, remove("1"))
	got, ok, err := s.Find(ctx, poolA, "other", "name of 1")
	s.must(err)
	s.same(ok, true)
	s.same(got, stored(other, 1))
	list, err := s.List(ctx, poolA, "other", store.Query{Term: "group:a", Limit: 9})
	s.must(err)
	s.same(list, []store.Record{stored(other, 1)})
}

// testCopies changes what went in and what came out; the store must not notice.
func testCopies(t *testing.T, st store.Store) {
	s, ctx := suite{t, st}, t.Context()
	spoil := func(r store.Record) {
		r.Names[0], r.Terms[0], r.Body[0] = "evil", "evil", '!'
	}
	r := record("1")
	s.apply(create(r))
	spoil(r)
	r = record("1")
	s.apply(update(r, 1))
	spoil(r)
	for range 2 {
		got, _ := s.get("1")
		s.same(got, stored(record("1"), 2))
		spoil(got)
		got, _, err := s.Find(ctx, poolA, "thing", "name of 1")
		s.must(err)
		s.same(got, stored(record("1"), 2))
		spoil(got)
		list, err := s.List(ctx, poolA, "thing", store.Query{Limit: 1})
		s.must(err)
		s.same(list, []store.Record{stored(record("1"), 2)})
		spoil(list[0])
	}
	s.same(s.find("evil"), "")
}
