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
// Names and values must match exactly. An empty one, as from an environment variable
// that is not set, lets nobody pass.
type Rule struct {
	check  func(ctx context.Context, u *User) error
	claims []string // the claims that it reads in addition to User's fields
	text   string   // its requirement, for the log
}

// RuleFunc makes a rule from a function. An error refuses the user, with [ReasonDenied]
// and status 403, unless it is an [*Error] with another reason, such as
// [ReasonRuleFailed] for a permission check that could not be made. [context.Canceled]
// and [context.DeadlineExceeded] become [ReasonRuleFailed]. The text of the error goes
// to the log, not to visitors.
//
// Claims that check reads must be kept: name them in Config.Claims. A nil function
// refuses everybody.
func RuleFunc(check func(ctx context.Context, u *User) error) Rule {
	return Rule{check: check, text: "a function's consent"}
}

// Group lets a user pass who is in at least one of the groups (User.Groups). Without
// names it lets nobody pass. In an app with several providers ([NewProviders], several
// BearerConfig.Issuers) the groups of every provider count. To accept those of one
// provider, name it:
//
//	AllOf(Issuer("https://login.example.com"), Group("admins"))
func Group(names ...string) Rule {
	names = nonEmpty(names)
	return userRule("group "+quoted(names, " or "), nil, func(u *User) bool {
		return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(u.Groups, name) })
	})
}

// Claim lets a user pass whose claim of that name is one of the values, or is a list
// that has one of them. Without values it lets nobody pass. Numbers and booleans are
// compared as their JSON text: Claim("age_checked", "true"). The name is the whole name
// of the claim, including dots and colons ("custom:tier", "https://example.com/roles");
// [ClaimPath] reads inside objects. Names that [User.Text] takes from the fields of
// User are taken from there.
//
// A claim is only what the provider says: Claim("email", "ann@example.com") does not
// check that the address was verified; [VerifiedEmailAddress] does. Claim does not
// split text into which Cognito wrote several values; [ClaimValues] does.
func Claim(name string, values ...string) Rule {
	return claimRule("claim "+strconv.Quote(name)+" of "+quoted(values, " or "), []string{name}, values)
}

// ClaimPath is [Claim] for a value inside objects, with one name for each level. So
//
//	ClaimPath([]string{"resource_access", "shop", "roles"}, "admin")
//
// requires the role admin of the client shop in a Keycloak token. The whole claim of
// the first name is kept in the session.
func ClaimPath(path []string, values ...string) Rule {
	return claimRule("claim "+quoted(path, " → ")+" of "+quoted(values, " or "), path, values)
}

// Scope lets a user pass whose tokens were granted all of the scopes (User.Scopes).
// Without scopes it lets nobody pass.
func Scope(scopes ...string) Rule {
	scopes = slices.Clone(scopes)
	return userRule("scope "+quoted(scopes, " and "), nil, func(u *User) bool {
		missing := func(s string) bool { return s == "" || !slices.Contains(u.Scopes, s) }
		return len(scopes) > 0 && !slices.ContainsFunc(scopes, missing)
	})
}

// VerifiedEmail lets a user pass whose e-mail address is verified according to the
// provider. At sign-in, Config.RequireVerifiedEmail does the same and tells the visitor
// why.
func VerifiedEmail() Rule {
	return userRule("a verified e-mail address", nil, func(u *User) bool { return u.Email != "" && u.EmailVerified })
}

// VerifiedEmailAddress lets a user pass whose e-mail address is one of these and is
// verified according to the provider. Without addresses it lets nobody pass. A to Z
// match a to z, as at nearly every mail server; everything else must match exactly.
//
// The address may be given to another person later; where that matters, use
// User.Subject instead.
func VerifiedEmailAddress(addresses ...string) Rule {
	return emailRule("address", addresses, func(address string) string { return address })
}

// VerifiedEmailDomain lets a user pass whose e-mail address is verified according to
// the provider and whose domain, the part after the last @, is one of these. Without
// domains it lets nobody pass. Subdomains must be listed themselves. Letters are
// compared as in [VerifiedEmailAddress]. If anybody can sign up at the provider, this
// proves only that the person could read mail to the address when it was verified.
func VerifiedEmailDomain(domains ...string) Rule {
	return emailRule("domain", domains, func(address string) string {
		at := strings.LastIndexByte(address, '@')
		if at < 1 {
			return ""
		}
		return address[at+1:]
	})
}

// emailRule returns a rule about a part of a verified e-mail address.
func emailRule(what string, values []string, part func(address string) string) Rule {
	values = nonEmpty(values)
	text := "a verified e-mail address of " + what + " " + quoted(values, " or ")
	return userRule(text, nil, func(u *User) bool {
		have := lowerASCII(part(u.Email))
		same := func(v string) bool { return lowerASCII(v) == have }
		return u.EmailVerified && have != "" && slices.ContainsFunc(values, same)
	})
}

// lowerASCII turns A to Z into a to z, and nothing else: in Unicode, some other
// characters have one of these as their lower case.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// Issuer lets a user pass who is from one of these providers (User.Issuer). Without
// issuers it lets nobody pass. It is for apps with several providers, combined with
// rules about claims of one of them; see [Group].
func Issuer(issuers ...string) Rule {
	issuers = nonEmpty(issuers)
	return userRule("issuer "+quoted(issuers, " or "), nil, func(u *User) bool {
		return slices.Contains(issuers, u.Issuer)
	})
}

// ClaimValues is [Claim] for a claim into which Cognito may have written several
// values: a list from a SAML or OpenID Connect provider that is mapped to one
// attribute. It lets a user pass if one of [User.Values] is one of the values.
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

// HostedDomain lets a user pass whose account belongs to one of the organisations,
// according to the claim hd, which Google sends only for Google Workspace accounts. An
// e-mail address that ends in the domain does not prove this.
func HostedDomain(domains ...string) Rule {
	return claimRule("hosted domain (claim hd) "+quoted(domains, " or "), []string{"hd"}, domains)
}

// AnyOf lets a user pass if at least one of the rules does. Without rules it lets
// nobody pass. If no rule lets the user pass and one could not decide, the result is
// that rule's error and not a denial.
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

// AllOf lets a user pass if all of the rules do. Without rules it lets everybody pass.
// The result is that of the first rule that refuses; later rules are not called.
func AllOf(rules ...Rule) Rule {
	rules = slices.Clone(rules)
	check := func(ctx context.Context, u *User) error {
		e := checkRules(ctx, rules, u)
		if e != nil {
			return e
		}
		return nil // not e: a nil *Error in an error is not nil
	}
	return Rule{check, claimsOf(rules), "all of (" + textOf(rules) + ")"}
}

// maxRuleText bounds the text of a rule, in bytes.
const maxRuleText = 300

// String returns what the rule requires, for logs, such as: group "admins" or "ops".
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

// claimsOf returns the names of the claims that the rules read in addition to User's
// fields, sorted, each once.
func claimsOf(rules []Rule) []string {
	var names []string
	for _, r := range rules {
		names = append(names, r.claims...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// decide returns nil if the rule lets the user pass, or the refusal.
func (r Rule) decide(ctx context.Context, u *User) *Error {
	if r.check == nil {
		return refuse(ReasonDenied, "an empty rule refuses everybody; make one with cognate.Group or another function")
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

// ruleError turns a rule's error into one to answer with.
func ruleError(err error) *Error {
	e, ok := errors.AsType[*Error](err)
	switch {
	case ok && e == nil: // a nil *Error in an error that is not nil: refuse, to be safe
		return refuse(ReasonDenied, "a rule returned a nil *cognate.Error as its error")
	case ok:
		own := *e // it may be a variable of the app, shared by all requests
		own.Status = e.status()
		if _, known := reasons[own.Reason]; !known { // no page, and not in Metrics' fixed set
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

// undecidedBy reports whether an error says nothing about the user: a time limit has
// passed, or the visitor has left.
func undecidedBy(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// undecided reports whether a rule could not decide, which is not a denial.
func (e *Error) undecided() bool { return e.Status >= http.StatusInternalServerError }

// userRule makes a rule that depends only on the user and always decides.
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

// nonEmpty returns the names that are not empty.
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

// An admission decides who may sign in, and which claims a session keeps.
type admission struct {
	verifiedEmail bool // Config.RequireVerifiedEmail
	rules         []Rule
	claims        keptClaims
}

// require sets the rules of sign-in. The rule about the e-mail address comes first.
func (a *admission) require(verifiedEmail bool, rules []Rule) {
	a.verifiedEmail = verifiedEmail
	a.rules = append([]Rule{a.emailRule()}, rules...)
}

// admit checks the rules of sign-in, and returns the user with only the claims that a
// session keeps.
func (a *admission) admit(ctx context.Context, u *User) (*User, error) {
	e := checkRules(ctx, a.rules, u)
	if e != nil {
		return nil, e
	}
	return a.claims.trim(u), nil
}

// acceptsEmail reports whether the e-mail address is verified or need not be. It is
// also checked in sessions that began before Config.RequireVerifiedEmail was set.
func (a *admission) acceptsEmail(u *User) bool { return u.EmailVerified || !a.verifiedEmail }

// emailRule returns acceptsEmail as a rule.
func (a *admission) emailRule() Rule {
	return RuleFunc(func(_ context.Context, u *User) error {
		if a.acceptsEmail(u) {
			return nil
		}
		return refuse(ReasonEmailNotVerified,
			"the e-mail address of subject %.255q is missing or not verified", u.Subject)
	})
}
