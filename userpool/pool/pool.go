// Package pool makes a user pool out of its parts: accounts, sign-in and grants on one
// store.
//
//	p, err := pool.New(ctx, pool.Config{
//		Issuer: "http://localhost:9229/", // the pool id is appended
//		Store:  memstore.New(),
//	})
//	client, err := p.Clients.Create(ctx, userpool.Client{
//		GenerateSecret: true, CallbackURLs: []string{"http://localhost:8080/callback"},
//	})
//	user, err := p.Users.Create(ctx, userpool.NewUser{Username: "ann", Password: "correct horse"})
//	handler, err := server.New(server.Config{Pool: p, BaseURL: "http://localhost:9229"})
//
// Inside a test, package cognatetest does all of this in one call.
//
// # A sign-in
//
// A browser brings an authorization request. [grants.Grants.ParseAuthorization] checks all
// of it; only what it returns may be redirected to. [grants.Grants.AuthorizeSilently]
// answers from the browser's session. Otherwise the person goes through the pages, which
// are the steps of a [userpool.Flow]: name and password, sign-up, a code, a second factor,
// a passkey. Each page has a method of its own, such as [signin.Steps.SignIn], that decides
// what its form is worth; one function decides which step is next, from the account, the
// client and what was proven. At the end there is a session ([grants.Sessions.Start]), and
// the app gets a code ([grants.Grants.Authorize]). It authenticates
// ([accounts.Clients.Authenticate]) and redeems the code ([grants.Grants.RedeemCode]).
//
// # Security
//
// Passwords are hashed with argon2id, a bounded number at a time. Session ids, codes and
// refresh tokens are random, and only their SHA-256 reaches the store. A code is taken from
// the store before it is looked at, so that it works once however many ask. A name that
// nobody has gets the same answers, the same lockout and the same work as one that somebody
// has.
//
// A pool is meant for development and tests, not for the accounts of real users. Where it
// differs from Cognito is listed in docs/cognito-divergences.md.
//
// # What it knows
//
// All of the packages below it: the words (userpool), store, trace, keys, accounts, signin,
// grants, and of the internal ones core, gate, password and records. It knows no HTTP and
// no SQL; the packages oauth, hosted and federation put it on the wire.
package pool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/gate"
	"github.com/cognate-auth/cognate/userpool/internal/password"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/signin"
	"github.com/cognate-auth/cognate/userpool/store"
	"github.com/cognate-auth/cognate/userpool/trace"
)

// Config configures [New].
type Config struct {
	// ID is the pool id, of Cognito's form "<region>_<alphanumerics>", at most
	// 55 characters. Empty: a fresh one, "local_" and nine alphanumerics; then
	// Issuer must end in a slash, and the id is appended to it.
	ID string

	// Issuer is the iss claim, exactly: an absolute http or https URL whose
	// last path segment is the pool id, as in http://localhost:9229/local_ab1.
	// If it ends in a slash the id is appended. Required.
	Issuer string

	// Store keeps the pool's data. Required.
	Store store.Store

	// Keys sign the tokens, and the store does not get them. Nil: the keys in the
	// store, in the clear; at the first start two RSA-2048 keys are made for it,
	// which New does not wait for.
	Keys *keys.Pair

	// Settings say how people sign up and in. [Pool.Configure] changes them.
	Settings userpool.Settings

	// Invoke calls a trigger of Settings.Triggers with an event and returns the
	// event that came back; a [*userpool.TriggerRefusal] is the trigger's own no. Package
	// trigger has it over HTTP. It must be safe for concurrent use and hold to a
	// time limit of its own. Required if there are triggers.
	Invoke func(ctx context.Context, t userpool.Trigger, event []byte) (answer []byte, err error)

	// Domain is where the pages are, such as http://localhost:9229: what links in
	// mails begin with. Empty: the issuer without the pool id.
	Domain string

	// Deliver is given every mail and short message, in a goroutine of its own,
	// at most 16 at a time and for at most 30 s each. Its error goes to the log.
	// Nil: they stay in the outbox (see [accounts.Outbox.List]), where they are anyway.
	Deliver func(ctx context.Context, m userpool.Message) error

	// Sent is told of every mail and short message once it is in the outbox, and before
	// the request that caused it is answered: it must not take long. Nil: nobody is told.
	Sent func(m userpool.Message)

	// Passkeys checks what authenticators answer. Nil: there are no passkeys,
	// whatever the settings say.
	Passkeys userpool.Passkeys

	// Hashing is the cost of password hashes. Zero: argon2id with 19 MiB, two
	// passes, one lane. Stored hashes of another cost keep working and are
	// replaced at the next sign-in.
	Hashing userpool.HashCost

	// MaxHashes is how many passwords are hashed at the same time; each takes
	// Hashing.MemoryKiB. Zero: one per CPU.
	MaxHashes int

	// HashWait is how long a sign-in waits for its turn before it is refused
	// with [userpool.ErrBusy]. Zero: 5 s.
	HashWait time.Duration

	// Now tells the time. Nil: time.Now.
	Now func() time.Time

	// Logger takes one line per outcome that matters to security; no line
	// holds a secret. Nil: no log.
	Logger *slog.Logger

	// Trace remembers the sign-ins for the developer's view, as far as package
	// server serves them. Nil: nothing is remembered.
	Trace *trace.Trace
}

// Pool is a user pool: its parts on one store. They are set once, and all of them are
// safe for concurrent use.
type Pool struct {
	Clients      *accounts.Clients      // the app clients
	Users        *accounts.Users        // the users
	Registration *accounts.Registration // how people sign up
	Recovery     *accounts.Recovery     // what people do who forgot their password
	Outbox       *accounts.Outbox       // the messages that went out

	Flows      *signin.Flows      // the ways of people through the sign-in pages
	Steps      *signin.Steps      // what the steps of these do
	Passkeys   *signin.Passkeys   // the passkeys of users
	Federation *signin.Federation // the sign-in at other identity providers

	Grants   *grants.Grants   // what apps get
	Sessions *grants.Sessions // the browsers that are signed in
	Keys     *grants.Keys     // the keys that sign

	core     *core.Core
	accounts *accounts.Accounts
	trace    *trace.Trace
}

// New returns a pool. It names the field that is wrong.
func New(ctx context.Context, cfg Config) (*Pool, error) {
	c, err := newCore(ctx, cfg)
	if err != nil {
		return nil, err
	}
	a := accounts.New(c, cfg.Sent, cfg.Deliver)
	s := signin.New(c, a, cfg.Passkeys)
	g, err := grants.New(ctx, c, a, s, cfg.Keys)
	if err != nil {
		return nil, err
	}
	return &Pool{
		Clients: a.Clients, Users: a.Users, Registration: a.Registration, Recovery: a.Recovery, Outbox: a.Outbox,
		Flows: s.Flows, Steps: s.Steps, Passkeys: s.Passkeys, Federation: s.Federation,
		Grants: g, Sessions: g.Sessions(), Keys: g.Keys(),
		core: c, accounts: a, trace: cfg.Trace,
	}, nil
}

func newCore(ctx context.Context, cfg Config) (*core.Core, error) {
	c := &core.Core{ID: cfg.ID, Invoke: cfg.Invoke, Now: cfg.Now}
	err := setNames(c, cfg)
	if err != nil {
		return nil, err
	}
	err = c.Configure(ctx, cfg.Settings)
	if err != nil {
		return nil, err
	}
	if cfg.Store == nil {
		return nil, errors.New("userpool: Config.Store is required")
	}
	c.Records = records.Records{Store: cfg.Store, Pool: c.ID}
	c.Hasher, err = password.New(cfg.Hashing, cfg.MaxHashes, cfg.HashWait)
	if err != nil {
		return nil, fmt.Errorf("userpool: Config.Hashing: %w", err)
	}
	c.Gate = gate.New(c.Hasher.Wait)
	if c.Now == nil {
		c.Now = time.Now
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c.Log = cfg.Trace.Logger(log).With("pool", c.ID)
	return c, nil
}

// setNames decides what the pool is called and where it is.
func setNames(c *core.Core, cfg Config) error {
	if c.ID == "" {
		c.ID = "local_" + strings.ToLower(rand.Text()[:9])
	}
	err := userpool.CheckPoolID(c.ID)
	if err != nil {
		return fmt.Errorf("userpool: Config.ID: %w", err)
	}
	c.Issuer = cfg.Issuer
	if strings.HasSuffix(c.Issuer, "/") {
		c.Issuer += c.ID
	}
	c.Domain = strings.TrimSuffix(cfg.Domain, "/")
	if c.Domain == "" {
		c.Domain = strings.TrimSuffix(c.Issuer, "/"+c.ID)
	}
	err = userpool.CheckIssuer(c.Issuer, c.ID)
	if err != nil {
		return fmt.Errorf("userpool: Config.Issuer: %w", err)
	}
	return nil
}

// ID returns the pool id.
func (p *Pool) ID() string { return p.core.ID }

// Issuer returns the iss claim of the pool's tokens.
func (p *Pool) Issuer() string { return p.core.Issuer }

// Trace returns the one of [Config], or nil.
func (p *Pool) Trace() *trace.Trace { return p.trace }

// Now tells the pool's time.
func (p *Pool) Now() time.Time { return p.core.Now() }

// CheckStore returns an error if the pool's store does not answer.
func (p *Pool) CheckStore(ctx context.Context) error {
	_, _, err := p.core.Records.Store.Get(ctx, p.core.ID, "health", "no such record")
	return err
}

// Settings returns what the pool was told. The caller must not modify what it
// points to.
func (p *Pool) Settings() *userpool.Settings { return p.core.Settings() }

// Configure gives the pool other settings, from the next request on. What
// breaks a rule is an error that names the field; then nothing changes. The
// attributes that people sign in with cannot change.
func (p *Pool) Configure(ctx context.Context, s userpool.Settings) error {
	return p.core.Configure(ctx, s)
}
