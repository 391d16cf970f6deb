package userpool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Authorization is an authorization request that was checked: whoever holds
// one may redirect to its RedirectURI.
type Authorization struct {
	Client      Client
	RedirectURI string // registered
	State       string
	Scopes      []string
	Nonce       string
	LoginHint   string

	// NoPrompt and ForceLogin are prompt=none and prompt=login.
	NoPrompt, ForceLogin bool
	// Provider is the identity provider that the request asks for: COGNITO, or
	// the name of another one that the client has. Empty: it asks for none.
	Provider string
	// ProviderMissing says that the request asks for an identity provider that
	// the client does not have.
	ProviderMissing bool

	challenge       string
	maxAge          time.Duration // negative: none asked for
	redirectOmitted bool
}

// authorizeLimits names every parameter of an authorization request that has a
// meaning here, with the most bytes it may have. Each may be sent once (RFC
// 6749 section 3.1); others are ignored.
var authorizeLimits = map[string]int{
	"client_id": 128, "redirect_uri": maxURI, "response_type": 64, "scope": 8192, "state": 8192,
	"nonce": 1024, "code_challenge": 128, "code_challenge_method": 64, "prompt": 128, "max_age": 16,
	"login_hint": 256, "lang": 64, "identity_provider": 128, "idp_identifier": 128, "resource": maxURI,
	"acr_values": 1024,
}

// ParseAuthorization checks an authorization request in the order that decides
// who learns about a fault. As long as client and redirect URI are in doubt
// that is the person, by a [*PageError]; then it is the app, by a
// [*RedirectError].
func (p *Pool) ParseAuthorization(ctx context.Context, q url.Values) (*Authorization, error) {
	client, err := p.requestClient(ctx, q)
	if err != nil {
		return nil, err
	}
	a := &Authorization{Client: client, maxAge: -1}
	err = a.setRedirectURI(q)
	if err != nil {
		return nil, err
	}
	err = a.setParameters(q)
	if err != nil {
		return nil, a.refuse(err, q.Get("response_type") == "token")
	}
	provider, ok := p.requestProvider(client, q)
	a.Provider, a.ProviderMissing = provider, !ok
	return a, nil
}

// requestClient finds the client that a browser's request names.
func (p *Pool) requestClient(ctx context.Context, q url.Values) (Client, error) {
	id := q.Get("client_id")
	switch {
	case len(q["client_id"]) > 1:
		return Client{}, &PageError{Code: CodeInvalidRequest, Mend: "send client_id once"}
	case id == "":
		return Client{}, &PageError{Code: PageClientIDMissing, Mend: "send client_id"}
	case len(id) > 128:
		return Client{}, &PageError{Code: PageUnknownClient, Mend: "a client_id has at most 128 characters"}
	}
	c, ok, err := p.store.Client(ctx, p.id, id)
	if err != nil {
		return Client{}, fmt.Errorf("userpool: reading client: %w", err)
	}
	if !ok {
		mend := fmt.Sprintf("there is no client %q in pool %s", clip(id), p.id)
		return Client{}, &PageError{Code: PageUnknownClient, ClientID: id, Mend: mend}
	}
	return c, nil
}

// setRedirectURI compares the whole string and nothing less: no trailing slash,
// port or case is forgiven (RFC 9700 section 2.1).
func (a *Authorization) setRedirectURI(q url.Values) error {
	uri, c := q.Get("redirect_uri"), a.Client
	fault := &PageError{ClientID: c.ID}
	switch {
	case len(q["redirect_uri"]) > 1:
		fault.Code, fault.Mend = CodeInvalidRequest, "send redirect_uri once"
	case uri == "" && a.useDefaultRedirect():
		return nil
	case uri == "":
		fault.Code, fault.Mend = PageRedirectURIMissing, "send redirect_uri, or give the client a default one"
	case !slices.Contains(c.CallbackURLs, uri):
		fault.Code, fault.Mend = PageRedirectMismatch, mismatch("redirect_uri", uri, c.ID, c.CallbackURLs)
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
		a.setState, checkShape, checkResponseType, a.setChallenge, a.setScopes, a.setPrompt, a.setMaxAge,
	} {
		err := check(q)
		if err != nil {
			return err
		}
	}
	a.Nonce, a.LoginHint = q.Get("nonce"), q.Get("login_hint")
	return nil
}

func badRequest(text string) error { return &Error{Code: CodeInvalidRequest, Description: text} }

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
			return badRequest(name + " is repeated")
		}
		if len(q.Get(name)) > limit {
			return badRequest(name + " is too long")
		}
	}
	// A nonce ends up in JSON, which would silently change it.
	if !utf8.ValidString(q.Get("nonce")) {
		return badRequest("nonce is not UTF-8")
	}
	return nil
}

func checkResponseType(q url.Values) error {
	switch q.Get("response_type") {
	case "code":
		return nil
	case "token": // the implicit grant, which no client of this pool is allowed
		return &Error{Code: CodeUnauthorizedClient}
	case "":
		return badRequest("response_type is missing")
	default:
		return badRequest("response_type is not supported")
	}
}

// s256 is the form of a base64url SHA-256 without padding (RFC 7636 section 4.2).
var s256 = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

func (a *Authorization) setChallenge(q url.Values) error {
	method, challenge := q.Get("code_challenge_method"), q.Get("code_challenge")
	switch {
	case method == "" && challenge == "":
		return nil
	case method != "S256":
		return badRequest("code_challenge_method must be S256")
	case !s256.MatchString(challenge):
		return badRequest("code_challenge is missing or not a SHA-256 in base64url")
	}
	a.challenge = challenge
	return nil
}

func (a *Authorization) setScopes(q url.Values) (err error) {
	a.Scopes, err = grantScopes(a.Client, q.Get("scope"))
	return err
}

// setPrompt reads OpenID Connect Core section 3.1.2.1. consent and
// select_account have no effect without federation, and unknown values none at
// all, but none stands alone.
func (a *Authorization) setPrompt(q url.Values) error {
	values := strings.Fields(q.Get("prompt"))
	a.NoPrompt = slices.Contains(values, "none")
	a.ForceLogin = slices.Contains(values, "login")
	if a.NoPrompt && len(values) > 1 {
		return badRequest("prompt none stands alone")
	}
	return nil
}

func (a *Authorization) setMaxAge(q url.Values) error {
	text := q.Get("max_age")
	if text == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return badRequest("max_age is not a number of seconds")
	}
	a.maxAge = time.Duration(seconds) * time.Second
	return nil
}

// refuse turns an *Error into the answer to the app; other errors stay.
func (a *Authorization) refuse(err error, fragment bool) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	return &RedirectError{Err: *e, RedirectURI: a.RedirectURI, State: a.State, Fragment: fragment}
}

// ServerError is the answer to the app when the pool itself fails.
func (a *Authorization) ServerError() *RedirectError {
	return &RedirectError{Err: Error{Code: CodeServerError}, RedirectURI: a.RedirectURI, State: a.State}
}

// LoginRequired is the answer to a prompt=none request that needs a person.
func (a *Authorization) LoginRequired() *RedirectError {
	return &RedirectError{Err: Error{Code: CodeLoginRequired}, RedirectURI: a.RedirectURI, State: a.State}
}

// AuthorizeSilently answers the request from the browser's session, if that may
// be done: it returns the location with the code, or ok == false when the
// person must sign in. With prompt=none that is a [*RedirectError] instead.
func (p *Pool) AuthorizeSilently(
	ctx context.Context, a *Authorization, session Secret,
) (location string, ok bool, err error) {
	s, ok, err := p.Session(ctx, session)
	if err != nil {
		return "", false, err
	}
	if !ok || a.ForceLogin || !a.wantsProvider(s) || a.tooOld(s, p.now()) {
		if a.NoPrompt {
			return "", false, a.LoginRequired()
		}
		return "", false, nil
	}
	location, err = p.Authorize(ctx, a, s)
	return location, err == nil, err
}

// wantsProvider reports whether the session was opened at the provider that the
// request asks for, if it asks for one.
func (a *Authorization) wantsProvider(s Session) bool {
	if a.ProviderMissing {
		return false
	}
	local := a.Provider == ProviderCognito && s.Provider == ""
	return a.Provider == "" || local || a.Provider == s.Provider
}

// tooOld applies max_age (OpenID Connect Core section 3.1.2.1), in the whole
// seconds of auth_time, which the app will compare it with. Zero always asks.
func (a *Authorization) tooOld(s Session, now time.Time) bool {
	return a.maxAge == 0 || a.maxAge > 0 && now.Unix()-s.AuthTime.Unix() > int64(a.maxAge/time.Second)
}

// Authorize issues a code for the session's user and returns the location that
// takes it to the app.
func (p *Pool) Authorize(ctx context.Context, a *Authorization, s Session) (location string, err error) {
	now := p.now()
	p.collect(ctx, now)
	code := Secret(NewUUID())
	err = p.store.PutCode(ctx, p.id, Code{
		Hash: code.digest(), ClientID: a.Client.ID, Sub: s.Sub,
		RedirectURI: a.RedirectURI, RedirectOmitted: a.redirectOmitted,
		Challenge: a.challenge, Nonce: a.Nonce, Scopes: a.Scopes,
		AuthTime: s.AuthTime, Methods: s.Methods, Expires: now.Add(CodeLifetime),
	}, maxCodes)
	if err != nil {
		return "", fmt.Errorf("userpool: storing code: %w", err)
	}
	p.audit(ctx, "code issued", clientAttr(a.Client.ID), subAttr(s.Sub))
	return appendQuery(a.RedirectURI, encode("code", string(code), "state", a.State)), nil
}

// CheckLogout checks a request to leave: the client's id and one of its
// registered logout URLs, exactly. The error is a [*PageError].
func (p *Pool) CheckLogout(ctx context.Context, q url.Values) (logoutURI string, err error) {
	c, err := p.requestClient(ctx, q)
	if err != nil {
		return "", err
	}
	uri := q.Get("logout_uri")
	switch {
	case len(q["logout_uri"]) > 1:
		return "", &PageError{Code: CodeInvalidRequest, ClientID: c.ID, Mend: "send logout_uri once"}
	case !slices.Contains(c.LogoutURLs, uri):
		mend := mismatch("logout_uri", uri, c.ID, c.LogoutURLs)
		return "", &PageError{Code: PageRedirectMismatch, ClientID: c.ID, Mend: mend}
	}
	return uri, nil
}

// CheckSwitch checks a request to leave and to sign in again, and returns the
// parameters for the sign-in page: those of q, with all scopes of the client
// where q names none. The error is a [*PageError]; what else may be wrong with
// the request is for the sign-in page to find.
func (p *Pool) CheckSwitch(ctx context.Context, q url.Values) (url.Values, error) {
	c, err := p.requestClient(ctx, q)
	if err != nil {
		return nil, err
	}
	// Leaving has no default redirect URI: without one, logout_uri was forgotten.
	if q.Get("redirect_uri") == "" {
		const mend = "send logout_uri or redirect_uri"
		return nil, &PageError{Code: PageRedirectURIMissing, ClientID: c.ID, Mend: mend}
	}
	err = (&Authorization{Client: c}).setRedirectURI(q)
	if err != nil {
		return nil, err
	}
	out := url.Values{}
	for name, values := range q {
		out[name] = slices.Clone(values)
	}
	if out.Get("scope") == "" && len(out["scope"]) <= 1 {
		out.Set("scope", strings.Join(c.AllowedOAuthScopes, " "))
	}
	return out, nil
}

func clientAttr(id string) slog.Attr     { return slog.String("client", clip(id)) }
func subAttr(sub string) slog.Attr       { return slog.String("sub", sub) }
func reasonAttr(reason string) slog.Attr { return slog.String("reason", reason) }
