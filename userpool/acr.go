package userpool

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A level is how surely a person was recognized, 1 to 4; 0 is not at all
// (developer guide, page "cognito-user-pools-step-up-authentication").
type level int

// The levels.
const (
	levelNone     level = iota
	levelPassword       // a password
	levelCode           // one code by e-mail or SMS
	levelStrong         // a passkey, or a password and such a code
	levelTOTP           // a password and the code of an authenticator app
)

const acrPrefix = "urn:cognito:loa:"

// passkeyKind is the kind of the records that passkeys are.
const passkeyKind = "passkey"

// The values of amr (RFC 8176 and Cognito's own).
const (
	amrPassword  = "pwd"
	amrTOTP      = "otp"
	amrSMS       = "sms"
	amrEmail     = "email_otp"
	amrPlatform  = "swk" // a passkey of the device itself
	amrRoaming   = "hwk" // one on a key that is carried about
	amrMany      = "mfa" // two factors or more
	amrFederated = "fed" // whatever another identity provider did
)

// acr returns the name of the level.
func (l level) acr() string { return acrPrefix + string(rune('0'+l)) }

// levelOf returns the level that these methods reach together.
func levelOf(methods []string) level {
	has := func(m string) bool { return slices.Contains(methods, m) }
	password, code := has(amrPassword), has(amrSMS) || has(amrEmail)
	switch {
	case password && has(amrTOTP):
		return levelTOTP
	case has(amrPlatform), has(amrRoaming), password && code:
		return levelStrong
	case code:
		return levelCode
	case password:
		return levelPassword
	}
	return levelNone
}

// acrClaim is the acr claim of a sign-in with these methods, or nothing. Of
// people who come from another identity provider the pool knows only that.
func acrClaim(methods []string) string {
	l := levelOf(methods)
	switch {
	case l != levelNone:
		return l.acr()
	case slices.Contains(methods, amrFederated):
		return amrFederated
	}
	return ""
}

// amrClaim adds to the methods that there are several.
func amrClaim(methods []string) []string {
	if len(methods) < 2 || slices.Contains(methods, amrMany) {
		return methods
	}
	return append(slices.Clone(methods), amrMany)
}

// parseACR reads acr_values: the levels that are known, in the order of the
// request. Others mean nothing.
func parseACR(values string) []level {
	var wanted []level
	for v := range strings.FieldsSeq(values) {
		n, ok := strings.CutPrefix(v, acrPrefix)
		if !ok || len(n) != 1 || n[0] < '1' || n[0] > '4' {
			continue
		}
		if l := level(n[0] - '0'); !slices.Contains(wanted, l) {
			wanted = append(wanted, l)
		}
	}
	return wanted
}

// requiredLevel is the level that the request asks of this user: the first of
// acr_values that he can reach. levelNone: the request asks for nothing, or for
// nothing that he could do. A sign-in must not end before [levelOf] its methods
// is there.
func (p *Pool) requiredLevel(ctx context.Context, a *Authorization, u User) (level, error) {
	for _, l := range a.acr {
		ok, err := p.canReach(ctx, a.Client, u, l)
		if err != nil {
			return levelNone, err
		}
		if ok {
			return l, nil
		}
	}
	return levelNone, nil
}

// canReach reports whether the user has what the level takes, or more.
func (p *Pool) canReach(ctx context.Context, c Client, u User, l level) (bool, error) {
	password := u.PasswordHash != "" && u.Status != UserExternal
	has := func(factor string) bool { return slices.Contains(u.MFA, factor) }
	best := levelNone
	switch {
	case password && u.TOTPSecret != "":
		best = levelTOTP
	case password && (has(FactorSMS) || has(FactorEmail)):
		best = levelStrong
	case p.offersCode(c, u):
		best = levelCode
	case password:
		best = levelPassword
	}
	if best >= l || l > levelStrong || !p.offersFirst(c, FactorPasskey) {
		return best >= l, nil
	}
	keys, err := p.store.store.List(ctx, p.id, passkeyKind, Query{Owner: u.Sub, Limit: 1})
	if err != nil {
		return false, fmt.Errorf("userpool: reading passkeys: %w", err)
	}
	return len(keys) > 0, nil
}

// offersFirst reports whether people may begin with this factor at the client.
func (p *Pool) offersFirst(c Client, factor string) bool {
	return slices.Contains(c.ExplicitAuthFlows, "ALLOW_USER_AUTH") &&
		slices.Contains(p.Settings().FirstFactors, factor)
}

// offersCode reports whether the user can sign in with a code alone.
func (p *Pool) offersCode(c Client, u User) bool {
	return p.offersFirst(c, FactorEmail) && u.Attributes["email_verified"] == "true" ||
		p.offersFirst(c, FactorSMS) && u.Attributes["phone_number_verified"] == "true"
}
