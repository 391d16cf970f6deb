package cognate

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A Rule decides whether a user may pass: at every sign-in (Config.LoginRules), on a route
// ([Auth.Require]), or both. Make one with [Group], [Claim], [ClaimPath], [ClaimValues],
// [Scope], [Issuer], [VerifiedEmail], [VerifiedEmailAddress], [VerifiedEmailDomain],
// [HostedDomain], [AnyOf], [AllOf] or [RuleFunc]; the zero Rule refuses everybody. Rules
// never change and may be shared by several goroutines.
//
// Names and values are compared to the letter. An empty one, as from an environment
// variable that is not set, lets nobody pass.
type Rule struct {
	check  func(ctx context.Context, u *User) error
	claims []string // what it reads beside User's fields
	text   string   // what it asks for, for the log
}

// RuleFunc makes a rule of a function. An error refuses the user, with [ReasonDenied] and
// status 403, unless it is an [*Error] with a reason of its own, such as [ReasonRuleFailed]
// for a permission check that could not be made. A context that was cancelled, or whose
// time is over, is [ReasonRuleFailed] without more. Visitors don't see the text of the
// error; the log does.
//
// Claims that check reads have to be kept: name them in Config.Claims. A nil function
// refuses everybody.
func RuleFunc(check func(ctx context.Context, u *User) error) Rule {
	return Rule{check: check, text: "a function's consent"}
}

// Group lets members of any of the groups pass; of no names, nobody. Groups are those in
// User.Groups. Where several providers sign people in ([NewProviders], several
// BearerConfig.Issuers), whichever says so is believed: to ask one of them, say which,
//
//	AllOf(Issuer("https://login.example.com"), Group("admins"))
func Group(names ...string) Rule {
	names = nonEmpty(names)
	return userRule("group "+quoted(names, " or "), nil, func(u *User) bool {
		return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(u.Groups, name) })
	})
}

// Claim lets a user pass whose claim of that name is one of the values, or is a list that
// has one of them; of no values, nobody. Numbers and booleans are compared as the text they
// have in JSON: Claim("age_checked", "true"). The name is the whole name of the claim, dots
// and colons included ("custom:tier", "https://example.com/roles"); [ClaimPath] reaches
// into objects. Names that [User.Text] takes from the fields of User are taken from there.
//
// A claim is what the provider says, and no more: Claim("email", "ann@example.com") does not
// ask whether anybody has seen to it that the address is the user's. [VerifiedEmailAddress]
// does. Nor does it take apart what Cognito writes for several values; see [ClaimValues].
func Claim(name string, values ...string) Rule {
	return claimRule("claim "+strconv.Quote(name)+" of "+quoted(values, " or "), []string{name}, values)
}

// ClaimPath is [Claim] for a value inside of objects: one name for each step. So
//
//	ClaimPath([]string{"resource_access", "shop", "roles"}, "admin")
//
// is the role admin of the client shop in a Keycloak token. The claim of the first name is
// kept whole in the session.
func ClaimPath(path []string, values ...string) Rule {
	return claimRule("claim "+quoted(path, " → ")+" of "+quoted(values, " or "), path, values)
}

// Scope lets a user pass whose tokens were granted all of the scopes (User.Scopes); of no
// scopes, nobody.
func Scope(scopes ...string) Rule {
	scopes = slices.Clone(scopes)
	return userRule("scope "+quoted(scopes, " and "), nil, func(u *User) bool {
		missing := func(s string) bool { return s == "" || !slices.Contains(u.Scopes, s) }
		return len(scopes) > 0 && !slices.ContainsFunc(scopes, missing)
	})
}

// VerifiedEmail lets a user pass whose e-mail address the provider vouches for. At
// sign-in, Config.RequireVerifiedEmail does the same and tells the visitor why.
func VerifiedEmail() Rule {
	return userRule("a verified e-mail address", nil, func(u *User) bool { return u.Email != "" && u.EmailVerified })
}

// VerifiedEmailAddress lets a user pass whose e-mail address is one of these and is vouched
// for by the provider; of no addresses, nobody. The letters A to Z count as a to z, as
// nearly every mail server takes them; all else is compared to the letter.
//
// The address may be given to somebody else one day: where that matters, key by
// User.Subject.
func VerifiedEmailAddress(addresses ...string) Rule {
	return emailRule("address", addresses, func(address string) string { return address })
}

// VerifiedEmailDomain lets a user pass whose e-mail address is vouched for by the provider
// and ends in one of the domains, which is what follows its last @; of no domains, nobody.
// Subdomains count only if they are given. Letters are compared as by
// [VerifiedEmailAddress]. At a provider that anybody can sign up with, it proves that
// somebody could read mail to the address when it was verified.
func VerifiedEmailDomain(domains ...string) Rule {
	return emailRule("domain", domains, func(address string) string {
		at := strings.LastIndexByte(address, '@')
		if at < 1 {
			return ""
		}
		return address[at+1:]
	})
}

// emailRule is a rule about a part of a verified e-mail address.
func emailRule(what string, values []string, part func(address string) string) Rule {
	values = nonEmpty(values)
	text := "a verified e-mail address of " + what + " " + quoted(values, " or ")
	return userRule(text, nil, func(u *User) bool {
		have := lowerASCII(part(u.Email))
		same := func(v string) bool { return lowerASCII(v) == have }
		return u.EmailVerified && have != "" && slices.ContainsFunc(values, same)
	})
}

// lowerASCII makes A to Z small. Other letters stay: some that look foreign become one of
// these when all of Unicode is lowered.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// Issuer lets a user pass whom one of these providers vouches for (User.Issuer); of no
// issuers, nobody. It is for apps with several providers, together with what one of them
// has to say; see [Group].
func Issuer(issuers ...string) Rule {
	issuers = nonEmpty(issuers)
	return userRule("issuer "+quoted(issuers, " or "), nil, func(u *User) bool {
		return slices.Contains(issuers, u.Issuer)
	})
}

// ClaimValues is [Claim] for a claim into which Cognito may have written several values:
// what a SAML or OpenID Connect provider sent as a list, mapped to one attribute. It is met
// if one of [User.Values] is one of the values.
func ClaimValues(name string, values ...string) Rule {
	values = nonEmpty(values)
	if name == "" {
		return Rule{}
	}
	text := "one value of claim " + strconv.Quote(name) + " of " + quoted(values, " or ")
	return userRule(text, []string{name}, func(u *User) bool {
		return slices.ContainsFunc(u.Values(name), func(have string) bool { return slices.Contains(values, have) })
	})
}

// HostedDomain lets a user pass whose account belongs to one of the organisations by the
// claim hd, which Google sends for Google Workspace accounts and for no others. An e-mail
// address that ends in the domain proves no such thing.
func HostedDomain(domains ...string) Rule {
	return claimRule("hosted domain (claim hd) "+quoted(domains, " or "), []string{"hd"}, domains)
}

// AnyOf lets a user pass whom one of the rules lets pass; of no rules, nobody. If none does
// and one could not decide, that is the answer, and not a denial.
func AnyOf(rules ...Rule) Rule {
	rules = slices.Clone(rules)
	check := func(ctx context.Context, u *User) error {
		refused := refuse(ReasonDenied, "AnyOf without rules lets nobody pass")
		for i, r := range rules {
			e := r.decide(ctx, u)
			switch {
			case e == nil:
				return nil
			case i == 0 || e.undecided():
				refused = e
			case !refused.undecided():
				refused = refuse(ReasonDenied, "%w; %w", refused.Err, e.Err)
			}
		}
		return refused
	}
	return Rule{check, claimsOf(rules), "any of (" + textOf(rules) + ")"}
}

// AllOf lets a user pass whom every one of the rules lets pass; of no rules, everybody. The
// first that does not is the answer; those behind it are not asked.
func AllOf(rules ...Rule) Rule {
	rules = slices.Clone(rules)
	check := func(ctx context.Context, u *User) error {
		e := checkRules(ctx, rules, u)
		if e != nil {
			return e
		}
		return nil // and not e, which is a *Error
	}
	return Rule{check, claimsOf(rules), "all of (" + textOf(rules) + ")"}
}

// maxRuleText bounds what a rule says of itself, in bytes.
const maxRuleText = 300

// String returns what the rule asks for, for logs: group "admins" or "ops".
func (r Rule) String() string {
	if r.check == nil {
		return "an empty rule"
	}
	if len(r.text) > maxRuleText {
		return strings.ToValidUTF8(r.text[:maxRuleText], "") + "…"
	}
	return r.text
}

// checkRules returns the first refusal, or nil if every rule lets the user pass.
func checkRules(ctx context.Context, rules []Rule, u *User) *Error {
	for _, r := range rules {
		e := r.decide(ctx, u)
		if e != nil {
			return e
		}
	}
	return nil
}

// claimsOf names the claims that the rules read beside User's fields, each once, sorted.
func claimsOf(rules []Rule) []string {
	var names []string
	for _, r := range rules {
		names = append(names, r.claims...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// decide asks one rule.
func (r Rule) decide(ctx context.Context, u *User) *Error {
	if r.check == nil {
		return refuse(ReasonDenied, "an empty rule; make rules with cognate.Group and its like")
	}
	if u == nil {
		return refuse(ReasonDenied, "there is no user")
	}
	err := r.check(ctx, u)
	if err != nil {
		return ruleError(err)
	}
	return nil
}

// ruleError makes of a rule's error one that can be answered with.
func ruleError(err error) *Error {
	e, ok := errors.AsType[*Error](err)
	switch {
	case ok && e == nil: // a nil *Error in an error: which of the two was meant?
		return refuse(ReasonDenied, "a rule returned a nil *cognate.Error as its error")
	case ok:
		own := *e // it may be a variable of the app, shared by all requests
		own.Status = e.status()
		if _, known := reasons[own.Reason]; !known { // it has no page, and counts are by reason
			own.Reason = ReasonDenied
			if own.undecided() {
				own.Reason = ReasonRuleFailed
			}
		}
		setDefault(&own.Err, errors.New("a rule refused"))
		return &own
	case undecidedBy(err):
		return refuse(ReasonRuleFailed, "%w", err)
	}
	return refuse(ReasonDenied, "%w", err)
}

// undecidedBy reports whether an error says nothing about the user: time was over, or whoever
// asked has left.
func undecidedBy(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// undecided reports whether a rule could not decide, and so has refused nobody.
func (e *Error) undecided() bool { return e.Status >= http.StatusInternalServerError }

// userRule makes a rule that needs the user alone and always decides.
func userRule(text string, claims []string, met func(u *User) bool) Rule {
	r := Rule{claims: claims, text: text}
	r.check = func(_ context.Context, u *User) error {
		if met(u) {
			return nil
		}
		return refuse(ReasonDenied, "required: %s", r.String())
	}
	return r
}

func claimRule(text string, path, values []string) Rule {
	path, values = slices.Clone(path), nonEmpty(values)
	if len(path) == 0 || slices.Contains(path, "") {
		return Rule{}
	}
	return userRule(text, path[:1], func(u *User) bool {
		return slices.ContainsFunc(claimTexts(descend(u.claim(path[0]), path[1:])), func(have string) bool {
			return slices.Contains(values, have)
		})
	})
}

// nonEmpty leaves out names that are empty.
func nonEmpty(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" })
}

// quoted joins names for a rule's text.
func quoted(names []string, separator string) string {
	if len(names) == 0 {
		return "(none given)"
	}
	q := make([]string, len(names))
	for i, name := range names {
		q[i] = strconv.Quote(name)
	}
	return strings.Join(q, separator)
}

func textOf(rules []Rule) string {
	t := make([]string, len(rules))
	for i, r := range rules {
		t[i] = r.String()
	}
	return strings.Join(t, "; ")
}

// An admission says who may sign in, and what is kept of them.
type admission struct {
	verifiedEmail bool // Config.RequireVerifiedEmail
	rules         []Rule
	claims        keptClaims
}

// require sets who may sign in: the rule about the address comes first.
func (a *admission) require(verifiedEmail bool, rules []Rule) {
	a.verifiedEmail = verifiedEmail
	a.rules = append([]Rule{a.vouched()}, rules...)
}

// admit asks the rules of sign-in, and returns the user as a session keeps them.
func (a *admission) admit(ctx context.Context, u *User) (*User, error) {
	e := checkRules(ctx, a.rules, u)
	if e != nil {
		return nil, e
	}
	return a.claims.trim(u), nil
}

// vouchedFor reports whether the provider vouches for what the configuration asks for. It
// holds for sessions, too, that began when it did not ask.
func (a *admission) vouchedFor(u *User) bool { return u.EmailVerified || !a.verifiedEmail }

// vouched is vouchedFor as a rule, the first of all.
func (a *admission) vouched() Rule {
	return RuleFunc(func(_ context.Context, u *User) error {
		if a.vouchedFor(u) {
			return nil
		}
		return refuse(ReasonEmailNotVerified,
			"the provider does not vouch for the e-mail address of subject %.255q", u.Subject)
	})
}
