package userpool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// Lockout, as in the developer guide, page "authentication".
const (
	freeFailures = 5 // the fifth failure locks for a second, each further one twice as long
	maxLock      = 15 * time.Minute
	quietPeriod  = 15 * time.Minute // without any attempt: the count is forgotten
)

// maxTemporary is how long a temporary password can work (API reference,
// PasswordPolicyType).
const maxTemporary = 365 * 24 * time.Hour

var (
	errIncorrect        = &Error{Code: CodeNotAuthorized, Description: TextIncorrect}
	errDisabled         = &Error{Code: CodeNotAuthorized, Description: TextDisabled}
	errNotConfirmed     = &Error{Code: CodeUserNotConfirmed, Description: TextNotConfirmed}
	errResetRequired    = &Error{Code: CodePasswordResetRequired, Description: TextResetRequired}
	errTemporaryExpired = &Error{Code: CodeNotAuthorized, Description: TextTemporaryExpired}
)

var errNoSuchLogin = &Error{Code: CodeNotAuthorized, Description: TextNoSuchLogin}

var (
	errLocked        = &Error{Code: CodeNotAuthorized, Description: TextLocked}
	errLimitExceeded = &Error{Code: CodeLimitExceeded, Description: TextLimitExceeded}
)

// SignIn returns the user with this name and password, whom nothing keeps from
// signing in; it asks for no second factor. A refusal is an [*Error] with
// [TextIncorrect] or [TextLocked] as its description, or one that says what is
// wrong with the account, and [ErrBusy] when too many sign-ins are under way.
//
// A name that nobody has gets the same answers as one that somebody has, for
// the same work: its failures are counted, and a password is hashed.
func (p *Pool) SignIn(ctx context.Context, username string, password Secret) (User, error) {
	who, err := p.accountByName(ctx, username)
	if err == nil {
		err = p.checkPassword(ctx, who, username, password)
	}
	if err == nil {
		err = p.rules().admit(who.User)
	}
	if err != nil {
		return User{}, err
	}
	p.audit(ctx, "signed in", slog.String("username", who.Username), subAttr(who.Sub))
	return who.User, nil
}

// SignInStep is what the sign-in page asks for: f.Username and the password or,
// at a client whose people choose how to sign in, the name alone. What follows
// is in f.Step. A refusal is an [*Error].
func (p *Pool) SignInStep(ctx context.Context, req Request, f *Flow, password Secret) error {
	if !req.Client.Supports(ProviderCognito) {
		return errNoSuchLogin
	}
	f.Named, f.Sub, f.Methods = false, "", nil
	if !req.Client.ChoosesFactor() {
		return p.PasswordStep(ctx, req, f, password)
	}
	who, err := p.accountOf(ctx, f)
	if err != nil {
		return err
	}
	if req.Client.RevealUserExistence && !who.known {
		return errNoSuchUser
	}
	g := *f
	g.Named = true
	if who.known {
		g.Sub = who.Sub
	}
	err = p.advance(ctx, req, &g, who)
	if err == nil {
		*f = g
	}
	return err
}

// FactorStep is the choice among the first factors (SELECT_CHALLENGE).
func (p *Pool) FactorStep(ctx context.Context, req Request, f *Flow, factor string) error {
	who, x, err := p.at(ctx, req, f)
	if err != nil {
		return err
	}
	if len(f.Methods) > 0 || !slices.Contains(x.firstFactors(), factor) {
		return errNoSuchLogin
	}
	return p.enter(ctx, req, f, who, firstMove(factor))
}

// OtherFactorStep goes back to the choice among the first factors, or to the
// sign-in page if there is no name to choose for.
func (p *Pool) OtherFactorStep(_ context.Context, f *Flow) error {
	if len(f.Methods) > 0 {
		return errNoSuchLogin
	}
	f.Step, f.Factor, f.Secret, f.Options = StepFactor, "", "", ""
	if !f.Named {
		f.Step = StepSignIn
	}
	return nil
}

// Factors are the factors that can be chosen at the flow's step: to begin with,
// as the second one, or to register.
func (p *Pool) Factors(ctx context.Context, req Request, f *Flow) ([]string, error) {
	_, x, err := p.at(ctx, req, f)
	switch {
	case err != nil:
		return nil, err
	case f.Step == StepMFASetup:
		return x.setups(), nil
	case len(f.Methods) > 0:
		return x.secondFactors(), nil
	default:
		return x.firstFactors(), nil
	}
}

// PasswordStep is the step that asks for the password of f.Username. What
// follows is in f.Step. A refusal is an [*Error], as that of [Pool.SignIn].
func (p *Pool) PasswordStep(ctx context.Context, req Request, f *Flow, password Secret) error {
	who, err := p.accountOf(ctx, f)
	if err != nil {
		return err
	}
	err = p.mayTry(ctx, req.Client, who)
	if err == nil && req.Client.RevealUserExistence && who.Status == UserResetRequired {
		return p.resetRequired(ctx, req, f, who.User) // no password would do
	}
	if err == nil {
		err = p.checkPassword(ctx, who, f.Username, password)
	}
	if err != nil {
		return err
	}
	return p.proved(ctx, req, f, who.User, methodPassword)
}

// mayTry asks the trigger, and tells what is wrong with an account before the
// password is looked at, if the client wants that to be known.
func (p *Pool) mayTry(ctx context.Context, c Client, who account) error {
	u := who.User
	if !who.known {
		u = User{Username: u.Username}
	}
	err := p.preAuthentication(ctx, c, u)
	if err != nil || !c.RevealUserExistence {
		return err
	}
	if !who.known {
		return errNoSuchUser
	}
	err = p.rules().admit(u)
	if errors.Is(err, errNotConfirmed) || errors.Is(err, errResetRequired) {
		return nil // there is a way on from here: see held
	}
	return err
}

// admit returns what keeps a user from signing in, whatever was proven.
func (r rules) admit(u User) error {
	switch {
	case u.Disabled:
		return errDisabled
	case u.Status == UserUnconfirmed:
		return errNotConfirmed
	case u.Status == UserResetRequired:
		return errResetRequired
	case u.Status == UserForceChange && !u.TemporaryUntil.IsZero() &&
		!inTime(r.now(), u.TemporaryUntil, maxTemporary):
		return errTemporaryExpired
	default:
		return nil
	}
}

// checkPassword is the check of a password and all that goes with it.
func (p *Pool) checkPassword(ctx context.Context, who account, username string, password Secret) error {
	if who.PasswordHash == "" { // no password signs this user in: it takes as long
		who.PasswordHash, who.known = p.hasher.decoy, false
	}
	key := attemptKey(who, username)
	leave, err := p.gate.enter(ctx, key)
	if err != nil {
		return err
	}
	defer leave()
	err = p.tryPassword(ctx, key, who, password)
	p.auditSignIn(ctx, who, err)
	return err
}

// attemptKey is what failures are counted under: the account, however it was
// named, or else the name. It is a digest because names may be long.
func attemptKey(who account, username string) string {
	if who.known {
		return Secret("sub:" + who.Sub).digest()
	}
	return Secret("name:" + foldLogin(username)).digest()
}

// tryPassword is the part of a sign-in that only one caller per account is in.
func (p *Pool) tryPassword(ctx context.Context, key string, who account, password Secret) error {
	err := p.checkLock(ctx, key)
	if err != nil {
		return err
	}
	ok, stale, err := p.hasher.verify(ctx, who.PasswordHash, password)
	switch {
	case err != nil:
		return err
	case !ok || !who.known:
		err = p.countFailure(ctx, key)
		if err != nil {
			return err // a guess that cannot be counted gets no answer
		}
		return errIncorrect
	}
	err = p.store.DeleteAttempts(ctx, key)
	if err != nil {
		return fmt.Errorf("userpool: forgetting failures: %w", err)
	}
	if stale {
		p.rehash(ctx, who.User, password)
	}
	return nil
}

// checkLock returns errLocked while the account is locked. The attempt does not
// count then, but it ends the quiet.
func (p *Pool) checkLock(ctx context.Context, key string) error {
	a, ok, err := p.store.Attempts(ctx, key)
	if err != nil {
		return fmt.Errorf("userpool: reading failures: %w", err)
	}
	now, lock := p.now(), lockFor(a.Failures)
	if !ok || !inTime(now, a.LockedUntil, lock) {
		return nil
	}
	a.LockedUntil = earlier(a.LockedUntil, now.Add(lock)) // if the clock was set back a little
	a.Expires = now.Add(quietPeriod)
	err = p.store.PutAttempts(ctx, a)
	if err != nil && !errors.Is(err, store.ErrConflict) { // a conflict: another process wrote the same
		return fmt.Errorf("userpool: keeping failures: %w", err)
	}
	return errLocked
}

// countFailure adds one to the count and sets the lock. Another process may do
// so at the same time; then the next round counts on top of it.
func (p *Pool) countFailure(ctx context.Context, key string) error {
	now := p.now()
	p.collect(ctx, now)
	for range 10 {
		a, ok, err := p.store.Attempts(ctx, key)
		if err != nil {
			return fmt.Errorf("userpool: reading failures: %w", err)
		}
		if !ok {
			a = Attempts{Key: key}
		} else if !inTime(now, a.Expires, quietPeriod) {
			a.Failures = 0
		}
		a.Failures++
		a.LockedUntil, a.Expires = now.Add(lockFor(a.Failures)), now.Add(quietPeriod)
		err = p.store.PutAttempts(ctx, a)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("userpool: counting a failure: %w", store.ErrConflict)
}

// lockFor returns how long the n-th failure locks: 2^(n-5) s from the fifth on.
func lockFor(n int) time.Duration {
	switch {
	case n < freeFailures:
		return 0
	case n-freeFailures >= 10: // 2^10 s is more than 15 minutes
		return maxLock
	default:
		return time.Second << (n - freeFailures)
	}
}

// rehash replaces a hash of another cost. If it fails the old one still works,
// and the next sign-in tries again.
func (p *Pool) rehash(ctx context.Context, user User, password Secret) {
	hash, err := p.hasher.hash(ctx, password)
	if err == nil {
		user.PasswordHash = hash
		err = p.store.UpdateUser(ctx, user)
	}
	if err != nil {
		p.log.WarnContext(ctx, "renewing a password hash failed", "sub", user.Sub, "err", err)
	}
}

// auditSignIn names the user, if there is one, and never what was typed: people
// type their password into the wrong field.
func (p *Pool) auditSignIn(ctx context.Context, who account, err error) {
	attrs := []slog.Attr{slog.Bool("known", who.known)}
	if who.known {
		attrs = append(attrs, slog.String("username", who.Username), subAttr(who.Sub))
	}
	refusal, refused := errors.AsType[*Error](err)
	switch {
	case err == nil:
		p.audit(ctx, "password accepted", attrs...)
	case refused:
		p.audit(ctx, "sign-in refused", append(attrs, reasonAttr(refusal.Description))...)
	default:
		p.audit(ctx, "sign-in failed", append(attrs, slog.Any("err", err))...)
	}
}
