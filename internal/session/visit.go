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

// A Visit is a request of a live session: the session and its tokens as they are by now, and
// the answer, as long as cookies can be set in it. It is safe for concurrent use.
type Visit struct {
	sessions *Sessions
	w        http.ResponseWriter
	r        *http.Request
	// answer is around w if something needs to know whether its header has been sent. It
	// lies here to need no allocation of its own.
	answer trackedWriter

	// mu is for what follows and for cookies that are set while a handler runs. It is never
	// held while somebody is asked.
	mu      sync.Mutex
	session *Session
	tokens  *Tokens // nil until somebody asked
}

// Begin makes v the visit of a live session, and returns what to write the answer to. End has
// to be called in the end.
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

// End is called when the handler is done: whoever keeps the visit comes too late to set
// cookies.
func (v *Visit) End() {
	if v.answer.ResponseWriter != nil {
		v.answer.begin()
	}
}

// JustBegun reports whether the sign-in was moments ago; see [Sessions.JustBegun].
func (v *Visit) JustBegun() bool {
	s, _ := v.held()
	return v.sessions.JustBegun(s)
}

// held returns the session and its tokens as they are known without asking anybody.
func (v *Visit) held() (*Session, *Tokens) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tokens == nil {
		v.tokens = v.sessions.tokens(v.r, v.session)
	}
	return v.session, v.tokens
}

// hold keeps what came of a refresh.
func (v *Visit) hold(s *Session, t *Tokens) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.session, v.tokens = s, t
}

// writable reports whether cookies can still be set: the error says that they can't.
func (v *Visit) writable() error {
	if v.answer.ResponseWriter == nil || v.answer.started.Load() {
		return refusal.New(refusal.ResponseStarted, "new tokens need a cookie, and the answer's header has been sent: "+
			"call AccessToken before writing the answer, or use a Session.Store")
	}
	return nil
}

// setCookies calls set while cookies can be set, and not at all if they can't.
func (v *Visit) setCookies(set func(http.ResponseWriter, *http.Request) error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.writable() != nil {
		return nil
	}
	return set(v.w, v.r)
}

// A trackedWriter is a ResponseWriter that knows whether its header has been sent, and takes
// the cookies of a session out of it that has ended meanwhile.
type trackedWriter struct {
	http.ResponseWriter

	started  atomic.Bool
	sessions *Sessions
	id       string    // of the session
	at       time.Time // when the request came, which saves a look at the clock
}

// begin is called before the header is sent.
func (a *trackedWriter) begin() {
	if !a.started.Swap(true) {
		a.takeBack()
	}
}

// takeBack takes the session's cookies out of the header if the session has ended.
func (a *trackedWriter) takeBack() {
	if a.sessions.ended.Has(a.id, a.at) {
		cookie.TakeBack(a.Header(), a.sessions.config.Cookie.Name, a.sessions.config.tokensName())
	}
}

// WriteHeader sends the header. Informational ones (RFC 9110, 15.2) come before it, and with
// all that is in it so far.
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

// ReadFrom keeps sendfile working.
func (a *trackedWriter) ReadFrom(r io.Reader) (int64, error) {
	a.begin()
	return io.Copy(a.ResponseWriter, r)
}

// Flush keeps working what asks for an http.Flusher and not for a ResponseController.
func (a *trackedWriter) Flush() {
	_ = a.FlushError() // it can or it can't
}

// FlushError is Flush for a ResponseController, which wants to know.
func (a *trackedWriter) FlushError() error {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Hijack does the same for an http.Hijacker.
func (a *trackedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Hijack()
}

// Unwrap is for ResponseControllers.
func (a *trackedWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }
