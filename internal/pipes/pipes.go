// Package pipes serves tests without a network: virtual time (testing/synctest) does not wait for
// one. It imports nothing else of this module.
package pipes

import "net"

// A Listener has connections in memory. It is safe for concurrent use.
type Listener struct {
	dialed chan net.Conn
	closed chan struct{}
}

// Listen returns a listener that the test, or its server, closes once.
func Listen() *Listener { return &Listener{make(chan net.Conn), make(chan struct{})} }

// Dial returns the client's end of a connection, once the listener has accepted it. The caller
// closes it.
func (l *Listener) Dial() net.Conn {
	client, served := net.Pipe()
	l.dialed <- served
	return client
}

// Accept returns the served end of the next connection, or [net.ErrClosed].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.dialed:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (l *Listener) Close() error { close(l.closed); return nil }

// Addr is nobody's address.
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }
