package cognate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// ruleUser is somebody with something for every rule.
func ruleUser() *cognate.User {
	return cognate.User{
		Issuer: "https://provider.test", Subject: "s-1", Username: "ann", Email: "ann@example.com", EmailVerified: true,
		Name: "Ann", Groups: []string{"staff", "ops"}, Scopes: []string{"openid", "orders:read"},
	}.WithClaims(map[string]string{
		"hd": `"example.com"`, "custom:tier": `"gold"`, "age": `42`, "adult": `true`, "nothing": `null`, "empty": `""`,
		"list": `["a", 7, true, null, {"x": "no"}, ["nested"]]`, "object": `{"x": "y"}`, "a.b": `"dotted"`,
		"a":               `{"b": "inside"}`,
		"several":         `"[team-a,team+b%2Cc,]"`,
		"resource_access": `{"shop": {"roles": ["admin", "user"]}, "other": {"roles": "one"}}`,
	})
}

func TestRules(t *testing.T) {
	yes, no := cognate.AllOf(), cognate.AnyOf()
	unsure := cognate.RuleFunc(func(context.Context, *cognate.User) error { return context.DeadlineExceeded })
	path := func(p ...string) []string { return p }
	for _, tt := range []struct {
		name string
		rule cognate.Rule
		want cognate.Reason // "": passes
	}{
		{"zero value", cognate.Rule{}, cognate.ReasonDenied},
		{"issuer", cognate.Issuer("https://other.test", "https://provider.test"), ""},
		{"another issuer", cognate.Issuer("https://provider.test/"), cognate.ReasonDenied},
		{"no issuers", cognate.Issuer(), cognate.ReasonDenied},
		{"empty issuer", cognate.Issuer(""), cognate.ReasonDenied},
		{"group of one issuer", cognate.AllOf(cognate.Issuer("https://provider.test"), cognate.Group("ops")), ""},
		{"group of another issuer", cognate.AllOf(cognate.Issuer("https://other.test"), cognate.Group("ops")),
			cognate.ReasonDenied},
		{"address", cognate.VerifiedEmailAddress("bob@example.com", "Ann@Example.COM"), ""},
		{"another address", cognate.VerifiedEmailAddress("ann@example.co"), cognate.ReasonDenied},
		{"no addresses", cognate.VerifiedEmailAddress(), cognate.ReasonDenied},
		{"empty address", cognate.VerifiedEmailAddress(""), cognate.ReasonDenied},
		{"domain", cognate.VerifiedEmailDomain("EXAMPLE.com"), ""},
		{"another domain", cognate.VerifiedEmailDomain("ample.com"), cognate.ReasonDenied},
		{"domain above", cognate.VerifiedEmailDomain("com"), cognate.ReasonDenied},
		{"domain with an @", cognate.VerifiedEmailDomain("@example.com"), cognate.ReasonDenied},
		{"no domains", cognate.VerifiedEmailDomain(), cognate.ReasonDenied},
		{"empty domain", cognate.VerifiedEmailDomain(""), cognate.ReasonDenied},
		{"one of several values", cognate.ClaimValues("several", "team b,c"), ""},
		{"none of several values", cognate.ClaimValues("several", "team b"), cognate.ReasonDenied},
		{"several values as they are written", cognate.Claim("several", "team b,c"), cognate.ReasonDenied},
		{"one value", cognate.ClaimValues("custom:tier", "gold"), ""},
		{"values without a name", cognate.ClaimValues("", "gold"), cognate.ReasonDenied},
		{"no values", cognate.ClaimValues("several"), cognate.ReasonDenied},
		{"empty value", cognate.ClaimValues("several", ""), cognate.ReasonDenied},
		{"group", cognate.Group("ops"), ""},
		{"one of the groups", cognate.Group("admins", "staff"), ""},
		{"not in the group", cognate.Group("admins"), cognate.ReasonDenied},
		{"group in another case", cognate.Group("OPS"), cognate.ReasonDenied},
		{"part of a group's name", cognate.Group("op"), cognate.ReasonDenied},
		{"no groups", cognate.Group(), cognate.ReasonDenied},
		{"claim", cognate.Claim("custom:tier", "silver", "gold"), ""},
		{"claim with another value", cognate.Claim("custom:tier", "silver"), cognate.ReasonDenied},
		{"claim without values", cognate.Claim("custom:tier"), cognate.ReasonDenied},
		{"absent claim", cognate.Claim("custom:absent", "gold"), cognate.ReasonDenied},
		{"absent claim, empty value", cognate.Claim("custom:absent", ""), cognate.ReasonDenied},
		{"empty claim, empty value", cognate.Claim("empty", ""), cognate.ReasonDenied},
		{"claim without a name", cognate.Claim("", "gold"), cognate.ReasonDenied},
		{"number", cognate.Claim("age", "42"), ""},
		{"other number", cognate.Claim("age", "4"), cognate.ReasonDenied},
		{"boolean", cognate.Claim("adult", "true"), ""},
		{"boolean is not its opposite", cognate.Claim("adult", "false"), cognate.ReasonDenied},
		{"null", cognate.Claim("nothing", "null"), cognate.ReasonDenied},
		{"list has it", cognate.Claim("list", "a"), ""},
		{"list has the number", cognate.Claim("list", "7"), ""},
		{"list lacks it", cognate.Claim("list", "b"), cognate.ReasonDenied},
		{"list in a list", cognate.Claim("list", "nested"), cognate.ReasonDenied},
		{"object in a list", cognate.Claim("list", "no"), cognate.ReasonDenied},
		{"object", cognate.Claim("object", "y", "x", `{"x": "y"}`), cognate.ReasonDenied},
		{"claim that is a field", cognate.Claim("email", "ann@example.com"), ""},
		{"verified, as a claim", cognate.Claim("email_verified", "true"), ""},
		{"name with a dot", cognate.Claim("a.b", "dotted"), ""},
		{"a dot is no path", cognate.Claim("a.b", "inside"), cognate.ReasonDenied},
		{"path", cognate.ClaimPath(path("a", "b"), "inside"), ""},
		{"path to a list", cognate.ClaimPath(path("resource_access", "shop", "roles"), "admin"), ""},
		{"path of another client", cognate.ClaimPath(path("resource_access", "other", "roles"), "admin"),
			cognate.ReasonDenied},
		{"path through a string", cognate.ClaimPath(path("resource_access", "other", "roles", "x"), "one"),
			cognate.ReasonDenied},
		{"path that ends early", cognate.ClaimPath(path("resource_access", "shop"), "roles"), cognate.ReasonDenied},
		{"path with an empty step", cognate.ClaimPath(path("a", ""), "inside"), cognate.ReasonDenied},
		{"no path", cognate.ClaimPath(nil, "inside"), cognate.ReasonDenied},
		{"scope", cognate.Scope("orders:read"), ""},
		{"all scopes", cognate.Scope("orders:read", "openid"), ""},
		{"one scope of two", cognate.Scope("orders:read", "orders:write"), cognate.ReasonDenied},
		{"no scopes", cognate.Scope(), cognate.ReasonDenied},
		{"empty scope", cognate.Scope("openid", ""), cognate.ReasonDenied},
		{"verified e-mail", cognate.VerifiedEmail(), ""},
		{"hosted domain", cognate.HostedDomain("example.com"), ""},
		{"one of the hosted domains", cognate.HostedDomain("other.test", "example.com"), ""},
		{"another hosted domain", cognate.HostedDomain("other.test"), cognate.ReasonDenied},
		{"domain above the hosted one", cognate.HostedDomain("com"), cognate.ReasonDenied},
		{"no hosted domains", cognate.HostedDomain(), cognate.ReasonDenied},
		{"empty hosted domain", cognate.HostedDomain(""), cognate.ReasonDenied},
		{"any of none", cognate.AnyOf(), cognate.ReasonDenied},
		{"all of none", cognate.AllOf(), ""},
		{"any: first", cognate.AnyOf(yes, no), ""},
		{"any: last", cognate.AnyOf(no, yes), ""},
		{"any: neither", cognate.AnyOf(no, no), cognate.ReasonDenied},
		{"any with a zero value", cognate.AnyOf(cognate.Rule{}), cognate.ReasonDenied},
		{"any: unsure, then yes", cognate.AnyOf(unsure, yes), ""},
		{"any: unsure, then no", cognate.AnyOf(unsure, no), cognate.ReasonRuleFailed},
		{"any: no, then unsure", cognate.AnyOf(no, unsure), cognate.ReasonRuleFailed},
		{"any: no, unsure, no", cognate.AnyOf(no, unsure, no), cognate.ReasonRuleFailed},
		{"any in any: unsure", cognate.AnyOf(no, cognate.AnyOf(unsure, no)), cognate.ReasonRuleFailed},
		{"all", cognate.AllOf(yes, yes), ""},
		{"all but the last", cognate.AllOf(yes, no), cognate.ReasonDenied},
		{"all but the first", cognate.AllOf(no, yes), cognate.ReasonDenied},
		{"all: unsure", cognate.AllOf(yes, unsure), cognate.ReasonRuleFailed},
		{"all: no, then unsure", cognate.AllOf(no, unsure), cognate.ReasonDenied},
		{"all with a zero value", cognate.AllOf(yes, cognate.Rule{}), cognate.ReasonDenied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status := map[cognate.Reason]int{cognate.ReasonDenied: 403, cognate.ReasonRuleFailed: 503}[tt.want]
			e := cognate.CheckRules(t.Context(), ruleUser(), tt.rule)
			switch {
			case tt.want == "" && e != nil:
				t.Fatalf("refused: %v", e)
			case tt.want != "" && (e == nil || e.Reason != tt.want || e.Status != status):
				t.Fatalf("got %+v, want %s with status %d", e, tt.want, status)
			}
			e = cognate.CheckRules(t.Context(), nil, tt.rule)
			if e == nil || e.Status < 400 {
				t.Errorf("nobody passes: %+v", e)
			}
		})
	}
}

// TestHostedDomain: a domain is required and is equal, different or absent; the refusals
// say which was expected.
func TestHostedDomain(t *testing.T) {
	for name, tt := range map[string]struct {
		claims map[string]string
		passes bool
	}{
		"equal":             {map[string]string{"hd": `"example.com"`}, true},
		"different":         {map[string]string{"hd": `"evil.test"`}, false},
		"absent":            {map[string]string{"email": `"ann@example.com"`}, false},
		"below the domain":  {map[string]string{"hd": `"sub.example.com"`}, false},
		"ends like it":      {map[string]string{"hd": `"notexample.com"`}, false},
		"not even a string": {map[string]string{"hd": `{"example.com": 1}`}, false},
	} {
		e := cognate.CheckRules(t.Context(), cognate.User{Email: "ann@example.com"}.WithClaims(tt.claims),
			cognate.HostedDomain("example.com"))
		if (e == nil) != tt.passes {
			t.Errorf("%s: error %v", name, e)
		}
		if e != nil && (!strings.Contains(e.Error(), "example.com") || strings.Contains(e.Error(), "evil.test")) {
			t.Errorf("%s: error %q does not name the domain expected, and it alone", name, e)
		}
	}
}

func TestVerifiedEmailRule(t *testing.T) {
	for name, u := range map[string]*cognate.User{
		"not verified": {Email: "ann@example.com"},
		"no address":   {EmailVerified: true},
		"nothing":      {},
		"kept claims say something else": cognate.User{Email: "ann@example.com"}.WithClaims(map[string]string{
			"email_verified": "true",
		}),
	} {
		e := cognate.CheckRules(t.Context(), u, cognate.VerifiedEmail())
		if e == nil {
			t.Errorf("%s: passes", name)
		}
	}
	u := cognate.User{Email: "ann@example.com"}.WithClaims(map[string]string{"email_verified": "true"})
	e := cognate.CheckRules(t.Context(), u, cognate.Claim("email_verified", "true"))
	if e == nil {
		t.Error("a kept claim vouches for an address that was not verified")
	}
}

func TestRuleFuncErrors(t *testing.T) {
	sentinel := errors.New("not in the table")
	shared := &cognate.Error{Reason: cognate.ReasonRuleFailed}
	var none *cognate.Error
	for _, tt := range []struct {
		name   string
		err    error
		reason cognate.Reason
		status int
	}{
		{"plain", sentinel, cognate.ReasonDenied, http.StatusForbidden},
		{"wrapped", fmt.Errorf("asking: %w", sentinel), cognate.ReasonDenied, http.StatusForbidden},
		{"own reason without a status", shared, cognate.ReasonRuleFailed, http.StatusServiceUnavailable},
		{"wrapped own reason", fmt.Errorf("asking: %w", shared), cognate.ReasonRuleFailed,
			http.StatusServiceUnavailable},
		{"own status", &cognate.Error{Reason: cognate.ReasonDenied, Status: http.StatusNotFound}, cognate.ReasonDenied,
			http.StatusNotFound},
		{"status that is no error", &cognate.Error{Reason: cognate.ReasonDenied, Status: http.StatusOK},
			cognate.ReasonDenied, http.StatusForbidden},
		{"status that is none", &cognate.Error{Reason: cognate.ReasonDenied, Status: 999}, cognate.ReasonDenied,
			http.StatusForbidden},
		{"no reason", &cognate.Error{}, cognate.ReasonDenied, http.StatusForbidden},
		{"unknown reason", &cognate.Error{Reason: "mine"}, cognate.ReasonDenied, http.StatusForbidden},
		{"unknown reason, 502", &cognate.Error{Reason: "mine", Status: http.StatusBadGateway}, cognate.ReasonRuleFailed,
			http.StatusBadGateway},
		{"nil *Error", none, cognate.ReasonDenied, http.StatusForbidden},
		{"cancelled", fmt.Errorf("db: %w", context.Canceled), cognate.ReasonRuleFailed, http.StatusServiceUnavailable},
		{"too late", context.DeadlineExceeded, cognate.ReasonRuleFailed, http.StatusServiceUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule := cognate.RuleFunc(func(context.Context, *cognate.User) error { return tt.err })
			for _, r := range []cognate.Rule{rule, cognate.AnyOf(rule), cognate.AllOf(rule)} {
				e := cognate.CheckRules(t.Context(), ruleUser(), r)
				if e == nil || e.Reason != tt.reason || e.Status != tt.status || e.Err == nil {
					t.Fatalf("got %+v, want %s with status %d and a cause", e, tt.reason, tt.status)
				}
				if e == tt.err { //nolint:errorlint // the very value
					t.Error("the rule's own value is used: requests would share it")
				}
				if (tt.name == "plain" || tt.name == "wrapped") && !errors.Is(e, sentinel) {
					t.Errorf("%v lost the rule's error", e)
				}
			}
		})
	}
	if shared.Status != 0 {
		t.Error("the app's error was changed")
	}
	e := cognate.CheckRules(t.Context(), ruleUser(), cognate.RuleFunc(nil))
	if e == nil {
		t.Error("a nil function lets somebody pass")
	}
}

// TestAllOfStopsAtTheFirst: a permission check in a database is not made for somebody who
// is out already.
func TestAllOfStopsAtTheFirst(t *testing.T) {
	asked := 0
	count := cognate.RuleFunc(func(context.Context, *cognate.User) error { asked++; return nil })
	cognate.CheckRules(t.Context(), ruleUser(), cognate.Group("admins"), count)
	cognate.CheckRules(t.Context(), ruleUser(), cognate.AllOf(cognate.Group("admins"), count))
	cognate.CheckRules(t.Context(), ruleUser(), cognate.AnyOf(cognate.Group("ops"), count))
	if asked != 0 {
		t.Errorf("asked %d times for nothing", asked)
	}
}

func TestRuleText(t *testing.T) {
	long := cognate.Group(slices.Repeat([]string{"grüße"}, 1000)...)
	for _, tt := range []struct {
		rule cognate.Rule
		want string
	}{
		{cognate.Group("admins", "ops"), `group "admins" or "ops"`},
		{cognate.Claim("custom:tier", "gold"), `claim "custom:tier" of "gold"`},
		{cognate.ClaimPath([]string{"a", "b"}, "x"), `claim "a" → "b" of "x"`},
		{cognate.AnyOf(cognate.VerifiedEmail(), cognate.Rule{}), `any of (a verified e-mail address; an empty rule)`},
		{cognate.AllOf(cognate.Scope("a", "b"), cognate.Group()), `all of (scope "a" and "b"; group (none given))`},
	} {
		if got := tt.rule.String(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	for _, r := range []cognate.Rule{long, cognate.AnyOf(long, long), cognate.AllOf(cognate.AnyOf(long), long)} {
		if s := r.String(); len(s) > 400 || strings.ContainsRune(s, '\uFFFD') {
			t.Errorf("%d bytes: %s", len(s), s)
		}
	}
	e := cognate.CheckRules(t.Context(), &cognate.User{}, cognate.AnyOf(cognate.Group("admins"), cognate.Scope("x\ny")))
	if e == nil || !strings.Contains(e.Error(), `"admins"`) || !strings.Contains(e.Error(), `"x\ny"`) ||
		strings.Contains(e.Error(), "\n") {
		t.Errorf("error %q does not say in one line what was required", e)
	}
	e = cognate.CheckRules(t.Context(), ruleUser(), cognate.Claim("email", "bob@example.com"), long)
	if strings.Contains(e.Error(), "ann@") {
		t.Errorf("error %q says who it was", e)
	}
}

// TestRulesKeepTheirNames: what the caller does to its slices afterwards changes no rule.
func TestRulesKeepTheirNames(t *testing.T) {
	names, rules, path := []string{"admins"}, []cognate.Rule{cognate.Group("admins")}, []string{"a", "b"}
	made := []cognate.Rule{
		cognate.Group(names...), cognate.Scope(names...), cognate.Claim("list", names...), cognate.AnyOf(rules...),
	}
	reaches := cognate.ClaimPath(path, "inside")
	names[0], rules[0], path[1] = "ops", cognate.AllOf(), "c"
	u := cognate.User{Groups: []string{"ops"}, Scopes: []string{"ops"}}.WithClaims(map[string]string{"list": `"ops"`})
	for _, r := range made {
		e := cognate.CheckRules(t.Context(), u, r)
		if e == nil {
			t.Errorf("%s changed", r)
		}
	}
	e := cognate.CheckRules(t.Context(), ruleUser(), reaches)
	if e != nil {
		t.Error(e)
	}
}

func TestClaimsOfRules(t *testing.T) {
	got := cognate.ClaimsOf([]cognate.Rule{
		cognate.Claim("z", "1"), cognate.Group("g"), cognate.HostedDomain("example.com"), {},
		cognate.AnyOf(cognate.Claim("b", "1"),
			cognate.AllOf(cognate.ClaimPath([]string{"c", "d"}, "1"), cognate.Claim("z", "2"))),
	})
	if want := []string{"b", "c", "hd", "z"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRulesAreSafeForConcurrentUse(t *testing.T) {
	rule := cognate.AnyOf(cognate.Group("admins"), cognate.AllOf(cognate.Claim("list", "a"), cognate.VerifiedEmail()))
	u := ruleUser()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				e := cognate.CheckRules(context.Background(), u, rule)
				if e != nil {
					t.Error(e)
				}
			}
		})
	}
	wg.Wait()
}

// TestEmailRules ask whether an address is vouched for, and know no letters but ASCII's.
func TestEmailRules(t *testing.T) {
	for _, tt := range []struct {
		name, email string
		verified    bool
		pass        bool // VerifiedEmailAddress("kim@example.com"), VerifiedEmailDomain("example.com")
	}{
		{"good", "kim@example.com", true, true},
		{"nobody vouches", "kim@example.com", false, false},
		{"Kelvin sign", "\u212Aim@example.com", true, false},
		{"long s", "kim@example.com\u017F", true, false},
		{"two at signs", "kim@example.com@evil.test", true, false},
		{"none", "", true, false},
		{"no domain", "kim@", true, false},
		{"only a domain", "@example.com", true, false},
		{"a name around", "kim@example.com ", true, false},
	} {
		u := &cognate.User{Subject: "s", Email: tt.email, EmailVerified: tt.verified}
		for _, rule := range []cognate.Rule{
			cognate.VerifiedEmailAddress("kim@example.com"), cognate.VerifiedEmailDomain("example.com"),
		} {
			err := cognate.CheckRules(t.Context(), u, rule)
			if strings.Contains(rule.String(), "domain") && tt.name == "Kelvin sign" {
				continue // the local part is none of the domain's business
			}
			if (err == nil) != tt.pass {
				t.Errorf("%s: %s: %v", tt.name, rule, err)
			}
		}
	}
}

// TestRequire asks rules on a route, of people and of scripts.
func TestRequire(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	down := cognate.RuleFunc(func(ctx context.Context, _ *cognate.User) error { return context.DeadlineExceeded })
	mux := http.NewServeMux()
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(cognate.UserFrom(r.Context()).Subject))
	})
	mux.Handle("/admins", x.auth.Require(cognate.Group("admins"))(hello))
	mux.Handle("/both", x.auth.Require(cognate.Group("admins"), cognate.Group("gods"))(hello))
	mux.Handle("/none", x.auth.Require()(hello))
	mux.Handle("/tier", x.auth.Require(cognate.Claim("custom:level", "7"))(hello))
	mux.Handle("/down", x.auth.Require(down)(hello))
	mux.Handle("/inside", x.auth.RequireLogin(x.auth.Require(cognate.Group("gods"))(hello)))
	x.handler = x.auth.Handler(mux)
	p.EditClaims = func(c map[string]any) { c["custom:level"] = "7" }
	b := x.browser(t)
	if status, _ := b.fetch("/admins"); status != http.StatusFound {
		t.Errorf("nobody: status %d, want a sign-in", status)
	}
	b.get("/oidc_callback?" + p.SignIn(t, b.get("/none").Header.Get("Location")).Encode())
	for _, tt := range []struct {
		path   string
		status int
		text   string
	}{
		{"/admins", 200, "user-1"},
		{"/none", 200, "user-1"},
		{"/tier", 200, "user-1"}, // kept without being named in Config.Claims
		{"/both", 403, "Use another account"},
		{"/inside", 403, "Use another account"},
		{"/down", 503, "try again"},
	} {
		wantFetch(t, b, tt.path, tt.status, tt.text)
	}
	resp := b.get("/both", "Sec-Fetch-Mode", "cors")
	var answer map[string]string
	err := json.NewDecoder(resp.Body).Decode(&answer)
	if resp.StatusCode != http.StatusForbidden || err != nil || answer["error"] != "denied" ||
		answer["reference"] == "" ||
		!strings.Contains(x.log.String(), answer["reference"]) {
		t.Errorf("script: status %d, %v, %v", resp.StatusCode, answer, err)
	}
}

// TestLoginRules refuses people at the door, with all claims of the ID token.
func TestLoginRules(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, func(c *cognate.Config) {
		c.LoginRules = []cognate.Rule{cognate.HostedDomain("example.com"),
			cognate.RuleFunc(func(_ context.Context, u *cognate.User) error {
				if u.Claim("sub") == nil {
					return errors.New("not every claim is here")
				}
				return nil
			})}
	})
	b := x.browser(t)
	if resp := b.signIn(p); resp.StatusCode != http.StatusForbidden || b.signedIn() {
		t.Errorf("without a domain: status %d, signed in: %v", resp.StatusCode, b.signedIn())
	}
	p.EditClaims = func(c map[string]any) { c["hd"] = "example.com" }
	b.signIn(p)
	if u := b.user(); u == nil || u.Claim("hd") != nil || u.Claim("custom:tier") != "gold" {
		t.Errorf("user %+v: want one with the claims that are kept and no others", u)
	}
}

// TestHookOrder follows sign-ins, refreshes and sign-outs through the hooks and the metrics.
func TestHookOrder(t *testing.T) {
	var got []string
	note := func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) }
	var veto error
	hooks := cognate.Hooks{
		OnLoginStart: func(_ context.Context, e cognate.LoginStart) error { note("start %s", e.ReturnTo); return nil },
		OnCallback:   func(_ context.Context, r *http.Request) { note("callback %s", r.URL.Path) },
		OnLogin: func(_ context.Context, e cognate.LoginEvent) error {
			note("login %s %s %v", e.User.Subject, e.ReturnTo, e.User.Claim("aud"))
			return veto
		},
		OnLoginError: func(_ context.Context, e *cognate.Error) { note("error %s", e.Reason) },
		OnRefresh: func(_ context.Context, e cognate.RefreshEvent) error {
			note("refresh %s", e.User.Subject)
			return nil
		},
		OnLogout: func(_ context.Context, e cognate.LogoutEvent) { note("logout %s %s", e.Reason, e.Subject) },
	}
	m := &counter{}
	x, p, _, c := storeApp(t, func(cfg *cognate.Config) { cfg.Hooks, cfg.Metrics = hooks, m })
	b := x.browser(t)
	expect := func(what string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
		}
		got = nil
	}
	b.signIn(p)
	expect("sign-in", "start /private/page?x=1", "callback /oidc_callback", "login user-1 /private/page?x=1 client-1")
	c.Advance(time.Hour)
	b.get("/token")
	expect("refresh", "refresh user-1")
	b.request(http.MethodPost, "/logout")
	expect("sign-out", "logout user user-1")
	veto = errors.New("not today")
	if resp := b.signIn(p); resp.StatusCode != http.StatusForbidden || b.signedIn() {
		t.Errorf("veto: status %d, signed in: %v", resp.StatusCode, b.signedIn())
	}
	expect("veto", "start /private/page?x=1", "callback /oidc_callback",
		"login user-1 /private/page?x=1 client-1", "error vetoed")
	state := p.SignIn(t, b.get("/private/").Header.Get("Location")).Get("state")
	b.get("/oidc_callback?error=access_denied&state=" + state)
	expect("refused by the provider", "start /private/", "callback /oidc_callback", "error provider_error")
	want := "login, refresh , logout user, denied vetoed, denied provider_error"
	if s := strings.Join(m.got, ", "); s != want {
		t.Errorf("counted %s, want %s", s, want)
	}
}

// counter is Metrics that remembers.
type counter struct {
	mu  sync.Mutex
	got []string
}

func (c *counter) add(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, s)
}

func (c *counter) Login(time.Duration)                       { c.add("login") }
func (c *counter) Denied(r cognate.Reason)                   { c.add("denied " + string(r)) }
func (c *counter) Refresh(_ time.Duration, r cognate.Reason) { c.add("refresh " + string(r)) }
func (c *counter) Logout(r cognate.LogoutReason)             { c.add("logout " + string(r)) }

// TestFail answers what handlers can't.
func TestFail(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	var err error
	mux := http.NewServeMux()
	mux.Handle("/",
		x.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { x.auth.Fail(w, r, err) })))
	x.handler = x.auth.Handler(mux)
	b := x.browser(t)
	b.get("/oidc_callback?" + p.SignIn(t, b.get("/page").Header.Get("Location")).Encode())
	for _, tt := range []struct {
		err    error
		status int
	}{
		{errors.New("secret detail"), 500},
		{fmt.Errorf("wrapped: %w", &cognate.Error{Reason: cognate.ReasonDenied, Status: 403}), 403},
		{&cognate.Error{}, 403},
		{&cognate.Error{Reason: "own", Status: 200}, 403},
		{&cognate.Error{Reason: "own", Status: 507}, 507},
		{&cognate.Error{Reason: cognate.ReasonStoreDown}, 503},
		{&cognate.Error{Reason: cognate.ReasonRefreshRefused, Status: 401}, 302},
	} {
		err = tt.err
		status, text := b.fetch("/page")
		if status != tt.status || strings.Contains(text, "secret detail") ||
			status != http.StatusFound && !strings.Contains(text, "<h1") {
			t.Errorf("%v: status %d, want %d; %s", tt.err, status, tt.status, text)
		}
	}
}

// TestAnswerKeepsItsAbilities streams, hijacks and copies behind RequireLogin with tokens in
// cookies, on a real connection.
func TestAnswerKeepsItsAbilities(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, tokenModes["cookies"])
	b := x.browser(t)
	b.signIn(p)
	server := httptest.NewServer(x.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/copy":
			_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader("copied")})
		case "/deadline":
			err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute))
			if err != nil {
				t.Errorf("deadline: %v", err)
			}
		case "/hijack":
			conn, buf, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Errorf("hijack: %v", err)
				return
			}
			_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\nmine")
			_ = buf.Flush()
			_ = conn.Close()
		}
	})))
	defer server.Close()
	for path, want := range map[string]string{"/copy": "copied", "/deadline": "200 OK", "/hijack": "mine"} {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\nCookie: %s\r\n\r\n",
			path, cookieHeader(b))
		answer, err := io.ReadAll(bufio.NewReader(conn))
		_ = conn.Close()
		if err != nil || !strings.Contains(string(answer), want) {
			t.Errorf("%s: %q, %v", path, answer, err)
		}
	}
}

func cookieHeader(b *browser) string {
	var parts []string
	for _, c := range b.jar.Cookies(appURL) {
		parts = append(parts, c.Name+"="+c.Value)
	}
	return strings.Join(parts, "; ")
}

// TestKeysOfTokenCookies rotates the keys: identity and tokens are sealed anew.
func TestKeysOfTokenCookies(t *testing.T) {
	first, second := cognate.Secret(strings.Repeat("1", 32)), cognate.Secret(strings.Repeat("2", 32))
	p := fakeprovider.New(t)
	process := func(keys ...cognate.Secret) *app {
		return newApp(t, p, func(c *cognate.Config) { c.Session.TokensInCookie, c.Keys = true, keys })
	}
	b := process(first).browser(t)
	b.signIn(p)
	for _, keys := range [][]cognate.Secret{{second, first}, {second}} {
		b.app = process(keys...)
		wantFetch(t, b, "/token", http.StatusOK, "access-token")
	}
}

// TestUndecidedHook lets people try again after a hook that ran out of time.
func TestUndecidedHook(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, func(c *cognate.Config) {
		c.Hooks.OnLogin = func(context.Context, cognate.LoginEvent) error {
			return fmt.Errorf("database: %w", context.DeadlineExceeded)
		}
	}).browser(t)
	if resp := b.signIn(p); resp.StatusCode != http.StatusServiceUnavailable || b.signedIn() {
		t.Errorf("status %d, signed in: %v; want 503", resp.StatusCode, b.signedIn())
	}
}

// TestScriptKeepsCookies leaves the cookies alone in the answer to a script: it may come after
// that of a sign-in in another tab.
func TestScriptKeepsCookies(t *testing.T) {
	p, c := fakeprovider.New(t), fakeprovider.NewClock()
	p.Now = c.Now
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	c.Advance(9 * time.Hour)
	if resp := b.get("/private/", "Sec-Fetch-Mode", "cors"); resp.StatusCode != http.StatusUnauthorized ||
		len(resp.Cookies()) != 0 {
		t.Errorf("script: status %d, cookies %v", resp.StatusCode, resp.Cookies())
	}
	if resp := b.get("/private/", "Sec-Fetch-Mode", "navigate"); len(resp.Cookies()) != 2 {
		t.Errorf("person: cookies %v, want the old one removed and a sign-in begun", resp.Cookies())
	}
}

// TestFlushTells passes on that nothing can flush.
func TestFlushTells(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, tokenModes["cookies"])
	b := x.browser(t)
	b.signIn(p)
	var err error
	h := x.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		err = http.NewResponseController(w).Flush()
	}))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Cookie", cookieHeader(b))
	h.ServeHTTP(&discard{header: http.Header{}}, r)
	if !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("error %v, want not supported", err)
	}
}
