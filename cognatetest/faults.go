package cognatetest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Endpoint names an endpoint of the pool: its path, without the pool's ID.
type Endpoint string

// The endpoints of a pool.
const (
	Discovery             Endpoint = "/.well-known/openid-configuration"
	KeySet                Endpoint = "/.well-known/jwks.json"
	AuthorizationEndpoint Endpoint = "/oauth2/authorize"
	LoginPage             Endpoint = "/login"
	TokenEndpoint         Endpoint = "/oauth2/token"
	UserInfoEndpoint      Endpoint = "/oauth2/userInfo"
	RevocationEndpoint    Endpoint = "/oauth2/revoke"
	LogoutEndpoint        Endpoint = "/logout"

	// CodeGrant and RefreshGrant are the token endpoint's two grants: the end of a
	// sign-in, and the refresh of its tokens.
	CodeGrant    Endpoint = "/oauth2/token authorization_code"
	RefreshGrant Endpoint = "/oauth2/token refresh_token"

	// Everything means all endpoints.
	Everything Endpoint = ""
)

// Fault says how a request fails. Fields that are not zero apply one after the other:
// the request waits, and then the connection is closed or the error is answered. If the
// request only waits, the pool answers it afterwards.
type Fault struct {
	// Times is the number of requests that fail. Zero: all, until [Pool.Repair].
	Times int

	// Delay is how long a request waits, in real time.
	Delay time.Duration
	// Hold makes requests wait until it is closed. With it a test can have several
	// requests under way at the same time without relying on real time.
	Hold <-chan struct{}

	// Drop closes the connection without an answer, as a provider does that is down.
	// (http.Transport retries a GET on a connection that it used before.)
	Drop bool
	// DropAnswer lets the pool process the request and then closes the connection: a
	// code is used, or a refresh token rotated, and the app does not know it.
	DropAnswer bool

	// Status is the status of the answer, with Error as the OAuth error code (RFC 6749,
	// section 5.2), such as 400 and invalid_grant. If Error is empty, so is the body.
	Status int
	Error  string
	// RetryAfter is the value of the Retry-After header, in whole seconds.
	RetryAfter time.Duration
}

// faults is in front of the pool's handler and makes requests fail as the test says.
type faults struct {
	poolID string
	next   http.Handler
	done   <-chan struct{} // closed at the end of the test

	mu     sync.Mutex
	broken map[Endpoint][]Fault // each with at least one use left, the next one first
	counts map[Endpoint]int
}

// Break makes an endpoint of the pool fail. Several faults of one endpoint apply one
// after the other; a fault of [CodeGrant] or [RefreshGrant] applies before one of
// [TokenEndpoint], and a fault of [Everything] last. A Fault that breaks nothing ends the
// test.
func (p *Pool) Break(e Endpoint, f Fault) {
	p.tb.Helper()
	idle := f.Delay <= 0 && f.Hold == nil && !f.Drop && !f.DropAnswer && f.Status == 0
	if idle || f.Times < 0 || f.Status != 0 && (f.Status < 400 || f.Status > 599) {
		p.tb.Fatalf("cognatetest: %+v is not a fault: set Delay, Hold, Drop, DropAnswer or an error Status", f)
	}
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.broken[e] = append(p.faults.broken[e], f)
}

// Repair ends all faults and all changes of tokens. Requests that wait continue to
// wait.
func (p *Pool) Repair() {
	p.faults.mu.Lock()
	clear(p.faults.broken)
	p.faults.mu.Unlock()
	p.changes.set(nil, nil)
}

// Requests returns how many requests an endpoint has received so far, including those
// that failed. CORS preflight requests are not counted.
func (p *Pool) Requests(e Endpoint) int {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	return p.faults.counts[e]
}

// endpoints returns the endpoints that a request belongs to, the most specific first.
func (f *faults) endpoints(r *http.Request) []Endpoint {
	path := Endpoint(strings.TrimPrefix(r.URL.Path, "/"+f.poolID))
	if path == TokenEndpoint {
		if grant := grantType(r); grant != "" {
			return []Endpoint{path + Endpoint(" "+grant), path, Everything}
		}
	}
	return []Endpoint{path, Everything}
}

// grantType reads the form and restores the body.
func grantType(r *http.Request) string {
	const most = 1 << 20
	body, err := io.ReadAll(io.LimitReader(r.Body, most))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	if err != nil {
		return ""
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return ""
	}
	return form.Get("grant_type")
}

// take counts a request and returns its fault.
func (f *faults) take(r *http.Request) (Fault, bool) {
	endpoints := f.endpoints(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range endpoints {
		f.counts[e]++
	}
	for _, e := range endpoints {
		queue := f.broken[e]
		if len(queue) == 0 {
			continue
		}
		fault := queue[0]
		switch queue[0].Times {
		case 0:
		case 1:
			f.broken[e] = queue[1:]
		default:
			queue[0].Times--
		}
		return fault, true
	}
	return Fault{}, false
}

func (f *faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions { // a CORS preflight
		f.next.ServeHTTP(w, r)
		return
	}
	fault, ok := f.take(r)
	if !ok {
		f.next.ServeHTTP(w, r)
		return
	}
	f.wait(r, fault)
	switch {
	case fault.DropAnswer:
		f.next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler) // it closes the connection
	case fault.Drop:
		panic(http.ErrAbortHandler)
	case fault.Status != 0:
		fault.answer(w)
	default:
		f.next.ServeHTTP(w, r)
	}
}

// wait ends early when the client cancels the request, or the test ends.
func (f *faults) wait(r *http.Request, fault Fault) {
	timer := time.NewTimer(fault.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.done:
	case <-r.Context().Done():
	}
	if fault.Hold == nil {
		return
	}
	select {
	case <-fault.Hold:
	case <-f.done:
	case <-r.Context().Done():
	}
}

func (f Fault) answer(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*") // like the pool's own errors
	w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
	}
	if f.Error == "" {
		w.WriteHeader(f.Status)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(f.Status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": f.Error}) // only the connection can fail
}
