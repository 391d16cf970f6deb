// Package oidc is an OpenID provider as a relying party sees it: its documents ([Provider]),
// its endpoints for one app client ([Client]), and the checks of what it signs: ID tokens and
// logout tokens ([Verifier]), and access tokens ([AccessTokens]).
//
// It knows the protocol, and no more: no visitor, no cookie, no session, no page, and no
// configuration but what it is handed. What fails is a [refusal.Error], whose text may be
// logged. Beside package refusal it may know those that remember, wait and reach: cache,
// flight, gate, loopback and utf8text.
package oidc
