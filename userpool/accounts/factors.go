package accounts

import (
	"context"
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
