package userpool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/store"
)

// Fixed lifetimes and limits. The lifetimes are Cognito's (developer guide, the
// pages on the authorization endpoint, managed login and authentication).
const (
	CodeLifetime    = 5 * time.Minute
	SessionLifetime = time.Hour // from the interactive sign-in; use does not extend it

	// Of one user; the oldest makes room for the next.
	maxSessions      = 256
	maxCodes         = 1024
	maxRefreshTokens = 4096
)

const (
	collectEvery = time.Minute
	collectLimit = 10_000
)

// Config configures [New].
type Config struct {
	// ID is the pool id, of Cognito's form "<region>_<alphanumerics>", at most
	// 55 characters. Empty: a fresh one of [NewPoolID]; then Issuer must be
	// empty or end in a slash, and the id is appended to it.
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
	Keys *SigningKeys

	// Settings say how people sign up and in. [Pool.Configure] changes them.
	Settings Settings

	// Invoke calls a trigger of Settings.Triggers with an event and returns the
	// event that came back; a [*TriggerRefusal] is the trigger's own no. Package
	// trigger has it over HTTP. It must be safe for concurrent use and hold to a
	// time limit of its own. Required if there are triggers.
	Invoke func(ctx context.Context, t Trigger, event []byte) (answer []byte, err error)

	// Domain is where the pages are, such as http://localhost:9229: what links in
	// mails begin with. Empty: the issuer without the pool id.
	Domain string

	// Deliver is given every mail and short message, in a goroutine of its own,
	// at most 16 at a time and for at most 30 s each. Its error goes to the log.
	// Nil: they stay in the outbox (see [Pool.Messages]), where they are anyway.
	Deliver func(ctx context.Context, m Message) error

	// Passkeys checks what authenticators answer. Nil: there are no passkeys,
	// whatever the settings say.
	Passkeys Passkeys

	// Hashing is the cost of password hashes. Zero: argon2id with 19 MiB, two
	// passes, one lane. Stored hashes of another cost keep working and are
	// replaced at the next sign-in.
	Hashing HashCost

	// MaxHashes is how many passwords are hashed at the same time; each takes
	// Hashing.MemoryKiB. Zero: one per CPU.
	MaxHashes int

	// HashWait is how long a sign-in waits for its turn before it is refused
	// with [ErrBusy]. Zero: 5 s.
	HashWait time.Duration

	// Now tells the time. Nil: time.Now.
	Now func() time.Time

	// Logger takes one line per outcome that matters to security; no line
	// holds a secret. Nil: no log.
	Logger *slog.Logger

	// Trace remembers the sign-ins for the developer's view, as far as package
	// server serves them. Nil: nothing is remembered.
	Trace *Trace
}

// Pool is a user pool. Its methods are safe for concurrent use.
type Pool struct {
	id, issuer string
	usernames  signInNames
	settings   atomic.Pointer[Settings]
	store      records
	invoke     func(context.Context, Trigger, []byte) ([]byte, error)
	keys       *keyRing
	passkeys   Passkeys
	hasher     *hasher
	gate       *gate
	now        func() time.Time
	log        *slog.Logger
	trace      *Trace

	domain      string // without trailing slash
	deliverer   func(context.Context, Message) error
	deliveries  chan struct{} // holds one value per delivery under way
	lastMessage atomic.Int64  // see nextMessageID

	decoys    atomic.Pointer[Secret] // see decoySecret; nil: not read yet
	collected atomic.Int64           // Unix seconds of the last DeleteExpired
}

var poolID = regexp.MustCompile(`^[\w-]+_[0-9a-zA-Z]+$`)

// New returns a pool. It names the field that is wrong.
func New(ctx context.Context, cfg Config) (*Pool, error) {
	p := &Pool{passkeys: cfg.Passkeys, now: cfg.Now, log: cfg.Logger, invoke: cfg.Invoke}
	err := p.setNames(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Store == nil {
		return nil, errors.New("userpool: Config.Store is required")
	}
	p.store = records{cfg.Store, p.id}
	p.hasher, err = newHasher(cfg.Hashing, cfg.MaxHashes, cfg.HashWait)
	if err != nil {
		return nil, fmt.Errorf("userpool: Config.Hashing: %w", err)
	}
	p.gate = newGate(p.hasher.wait)
	p.deliverer, p.deliveries = cfg.Deliver, make(chan struct{}, maxDeliveries)
	p.trace = cfg.Trace
	p.setDefaults()
	err = p.startKeys(ctx, cfg.Keys)
	if err != nil {
		return nil, fmt.Errorf("userpool: reading keys: %w", err)
	}
	return p, nil
}

// CheckPoolID checks the form of a pool id (API reference, UserPoolType).
func CheckPoolID(id string) error {
	if len(id) > 55 || !poolID.MatchString(id) {
		return fmt.Errorf("%q is not of the form <region>_<alphanumerics>, with at most 55 characters", text.Clip(id))
	}
	return nil
}

func (p *Pool) setNames(cfg Config) error {
	p.id = cfg.ID
	if p.id == "" {
		p.id = NewPoolID()
	}
	if err := CheckPoolID(p.id); err != nil {
		return fmt.Errorf("userpool: Config.ID: %w", err)
	}
	p.issuer = cfg.Issuer
	if strings.HasSuffix(p.issuer, "/") {
		p.issuer += p.id
	}
	p.domain = strings.TrimSuffix(cfg.Domain, "/")
	if p.domain == "" {
		p.domain = strings.TrimSuffix(p.issuer, "/"+p.id)
	}
	err := CheckIssuer(p.issuer, p.id)
	if err != nil {
		return fmt.Errorf("userpool: Config.Issuer: %w", err)
	}
	settings := withSettingsDefaults(cfg.Settings)
	p.settings.Store(&settings)
	p.usernames = newSignInNames(settings)
	return errors.Join(CheckSettings(settings), p.checkInvoke(settings))
}

func (p *Pool) setDefaults() {
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.log = p.trace.Logger(p.log).With("pool", p.id)
}

// CheckIssuer checks the issuer of the pool with this id. It holds it to OpenID
// Connect Discovery section 3 (a URL without query and fragment) and to
// Cognito's form, which ends in the pool id.
func CheckIssuer(issuer, id string) error {
	if issuer == "" {
		return errors.New("it is required")
	}
	u, err := url.Parse(issuer)
	if err != nil {
		return errors.New("it is not a URL")
	}
	web := u.Scheme == "https" || u.Scheme == "http"
	if !web || u.Host == "" || u.User != nil || strings.ContainsAny(issuer, "?#") {
		return fmt.Errorf("%q is not an http or https URL without query and fragment", text.Clip(issuer))
	}
	if !strings.HasSuffix(u.EscapedPath(), "/"+id) {
		return fmt.Errorf("%q does not end in /%s, the pool id", text.Clip(issuer), id)
	}
	return nil
}

// ID returns the pool id.
func (p *Pool) ID() string { return p.id }

// Issuer returns the iss claim of the pool's tokens.
func (p *Pool) Issuer() string { return p.issuer }

// Trace returns the one of [Config], or nil.
func (p *Pool) Trace() *Trace { return p.trace }

// SignInNames says what people type to sign in: some of "username", "email" and
// "phone_number".
func (s *Settings) SignInNames() []string {
	out := []string{}
	if len(s.UsernameAttributes) == 0 {
		out = append(out, "username")
	}
	for _, name := range []string{"email", "phone_number"} {
		if slices.Contains(s.UsernameAttributes, name) || slices.Contains(s.AliasAttributes, name) {
			out = append(out, name)
		}
	}
	return out
}

// collect removes expired records, at most once a minute. A failure costs
// memory and nothing else, since the pool checks every expiry itself.
func (p *Pool) collect(ctx context.Context, now time.Time) {
	last := p.collected.Load()
	if recent(now, time.Unix(last, 0), collectEvery) || !p.collected.CompareAndSwap(last, now.Unix()) {
		return
	}
	_, err := p.store.DeleteExpired(ctx, now, collectLimit)
	if err != nil {
		p.log.ErrorContext(ctx, "removing expired records failed", "err", err)
	}
}

// audit writes the one line about an outcome that matters to security. It lies
// below HTTP so that no handler can leave it out.
func (p *Pool) audit(ctx context.Context, event string, attrs ...slog.Attr) {
	p.log.LogAttrs(ctx, slog.LevelInfo, event, attrs...)
}

func clientAttr(id string) slog.Attr     { return slog.String("client", text.Clip(id)) }
func subAttr(sub string) slog.Attr       { return slog.String("sub", sub) }
func reasonAttr(reason string) slog.Attr { return slog.String("reason", reason) }
