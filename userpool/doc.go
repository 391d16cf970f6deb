// Package userpool holds the rules of a local user pool that is wire-compatible
// with Amazon Cognito: users and app clients, sign-in, browser sessions,
// authorization codes and tokens. It knows no HTTP and no SQL; the packages
// oauth and hosted put it on the wire, and a [Store] keeps its data.
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
// person signs in ([Pool.SignIn]), gets a session ([Pool.StartSession]) and goes
// back to the app with a code ([Pool.Authorize]). The app authenticates
// ([Pool.AuthenticateClient]) and redeems the code ([Pool.RedeemCode]).
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
// The pool is meant for development, for tests and for hosting sign-in oneself.
// Where it differs from Cognito is listed in docs/cognito-divergences.md.
package userpool
