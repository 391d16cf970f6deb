// Package codes sends codes to the addresses of users, and checks them: six digits for
// one purpose and one user, good once and for a while. It writes the messages that they
// go out in, which also stay in the outbox.
//
// It knows the words (userpool), core, lockout, triggers, records, clock, decision, text
// and the errors of package store. It changes no user.
package codes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/lockout"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
	"github.com/cognate-auth/cognate/userpool/store"
)

// Codes sends and checks the codes of one pool.
type Codes struct {
	core     *core.Core
	lockout  *lockout.Lockout
	triggers *triggers.Triggers

	sent        func(userpool.Message)
	deliverer   func(context.Context, userpool.Message) error
	deliveries  chan struct{} // holds one value per delivery under way
	lastMessage atomic.Int64  // see nextMessageID
}

// New returns the codes of a pool. sent is told of every message, and deliver is given
// it; each may be nil.
func New(
	c *core.Core, l *lockout.Lockout, t *triggers.Triggers,
	sent func(userpool.Message), deliver func(context.Context, userpool.Message) error,
) *Codes {
	return &Codes{
		core: c, lockout: l, triggers: t, sent: sent, deliverer: deliver,
		deliveries: make(chan struct{}, maxDeliveries),
	}
}

// What there is to be told of a code.
var (
	ErrMismatch = &userpool.Error{Code: userpool.CodeMismatch, Description: userpool.TextCodeMismatch}
	ErrExpired  = &userpool.Error{Code: userpool.CodeExpired, Description: userpool.TextCodeExpired}
	ErrSpent    = &userpool.Error{
		Code: userpool.CodeExpired, Description: userpool.TextCodeExpired,
	} // it was the right one
)

// Lifetimes and limits of codes: the quotas page of the developer guide and
// those on verification and recovery. It gives 5 to 20 for recovery, "by risk",
// and no number for second factors.
const maxCodeTries = 5 // wrong ones; then the code is dead

type rule struct {
	life   time.Duration
	sends  int    // per user and hour
	tries  int    // per user and hour, right ones too; zero: the lock alone
	source string // of the CustomMessage trigger
}

var rules = map[string]rule{
	userpool.PurposeSignUp: {life: 24 * time.Hour, sends: 6, tries: 15, source: triggers.SourceMessageSignUp},
	userpool.PurposeReset:  {life: time.Hour, sends: 20, tries: 20, source: triggers.SourceMessageForgot},
	userpool.PurposeVerify: {life: 24 * time.Hour, sends: 6, tries: 15, source: triggers.SourceMessageVerify},
	userpool.PurposeMFA:    {life: 3 * time.Minute, sends: 60, source: triggers.SourceMessageSignIn},
	userpool.PurposeSignIn: {life: 3 * time.Minute, sends: 60, source: triggers.SourceMessageSignIn},
}

// Request says which code to send to whom.
type Request struct {
	Purpose string
	Client  userpool.Client
	User    userpool.User
	Medium  string // MediumEmail or MediumSMS
	To      string // the address
	Source  string // of the CustomMessage trigger; empty: that of the purpose

	// Decoy has everything done but the sending: the limits count, and a code is
	// stored that no guess matches. User.Sub is a made-up one (see accounts.Decoys).
	Decoy bool
	Why   string // for the log: why it is a decoy
}

// codeHash binds a code to its purpose and user. It keeps the code out of sight
// and no more: whoever reads the store can try a million codes in a second, and
// finds it in the outbox anyway.
func codeHash(purpose, sub string, code userpool.Secret) userpool.Secret {
	return userpool.Secret(userpool.Secret(purpose + ":" + sub + ":" + string(code)).Digest())
}

// Send makes a code, which takes the place of the one before of the same
// purpose, and sends it. hint is the masked address. Too many in an hour are
// LimitExceededException.
func (cs *Codes) Send(ctx context.Context, r Request) (hint string, err error) {
	rule, known := rules[r.Purpose]
	if !known {
		return "", fmt.Errorf("userpool: there are no codes for %q", r.Purpose)
	}
	cs.core.Collect(ctx, cs.core.Now())
	err = cs.lockout.Limit(ctx, "send "+r.Purpose, r.User.Sub, rule.sends)
	if err != nil {
		return "", err
	}
	code := cs.newOneTimeCode()
	m, err := cs.Message(ctx, r, code)
	if err != nil {
		return "", err
	}
	c := records.OneTimeCode{
		Purpose: r.Purpose, Sub: r.User.Sub, Medium: r.Medium, To: r.To, ClientID: r.Client.ID,
		Link: m.Link != "", Expires: cs.core.Now().Add(rule.life),
	}
	hash := string(codeHash(c.Purpose, c.Sub, code))
	if !r.Decoy {
		c.Hash = hash
	}
	err = cs.core.Records.PutOneTimeCode(ctx, c, m, r.Decoy)
	if err != nil {
		return "", fmt.Errorf("userpool: storing a code: %w", err)
	}
	cs.auditSent(ctx, r)
	if !r.Decoy {
		cs.Deliver(ctx, m)
	}
	return userpool.Mask(r.To), nil
}

func (cs *Codes) auditSent(ctx context.Context, r Request) {
	attrs := []slog.Attr{slog.String("purpose", r.Purpose), slog.String("medium", r.Medium)}
	if r.Decoy {
		cs.core.Audit(ctx, decision.CodeWithheld, append(attrs, core.ReasonAttr(r.Why))...)
		return
	}
	cs.core.Audit(ctx, "code sent", append(attrs, core.SubAttr(r.User.Sub))...)
}

// newOneTimeCode returns six random digits, or those of the settings.
func (cs *Codes) newOneTimeCode() userpool.Secret {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic("userpool: no randomness: " + err.Error()) // crypto/rand never fails
	}
	if fixed := cs.core.Settings().FixedCode; fixed != "" {
		return userpool.Secret(fixed)
	}
	return userpool.Secret(fmt.Sprintf("%06d", n))
}

// Match reports whether code is the one that was sent to the user for this
// purpose. The error is CodeMismatchException, ExpiredCodeException,
// LimitExceededException, or a failure of the store. The caller spends the code,
// alone (Spend) or in the same transaction as what it allows (SpendOn): of
// several who send it, one succeeds.
func (cs *Codes) Match(ctx context.Context, purpose, sub string, code userpool.Secret) (records.OneTimeCode, error) {
	lock := lockout.CodeKey(purpose, sub)
	err := cs.admitCode(ctx, purpose, sub, lock)
	if err != nil {
		return records.OneTimeCode{}, err
	}
	c, err := cs.tryCode(ctx, purpose, sub, code)
	if errors.Is(err, ErrMismatch) {
		fault := cs.lockout.CountFailure(ctx, lock)
		if fault != nil {
			return records.OneTimeCode{}, fault
		}
	}
	cs.Audit(ctx, purpose, sub, err)
	if err != nil {
		return records.OneTimeCode{}, err
	}
	err = cs.core.Records.DeleteAttempts(ctx, lock)
	if err != nil {
		return records.OneTimeCode{}, fmt.Errorf("userpool: forgetting failures: %w", err)
	}
	return c, nil
}

// admitCode refuses while the wrong codes lock, which they do as wrong
// passwords (page "authentication"), and past the hour's number of tries.
func (cs *Codes) admitCode(ctx context.Context, purpose, sub, lock string) error {
	err := cs.lockout.Check(ctx, lock)
	if errors.Is(err, lockout.ErrLocked) {
		return lockout.ErrLimitExceeded
	}
	if err != nil {
		return err
	}
	return cs.lockout.Limit(ctx, "try "+purpose, sub, rules[purpose].tries)
}

// tryCode compares. A wrong code is counted before the answer goes out; guesses
// that come at the same time count one after another.
func (cs *Codes) tryCode(ctx context.Context, purpose, sub string, code userpool.Secret) (records.OneTimeCode, error) {
	for range maxCodeTries + 5 {
		c, ok, err := cs.core.Records.OneTimeCode(ctx, purpose, sub)
		switch {
		case err != nil:
			return records.OneTimeCode{}, fmt.Errorf("userpool: reading a code: %w", err)
		case !ok, !clock.InTime(
			cs.core.Now(), c.Expires, rules[purpose].life,
		), c.Tries >= maxCodeTries, c.Spent && !c.Link:
			return records.OneTimeCode{}, ErrExpired
		case userpool.Secret(c.Hash).Equal(codeHash(purpose, sub, code)):
			if c.Spent {
				return records.OneTimeCode{}, ErrSpent
			}
			return c, nil
		}
		c.Tries++
		err = cs.core.Records.UpdateOneTimeCode(ctx, c)
		if err == nil {
			return records.OneTimeCode{}, ErrMismatch
		}
		if !errors.Is(err, store.ErrConflict) {
			return records.OneTimeCode{}, fmt.Errorf("userpool: counting a wrong code: %w", err)
		}
	}
	return records.OneTimeCode{}, lockout.ErrLimitExceeded
}

// Spend spends a code that matched. Whoever comes second is told that it
// is gone.
func (cs *Codes) Spend(ctx context.Context, c records.OneTimeCode) error {
	err := store.ErrConflict
	for i := 0; i < SpendTries && errors.Is(err, store.ErrConflict); i++ {
		if i > 0 {
			c, err = cs.Reread(ctx, c)
			if err != nil {
				return err
			}
		}
		err = cs.core.Records.Apply(ctx, c.Spend(userpool.User{}))
	}
	if err != nil {
		return fmt.Errorf("userpool: spending a code: %w", err)
	}
	return nil
}

// SpendTries bounds how often a code that matched is spent anew: wrong guesses, of
// which there are few, may count on it at that moment, and its user may change.
const SpendTries = 10

// Reread returns the code that matched as it is now, or says that it is gone:
// somebody spent it, or another one took its place.
func (cs *Codes) Reread(ctx context.Context, c records.OneTimeCode) (records.OneTimeCode, error) {
	now, ok, err := cs.core.Records.OneTimeCode(ctx, c.Purpose, c.Sub)
	switch {
	case err != nil:
		return c, fmt.Errorf("userpool: reading a code: %w", err)
	case !ok, now.Hash != c.Hash, now.Version-c.Version != int64(now.Tries-c.Tries): // more than wrong tries
		return c, ErrExpired
	}
	return now, nil
}

// Audit writes down whether a code was taken; err is what its check returned.
func (cs *Codes) Audit(ctx context.Context, purpose, sub string, err error) {
	attrs := []slog.Attr{slog.String("purpose", purpose), core.SubAttr(sub)}
	refusal, refused := errors.AsType[*userpool.Error](err)
	switch {
	case err == nil:
		cs.core.Audit(ctx, "code accepted", attrs...)
	case refused:
		cs.core.Audit(ctx, decision.CodeRefused, append(attrs, core.RefusalAttrs(refusal)...)...)
	}
}
