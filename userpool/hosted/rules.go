package hosted

import (
	"slices"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
)

// rules are what a page says a password must have.
type rules struct {
	*locale

	List    []rule
	Checked bool // a password was sent, and each rule says whether it kept it
	Broken  bool // it did not keep one of them
}

// rule is one of them, in the page's language.
type rule struct {
	Text   string
	Broken bool
}

// rulesOf returns the pool's rules, and which of them the password broke that came in a
// field of the form. The password itself is never written back.
func rulesOf(v *visit, field string) rules {
	policy, t := v.h.Pool.Settings().Passwords, v.locale.T
	sent := v.form.Get(field)
	out := rules{locale: v.locale, Checked: v.flow.Failed && sent != ""}
	var faults []userpool.PasswordFault
	if out.Checked {
		faults = policy.Faults(userpool.Secret(sent))
	}
	add := func(on bool, fault userpool.PasswordFault, text string) {
		if on {
			out.List = append(out.List, rule{text, slices.Contains(faults, fault)})
		}
	}
	add(policy.MinimumLength > 1, userpool.PasswordTooShort, t("At least %d characters", policy.MinimumLength))
	add(policy.RequireUppercase, userpool.PasswordNoUppercase, t("An uppercase letter"))
	add(policy.RequireLowercase, userpool.PasswordNoLowercase, t("A lowercase letter"))
	add(policy.RequireNumbers, userpool.PasswordNoNumber, t("A number"))
	add(policy.RequireSymbols, userpool.PasswordNoSymbol, t("A symbol or a space"))
	edge := slices.Contains(faults, userpool.PasswordEdgeSpace) // worth a line only when it happens
	add(edge, userpool.PasswordEdgeSpace, t("No space at the beginning or the end"))
	out.addFormer(v, policy.History)
	out.Broken = slices.ContainsFunc(out.List, func(r rule) bool { return r.Broken })
	return out
}

// addFormer adds the rule about passwords that the account had before, if it can have had
// one.
func (s *rules) addFormer(v *visit, history int) {
	used := v.flow.Failed && v.flow.Notice == accounts.TextUsedPassword
	switch {
	case v.flow.Step == userpool.StepSignUp:
	case history > 1:
		s.List = append(s.List, rule{v.locale.T("None of your last %d passwords", history), used})
	case v.flow.Step == userpool.StepNewPassword:
		s.List = append(s.List, rule{v.locale.T("Not the temporary password"), used})
	case history == 1:
		s.List = append(s.List, rule{v.locale.T("Not your last password"), used})
	}
}
