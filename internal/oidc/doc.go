// Package oidc implements a relying party's view of an OpenID provider: its documents
// ([Provider]), its endpoints for one app client ([Client]), and the checks of what it signs:
// ID tokens and logout tokens ([Verifier]), and access tokens ([AccessTokens]).
//
// It knows the protocol only. It knows no visitors, cookies, sessions or pages, and only the
// configuration that it is given. A failed check is a [refusal.Error], whose text may be
// logged. It may import packages refusal, cache, flight, gate, loopback and utf8text.
package oidc
