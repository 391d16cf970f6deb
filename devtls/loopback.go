package devtls

import "github.com/cognate-auth/cognate/internal/loopback"

// Loopback reports whether a host, which is an IP address or a name without a port,
// means only this machine. It returns the host as browsers write it, and its IP
// addresses, IPv4 first: localhost and the names under it have two (RFC 6761 section
// 6.3). The addresses are constants, because not every resolver knows the names under
// localhost.
func Loopback(host string) (name string, addrs []string, ok bool) { return loopback.Host(host) }
