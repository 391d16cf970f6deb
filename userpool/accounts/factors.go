package accounts

import (
	"cmp"
	"context"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/internal/totp"
)

// ReadyFactors are the second factors that the pool has and that work for the user.
func ReadyFactors(s *userpool.Settings, u userpool.User) []string {
	out := []string{}
	if s.MFA == userpool.MFAOff {
		return out
	}
	for _, factor := range s.MFATypes {
		if factor == userpool.FactorTOTP && u.TOTPSecret != "" || u.Attributes[userpool.AddressOf(factor)] != "" {
			out = append(out, factor)
		}
	}
	return out
}

// EnrolledFactors are those of ReadyFactors that are turned on for the user. Where everyone
// needs one, an authenticator app that is registered is on, and an address will
// do if nothing else is (cognito-idp, challenges after the password).
func EnrolledFactors(s *userpool.Settings, u userpool.User) []string {
	ready, everyone := ReadyFactors(s, u), s.MFA == userpool.MFAOn
	on := slices.DeleteFunc(slices.Clone(ready), func(factor string) bool {
		return !slices.Contains(u.MFA, factor) && (!everyone || factor != userpool.FactorTOTP)
	})
	if len(on) == 0 && everyone {
		on = ready
	}
	return withoutRecovery(s, u, on)
}

// withoutRecovery leaves out the medium by which a forgotten password is
// replaced, if there is another: who can read those mails would need nothing
// else.
func withoutRecovery(s *userpool.Settings, u userpool.User, factors []string) []string {
	if len(factors) < 2 || len(s.Recovery) == 0 {
		return factors
	}
	medium, _ := strings.CutPrefix(s.Recovery[0], "verified_")
	return slices.DeleteFunc(factors, func(factor string) bool {
		return userpool.AddressOf(factor) == medium && factor != u.PreferredMFA
	})
}

// setFactors gives u the second factors that n names. What n does not name
// stays as it is.
func setFactors(u *userpool.User, n userpool.NewUser) error {
	if n.TOTPSecret != "" && !n.TOTPSecret.Equal(u.TOTPSecret) {
		secret := strings.ToUpper(strings.TrimRight(string(n.TOTPSecret), "="))
		raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
		if err != nil || len(raw) < leastTOTPSecret || len(raw) > mostTOTPSecret {
			return userpool.InvalidParameter("a secret of an authenticator app is 16 to 128 bytes in base32")
		}
		u.TOTPSecret, u.TOTPStep, u.TOTPBefore = userpool.Secret(secret), 0, nil
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
			return userpool.InvalidParameter("the second factor " + text.Clip(factor) + " " +
				cmp.Or(problem, "is repeated"))
		}
	}
	if u.PreferredMFA != "" && !slices.Contains(u.MFA, u.PreferredMFA) {
		return userpool.InvalidParameter("the preferred second factor is not one of the user's")
	}
	return nil
}

// factorProblem says why a user cannot have a second factor.
func factorProblem(u userpool.User, factor string) string {
	switch factor {
	case userpool.FactorTOTP:
		if u.TOTPSecret == "" {
			return "needs the secret of an authenticator app"
		}
	case userpool.FactorSMS:
		if u.Attributes["phone_number"] == "" {
			return "needs a phone_number"
		}
	case userpool.FactorEmail:
		if u.Attributes["email"] == "" {
			return "needs an email"
		}
	default:
		return "is unknown"
	}
	return ""
}

// SetMFA says which second factors are on for a user, and which of them comes
// first; preferred empty: the person chooses (AdminSetUserMFAPreference). What
// is on must work: an authenticator app needs its secret, codes an address.
// Whom name means is as in the other administrator's methods.
func (a *Users) SetMFA(ctx context.Context, name string, factors []string, preferred string) error {
	known := []string{userpool.FactorTOTP, userpool.FactorSMS, userpool.FactorEmail}
	for i, f := range factors {
		if !slices.Contains(known, f) || slices.Contains(factors[:i], f) {
			return userpool.InvalidParameter(
				fmt.Sprintf("factors: %q is unknown or repeated; known are %q", text.Clip(f), known))
		}
	}
	if preferred != "" && !slices.Contains(factors, preferred) {
		return userpool.InvalidParameter("the preferred factor must be one that is on")
	}
	_, err := a.Change(ctx, name, func(u *userpool.User) error {
		for _, f := range factors {
			if f == userpool.FactorTOTP && u.TOTPSecret == "" {
				return userpool.InvalidParameter("User has not set up software token mfa")
			}
			if f != userpool.FactorTOTP && u.Attributes[userpool.AddressOf(f)] == "" {
				return userpool.InvalidParameter("User does not have delivery config set to turn on " + f)
			}
		}
		u.MFA, u.PreferredMFA = slices.Clone(factors), preferred
		return nil
	})
	return err
}

// SetTOTP registers an authenticator app by its secret, in base32 without
// padding and of at least 10 bytes, and turns it on. An empty secret removes
// the app.
func (a *Users) SetTOTP(ctx context.Context, name string, secret userpool.Secret) error {
	key, err := totp.Decode(secret)
	if err != nil || secret != "" && (len(key) < 10 || len(key) > 128) {
		return userpool.InvalidParameter(
			"the secret of an authenticator app is base32 without padding, of 10 to 128 bytes",
		)
	}
	_, err = a.Change(ctx, name, func(u *userpool.User) error {
		u.TOTPSecret, u.TOTPStep, u.TOTPBefore = secret, 0, nil
		u.MFA = slices.DeleteFunc(u.MFA, func(f string) bool { return f == userpool.FactorTOTP })
		switch {
		case secret != "":
			u.MFA = append(u.MFA, userpool.FactorTOTP)
		case u.PreferredMFA == userpool.FactorTOTP:
			u.PreferredMFA = ""
		}
		return nil
	})
	return err
}
