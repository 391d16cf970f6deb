package house_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// otherCodes are words in the same form beside a reason: error codes of OAuth, claims, scopes
// and outcomes.
var otherCodes = []string{
	"invalid_request", "invalid_scope", "invalid_client", "invalid_grant", "invalid_token", "access_denied",
	"email_verified", "offline_access", "signed_in",
}

// TestDocumentedReasons checks that each reason which the pages name is one that the library
// gives, and that a test has it given. The pages say it in lines with the word reason.
func TestDocumentedReasons(t *testing.T) {
	source, err := os.ReadFile("reasons.go")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{} // reason → constant
	for _, m := range regexp.MustCompile(`(?m)^\t(Reason\w+) +Reason += "(\w+)"`).FindAllSubmatch(source, -1) {
		names[string(m[2])] = string(m[1])
	}
	tests := testText(t)
	word := regexp.MustCompile("reason `([a-z]+)`|`([a-z]+(?:_[a-z]+)+)`|reason=([a-z_]+)")
	found := 0
	for page, text := range pages(t) {
		for line := range strings.Lines(text) {
			if !strings.Contains(line, "reason") || page == "CHANGELOG.md" { // which tells of former ones
				continue
			}
			for _, m := range word.FindAllStringSubmatch(line, -1) {
				reason := m[1] + m[2] + m[3]
				constant, ok := names[reason]
				given := strings.Contains(tests, constant) || strings.Contains(tests, `"`+reason+`"`) ||
					strings.Contains(tests, "reason="+reason)
				switch {
				case slices.Contains(otherCodes, reason):
					continue
				case !ok:
					t.Errorf("%s names the reason %s, which the library does not give:\n%s", page, reason, line)
				case !given:
					t.Errorf("%s names the reason %s, and no test of the library has it given", page, reason)
				}
				found++
			}
		}
	}
	if found < 10 || len(names) < 50 {
		t.Errorf("the pages name %d of %d reasons, want more", found, len(names))
	}
}

// testText returns the text of the library's tests, from the outside.
func testText(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}
