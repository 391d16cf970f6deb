// Package userpool holds the rules of a local user pool that is wire-compatible
// with Amazon Cognito: users and app clients, sign-up and sign-in, second factors
// and passkeys, other identity providers, browser sessions, authorization codes
// and tokens. It knows no HTTP and no SQL; the packages oauth, hosted and
// federation put it on the wire, and a [Store] keeps its data.
//
//	pool, err := userpool.New(ctx, userpool.Config{
//		Issuer: "http://localhost:9229/", // the pool id is appended
//		Store:  memstore.New(),
//	})
//	client, err := pool.CreateClient(ctx, userpool.Client{
//		GenerateSecret: true, CallbackURLs: []string{"http://localhost:8080/callback"},
//	})
//	user, err := pool.CreateUser(ctx, userpool.NewUser{Username: "ann", Password: "correct horse"})
//	handler, err := server.New(server.Config{Pool: pool, BaseURL: "http://localhost:9229"})
//
// Inside a test, package cognatetest does all of this in one call.
//
// # A sign-in
//
// A browser brings an authorization request. [Pool.ParseAuthorization] checks
// all of it; only what it returns may be redirected to.
// [Pool.AuthorizeSilently] answers from the browser's session. Otherwise the
// person goes through the pages, which are the steps of a [Flow]: name and
// password, sign-up, a code, a second factor, a passkey. Each page has a method
// of its own, such as [Pool.SignInStep], that decides what its form is worth; one
// function decides which step is next, from the account, the client and what was
// proven. At the end there is a session ([Pool.StartSession]), and the app gets a
// code ([Pool.Authorize]). It authenticates ([Pool.AuthenticateClient]) and
// redeems the code ([Pool.RedeemCode]).
//
// # Settings
//
// [Settings] are what the pool is told, in the words of Cognito's API: how people
// sign up and in, attributes, passwords, second factors, groups, identity
// providers, messages. [Pool.Configure] replaces them while the pool runs. What is
// done over the network is brought by the program: [Config].Invoke calls the
// triggers, Deliver sends messages, Passkeys and [SAML] know these formats.
//
// # Records
//
// A [Store] keeps [Record]s: a body under a key, with names that are unique, terms
// to search by, an owner and an end. What a user or a code looks like in there is
// known to this package alone, so a store that passes package storetest keeps
// everything there will be. A [Trace] remembers the sign-ins for package devview.
//
// # Errors
//
// What the client, or the person, is meant to see is an [*Error], a
// [*RedirectError] or a [*PageError]. Everything else is a failure of the pool:
// the caller logs it and answers server_error.
//
// # Security
//
// Passwords are hashed with argon2id, a bounded number at a time. Session ids,
// codes and refresh tokens are random, and only their SHA-256 reaches the store.
// A code is taken from the store before it is looked at, so that it works once
// however many ask. A name that nobody has gets the same answers, the same
// lockout and the same work as one that somebody has. Values that must not be
// seen are a [Secret], which cannot be printed.
//
// The pool is meant for development and tests, not for the accounts of real users.
// Where it differs from Cognito is listed in docs/cognito-divergences.md.
package userpool
