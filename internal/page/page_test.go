package page_test

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/internal/page"
)

// TestDeveloperPartIsApart writes a page with and without the part for the developer. Without
// it, the page is to the byte what is left when the part and its style are taken out.
func TestDeveloperPartIsApart(t *testing.T) {
	write := func(d *page.Developer) (text, policy string) {
		w := httptest.NewRecorder()
		page.Page{
			Title: "Sign-in didn’t work", Text: "Please try again.", Code: "invalid_client", Reference: "abcdefgh",
			Retry: "/login", RetryLabel: "Try again", Logout: "/logout", LogoutLabel: "Use another account", Home: "/",
			Developer: d,
		}.Write(w, 400)
		return w.Body.String(), w.Header().Get("Content-Security-Policy")
	}
	plain, policy := write(nil)
	full, other := write(&page.Developer{
		Reason: "a <b>", What: "it & that", Hint: "do", View: "http://localhost:1/?a=b&c=d",
	})
	for _, want := range []string{
		"<code>a &lt;b&gt;</code>", "</strong> it &amp; that.</p>", "</strong> do</p>",
		`href="http://localhost:1/?a=b&amp;c=d"`,
	} {
		if !strings.Contains(full, want) {
			t.Errorf("the page lacks %s:\n%s", want, full)
		}
	}
	if policy == other || strings.Contains(plain, "developer") {
		t.Errorf("policies %q and %q; page\n%s", policy, other, plain)
	}
	part := regexp.MustCompile(`(?s)\n<section class="developer".*</section>`)
	rules := regexp.MustCompile(`(?m)^\.developer .*\n`)
	rest := part.ReplaceAllString(rules.ReplaceAllString(full, ""), "")
	if rest != plain {
		t.Errorf("without its part the page is\n%s\nwant\n%s", rest, plain)
	}
	bare, _ := write(&page.Developer{Reason: "r"})
	if strings.Contains(bare, "What ") || strings.Contains(bare, "<p></p>") || strings.Contains(bare, `href=""`) {
		t.Errorf("empty fields show:\n%s", bare)
	}
}
