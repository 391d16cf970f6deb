package userpool

import "time"

// Passkeys checks what authenticators answer (Web Authentication Level 3). What
// goes in and out as options and response is the JSON that browsers know
// (PublicKeyCredential.toJSON and its counterparts). state is what one method
// of a pair hands to the other; it stays in the pool. The methods are safe for
// concurrent use and have no effect of their own.
type Passkeys interface {
	// BeginRegistration returns options for navigator.credentials.create. An
	// error is a failure of the implementation.
	BeginRegistration(r PasskeyRegistration) (options, state []byte, err error)
	// FinishRegistration checks the response and returns what to keep of it:
	// Credential and all that the authenticator said. An error is a refusal.
	FinishRegistration(r PasskeyRegistration, state, response []byte) (Passkey, error)
	// BeginAssertion returns options for navigator.credentials.get, the same for
	// everybody: the browser offers the passkeys that it has.
	BeginAssertion(rp RelyingParty) (options, state []byte, err error)
	// FinishAssertion checks the response, which names the passkey stored, and
	// returns that as it is now. An error is a refusal, also when the sign count
	// went back: then there are two copies of the authenticator (section 6.1.1).
	FinishAssertion(rp RelyingParty, state, response []byte, stored Passkey) (Passkey, error)
}

// RelyingParty is for whom an authenticator makes and uses a passkey.
type RelyingParty struct {
	ID         string // a host; empty: that of the domain
	Name       string // for people
	VerifyUser bool   // demand user verification, such as a PIN; otherwise it is preferred
}

// PasskeyRegistration says for whom a passkey is to be made.
type PasskeyRegistration struct {
	RelyingParty

	Sub      string // the user handle
	Username string // what people know the account by
	Have     []Passkey
}

// Passkey is a passkey of a user: a public key and what is known of it.
type Passkey struct {
	ID           string // credential id, unpadded base64url
	Sub          string // whose
	Name         string // for people
	RelyingParty string // the ID that it was made for
	AAGUID       string // the model of the authenticator; empty: not told
	Platform     bool   // it is part of a device; otherwise a key that is carried along
	Transports   []string
	BackedUp     bool   // it is on several devices
	Verified     bool   // the authenticator verified its user the last time
	SignCount    uint32 // of the last time; always zero: it does not count
	Credential   []byte // what [Passkeys] keeps of it
	Created      time.Time
	Used         time.Time // zero: never
	Version      int64     // counted up by the store
}
