package trace_test

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/trace"
)

func step(path string) trace.Step {
	return trace.Step{Path: path, Status: 200, Began: time.Unix(1, 0)}
}

func key(value string) []string { return []string{trace.Key("code", userpool.Secret(value))} }

// TestTraceBelongsTogether follows the keys from step to step.
func TestTraceBelongsTogether(t *testing.T) {
	t.Parallel()
	tr := trace.New(nil)
	tr.Record(trace.Record{Step: step("/a"), Begins: true, Leave: key("one")})
	tr.Record(trace.Record{Step: step("/b"), Begins: true, Leave: key("two")})
	tr.Record(trace.Record{Step: step("/a2"), Find: key("one"), Leave: key("three")})
	tr.Record(trace.Record{Step: step("/a3"), Find: append(key("nobody's"), key("three")...)})
	tr.Record(trace.Record{Step: step("/c"), Find: key("nobody's")})
	tr.Record(trace.Record{Step: step("/d"), Begins: true, Find: key("one"), Leave: key("one")})
	tr.Record(trace.Record{Step: step("/d2"), Find: key("one")})
	all, version := tr.SignIns()
	var got []string
	for _, s := range all {
		text := ""
		for _, st := range s.Steps {
			text += st.Path
		}
		got = append(got, text)
	}
	want := []string{"/d/d2", "/c", "/b", "/a/a2/a3"}
	if !slices.Equal(got, want) || version != 7 {
		t.Errorf("got %q at version %d, want %q at 7", got, version, want)
	}
}

// TestTraceIsBounded adds more than is kept: sign-ins, steps, and bytes.
func TestTraceIsBounded(t *testing.T) {
	t.Parallel()
	t.Run("sign-ins", func(t *testing.T) {
		t.Parallel()
		tr := trace.New(nil)
		for i := range 500 {
			tr.Record(trace.Record{Step: step("/a"), Begins: true, Leave: key(strconv.Itoa(i))})
		}
		all, _ := tr.SignIns()
		if len(all) != 200 || all[0].ID != "500" {
			t.Errorf("%d sign-ins are kept, the newest is %s", len(all), all[0].ID)
		}
		tr.Record(trace.Record{Step: step("/late"), Find: key("1")})
		if _, _, ok := tr.SignIn("501"); !ok {
			t.Error("a step found a sign-in that is forgotten")
		}
	})
	t.Run("steps", func(t *testing.T) {
		t.Parallel()
		tr := trace.New(nil)
		for i := range 500 {
			tr.Record(trace.Record{Step: step("/" + strconv.Itoa(i)), Find: key("x"), Leave: key("x")})
		}
		s, _, _ := tr.SignIn("1")
		if len(s.Steps) != 200 || s.Dropped != 300 || s.Steps[0].Path != "/0" || s.Steps[199].Path != "/499" {
			t.Errorf("%d steps are kept and %d dropped, from %s", len(s.Steps), s.Dropped, s.Steps[0].Path)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		tr := trace.New(nil)
		large := step("/a")
		large.Tokens = []trace.Token{{Claims: strings.Repeat("a", 100<<10)}}
		for range 400 {
			tr.Record(trace.Record{Step: large, Find: key("x"), Leave: key("x")})
		}
		for range 400 {
			tr.Record(trace.Record{Step: large, Begins: true})
		}
		all, _ := tr.SignIns()
		size := 0
		for _, s := range all {
			for _, st := range s.Steps {
				size += len(st.Tokens[0].Claims)
			}
		}
		if size > 16<<20 || size < 8<<20 {
			t.Errorf("%d bytes are kept, want at most 16 MiB, and not much less", size)
		}
	})
}

// TestTraceOfDecisions turns log lines about an observed request into decisions,
// whatever the level of the log, and no others.
func TestTraceOfDecisions(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	tr := trace.New(nil)
	log := tr.Logger(logger).With("pool", "x")
	log.InfoContext(t.Context(), "nobody observes")
	ctx, decisions := tr.Observe(t.Context())
	log.InfoContext(ctx, "grant refused", "reason", "why", "request_id", "r", "code", userpool.Secret("s3cret"))
	log.WarnContext(ctx, "loud", "long", strings.Repeat("a", 5000))
	log.DebugContext(ctx, "quiet")
	for range 100 {
		log.InfoContext(ctx, "many")
	}
	got := decisions()
	if len(got) != 20 || got[0].Event != "grant refused" || got[0].Get("reason") != "why" ||
		got[0].Get("request_id") != "" || got[0].Get("code") != "[redacted]" || len(got[1].Get("long")) > 1100 {
		t.Errorf("decisions: %+v", got)
	}
	if text := out.String(); !strings.Contains(text, "loud") || strings.Contains(text, "grant") {
		t.Errorf("log: %s", text)
	}
}

// TestNoTrace has a pool that remembers nothing.
func TestNoTrace(t *testing.T) {
	t.Parallel()
	var tr *trace.Trace
	logger := slog.New(slog.DiscardHandler)
	if tr.Logger(logger) != logger {
		t.Error("a nil trace wraps the logger")
	}
	tr.Record(trace.Record{Step: step("/a")})
	all, _ := tr.SignIns()
	if _, _, ok := tr.SignIn("1"); ok || len(all) > 0 {
		t.Error("a nil trace remembers")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	tr.Wait(ctx, 0)
}

// TestTraceConcurrently is for the race detector, and for snapshots that must
// not change under their reader.
func TestTraceConcurrently(t *testing.T) {
	t.Parallel()
	tr := trace.New(nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 300 {
				k := key(strconv.Itoa(i % 3))
				tr.Record(trace.Record{Step: step("/a"), Begins: i%100 == 0, Find: k, Leave: k})
			}
		})
		wg.Go(func() {
			for range 100 {
				all, _ := tr.SignIns()
				for _, s := range all {
					if len(s.Steps) == 0 || s.Steps[0].Path != "/a" {
						t.Error("a snapshot without its first step")
					}
				}
			}
		})
	}
	if tr.Wait(t.Context(), 0) == 0 {
		t.Error("nobody was woken")
	}
	wg.Wait()
}

// TestReportBelongsToItsSignIn reports on sign-ins that are there, are another client's, or
// have gone.
func TestReportBelongsToItsSignIn(t *testing.T) {
	t.Parallel()
	tr := trace.New(nil)
	begin := func(state, client string) {
		s := step("/oauth2/authorize")
		s.ClientID = client
		tr.Record(trace.Record{Step: s, Begins: true, Leave: []string{trace.StateKey(state)}})
	}
	report := func(state, client string) bool {
		return tr.Report(trace.StateKey(state), client, trace.Step{
			Error: strings.Repeat("x", 300), ErrorText: strings.Repeat("y", 3000),
			Sent: []trace.Value{{Name: "cause", Value: strings.Repeat("z", 3000)}},
		})
	}
	begin("one", "app")
	begin("two", "app")
	begin("three", "other")
	if _, ok := tr.Find(trace.StateKey("one")); !ok || report("one", "other") || report("four", "app") {
		t.Error("a report found another client's sign-in, or none its own")
	}
	before, version, _ := tr.SignIn("1")
	if !report("one", "app") {
		t.Fatal("a report did not find its sign-in")
	}
	s, now, _ := tr.SignIn("1")
	if len(before.Steps) != 1 || len(s.Steps) != 2 || now != version+1 || !s.Failed || !s.Steps[1].Reported() ||
		s.Steps[1].From != trace.PartyApp {
		t.Errorf("after the report: %+v at version %d, before %d", s, now, version)
	}
	if got := s.Steps[1]; len(got.Error) > 210 || len(got.ErrorText) > 1010 || len(got.Param("cause")) > 1010 {
		t.Errorf("it is not bounded: %+v", got)
	}
	for _, s := range must(tr.SignIns()) {
		single, _, _ := tr.SignIn(s.ID)
		if want := s.ClientID == "app"; s.AppReports != want || single.AppReports != want {
			t.Errorf("sign-in %s of %s: its app reports %v and %v", s.ID, s.ClientID, s.AppReports, single.AppReports)
		}
	}
	for i := range 300 {
		begin(strconv.Itoa(i), "app")
	}
	if _, ok := tr.Find(trace.StateKey("two")); ok || report("two", "app") {
		t.Error("a sign-in that is gone takes a report")
	}
	var none *trace.Trace
	if _, ok := none.Find("x"); ok || none.Report("x", "app", trace.Step{}) {
		t.Error("no trace takes a report")
	}
}

func must(all []trace.SignIn, _ int64) []trace.SignIn { return all }
