package grants

import (
	"context"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
)

// ClientCredentialsGrant is a token request of grant type client_credentials.
type ClientCredentialsGrant struct {
	Scope    string            // space separated; empty: all of the client's
	Metadata map[string]string // for the trigger; see [ParseClientMetadata]
}

// ClientCredentials answers a token request of a client in its own name, which was
// authenticated before: an access token alone (RFC 6749 section 4.4). Refusals
// are an [*userpool.Error].
func (g *Grants) ClientCredentials(
	ctx context.Context, c userpool.Client, r ClientCredentialsGrant,
) (TokenSet, error) {
	if !c.AllowsFlow(userpool.FlowClientCredentials) || c.Secret == "" {
		return TokenSet{}, g.refuseFlow(ctx, c, decision.MachineNotAllowed, userpool.FlowClientCredentials)
	}
	scopes, refusal := g.grantMachineScopes(c, r.Scope)
	if refusal != nil {
		return TokenSet{}, g.refuseGrant(ctx, c, decision.ScopeNotAllowed, refusal)
	}
	claims, err := g.customizeMachine(ctx, c, r.Metadata, g.machineClaims(c, g.liveScopes(scopes)))
	if err != nil {
		return TokenSet{}, err
	}
	tokens, err := g.sign(ctx, claims, c.AccessTokenValidity)
	if err != nil {
		return TokenSet{}, err
	}
	g.core.Audit(ctx, "machine token issued", core.ClientAttr(c.ID))
	return tokens, nil
}

// machineClaims has nothing of a person, and no origin_jti: such a token cannot
// be revoked (developer guide, page
// "amazon-cognito-user-pools-using-the-access-token").
func (g *Grants) machineClaims(c userpool.Client, scopes []string) tokenClaims {
	now := g.core.Now()
	return tokenClaims{scopes: scopes, access: map[string]any{
		"sub": c.ID, "client_id": c.ID, "token_use": "access", "scope": strings.Join(scopes, " "),
		"iss": g.core.Issuer, "auth_time": now.Unix(), "iat": now.Unix(), "exp": now.Add(c.AccessTokenValidity).Unix(),
		"jti": userpool.NewUUID(), "version": 2,
	}}
}
