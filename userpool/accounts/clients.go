package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/store"
)

// Clients are the app clients of a pool.
type Clients struct{ core *core.Core }

// ClientCredentials is how a request to the token or revocation endpoint says
// which client it comes from.
type ClientCredentials struct {
	ID     string
	Secret userpool.Secret // empty: none was sent
	// Basic says that they came in the Authorization header.
	Basic bool
}

// maxPage is how many clients one call of Clients returns at most.
const maxPage = 100

// Get returns the client with this ID, with its secrets.
func (a *Clients) Get(ctx context.Context, id string) (c userpool.Client, ok bool, err error) {
	c, ok, err = a.core.Records.Client(ctx, id)
	if err != nil {
		return userpool.Client{}, false, fmt.Errorf("userpool: reading client: %w", err)
	}
	return c, ok, nil
}

// List returns at most limit clients, and never more than 100, in the order
// of their IDs: those after the one given.
func (a *Clients) List(ctx context.Context, after string, limit int) ([]userpool.Client, error) {
	list, err := a.core.Records.Clients(ctx, after, min(limit, maxPage))
	if err != nil {
		return nil, fmt.Errorf("userpool: reading clients: %w", err)
	}
	return list, nil
}

// Check checks c as [Clients.Create] does. Scopes, identity providers
// and attributes must be those of the pool's settings.
func (a *Clients) Check(c userpool.Client) error {
	return userpool.CheckClientOf(*a.core.Settings(), c)
}

// Create checks c, fills in what is empty, stores it and returns it, with
// its secret. What breaks a rule is an [*userpool.Error]; an ID that is taken is
// [store.ErrExists].
func (a *Clients) Create(ctx context.Context, c userpool.Client) (userpool.Client, error) {
	c, err := a.ready(c)
	if err != nil {
		return userpool.Client{}, err
	}
	err = a.core.Records.CreateClient(ctx, c)
	if err != nil {
		return userpool.Client{}, fmt.Errorf("userpool: creating client: %w", err)
	}
	c.Version = 1
	return c, nil
}

// ready returns c as it is stored.
func (a *Clients) ready(c userpool.Client) (userpool.Client, error) {
	c = c.Clone().WithDefaults()
	err := a.Check(c)
	if err != nil {
		return userpool.Client{}, err
	}
	if c.GenerateSecret {
		c.Secret, c.GenerateSecret = newClientSecret(), false
	}
	return c, nil
}

// Update replaces the client that has c's ID, if its Version is still c's,
// and returns it as it is now; otherwise, or when it is gone, it returns
// [store.ErrConflict]. What was issued to the client before stays valid.
func (a *Clients) Update(ctx context.Context, c userpool.Client) (userpool.Client, error) {
	if c.Version == 0 {
		return userpool.Client{}, fmt.Errorf("userpool: updating client: it was never stored: %w", store.ErrConflict)
	}
	c, err := a.ready(c)
	if err != nil {
		return userpool.Client{}, err
	}
	err = a.core.Records.UpdateClient(ctx, c)
	if err != nil {
		return userpool.Client{}, fmt.Errorf("userpool: updating client: %w", err)
	}
	c.Version++
	return c, nil
}

// Put stores c whether or not there is a client with its ID, which is
// required, and returns it as it is now: with the Version that it had if nothing
// is different. GenerateSecret keeps the secret of the client that was there, if
// it has one. Of several calls at once none fails because of the others.
func (a *Clients) Put(ctx context.Context, c userpool.Client) (userpool.Client, error) {
	const tries = 10
	err := store.ErrConflict
	for i := 0; i < tries && (errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists)); i++ {
		var stored userpool.Client
		stored, err = a.put(ctx, c)
		if err == nil {
			return stored, nil
		}
	}
	return userpool.Client{}, err
}

// put is one try: another process may be doing the same.
func (a *Clients) put(ctx context.Context, c userpool.Client) (userpool.Client, error) {
	before, ok, err := a.Get(ctx, c.ID)
	switch {
	case err != nil:
		return userpool.Client{}, err
	case c.ID == "":
		return userpool.Client{}, userpool.InvalidParameter("the client needs an ID")
	case !ok:
		return a.Create(ctx, c)
	}
	if c.GenerateSecret && c.Secret == "" && before.Secret != "" {
		c.Secret, c.GenerateSecret = before.Secret, false
	}
	c.Version = before.Version
	ready, err := a.ready(c)
	if err == nil && sameClient(ready, before) {
		return before, nil
	}
	return a.Update(ctx, c)
}

// sameClient compares what a store keeps.
func sameClient(a, b userpool.Client) bool {
	a.Version, b.Version = 0, 0
	return string(records.ClientRecord(a, 0).Body) == string(records.ClientRecord(b, 0).Body)
}

// Delete removes the client with this ID; it is no error if there is none.
// Its tokens are refused from now on wherever the pool is asked.
func (a *Clients) Delete(ctx context.Context, id string) error {
	err := a.core.Records.DeleteClient(ctx, id)
	if err != nil {
		return fmt.Errorf("userpool: deleting client: %w", err)
	}
	return nil
}

var errClient = &userpool.Error{Code: userpool.CodeInvalidClient}

// Authenticate returns the client with these credentials (RFC 6749
// section 2.3), or invalid_client. A client that has a secret must send it; one
// that has none must send none, and no Basic header.
func (a *Clients) Authenticate(ctx context.Context, cred ClientCredentials) (userpool.Client, error) {
	c, ok, err := a.Get(ctx, cred.ID)
	if err != nil {
		return userpool.Client{}, err
	}
	var reason, hint string
	switch {
	case !ok:
		reason = decision.UnknownClient
		hint = "pool " + a.core.ID + " has no such client; compare the client_id" + withOutput
	case c.Secret == "" && (cred.Secret != "" || cred.Basic):
		reason = decision.SecretUnexpected
		hint = "send client_id in the body, no client_secret and no Authorization header"
	case c.Secret != "" && cred.Secret == "":
		reason = decision.SecretMissing
		hint = "send the client's secret in the Authorization header (Basic), or as client_secret in the body"
	case c.Secret != "" && !c.HasSecret(cred.Secret):
		reason, hint = decision.SecretWrong, "compare the app's client secret"+withOutput
	default:
		return c, nil
	}
	a.core.AuditMistake(ctx, decision.ClientRefused, hint, core.ClientAttr(cred.ID), core.ReasonAttr(reason))
	return userpool.Client{}, errClient
}

const withOutput = " with the pool's; for cognate pool, cognate client-secrets prints both"

// newClientSecret returns 52 lower-case alphanumerics (256 random bits).
func newClientSecret() userpool.Secret {
	return userpool.Secret(strings.ToLower(rand.Text() + rand.Text()))
}
