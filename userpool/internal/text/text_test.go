package text_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// TestClip cuts at bytes, and no letter in two.
func TestClip(t *testing.T) {
	t.Parallel()
	if got := text.Clip("short"); got != "short" {
		t.Errorf("got %q", got)
	}
	got := text.ClipAt(strings.Repeat("ü", 10), 5)
	if got != "üü..." || !utf8.ValidString(got) {
		t.Errorf("got %q", got)
	}
}

// TestQuery keeps the order, and leaves out what is empty.
func TestQuery(t *testing.T) {
	t.Parallel()
	if got := text.Query("b", "x y", "a", "", "c", "ä&"); got != "b=x+y&c=%C3%A4%26" {
		t.Errorf("got %q", got)
	}
	for uri, want := range map[string]string{
		"https://a.test/": "https://a.test/?q", "https://a.test/?": "https://a.test/?q",
		"https://a.test/?x=1": "https://a.test/?x=1&q", "https://a.test/?x=1&": "https://a.test/?x=1&q",
	} {
		if got := text.AppendQuery(uri, "q"); got != want {
			t.Errorf("%s: got %q, want %q", uri, got, want)
		}
	}
}

// TestFields splits at spaces alone.
func TestFields(t *testing.T) {
	t.Parallel()
	if got := text.Fields("  a b\tc  d "); !slices.Equal(got, []string{"a", "b\tc", "d"}) {
		t.Errorf("got %q", got)
	}
}

// TestLinkMark finds the mark of a link, and what it says.
func TestLinkMark(t *testing.T) {
	t.Parallel()
	for template, want := range map[string][2]string{
		"Go {##here##} now": {"{##here##}", "here"}, "no mark": {"{####}", "Confirm my account"},
		"{####}": {"{####}", "Confirm my account"}, "{##open": {"{####}", "Confirm my account"},
	} {
		whole, inner := text.LinkMark(template)
		if whole != want[0] || inner != want[1] {
			t.Errorf("%q: got %q, %q", template, whole, inner)
		}
	}
}
