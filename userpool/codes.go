package userpool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// What a code or a message is for.
const (
	PurposeSignUp     = "sign-up"    // confirms a sign-up
	PurposeReset      = "reset"      // lets a person choose a new password
	PurposeVerify     = "verify"     // proves an address of somebody who is signed in
	PurposeMFA        = "mfa"        // is the second factor
	PurposeSignIn     = "sign-in"    // is the first factor
	PurposeInvitation = "invitation" // a message with a temporary password; never a code
)

var (
	errCodeMismatch = &Error{Code: CodeMismatch, Description: TextCodeMismatch}
	errCodeExpired  = &Error{Code: CodeExpired, Description: TextCodeExpired}
	errCodeSpent    = &Error{Code: CodeExpired, Description: TextCodeExpired} // it was the right one
)

// Lifetimes and limits of codes: the quotas page of the developer guide and
// those on verification and recovery. It gives 5 to 20 for recovery, "by risk",
// and no number for second factors.
const maxCodeTries = 5 // wrong ones; then the code is dead

const limitPeriod = time.Hour

type codeRule struct {
	life   time.Duration
	sends  int    // per user and hour
	tries  int    // per user and hour, right ones too; zero: the lock alone
	source string // of the CustomMessage trigger
}

var codeRules = map[string]codeRule{
	PurposeSignUp: {life: 24 * time.Hour, sends: 6, tries: 15, source: sourceMessageSignUp},
	PurposeReset:  {life: time.Hour, sends: 20, tries: 20, source: sourceMessageForgot},
	PurposeVerify: {life: 24 * time.Hour, sends: 6, tries: 15, source: sourceMessageVerify},
	PurposeMFA:    {life: 3 * time.Minute, sends: 60, source: sourceMessageSignIn},
	PurposeSignIn: {life: 3 * time.Minute, sends: 60, source: sourceMessageSignIn},
}

// codeRequest says which code to send to whom.
type codeRequest struct {
	Purpose string
	Client  Client
	User    User
	Medium  string // MediumEmail or MediumSMS
	To      string // the address
	Source  string // of the CustomMessage trigger; empty: that of the purpose

	// Decoy has everything done but the sending: the limits count, and a code is
	// stored that no guess matches. User.Sub is a made-up one (see decoySub).
	Decoy bool
	Why   string // for the log: why it is a decoy
}

// oneTimeCode is a code that was sent, without the code itself.
type oneTimeCode struct {
	Purpose, Sub string
	Hash         string // see codeHash; empty: no code matches
	Medium, To   string // where it went: what knowing it proves
	ClientID     string
	Tries        int  // wrong ones so far
	Link         bool // it went out in a link
	Spent        bool // it was used; see spent
	Expires      time.Time

	version int64
}

func (c oneTimeCode) id() string { return oneTimeID(c.Purpose, c.Sub) }

// oneTimeID is where the one code of this purpose that a user can have is
// stored.
func oneTimeID(purpose, sub string) string { return Secret(purpose + ":" + sub).digest() }

// codeHash binds a code to its purpose and user. It keeps the code out of sight
// and no more: whoever reads the store can try a million codes in a second, and
// finds it in the outbox anyway.
func codeHash(purpose, sub string, code Secret) Secret {
	return Secret(Secret(purpose + ":" + sub + ":" + string(code)).digest())
}

// sendCode makes a code, which takes the place of the one before of the same
// purpose, and sends it. hint is the masked address. Too many in an hour are
// LimitExceededException.
func (p *Pool) sendCode(ctx context.Context, r codeRequest) (hint string, err error) {
	rule, known := codeRules[r.Purpose]
	if !known {
		return "", fmt.Errorf("userpool: there are no codes for %q", r.Purpose)
	}
	p.collect(ctx, p.now())
	err = p.limit(ctx, "send "+r.Purpose, r.User.Sub, rule.sends)
	if err != nil {
		return "", err
	}
	code := p.newOneTimeCode()
	m, err := p.codeMessage(ctx, r, code)
	if err != nil {
		return "", err
	}
	c := oneTimeCode{
		Purpose: r.Purpose, Sub: r.User.Sub, Medium: r.Medium, To: r.To, ClientID: r.Client.ID,
		Link: m.Link != "", Expires: p.now().Add(rule.life),
	}
	hash := string(codeHash(c.Purpose, c.Sub, code))
	if !r.Decoy {
		c.Hash = hash
	}
	err = p.store.PutOneTimeCode(ctx, c, m, r.Decoy)
	if err != nil {
		return "", fmt.Errorf("userpool: storing a code: %w", err)
	}
	p.auditSent(ctx, r)
	if !r.Decoy {
		p.deliver(ctx, m)
	}
	return Mask(r.To), nil
}

func (p *Pool) auditSent(ctx context.Context, r codeRequest) {
	attrs := []slog.Attr{slog.String("purpose", r.Purpose), slog.String("medium", r.Medium)}
	if r.Decoy {
		p.audit(ctx, "code withheld", append(attrs, reasonAttr(r.Why))...)
		return
	}
	p.audit(ctx, "code sent", append(attrs, subAttr(r.User.Sub))...)
}

// newOneTimeCode returns six random digits, or those of the settings.
func (p *Pool) newOneTimeCode() Secret {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic("userpool: no randomness: " + err.Error()) // crypto/rand never fails
	}
	if fixed := p.Settings().FixedCode; fixed != "" {
		return Secret(fixed)
	}
	return Secret(fmt.Sprintf("%06d", n))
}

// matchCode reports whether code is the one that was sent to the user for this
// purpose. The error is CodeMismatchException, ExpiredCodeException,
// LimitExceededException, or a failure of the store. The caller spends the code,
// alone (spendCode) or in the same transaction as what it allows (spendOn): of
// several who send it, one succeeds.
func (p *Pool) matchCode(ctx context.Context, purpose, sub string, code Secret) (oneTimeCode, error) {
	lock := codeLock(purpose, sub)
	err := p.admitCode(ctx, purpose, sub, lock)
	if err != nil {
		return oneTimeCode{}, err
	}
	c, err := p.tryCode(ctx, purpose, sub, code)
	if errors.Is(err, errCodeMismatch) {
		fault := p.countFailure(ctx, lock)
		if fault != nil {
			return oneTimeCode{}, fault
		}
	}
	p.auditCode(ctx, purpose, sub, err)
	if err != nil {
		return oneTimeCode{}, err
	}
	err = p.store.DeleteAttempts(ctx, lock)
	if err != nil {
		return oneTimeCode{}, fmt.Errorf("userpool: forgetting failures: %w", err)
	}
	return c, nil
}

// admitCode refuses while the wrong codes lock, which they do as wrong
// passwords (page "authentication"), and past the hour's number of tries.
func (p *Pool) admitCode(ctx context.Context, purpose, sub, lock string) error {
	err := p.checkLock(ctx, lock)
	if errors.Is(err, errLocked) {
		return errLimitExceeded
	}
	if err != nil {
		return err
	}
	return p.limit(ctx, "try "+purpose, sub, codeRules[purpose].tries)
}

// tryCode compares. A wrong code is counted before the answer goes out; guesses
// that come at the same time count one after another.
func (p *Pool) tryCode(ctx context.Context, purpose, sub string, code Secret) (oneTimeCode, error) {
	for range maxCodeTries + 5 {
		c, ok, err := p.store.OneTimeCode(ctx, purpose, sub)
		switch {
		case err != nil:
			return oneTimeCode{}, fmt.Errorf("userpool: reading a code: %w", err)
		case !ok, !inTime(p.now(), c.Expires, codeRules[purpose].life), c.Tries >= maxCodeTries, c.Spent && !c.Link:
			return oneTimeCode{}, errCodeExpired
		case Secret(c.Hash).Equal(codeHash(purpose, sub, code)):
			if c.Spent {
				return oneTimeCode{}, errCodeSpent
			}
			return c, nil
		}
		c.Tries++
		err = p.store.UpdateOneTimeCode(ctx, c)
		if err == nil {
			return oneTimeCode{}, errCodeMismatch
		}
		if !errors.Is(err, store.ErrConflict) {
			return oneTimeCode{}, fmt.Errorf("userpool: counting a wrong code: %w", err)
		}
	}
	return oneTimeCode{}, errLimitExceeded
}

// spendCode spends a code that matched. Whoever comes second is told that it
// is gone.
func (p *Pool) spendCode(ctx context.Context, c oneTimeCode) error {
	err := store.ErrConflict
	for i := 0; i < spendTries && errors.Is(err, store.ErrConflict); i++ {
		if i > 0 {
			c, err = p.sameCode(ctx, c)
			if err != nil {
				return err
			}
		}
		err = p.store.Apply(ctx, c.spent(User{}))
	}
	if err != nil {
		return fmt.Errorf("userpool: spending a code: %w", err)
	}
	return nil
}

// spendTries bounds how often a code that matched is spent anew: wrong guesses, of
// which there are few, may count on it at that moment, and its user may change.
const spendTries = 10

// sameCode returns the code that matched as it is now, or says that it is gone:
// somebody spent it, or another one took its place.
func (p *Pool) sameCode(ctx context.Context, c oneTimeCode) (oneTimeCode, error) {
	now, ok, err := p.store.OneTimeCode(ctx, c.Purpose, c.Sub)
	switch {
	case err != nil:
		return c, fmt.Errorf("userpool: reading a code: %w", err)
	case !ok, now.Hash != c.Hash, now.version-c.version != int64(now.Tries-c.Tries): // more than wrong tries
		return c, errCodeExpired
	}
	return now, nil
}

// spent is the change that spends a code: it fails when somebody else did. The
// record stays until its end: for its version, see PutOneTimeCode, and that of a
// link to tell the person, who comes after some program that looks at links, that
// all went well.
func (c oneTimeCode) spent(User) store.Change {
	c.Spent = true
	return store.Change{Op: store.Update, Record: oneTimeRecord(c)}
}

// spendOn spends a code that matched and makes the change to its user that it
// allows: both or neither.
func (p *Pool) spendOn(ctx context.Context, c oneTimeCode, edit func(*User) error) (User, error) {
	for range spendTries {
		u, err := p.user(ctx, c.Sub)
		if errors.Is(err, errGone) {
			return User{}, errCodeExpired
		}
		if err != nil {
			return User{}, err
		}
		u = u.Clone()
		err = edit(&u)
		if err == nil {
			err = p.storeUser(ctx, &u, c.spent)
		}
		if !errors.Is(err, store.ErrConflict) {
			return u, err
		}
		c, err = p.sameCode(ctx, c)
		if err != nil {
			return User{}, err
		}
	}
	return User{}, fmt.Errorf("userpool: spending a code: %w", store.ErrConflict)
}

// limit counts one more of something that a user may do so often per hour. The
// hour begins with the first. Zero is no limit.
func (p *Pool) limit(ctx context.Context, what, sub string, most int) error {
	if most == 0 {
		return nil
	}
	key, now := Secret(what+":"+sub).digest(), p.now()
	for range 10 {
		a, ok, err := p.store.Attempts(ctx, key)
		if err != nil {
			return fmt.Errorf("userpool: reading a limit: %w", err)
		}
		if !ok || !inTime(now, a.Expires, limitPeriod) {
			a = Attempts{Key: key, Version: a.Version, Expires: now.Add(limitPeriod)}
		}
		if a.Failures >= most {
			return errLimitExceeded
		}
		a.Failures++
		err = p.store.PutAttempts(ctx, a)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return errLimitExceeded // so many at once are too many
}

func (p *Pool) auditCode(ctx context.Context, purpose, sub string, err error) {
	attrs := []slog.Attr{slog.String("purpose", purpose), subAttr(sub)}
	refusal, refused := errors.AsType[*Error](err)
	switch {
	case err == nil:
		p.audit(ctx, "code accepted", attrs...)
	case refused:
		p.audit(ctx, "code refused", append(attrs, reasonAttr(refusal.Description))...)
	}
}
