// Package testhook gives package cognatetest access to something that package cognate does
// not export: making a user signed in without a sign-in. Package cognate sets the functions,
// and only package cognatetest calls them, which a test in internal/house enforces. Because
// the package is internal, other modules can't use it.
//
// Users are *cognate.User and auths *cognate.Auth. This package can't name these types,
// because package cognate imports it. It imports nothing else of this module.
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
)
