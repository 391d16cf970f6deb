package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/cookiejar"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/bench/machine"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
)

// A trial is a verifier with its measurements.
type trial struct {
	verifier
	cpu, allocs []float64 // µs and allocations per token, one value per round
	err         error
	verify      func(raw string) error
}

// measureBearer measures verifiers in this process, in rounds.
func measureBearer(ctx context.Context, say progress, p *provider, all []verifier, pc pace) ([]*trial, error) {
	tokens, err := p.issue(ctx, manyTokens)
	if err != nil {
		return nil, fmt.Errorf("getting access tokens: %w", err)
	}
	var checks []*trial
	for _, v := range all {
		c := &trial{verifier: v}
		c.verify, c.err = v.open(ctx, tokens)
		if c.err == nil {
			c.err = proves(c.verify, tokens)
		}
		if c.err != nil {
			say("  %s can't run: %v", v.label, c.err)
		}
		checks = append(checks, c)
	}
	for i := range pc.rounds {
		say("  round %d of %d", i+1, pc.rounds)
		for _, j := range rand.Perm(len(checks)) { //nolint:gosec // the order is not secret
			if c := checks[j]; c.err == nil {
				c.err = c.measure(tokens.tokens, pc.slot)
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
	}
	return checks, nil
}

var errTakesAll = errors.New("it accepts a token with a wrong signature")

// proves checks that a verifier accepts the tokens and no others.
func proves(verify func(string) error, t *issued) error {
	for _, raw := range t.tokens {
		err := verify(raw)
		if err != nil {
			return err
		}
	}
	for _, raw := range t.tampered() {
		if verify(raw) == nil {
			return errTakesAll
		}
	}
	return nil
}

// batch is how many tokens are verified between two readings of the clock.
const batch = 32

// measure verifies tokens in turn for a while, and at least one batch.
func (c *trial) measure(tokens []string, d time.Duration) error {
	runtime.GC() // so that the previous verifier's garbage is not collected here
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, n := clock(), 0
	for until := time.Now().Add(d); n == 0 || time.Now().Before(until); {
		for range batch {
			err := c.verify(tokens[n%len(tokens)])
			if err != nil {
				return err
			}
			n++
		}
	}
	used := clock() - start
	runtime.ReadMemStats(&after)
	c.cpu = append(c.cpu, micros(used)/float64(n))
	c.allocs = append(c.allocs, float64(after.Mallocs-before.Mallocs)/float64(n))
	return nil
}

var started = time.Now()

// clock returns the CPU time of this process, or the time of day if the system does not
// measure that: nothing else runs meanwhile.
func clock() time.Duration {
	t, err := machine.SelfCPU()
	if err != nil {
		return time.Since(started)
	}
	return t
}

// code signs in and returns the authorization code.
func (p *provider) code(ctx context.Context, clientID, callback string) (string, error) {
	app, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	b := &browser{pool: p, jar: jars{strings.TrimPrefix(p.base, "http://"), p.cookies, app}}
	q := url.Values{"client_id": {clientID}, "response_type": {"code"}, "redirect_uri": {callback}, "state": {"s"}}
	at, err := b.visit(ctx, p.base+"/oauth2/authorize?"+q.Encode(), callback)
	if err != nil {
		return "", err
	}
	code := at.Query().Get("code")
	if code == "" {
		return "", errors.New("the pool gave no code")
	}
	return code, nil
}

func codeGrant(code, callback string) grants.CodeGrant {
	return grants.CodeGrant{Code: userpool.Secret(code), RedirectURI: callback}
}
