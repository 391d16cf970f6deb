package devtls

import "github.com/cognate-auth/cognate/internal/loopback"

// Loopback reports whether a host, an IP address or a name without a port, means this
// machine alone. It returns the host as browsers write it and its IP addresses, IPv4
// first: the names localhost and those under it have two (RFC 6761 section 6.3). They are
// written out, because not every resolver knows the names under localhost.
func Loopback(host string) (name string, addrs []string, ok bool) { return loopback.Host(host) }
