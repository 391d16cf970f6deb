// Package testhook is the way by which package cognatetest reaches what package
// cognate keeps to itself: making somebody signed in who never was. The functions are
// set by package cognate and called by package cognatetest, and by nobody else; a test
// of package cognate sees to that. Being internal, they can't be reached from outside
// this repository at all.
//
// Users are *cognate.User and auths *cognate.Auth; this package can't name them, since
// package cognate imports it.
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

	// Bearer returns an access token that auth takes for the user's.
	Bearer func(auth, user any) (string, error)
)
