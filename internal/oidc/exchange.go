package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/utf8text"
)

// Tokens are the contents of a token response (RFC 6749, 5.1). Fields that the response did
// not have are zero.
type Tokens struct {
	// ID is the raw ID token, not verified yet.
	ID, Access, Refresh string
	Scopes              []string
	// Expires is when the access token expires.
	Expires time.Time
}

// A Response is an authorization response (RFC 6749, 4.1.2; RFC 9207).
type Response struct {
	Code, State, Issuer string
	// Error and Description say why the provider refused.
	Error, Description string
}

// maxCode bounds an authorization code, in bytes. Cognito's have 36.
const maxCode = 4 << 10

// Exchange redeems the authorization code of a response with one token request. It verifies
// the ID token and returns its claims, with those of userInfo if UserInfoMode asks for them.
// If the ID token is missing or refused, Exchange returns the tokens together with the
// error; the caller may only revoke them.
func (c *Client) Exchange(ctx context.Context, r Response, a Attempt) (Claims, Tokens, error) {
	t, err := c.redeem(ctx, r, a)
	if err != nil {
		return nil, t, err
	}
	claims, err := c.Verifier.Verify(ctx, t.ID, t.Access, a)
	if err == nil {
		claims, err = c.withUserInfo(ctx, claims, t.Access)
	}
	if err != nil {
		return nil, t, err
	}
	return claims, t, nil
}

// redeem checks the response and makes the token request of Exchange.
func (c *Client) redeem(ctx context.Context, r Response, a Attempt) (Tokens, error) {
	m, err := c.Provider.Ready(ctx)
	if err != nil {
		return Tokens{}, err
	}
	err = c.checkResponse(m, r, a)
	if err != nil {
		return Tokens{}, err
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {r.Code},
		"redirect_uri": {c.RedirectURL}, "code_verifier": {a.Verifier},
	}
	t, err := c.request(ctx, m.Token, form, grant{
		failed: refusal.TokenEndpoint, refused: refusal.CodeRefused,
		client: []string{
			"invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type", "invalid_scope",
		},
	})
	if err != nil {
		return Tokens{}, err
	}
	if t.ID == "" {
		return t, refusal.New(refusal.NoIDToken, "the token response has no ID token; is openid among the scopes?")
	}
	if t.Scopes == nil {
		t.Scopes = c.Scopes // the meaning of a response without scope (RFC 6749, 5.1)
	}
	return t, nil
}

// checkResponse rejects a response from another provider (RFC 9207, 2.4), an error response,
// and a response without a code.
func (c *Client) checkResponse(m Metadata, r Response, a Attempt) error {
	issuer := c.Provider.Issuer()
	if r.Issuer != "" && r.Issuer != issuer || r.Issuer == "" && m.responseIssuer {
		return refusal.New(refusal.ResponseIssuer, "the response's iss is %.200q, expected %q", r.Issuer, issuer)
	}
	if r.Error != "" {
		e := refusal.New(refusal.ProviderError,
			"the provider refused the authorization request, saying %.200q", r.Description)
		e.ProviderCode = c.ErrorCode(r.Error, r.Code, r.State, a.Nonce, a.Verifier)
		return e
	}
	if r.Code == "" || len(r.Code) > maxCode {
		return refusal.New(refusal.MalformedCallback, "the code is missing or longer than %d bytes", maxCode)
	}
	return nil
}

// Refresh gets new tokens for a refresh token, with one request (RFC 6749, 6; OpenID
// Connect Core 1.0, 12.2). If the response has no ID token, refresh token or scopes, the old
// ones stay valid.
func (c *Client) Refresh(ctx context.Context, refreshToken string) (Tokens, error) {
	m, err := c.Provider.Ready(ctx)
	if err != nil {
		return Tokens{}, err
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	return c.request(ctx, m.Token, form, grant{
		failed: refusal.RefreshFailed, refused: refusal.RefreshRefused,
		client: []string{"invalid_client", "unauthorized_client"},
	})
}

// VerifyRefreshed verifies the ID token of a refresh against the sign-in of the session and
// returns its claims, with those of userInfo if UserInfoMode asks for them.
func (c *Client) VerifyRefreshed(ctx context.Context, t Tokens, of SignIn) (Claims, error) {
	claims, err := c.Verifier.VerifyRefreshed(ctx, t.ID, t.Access, of)
	if err != nil {
		return nil, err
	}
	return c.withUserInfo(ctx, claims, t.Access)
}

// ErrNoRevocation is the error of [Client.Revoke] if no revocation endpoint is known.
var ErrNoRevocation = errors.New("the provider's revocation endpoint is not known")

// Revoke revokes a refresh token, and with it the access tokens issued for it (RFC 7009,
// 2.1).
func (c *Client) Revoke(ctx context.Context, refreshToken string) error {
	m, err := c.Provider.Ready(ctx)
	if err != nil {
		return err
	}
	if m.Revocation == "" {
		return ErrNoRevocation
	}
	form := url.Values{"token": {refreshToken}, "token_type_hint": {"refresh_token"}}
	status, body, err := c.post(ctx, m.Revocation, form)
	if err != nil {
		return fmt.Errorf("revoking the refresh token: %w", err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("revoking the refresh token: the answer has status %d and error %q",
			status, c.errorIn(body, form))
	}
	return nil
}

// A grant has the reasons for refusals of a kind of request.
type grant struct {
	failed  refusal.Reason // the request failed; says nothing about the grant
	refused refusal.Reason // the provider refused the grant: invalid_grant
	client  []string       // error codes that mean that the app client was refused
}

// request sends a token request and reads the response.
func (c *Client) request(ctx context.Context, endpoint string, form url.Values, g grant) (Tokens, error) {
	status, body, err := c.post(ctx, endpoint, form)
	if err != nil {
		return Tokens{}, refusal.New(g.failed, "the token endpoint gave no answer: %w", err)
	}
	if status != http.StatusOK || hasError(body) {
		e := g.refusal("token request", status, c.errorIn(body, form))
		e.RetryAfter = c.Gate.Left()
		return Tokens{}, e
	}
	t, err := c.parseTokens(body)
	if err != nil {
		return Tokens{}, refusal.New(g.failed, "the token endpoint's answer: %w", err)
	}
	return t, nil
}

// refusal returns the error for an error response. A status of 500 or more, or 429, never
// counts as a refusal of the grant or the client, whatever the error code.
func (g grant) refusal(what string, status int, code string) *refusal.Error {
	reason := g.failed
	switch {
	case status >= http.StatusInternalServerError, status == http.StatusTooManyRequests:
	case code == "invalid_grant":
		reason = g.refused
	case slices.Contains(g.client, code):
		reason = refusal.ClientRefused
	}
	e := refusal.New(reason, "the answer to the %s has status %d", what, status)
	e.ProviderCode = code
	return e
}

const (
	// maxScope bounds the scopes of a token response, in bytes.
	maxScope = 4 << 10
	// maxExpiresIn bounds a token's lifetime, in seconds; longer ones are cut to it.
	maxExpiresIn = 10 * 365 * 24 * 3600
)

// parseTokens parses a token response. Its errors do not quote the response.
func (c *Client) parseTokens(body []byte) (Tokens, error) {
	var r Claims
	if r.UnmarshalJSON(body) != nil {
		return Tokens{}, errors.New("it is not a JSON object without duplicate members")
	}
	var t Tokens
	var kind string
	for _, f := range []struct {
		name string
		into *string
	}{
		{"access_token", &t.Access}, {"id_token", &t.ID}, {"refresh_token", &t.Refresh}, {"token_type", &kind},
	} {
		var err error
		*f.into, err = r.String(f.name)
		if err != nil {
			return Tokens{}, fmt.Errorf("%s is not a string", f.name)
		}
	}
	switch {
	case t.Access == "":
		return Tokens{}, errors.New("it has no access token")
	case !strings.EqualFold(kind, "bearer"):
		return Tokens{}, errors.New("the token's type is not Bearer")
	case len(r["scope"]) > maxScope:
		return Tokens{}, fmt.Errorf("the scopes are longer than %d bytes", maxScope)
	}
	scopes, err := r.Words("scope")
	if err != nil {
		return Tokens{}, errors.New("scope is neither a string nor a list of strings")
	}
	if len(scopes) > 0 {
		t.Scopes = scopes
	}
	t.Expires = c.expiry(string(r["expires_in"]))
	return t, nil
}

// expiry returns the time that expires_in means. Some providers send it as a string. If it
// is not a positive number of seconds, the expiry is unknown: zero.
func (c *Client) expiry(raw string) time.Time {
	seconds, err := strconv.ParseInt(strings.Trim(raw, `"`), 10, 64)
	if err != nil || seconds < 1 {
		return time.Time{}
	}
	return c.Now().Add(time.Duration(min(seconds, maxExpiresIn)) * time.Second)
}

// post sends a form to an endpoint of the provider, authenticated as this client. It never
// tries again, for example with another authentication method: even a request whose
// authentication fails may use up its code or refresh token.
func (c *Client) post(ctx context.Context, endpoint string, form url.Values) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	req, err := c.proof().request(ctx, endpoint, form)
	if err != nil {
		return 0, nil, err
	}
	resp, err := c.Provider.http.Do(req)
	if err != nil {
		return 0, nil, withoutBody(err)
	}
	defer resp.Body.Close()
	c.Gate.Heed(resp)
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	switch {
	case err != nil:
		return 0, nil, withoutBody(err)
	case len(body) > maxDocument:
		return 0, nil, fmt.Errorf("it is larger than %d bytes", maxDocument)
	}
	text, err := utf8text.Decode(body)
	if err == nil { // on an error body is not JSON either, which the caller reports
		body = text
	}
	return resp.StatusCode, body, nil
}

// hasError reports whether an answer has an OAuth error code, even a malformed one.
func hasError(body []byte) bool {
	var r Claims
	return r.UnmarshalJSON(body) == nil && r.Text("error") != ""
}

// errorIn returns the OAuth error code of the answer to a form, or "" if it has no code that
// may be logged.
func (c *Client) errorIn(body []byte, form url.Values) string {
	var r Claims
	if r.UnmarshalJSON(body) != nil {
		return ""
	}
	return c.ErrorCode(r.Text("error"), secretsIn(form)...)
}
