package userpool

import (
	"slices"
	"strings"
)

// readyFactors are the second factors that the pool has and that work for the user.
func readyFactors(s *Settings, u User) []string {
	out := []string{}
	if s.MFA == MFAOff {
		return out
	}
	for _, factor := range s.MFATypes {
		if factor == FactorTOTP && u.TOTPSecret != "" || u.Attributes[addressOf(factor)] != "" {
			out = append(out, factor)
		}
	}
	return out
}

// enrolledFactors are those of readyFactors that are turned on for the user. Where everyone
// needs one, an authenticator app that is registered is on, and an address will
// do if nothing else is (cognito-idp, challenges after the password).
func enrolledFactors(s *Settings, u User) []string {
	ready, everyone := readyFactors(s, u), s.MFA == MFAOn
	on := slices.DeleteFunc(slices.Clone(ready), func(factor string) bool {
		return !slices.Contains(u.MFA, factor) && (!everyone || factor != FactorTOTP)
	})
	if len(on) == 0 && everyone {
		on = ready
	}
	return withoutRecovery(s, u, on)
}

// withoutRecovery leaves out the medium by which a forgotten password is
// replaced, if there is another: who can read those mails would need nothing
// else.
func withoutRecovery(s *Settings, u User, factors []string) []string {
	if len(factors) < 2 || len(s.Recovery) == 0 {
		return factors
	}
	medium, _ := strings.CutPrefix(s.Recovery[0], "verified_")
	return slices.DeleteFunc(factors, func(factor string) bool {
		return addressOf(factor) == medium && factor != u.PreferredMFA
	})
}
