package userpool

import (
	"context"
	"strings"
)

// MachineGrant is a token request of grant type client_credentials.
type MachineGrant struct {
	Scope    string            // space separated; empty: all of the client's
	Metadata map[string]string // for the trigger; see [ParseClientMetadata]
}

// Machine answers a token request of a client in its own name, which was
// authenticated before: an access token alone (RFC 6749 section 4.4). Refusals
// are an [*Error].
func (p *Pool) Machine(ctx context.Context, c Client, r MachineGrant) (TokenSet, error) {
	if !c.allowsFlow(FlowClientCredentials) || c.Secret == "" {
		return TokenSet{}, p.refuseGrant(ctx, c, "the client may not have tokens of its own", errFlow)
	}
	scopes, err := p.grantMachineScopes(c, r.Scope)
	if err != nil {
		p.audit(ctx, "grant refused", clientAttr(c.ID), reasonAttr("a scope that the client may not have"))
		return TokenSet{}, err
	}
	claims, err := p.customizeMachine(ctx, c, r.Metadata, p.machineClaims(c, p.liveScopes(scopes)))
	if err != nil {
		return TokenSet{}, err
	}
	tokens, err := p.sign(ctx, claims, c.AccessTokenValidity)
	if err != nil {
		return TokenSet{}, err
	}
	p.audit(ctx, "machine token issued", clientAttr(c.ID))
	return tokens, nil
}

// machineClaims has nothing of a person, and no origin_jti: such a token cannot
// be revoked (developer guide, page
// "amazon-cognito-user-pools-using-the-access-token").
func (p *Pool) machineClaims(c Client, scopes []string) tokenClaims {
	now := p.now()
	return tokenClaims{scopes: scopes, access: map[string]any{
		"sub": c.ID, "client_id": c.ID, "token_use": "access", "scope": strings.Join(scopes, " "),
		"iss": p.issuer, "auth_time": now.Unix(), "iat": now.Unix(), "exp": now.Add(c.AccessTokenValidity).Unix(),
		"jti": NewUUID(), "version": 2,
	}}
}
