// Package oauthscope has the forms and the fixed names of OAuth scopes. It imports the
// standard library alone.
package oauthscope

import (
	"regexp"
	"slices"
	"strings"
)

// Max is how many scopes a client has at most.
const Max = 50

// Scopes of the pool itself. Every other scope has the form
// <resource server>/<name>.
const (
	OpenID  = "openid"
	Email   = "email"
	Phone   = "phone"
	Profile = "profile"
	Admin   = "aws.cognito.signin.user.admin"
)

// scopeToken is the scope-token of RFC 6749 section 3.3.
var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,256}$`)

// ValidToken reports whether s can be a scope, of whatever form.
func ValidToken(s string) bool { return scopeToken.MatchString(s) }

// System reports whether s is one of the pool's own scopes.
func System(s string) bool {
	switch s {
	case OpenID, Email, Phone, Profile, Admin:
		return true
	}
	return false
}

// Valid reports whether a client can have the scope s, as far as its form goes.
func Valid(s string) bool {
	if System(s) {
		return true
	}
	slash := strings.LastIndexByte(s, '/')
	return slash > 0 && slash < len(s)-1 && scopeToken.MatchString(s)
}

// Complete reports whether the scopes that only make sense for an ID
// token come with openid.
func Complete(scopes []string) bool {
	return slices.Contains(scopes, OpenID) || !slices.ContainsFunc(scopes, func(s string) bool {
		return s == Email || s == Phone || s == Profile
	})
}
