package userpool

import (
	"cmp"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// CheckUser checks n as [Pool.CreateUser] does, for a pool with these settings:
// what breaks a rule is an [*Error] whose description says what was expected.
// Whether the name is free, only a pool can tell.
func CheckUser(s Settings, n NewUser) error {
	s.Groups = nil // nothing of a user is compared with them, and to sort them for each user takes its time
	s = withSettingsDefaults(s)
	_, err := rules{&s, newSignInNames(s), time.Now}.newUser(n)
	return err
}

const (
	leastTOTPSecret = 16 // bytes: RFC 4226 section 4, R6
	mostTOTPSecret  = 128
)

// setFactors gives u the second factors that n names. What n does not name
// stays as it is.
func setFactors(u *User, n NewUser) error {
	if n.TOTPSecret != "" && !n.TOTPSecret.Equal(u.TOTPSecret) {
		secret := strings.ToUpper(strings.TrimRight(string(n.TOTPSecret), "="))
		raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
		if err != nil || len(raw) < leastTOTPSecret || len(raw) > mostTOTPSecret {
			return invalid("a secret of an authenticator app is 16 to 128 bytes in base32")
		}
		u.TOTPSecret, u.TOTPStep, u.TOTPBefore = Secret(secret), 0, nil
	}
	if n.MFA != nil {
		u.MFA = slices.Clone(n.MFA)
	}
	if n.PreferredMFA != "" {
		u.PreferredMFA = n.PreferredMFA
	}
	for i, factor := range u.MFA {
		problem := factorProblem(*u, factor)
		if problem != "" || slices.Contains(u.MFA[:i], factor) {
			return invalid("the second factor " + text.Clip(factor) + " " + cmp.Or(problem, "is there twice"))
		}
	}
	if u.PreferredMFA != "" && !slices.Contains(u.MFA, u.PreferredMFA) {
		return invalid("the preferred second factor is not one of the user's")
	}
	return nil
}

// factorProblem says why a user cannot have a second factor.
func factorProblem(u User, factor string) string {
	switch factor {
	case FactorTOTP:
		if u.TOTPSecret == "" {
			return "needs the secret of an authenticator app"
		}
	case FactorSMS:
		if u.Attributes["phone_number"] == "" {
			return "needs a phone_number"
		}
	case FactorEmail:
		if u.Attributes["email"] == "" {
			return "needs an email"
		}
	default:
		return "is unknown"
	}
	return ""
}
