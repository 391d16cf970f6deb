package record_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/internal/record"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/sessionstore"
)

func TestMarks(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	memory := sessionstore.NewMemory(0)
	memory.Now = func() time.Time { return now }
	store := record.NewStore(memory, "client")
	mark := record.Mark{Kind: "callback", Value: "v", Says: 1, Until: now.Add(time.Minute)}
	err := store.Mark(t.Context(), mark)
	if err != nil {
		t.Fatal(err)
	}
	err = store.Mark(t.Context(), mark)
	if !errors.Is(err, record.ErrMarked) {
		t.Errorf("a second mark: error %v", err)
	}
	mark.Says = 0
	store.UpdateMark(t.Context(), mark)
	says, ok, err := store.Marked(t.Context(), "callback", "v")
	if says != 0 || !ok || err != nil {
		t.Errorf("it says %d, %v, error %v; want 0", says, ok, err)
	}
	for _, other := range []struct{ kind, value string }{{"callback", "w"}, {"logout token", "v"}} {
		_, ok, err = store.Marked(t.Context(), other.kind, other.value)
		if ok || err != nil {
			t.Errorf("%v is marked: %v, error %v", other, ok, err)
		}
	}
	if _, ok, _ := record.NewStore(memory, "client-2").Marked(t.Context(), "callback", "v"); ok {
		t.Error("another client's mark counts")
	}
	store.Unmark(t.Context(), "callback", "v")
	_, ok, err = store.Marked(t.Context(), "callback", "v")
	if ok || err != nil {
		t.Errorf("it is still marked, error %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	err = store.Mark(over, mark)
	_, _, readErr := store.Marked(over, "callback", "v")
	if refusal.Of(err) != refusal.StoreDown || refusal.Of(readErr) != refusal.StoreDown {
		t.Errorf("a store that can't be asked: errors %v and %v", err, readErr)
	}
	if record.NewStore(nil, "client") != nil {
		t.Error("there is a store where none is")
	}
}

// TestNames is about where one field ends and the next begins.
func TestNames(t *testing.T) {
	memory := sessionstore.NewMemory(0)
	seen := map[string]bool{}
	for _, bound := range []string{"a", "ab"} {
		for _, kind := range []string{"b", "bc", "c"} {
			for _, value := range []string{"", "c", "cd"} {
				name := record.NewStore(memory, bound).Name(kind, value)
				if len(name) != 43 || seen[name] {
					t.Errorf("%q, %q and %q have the name %q of others", bound, kind, value, name)
				}
				seen[name] = true
			}
		}
	}
}
