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

// Endpoint names an endpoint of the pool: a path, without the pool's id.
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

	// CodeGrant and RefreshGrant are the token endpoint's two uses: the end of a
	// sign-in, and the refresh of its tokens.
	CodeGrant    Endpoint = "/oauth2/token authorization_code"
	RefreshGrant Endpoint = "/oauth2/token refresh_token"

	// Everything is all of the above.
	Everything Endpoint = ""
)

// Fault is what a request meets in the pool's place. Fields that are not empty come
// one after the other: the request waits, then the connection is closed or the error
// answered; if it only waited, the pool answers.
type Fault struct {
	// Times is how many requests meet the fault. Zero: all, until [Pool.Repair].
	Times int

	// Delay is how long a request waits, in real time.
	Delay time.Duration
	// Hold makes requests wait until it is closed: to have several under way at the
	// same time without counting seconds.
	Hold <-chan struct{}

	// Drop closes the connection without an answer, as a provider that is down does.
	// (http.Transport asks once more if it was a GET on a connection used before.)
	Drop bool
	// DropAnswer lets the pool do its part and closes the connection then: a code is
	// spent, a refresh token rotated, and the app doesn't know.
	DropAnswer bool

	// Status is answered with Error as the OAuth error code (RFC 6749, section 5.2),
	// such as 400 and invalid_grant; if Error is empty, with an empty body.
	Status int
	Error  string
	// RetryAfter goes into the header of that name, in whole seconds.
	RetryAfter time.Duration
}

// faults stands in front of the pool's handler and does what the test says.
type faults struct {
	poolID string
	next   http.Handler
	done   <-chan struct{} // the test is over

	mu     sync.Mutex
	broken map[Endpoint][]Fault // each with one use at least, the next one first
	counts map[Endpoint]int
}

// Break makes an endpoint of the pool fail. Faults of one endpoint come one after
// another; a fault of [CodeGrant] or [RefreshGrant] comes before one of
// [TokenEndpoint], and one of [Everything] last. A Fault that is no fault ends the
// test.
func (p *Pool) Break(e Endpoint, f Fault) {
	p.tb.Helper()
	idle := f.Delay <= 0 && f.Hold == nil && !f.Drop && !f.DropAnswer && f.Status == 0
	if idle || f.Times < 0 || f.Status != 0 && (f.Status < 400 || f.Status > 599) {
		p.tb.Fatalf("cognatetest: %+v is no fault: set Delay, Hold, Drop, DropAnswer or an error Status", f)
	}
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.broken[e] = append(p.faults.broken[e], f)
}

// Repair ends all faults, and all changes of tokens. Requests that wait go on waiting.
func (p *Pool) Repair() {
	p.faults.mu.Lock()
	clear(p.faults.broken)
	p.faults.mu.Unlock()
	p.changes.set(nil, nil)
}

// Requests returns how many requests an endpoint has had so far, those that met a
// fault among them. What a browser asks before a script's request does not count.
func (p *Pool) Requests(e Endpoint) int {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	return p.faults.counts[e]
}

// endpoints returns the endpoints that a request belongs to, the narrowest first.
func (f *faults) endpoints(r *http.Request) []Endpoint {
	path := Endpoint(strings.TrimPrefix(r.URL.Path, "/"+f.poolID))
	if path == TokenEndpoint {
		if grant := grantType(r); grant != "" {
			return []Endpoint{path + Endpoint(" "+grant), path, Everything}
		}
	}
	return []Endpoint{path, Everything}
}

// grantType reads the form and puts the body back.
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

// take counts a request and returns the fault it meets.
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
	if r.Method == http.MethodOptions { // a browser asks whether a script may ask
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
		panic(http.ErrAbortHandler) // which closes the connection
	case fault.Drop:
		panic(http.ErrAbortHandler)
	case fault.Status != 0:
		fault.answer(w)
	default:
		f.next.ServeHTTP(w, r)
	}
}

// wait ends early when the client gives up, or the test.
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
	w.Header().Set("Access-Control-Allow-Origin", "*") // as the pool's own refusals
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
