package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/cognate-auth/cognate/internal/listen"
	"github.com/cognate-auth/cognate/internal/terminal"
)

// reachFlags say where the pools listen, and where browsers and apps find them. These differ
// in a container, and behind a proxy.
type reachFlags struct {
	Addr string `default:"127.0.0.1:9229" placeholder:"HOST:PORT" env:"COGNATE_ADDR" help:"Address the pool listens on; 0.0.0.0:9229 lets other machines in (default ${default})."`
	URL  string `name:"url" placeholder:"URL" env:"COGNATE_URL" help:"Where browsers and apps find the first pool, if not at --addr, such as http://pool.localhost:9229."`
	TLS  bool   `name:"tls" help:"The pool serves https, with a certificate of a local authority; see cognate trust."`
}

// listenAt returns the address to listen on.
func (f *reachFlags) listenAt() (listen.Address, error) {
	addr, err := listen.ParseOpen("--addr", f.Addr)
	return addr.AsLocalhost(), err
}

// site returns the site that listens at addr, with where browsers and apps find it.
func (f *reachFlags) site(addr listen.Address) (*site, error) {
	s := &site{addr: addr, scheme: "http", port: addr.Port}
	if f.TLS {
		s.scheme = "https"
	}
	if f.URL == "" {
		return s, nil
	}
	u, err := url.Parse(f.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || hostOf(u.Host) == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("--url %s is not where a pool can be; expected a scheme, a host and perhaps a "+
			"port, such as http://pool.localhost:9229", terminal.Quoted(f.URL))
	}
	if f.TLS && u.Scheme == "http" {
		return nil, fmt.Errorf("--url %s is http, but with --tls the pool serves https; change one of them",
			f.URL)
	}
	s.scheme, s.addr.Flag, s.addr.Host = u.Scheme, "--url", hostOf(u.Host)
	s.addr.Port = cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	return s, nil
}
