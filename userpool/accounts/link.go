package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/store"
)

// maxIdentities is how many identities a user can be linked to (developer guide,
// page "quotas").
const maxIdentities = 5

// LinkProvider makes the user with this sub be somebody at an identity provider
// too, whose subject this is: who signs in as that there is this user here (API
// reference, AdminLinkProviderForUser). A user has at most five such
// identities. What breaks a rule is an [*userpool.Error].
func (a *Users) LinkProvider(ctx context.Context, sub, provider, subject string) (userpool.User, error) {
	ip, ok := a.core.Settings().Provider(provider)
	if !ok {
		return userpool.User{}, userpool.InvalidParameter(
			fmt.Sprintf("there is no identity provider %q in the pool", text.Clip(provider)),
		)
	}
	if subject == "" || len(subject) > userpool.MaxAttributeBytes {
		return userpool.User{}, userpool.InvalidParameter("the subject has 1 to 2048 bytes")
	}
	u, err := a.BySub(ctx, sub)
	if err != nil {
		return userpool.User{}, fmt.Errorf("userpool: linking a user: %w", err)
	}
	if len(u.Identities) >= maxIdentities {
		return userpool.User{}, userpool.InvalidParameter("a user is linked to at most 5 identities")
	}
	now := a.core.Now()
	u.Identities = append(u.Identities, userpool.Identity{
		UserID: subject, ProviderName: ip.Name, ProviderType: ip.Type, Created: now,
	})
	u.Modified = now
	err = a.core.Records.UpdateUser(ctx, u)
	if errors.Is(err, store.ErrExists) {
		return userpool.User{}, userpool.InvalidParameter("Merging is not currently supported, " +
			"provide a SourceUser that has not been signed up in order to link")
	}
	if err != nil {
		return userpool.User{}, fmt.Errorf("userpool: linking a user: %w", err)
	}
	a.core.Audit(ctx, "identity linked", core.SubAttr(sub), slog.String("provider", ip.Name))
	u.Version++
	return u, nil
}
