package oidc

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/cognate-auth/cognate/internal/gate"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// A Client is one app client at its provider. Its fields must not change once it is used; it
// is safe for concurrent use then.
type Client struct {
	// Provider is whom it asks, and Verifier checks what that one signs for it.
	Provider *Provider
	Verifier *Verifier
	// ID and RedirectURL are those that are registered with the provider.
	ID, RedirectURL string
	// Scopes are what a sign-in asks for.
	Scopes []string
	// UserInfoMode says when userInfo is asked beside the ID token, and VerifiedEmail that
	// who has no verified address is of no use.
	UserInfoMode  UserInfoMode
	VerifiedEmail bool
	// Proofs are ways to prove itself: the first that the provider announces is taken, or,
	// if it announces none of them, the first of all. Apple and Twitch take
	// client_secret_post alone.
	Proofs []*Proof
	// Gate stands before the token endpoint.
	Gate *gate.Gate
	// Now is the clock.
	Now func() time.Time
}

// proof is how this client authenticates.
func (c *Client) proof() *Proof {
	for _, p := range c.Proofs {
		if len(c.Proofs) > 1 && c.Provider.announces(p.method) {
			return p
		}
	}
	return c.Proofs[0]
}

// Secrets returns this client's secrets, together with those that are given.
func (c *Client) Secrets(sent ...string) Secrets { return append(c.Proofs[0].secrets(), sent...) }

// ErrorCode returns an OAuth error code as the provider sent it, if it is one and repeats
// none of this client's secrets or of those that are given.
func (c *Client) ErrorCode(code string, sent ...string) string {
	return c.Secrets(sent...).errorCode(code)
}

// Authorization returns where to send the browser for a sign-in: an authorization request
// with state, nonce and PKCE (OpenID Connect Core 1.0, 3.1.2.1; RFC 7636, 4.3), always. extra
// are further parameters, which can't change any of these. The request is pushed (RFC 9126)
// if push says so, or if the provider asks for it.
func (c *Client) Authorization(ctx context.Context, a Attempt, extra url.Values, push bool) (string, error) {
	m, err := c.Provider.Ready(ctx)
	if err != nil {
		return "", err
	}
	err = c.checkMethod(m)
	if err != nil {
		return "", err
	}
	for name, value := range map[string]string{
		"response_type": "code", "client_id": c.ID, "redirect_uri": c.RedirectURL, "scope": strings.Join(c.Scopes, " "),
		"state": a.State, "nonce": a.Nonce,
		"code_challenge": oauth2.S256ChallengeFromVerifier(a.Verifier), "code_challenge_method": "S256",
	} {
		extra.Set(name, value)
	}
	if !m.pushRequired && !push {
		return AddQuery(m.Authorization, extra), nil
	}
	return c.push(ctx, m, extra)
}

// checkMethod refuses a way to authenticate that the provider says it does not take: the
// token endpoint would, but the code would be spent. Few providers announce that public
// clients need none.
func (c *Client) checkMethod(m Metadata) error {
	p := c.proof()
	if p.method == "" || len(m.authMethods) == 0 { // an empty list says as little as none
		return nil
	}
	if !slices.Contains(m.authMethods, p.method) {
		return refusal.New(refusal.ClientRefused,
			"ClientAuth is %s, but the provider announces %.300q", p.method, m.authMethods)
	}
	if p.alg != "" && m.assertionAlgs != nil && !slices.Contains(m.assertionAlgs, p.alg) {
		return refusal.New(refusal.ClientRefused,
			"ClientKey signs with %s, but the provider announces %.300q", p.alg, m.assertionAlgs)
	}
	return nil
}

// requestURI is what the reference to a pushed request may be, a URI of at most
// maxRequestURI bytes.
var requestURI = regexp.MustCompile(`^[\x21-\x7e]+$`)

const maxRequestURI = 1 << 10

// push hands the authorization request to the provider (RFC 9126) and returns where to send
// the browser with the reference to it.
func (c *Client) push(ctx context.Context, m Metadata, params url.Values) (string, error) {
	if m.PushedAuthorization == "" {
		return "", refusal.New(refusal.ClientRefused, "authorization requests are to be pushed, "+
			"but the provider's endpoint for them is not known")
	}
	status, body, err := c.post(ctx, m.PushedAuthorization, params)
	if err != nil {
		return "", refusal.New(refusal.PushedRequest, "pushing the authorization request: %w", err)
	}
	if status != http.StatusCreated && status != http.StatusOK {
		g := grant{failed: refusal.PushedRequest, refused: refusal.ClientRefused, client: []string{
			"invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "unsupported_response_type",
		}}
		return "", g.refusal("pushed authorization request", status, c.errorIn(body, params))
	}
	var r Claims
	_ = r.UnmarshalJSON(body) // what is no object has no reference
	uri := r.Text("request_uri")
	if len(uri) > maxRequestURI || !requestURI.MatchString(uri) {
		return "", refusal.New(refusal.PushedRequest,
			"the answer to the pushed authorization request has no request_uri")
	}
	return AddQuery(m.Authorization, url.Values{"client_id": {c.ID}, "request_uri": {uri}}), nil
}
