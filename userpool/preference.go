package userpool

import (
	"context"
	"slices"
)

// SetMFA says which second factors are on for a user, and which of them comes
// first; preferred empty: the person chooses (AdminSetUserMFAPreference). What
// is on must work: an authenticator app needs its secret, codes an address.
// Whom name means is as in the other administrator's methods.
func (p *Pool) SetMFA(ctx context.Context, name string, factors []string, preferred string) error {
	err := subset("factors", factors, FactorTOTP, FactorSMS, FactorEmail)
	if err != nil {
		return invalid(err.Error())
	}
	if preferred != "" && !slices.Contains(factors, preferred) {
		return invalid("the preferred factor must be one that is on")
	}
	_, err = p.change(ctx, name, func(u *User) error {
		for _, f := range factors {
			if f == FactorTOTP && u.TOTPSecret == "" {
				return invalid("User has not set up software token mfa")
			}
			if f != FactorTOTP && u.Attributes[addressOf(f)] == "" {
				return invalid("User does not have delivery config set to turn on " + f)
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
func (p *Pool) SetTOTP(ctx context.Context, name string, secret Secret) error {
	key, err := decodeTOTP(secret)
	if err != nil || secret != "" && (len(key) < 10 || len(key) > 128) {
		return invalid("the secret of an authenticator app is base32 without padding, of 10 to 128 bytes")
	}
	_, err = p.change(ctx, name, func(u *User) error {
		u.TOTPSecret, u.TOTPStep, u.TOTPBefore = secret, 0, nil
		u.MFA = slices.DeleteFunc(u.MFA, func(f string) bool { return f == FactorTOTP })
		switch {
		case secret != "":
			u.MFA = append(u.MFA, FactorTOTP)
		case u.PreferredMFA == FactorTOTP:
			u.PreferredMFA = ""
		}
		return nil
	})
	return err
}
