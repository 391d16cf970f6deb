// Package load is a small HTTP/1.1 client that requests one page from one server as
// fast as the server answers. It keeps its connections, sends requests that were
// prepared before, and reads only the status and length of an answer, so that the
// server uses most of the time. It knows nothing of the servers that it measures.
package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// patience is how long an answer may take after the end of a run. It is a thousand
// times longer than usual, for busy machines.
const patience = 30 * time.Second

// A Target says what to request.
type Target struct {
	Addr string // host:port
	Path string
	// Cookies are the values of the Cookie header, which the connections use in turn.
	// Without any, the header is not sent.
	Cookies []string
	// Status is what every answer must have.
	Status int
	// Bodies are the bodies to post, which the connections use in turn. Without any,
	// the page is requested with GET.
	Bodies []string
	// Rotates says that every answer has the refresh token of the next request, in
	// JSON. Then each connection needs a body, in which the new token replaces the old
	// one.
	Rotates bool
	// Header has additional header lines, each with its line end.
	Header string
}

// A Result has the counts of a run.
type Result struct {
	Requests int
	Elapsed  time.Duration
	// P50 and P99 are the median and the 99th percentile of the time from sending a
	// request to the end of its answer.
	P50, P99 time.Duration
}

// A Client has connections to a target. It must not be used concurrently.
type Client struct {
	conns []*conn
}

// Dial opens the given number of connections.
func Dial(ctx context.Context, t Target, connections int) (*Client, error) {
	c := &Client{}
	requests := t.requests()
	for i := range connections {
		nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.Addr)
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("load: %w", err)
		}
		own := requests
		if t.Rotates {
			own = requests[i : i+1]
		}
		c.conns = append(c.conns, &conn{
			Conn: nc, target: t, index: i, requests: own, next: i, buf: make([]byte, maxAnswer),
		})
	}
	return c, nil
}

// requests returns the bytes to send: one request for each cookie.
func (t Target) requests() [][]byte {
	head := "GET " + t.Path + t.head()
	if len(t.Bodies) > 0 {
		var all [][]byte
		for _, b := range t.Bodies {
			all = append(all, t.post(b))
		}
		return all
	}
	if len(t.Cookies) == 0 {
		return [][]byte{[]byte(head + "\r\n")}
	}
	var all [][]byte
	for _, c := range t.Cookies {
		all = append(all, []byte(head+"Cookie: "+c+"\r\n\r\n"))
	}
	return all
}

func (t Target) head() string {
	return " HTTP/1.1\r\nHost: " + t.Addr + "\r\nUser-Agent: bench\r\nAccept: text/html,*/*\r\n" + t.Header
}

func (t Target) post(body string) []byte {
	return []byte("POST " + t.Path + t.head() + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

var (
	newToken = regexp.MustCompile(`"refresh_token":"([^"]+)"`)
	oldToken = regexp.MustCompile(`refresh_token=[^&]+`)
)

// rotate inserts the refresh token of an answer into the next request.
func (c *conn) rotate(answer []byte) error {
	m := newToken.FindSubmatch(answer)
	if m == nil {
		return errors.New("an answer has no refresh token")
	}
	_, body, _ := strings.Cut(string(c.requests[0]), "\r\n\r\n")
	next := oldToken.ReplaceAllLiteralString(body, "refresh_token="+url.QueryEscape(string(m[1])))
	c.target.Bodies[c.index] = next // another client continues from there
	c.requests = [][]byte{c.target.post(next)}
	return nil
}

// Run sends requests on all connections for a while, at least one on each, and the next
// one when the last is answered. An answer other than the expected one is an error.
func (c *Client) Run(ctx context.Context, d time.Duration) (Result, error) {
	g, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for _, conn := range c.conns {
		g.Go(func() error { return conn.run(ctx, start.Add(d)) })
	}
	err := g.Wait()
	elapsed := time.Since(start)
	if err != nil {
		return Result{}, fmt.Errorf("load: %w", err)
	}
	var took []time.Duration
	for _, conn := range c.conns {
		took = append(took, conn.took...)
	}
	slices.Sort(took)
	return Result{Requests: len(took), Elapsed: elapsed, P50: quantile(took, 50), P99: quantile(took, 99)}, nil
}

// quantile returns the value below which percent of 100 values are. The values are
// sorted.
func quantile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)*percent/100]
}

// Close closes the connections.
func (c *Client) Close() {
	for _, conn := range c.conns {
		conn.Close()
	}
}

type conn struct {
	net.Conn
	target   Target
	index    int // among the connections
	requests [][]byte
	next     int
	buf      []byte
	took     []time.Duration
}

func (c *conn) run(ctx context.Context, until time.Time) error {
	c.took = c.took[:0]
	err := c.SetDeadline(until.Add(patience))
	if err != nil {
		return err
	}
	// The deadline ends a Read that is waiting when ctx ends.
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	for last := time.Now(); ; {
		err := c.exchange()
		if err != nil {
			return err
		}
		now := time.Now()
		c.took = append(c.took, now.Sub(last))
		if !now.Before(until) {
			return nil
		}
		last = now
	}
}

func (c *conn) exchange() error {
	_, err := c.Write(c.requests[c.next%len(c.requests)])
	c.next++
	if err != nil {
		return err
	}
	return c.read()
}

// read reads one answer from the connection.
func (c *conn) read() error {
	n := 0
	for {
		m, err := c.Read(c.buf[n:])
		n += m
		status, size, ok, parseErr := parseAnswer(c.buf[:n])
		switch {
		case parseErr != nil:
			return parseErr
		case ok && status != c.target.Status:
			return fmt.Errorf("answered with status %d, expected %d", status, c.target.Status)
		case ok && n > size:
			return errors.New("an answer is longer than its Content-Length says")
		case ok && n == size && c.target.Rotates:
			return c.rotate(c.buf[:n])
		case ok && n == size:
			return nil
		case err != nil:
			return fmt.Errorf("reading an answer: %w", err)
		case n == len(c.buf) || size > len(c.buf):
			return fmt.Errorf("an answer is longer than %d bytes", len(c.buf))
		}
	}
}
