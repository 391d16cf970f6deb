package hosted_test

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

var ruleItem = regexp.MustCompile(`<li(?: class="([a-z]+)")?>(.*?)</li>`)

// rulesOn are the rules of the page that is open, each with its mark, as in
// "broken: Missing: A number".
func rulesOn(t *testing.T, v *pooltest.Visitor) (rules []string) {
	t.Helper()
	_, list, ok := strings.Cut(v.Page.Body, `<ul class="rules" id="rules">`)
	list, _, closed := strings.Cut(list, "</ul>")
	if !ok || !closed {
		t.Fatalf("%s has no list of rules: %s", v.At, v.Page.Body)
	}
	for _, m := range ruleItem.FindAllStringSubmatch(list, -1) {
		text := html.UnescapeString(regexp.MustCompile(`</?span[^>]*>`).ReplaceAllString(m[2], ""))
		if m[1] != "" {
			text = m[1] + ": " + text
		}
		rules = append(rules, text)
	}
	return rules
}

func wantRules(t *testing.T, v *pooltest.Visitor, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, rulesOn(t, v)); diff != "" {
		t.Errorf("the rules of %s differ (-want +got):\n%s", v.Path(), diff)
	}
	broken := slices.ContainsFunc(want, func(rule string) bool { return strings.HasPrefix(rule, "broken") })
	described := ` aria-describedby="rules">`
	if broken {
		described = ` aria-invalid="true" aria-describedby="message rules">`
	}
	if !strings.Contains(v.Page.Body, described) {
		t.Errorf("no field of %s says%s", v.Path(), described)
	}
}

// TestRulesOfNewPassword is the page for a new password: what it says first, and of
// passwords that don't do.
func TestRulesOfNewPassword(t *testing.T) {
	t.Parallel()
	s := settings(userpool.MFAOff)
	s.Passwords = userpool.PasswordPolicy{
		MinimumLength: 8, RequireUppercase: true, RequireLowercase: true, RequireNumbers: true, RequireSymbols: true,
		TemporaryValidity: time.Hour,
	}
	e := steps(t, false, s)
	_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{
		Username: "bob", Password: "Temporary-1", Temporary: true,
	})
	must(t, err)
	v := e.NewVisitor().SignIn(t).Submit(t, "username", "bob", "password", "Temporary-1")
	wantPath(t, v, "/changePassword")
	wantRules(t, v, "At least 8 characters", "An uppercase letter", "A lowercase letter", "A number",
		"A symbol or a space", "Not the temporary password")
	set := func(pw, again string) *pooltest.Visitor {
		return v.Submit(t, "new_password", pw, "new_password_again", again)
	}
	wantRules(t, set("Short ", "Short "), "broken: Missing: At least 8 characters",
		"kept: Done: An uppercase letter", "kept: Done: A lowercase letter", "broken: Missing: A number",
		"kept: Done: A symbol or a space", "broken: Missing: No space at the beginning or the end",
		"kept: Done: Not the temporary password")
	kept := []string{
		"kept: Done: At least 8 characters", "kept: Done: An uppercase letter", "kept: Done: A lowercase letter",
		"kept: Done: A number", "kept: Done: A symbol or a space",
	}
	wantRules(t, set("Temporary-1", "Temporary-1"), append(kept, "broken: Missing: Not the temporary password")...)
	wantRules(t, set("Another-Word-1", "Another-Word-2"), append(kept, "kept: Done: Not the temporary password")...)
	if strings.Contains(v.Page.Body, "Another-Word") {
		t.Error("the page has the password that was typed")
	}
}

// TestRulesOfOtherPages are those of sign-up, which knows no former password, and of a
// forgotten one.
func TestRulesOfOtherPages(t *testing.T) {
	t.Parallel()
	e := openPool(t, func(s *userpool.Settings) {
		s.Passwords = userpool.PasswordPolicy{MinimumLength: 8, RequireNumbers: true, History: 3}
	})
	v := e.NewVisitor()
	v.Open(t, "/signup?"+pooltest.Query().Encode())
	wantRules(t, v, "At least 8 characters", "A number")
	v.Submit(t, "username", "eve", "password", "long enough", "requiredAttributes[email]", "e@example.com")
	wantRules(t, v,
		"kept: Done: At least 8 characters", "broken: Missing: A number")
	v.Open(t, "/forgotPassword?"+pooltest.Query().Encode()).Submit(t, "username", "ann")
	wantRules(t, v, "At least 8 characters", "A number", "None of your last 3 passwords")
	wantRules(t, v.Submit(t, "code", "424242", "password", pooltest.Password, "confirm_password", pooltest.Password),
		"kept: Done: At least 8 characters", "broken: Missing: A number", "kept: Done: None of your last 3 passwords")
	must(t, e.Pool.Users.SetPassword(t.Context(), "ann", "Old-Password-1", true))
	wantRules(t, v.Submit(t, "code", "424242", "password", "Old-Password-1", "confirm_password", "Old-Password-1"),
		"kept: Done: At least 8 characters", "kept: Done: A number", "broken: Missing: None of your last 3 passwords")
}
