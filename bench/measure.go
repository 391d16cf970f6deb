package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/bench/load"
	"github.com/cognate-auth/cognate/bench/machine"
	"github.com/cognate-auth/cognate/bench/report"
	"github.com/cognate-auth/cognate/bench/servers"
)

// connections is how many requests are under way at a time.
const connections = 16

// minTokens is the minimum size of a cookie with the tokens, in bytes.
const minTokens = 2_000

// pace says how often and how long everything is measured.
type pace struct {
	rounds       int
	warmUp, slot time.Duration
}

// A sample is one slot of one row. Values that were not measured are NaN.
type sample struct {
	cpu, rps, p50, p99, allocs float64 // CPU and latencies in µs, CPU and allocations per request
}

// A result is a row with its samples, or the reason why there are none.
type result struct {
	row
	samples []sample
	cookie  int // the average size of the Cookie header, in bytes
	err     error

	target load.Target
	server *running
}

// series returns one value of all samples.
func (r *result) series(of func(sample) float64) []float64 {
	var values []float64
	for _, s := range r.samples {
		values = append(values, of(s))
	}
	return values
}

func (r *result) median(of func(sample) float64) float64 { return report.Median(r.series(of)) }

func cpuOf(s sample) float64    { return s.cpu }
func rpsOf(s sample) float64    { return s.rps }
func p50Of(s sample) float64    { return s.p50 }
func p99Of(s sample) float64    { return s.p99 }
func allocsOf(s sample) float64 { return s.allocs }

// measure starts the servers that the rows need, measures the rows in rounds, each
// round in another order, and stops the servers. The first round does not count, so
// that compilers at work and growing heaps are not included.
func (l *lab) measure(ctx context.Context, say progress, all map[string]spec, rows []row, p pace) ([]*result, error) {
	defer l.stop()
	var results []*result
	for i, r := range rows {
		say("  starting %d of %d: %s", i+1, len(rows), r.label)
		res := &result{row: r}
		res.err = l.prepare(ctx, res, all)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if res.err != nil {
			say("    it can't run: %v", res.err)
		}
		results = append(results, res)
	}
	if !slices.ContainsFunc(results, func(r *result) bool { return r.err == nil }) {
		return results, nil
	}
	for i := range p.rounds + 1 {
		say("  round %d of %d", i, p.rounds)
		for _, j := range rand.Perm(len(results)) { //nolint:gosec // the order is not secret
			r := results[j]
			if r.err != nil {
				continue
			}
			s, err := r.sample(ctx, p)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				r.err = err
				say("    %s failed: %v", r.label, err)
				continue
			}
			if i > 0 {
				r.samples = append(r.samples, s)
			}
		}
	}
	return results, nil
}

// prepare starts what a row needs and checks that the answer is the page.
func (l *lab) prepare(ctx context.Context, r *result, all map[string]spec) error {
	r.server = l.start(ctx, r.row.server, all[r.row.server])
	if r.server.err != nil {
		return r.server.err
	}
	cookies, err := l.cookies(ctx, r, all)
	if err != nil {
		return err
	}
	r.target = load.Target{Addr: r.server.addr, Path: r.path, Cookies: cookies, Status: r.status}
	if r.path == "" {
		r.target.Path = "/hello"
	}
	if r.status == 0 {
		r.target.Status = http.StatusOK
	}
	for _, c := range cookies {
		r.cookie += len(c) / len(cookies)
	}
	if r.tokens && r.cookie < minTokens {
		return fmt.Errorf("the cookie of %d bytes can't contain the tokens", r.cookie)
	}
	return check(ctx, r.target, r.kind != report.Limit)
}

func (l *lab) cookies(ctx context.Context, r *result, all map[string]spec) ([]string, error) {
	switch r.cookiesOf {
	case "":
		return r.server.cookies, nil
	case "none":
		return nil, nil
	}
	other := l.start(ctx, r.cookiesOf, all[r.cookiesOf])
	return other.cookies, other.err
}

// check requests the page once with each cookie, and once without a cookie if that must
// be refused: a measurement of an unprotected page is worthless.
func check(ctx context.Context, t load.Target, protected bool) error {
	for _, cookie := range t.Cookies {
		status, err := get(ctx, t, cookie)
		if err != nil {
			return err
		}
		if status != t.Status {
			return fmt.Errorf("a signed-in request is answered with status %d, expected %d", status, t.Status)
		}
	}
	if !protected {
		return nil
	}
	status, err := get(ctx, t, "")
	if err == nil && status == t.Status {
		return errors.New("the page is shown without a session")
	}
	return err
}

func get(ctx context.Context, t load.Target, cookie string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.Addr+t.Path, nil)
	if err != nil {
		return 0, err
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close() // nothing was read
	return resp.StatusCode, nil
}

// sample measures a row for one slot.
func (r *result) sample(ctx context.Context, p pace) (sample, error) {
	c, err := load.Dial(ctx, r.target, connections)
	if err != nil {
		return sample{}, err
	}
	defer c.Close()
	_, err = c.Run(ctx, p.warmUp)
	if err != nil {
		return sample{}, err
	}
	before, err := r.server.usage(ctx)
	if err != nil {
		return sample{}, err
	}
	got, err := c.Run(ctx, p.slot)
	if err != nil {
		return sample{}, err
	}
	after, err := r.server.usage(ctx)
	if err != nil {
		return sample{}, err
	}
	n := float64(got.Requests)
	return sample{
		cpu: after.cpuSince(before) / n, allocs: (after.mallocs - before.mallocs) / n,
		rps: n / got.Elapsed.Seconds(), p50: micros(got.P50), p99: micros(got.P99),
	}, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// usage is what a server has used so far.
type usage struct {
	cpu     machine.Usage // nil: not measured
	mallocs float64       // NaN: not reported
}

func (u usage) cpuSince(before usage) float64 {
	if u.cpu == nil {
		return math.NaN()
	}
	return micros(u.cpu.Since(before.cpu))
}

func (r *running) usage(ctx context.Context) (usage, error) {
	u := usage{mallocs: math.NaN()}
	var err error
	if r.counts {
		s, err := servers.ReadStats(ctx, r.statsAddr)
		if err != nil {
			return u, err
		}
		u.mallocs = float64(s.Mallocs)
	}
	u.cpu, err = r.process.CPU()
	if errors.Is(err, machine.ErrUnmeasured) {
		return u, nil
	}
	return u, err
}

// find returns the result with a key, or nil.
func find(results []*result, key string) *result {
	i := slices.IndexFunc(results, func(r *result) bool { return r.key == key })
	if i < 0 {
		return nil
	}
	return results[i]
}
