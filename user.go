package cognate

import (
	"encoding/json"
	"time"

	"github.com/cognate-auth/cognate/internal/oidc"
)

// User is who is signed in: the identity that the provider vouched for in the ID
// token, checked at sign-in. One value is shared by all requests of a session and
// must not be changed.
type User struct {
	// Issuer and Subject together name the account for good. An e-mail address or a
	// user name can change or be given to somebody else; key your data by these.
	Issuer, Subject string
	// Username is cognito:username, or preferred_username at other providers. In a
	// Cognito pool that signs in by e-mail it is a UUID.
	Username string
	// Email is the e-mail address, or "" if the provider did not give one.
	Email string
	// EmailVerified reports whether the provider vouches for Email. Cognito sends it as
	// a boolean in the ID token and as a string in userInfo; "false" is false.
	EmailVerified bool
	// Name is the name to show, or "".
	Name string
	// Groups are the groups of cognito:groups, or of groups at other providers.
	Groups []string
	// AuthTime is when the person proved to be this user, to the second: before the
	// session began, if the provider still had a session of its own. Zero if the
	// provider did not say. A refresh of the tokens does not change it.
	AuthTime time.Time
	// Scopes are what the tokens were granted: at sign-in or the last refresh that said
	// so, or those of the bearer token.
	Scopes []string

	// extra holds the claims named in Config.Claims as they came.
	extra oidc.Claims
}

// Claim returns the claim of the given name as encoding/json decodes it (string,
// bool, float64, []any, map[string]any), or nil. Of a sign-in only claims listed in
// Config.Claims are kept, and the fields of User hold the others; of an access token all are.
func (u *User) Claim(name string) any {
	var v any
	if raw, ok := u.extra[name]; !ok || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	return v
}
