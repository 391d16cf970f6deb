package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/cognate-auth/cognate/bench/load"
	"github.com/cognate-auth/cognate/bench/machine"
	"github.com/cognate-auth/cognate/bench/report"
)

// tokenConnections is how many token requests are under way at the same time.
const tokenConnections = 4

// An issuer is a program at which people sign in, and the cost of its tokens.
type issuer struct {
	key, label string
	kind       report.Kind
	signatures int // per token answer
	// command returns the command that starts it; port is the port that it must listen
	// on.
	command func(ctx context.Context, p issuerPlace) (*exec.Cmd, error)
	// ready is a path that answers 200 when the program can be used. If it is empty,
	// any answer counts.
	ready string
	// login signs a person in and returns a request for tokens, which can be repeated.
	login func(ctx context.Context, p issuerPlace) (load.Target, error)
}

// An issuerPlace is where a program runs, and its client.
type issuerPlace struct {
	dir, peers, port string
	base             string // http://localhost:<port>
	program          string // Cognate's program; built when first needed
	client           tokenClient
}

// tokenClient is the app client that every issuer has.
type tokenClient struct{ id, secret, callback string }

var benchClient = tokenClient{
	id: "benchclient0000000000000001", secret: "only_for_a_benchmark_on_this_machine",
	callback: "http://localhost:9/callback",
}

// issuing is an issuer with its measurements.
type issuing struct {
	issuer
	started []float64 // ms from the start of the program to its first answer
	memory  float64   // MB when idle, after the first answer
	cpu     []float64 // µs per token answer, one value per round
	rps     []float64
	after   float64 // MB after all token requests
	err     error
	process *machine.Process
	place   issuerPlace
	target  load.Target
}

// starts is how often a program is started to measure how long that takes.
const starts = 5

// measureIssuers starts every issuer several times, and then requests tokens from all
// of them, in rounds.
func (l *lab) measureIssuers(ctx context.Context, say progress, all []issuer, p pace) ([]*issuing, error) {
	var results []*issuing
	for _, i := range all {
		say("  %s", i.label)
		r := &issuing{issuer: i}
		r.err = l.startIssuer(ctx, r)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if r.err != nil {
			say("    it can't run: %v", r.err)
		}
		results = append(results, r)
	}
	defer func() {
		for _, r := range results {
			if r.process != nil {
				r.process.Stop()
			}
		}
	}()
	for i := range p.rounds + 1 {
		say("  round %d of %d", i, p.rounds)
		for _, j := range mathrand.Perm(len(results)) { //nolint:gosec // the order is not secret
			r := results[j]
			if r.err == nil {
				r.err = r.round(ctx, p, i > 0)
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
	}
	for _, r := range results {
		if r.err == nil {
			r.after, r.err = r.process.Memory()
		}
	}
	return results, nil
}

// startIssuer starts the program as often as necessary and leaves it running, with a
// person signed in.
func (l *lab) startIssuer(ctx context.Context, r *issuing) error {
	addrs, err := freeAddrs(ctx, 1)
	if err != nil {
		return err
	}
	r.place = issuerPlace{dir: filepath.Join(l.dir, r.key), peers: l.peers, client: benchClient}
	r.place.port = place{addr: addrs[0]}.port()
	r.place.base = "http://localhost:" + r.place.port
	r.place.program, err = l.cognate(ctx)
	if err == nil {
		err = os.MkdirAll(r.place.dir, 0o700)
	}
	if err != nil {
		return err
	}
	for range starts {
		if r.process != nil {
			r.process.Stop()
		}
		err = l.startOnce(ctx, r)
		if err != nil {
			return err
		}
	}
	time.Sleep(time.Second) // the program may still be busy after its first answer
	r.memory, err = r.process.Memory()
	if err == nil {
		r.target, err = r.login(ctx, r.place)
	}
	return err
}

func (l *lab) startOnce(ctx context.Context, r *issuing) error {
	cmd, err := r.command(ctx, r.place)
	if err != nil {
		return err
	}
	begin := time.Now()
	r.process, err = machine.Start(cmd, l.serverCPU)
	if err != nil {
		return err
	}
	err = r.process.ReadyEvery(ctx, startPatience, time.Millisecond, func(ctx context.Context) error {
		status, err := get(ctx, load.Target{Addr: "localhost:" + r.place.port, Path: r.ready}, "")
		if err == nil && r.ready != "/" && status != http.StatusOK {
			err = fmt.Errorf("%s is answered with status %d", r.ready, status)
		}
		return err
	})
	r.started = append(r.started, float64(time.Since(begin))/float64(time.Millisecond))
	return err
}

// round requests tokens for a while.
func (r *issuing) round(ctx context.Context, p pace, counts bool) error {
	c, err := load.Dial(ctx, r.target, tokenConnections)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Run(ctx, p.warmUp)
	if err != nil {
		return err
	}
	before, err := r.process.CPU()
	if err != nil && !errors.Is(err, machine.ErrUnmeasured) {
		return err
	}
	got, err := c.Run(ctx, p.slot)
	if err != nil {
		return err
	}
	after, cpuErr := r.process.CPU()
	if !counts {
		return nil
	}
	r.rps = append(r.rps, float64(got.Requests)/got.Elapsed.Seconds())
	if cpuErr == nil && before != nil {
		r.cpu = append(r.cpu, micros(after.Since(before))/float64(got.Requests))
	}
	return nil
}

// measureSignature returns the time of one RSA-2048 signature in this process, in µs:
// no issuer written in Go can be faster.
func measureSignature(p pace) (float64, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return 0, err
	}
	digest := sha256.Sum256([]byte("a token"))
	var values []float64
	for range p.rounds {
		start, n := clock(), 0
		for until := time.Now().Add(p.slot / 3); n == 0 || time.Now().Before(until); n++ {
			_, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
			if err != nil {
				return 0, err
			}
		}
		values = append(values, micros(clock()-start)/float64(n))
	}
	return report.Median(values), nil
}

// cognate builds the program, once.
func (l *lab) cognate(ctx context.Context) (string, error) {
	program := filepath.Join(l.dir, "cognate.exe") // Windows needs the ending
	_, err := os.Stat(program)                     //nolint:gosec // in this benchmark's folder
	if err == nil {
		return program, nil
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", program, //nolint:gosec // constants
		"github.com/cognate-auth/cognate/cmd/cognate")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the program: %w: %s", err, lastLine(out))
	}
	return program, nil
}
