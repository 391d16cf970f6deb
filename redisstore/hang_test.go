//go:build unix

package redisstore_test

import (
	"testing"
	"time"

	"github.com/cognate-auth/cognate/redisstore"
	"github.com/cognate-auth/cognate/redisstore/redistest"
)

// TestHang has a server that accepts connections and does not answer.
func TestHang(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := redisstore.Config{Addresses: []string{server.Addr}, Timeout: 200 * time.Millisecond, DisableCache: true}
	s := open(t, config)
	config.Timeout = patient
	r := record("ann", "x")
	must(t, open(t, config).Create(t.Context(), r))
	server.Hang()
	down(t, s, r)
	server.Continue()
	up(t, s, r)
}
