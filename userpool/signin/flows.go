package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/store"
)

// Flows keeps the ways of people through the sign-in pages, from one request to the next.
type Flows struct{ core *core.Core }

// FlowLifetime is how long a person has for a whole way through the sign-in
// pages (developer guide, page "cognito-user-pools-managed-login").
const FlowLifetime = 5 * time.Minute

// ErrStale says that a form does not belong to the step that its flow is at: it
// was sent before, or another tab went on.
var ErrStale = errors.New("userpool: the flow is at another step")

// Start begins a flow for the browser with this token and this
// authorization request, and returns the id that its pages carry. It is stored
// by [Flows.Save].
func (fs *Flows) Start(browser userpool.Secret, request string) (id userpool.Secret, f *userpool.Flow) {
	id = userpool.NewSecret()
	return id, &userpool.Flow{
		Hash: id.Digest(), Browser: browser.Digest(), Request: userpool.Secret(request).Digest(),
		Step:    userpool.StepSignIn,
		Expires: fs.core.Now().Add(FlowLifetime),
	}
}

// Get returns the flow with this id, if it is this browser's and this
// authorization request's and not over. Anything else is ok == false.
func (fs *Flows) Get(
	ctx context.Context, id, browser userpool.Secret, request string,
) (f *userpool.Flow, ok bool, err error) {
	if id == "" || browser == "" {
		return nil, false, nil
	}
	f, ok, err = fs.core.Records.Flow(ctx, id.Digest())
	if err != nil {
		return nil, false, fmt.Errorf("userpool: reading flow: %w", err)
	}
	if !ok || f.Browser != browser.Digest() || f.Request != userpool.Secret(request).Digest() ||
		!clock.InTime(fs.core.Now(), f.Expires, max(FlowLifetime, codeStepLifetime)) {
		return nil, false, nil
	}
	return f, true, nil
}

// Save stores what happened. [ErrStale] means that another request of the
// same flow was faster: nothing is stored then.
func (fs *Flows) Save(ctx context.Context, f *userpool.Flow) error {
	fs.core.Collect(ctx, fs.core.Now())
	err := fs.core.Records.PutFlow(ctx, f)
	if errors.Is(err, store.ErrConflict) {
		return ErrStale
	}
	if err != nil {
		return fmt.Errorf("userpool: storing flow: %w", err)
	}
	return nil
}

// Renew stores what happened, as Save does, under another id. It is for a flow
// in which something was proven for the first time: somebody may have planted the
// browser's token and a flow of their own, and waited (session fixation).
func (fs *Flows) Renew(ctx context.Context, f *userpool.Flow) (id userpool.Secret, err error) {
	id = userpool.NewSecret()
	g := *f
	g.Hash, g.Version = id.Digest(), 0
	err = fs.core.Records.ReplaceFlow(ctx, f, &g)
	if errors.Is(err, store.ErrConflict) {
		return "", ErrStale
	}
	if err != nil {
		return "", fmt.Errorf("userpool: storing flow: %w", err)
	}
	*f = g
	return id, nil
}

// End removes a flow, so that no form of it counts any more. [ErrStale] means
// that another request of the same flow was faster: it is not this one's to end.
func (fs *Flows) End(ctx context.Context, f *userpool.Flow) error {
	if f.Version == 0 {
		return nil // it was never stored
	}
	err := fs.core.Records.DeleteFlow(ctx, f)
	if errors.Is(err, store.ErrConflict) {
		return ErrStale
	}
	if err != nil {
		return fmt.Errorf("userpool: ending flow: %w", err)
	}
	return nil
}
