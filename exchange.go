package cognate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/utf8text"
)

// tokens are what the token endpoint gave (RFC 6749, 5.1). Empty fields were not in the
// answer.
type tokens struct {
	id, access, refresh string
	scopes              []string
	expires             time.Time // of the access token
}

// A grant names the reasons of a token request that fails. A code in client means that
// the app client itself was refused.
type grant struct {
	failed, refused refusal.Reason
	client          []string
}

// exchange redeems the authorization code, with one request. Without an ID token, what came
// is returned beside the error.
func (c *client) exchange(ctx context.Context, hc *http.Client, e Endpoints, code, verifier string) (tokens, error) {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.redirectURL}, "code_verifier": {verifier},
	}
	t, err := c.request(ctx, hc, e.Token, form, grant{
		failed: refusal.TokenEndpoint, refused: refusal.CodeRefused,
		client: []string{"invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type", "invalid_scope"},
	})
	if err != nil {
		return tokens{}, err
	}
	if t.id == "" {
		return t, refusal.New(refusal.NoIDToken, "the token response has no ID token; is openid among the scopes?")
	}
	if t.scopes == nil {
		t.scopes = c.scopes // as RFC 6749, 5.1 reads a response that doesn't say
	}
	return t, nil
}

// refresh gets new tokens for a refresh token, with one request (RFC 6749, 6; OpenID
// Connect Core 1.0, 12.2). Where the answer has no ID token, refresh token or scopes, the
// old ones stay good.
func (c *client) refresh(ctx context.Context, hc *http.Client, e Endpoints, refreshToken string) (tokens, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	return c.request(ctx, hc, e.Token, form, grant{
		failed: refusal.RefreshFailed, refused: refusal.RefreshRefused,
		client: []string{"invalid_client", "unauthorized_client"},
	})
}

// revoke makes the provider forget a refresh token, and what was made with it (RFC 7009,
// 2.1).
func (c *client) revoke(ctx context.Context, hc *http.Client, endpoint, refreshToken string) error {
	form := url.Values{"token": {refreshToken}, "token_type_hint": {"refresh_token"}}
	status, body, err := c.post(ctx, hc, endpoint, form)
	if err != nil {
		return fmt.Errorf("revoking the refresh token: %w", err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("revoking the refresh token: the answer has status %d and error %q", status, c.errorIn(body, form))
	}
	return nil
}

// request sends a token request and reads the response.
func (c *client) request(ctx context.Context, hc *http.Client, endpoint string, form url.Values, g grant) (tokens, error) {
	status, body, err := c.post(ctx, hc, endpoint, form)
	if err != nil {
		return tokens{}, refusal.New(g.failed, "the token endpoint gave no answer: %w", err)
	}
	if status != http.StatusOK || hasError(body) {
		e := g.refusal("token request", status, c.errorIn(body, form))
		e.RetryAfter = c.gate.Left()
		return tokens{}, e
	}
	t, err := c.parseTokens(body)
	if err != nil {
		return tokens{}, refusal.New(g.failed, "the token endpoint's answer: %w", err)
	}
	return t, nil
}

// refusal is the error of an answer that is none of success. A server that is broken, or asked
// too often, has refused nothing, whatever it says.
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
	// maxExpiresIn bounds what is believed of a token's lifetime, in seconds.
	maxExpiresIn = 10 * 365 * 24 * 3600
)

// parseTokens reads a token response. Texts say what is wrong without quoting it.
func (c *client) parseTokens(body []byte) (tokens, error) {
	var r claims
	if r.UnmarshalJSON(body) != nil {
		return tokens{}, errors.New("it is no JSON object with members that are all different")
	}
	var t tokens
	var kind string
	for _, f := range []struct {
		name string
		into *string
	}{
		{"access_token", &t.access}, {"id_token", &t.id}, {"refresh_token", &t.refresh}, {"token_type", &kind},
	} {
		var err error
		*f.into, err = r.str(f.name)
		if err != nil {
			return tokens{}, fmt.Errorf("%s is not a string", f.name)
		}
	}
	switch {
	case t.access == "":
		return tokens{}, errors.New("it has no access token")
	case !strings.EqualFold(kind, "bearer"):
		return tokens{}, errors.New("the token's type is not Bearer")
	case len(r["scope"]) > maxScope:
		return tokens{}, fmt.Errorf("the scopes are longer than %d bytes", maxScope)
	}
	scopes, err := r.words("scope")
	if err != nil {
		return tokens{}, errors.New("scope is neither a string nor a list of strings")
	}
	if len(scopes) > 0 {
		t.scopes = scopes
	}
	t.expires = c.expiry(string(r["expires_in"]))
	return t, nil
}

// expiry reads expires_in, which some providers send as a string. What is no number of
// seconds above zero says nothing.
func (c *client) expiry(raw string) time.Time {
	seconds, err := strconv.ParseInt(strings.Trim(raw, `"`), 10, 64)
	if err != nil || seconds < 1 {
		return time.Time{}
	}
	return c.now().Add(time.Duration(min(seconds, maxExpiresIn)) * time.Second)
}

// post sends a form to an endpoint of the provider, authenticated as this client. It
// tries once: a code or a refresh token that came with a wrong authentication may be used
// up by it.
func (c *client) post(
	ctx context.Context, hc *http.Client, endpoint string, form url.Values,
) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	header := http.Header{}
	err = c.authenticate(form, header)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil { // endpoints are checked before
		return 0, nil, errors.New("the endpoint is not a URL")
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := hc.Do(req)
	if err != nil {
		return 0, nil, withoutBody(err)
	}
	defer resp.Body.Close()
	c.gate.Heed(resp)
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	switch {
	case err != nil:
		return 0, nil, withoutBody(err)
	case len(body) > maxDocument:
		return 0, nil, fmt.Errorf("it is larger than %d bytes", maxDocument)
	}
	text, err := utf8text.Decode(body)
	if err == nil { // what is no text is no JSON either
		body = text
	}
	return resp.StatusCode, body, nil
}

// withoutBody keeps the cause of a failed connection and drops every other text, which
// could quote what was sent: net/http shows the beginning of an answer that is none.
func withoutBody(err error) error {
	for _, known := range []error{
		context.DeadlineExceeded, context.Canceled, http.ErrSchemeMismatch, io.EOF, io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("no connection: %w", e)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("no connection: %w", e)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return errors.New("it took too long")
	}
	return errors.New("it broke off")
}

// hasError reports whether an answer has an OAuth error, of whatever form.
func hasError(body []byte) bool {
	var r claims
	return r.UnmarshalJSON(body) == nil && r.text("error") != ""
}

// errorIn returns the OAuth error code of the answer to a form, or "" if it has none that
// may be written down.
func (c *client) errorIn(body []byte, form url.Values) string {
	var r claims
	if r.UnmarshalJSON(body) != nil {
		return ""
	}
	sent := basicForms(c.id, c.secret)
	for _, name := range secretParams {
		sent = append(sent, form.Get(name))
	}
	return errorCode(r.text("error"), sent...)
}

// secretParams are the parameters of requests to the provider that nobody else may learn.
var secretParams = []string{
	"code", "code_verifier", "refresh_token", "token", "client_secret", "client_assertion", "state", "nonce", "login_hint",
}

// oauthCode is what error codes are made of: RFC 6749, 5.2 allows more, which nobody
// uses for a word.
var oauthCode = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)

// knownCodes are error codes that mean something (RFC 6749, 4.1.2.1 and 5.2; OpenID Connect
// Core 1.0, 3.1.2.6; RFC 7009, 2.2.1; RFC 8707, 2). They are no secrets, whatever was sent.
var knownCodes = []string{
	"access_denied", "account_selection_required", "consent_required", "interaction_required", "invalid_client",
	"invalid_grant", "invalid_request", "invalid_request_object", "invalid_request_uri", "invalid_scope", "invalid_target",
	"invalid_token", "login_required", "registration_not_supported", "request_not_supported", "request_uri_not_supported",
	"server_error", "temporarily_unavailable", "unauthorized_client", "unsupported_grant_type", "unsupported_response_type",
	"unsupported_token_type",
}

// errorCode returns an OAuth error code as the provider sent it, if it is one and repeats
// nothing of what the provider was sent: an answer may give anything for an error, a code
// or a refresh token too, and error codes get into logs and onto pages.
func errorCode(s string, sent ...string) string {
	if slices.Contains(knownCodes, s) {
		return s
	}
	if !oauthCode.MatchString(s) || repeats(s, sent...) {
		return ""
	}
	return s
}
