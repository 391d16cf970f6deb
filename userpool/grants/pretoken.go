package grants

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/oauthscope"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
)

// Claims that no trigger can change (developer guide, page
// "user-pool-lambda-pre-token-generation").
var (
	protectedClaims = []string{
		"acr", "amr", "at_hash", "aud", "auth_time", "azp", "cognito:username", "exp", "iat", "identities", "iss",
		"jti", "nbf", "nonce", "origin_jti", "sub", "token_use",
	}
	protectedAccessClaims = []string{"client_id", "device_key", "event_id", "scope", "username", "version"}
)

// preTokenRequest is the request of a pre token generation event.
type preTokenRequest struct {
	UserAttributes     map[string]string `json:"userAttributes"`
	GroupConfiguration groupClaims       `json:"groupConfiguration"`
	Scopes             []string          `json:"scopes,omitempty"`
	ClientMetadata     map[string]string `json:"clientMetadata,omitempty"`
}

// claimChanges are what a trigger wants of one token.
type claimChanges struct {
	Add              map[string]any `json:"claimsToAddOrOverride"`
	Suppress         []string       `json:"claimsToSuppress"`
	ScopesToAdd      []string       `json:"scopesToAdd"`
	ScopesToSuppress []string       `json:"scopesToSuppress"`
}

// preTokenAnswer holds the answers of all versions of the event.
type preTokenAnswer struct {
	V1 *struct {
		Add      map[string]string `json:"claimsToAddOrOverride"`
		Suppress []string          `json:"claimsToSuppress"`
		Groups   *groupClaims      `json:"groupOverrideDetails"`
	} `json:"claimsOverrideDetails"`
	V2 *struct {
		ID     *claimChanges `json:"idTokenGeneration"`
		Access *claimChanges `json:"accessTokenGeneration"`
		Groups *groupClaims  `json:"groupOverrideDetails"`
	} `json:"claimsAndScopeOverrideDetails"`
}

// customize lets the pre token generation trigger change the claims. A refusal
// is what the app is told.
func (g *Grants) customize(ctx context.Context, i issuance, t tokenClaims) (tokenClaims, error) {
	trigger, ok := g.core.Settings().Triggers[userpool.TriggerPreToken]
	if !ok {
		return t, nil
	}
	request := preTokenRequest{
		UserAttributes: triggers.Attributes(i.user), GroupConfiguration: g.groupClaims(i.user.Groups),
	}
	return g.askPreToken(ctx, trigger, g.triggers.Event(i.client, i.source, i.user.Username, nil, nil), request, t)
}

// customizeMachine is customize for a client's own token, which only the newest
// event is about.
func (g *Grants) customizeMachine(
	ctx context.Context, c userpool.Client, metadata map[string]string, t tokenClaims,
) (tokenClaims, error) {
	trigger, ok := g.core.Settings().Triggers[userpool.TriggerPreToken]
	if !ok || trigger.Version != userpool.TriggerV3 {
		return t, nil
	}
	request := preTokenRequest{
		UserAttributes: map[string]string{}, GroupConfiguration: g.groupClaims(nil), ClientMetadata: metadata,
	}
	return g.askPreToken(ctx, trigger, g.triggers.Event(c, triggers.SourceTokensForMachine, "", nil, nil), request, t)
}

func (g *Grants) askPreToken(
	ctx context.Context, trigger userpool.Trigger, e triggers.Event, request preTokenRequest, t tokenClaims,
) (tokenClaims, error) {
	first := trigger.Version == "" || trigger.Version == userpool.TriggerV1
	if first {
		e.Response = map[string]any{"claimsOverrideDetails": nil}
	} else {
		e.Version = trigger.Version[1:2]
		e.Response = map[string]any{"claimsAndScopeOverrideDetails": nil}
		request.Scopes = t.scopes
	}
	e.Request = request
	var answer preTokenAnswer
	err := g.triggers.Call(ctx, userpool.TriggerPreToken, e, &answer)
	if err == nil {
		t, err = answer.apply(t, first)
	}
	if err == nil && (tooLong(t.access) || tooLong(t.id)) {
		err = triggers.ErrUnrecognizable
	}
	if refusal, ok := err.(*userpool.Error); ok { //nolint:errorlint // Call and apply return it bare
		told := refusal.ForApp()
		err = &told
	}
	return t, err
}

// tooLong reports whether a token with these claims is longer than those that
// the pool takes itself: its payload is in base64, and a header and a signature
// are around it.
func tooLong(claims map[string]any) bool {
	body, err := json.Marshal(claims)
	return err != nil || len(body) > (maxToken-2<<10)/4*3
}

// apply makes the changes that an event of this version can ask for.
func (a preTokenAnswer) apply(t tokenClaims, first bool) (tokenClaims, error) {
	switch {
	case first && a.V1 != nil:
		add := make(map[string]any, len(a.V1.Add))
		for name, value := range a.V1.Add {
			add[name] = value
		}
		t.override(a.V1.Groups)
		(&claimChanges{Add: add, Suppress: a.V1.Suppress}).apply(t.id, protectedClaims)
	case !first && a.V2 != nil:
		t.override(a.V2.Groups)
		a.V2.ID.apply(t.id, protectedClaims)
		a.V2.Access.apply(t.access, slices.Concat(protectedClaims, protectedAccessClaims))
		return t, a.V2.Access.applyScopes(&t)
	}
	return t, nil
}

// override puts other groups into both tokens.
func (t tokenClaims) override(groups *groupClaims) {
	if groups == nil {
		return
	}
	groups.apply(t.access, false)
	if t.id != nil {
		groups.apply(t.id, true)
	}
}

// apply changes the claims of one token. What is protected stays as it is.
func (c *claimChanges) apply(claims map[string]any, protected []string) {
	if c == nil || claims == nil {
		return
	}
	for name, value := range c.Add {
		if name != "" && !slices.Contains(protected, name) {
			claims[name] = value
		}
	}
	for _, name := range c.Suppress {
		if !slices.Contains(protected, name) {
			delete(claims, name)
		}
	}
}

// applyScopes changes the scopes of the access token.
func (c *claimChanges) applyScopes(t *tokenClaims) error {
	if c == nil || len(c.ScopesToAdd)+len(c.ScopesToSuppress) == 0 {
		return nil
	}
	scopes := slices.Clone(t.scopes)
	for _, s := range c.ScopesToAdd {
		if !oauthscope.ValidToken(s) {
			return triggers.ErrUnrecognizable
		}
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	t.scopes = slices.DeleteFunc(scopes, func(s string) bool { return slices.Contains(c.ScopesToSuppress, s) })
	t.access["scope"] = strings.Join(t.scopes, " ")
	return nil
}

// ParseClientMetadata reads aws_client_metadata: a JSON object of strings, which
// a client_credentials request hands to the pre token generation trigger. Empty
// text has no metadata. Anything else is an [*userpool.Error] invalid_request.
func ParseClientMetadata(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	var out map[string]string
	err := json.Unmarshal([]byte(text), &out)
	if err != nil || out == nil {
		return nil, userpool.InvalidRequest("aws_client_metadata is not a JSON object of strings")
	}
	return out, nil
}
