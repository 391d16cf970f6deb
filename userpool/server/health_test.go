package server_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
	"github.com/cognate-auth/cognate/userpool/store"
)

// moodyStore fails when it is told to.
type moodyStore struct {
	store.Store
	mu     sync.Mutex
	err    error
	asked  int           // how often a record of the kind "health" was asked for
	hangs  chan struct{} // if it is not nil, nothing but its end ends a question
	panics bool
}

func (s *moodyStore) Get(ctx context.Context, pool, kind, id string) (store.Record, bool, error) {
	if kind != "health" {
		return s.Store.Get(ctx, pool, kind, id)
	}
	s.mu.Lock()
	s.asked++
	err, hangs := s.err, s.hangs
	s.mu.Unlock()
	if s.panics {
		panic("a store of somebody else's")
	}
	if hangs != nil {
		<-hangs
	}
	runtime.Gosched() // the others come meanwhile
	if ctx.Err() != nil {
		return store.Record{}, false, ctx.Err()
	}
	return store.Record{}, false, err
}

// newHealth returns a function that asks a pool with this store for its health.
func newHealth(t *testing.T, st store.Store) func(ctx context.Context, method string) (status int, body string) {
	t.Helper()
	keys, err := pooltest.Keys()
	if err != nil {
		t.Fatal(err)
	}
	p, err := pool.New(t.Context(), pool.Config{
		ID: "local_a1", Issuer: "http://localhost:9229/", Store: st, Keys: keys, Hashing: pooltest.Cheap,
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := server.New(server.Config{
		Pool: p, BaseURL: "http://localhost:9229", DevView: true, DevViewToken: viewToken,
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, method string) (int, string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, server.HealthPath, nil))
		return w.Code, w.Body.String()
	}
}

// TestHealth asks for the pool's health as an engine does, and as a crowd does.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &moodyStore{Store: memstore.New()}
		ask := newHealth(t, st)
		want := func(what, method string, status int, body string) {
			t.Helper()
			code, said := ask(t.Context(), method)
			if code != status || body != "" && said != body {
				t.Errorf("%s: got %d %q, want %d %q", what, code, said, status, body)
			}
		}
		const ok, unavailable = `{"status":"ok"}` + "\n", `{"status":"unavailable"}` + "\n"
		// Whoever gives up does not spoil it for the others.
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		ask(gone, http.MethodGet)
		want("after somebody gave up", http.MethodGet, http.StatusOK, ok)
		want("HEAD", http.MethodHead, http.StatusOK, "")
		for _, method := range []string{http.MethodPost, http.MethodOptions, http.MethodDelete} {
			want(method, method, http.StatusMethodNotAllowed, "The health is asked for with GET.\n")
		}

		st.mu.Lock()
		st.err = errors.New("no such table: secret_table")
		st.mu.Unlock()
		want("a moment later", http.MethodGet, http.StatusOK, ok)
		time.Sleep(time.Second)
		want("store down", http.MethodGet, http.StatusServiceUnavailable, unavailable)

		st.mu.Lock()
		st.err, st.asked = nil, 0
		st.mu.Unlock()
		time.Sleep(time.Second)
		var crowd sync.WaitGroup
		for range 50 {
			crowd.Go(func() { want("crowd", http.MethodGet, http.StatusOK, ok) })
		}
		crowd.Wait()
		if st.asked != 1 {
			t.Errorf("a crowd asked the store %d times, want once", st.asked)
		}
	})
}

// TestHealthOfAStoreThatHangs asks while the store answers nobody, whatever time it is given:
// each request is answered when its time is over or its client has left, the store is asked
// once, and the pool is well again when the store is.
func TestHealthOfAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &moodyStore{Store: memstore.New()}
		ask := newHealth(t, st)
		begun := time.Now()
		st.hangs = make(chan struct{}) // nobody asks yet
		var crowd sync.WaitGroup
		for i := range 20 {
			crowd.Go(func() {
				ctx, patience := t.Context(), 5*time.Second
				if i%2 == 0 {
					patience = time.Second
				}
				ctx, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				status, _ := ask(ctx, http.MethodGet)
				if took := time.Since(begun); status != http.StatusServiceUnavailable || took != patience {
					t.Errorf("got %d after %s, want 503 after %s", status, took, patience)
				}
			})
		}
		crowd.Wait()
		st.mu.Lock()
		if st.asked != 1 {
			t.Errorf("the store was asked %d times, want once", st.asked)
		}
		close(st.hangs)
		st.hangs = nil
		st.mu.Unlock()
		synctest.Wait()
		time.Sleep(time.Second)
		status, _ := ask(t.Context(), http.MethodGet)
		if status != http.StatusOK {
			t.Errorf("the store is well again: got %d", status)
		}
		st.panics = true
		time.Sleep(time.Second)
		status, _ = ask(t.Context(), http.MethodGet)
		if status != http.StatusServiceUnavailable {
			t.Errorf("the store panics: got %d", status)
		}
	})
}
