package federation

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
)

// maxResponse is the most characters of a SAML response (developer guide, page
// "quotas").
const maxResponse = 100_000

// textSAML is what the app hears of a response that is refused. Why is for the
// log: a sender could feel their way along it.
const textSAML = "Invalid samlResponse or relayState from identity provider"

// messageID is a fresh ID of a SAML message, which must not begin with a digit
// (xs:ID).
func messageID() string { return "_" + userpool.NewUUID() }

func (h *Handler) samlLocation(
	ctx context.Context, ip userpool.IdentityProvider, q url.Values, token userpool.Secret,
) (location string, err error) {
	if h.SAML == nil {
		return "", &fault{ip.Name, userpool.TextNoSuchLogin, errors.New("this program does not speak SAML")}
	}
	id := messageID()
	state, _, err := h.Pool.Federation.Start(ctx, token, userpool.RoundTrip{
		Kind: userpool.TripSAML, Provider: ip.Name, Request: q.Encode(), Message: id,
	})
	if err != nil {
		return "", err
	}
	location, err = h.SAML.SignIn(ctx, h.sp(), ip, id, string(state))
	if err != nil {
		return "", &fault{ip.Name, "Invalid SAML metadata", err}
	}
	return location, nil
}

func (h *Handler) sp() userpool.ServiceProvider { return h.Pool.Federation.ServiceProvider(h.BaseURL) }

// samlForm reads what a provider has the browser post: from another site, so
// that neither cookies nor the origin say anything.
func (h *Handler) samlForm(w http.ResponseWriter, r *http.Request) (form url.Values, err error) {
	if h.SAML == nil {
		return nil, invalidState("this program does not speak SAML")
	}
	form, err = browser.LongForm(w, r, 3*(maxResponse+maxResponse/10)) // percent-encoded, and the RelayState
	if err != nil {
		return nil, browser.Malformed(err)
	}
	if name, ok := browser.Repeated(form, "SAMLResponse", "SAMLRequest", "RelayState"); ok {
		return nil, browser.Malformed(errors.New(name + " is repeated"))
	}
	if len(form.Get("SAMLResponse")) > maxResponse {
		return nil, browser.Malformed(errors.New("SAMLResponse has more than 100000 characters"))
	}
	return form, nil
}

// samlResponse is POST /saml2/idpresponse, the assertion consumer service.
func (h *Handler) samlResponse(w http.ResponseWriter, r *http.Request) {
	form, err := h.samlForm(w, r)
	if err != nil {
		h.refuse(w, r, nil, err)
		return
	}
	response, relayState := form.Get("SAMLResponse"), form.Get("RelayState")
	if isQuery(relayState) {
		h.samlUnasked(w, r, response, relayState)
		return
	}
	trip, a, err := h.takeTrip(r, userpool.TripSAML, userpool.Secret(relayState))
	if err != nil {
		h.refuse(w, r, a, err)
		return
	}
	profile, err := h.readSAML(r.Context(), a, trip.Provider, response, trip.Message)
	if err != nil {
		h.refuse(w, r, a, err)
		return
	}
	state, err := h.Pool.Federation.HoldAnswer(r.Context(), trip, profile)
	if err != nil {
		h.refuse(w, r, a, err)
		return
	}
	w.Header().Set("Location", h.BaseURL+"/saml2/idpresponse?state="+url.QueryEscape(string(state)))
	w.WriteHeader(http.StatusSeeOther)
}

// isQuery tells the parameters of an authorization request from a state, which
// is base64url.
func isQuery(relayState string) bool {
	q, err := url.ParseQuery(relayState)
	return err == nil && q.Get("client_id") != ""
}

// samlReturn is GET /saml2/idpresponse: the browser comes for the answer that
// its form has brought, now with its cookie.
func (h *Handler) samlReturn(w http.ResponseWriter, r *http.Request) {
	q, err := browser.Query(r)
	if err != nil {
		h.refuse(w, r, nil, browser.Malformed(err))
		return
	}
	trip, a, err := h.takeTrip(r, userpool.TripAnswer, userpool.Secret(q.Get("state")))
	if err != nil {
		h.refuse(w, r, a, err)
		return
	}
	h.finish(w, r, a, trip.Provider, *trip.Profile)
}

// samlUnasked is a response that a provider sends on its own (developer guide,
// page "cognito-user-pools-SAML-session-initiation"). Nothing ties it to the
// browser, which is why a provider must be allowed to.
func (h *Handler) samlUnasked(w http.ResponseWriter, r *http.Request, response, relayState string) {
	q, err := grants.ParseRelayState(relayState)
	if err != nil {
		h.refuse(w, r, nil, err)
		return
	}
	a, err := h.Pool.Grants.ParseAuthorization(r.Context(), q)
	if err != nil {
		h.refuse(w, r, nil, err)
		return
	}
	ip, err := h.unaskedProvider(a, response)
	if err != nil {
		h.refuse(w, r, a, err)
		return
	}
	profile, err := h.readSAML(r.Context(), a, ip.Name, response, "")
	if err != nil {
		h.refuse(w, r, a, err)
		return
	}
	h.finish(w, r, a, ip.Name, profile)
}

// unaskedProvider is the provider that the authorization request names, or else
// the one who claims to have made the response, which is still to be proven.
func (h *Handler) unaskedProvider(a *grants.Authorization, response string) (userpool.IdentityProvider, error) {
	issuer, err := h.SAML.Issuer(response)
	if err != nil {
		return userpool.IdentityProvider{}, &fault{a.Provider, textSAML, err}
	}
	for _, ip := range h.Pool.Settings().SAMLProviders() {
		named := a.Provider == ip.Name || a.Provider == "" && a.Client.Supports(ip.Name)
		if named && ip.IDPInitiated && h.SAML.IsIssuer(ip, issuer) {
			return ip, nil
		}
	}
	cause := errors.New(
		"no SAML provider of the client has this entity ID and may send a response unasked (IDPInitiated)",
	)
	return userpool.IdentityProvider{}, &fault{a.Provider, textSAML, cause}
}

// readSAML checks a response and returns what it says; an assertion counts once.
func (h *Handler) readSAML(
	ctx context.Context, a *grants.Authorization, provider, response, inResponseTo string,
) (userpool.Profile, error) {
	ip, ok := h.Pool.Settings().IdentityProvider(a.Client, provider)
	if !ok || ip.Type != userpool.ProviderSAML {
		return userpool.Profile{}, failed(userpool.TextNoSuchLogin)
	}
	assertion, err := h.SAML.Read(ctx, h.sp(), ip, response, inResponseTo)
	if err != nil {
		return userpool.Profile{}, &fault{ip.Name, textSAML, err}
	}
	first, err := h.Pool.Federation.UseOnce(ctx, "assertion\x00"+ip.Name+"\x00"+assertion.ID, assertion.Until)
	if err != nil {
		return userpool.Profile{}, err
	}
	if !first {
		return userpool.Profile{}, &fault{ip.Name, textSAML, errors.New("the assertion was used before")}
	}
	return assertion.Profile, nil
}

// SignOut returns where to send a browser that has left the pool, so that its
// session s ends at the SAML provider as well, and it goes to location in the
// end. ok is false where there is nothing to do there.
func (h *Handler) SignOut(
	w http.ResponseWriter, r *http.Request, s userpool.Session, location string,
) (there string, ok bool) {
	ctx := r.Context()
	providers := h.Pool.Settings().SAMLProviders()
	i := indexProvider(providers, s.Provider)
	if h.SAML == nil || i < 0 || s.ProviderSession == "" {
		return "", false
	}
	ip := providers[i]
	if !ip.SignOut {
		return "", false
	}
	id := messageID()
	state, _, err := h.Pool.Federation.Start(ctx, h.browserToken(w, r), userpool.RoundTrip{
		Kind: userpool.TripLogout, Provider: ip.Name, Message: id, Location: location,
	})
	if err == nil {
		there, err = h.SAML.SignOut(ctx, h.sp(), ip, id, string(state), s.ProviderSession)
	}
	if err != nil { // the person has left here; that must not fail for what is wrong there
		h.Logger.WarnContext(ctx, decision.ProviderSignOutFailed, "provider", ip.Name, "err", err)
		return "", false
	}
	return there, there != ""
}

func indexProvider(list []userpool.IdentityProvider, name string) int {
	for i, ip := range list {
		if ip.Name == name {
			return i
		}
	}
	return -1
}

// samlLoggedOut is POST /saml2/logout: the provider's answer to a logout. The
// session here ended before; whatever the answer says, the browser goes on to
// where it was going, which the round trip knows and the answer cannot change.
func (h *Handler) samlLoggedOut(w http.ResponseWriter, r *http.Request) {
	form, err := h.samlForm(w, r)
	var trip userpool.RoundTrip
	if err == nil {
		trip, err = h.Pool.Federation.Take(
			r.Context(), userpool.TripLogout, userpool.Secret(form.Get("RelayState")), "",
		)
	}
	if err != nil {
		h.refuse(w, r, nil, err)
		return
	}
	browser.Redirect(w, trip.Location)
}

// samlMetadata is GET /saml2/metadata: what the administrator of a provider
// needs to know of this pool.
func (h *Handler) samlMetadata(w http.ResponseWriter, r *http.Request) {
	if h.SAML == nil {
		http.NotFound(w, r)
		return
	}
	document, err := h.SAML.Metadata(h.sp())
	if err != nil {
		h.refuse(w, r, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	_, _ = w.Write(document)
}
