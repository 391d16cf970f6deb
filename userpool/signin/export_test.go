package signin

import "github.com/cognate-auth/cognate/userpool"

// Facts is what decides the next step of a sign-in.
type Facts struct {
	Settings userpool.Settings
	Choice   bool
	Wanted   []int
	User     userpool.User
	Passkeys bool
	Methods  []string
	After    userpool.Step
}

func (x Facts) facts() facts {
	return facts{
		settings: &x.Settings, choice: x.Choice, wanted: x.Wanted, user: x.User, passkeys: x.Passkeys,
		methods: x.Methods, after: x.After,
	}
}

// Next returns the next step and the factor that it asks for.
func Next(x Facts) (userpool.Step, string) {
	m := x.facts().next()
	return m.Step, m.Factor
}

// FirstFactors returns what can be chosen to begin with.
func FirstFactors(x Facts) []string { return x.facts().firstFactors() }

// CredentialID reads which passkey a browser's answer is of.
func CredentialID(response []byte) (string, bool) { return credentialID(response) }
