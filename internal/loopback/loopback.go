// Package loopback knows which hosts are this machine alone, and reaches them. The names
// below localhost are among them (RFC 6761 section 6.3), and browsers take them so; the
// resolvers of many systems don't know them, and a proxy would look for them on its own
// machine. Whatever of ours makes requests goes through here, so that a pool named
// shop.localhost is reached as its pages are. It knows nothing else of this module.
package loopback

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Host reports whether a host, an IP address or a name without a port, means this
// machine alone. It returns the host as browsers write it and its IP addresses, IPv4
// first: the names localhost and those below it have two.
func Host(host string) (name string, addrs []string, ok bool) {
	ip, err := netip.ParseAddr(host)
	if err == nil {
		ip = ip.Unmap()
		return ip.String(), []string{ip.String()}, ip.IsLoopback()
	}
	name = strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return name, []string{"127.0.0.1", "::1"}, true
	}
	return host, nil, false
}

// Below reports whether a host is a name below localhost, which no resolver need know.
func Below(host string) bool {
	name, _, ok := Host(host)
	return ok && strings.HasSuffix(name, ".localhost")
}

// Dial connects as a net.Dialer does, but asks no resolver for what [Host] knows.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second} // as http.DefaultTransport
	return dialBy(dialer.DialContext)(ctx, network, address)
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func dialBy(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		_, addrs, ok := Host(host)
		if err != nil || !ok {
			return dial(ctx, network, address)
		}
		var first error
		for _, addr := range addrs {
			conn, err := dial(ctx, network, net.JoinHostPort(addr, port))
			if err == nil {
				return conn, nil
			}
			if first == nil {
				first = err
			}
		}
		return nil, first
	}
}

// Transport is a copy of t that connects to what [Host] knows without a resolver, and
// never by a proxy.
func Transport(t *http.Transport) *http.Transport {
	t = t.Clone()
	proxy, dial := t.Proxy, t.DialContext
	if dial == nil {
		dial = Dial
	}
	t.DialContext = dialBy(dial)
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if _, _, ok := Host(r.URL.Hostname()); ok || proxy == nil {
			return nil, nil //nolint:nilnil // it means that there is no proxy
		}
		return proxy(r)
	}
	return t
}

// Default is [Transport] of [http.DefaultTransport], or of a plain one where the program has
// put another kind in its place.
func Default() *http.Transport {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		t = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		}
	}
	return Transport(t)
}

// A RoundTripper makes requests as [http.DefaultTransport] does, but reaches names below
// localhost as [Transport] does. The zero value is ready to use.
type RoundTripper struct{}

// RoundTrip makes one request.
func (RoundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if Below(req.URL.Hostname()) {
		return ownTransport().RoundTrip(req)
	}
	return http.DefaultTransport.RoundTrip(req)
}

// ownTransport is made of http.DefaultTransport as it is at the first use. One of another
// type, which the app has put in its place, is used as it is.
var ownTransport = sync.OnceValue(func() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	return Transport(t)
})
