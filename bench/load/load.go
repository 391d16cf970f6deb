// Package load is a small HTTP/1.1 client that asks one server for one page as fast as it
// answers. It keeps its connections, sends bytes that were made before, and reads of an
// answer no more than its status and length, so that most of the time is the server's.
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

// patience is how long an answer may take beyond the end of a run. It is a thousand times
// what it takes usually, for machines that are busy.
const patience = 30 * time.Second

// A Target is what is asked for.
type Target struct {
	Addr string // host:port
	Path string
	// Cookies are the values of the Cookie header; the connections take turns with
	// them. None: no such header is sent.
	Cookies []string
	// Status is what every answer must have.
	Status int
	// Bodies are what is posted; the connections take turns with them. None: the page is
	// asked for with GET.
	Bodies []string
	// Rotates says that every answer holds the refresh token of the next request, in JSON.
	// Then there has to be a body for each connection, which is replaced by the next one's.
	Rotates bool
	// Header is further header lines, each with its line end.
	Header string
}

// A Result is what a run counted.
type Result struct {
	Requests int
	Elapsed  time.Duration
	// P50 and P99 are the time from sending a request to the end of its answer, at
	// half and at 99 of 100 requests.
	P50, P99 time.Duration
}

// A Client holds connections to one target. It must not be used concurrently.
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

// requests are the bytes to send: one request for each cookie.
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

// rotate puts the refresh token of an answer into the next request.
func (c *conn) rotate(answer []byte) error {
	m := newToken.FindSubmatch(answer)
	if m == nil {
		return errors.New("an answer holds no refresh token")
	}
	_, body, _ := strings.Cut(string(c.requests[0]), "\r\n\r\n")
	next := oldToken.ReplaceAllLiteralString(body, "refresh_token="+url.QueryEscape(string(m[1])))
	c.target.Bodies[c.index] = next // another client goes on from there
	c.requests = [][]byte{c.target.post(next)}
	return nil
}

// Run sends requests on all connections for a while, on each the next one when the last
// is answered, and one at least. Any other answer than the expected one ends it.
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

// quantile returns the value below which percent of 100 lie. The values are sorted.
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
	// A Read that waits notices the end of ctx by the deadline.
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

// read takes one answer from the connection.
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
