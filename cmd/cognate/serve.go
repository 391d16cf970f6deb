package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"syscall"
	"time"
)

// shutdownPatience is how long requests under way may take after Ctrl-C.
const shutdownPatience = 3 * time.Second

// A service is a handler and the listener it is served on.
type service struct {
	listener net.Listener
	handler  http.Handler
}

// serve serves all services until ctx ends, which is no error, or until one fails.
func serve(ctx context.Context, log *slog.Logger, services ...service) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	servers := make([]*http.Server, len(services))
	ended := make(chan struct{}, len(services))
	for i, s := range services {
		srv := &http.Server{
			Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
			WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
			// A visitor whose browser does not trust the certificate is no news.
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		}
		servers[i] = srv
		go func() {
			err := srv.Serve(s.listener)
			if !errors.Is(err, http.ErrServerClosed) {
				cancel(fmt.Errorf("serving on %s: %w", s.listener.Addr(), err))
			}
			ended <- struct{}{}
		}()
	}
	<-ctx.Done()
	shutdown(ctx, servers)
	for range services {
		<-ended
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// shutdown lets requests under way end, for a while.
func shutdown(ctx context.Context, servers []*http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
	defer cancel()
	for _, srv := range servers {
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close() // nothing is left to save
		}
	}
}

// listenLocal listens on an address of this machine. The pool's passwords are printed
// for everyone to read, so no other machine may reach it.
func listenLocal(ctx context.Context, flag, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%s %s is not an address; expected a host and a port, as in 127.0.0.1:9229", flag, addr)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "localhost":
		host = "127.0.0.1"
	case err != nil || !ip.Unmap().IsLoopback():
		return nil, fmt.Errorf("%s %s is not on this machine alone; use 127.0.0.1:%s, because everybody knows the pool's passwords", flag, addr, port)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	return l, listenError(flag, addr, err)
}

// listenError explains why an address could not be had, and what to do.
func listenError(flag, addr string, err error) error {
	_, port, _ := net.SplitHostPort(addr)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.Errno(10048)): // Windows: WSAEADDRINUSE
		hint := ""
		if runtime.GOOS == "darwin" && port == "5000" {
			hint = " (on macOS it is AirPlay Receiver that listens on port 5000)"
		}
		return fmt.Errorf("%s is taken by another program%s; stop that one, or choose another port with %s %s",
			addr, hint, flag, otherPort(addr))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("listening on %s is not allowed here; choose a port above 1023 with %s %s", addr, flag, otherPort(addr))
	}
	return fmt.Errorf("%s: %w", flag, err)
}

// otherPort is an example of another address on the same host.
func otherPort(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "127.0.0.1:5443"
	}
	other := map[string]string{"5000": "5001", "9229": "9230", "443": "5443", "80": "9229"}[port]
	if other == "" {
		other = "0" // any free one
	}
	return net.JoinHostPort(host, other)
}

// localURL is how a browser reaches plain http at an address of this machine. It says
// localhost where it can: that is the one host which Cognito takes without TLS.
func localURL(addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if host == "127.0.0.1" {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
