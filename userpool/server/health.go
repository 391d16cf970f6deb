package server

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// HealthPath answers 200 if the pool can be used, and 503 if its store does not answer. It
// needs no token and says nothing else.
const HealthPath = "/_cognate/health"

const (
	// healthMaxAge is how long an answer of the store is believed. Whoever asks more often
	// costs the store nothing.
	healthMaxAge = time.Second
	// healthPatience is how long the store may take.
	healthPatience = 5 * time.Second
)

// health serves HealthPath. It is safe for concurrent use.
type health struct {
	check func(context.Context) error // asks the store
	now   func() time.Time

	mu  sync.Mutex // held while the store is asked: all who ask meanwhile get its answer
	at  time.Time  // when the store was asked; zero: never
	err error      // what it answered
}

// ServeHTTP answers a GET or HEAD request.
func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if h.ask(r.Context()) != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"status":"unavailable"}`+"\n") // nothing is left to do
		return
	}
	_, _ = io.WriteString(w, `{"status":"ok"}`+"\n") // as above
}

// ask returns what the store answers, or answered a moment ago. The question outlives a
// request that is given up, because others may wait for it.
func (h *health) ask(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if age := h.now().Sub(h.at); !h.at.IsZero() && age >= 0 && age < healthMaxAge {
		return h.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthPatience)
	defer cancel()
	h.err = h.check(ctx)
	h.at = h.now()
	return h.err
}
