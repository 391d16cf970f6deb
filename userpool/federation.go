package userpool

import (
	"net/url"
	"strings"
	"time"
)

// PageInvalidState is the error parameter of the page /error for somebody who
// comes from an identity provider and was not sent there by this pool, from
// this browser, a few minutes ago.
const PageInvalidState = "Invalid state"

// A TripKind says what a [RoundTrip] is there for. A state of one kind is
// worth nothing where another is expected.
type TripKind string

// The kinds of round trips.
const (
	TripOIDC   TripKind = "oidc"
	TripSAML   TripKind = "saml"
	TripAnswer TripKind = "answer" // the SAML provider has answered; the browser is still to be recognized
	TripLogout TripKind = "logout" // to sign out at a SAML provider
)

// A RoundTrip is a browser's way to another identity provider and back. It is
// found by its state, which is used up by that, and bound to the browser, the
// provider and the authorization request that it began with.
type RoundTrip struct {
	Hash     string // hexadecimal SHA-256 of the state
	Kind     TripKind
	Browser  string // hexadecimal SHA-256 of the browser's csrf-state
	Provider string
	Request  string // the authorization request: its query, encoded
	Nonce    Secret // of the ID token
	Verifier Secret // PKCE
	Message  string // the ID of the SAML message that was sent
	Profile  *Profile
	Location string // of a logout: where the browser goes in the end
	Expires  time.Time
}

// Profile is what an identity provider said of the person whom it signed in.
type Profile struct {
	// Subject is sub or NameID: who that is, there and forever.
	Subject string
	// Claims are the rest, as text: booleans as true and false, several values
	// as of [MultiValue]. What the provider did not say is not in the map.
	Claims map[string]string
	// Issuer is a SAML provider's entity ID; empty of another.
	Issuer string
	// Session is what it takes to sign out there, see [SAML.SignOut].
	Session string
}

// MultiValue is the one text for several values, as Cognito stores it.
func MultiValue(values []string) string {
	escaped := make([]string, len(values))
	for i, v := range values {
		escaped[i] = url.QueryEscape(v)
	}
	return "[" + strings.Join(escaped, ",") + "]"
}
