package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/internal/peek"
)

// shutdownPatience is how long requests under way may take after Ctrl-C.
const shutdownPatience = 3 * time.Second

// NoticeTLS returns the listeners, which serve plain HTTP, and calls notice once, when
// the first client speaks TLS: a browser shows nothing but an error then. A TLS client
// starts with a record of type handshake, 22 (RFC 8446 section 5.1), and no HTTP client
// does.
func (l Listeners) NoticeTLS(notice func()) Listeners {
	var once sync.Once
	plain := make(Listeners, len(l))
	for i, one := range l {
		plain[i] = peek.Listener(one, func(_ net.Conn, first []byte) error {
			if first[0] == 22 {
				once.Do(notice)
			}
			return nil
		})
	}
	return plain
}

// A Service is a handler and what it is served on.
type Service struct {
	Listeners Listeners
	Handler   http.Handler
}

// Serve serves all services until ctx ends, which is no error, or until one fails. It
// closes all listeners, and returns when no request is under way any more.
func Serve(ctx context.Context, log *slog.Logger, services ...Service) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var servers []*http.Server
	ended := make(chan struct{})
	serving := 0
	for _, s := range services {
		srv := newServer(s.Handler, log)
		servers = append(servers, srv)
		for _, l := range s.Listeners {
			serving++
			go func() {
				err := srv.Serve(l)
				if !errors.Is(err, http.ErrServerClosed) {
					cancel(fmt.Errorf("serving on %s: %w", l.Addr(), err))
				}
				ended <- struct{}{}
			}()
		}
	}
	<-ctx.Done()
	shutdown(ctx, servers)
	for range serving {
		<-ended
	}
	cause := context.Cause(ctx)
	if !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// newServer returns a server with short timeouts: a client that sends or reads slowly
// occupies a connection and memory.
func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		// A browser that does not trust the certificate is not worth a warning.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// shutdown gives requests under way some time to finish.
func shutdown(ctx context.Context, servers []*http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
	defer cancel()
	for _, srv := range servers {
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close() // nothing is left to save
		}
	}
}
