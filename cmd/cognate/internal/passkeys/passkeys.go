// Package passkeys implements [userpool.Passkeys]: it creates the options of WebAuthn
// ceremonies and verifies the browsers' answers, with the WebAuthn library. It knows no
// store and no users; a passkey's record is opaque to the pool.
package passkeys

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/signin"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
)

// timeout is how long a browser waits for a person: as long as a sign-in may take.
const timeout = signin.FlowLifetime

// Checker implements userpool.Passkeys for the pages of one domain. It is safe for
// concurrent use.
type Checker struct {
	origin string // of the pages, as browsers name it
	host   string
}

var _ userpool.Passkeys = (*Checker)(nil)

// New returns the Checker for pages below baseURL, such as http://localhost:9229.
// Browsers create passkeys only on https and on localhost.
func New(baseURL string) (*Checker, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("passkeys: %q is not the address of a website", baseURL)
	}
	return &Checker{origin: u.Scheme + "://" + u.Host, host: u.Hostname()}, nil
}

// webAuthn returns the library configured for rp. The settings of the pool may change
// rp at any time.
func (c *Checker) webAuthn(rp userpool.RelyingParty) (*webauthn.WebAuthn, error) {
	id := rp.ID
	if id == "" {
		id = c.host
	}
	verify := protocol.VerificationPreferred
	if rp.VerifyUser {
		verify = protocol.VerificationRequired
	}
	limit := webauthn.TimeoutConfig{Timeout: timeout, TimeoutUVD: timeout}
	w, err := webauthn.New(&webauthn.Config{
		RPID: id, RPDisplayName: rp.Name, RPOrigins: []string{c.origin},
		AttestationPreference: protocol.PreferNoAttestation,
		// The sign-in page asks for no particular passkey, because the list would
		// reveal who has which. So authenticators must find their passkeys themselves.
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: verify,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: limit, Registration: limit},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	return w, nil
}

// owner is the user of a passkey, in the library's form.
type owner struct {
	sub, name   string
	credentials []webauthn.Credential
}

// WebAuthnID is the user handle.
func (o owner) WebAuthnID() []byte { return []byte(o.sub) }

// WebAuthnName is the name that people know the account by.
func (o owner) WebAuthnName() string { return o.name }

// WebAuthnDisplayName is the same name.
func (o owner) WebAuthnDisplayName() string { return o.name }

// WebAuthnCredentials are the passkeys that may answer.
func (o owner) WebAuthnCredentials() []webauthn.Credential { return o.credentials }

// algorithms are the ones that Cognito accepts.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// BeginRegistration implements userpool.Passkeys.
func (c *Checker) BeginRegistration(r userpool.PasskeyRegistration) (options, state []byte, err error) {
	w, err := c.webAuthn(r.RelyingParty)
	if err != nil {
		return nil, nil, err
	}
	creation, session, err := w.BeginRegistration(owner{sub: r.Sub, name: r.Username},
		webauthn.WithCredentialParameters(algorithms), webauthn.WithExclusions(descriptors(r.Have)))
	if err != nil {
		return nil, nil, fmt.Errorf("passkeys: %w", err)
	}
	return encode(creation.Response, session)
}

// descriptors are the user's passkeys: a device that has one must not create a second.
func descriptors(have []userpool.Passkey) []protocol.CredentialDescriptor {
	out := make([]protocol.CredentialDescriptor, 0, len(have))
	for _, k := range have {
		id, err := base64.RawURLEncoding.DecodeString(k.ID)
		if err != nil {
			continue
		}
		d := protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: id}
		for _, t := range k.Transports {
			d.Transport = append(d.Transport, protocol.AuthenticatorTransport(t))
		}
		out = append(out, d)
	}
	return out
}

func encode(options any, session *webauthn.SessionData) (optionsJSON, state []byte, err error) {
	optionsJSON, err = json.Marshal(options)
	if err == nil {
		state, err = json.Marshal(session)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("passkeys: encoding: %w", err)
	}
	return optionsJSON, state, nil
}

// FinishRegistration implements userpool.Passkeys.
func (c *Checker) FinishRegistration(
	r userpool.PasskeyRegistration, state, response []byte,
) (userpool.Passkey, error) {
	w, err := c.webAuthn(r.RelyingParty)
	if err != nil {
		return userpool.Passkey{}, err
	}
	session, err := decodeState(state)
	if err != nil {
		return userpool.Passkey{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return userpool.Passkey{}, explain(err)
	}
	made, err := w.CreateCredential(owner{sub: r.Sub, name: r.Username}, session, parsed)
	if err != nil {
		return userpool.Passkey{}, explain(err)
	}
	// The attestation was not requested, and is not used again.
	made.Attestation = webauthn.CredentialAttestation{}
	return updated(userpool.Passkey{ID: base64.RawURLEncoding.EncodeToString(made.ID)}, made, made.Flags.UserVerified)
}

// BeginAssertion implements userpool.Passkeys.
func (c *Checker) BeginAssertion(rp userpool.RelyingParty) (options, state []byte, err error) {
	w, err := c.webAuthn(rp)
	if err != nil {
		return nil, nil, err
	}
	assertion, session, err := w.BeginDiscoverableLogin()
	if err != nil {
		return nil, nil, fmt.Errorf("passkeys: %w", err)
	}
	return encode(assertion.Response, session)
}

// FinishAssertion implements userpool.Passkeys.
func (c *Checker) FinishAssertion(
	rp userpool.RelyingParty, state, response []byte, stored userpool.Passkey,
) (userpool.Passkey, error) {
	w, err := c.webAuthn(rp)
	if err != nil {
		return userpool.Passkey{}, err
	}
	session, err := decodeState(state)
	if err != nil {
		return userpool.Passkey{}, err
	}
	var known webauthn.Credential
	err = json.Unmarshal(stored.Credential, &known)
	if err != nil {
		return userpool.Passkey{}, fmt.Errorf("passkeys: reading a stored passkey: %w", err)
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return userpool.Passkey{}, explain(err)
	}
	find := func(id, handle []byte) (webauthn.User, error) {
		if !bytes.Equal(id, known.ID) || string(handle) != stored.Sub {
			return nil, errors.New("the passkey belongs to another user")
		}
		return owner{sub: stored.Sub, credentials: []webauthn.Credential{known}}, nil
	}
	_, used, err := w.ValidatePasskeyLogin(find, session, parsed)
	if err != nil {
		return userpool.Passkey{}, explain(err)
	}
	if used.Authenticator.CloneWarning {
		return userpool.Passkey{}, errors.New("passkeys: the sign count went back: there may be a copy of the passkey")
	}
	return updated(stored, used, parsed.Response.AuthenticatorData.Flags.HasUserVerified())
}

func decodeState(state []byte) (webauthn.SessionData, error) {
	var s webauthn.SessionData
	err := json.Unmarshal(state, &s)
	if err != nil || s.Challenge == "" {
		return s, errors.New("passkeys: the answer belongs to no known ceremony")
	}
	return s, nil
}

// explain adds the library's detail, which is for the log, to the error.
func explain(err error) error {
	fault, ok := errors.AsType[*protocol.Error](err)
	if ok && fault.DevInfo != "" {
		return fmt.Errorf("passkeys: %w: %s", err, fault.DevInfo)
	}
	return fmt.Errorf("passkeys: %w", err)
}

// updated returns k with what the library reports about the passkey now.
func updated(k userpool.Passkey, c *webauthn.Credential, verified bool) (userpool.Passkey, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return k, fmt.Errorf("passkeys: encoding: %w", err)
	}
	k.Credential, k.SignCount, k.Verified = body, c.Authenticator.SignCount, verified
	k.BackedUp = c.Flags.BackupState
	k.AAGUID = modelOf(c.Authenticator.AAGUID)
	k.Platform = c.Authenticator.Attachment == protocol.Platform
	k.Transports = nil
	for _, t := range []protocol.AuthenticatorTransport{
		protocol.Internal, protocol.Hybrid, protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard,
	} {
		if slices.Contains(c.Transport, t) { // other names that a browser may send are not stored
			k.Transports = append(k.Transports, string(t))
		}
	}
	return k, nil
}

// modelOf formats an AAGUID. All zeros mean that the model is unknown.
func modelOf(aaguid []byte) string {
	if len(aaguid) != 16 || bytes.Equal(aaguid, make([]byte, 16)) {
		return ""
	}
	h := hex.EncodeToString(aaguid)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
