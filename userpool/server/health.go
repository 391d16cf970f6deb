package server

import (
	"context"
	"errors"
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

	mu     sync.Mutex
	asking chan struct{} // closed at the answer of the store, if it is being asked; else nil
	at     time.Time     // when the store answered; zero: never
	err    error         // what it answered
}

// ServeHTTP answers a GET or HEAD request, and refuses all others itself: servers let this path
// past their checks of the host and past their limits, and nothing else of the pool may answer.
func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "The health is asked for with GET.", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if h.ask(r.Context()) != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"status":"unavailable"}`+"\n") // nothing is left to do
		return
	}
	_, _ = io.WriteString(w, `{"status":"ok"}`+"\n") // as above
}

// ask returns what the store answers, or answered a moment ago. All who ask meanwhile wait
// for one answer. Nobody waits longer than healthPatience, also if the store pays no attention
// to the end of its time, as a file system that hangs doesn't.
func (h *health) ask(ctx context.Context) error {
	h.mu.Lock()
	if age := h.now().Sub(h.at); h.asking == nil && !h.at.IsZero() && age >= 0 && age < healthMaxAge {
		defer h.mu.Unlock()
		return h.err
	}
	if h.asking == nil {
		h.asking = make(chan struct{})
		go h.askStore(context.WithoutCancel(ctx)) // who gives up does not spoil it for the others
	}
	asking := h.asking
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	select {
	case <-asking:
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errFailed stands for the answer of a store that panics.
var errFailed = errors.New("the store panicked")

// askStore asks the store once.
func (h *health) askStore(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	err := errFailed
	defer func() {
		_ = recover() // outside of a handler a panic would end the process; err says it
		h.mu.Lock()
		defer h.mu.Unlock()
		h.err, h.at = err, h.now()
		close(h.asking)
		h.asking = nil
	}()
	err = h.check(ctx)
}
