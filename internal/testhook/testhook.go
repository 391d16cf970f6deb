// Package testhook gives package cognatetest access to what package cognate does not
// export: making a user signed in without a sign-in, and hearing of refusals. Package
// cognate sets the functions, and only package cognatetest calls them, which a test in
// internal/house enforces; with Refused it is the other way round. Because the package is
// internal, other modules can't use it.
//
// Users are *cognate.User, auths *cognate.Auth and errors *cognate.Error. This package
// can't name these types, because package cognate imports it. It imports nothing else of
// this module.
package testhook

import (
	"context"
	"encoding/json"
	"net/http"
)

var (
	// Context returns a context in which the user is signed in.
	Context func(ctx context.Context, user any) context.Context

	// Claims returns a copy of the user that has the claims and no others.
	Claims func(user any, claims map[string]json.RawMessage) (withClaims any)

	// Session returns the cookies of a new session of the user, or an error if no
	// sign-in at auth could have led to it.
	Session func(ctx context.Context, auth, user any) ([]*http.Cookie, error)

	// Bearer returns an access token that auth accepts as one of the user.
	Bearer func(auth, user any) (string, error)

	// Refused is told of each request that an auth refuses, with an error that has its
	// reference. It is nil unless package cognatetest, and nobody else, has set it, before
	// the program began to run.
	Refused func(r *http.Request, err any)
)
