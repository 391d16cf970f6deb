package devtls

import (
	"fmt"
	"net/netip"
	"strings"
)

// loopback returns the host to bind for a host that must mean this machine alone.
func loopback(host string) (string, error) {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() {
		return host, nil
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		// RFC 6761 section 6.3: these names are loopback by definition. The address is
		// written out, because not every resolver knows the names under localhost.
		return "127.0.0.1", nil
	}
	return "", fmt.Errorf("a development certificate is for this machine alone and %q is not a loopback "+
		"address: use 127.0.0.1, [::1] or localhost", host)
}
