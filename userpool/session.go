package userpool

import "time"

// Session is a browser that signed in.
type Session struct {
	Hash     string // hexadecimal SHA-256 of the session id
	Sub      string
	AuthTime time.Time // when the person last proved who they are
	Methods  []string  // how: amr values (RFC 8176 and Cognito's own), such as pwd
	Provider string    // the identity provider that said so; empty: the pool itself
	Expires  time.Time

	// ProviderSession is what it takes to sign out at a SAML provider; opaque.
	ProviderSession string
}
