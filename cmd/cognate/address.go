package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/cognate-auth/cognate/devtls"
)

// An address is where a service listens: a host and a port of this machine.
type address struct {
	flag string // the flag that the address came from, for messages
	host string // as browsers write it
	port string
	// bind lists the IP addresses of host. localhost has two, and a browser may use
	// either: another program that listens on the second one would receive the
	// visitors.
	bind []string
}

// parseAddress reads an address. Only addresses of this machine are accepted: the
// pool's passwords are printed on the terminal, and the app's certificate protects
// nothing.
func parseAddress(flag, text string) (address, error) {
	a := address{flag: flag}
	var err error
	a.host, a.port, err = net.SplitHostPort(text)
	if err != nil {
		return a, fmt.Errorf("%s %s is not an address; expected a host and a port, such as 127.0.0.1:9229", flag,
			quoted(text))
	}
	_, err = strconv.ParseUint(a.port, 10, 16)
	if err != nil {
		return a, fmt.Errorf("%s %s has no port from 1 to 65535, or 0 for any free one", flag, quoted(text))
	}
	var ok bool
	a.host, a.bind, ok = devtls.Loopback(a.host)
	if !ok {
		return a, fmt.Errorf("%s %s is not an address of this machine; use 127.0.0.1:%s: "+
			"other machines must not reach this program, because its passwords are not secret",
			flag, quoted(text), a.port)
	}
	return a, nil
}

// quoted returns s in quotes if it is empty or has characters that could mislead; plain
// words stay as they are.
func quoted(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return strconv.Quote(s)
	}
	return s
}

// asLocalhost returns 127.0.0.1 under the name localhost, and other addresses
// unchanged: localhost is the only host that Amazon Cognito accepts without TLS.
func (a address) asLocalhost() address {
	if a.host == "127.0.0.1" {
		a.host, a.bind, _ = devtls.Loopback("localhost")
	}
	return a
}

// url returns the URL by which a browser reaches the address.
func (a address) url(scheme string) string {
	host := net.JoinHostPort(a.host, a.port)
	return scheme + "://" + strings.TrimSuffix(host, map[string]string{"https": ":443", "http": ":80"}[scheme])
}

// listen listens on all IP addresses of a, on the same port. Port 0 is replaced by one
// that is free on all of them.
func (a *address) listen(ctx context.Context) (all listeners, err error) {
	for range 10 {
		all, err = a.listenOnce(ctx)
		if a.port != "0" || !taken(err) {
			break
		}
	}
	if err != nil {
		return nil, a.explain(err)
	}
	_, a.port, err = net.SplitHostPort(all[0].Addr().String())
	return all, err
}

// listenOnce skips an IPv6 address that the machine does not have, if it can listen on
// another address.
func (a *address) listenOnce(ctx context.Context) (all listeners, err error) {
	port := a.port
	for _, ip := range a.bind {
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
func (a *address) explain(err error) error {
	at := net.JoinHostPort(a.host, a.port)
	switch {
	case taken(err):
		hint := ""
		if runtime.GOOS == "darwin" && a.port == "5000" {
			hint = " (on macOS it is AirPlay Receiver that listens on port 5000)"
		}
		return fmt.Errorf("%s is taken by another program%s; stop that one, or choose another port with %s %s", at,
			hint, a.flag, a.other())
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not listen on %s; choose a port above 1023 with %s %s",
			at, a.flag, a.other())
	}
	return fmt.Errorf("%s %s can't be listened on (%w); choose another address, as in %s 127.0.0.1:%s", a.flag, at,
		err, a.flag, a.port)
}

// taken reports whether another program listens on the address.
func taken(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.Errno(10048)) // Windows: WSAEADDRINUSE
}

// other returns an example of another port on the same host.
func (a *address) other() string {
	port := map[string]string{"5000": "5001", "9229": "9230", "443": "5443", "80": "9229"}[a.port]
	if port == "" {
		port = "0" // any free one
	}
	return net.JoinHostPort(a.host, port)
}

// listeners are the listeners of one address.
type listeners []net.Listener

// Close closes them all.
func (l listeners) Close() {
	for _, one := range l {
		_ = one.Close() // nothing is lost
	}
}

// withTLS returns the listeners with TLS.
func (l listeners) withTLS(config *tls.Config) listeners {
	secured := make(listeners, len(l))
	for i, one := range l {
		secured[i] = tls.NewListener(one, config)
	}
	return secured
}
