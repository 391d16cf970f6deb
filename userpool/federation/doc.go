// Package federation signs people in at other identity providers: it is what a
// user pool is as a client of OpenID Connect and as a service provider of SAML
// 2.0. Package signin decides who somebody is here; this package asks who they
// are there.
//
// # The way out and back
//
// [Handler.Start] sends the browser to the provider that an authorization
// request names. The provider sends it back to /oauth2/idpresponse (OpenID
// Connect) or has it post to /saml2/idpresponse (SAML). In between lies a round
// trip in the store: a random state, bound to the browser by the csrf-state
// cookie, to the provider and to the authorization request, good once and for
// five minutes. So nobody is signed in by a link or a form that somebody else
// made, and an answer of one provider does not count for another.
//
// A SAML provider answers with a form from its own site, with which browsers do
// not send our cookies. The answer is checked and put aside, and the browser
// comes for it with a redirect, with which they do.
//
// # What is believed
//
// Of an OpenID Connect provider: its discovery document, if it names the issuer
// that was configured; an ID token, if its signature, iss, aud, azp, exp and
// nonce hold (OpenID Connect Core section 3.1.3.7); the userInfo endpoint, if it
// names the same sub. Every answer is bounded in size and time, no redirect is
// followed, and what a provider says in an error goes to the app only as the
// words of the protocol's error members.
//
// # What it knows
//
// The words (userpool), grants, pool and, of the internal packages, browser and decision;
// of the module's, loopback and utf8text. It knows none of the other HTTP packages.
package federation
