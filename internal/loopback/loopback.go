// Package loopback recognises hosts that mean this machine, and connects to them. Names below
// localhost are among them (RFC 6761, 6.3), and browsers treat them so; but the resolvers of
// many systems don't know such names, and a proxy would connect to its own machine. All
// requests of this module go through this package, so that programs reach a pool named
// shop.localhost as browsers do. It imports nothing else of this module.
package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Host reports whether a host, an IP address or a name without a port, means this machine.
// It returns the host as browsers write it, and its IP addresses. localhost and the names
// below it have two, IPv4 first.
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

// Below reports whether a host is a name below localhost, which resolvers may not know.
func Below(host string) bool {
	name, _, ok := Host(host)
	return ok && strings.HasSuffix(name, ".localhost")
}

// Dial is like [net.Dialer.DialContext], but uses no resolver for hosts that [Host] knows.
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

// Transport returns a copy of t that connects to hosts that [Host] knows without a resolver
// and without a proxy.
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

// Default returns [Transport] of [http.DefaultTransport], or of a new [http.Transport] if the
// program has set DefaultTransport to another type.
func Default() *http.Transport {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		t = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		}
	}
	return Transport(t)
}

// A RoundTripper makes requests with [http.DefaultTransport], but those for hosts of this
// machine that it would hand to a resolver or a proxy with [Transport] of it: names below
// localhost, and other spellings of localhost. The zero value is ready to use.
type RoundTripper struct {
	// AskResolver asks the system's resolver for names below localhost, and connects to
	// this machine only if it knows none: in a network of containers such a name may be
	// another container's. Whoever answers for the resolver then chooses where these
	// requests go to, so it is for those who allow plain http to other machines.
	AskResolver bool
}

// RoundTrip makes one request.
func (t RoundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	host := req.URL.Hostname()
	below := Below(host)
	switch {
	case ordinary(host):
		return http.DefaultTransport.RoundTrip(req)
	case below && t.AskResolver:
		return resolvingTransport().RoundTrip(req)
	}
	resp, err := ownTransport().RoundTrip(req)
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" && below {
		err = fmt.Errorf("%w (names below localhost mean this machine; if %s is another one, such as a container, "+
			"set InsecureHTTP)", err, req.URL.Hostname())
	}
	return resp, err
}

// ordinary reports whether [http.DefaultTransport] knows as well as [Host] where a host is. It
// keeps the environment's proxy from localhost, to the letter, and from what [net.ParseIP]
// reads as a loopback address; localhost with a dot or a capital, and an address with a zone,
// would go there, although plain http was allowed because it stays on this machine.
func ordinary(host string) bool {
	_, _, ok := Host(host)
	return !ok || host == "localhost" || net.ParseIP(host).IsLoopback()
}

// ownTransport is Transport of http.DefaultTransport as it is at the first use. If the app has
// set DefaultTransport to another type, that is used unchanged.
var ownTransport = sync.OnceValue(func() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	return Transport(t)
})

// resolvingTransport is like ownTransport, but asks the resolver first.
var resolvingTransport = sync.OnceValue(func() http.RoundTripper {
	t, ok := ownTransport().(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	elsewhere := Dial
	if base, ok := http.DefaultTransport.(*http.Transport); ok && base.DialContext != nil {
		elsewhere = base.DialContext
	}
	t.DialContext = resolving(net.DefaultResolver.LookupHost, elsewhere, t.DialContext)
	return t
})

// resolverPatience is how long the resolver may take for a name below localhost. One that
// knows such names is on this machine or beside it.
const resolverPatience = 2 * time.Second

// resolving returns a function that connects by elsewhere to names below localhost that
// lookup knows, and by here to all other hosts.
func resolving(lookup func(context.Context, string) ([]string, error), elsewhere, here dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil || !Below(host) {
			return here(ctx, network, address)
		}
		// The dot at the end keeps the resolver from trying the name below a search domain.
		host = strings.TrimSuffix(host, ".") + "."
		limited, cancel := context.WithTimeout(ctx, resolverPatience)
		defer cancel()
		addrs, err := lookup(limited, host)
		if err != nil || len(addrs) == 0 {
			conn, err := here(ctx, network, address)
			if err != nil {
				err = fmt.Errorf("%w, and the resolver does not know %s", err, strings.TrimSuffix(host, "."))
			}
			return conn, err
		}
		return elsewhere(ctx, network, net.JoinHostPort(host, port))
	}
}
