// Package loopback knows which hosts are this machine alone, and reaches them.
package loopback

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Host tells whether a host, an IP address or a name without a port, means this
// machine alone. It returns the host as browsers write it and its IP addresses, IPv4
// first: the names localhost and those under it have two (RFC 6761 section 6.3). They are
// written out, because not every resolver knows the names under localhost.
func Host(host string) (name string, addrs []string, ok bool) {
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

// Dial connects as a net.Dialer does, but asks no resolver for what [Host] knows.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second} // as http.DefaultTransport
	host, port, err := net.SplitHostPort(address)
	_, addrs, ok := Host(host)
	if err != nil || !ok {
		return dialer.DialContext(ctx, network, address)
	}
	var first error
	for _, addr := range addrs {
		conn, err := dialer.DialContext(ctx, network, net.JoinHostPort(addr, port))
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// Transport returns a new transport like [http.DefaultTransport] that connects with
// [Dial] and asks no proxy for this machine.
func Transport() *http.Transport {
	return &http.Transport{
		Proxy: proxy, DialContext: Dial, ForceAttemptHTTP2: true, MaxIdleConns: 100,
		IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second, ExpectContinueTimeout: time.Second,
	}
}

func proxy(r *http.Request) (*url.URL, error) {
	if _, _, ok := Host(r.URL.Hostname()); ok {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}
