package grants

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/redirect"
	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// Authorization is an authorization request that was checked: whoever holds
// one may redirect to its RedirectURI.
type Authorization struct {
	Client      userpool.Client
	RedirectURI string // registered
	State       string
	Scopes      []string
	Nonce       string
	LoginHint   string
	Resource    string // the audience of the access token (RFC 8707); empty: none

	// Prompts are the values of prompt. NoPrompt and ForceLogin are none and
	// login; the others are for another identity provider.
	Prompts              []string
	NoPrompt, ForceLogin bool
	// Provider is the identity provider that the request leads to: one of the
	// client's that the pool has, or [userpool.ProviderCognito]. Empty: the person
	// chooses.
	Provider string
	// ProviderMissing says that the request asks for an identity provider that
	// the client does not have.
	ProviderMissing bool

	acr             []int // levels of assurance that are wanted, in the order of the request
	implicit        bool  // answer with tokens, in the fragment
	challenge       string
	maxAge          time.Duration // negative: none asked for
	redirectOmitted bool
	ignored         []string // parameters that change what a request asks for, elsewhere
}

// Request returns what a sign-in for this request has to know.
func (a *Authorization) Request() signin.Request {
	return signin.Request{Client: a.Client, Levels: a.acr}
}

// authorizeLimits names every parameter of an authorization request that has a
// meaning here, with the most bytes it may have. Each may be sent once (RFC
// 6749 section 3.1); others are ignored.
var authorizeLimits = map[string]int{
	"client_id": 128, "redirect_uri": redirect.MaxLength, "response_type": 64, "scope": 8192, "state": 8192,
	"nonce": 1024, "code_challenge": 128, "code_challenge_method": 64, "prompt": 128, "max_age": 16,
	"login_hint": 256, "lang": 64, "identity_provider": 128, "idp_identifier": 128, "resource": redirect.MaxLength,
	"acr_values": 1024,
}

// ignored are parameters that have no effect at Cognito, but change what is asked
// for or how the answer comes where they have one: the request as a JWT (RFC 9101),
// OpenID Connect Core sections 3.1.2.1 and 5.5, and RFC 9396.
var ignored = []string{
	"request", "request_uri", "response_mode", "claims", "id_token_hint", "authorization_details",
}

// noteIgnored says for the developer's view that parameters had no effect.
func (g *Grants) noteIgnored(ctx context.Context, a *Authorization) {
	if len(a.ignored) > 0 {
		g.core.Audit(ctx, "parameters without effect", core.ClientAttr(a.Client.ID),
			slog.String("parameters", strings.Join(a.ignored, ", ")))
	}
}

// ParseAuthorization checks an authorization request in the order that decides
// who learns about a fault. As long as client and redirect URI are in doubt
// that is the person, by a [*userpool.PageError]; then it is the app, by a
// [*userpool.RedirectError].
func (g *Grants) ParseAuthorization(ctx context.Context, q url.Values) (*Authorization, error) {
	client, err := g.requestClient(ctx, q)
	if err != nil {
		return nil, err
	}
	providers := g.core.Settings().ProvidersOf(client)
	if len(providers) == 0 {
		hint := fmt.Sprintf("client %q has no identity provider that pool %s has", text.Clip(client.ID), g.core.ID)
		return nil, &userpool.PageError{Code: userpool.CodeInvalidRequest, ClientID: client.ID, Hint: hint}
	}
	a := &Authorization{Client: client, maxAge: -1, implicit: q.Get("response_type") == "token"}
	a.ignored = slices.DeleteFunc(slices.Clone(ignored), func(name string) bool { return !q.Has(name) })
	err = a.setRedirectURI(q, len(providers) == 1)
	if err == nil {
		err = a.setParameters(q)
		if err != nil {
			err = a.Refusal(err)
		}
	}
	if err != nil {
		g.noteIgnored(ctx, a) // perhaps what is missing is in one of them
		return nil, err
	}
	a.setProvider(q, providers, g.core.Settings().IdentityProviders)
	return a, nil
}

// requestClient finds the client that a browser's request names.
func (g *Grants) requestClient(ctx context.Context, q url.Values) (userpool.Client, error) {
	id := q.Get("client_id")
	switch {
	case len(q["client_id"]) > 1:
		return userpool.Client{}, &userpool.PageError{Code: userpool.CodeInvalidRequest, Hint: "send client_id once"}
	case id == "":
		return userpool.Client{}, &userpool.PageError{Code: userpool.PageClientIDMissing, Hint: "send client_id"}
	case len(id) > 128:
		return userpool.Client{}, &userpool.PageError{
			Code: userpool.PageUnknownClient, Hint: "a client_id has at most 128 characters",
		}
	}
	c, ok, err := g.clients.Get(ctx, id)
	if err != nil {
		return userpool.Client{}, err
	}
	if !ok {
		hint := fmt.Sprintf("there is no client %q in pool %s", text.Clip(id), g.core.ID)
		return userpool.Client{}, &userpool.PageError{Code: userpool.PageUnknownClient, ClientID: id, Hint: hint}
	}
	return c, nil
}

// setRedirectURI compares the whole string and nothing less: no trailing slash,
// port or case is forgiven (RFC 9700 section 2.1). It may be left out where
// there is nothing to choose, neither a provider nor an address (developer
// guide, page "user-pool-settings-client-apps").
func (a *Authorization) setRedirectURI(q url.Values, oneProvider bool) error {
	uri, c := q.Get("redirect_uri"), a.Client
	fault := &userpool.PageError{ClientID: c.ID}
	switch {
	case len(q["redirect_uri"]) > 1:
		fault.Code, fault.Hint = userpool.CodeInvalidRequest, "send redirect_uri once"
	case uri == "" && oneProvider && a.useDefaultRedirect():
		return nil
	case uri == "":
		fault.Code = userpool.PageRedirectURIMissing
		fault.Hint = "send redirect_uri, or give the client a default one and a single identity provider"
	case !slices.Contains(c.CallbackURLs, uri):
		return mismatch("redirect_uri", uri, c.ID, c.CallbackURLs)
	default:
		a.RedirectURI = uri
		return nil
	}
	return fault
}

// useDefaultRedirect applies the rule for a request that names no redirect URI.
func (a *Authorization) useDefaultRedirect() bool {
	a.RedirectURI = a.Client.DefaultRedirectURI
	if a.RedirectURI == "" && len(a.Client.CallbackURLs) == 1 {
		a.RedirectURI = a.Client.CallbackURLs[0]
	}
	a.redirectOmitted = a.RedirectURI != ""
	return a.redirectOmitted
}

// setParameters checks all that the app may be told about. State comes first,
// so that the app can tell which of its requests failed.
func (a *Authorization) setParameters(q url.Values) error {
	for _, check := range []func(url.Values) error{
		a.setState, checkShape, a.checkResponseType, a.setChallenge, a.setScopes, a.setResource,
		a.setPrompt, a.setMaxAge,
	} {
		err := check(q)
		if err != nil {
			return err
		}
	}
	a.Nonce, a.LoginHint = q.Get("nonce"), q.Get("login_hint")
	a.acr = parseACR(q.Get("acr_values"))
	return nil
}

func (a *Authorization) setState(q url.Values) error {
	if len(q["state"]) == 1 && len(q["state"][0]) <= authorizeLimits["state"] {
		a.State = q["state"][0]
	}
	return nil // the fault, if there is one, is checkShape's to report
}

// checkShape refuses what is sent twice or is too long. Parameters sent without
// a value count as not sent (RFC 6749 section 3.1), but still as sent twice.
func checkShape(q url.Values) error {
	for name, limit := range authorizeLimits {
		if len(q[name]) > 1 {
			return userpool.InvalidRequest(name + " is repeated")
		}
		if len(q.Get(name)) > limit {
			return userpool.InvalidRequest(name + " is too long")
		}
	}
	// A nonce ends up in JSON, which would silently change it.
	if !utf8.ValidString(q.Get("nonce")) {
		return userpool.InvalidRequest("nonce is not UTF-8")
	}
	return nil
}

func (a *Authorization) checkResponseType(q url.Values) error {
	flow := userpool.FlowCode
	switch q.Get("response_type") {
	case "code":
	case "token":
		flow = userpool.FlowImplicit
	case "":
		return userpool.InvalidRequest("response_type is missing")
	default:
		return userpool.InvalidRequest("response_type is not supported")
	}
	if !a.Client.AllowsFlow(flow) {
		return &userpool.Error{Code: userpool.CodeUnauthorizedClient, Hint: flowHint(a.Client, flow)}
	}
	return nil
}

// s256 is the form of a base64url SHA-256 without padding (RFC 7636 section 4.2).
var s256 = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

func (a *Authorization) setChallenge(q url.Values) error {
	method, challenge := q.Get("code_challenge_method"), q.Get("code_challenge")
	switch {
	case method == "" && challenge == "":
		return nil
	case a.implicit: // no request at the token endpoint could bring the verifier
		return userpool.InvalidRequest("code_challenge has no place in the implicit grant")
	case method != "S256":
		return userpool.InvalidRequest("code_challenge_method must be S256")
	case !s256.MatchString(challenge):
		return userpool.InvalidRequest("code_challenge is missing or not a SHA-256 in base64url")
	}
	a.challenge = challenge
	return nil
}

func (a *Authorization) setScopes(q url.Values) (err error) {
	a.Scopes, err = grantScopes(a.Client, q.Get("scope"))
	return err
}

// setPrompt reads OpenID Connect Core section 3.1.2.1. consent and
// select_account are for other identity providers alone, and unknown values
// have no effect, but none stands alone.
func (a *Authorization) setPrompt(q url.Values) error {
	a.Prompts = text.Fields(q.Get("prompt"))
	a.NoPrompt = slices.Contains(a.Prompts, "none")
	a.ForceLogin = slices.Contains(a.Prompts, "login")
	if a.NoPrompt && len(a.Prompts) > 1 {
		return userpool.InvalidRequest("prompt none stands alone")
	}
	return nil
}

func (a *Authorization) setMaxAge(q url.Values) error {
	said := q.Get("max_age")
	if said == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(said, 10, 64)
	if err != nil {
		return userpool.InvalidRequest("max_age is not a number of seconds")
	}
	a.maxAge = time.Duration(min(seconds, 1<<31)) * time.Second // longer than any session
	return nil
}

// setProvider finds out which of the client's providers the request asks for,
// by name or by one of the identifiers that the provider has. Where there is
// one alone, and not the pool, nobody needs to ask.
func (a *Authorization) setProvider(q url.Values, enabled []string, all []userpool.IdentityProvider) {
	name, identifier := q.Get("identity_provider"), q.Get("idp_identifier")
	if name == "" && identifier != "" {
		for _, i := range all {
			if slices.Contains(i.Identifiers, identifier) {
				name = i.Name
			}
		}
	}
	switch {
	case name == "" && identifier == "":
		if len(enabled) == 1 && enabled[0] != userpool.ProviderCognito {
			a.Provider = enabled[0]
		}
	case slices.Contains(enabled, name):
		a.Provider = name
	default:
		a.ProviderMissing = true
	}
}

// setResource reads the resource indicator (RFC 8707 section 2), which becomes
// the audience of the access token. It has the form of a redirect URI: https,
// http on localhost, or an app's own scheme, without fragment (developer guide,
// page "cognito-user-pools-define-resource-servers"). It need not be a resource
// server of the pool.
func (a *Authorization) setResource(q url.Values) error {
	resource := q.Get("resource")
	if resource == "" {
		return nil
	}
	if problem := redirect.Problem(resource); problem != "" {
		return userpool.InvalidRequest("resource " + problem)
	}
	a.Resource = resource
	return nil
}

// ParseRelayState reads the RelayState of a response that nobody asked for: the
// query of an authorization request. Nothing in it is checked.
func ParseRelayState(said string) (url.Values, error) {
	if len(said) > authorizeLimits["state"]+redirect.MaxLength {
		return nil, signin.ErrState
	}
	q, err := url.ParseQuery(said)
	if err != nil {
		return nil, signin.ErrState
	}
	return q, nil
}
