// Package freeport finds ports for servers of tests and benchmarks that can't choose their
// own, since they are told where to listen when they start.
package freeport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are chosen from first to last: below those that systems give to connections and to
// listeners on port 0 (from 32768 on Linux, from 49152 elsewhere). One of those would soon be
// somebody else's on a busy machine, between the moment it is found and the server's start.
const (
	first = 20_000
	last  = 32_000
)

// Find returns a port of 127.0.0.1 on which nothing listens. Two calls may return the same
// one, though seldom; a server that finds it taken can be started again on another.
func Find(ctx context.Context) (int, error) {
	for range 1_000 {
		port := first + rand.IntN(last-first) //nolint:gosec // no secret
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", Addr(port))
		if err == nil {
			return port, l.Close()
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return 0, fmt.Errorf("freeport: tried 1,000 ports of 127.0.0.1 from %d to %d, and none was free", first, last)
}

// Addr is the port's address on loopback.
func Addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
