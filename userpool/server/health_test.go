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
	mu    sync.Mutex
	err   error
	asked int // how often a record of the kind "health" was asked for
}

func (s *moodyStore) Get(ctx context.Context, pool, kind, id string) (store.Record, bool, error) {
	if kind != "health" {
		return s.Store.Get(ctx, pool, kind, id)
	}
	s.mu.Lock()
	s.asked++
	err := s.err
	s.mu.Unlock()
	runtime.Gosched() // the others come meanwhile
	if ctx.Err() != nil {
		return store.Record{}, false, ctx.Err()
	}
	return store.Record{}, false, err
}

// TestHealth asks for the pool's health as an engine does, and as a crowd does.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, err := pooltest.Keys()
		if err != nil {
			t.Fatal(err)
		}
		st := &moodyStore{Store: memstore.New()}
		p, err := pool.New(t.Context(), pool.Config{
			ID: "local_a1", Issuer: "http://localhost:9229/", Store: st, Keys: keys, Hashing: pooltest.Cheap,
		})
		if err != nil {
			t.Fatal(err)
		}
		handler, err := server.New(server.Config{Pool: p, BaseURL: "http://localhost:9229"})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(ctx context.Context, method string) (int, string) {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, server.HealthPath, nil))
			return w.Code, w.Body.String()
		}
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
		want("POST", http.MethodPost, http.StatusMethodNotAllowed, "")

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
