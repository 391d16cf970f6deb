package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
)

// clientRequest is a form from an app: of the token or the revocation endpoint.
type clientRequest struct {
	form  url.Values
	creds accounts.ClientCredentials
}

// formNames are the parameters that may be sent once (RFC 6749 section 3.2).
var formNames = []string{
	"grant_type", "client_id", "client_secret", "code", "redirect_uri", "code_verifier", "refresh_token",
	"token", "token_type_hint", "scope", "aws_client_metadata",
}

func badRequest(text string) error {
	return &userpool.Error{Code: userpool.CodeInvalidRequest, Description: text}
}

// parse reads the form and the client's credentials from the request.
func parse(w http.ResponseWriter, r *http.Request) (clientRequest, error) {
	form, err := browser.Form(w, r)
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return clientRequest{}, badRequest(decision.BodyTooLarge)
	}
	if err != nil {
		return clientRequest{}, badRequest(err.Error())
	}
	if name, ok := browser.Repeated(form, formNames...); ok {
		return clientRequest{}, badRequest(name + " is repeated")
	}
	creds, err := credentials(r.Header.Values("Authorization"), form)
	return clientRequest{form: form, creds: creds}, err
}

// credentials finds out which of the three ways of client authentication the
// request uses; more than one is refused (RFC 6749 section 2.3).
func credentials(header []string, form url.Values) (accounts.ClientCredentials, error) {
	id, secret := form.Get("client_id"), userpool.Secret(form.Get("client_secret"))
	switch {
	case len(header) > 1:
		return accounts.ClientCredentials{}, badRequest("Authorization is repeated")
	case len(header) == 0 && id == "":
		return accounts.ClientCredentials{}, badRequest("client_id is missing")
	case len(header) == 0:
		return accounts.ClientCredentials{ID: id, Secret: secret}, nil
	}
	c, ok := parseBasic(header[0])
	switch {
	case !ok:
		return c, &userpool.Error{Code: userpool.CodeInvalidClient}
	case secret != "":
		return c, badRequest("the client authenticates in two ways")
	case id != "" && id != c.ID:
		return c, badRequest("client_id differs from the Authorization header")
	}
	return c, nil
}

// parseBasic reads an Authorization header of the Basic scheme. Id and secret
// are form-encoded before they are joined (RFC 6749 section 2.3.1); a plus sign
// stands for itself, because many clients leave that step out and a space can
// be part of neither.
func parseBasic(header string) (c accounts.ClientCredentials, ok bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") || len(encoded) > 1024 {
		return c, false
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return c, false
	}
	id, secret, found := strings.Cut(string(decoded), ":")
	if !found {
		return c, false
	}
	id, err = url.PathUnescape(id) // which, other than QueryUnescape, keeps "+"
	if err != nil {
		return c, false
	}
	secret, err = url.PathUnescape(secret)
	if err != nil {
		return c, false
	}
	return accounts.ClientCredentials{ID: id, Secret: userpool.Secret(secret), Basic: true}, true
}

// token is POST /oauth2/token. The client is authenticated before the grant is
// looked at, so that nobody spends another's code with a wrong secret.
func (h *Handler) token(w http.ResponseWriter, r *http.Request) {
	req, err := parse(w, r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	grant := req.form.Get("grant_type")
	if grant == "" {
		h.fail(w, r, badRequest("grant_type is missing"))
		return
	}
	client, err := h.Pool.Clients.Authenticate(r.Context(), req.creds)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	tokens, err := h.grant(r, client, grant, req.form)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	writeTokens(w, tokens)
}

func (h *Handler) grant(
	r *http.Request, client userpool.Client, grant string, form url.Values,
) (grants.TokenSet, error) {
	secret := func(name string) userpool.Secret { return userpool.Secret(form.Get(name)) }
	switch grant {
	case "authorization_code":
		return h.Pool.Grants.RedeemCode(r.Context(), client, grants.CodeGrant{
			Code: secret("code"), RedirectURI: form.Get("redirect_uri"), Verifier: secret("code_verifier"),
		})
	case "refresh_token":
		return h.Pool.Grants.Refresh(r.Context(), client, secret("refresh_token"))
	case "client_credentials":
		metadata, err := grants.ParseClientMetadata(form.Get("aws_client_metadata"))
		if err != nil {
			return grants.TokenSet{}, err
		}
		return h.Pool.Grants.ClientCredentials(
			r.Context(), client, grants.ClientCredentialsGrant{Scope: form.Get("scope"), Metadata: metadata},
		)
	default:
		return grants.TokenSet{}, &userpool.Error{Code: userpool.CodeUnsupportedGrantType}
	}
}

// writeTokens answers with Cognito's members in Cognito's order; what was not
// issued is absent, and there is no scope.
func writeTokens(w http.ResponseWriter, t grants.TokenSet) {
	writeJSON(w, http.StatusOK, struct {
		IDToken      string `json:"id_token,omitempty"`
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token,omitempty"`
		ExpiresIn    int    `json:"expires_in"`
		TokenType    string `json:"token_type"`
	}{
		string(t.IDToken), string(t.AccessToken), string(t.RefreshToken),
		int(t.ExpiresIn / time.Second), "Bearer",
	})
}

// revoke is POST /oauth2/revoke (RFC 7009).
func (h *Handler) revoke(w http.ResponseWriter, r *http.Request) {
	req, err := parse(w, r)
	if err != nil {
		h.failStatus(w, r, err, http.StatusUnauthorized)
		return
	}
	client, err := h.Pool.Clients.Authenticate(r.Context(), req.creds)
	if err == nil {
		err = h.Pool.Grants.Revoke(r.Context(), client, userpool.Secret(req.form.Get("token")))
	}
	if err != nil {
		h.failStatus(w, r, err, http.StatusUnauthorized)
	}
}

// fail answers with the error, as Cognito's token endpoint does: always 400.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	h.failStatus(w, r, err, http.StatusBadRequest)
}

// failStatus is fail with another status for invalid_client. RFC 6749 section
// 5.2 wants a WWW-Authenticate header with a 401.
func (h *Handler) failStatus(w http.ResponseWriter, r *http.Request, err error, client int) {
	e, ok := errors.AsType[*userpool.Error](err)
	if !ok {
		h.serverError(w, r, err)
		return
	}
	status := http.StatusBadRequest
	if e.Code == userpool.CodeInvalidClient {
		status = client
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="Cognito"`)
	}
	writeError(w, status, e)
}

func (h *Handler) serverError(w http.ResponseWriter, r *http.Request, err error) {
	h.Logger.ErrorContext(r.Context(), decision.RequestFailed, "path", r.URL.Path, "err", err,
		"request_id", w.Header().Get(browser.RequestIDHeader))
	writeError(w, http.StatusInternalServerError, &userpool.Error{Code: userpool.CodeServerError})
}

func writeError(w http.ResponseWriter, status int, e *userpool.Error) {
	writeJSON(w, status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.Code, e.Description})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // strings and numbers; only the connection can fail
}
