// Command bench compares the cost of sign-in: of a handler without it, the same handler
// behind Cognate, and behind other software. It signs in to each server with a local pool,
// sends requests with the cookie from that, and measures the server's CPU time for them. It
// writes a table to the standard output and, with -o, to performance.md and
// images/performance.svg.
//
// If software is not installed, the table says so, and how to install it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/bench/machine"
	"github.com/cognate-auth/cognate/bench/servers"
)

func main() {
	servers.Main() // in a server's process it does not return
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the options of the command line.
type options struct {
	rows  string // which rows to run, by the beginning of their keys
	quick bool
	out   string
	peers string
}

func parseOptions(args []string, help io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(help)
	f.StringVar(&o.rows, "rows", "", "measure these `keys` only, comma-separated, such as "+
		"cognate,scs,growth,bearer,issuers; bare is always measured")
	f.BoolVar(&o.quick, "quick", false, "measure briefly: figures to see that it works, not to quote")
	f.StringVar(&o.out, "o", "", "write performance.md and images/performance.svg in this `folder`")
	f.StringVar(&o.peers, "peers", "bench/peers", "`folder` of the servers that are not written in Go")
	err := f.Parse(args)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q; the rows are named by -rows", f.Arg(0))
	}
	return o, err
}

// picked reports whether a part or row was requested. The parts growth, bearer and
// issuers always have all their rows.
func (o options) picked(key string) bool {
	return o.rows == "" || slices.Contains(strings.Split(strings.ReplaceAll(o.rows, " ", ""), ","), key)
}

func (o options) pace() pace {
	if o.quick {
		return pace{rounds: 1, warmUp: 10 * time.Millisecond, slot: 50 * time.Millisecond}
	}
	return pace{rounds: 8, warmUp: 150 * time.Millisecond, slot: 900 * time.Millisecond}
}

// most is the maximum size of what grows.
func (o options) most(n int) int {
	if o.quick {
		return n / 1_000
	}
	return n
}

// findings are all measurements.
type findings struct {
	requests, growth []*result
	checks           []*trial
	issuers          []*issuing
	signature        float64 // µs of one RSA signature
	pace             pace
	pinned           bool // the servers and the load have their own processors
	date             time.Time
}

// progress returns a function that prints lines about the progress.
type progress func(format string, args ...any)

func run(ctx context.Context, args []string, out, stderr io.Writer) error {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(stderr, format+"\n", args...) } // an error is ignored
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	rows, err := o.requestRows()
	if err != nil {
		return err
	}
	l, cleanUp, err := newLab(ctx, o)
	if err != nil {
		return err
	}
	defer cleanUp()
	f := findings{pace: o.pace(), pinned: l.serverCPU != l.loadCPU, date: time.Now()}
	say("signed-in requests")
	f.requests, err = l.measure(ctx, say, specs(), rows, f.pace)
	if err == nil && o.picked("growth") {
		f.growth, err = l.measureGrowth(ctx, say, o)
	}
	if err == nil && o.picked("bearer") {
		say("bearer tokens")
		pc := f.pace
		pc.slot /= 3
		f.checks, err = measureBearer(ctx, say, l.provider, verifiers(), pc)
	}
	if err == nil && o.picked("issuers") {
		say("issuers")
		f.signature, err = measureSignature(f.pace)
		if err == nil {
			f.issuers, err = l.measureIssuers(ctx, say, issuers(o.most(manyUsers)), f.pace)
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, f.markdown())
	if err != nil || o.out == "" {
		return err
	}
	return f.write(o.out)
}

func (l *lab) measureGrowth(ctx context.Context, say progress, o options) ([]*result, error) {
	say("growth")
	all, rows := growth(o.most(1_000_000))
	return l.measure(ctx, say, all, rows, o.pace())
}

// requestRows returns the requested rows, in the table's order.
func (o options) requestRows() ([]row, error) {
	known := []string{"growth", "bearer", "issuers"}
	var rows []row
	for _, r := range requestRows() {
		known = append(known, r.key)
		if r.key == bareKey || o.picked(r.key) {
			rows = append(rows, r)
		}
	}
	if o.rows == "" {
		return rows, nil
	}
	for key := range strings.SplitSeq(strings.ReplaceAll(o.rows, " ", ""), ",") {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("there is no row %q; there are %s", key, strings.Join(known, ", "))
		}
	}
	return rows, nil
}

// newLab starts the pool and chooses the processors: the servers have their own one, if
// there are two.
func newLab(ctx context.Context, o options) (*lab, func(), error) {
	l := &lab{peers: o.peers, serverCPU: -1, loadCPU: -1, servers: map[string]*running{}}
	if cpus := machine.CPUs(); len(cpus) > 0 {
		l.serverCPU, l.loadCPU = cpus[0], cpus[len(cpus)-1]
		err := machine.Pin(l.loadCPU)
		if err != nil {
			return nil, nil, err
		}
	}
	var err error
	l.provider, err = startProvider(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("starting the pool: %w", err)
	}
	l.dir, err = os.MkdirTemp("", "cognate-bench-")
	if err != nil {
		return nil, nil, err
	}
	cleanUp := func() {
		l.stop()
		_ = l.provider.server.Close() // there is nothing to save
		_ = os.RemoveAll(l.dir)
	}
	return l, cleanUp, os.Chmod(l.dir, 0o755) //nolint:gosec // a server with fewer rights reads in it
}
