// Package freeport finds ports for servers in tests and benchmarks that can't choose a port
// themselves, because they get it when they start. It imports nothing else of this module.
package freeport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are chosen from first to last: below the range that systems use for outgoing
// connections and for listeners on port 0 (from 32768 on Linux, from 49152 elsewhere). On a
// busy machine, another program could soon get a port in that range, before the server starts.
const (
	first = 20_000
	last  = 32_000
)

// Find returns a port of 127.0.0.1 on which nothing listens. In rare cases two calls return
// the same port; a server that finds its port in use can be started again with another.
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

// Addr returns the address of a port of 127.0.0.1.
func Addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
