package pooltest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// TrySignIn signs in with a password and returns "ok" or the text of the refusal.
func (e *Env) TrySignIn(t testing.TB, name string, password userpool.Secret) string {
	t.Helper()
	_, err := e.Pool.Users.SignIn(t.Context(), name, password)
	if err == nil {
		return "ok"
	}
	refusal, ok := errors.AsType[*userpool.Error](err)
	if !ok {
		t.Fatalf("signing in: %v", err)
	}
	return refusal.Description
}

// WantAnswer compares what TrySignIn returned.
func WantAnswer(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// WantCode checks the code of a refusal; empty: none.
func WantCode(t testing.TB, what string, err error, want string) {
	t.Helper()
	got := ""
	refusal, ok := errors.AsType[*userpool.Error](err)
	switch {
	case ok:
		got = refusal.Code
	case err != nil:
		t.Fatalf("%s: %v", what, err)
	}
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// Newest returns the newest message of the outbox.
func (e *Env) Newest(t testing.TB) userpool.Message {
	t.Helper()
	list, err := e.Pool.Outbox.List(t.Context(), userpool.MessageQuery{Limit: 1})
	if err != nil || len(list) != 1 {
		t.Fatalf("outbox: %d messages, %v", len(list), err)
	}
	return list[0]
}

// SlowStore takes its time with one kind of record, so that all who ask at once get
// the answer from before the first of them changed it.
type SlowStore struct {
	store.Store

	Kind string
}

// Get returns the record, late if it is of the kind.
func (s SlowStore) Get(ctx context.Context, pool, kind, id string) (store.Record, bool, error) {
	r, ok, err := s.Store.Get(ctx, pool, kind, id)
	if kind == s.Kind {
		time.Sleep(5 * time.Millisecond)
	}
	return r, ok, err
}
