package federation

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
)

// responsePath is the redirect URI at OpenID Connect providers, below the domain.
const responsePath = "/oauth2/idpresponse"

// oidcLocation is the authorization request to an OpenID Connect provider.
func (h *Handler) oidcLocation(
	ctx context.Context, ip userpool.IdentityProvider, q url.Values, token userpool.Secret,
) (location string, err error) {
	known, err := h.upstream(ip).endpoints(ctx, h, ip)
	if err != nil {
		return "", err
	}
	state, trip, err := h.Pool.Federation.Start(ctx, token, userpool.RoundTrip{
		Kind: userpool.TripOIDC, Provider: ip.Name, Request: q.Encode(),
	})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(trip.Verifier))
	params := url.Values{
		"client_id": {ip.ClientID}, "response_type": {"code"}, "scope": {scopes(ip)},
		"redirect_uri": {h.BaseURL + responsePath}, "state": {string(state)}, "nonce": {string(trip.Nonce)},
		// Cognito sends none; a provider that does not know it ignores it (RFC 7636 section 5).
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	// Never none: that request was answered from the session or refused.
	for _, name := range []string{"login_hint", "prompt"} {
		if q.Get(name) != "" {
			params.Set(name, q.Get(name))
		}
	}
	return withQuery(known.Authorize, params), nil
}

func scopes(ip userpool.IdentityProvider) string {
	if ip.Scopes == "" {
		return "openid"
	}
	return ip.Scopes
}

// withQuery adds parameters to an endpoint that may have some of its own.
func withQuery(endpoint string, params url.Values) string {
	separator := "?"
	if strings.Contains(endpoint, "?") {
		separator = "&"
	}
	return endpoint + separator + params.Encode()
}

// oidcResponse is GET /oauth2/idpresponse: the way back from a provider.
func (h *Handler) oidcResponse(w http.ResponseWriter, r *http.Request) {
	q, err := browser.Query(r)
	if err != nil {
		h.refuse(w, r, nil, browser.Malformed(err))
		return
	}
	if name, ok := browser.Repeated(q, "state", "code", "error", "error_description", "iss"); ok {
		h.refuse(w, r, nil, browser.Malformed(errors.New(name+" is repeated")))
		return
	}
	trip, a, err := h.takeTrip(r, userpool.TripOIDC, userpool.Secret(q.Get("state")))
	if err != nil {
		h.refuse(w, r, nil, err)
		return
	}
	profile, err := h.oidcProfile(r.Context(), a, trip, q)
	if err != nil {
		h.refuse(w, r, a, err)
		return
	}
	h.finish(w, r, a, trip.Provider, profile)
}

// takeTrip ends the round trip with this state, and checks its authorization
// request again: the settings may have changed.
func (h *Handler) takeTrip(
	r *http.Request, kind userpool.TripKind, state userpool.Secret,
) (userpool.RoundTrip, *grants.Authorization, error) {
	trip, err := h.Pool.Federation.Take(r.Context(), kind, state, browser.ReadCookie(r, stateCookie))
	if err != nil {
		return trip, nil, err
	}
	q, err := url.ParseQuery(trip.Request)
	if err != nil {
		return trip, nil, err
	}
	a, err := h.Pool.Grants.ParseAuthorization(r.Context(), q)
	return trip, a, err
}

// oidcProfile asks the provider of the round trip who the person is. The error
// that is not the pool's own is for the app.
func (h *Handler) oidcProfile(
	ctx context.Context, a *grants.Authorization, trip userpool.RoundTrip, q url.Values,
) (userpool.Profile, error) {
	ip, ok := h.Pool.Settings().IdentityProvider(a.Client, trip.Provider)
	if !ok || ip.Type != userpool.ProviderOIDC {
		return userpool.Profile{}, failed(userpool.TextNoSuchLogin)
	}
	up := h.upstream(ip)
	known, err := up.endpoints(ctx, h, ip)
	if err != nil {
		return userpool.Profile{}, err
	}
	// The answer of one provider must not pass for that of another (RFC 9207
	// section 2.4).
	if iss := q.Get("iss"); iss != ip.Issuer && (iss != "" || known.NamesItself) {
		return userpool.Profile{}, invalidState("the parameter iss is not the provider's issuer, " + ip.Issuer)
	}
	if q.Get("error") != "" || q.Get("code") == "" {
		sent := []string{q.Get("code"), q.Get("state"), string(trip.Nonce), string(trip.Verifier)}
		return userpool.Profile{}, providerError(
			ip, 0, unlike(q.Get("error"), sent...), unlike(q.Get("error_description"), sent...),
		)
	}
	tokens, err := h.redeem(ctx, ip, known, trip, q.Get("code"))
	if err != nil {
		return userpool.Profile{}, err
	}
	claims, err := up.verify(ctx, h, ip, known, tokens.ID, trip.Nonce)
	if err != nil {
		return userpool.Profile{}, err
	}
	return h.profile(ctx, ip, known, tokens, claims)
}

// profile puts together what ID token and userInfo endpoint say; the latter is
// the newer one.
func (h *Handler) profile(
	ctx context.Context, ip userpool.IdentityProvider, known endpoints, tokens tokens, claims map[string]any,
) (userpool.Profile, error) {
	subject, _ := claims["sub"].(string)
	if subject == "" || known.UserInfo == "" || tokens.Access == "" {
		return userpool.Profile{Subject: subject, Claims: texts(claims, tokens)}, nil
	}
	info, err := h.userInfo(ctx, ip, known, tokens.Access)
	if err != nil {
		return userpool.Profile{}, err
	}
	// OpenID Connect Core section 5.3.2: otherwise the answer must not be used.
	if info["sub"] != subject {
		cause := errors.New("sub of the userInfo answer is not that of the ID token")
		return userpool.Profile{}, &fault{ip.Name, "username attribute mapping required", cause}
	}
	for name, value := range info {
		claims[name] = value
	}
	return userpool.Profile{Subject: subject, Claims: texts(claims, tokens)}, nil
}

// providerError is what the app hears when a provider refuses (developer guide,
// page "federation-endpoint-idp-responses"). A status of zero: the refusal came
// through the browser.
func providerError(ip userpool.IdentityProvider, status int, code, description string) error {
	text := ip.Name + " Error -"
	if status != 0 {
		text += " " + strconv.Itoa(status)
	}
	for _, part := range []string{code, description} {
		if part = printable(part); part != "" {
			text += " " + part
		}
	}
	return failed(text)
}

// printable keeps what RFC 6749 section 4.1.2.1 allows in an error, at most 200
// characters of it.
func printable(s string) string {
	out := []byte{}
	for i := 0; i < len(s) && len(out) < 200; i++ {
		if c := s[i]; c >= 0x20 && c <= 0x7e && c != '"' && c != '\\' {
			out = append(out, c)
		}
	}
	return strings.TrimSpace(string(out))
}

// texts turns claims into what attributes can hold. The tokens themselves can be
// mapped too, as in Cognito.
func texts(claims map[string]any, t tokens) map[string]string {
	out := map[string]string{"id_token": string(t.ID), "access_token": string(t.Access)}
	for name, value := range claims {
		if list, ok := value.([]any); ok {
			values := make([]string, 0, len(list))
			for _, v := range list {
				values = append(values, text(v))
			}
			out[name] = userpool.MultiValue(values)
		} else if value != nil {
			out[name] = text(value)
		}
	}
	return out
}

// signatureMethods are those that are accepted of ID tokens: what Cognito takes,
// and PS, which is RS done better.
var signatureMethods = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256",
}
