package devtls

import (
	"net/netip"
	"strings"
)

// Loopback tells whether a host, an IP address or a name without a port, means this
// machine alone. It returns the host as browsers write it and its IP addresses, IPv4
// first: the names localhost and those under it have two (RFC 6761 section 6.3). They are
// written out, because not every resolver knows the names under localhost.
func Loopback(host string) (name string, addrs []string, ok bool) {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.String(), []string{ip.String()}, ip.IsLoopback()
	}
	name = strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return name, []string{"127.0.0.1", "::1"}, true
	}
	return host, nil, false
}
