package records

import "time"

// Code is an authorization code and all that it is bound to.
type Code struct {
	Hash            string // hexadecimal SHA-256 of the code
	ClientID        string
	Sub             string
	RedirectURI     string
	RedirectOmitted bool   // the authorization request left redirect_uri out
	Challenge       string // PKCE S256; empty: none was sent
	Nonce           string
	Scopes          []string
	Resource        string // RFC 8707: the audience of the access token; empty: none
	AuthTime        time.Time
	Methods         []string // amr of the session
	Expires         time.Time
}

// RefreshToken is a refresh token and what it renews.
type RefreshToken struct {
	Hash       string // hexadecimal SHA-256 of the token
	ClientID   string
	Sub        string
	Scopes     []string
	Resource   string // as in Code
	OriginJTI  string
	AuthTime   time.Time
	Methods    []string  // amr of the sign-in
	ValidUntil time.Time // end of the refresh token itself
	RetryUntil time.Time // end of the token's grace after it was rotated; zero: it was not
	Expires    time.Time // later: when no access token of the family is alive

	version int64 // counted up by the store
}

// Attempts counts the failed sign-ins of one user or one unknown name.
type Attempts struct {
	Key         string // opaque
	Failures    int
	LockedUntil time.Time
	Expires     time.Time // when the count is forgotten
	Version     int64
}
