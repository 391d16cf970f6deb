package freeport_test

import (
	"net"
	"testing"

	"github.com/cognate-auth/cognate/internal/freeport"
)

// TestFind listens on what it finds, where no system puts a connection.
func TestFind(t *testing.T) {
	for range 20 {
		port, err := freeport.Find(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if port < 1024 || port >= 32_768 {
			t.Errorf("port %d may be given to a connection", port)
		}
		l, err := net.Listen("tcp", freeport.Addr(port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
	}
}
