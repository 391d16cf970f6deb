// Package listen serves a program of this repository on this machine: it reads the address that
// a person gives, listens on all its IP addresses, explains why it can't, and stops when it is
// told to. The demo and the pool's program use it. It knows neither of them.
package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/cognate-auth/cognate/devtls"
	"github.com/cognate-auth/cognate/internal/loopback"
	"github.com/cognate-auth/cognate/internal/terminal"
)

// An Address is where a service listens: a host and a port of this machine.
type Address struct {
	Flag string // the flag that the address came from, for messages
	Host string // as browsers write it
	Port string // in decimal; "0" is any free one, until [Address.Listen] has replaced it
	// Bind lists the IP addresses of Host. localhost has two, and a browser may use
	// either: another program that listens on the second one would receive the
	// visitors.
	Bind []string
	// Open says that other machines can connect to it.
	Open bool
}

// Parse reads an address that a flag gives. Only addresses of this machine are accepted: the
// pool's passwords are printed on the terminal, and the app's certificate protects
// nothing.
func Parse(flag, text string) (Address, error) {
	a, err := split(flag, text)
	if err != nil {
		return a, err
	}
	var ok bool
	a.Host, a.Bind, ok = loopback.Host(a.Host)
	if !ok {
		return a, fmt.Errorf("%s %s is not an address of this machine; use 127.0.0.1:%s: "+
			"other machines must not reach this program, because its passwords are not secret",
			flag, terminal.Quoted(text), a.Port)
	}
	return a, nil
}

// ParseOpen is like [Parse], but also accepts an IP address that other machines can connect to;
// 0.0.0.0 and [::] stand for all addresses of this machine, where browsers open localhost. The
// address has to be written: ":9229" could be meant for this machine alone.
func ParseOpen(flag, text string) (Address, error) {
	a, err := split(flag, text)
	if err != nil {
		return a, err
	}
	if name, bind, ok := loopback.Host(a.Host); ok {
		a.Host, a.Bind = name, bind
		return a, nil
	}
	ip, err := netip.ParseAddr(a.Host)
	if err != nil || ip.Zone() != "" {
		return a, fmt.Errorf("%s %s is neither localhost nor an IP address; use 127.0.0.1:%s or, "+
			"for other machines or in a container, 0.0.0.0:%s", flag, terminal.Quoted(text), a.Port, a.Port)
	}
	a.Open = true
	a.Host, a.Bind = ip.Unmap().String(), []string{ip.Unmap().String()}
	if ip.IsUnspecified() {
		a.Host = "localhost"
	}
	return a, nil
}

// split reads a host and a port.
func split(flag, text string) (a Address, err error) {
	a.Flag = flag
	a.Host, a.Port, err = net.SplitHostPort(text)
	if err != nil {
		return a, fmt.Errorf("%s %s is not an address; expected a host and a port, such as 127.0.0.1:9229", flag,
			terminal.Quoted(text))
	}
	_, err = strconv.ParseUint(a.Port, 10, 16)
	if err != nil {
		return a, fmt.Errorf("%s %s has no port from 1 to 65535, or 0 for any free one", flag, terminal.Quoted(text))
	}
	return a, nil
}

// AsLocalhost returns 127.0.0.1 under the name localhost, and other addresses
// unchanged: localhost is the only host that Amazon Cognito accepts without TLS.
func (a Address) AsLocalhost() Address {
	if a.Host == "127.0.0.1" {
		a.Host, a.Bind, _ = loopback.Host("localhost")
	}
	return a
}

// URL returns the URL, without a slash at the end, by which a browser reaches the address.
func (a Address) URL(scheme string) string {
	host := net.JoinHostPort(a.Host, a.Port)
	return scheme + "://" + strings.TrimSuffix(host, map[string]string{"https": ":443", "http": ":80"}[scheme])
}

// Listen listens on all IP addresses of a, on the same port. Port 0 is replaced by one
// that is free on all of them.
func (a *Address) Listen(ctx context.Context) (all Listeners, err error) {
	for range 10 {
		all, err = a.listenOnce(ctx)
		if a.Port != "0" || !taken(err) {
			break
		}
	}
	if err != nil {
		return nil, a.explain(err)
	}
	_, a.Port, err = net.SplitHostPort(all[0].Addr().String())
	return all, err
}

// listenOnce skips an IPv6 address that the machine does not have, if it can listen on
// another address.
func (a *Address) listenOnce(ctx context.Context) (all Listeners, err error) {
	port := a.Port
	for _, ip := range a.Bind {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(ip, port))
		switch {
		case err == nil:
			all = append(all, l)
			_, port, _ = net.SplitHostPort(l.Addr().String())
		case len(all) == 0 || taken(err):
			all.Close()
			return nil, err
		}
	}
	return all, nil
}

// explain returns an error that says why the program can't listen on the address, and
// what to do.
func (a *Address) explain(err error) error {
	at := net.JoinHostPort(a.written(), a.Port)
	switch {
	case taken(err):
		hint := ""
		if runtime.GOOS == "darwin" && a.Port == "5000" {
			hint = " (on macOS it is AirPlay Receiver that listens on port 5000)"
		}
		return fmt.Errorf("%s is taken by another program%s; stop that one, or choose another port with %s %s", at,
			hint, a.Flag, a.Other())
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not listen on %s; choose a port above 1023 with %s %s",
			at, a.Flag, a.Other())
	}
	return fmt.Errorf("%s %s can't be listened on (%w); choose another address, as in %s 127.0.0.1:%s", a.Flag, at,
		err, a.Flag, a.Port)
}

// taken reports whether another program listens on the address.
func taken(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.Errno(10048)) // Windows: WSAEADDRINUSE
}

// Other returns an example of another port on the same host.
func (a *Address) Other() string {
	port := map[string]string{"5000": "5001", "9229": "9230", "443": "5443", "80": "9229"}[a.Port]
	if port == "" {
		port = "0" // any free one
	}
	return net.JoinHostPort(a.written(), port)
}

// written returns the host as the flag has it.
func (a *Address) written() string {
	if a.Open {
		return a.Bind[0]
	}
	return a.Host
}

// Listeners are the listeners of one address.
type Listeners []net.Listener

// Close closes them all.
func (l Listeners) Close() {
	for _, one := range l {
		_ = one.Close() // nothing is lost
	}
}

// WithTLS returns the Listeners with TLS. Clients that speak plain HTTP are told to use
// https.
func (l Listeners) WithTLS(config *tls.Config) Listeners {
	secured := make(Listeners, len(l))
	for i, one := range l {
		secured[i] = devtls.NewListener(one, config)
	}
	return secured
}
