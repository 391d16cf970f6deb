package userpool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// RoundTripLifetime is how long a person has at another identity provider
// (developer guide, page "cognito-user-pools-managed-login").
const RoundTripLifetime = 5 * time.Minute

// maxRoundTrips is how many one browser can have under way; the oldest makes
// room for the next.
const maxRoundTrips = 16

// PageInvalidState is the error parameter of the page /error for somebody who
// comes from an identity provider and was not sent there by this pool, from
// this browser, a few minutes ago.
const PageInvalidState = "Invalid state"

// A TripKind says what a [RoundTrip] is there for. A state of one kind is
// worth nothing where another is expected.
type TripKind string

// The kinds of round trips.
const (
	TripOIDC   TripKind = "oidc"
	TripSAML   TripKind = "saml"
	TripAnswer TripKind = "answer" // the SAML provider has answered; the browser is still to be recognized
	TripLogout TripKind = "logout" // to sign out at a SAML provider
)

// A RoundTrip is a browser's way to another identity provider and back. It is
// found by its state, which is used up by that, and bound to the browser, the
// provider and the authorization request that it began with.
type RoundTrip struct {
	Hash     string // hexadecimal SHA-256 of the state
	Kind     TripKind
	Browser  string // hexadecimal SHA-256 of the browser's csrf-state
	Provider string
	Request  string // the authorization request: its query, encoded
	Nonce    Secret // of the ID token
	Verifier Secret // PKCE
	Message  string // the ID of the SAML message that was sent
	Profile  *Profile
	Location string // of a logout: where the browser goes in the end
	Expires  time.Time
}

var errState = &PageError{Code: PageInvalidState, Mend: "the way back from an identity provider needs a state that " +
	"this pool gave to this browser in the last five minutes, and that was not used yet; start again at the app"}

// StartRoundTrip stores t, of which Kind, Provider and the like are set, for the
// browser with this token, and returns its state. Nonce, Verifier, Hash,
// Browser and Expires are set here.
func (p *Pool) StartRoundTrip(ctx context.Context, browser Secret, t RoundTrip) (state Secret, _ RoundTrip, err error) {
	t.Browser = browser.digest()
	return p.putRoundTrip(ctx, t)
}

func (p *Pool) putRoundTrip(ctx context.Context, t RoundTrip) (state Secret, _ RoundTrip, err error) {
	now := p.now()
	p.collect(ctx, now)
	state, t.Nonce, t.Verifier = newOpaque(), newOpaque(), newOpaque()
	t.Hash, t.Expires = state.digest(), now.Add(RoundTripLifetime)
	err = p.store.PutRoundTrip(ctx, t, maxRoundTrips)
	if err != nil {
		return "", RoundTrip{}, fmt.Errorf("userpool: storing a round trip: %w", err)
	}
	return state, t, nil
}

// TakeRoundTrip ends the round trip with this state, whatever comes of it: a
// state is good once. One that is not there, over, of another kind or, where
// the browser must be known, another browser's, is a [*PageError].
//
// A SAML provider answers with a form of another site, with which browsers send
// no cookie of SameSite Lax. Therefore at TripSAML and TripLogout the browser is
// not looked at: it is what [Pool.HoldAnswer] is for.
func (p *Pool) TakeRoundTrip(ctx context.Context, kind TripKind, state, browser Secret) (RoundTrip, error) {
	if state == "" || len(state) > 128 {
		return RoundTrip{}, errState
	}
	t, ok, err := p.store.TakeRoundTrip(ctx, state.digest())
	if err != nil {
		return RoundTrip{}, fmt.Errorf("userpool: taking a round trip: %w", err)
	}
	reason := ""
	byForm := kind == TripSAML || kind == TripLogout
	switch {
	case !ok:
		reason = "the state is unknown or was used"
	case t.Kind != kind:
		reason = "the state is of another kind of round trip"
	case !inTime(p.now(), t.Expires, RoundTripLifetime):
		reason = "the round trip took more than five minutes"
	case !byForm && (browser == "" || t.Browser != browser.digest()):
		reason = "another browser began the round trip"
	default:
		return t, nil
	}
	p.audit(ctx, "federation refused", reasonAttr(reason))
	return RoundTrip{}, errState
}

// HoldAnswer keeps what a SAML provider said until the same browser comes for
// it, and returns the new state that it comes with.
func (p *Pool) HoldAnswer(ctx context.Context, t RoundTrip, profile Profile) (state Secret, err error) {
	t.Kind, t.Profile = TripAnswer, &profile
	state, _, err = p.putRoundTrip(ctx, t)
	return state, err
}

// usedMargin is how much longer than needed it is remembered what must not count
// twice: otherwise a clock that is set back would make it good again.
const usedMargin = 24 * time.Hour

// UseOnce reports whether key was not used before in this pool, and remembers it
// until a day after then: the id of an assertion must not count twice (SAML
// profiles section 4.1.4.5).
func (p *Pool) UseOnce(ctx context.Context, key string, until time.Time) (first bool, err error) {
	err = p.store.PutUsed(ctx, Secret(key).digest(), until.Add(usedMargin))
	if errors.Is(err, store.ErrExists) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("userpool: remembering an assertion: %w", err)
	}
	return true, nil
}

// Now tells the pool's time.
func (p *Pool) Now() time.Time { return p.now() }
