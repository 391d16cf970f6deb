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

// A Client is one app client at its provider. Its fields must not change after its first
// use; then it is safe for concurrent use.
type Client struct {
	// Provider is where the client is registered, and Verifier checks what the provider
	// signs for it.
	Provider *Provider
	Verifier *Verifier
	// ID and RedirectURL are those registered with the provider.
	ID, RedirectURL string
	// Scopes are the scopes that a sign-in requests.
	Scopes []string
	// UserInfoMode says when userInfo is asked in addition to the ID token, and
	// VerifiedEmail that the app requires a verified e-mail address.
	UserInfoMode  UserInfoMode
	VerifiedEmail bool
	// Proofs are alternative authentication methods. The client uses the first that the
	// provider announces, or the first of all if it announces none of them. Apple and Twitch
	// accept only client_secret_post.
	Proofs []*Proof
	// Gate limits the requests to the token endpoint.
	Gate *gate.Gate
	// Now is the clock.
	Now func() time.Time
}

// proof returns the proof that this client authenticates with.
func (c *Client) proof() *Proof {
	for _, p := range c.Proofs {
		if len(c.Proofs) > 1 && c.Provider.announces(p.method) {
			return p
		}
	}
	return c.Proofs[0]
}

// Secrets returns this client's secrets, and those in sent.
func (c *Client) Secrets(sent ...string) Secrets { return append(c.Proofs[0].secrets(), sent...) }

// ErrorCode returns an OAuth error code that the provider sent, or "" if it is malformed or
// repeats one of this client's secrets or of those in sent.
func (c *Client) ErrorCode(code string, sent ...string) string {
	return c.Secrets(sent...).errorCode(code)
}

// Authorization returns the URL to send the browser to for a sign-in: an authorization
// request that always has state, nonce and PKCE (OpenID Connect Core 1.0, 3.1.2.1; RFC 7636,
// 4.3). extra are more parameters, which can't replace any of these. The request is pushed
// (RFC 9126) if push is true or the provider requires it.
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

// checkMethod returns an error if the provider does not announce the client's authentication
// method. The token endpoint would refuse it later, but would use up the code. Public
// clients are not checked, because few providers announce the method none.
func (c *Client) checkMethod(m Metadata) error {
	p := c.proof()
	if p.method == "" || len(m.authMethods) == 0 { // an empty list is treated as absent
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

// requestURI matches the reference to a pushed request, a URI of at most maxRequestURI
// bytes.
var requestURI = regexp.MustCompile(`^[\x21-\x7e]+$`)

const maxRequestURI = 1 << 10

// push pushes the authorization request to the provider (RFC 9126) and returns the URL to
// send the browser to, with a reference to the request.
func (c *Client) push(ctx context.Context, m Metadata, params url.Values) (string, error) {
	if m.PushedAuthorization == "" {
		return "", refusal.New(refusal.ClientRefused, "authorization requests have to be pushed, "+
			"but the provider's endpoint for that is not known")
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
	_ = r.UnmarshalJSON(body) // on an error there is no request_uri
	uri := r.Text("request_uri")
	if len(uri) > maxRequestURI || !requestURI.MatchString(uri) {
		return "", refusal.New(refusal.PushedRequest,
			"the answer to the pushed authorization request has no request_uri")
	}
	return AddQuery(m.Authorization, url.Values{"client_id": {c.ID}, "request_uri": {uri}}), nil
}
