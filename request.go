package cognate

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate/internal/cookie"
)

// requestContext carries who is signed in, and what it takes to refresh that session's
// tokens. It is a type of its own, not context.WithValue, because it stands on the path of
// every request: one allocation instead of two.
type requestContext struct {
	context.Context
	auth *Auth
	user *User
	r    *http.Request
	w    http.ResponseWriter
	// answer is around w if something needs to know whether its header has been sent. It
	// lies here to need no allocation of its own.
	answer answer

	// mu is for what follows and for cookies that are set while next runs. It is never
	// held while somebody is asked.
	mu      sync.Mutex
	session *session  // nil for a bearer token
	tokens  *tokenSet // nil until somebody asked
}

type (
	userKey    struct{}
	requestKey struct{}
)

// Value returns the user, or what the request's own context holds.
func (c *requestContext) Value(key any) any {
	switch key.(type) {
	case userKey:
		return c.user
	case requestKey:
		return c
	}
	return c.Context.Value(key)
}

// UserFrom returns who is signed in, or nil. Behind [Auth.RequireLogin] it is never
// nil. On a public page use [Auth.User].
func UserFrom(ctx context.Context) *User {
	u, _ := ctx.Value(userKey{}).(*User)
	return u
}

// held returns the session, if there is one, and its tokens as they are known without asking
// anybody.
func (c *requestContext) held() (*session, *tokenSet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil && c.tokens == nil {
		c.tokens = c.auth.sessions.tokens(c.r, c.session)
	}
	return c.session, c.tokens
}

// hold keeps what came of a refresh.
func (c *requestContext) hold(s *session, t *tokenSet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session, c.tokens = s, t
}

// writable reports whether cookies can still be set.
func (c *requestContext) writable() error {
	if c.answer.ResponseWriter == nil || c.answer.started.Load() {
		return refuse(ReasonResponseStarted, "new tokens need a cookie, and the answer's header has been sent: "+
			"call AccessToken before writing the answer, or use a Session.Store")
	}
	return nil
}

// An answer is a ResponseWriter that knows whether its header has been sent, and takes the
// cookies of a session out of it that has ended meanwhile.
type answer struct {
	http.ResponseWriter
	started  atomic.Bool
	sessions *sessions
	id       string    // of the session
	at       time.Time // when the request came, which saves a look at the clock
}

// begin is called before the header is sent.
func (a *answer) begin() {
	if !a.started.Swap(true) {
		a.takeBack()
	}
}

// takeBack takes the session's cookies out of the header if the session has ended.
func (a *answer) takeBack() {
	if a.sessions.ended.Has(a.id, a.at) {
		cookie.TakeBack(a.Header(), a.sessions.cookie.Name, tokensName(a.sessions.cookie))
	}
}

// WriteHeader sends the header. Informational ones (RFC 9110, 15.2) come before it, and with
// all that is in it so far.
func (a *answer) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		a.begin()
	} else {
		a.takeBack()
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(p)
}

// ReadFrom keeps sendfile working.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	a.begin()
	return io.Copy(a.ResponseWriter, r)
}

// Flush keeps working what asks for an http.Flusher and not for a ResponseController.
func (a *answer) Flush() {
	_ = a.FlushError() // it can or it can't
}

// FlushError is Flush for a ResponseController, which wants to know.
func (a *answer) FlushError() error {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Hijack does the same for an http.Hijacker.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Hijack()
}

// Unwrap is for ResponseControllers.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
