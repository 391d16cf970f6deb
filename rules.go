package cognate

import "context"

// A Rule decides whether a user may pass: at every sign-in (Config.LoginRules), on a route
// ([Auth.Require]), or both. Make one with [Group], [Claim], [Scope], [VerifiedEmail],
// [HostedDomain], [AnyOf], [AllOf] or [RuleFunc].
type Rule struct {
	check  func(ctx context.Context, u *User) error
	claims []string // what it reads beside User's fields
}

// RuleFunc makes a rule of a function. An error refuses the user, with [ReasonDenied] and
// status 403, unless it is an [*Error] with a reason of its own, such as [ReasonRuleFailed]
// for a permission check that could not be made.
func RuleFunc(check func(ctx context.Context, u *User) error) Rule {
	return Rule{check: check}
}

// TEMP
func checkRules(ctx context.Context, rules []Rule, u *User) *Error { return nil }
func claimsOf(rules []Rule) []string                               { return nil }
func keeps(p []string, n string) bool {
	for _, x := range p {
		if x == n {
			return true
		}
	}
	return false
}
