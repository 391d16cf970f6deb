package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestRateLimit pins what a source gets that asks too often, and that others do
// not suffer for it.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	handler := newLimiter(2, func() time.Time { return now }).wrap(http.NotFoundHandler())
	ask := func(from string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	for i, step := range []struct {
		wait time.Duration
		from string
		want int
	}{
		{0, "192.0.2.1:1", 404},
		{0, "192.0.2.1:2", 404},
		{0, "192.0.2.1:3", 429},
		{0, "192.0.2.2:1", 404},
		{0, "[::ffff:192.0.2.1]:1", 429}, // the same address in other clothes
		{0, "[2001:db8::1]:1", 404},
		{0, "[2001:db8::2]:1", 404},
		{0, "[2001:db8::3]:1", 429}, // the same network
		{0, "[2001:db8:0:1::1]:1", 404},
		{500 * time.Millisecond, "192.0.2.1:1", 404},
		{0, "192.0.2.1:1", 429},
		{-time.Hour, "192.0.2.1:1", 429},
		{time.Hour, "192.0.2.1:1", 404},
		{0, "pipe", 404},
		{0, "", 404},
		{0, "@", 429},
	} {
		now = now.Add(step.wait)
		w := ask(step.from)
		if w.Code != step.want || (w.Code == 429) != (w.Header().Get("Retry-After") == "1") {
			t.Errorf("step %d: got %d, Retry-After %q, want %d", i, w.Code, w.Header().Get("Retry-After"), step.want)
		}
	}
}

// TestRateLimitIsReadable has a script that asks too often: it can read that, since
// what its browser asks before is not counted.
func TestRateLimitIsReadable(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	handler := newLimiter(1, func() time.Time { return now }).wrap(http.NotFoundHandler())
	for i, step := range []struct {
		method string
		want   int
	}{{"OPTIONS", 404}, {"POST", 404}, {"OPTIONS", 404}, {"POST", 429}, {"OPTIONS", 404}} {
		r := httptest.NewRequest(step.method, "/oauth2/token", nil)
		r.Header.Set("Access-Control-Request-Method", "POST")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		h := w.Header()
		if w.Code != step.want || w.Code == 429 && (h.Get("Access-Control-Allow-Origin") != "*" ||
			!strings.Contains(h.Get("Access-Control-Expose-Headers"), "Retry-After") ||
			h.Get("Access-Control-Allow-Credentials") != "") {
			t.Errorf("step %d: got %d %v, want %d", i, w.Code, h, step.want)
		}
	}
	r := httptest.NewRequest(http.MethodOptions, "/", nil) // which no browser asks
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code != http.StatusTooManyRequests {
		t.Errorf("another OPTIONS: got %d, want 429", w.Code)
	}
}

// TestRateLimitIsBounded asks from more addresses than are remembered.
func TestRateLimitIsBounded(t *testing.T) {
	t.Parallel()
	l := newLimiter(1, time.Now)
	for i := range 3 * maxSources {
		l.take(sourceOf(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)))
	}
	if len(l.buckets) != maxSources || l.recent.Len() != maxSources {
		t.Errorf("%d buckets and %d in the list, want %d", len(l.buckets), l.recent.Len(), maxSources)
	}
}
