package session

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// A Visit is a request in a live session: the current session and its tokens, and the answer,
// as long as cookies can be set in it. It is safe for concurrent use.
type Visit struct {
	sessions *Sessions
	w        http.ResponseWriter
	r        *http.Request
	// answer wraps w if it has to be known whether the header has been sent. It is a field so
	// that it needs no allocation of its own.
	answer trackedWriter

	// mu guards the fields below, and cookies that are set while a handler runs. It is never
	// held during a request to the provider or the store.
	mu      sync.Mutex
	session *Session
	tokens  *Tokens // nil until they are needed
}

// Begin makes v the visit of a live session, and returns the ResponseWriter for the answer.
// End must be called when the handler is done.
func (v *Visit) Begin(
	m *Sessions, w http.ResponseWriter, r *http.Request, s *Session, now time.Time,
) http.ResponseWriter {
	v.sessions, v.w, v.r, v.session = m, w, r, s
	if !m.setsCookies {
		return w
	}
	v.answer = trackedWriter{ResponseWriter: w, sessions: m, id: s.ID, at: now}
	return &v.answer
}

// End must be called when the handler is done. From then on the visit sets no cookies.
func (v *Visit) End() {
	if v.answer.ResponseWriter != nil {
		v.answer.begin()
	}
}

// JustBegun reports whether the sign-in was moments ago; see [Sessions.JustBegun].
func (v *Visit) JustBegun() bool {
	s, _ := v.current()
	return v.sessions.JustBegun(s)
}

// current returns the session and its tokens as far as they are known without a request to
// the store or the provider.
func (v *Visit) current() (*Session, *Tokens) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tokens == nil {
		v.tokens = v.sessions.tokens(v.r, v.session)
	}
	return v.session, v.tokens
}

// replace sets the session and tokens after a refresh.
func (v *Visit) replace(s *Session, t *Tokens) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.session, v.tokens = s, t
}

// writable returns an error if cookies can no longer be set.
func (v *Visit) writable() error {
	if v.answer.ResponseWriter == nil || v.answer.started.Load() {
		return refusal.New(refusal.ResponseStarted, "new tokens need a cookie, and the answer's header has been sent: "+
			"call AccessToken before writing the answer, or use a Session.Store")
	}
	return nil
}

// setCookies calls set if cookies can still be set, and does nothing otherwise.
func (v *Visit) setCookies(set func(http.ResponseWriter, *http.Request) error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.writable() != nil {
		return nil
	}
	return set(v.w, v.r)
}

// A trackedWriter is a ResponseWriter that records whether its header has been sent. If the
// session has ended by then, it removes the session's cookies from the header.
type trackedWriter struct {
	http.ResponseWriter

	started  atomic.Bool
	sessions *Sessions
	id       string    // of the session
	at       time.Time // when the request arrived, to save reading the clock
}

// begin is called before the header is sent.
func (a *trackedWriter) begin() {
	if !a.started.Swap(true) {
		a.takeBack()
	}
}

// takeBack removes the session's cookies from the header if the session has ended.
func (a *trackedWriter) takeBack() {
	if a.sessions.ended.Has(a.id, a.at) {
		cookie.TakeBack(a.Header(), a.sessions.config.Cookie.Name, a.sessions.config.tokensName())
	}
}

// WriteHeader sends the header. Informational responses (RFC 9110, 15.2) precede the final
// one, and include all header fields that are set so far.
func (a *trackedWriter) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		a.begin()
	} else {
		a.takeBack()
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *trackedWriter) Write(p []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom, so that sendfile can be used.
func (a *trackedWriter) ReadFrom(r io.Reader) (int64, error) {
	a.begin()
	return io.Copy(a.ResponseWriter, r)
}

// Flush implements http.Flusher, for callers that do not use a ResponseController.
func (a *trackedWriter) Flush() {
	_ = a.FlushError() // Flush has no way to report an error
}

// FlushError flushes for a ResponseController, and reports errors.
func (a *trackedWriter) FlushError() error {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker.
func (a *trackedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Hijack()
}

// Unwrap returns the original writer, for ResponseControllers.
func (a *trackedWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }
