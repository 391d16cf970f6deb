package cognate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/internal/oidc"
)

// User is the person or program that makes a request: the identity from the ID token
// that was checked at sign-in, or from a checked access token. One value is shared by
// several requests and must not be changed.
type User struct {
	// Issuer and Subject together identify the account permanently; use them as the key
	// of your data. An e-mail address or a user name can change or be given to somebody
	// else.
	Issuer, Subject string
	// Username is cognito:username, or preferred_username at other providers. In a
	// Cognito pool that signs in by e-mail it is a UUID.
	Username string
	// Email is the e-mail address, or "" if the provider did not give one.
	Email string
	// EmailVerified reports whether Email is verified according to the provider.
	// Cognito sends it as a boolean in the ID token and as a string in userInfo;
	// "false" is false.
	EmailVerified bool
	// Name is the full name for display, or "".
	Name string
	// Groups are the groups of cognito:groups, or of groups at other providers.
	Groups []string
	// AuthTime is when the person authenticated at the provider, to the second. That is
	// before the sign-in here if the provider still had a session of its own. Zero if
	// the provider did not say. A refresh of the tokens does not change it.
	AuthTime time.Time
	// Scopes are the scopes that the tokens were granted at sign-in, or at the last
	// refresh that listed them, or those of the bearer token.
	Scopes []string

	// extra holds the claims that are kept, as they were received.
	extra oidc.Claims
}

// Claim returns the claim of the given name as encoding/json decodes it (string, bool,
// float64, []any, map[string]any), or nil. Sessions keep only the claims named in
// Config.Claims or read by a rule of [Auth.Require]; of an access token all claims are
// kept. For the fields of User use the fields, or [User.Text].
func (u *User) Claim(name string) any {
	var v any
	if raw, ok := u.extra[name]; !ok || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	return v
}

// UserAs decodes a user's claims into a T, usually a struct with json tags:
//
//	type Customer struct {
//		Email string `json:"email"`
//		Tier  string `json:"custom:tier"`
//		Seats int    `json:"custom:seats,string"` // Cognito's custom: attributes are strings
//	}
//	customer, err := cognate.UserAs[Customer](cognate.UserFrom(r.Context()))
//
// The claims are those that are kept (Config.Claims), under their own names, and the
// fields of User under sub, iss, email, email_verified, name, username and groups; see
// [User.Text]. An absent claim leaves its field unchanged. Names must match exactly,
// unlike in encoding/json. If a claim does not fit, the error has its name but not its
// value.
func UserAs[T any](u *User) (T, error) {
	var v, zero T
	if u == nil {
		return zero, errors.New("cognate: UserAs of a nil User; nobody is signed in")
	}
	known := u.claims()
	if names, ok := fieldNames(reflect.TypeFor[T]()); ok {
		for name := range known {
			if !slices.Contains(names, name) {
				delete(known, name)
			}
		}
	}
	data, err := json.Marshal(known)
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil { // its text may quote the claim
		return zero, fmt.Errorf("cognate: the claim %.80q does not fit %T", misfit[T](known), v)
	}
	return v, nil
}

// misfit returns the name of the first claim that can't be decoded by itself.
func misfit[T any](c oidc.Claims) string {
	for _, name := range sortedNames(c) {
		var v T
		data, err := json.Marshal(oidc.Claims{name: c[name]})
		if err != nil || json.Unmarshal(data, &v) != nil {
			return name
		}
	}
	return ""
}

func sortedNames(c oidc.Claims) []string {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// fieldNames returns the names by which encoding/json knows a struct's fields; ok is
// false for any other type, which decodes all claims.
func fieldNames(t reflect.Type) (names []string, ok bool) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil, false
	}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		setDefault(&name, f.Name)
		names = append(names, name)
	}
	return names, true
}

// Text returns a claim as text: a string, or the JSON text of a number or boolean. It
// is "" for a claim of another type, and for one that is absent or not kept
// (Config.Claims).
//
// The names sub, iss, email, email_verified and name return the fields of User, as
// checked at sign-in. So do username and groups, unless claims of these names are kept.
// A nil User is treated as a user without claims.
func (u *User) Text(name string) string {
	s, _ := textOfClaim(u.claim(name))
	return s
}

// List returns a claim that is a list, each member as in [User.Text]; a single value is
// a list of one. It is nil for a claim of another type, and for one that is absent or
// not kept.
func (u *User) List(name string) []string { return claimTexts(u.claim(name)) }

// Values returns the values of a claim into which Cognito may have written several. An
// attribute holds one text, so Cognito writes a list from an identity provider as
// "[team-a,team+b%2Cc]", each value form-encoded (developer guide, "Mapping IdP
// profiles to the user pool"). Values returns "team-a" and "team b,c" for it, without
// spaces around a value. A text without brackets is one unchanged value, and any other
// claim is treated as by [User.List].
//
// Text, List and [Claim] don't split such a claim, because nothing marks it: in an
// attribute that people can edit, the brackets may be part of the text.
func (u *User) Values(name string) []string {
	raw := u.claim(name)
	s, ok := textOfClaim(raw)
	inner, open := strings.CutPrefix(s, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !ok || !open || !closed {
		return claimTexts(raw)
	}
	if inner == "" {
		return nil
	}
	values := strings.Split(inner, ",")
	for i, v := range values {
		v = strings.Trim(v, " ") // spaces of the value itself are encoded
		values[i] = v
		decoded, err := url.QueryUnescape(v)
		if err == nil && utf8.ValidString(decoded) { // otherwise Cognito did not encode it
			values[i] = decoded
		}
	}
	return values
}

// Truth reports whether a claim is true, as a boolean or as a string, which Cognito
// uses for some.
func (u *User) Truth(name string) bool { return u.Text(name) == "true" }

// An Identity is an account at another provider, such as Google or a company's SAML
// directory, that a Cognito user signs in with or is linked to (developer guide, "Using the
// ID token", identities).
type Identity struct {
	// UserID is the account's ID at that provider.
	UserID string
	// Provider is the provider's name in the user pool, and Type its type, such as
	// "Google", "SAML" or "OIDC".
	Provider, Type string
	// Issuer is the SAML entity or OpenID Connect issuer, or "".
	Issuer string
	// Primary reports whether the user was created from this identity.
	Primary bool
	// Created is when it was linked, or zero.
	Created time.Time
}

// maxIdentities bounds Identities. Cognito links at most 5 to a user.
const maxIdentities = 32

// Identities returns the identities claim of a Cognito user, which must be kept: name
// it in Config.Claims. It is a list in the ID token and a string that holds a list in
// userInfo; both are read. Members that can't be read are left out.
func (u *User) Identities() []Identity {
	raw := u.claim("identities")
	if s, ok := textOfClaim(raw); ok {
		raw = json.RawMessage(s)
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var out []Identity
	for _, member := range list[:min(len(list), maxIdentities)] {
		var c oidc.Claims
		if json.Unmarshal(member, &c) == nil {
			out = append(out, identityOf(c))
		}
	}
	return out
}

func identityOf(c oidc.Claims) Identity {
	text := func(name string) string { s, _ := textOfClaim(c[name]); return s }
	id := Identity{
		UserID: text("userId"), Provider: text("providerName"), Type: text("providerType"), Issuer: text("issuer"),
		Primary: c.Truth("primary"),
	}
	ms, err := strconv.ParseInt(text("dateCreated"), 10, 64)
	if err == nil && ms > 0 && ms/1000 <= oidc.MaxNumericDate {
		id.Created = time.UnixMilli(ms)
	}
	return id
}

// checkedNames are claims that are always taken from User's fields.
var checkedNames = []string{"sub", "iss", "email", "email_verified", "name"}

// claim returns a claim as JSON, or nil.
func (u *User) claim(name string) json.RawMessage {
	if u == nil {
		return nil
	}
	if raw, ok := u.extra[name]; ok && !slices.Contains(checkedNames, name) {
		return raw
	}
	var v any
	switch name {
	case "sub":
		v = u.Subject
	case "iss":
		v = u.Issuer
	case "email":
		v = u.Email
	case "email_verified":
		return strconv.AppendBool(nil, u.EmailVerified)
	case "name":
		v = u.Name
	case "username":
		v = u.Username
	case "groups":
		v = u.Groups
	}
	if v == nil || v == "" || len(u.Groups) == 0 && name == "groups" {
		return nil
	}
	raw, _ := json.Marshal(v) // strings can always be encoded
	return raw
}

// claims returns all claims, including those of User's fields.
func (u *User) claims() oidc.Claims {
	all := make(oidc.Claims, len(u.extra)+len(checkedNames)+2)
	for name, raw := range u.extra {
		all[name] = raw
	}
	for _, name := range append([]string{"username", "groups"}, checkedNames...) {
		raw := u.claim(name)
		if raw == nil {
			delete(all, name)
			continue
		}
		all[name] = raw
	}
	return all
}

// textOfClaim returns the text of a string, number or boolean; ok is false for anything
// else.
func textOfClaim(raw json.RawMessage) (s string, ok bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || bytes.ContainsAny(raw[:1], "[{n") {
		return "", false
	}
	if raw[0] != '"' {
		return string(raw), true
	}
	return s, json.Unmarshal(raw, &s) == nil
}

// claimTexts returns the text of each member of a list, or that of a single value.
func claimTexts(raw json.RawMessage) []string {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	var out []string
	for _, member := range list {
		if s, ok := textOfClaim(member); ok {
			out = append(out, s)
		}
	}
	return out
}

// descend follows names into objects, and returns nil if one is missing.
func descend(raw json.RawMessage, names []string) json.RawMessage {
	for _, name := range names {
		var c oidc.Claims
		if json.Unmarshal(raw, &c) != nil {
			return nil
		}
		raw = c[name]
	}
	return raw
}

// maxClaimNames bounds Config.Claims.
const maxClaimNames = 100

// claimNameProblems checks the names of Config.Claims.
func claimNameProblems(patterns []string) (problems []error) {
	if len(patterns) > maxClaimNames {
		return []error{fmt.Errorf("%d Claims; expected at most %d", len(patterns), maxClaimNames)}
	}
	for _, p := range patterns {
		prefix := strings.TrimSuffix(p, "*")
		if prefix == "" || len(p) > 256 || strings.Contains(prefix, "*") {
			const expected = "expected the name of a claim, or a prefix of some with a * at its end, such as custom:*"
			//nolint:staticcheck // it begins with the field's name
			problems = append(problems, fmt.Errorf("Claims has %.80q; %s", p, expected))
		}
	}
	return problems
}

// keeps reports whether a claim is one of those to keep. A * does not match the claims
// of the protocol itself: "a*" is about attributes, not about aud.
func keeps(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		prefix, several := strings.CutSuffix(p, "*")
		return p == name ||
			several && prefix != "" && strings.HasPrefix(name, prefix) && !oidc.IsProtocolClaim(name)
	})
}

// keptClaims holds the patterns of the claims that sessions keep: those of
// Config.Claims and those that rules of routes read. It is safe for concurrent use.
type keptClaims struct {
	mu       sync.Mutex
	patterns atomic.Pointer[[]string]
}

func (k *keptClaims) add(patterns ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []string
	if old := k.patterns.Load(); old != nil {
		all = slices.Clone(*old)
	}
	for _, p := range patterns {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	k.patterns.Store(&all)
}

// trim returns a copy of the user with only the claims that are kept.
func (k *keptClaims) trim(u *User) *User {
	out := *u
	out.extra = nil
	for name, raw := range u.extra {
		if keeps(*k.patterns.Load(), name) {
			if out.extra == nil {
				out.extra = make(oidc.Claims)
			}
			out.extra[name] = raw
		}
	}
	return &out
}

// UserInfoMode says when the userInfo endpoint is called at sign-in.
type UserInfoMode int

const (
	// UserInfoIfNeeded calls it if the scope email is requested and the ID token has no
	// e-mail address, or does not say whether the address is verified although
	// RequireVerifiedEmail is set. It is the default; with Cognito a call is rarely
	// needed.
	UserInfoIfNeeded UserInfoMode = iota
	// UserInfoAlways calls it at every sign-in; its claims override the ID token's.
	UserInfoAlways
	// UserInfoNever uses only the ID token's claims.
	UserInfoNever
)

// UserInfo returns the user of an access token according to the provider's userInfo
// endpoint (OpenID Connect Core 1.0, 5.3). All claims of the answer can be read with
// [User.Claim]. The error is an [*Error]; an empty token is refused with
// [ReasonBearerMissing].
//
// It does not check that the token was issued for this app: a provider answers for the
// tokens of all its clients. To decide who may pass, use [Auth.VerifyAccessToken].
func (a *Auth) UserInfo(ctx context.Context, accessToken string) (*User, error) {
	if accessToken == "" {
		return nil, refuse(ReasonBearerMissing, "the token is empty")
	}
	info, err := a.client.UserInfo(ctx, accessToken)
	if err != nil {
		return nil, publicError(err)
	}
	return userOf(info, a.client.Provider.Issuer(), a.dialect, nil), nil
}

// userOf reads the user from checked claims of an issuer. All claims stay readable.
func userOf(c oidc.Claims, issuer string, d *Dialect, scopes []string) *User {
	groups, _ := c.Strings(d.GroupsClaim)
	authTime, _, _ := c.Date("auth_time")
	u := &User{
		Issuer: issuer, Subject: c.Text("sub"), Username: c.Text(d.UsernameClaim),
		Email: c.Text("email"), Name: c.Text("name"), Groups: groups, AuthTime: authTime, Scopes: scopes, extra: c,
	}
	u.EmailVerified = u.Email != "" && c.Truth("email_verified")
	return u
}
