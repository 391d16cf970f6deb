package userpool

import "time"

// Facts is what decides the next step of a sign-in.
type Facts struct {
	Settings Settings
	Choice   bool
	Wanted   []int
	User     User
	Passkeys bool
	Methods  []string
	After    Step
}

func (x Facts) facts() facts {
	return facts{
		settings: &x.Settings, choice: x.Choice, wanted: x.Wanted, user: x.User, passkeys: x.Passkeys,
		methods: x.Methods, after: x.After,
	}
}

// Next returns the next step and the factor that it asks for.
func Next(x Facts) (Step, string) {
	m := x.facts().next()
	return m.Step, m.Factor
}

// FirstFactors returns what can be chosen to begin with.
func FirstFactors(x Facts) []string { return x.facts().firstFactors() }

// Assurance returns the level that methods reach.
func Assurance(methods []string) int { return assurance(methods) }

// TOTPCode returns the code of an authenticator app at this time.
func TOTPCode(secret Secret, at time.Time) string {
	key, err := totpEncoding.DecodeString(string(secret))
	if err != nil {
		panic(err)
	}
	return totpCode(key, at.Unix()/30)
}

// MatchTOTP is the check of such a code.
func MatchTOTP(secret, code Secret, now time.Time) (int64, bool) { return matchTOTP(secret, code, now) }

// CredentialID reads which passkey a browser's answer is of.
func CredentialID(response []byte) (string, bool) { return credentialID(response) }
