package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
	"github.com/cognate-auth/cognate/userpool/store"
)

// Federation is the sign-in at other identity providers.
type Federation struct {
	core     *core.Core
	users    *accounts.Users
	triggers *triggers.Triggers
}

// RoundTripLifetime is how long a person has at another identity provider
// (developer guide, page "cognito-user-pools-managed-login").
const RoundTripLifetime = 5 * time.Minute

// maxRoundTrips is how many one browser can have under way; the oldest makes
// room for the next.
const maxRoundTrips = 16

// ErrState refuses who comes back from an identity provider and was not sent there.
var ErrState = &userpool.PageError{
	Code: userpool.PageInvalidState,
	Hint: "the way back from an identity provider needs a state that this pool gave to this browser in the last " +
		"five minutes, and that was not used yet; start again at the app",
}

// Start stores t, of which Kind, Provider and the like are set, for the
// browser with this token, and returns its state. Nonce, Verifier, Hash,
// Browser and Expires are set here.
func (f *Federation) Start(
	ctx context.Context, browser userpool.Secret, t userpool.RoundTrip,
) (state userpool.Secret, _ userpool.RoundTrip, err error) {
	t.Browser = browser.Digest()
	return f.put(ctx, t)
}

func (f *Federation) put(
	ctx context.Context, t userpool.RoundTrip,
) (state userpool.Secret, _ userpool.RoundTrip, err error) {
	now := f.core.Now()
	f.core.Collect(ctx, now)
	state, t.Nonce, t.Verifier = userpool.NewSecret(), userpool.NewSecret(), userpool.NewSecret()
	t.Hash, t.Expires = state.Digest(), now.Add(RoundTripLifetime)
	err = f.core.Records.PutRoundTrip(ctx, t, maxRoundTrips)
	if err != nil {
		return "", userpool.RoundTrip{}, fmt.Errorf("userpool: storing a round trip: %w", err)
	}
	return state, t, nil
}

// Take ends the round trip with this state, whatever comes of it: a
// state is good once. One that is not there, over, of another kind or, where
// the browser must be known, another browser's, is a [*userpool.PageError].
//
// A SAML provider answers with a form of another site, with which browsers send
// no cookie of SameSite Lax. Therefore at TripSAML and TripLogout the browser is
// not looked at: it is what [Federation.HoldAnswer] is for.
func (f *Federation) Take(
	ctx context.Context, kind userpool.TripKind, state, browser userpool.Secret,
) (userpool.RoundTrip, error) {
	if state == "" || len(state) > 128 {
		return userpool.RoundTrip{}, ErrState
	}
	t, ok, err := f.core.Records.TakeRoundTrip(ctx, state.Digest())
	if err != nil {
		return userpool.RoundTrip{}, fmt.Errorf("userpool: taking a round trip: %w", err)
	}
	reason := ""
	byForm := kind == userpool.TripSAML || kind == userpool.TripLogout
	switch {
	case !ok:
		reason = decision.StateUnknown
	case t.Kind != kind:
		reason = decision.StateOfAnotherKind
	case !clock.InTime(f.core.Now(), t.Expires, RoundTripLifetime):
		reason = decision.StateExpired
	case !byForm && (browser == "" || t.Browser != browser.Digest()):
		reason = decision.StateOfAnotherBrowser
	default:
		return t, nil
	}
	f.core.Audit(ctx, decision.FederationRefused, core.ReasonAttr(reason))
	return userpool.RoundTrip{}, ErrState
}

// HoldAnswer keeps what a SAML provider said until the same browser comes for
// it, and returns the new state that it comes with.
func (f *Federation) HoldAnswer(
	ctx context.Context, t userpool.RoundTrip, profile userpool.Profile,
) (state userpool.Secret, err error) {
	t.Kind, t.Profile = userpool.TripAnswer, &profile
	state, _, err = f.put(ctx, t)
	return state, err
}

// usedMargin is how much longer than needed it is remembered what must not count
// twice: otherwise a clock that is set back would make it good again.
const usedMargin = 24 * time.Hour

// UseOnce reports whether key was not used before in this pool, and remembers it
// until a day after then: the id of an assertion must not count twice (SAML
// profiles section 4.1.4.5).
func (f *Federation) UseOnce(ctx context.Context, key string, until time.Time) (first bool, err error) {
	err = f.core.Records.PutUsed(ctx, userpool.Secret(key).Digest(), until.Add(usedMargin))
	if errors.Is(err, store.ErrExists) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("userpool: remembering an assertion: %w", err)
	}
	return true, nil
}

// ServiceProvider returns what the pool is to SAML providers, at the domain with
// this base URL (developer guide, page "saml2-idpresponse-endpoint").
func (f *Federation) ServiceProvider(base string) userpool.ServiceProvider {
	return userpool.ServiceProvider{
		EntityID: "urn:amazon:cognito:sp:" + f.core.ID,
		ACS:      base + "/saml2/idpresponse", Logout: base + "/saml2/logout", Now: f.core.Now(),
	}
}
