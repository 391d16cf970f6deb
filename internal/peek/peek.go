// Package peek looks at what a client sends first on a connection, so that one who
// speaks the wrong protocol can be told so. It knows nothing of any protocol.
package peek

import "net"

// Listener returns a listener whose connections pass the first bytes that a client
// sends, one at least, to look before anybody reads them. An error of look is what the
// read returns. Accept waits for nobody: look is called by the first Read, in the
// goroutine that serves the connection, and may read and write on conn, the connection
// below.
func Listener(inner net.Listener, look func(conn net.Conn, first []byte) error) net.Listener {
	return &listener{inner, look}
}

type listener struct {
	net.Listener
	look func(net.Conn, []byte) error
}

// Accept waits for a connection, and for nothing that a client sends on it.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, look: l.look}, nil
}

// A conn is read by one goroutine at a time.
type conn struct {
	net.Conn
	look func(net.Conn, []byte) error // nil after the first bytes
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 || c.look == nil {
		return n, err
	}
	look := c.look
	c.look = nil
	refused := look(c.Conn, p[:n])
	if refused != nil {
		return 0, refused
	}
	return n, err
}

// CloseWrite ends what is written, if the connection below can. [net/http.Server] asks
// for it, so that a client gets the answer to a request that was not read to its end.
func (c *conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	return half.CloseWrite()
}
