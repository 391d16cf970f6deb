package fakeprovider

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// InVirtualTime runs a test in virtual time (see [synctest]): the clock stands still while a
// goroutine runs, and jumps when all of them wait. So waiting takes no time, and the test does
// not depend on the speed of the machine. The clock would not wait for a network, so apps
// have to reach the provider with its HTTPClient.
func InVirtualTime(t *testing.T, run func(t *testing.T, p *Provider)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.URL = "http://127.0.0.1:1" // where nobody listens
		p.Issuer, p.HTTPClient = p.URL, &http.Client{Transport: RoundTripFunc(p.serveDirectly)}
		run(t, p)
	})
}

// serveDirectly answers a request as the server would. If the handler aborts, it fails as a
// broken connection does.
func (p *Provider) serveDirectly(r *http.Request) (*http.Response, error) {
	answered := make(chan *http.Response, 1)
	go func() {
		defer close(answered)
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // as net/http compares
				panic(v)
			}
		}()
		w := httptest.NewRecorder()
		p.Config.Handler.ServeHTTP(w, r)
		answered <- w.Result()
	}()
	select {
	case resp := <-answered:
		if resp == nil {
			return nil, io.ErrUnexpectedEOF
		}
		return resp, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// A RoundTripFunc answers requests without a network.
type RoundTripFunc func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f RoundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// JSONResponse is the answer 200 with v as JSON.
func JSONResponse(v any) *http.Response {
	w := httptest.NewRecorder()
	ServeJSON(w, http.StatusOK, v)
	return w.Result()
}

// ServeJSON answers with a status and v as JSON.
func ServeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// A Clock is a clock that tests move. It is safe for concurrent use.
type Clock struct {
	mu sync.Mutex
	t  time.Time
}

// NewClock returns a clock that is set to a time in January 2026.
func NewClock() *Clock { return &Clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// Now returns the time on the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}
