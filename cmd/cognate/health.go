package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/devtls"
	"github.com/cognate-auth/cognate/internal/listen"
	"github.com/cognate-auth/cognate/internal/loopback"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool/server"
)

const (
	healthPatience = 5 * time.Second        // for one answer
	healthPause    = 100 * time.Millisecond // between two questions
	healthMaxBody  = 1 << 10
)

// healthCommand is what an engine runs in an image that has no shell, and what a script runs
// before its tests.
type healthCommand struct {
	URL  string        `arg:"" optional:"" placeholder:"URL" help:"Where the pool is (default http and COGNATE_ADDR, or http://localhost:9229)."`
	Wait time.Duration `placeholder:"TIME" help:"How long to wait for the pool, such as 30s."`
}

// Run asks the pool, until it can be used or the time is over.
func (c *healthCommand) Run(ctx context.Context, term terminal.Streams) error {
	base, err := c.base()
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	for {
		err = askHealth(ctx, base)
		if err == nil {
			terminal.Printf(term.Out, "The pool at %s can be used.\n", base)
			return nil
		}
		select {
		case <-waiting.Done():
			return fmt.Errorf("the pool at %s can't be used: %w", base, err)
		case <-time.After(healthPause):
		}
	}
}

// base returns the scheme and the host of the pool.
func (c *healthCommand) base() (string, error) {
	if c.URL == "" {
		addr, err := listen.ParseOpen("COGNATE_ADDR", cmp.Or(os.Getenv("COGNATE_ADDR"), "localhost:9229"))
		return addr.URL("http"), err
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%s is not the URL of a pool, such as http://localhost:9229", terminal.Quoted(c.URL))
	}
	return u.Scheme + "://" + u.Host, nil
}

// healthClient returns a client that follows no redirects. Nothing secret is sent, so the
// resolver may say where names below localhost are.
func healthClient(base string) *http.Client {
	client := &http.Client{
		Timeout: healthPatience, Transport: loopback.RoundTripper{AskResolver: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	roots := localRoots()
	if roots != nil && strings.HasPrefix(base, "https:") {
		transport := loopback.Default()
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
		client.Transport = transport
	}
	return client
}

// localRoots returns the system's roots and the local authority of --tls, which the system need
// not trust, or nil if there is none.
func localRoots() *x509.CertPool {
	folder, err := devtls.UserFolder()
	if err != nil {
		return nil
	}
	authority, err := os.ReadFile(filepath.Join(folder, "ca.pem"))
	if err != nil {
		return nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AppendCertsFromPEM(authority)
	return roots
}

// askHealth returns an error that says why the pool can't be used.
func askHealth(ctx context.Context, base string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+server.HealthPath, nil)
	if err != nil {
		return err
	}
	client := healthClient(base) // a new one: a pool that starts may make its authority meanwhile
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the URL
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return fmt.Errorf("nothing answers there (%w)", err)
	}
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	var said struct {
		Status string `json:"status"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, healthMaxBody)).Decode(&said)
	switch {
	case err != nil || said.Status == "" || said.Status == "ok" && resp.StatusCode != http.StatusOK:
		return fmt.Errorf("something else answers there, with status %d and no word of its health", resp.StatusCode)
	case said.Status != "ok":
		return errors.New("its store does not answer")
	}
	return nil
}
