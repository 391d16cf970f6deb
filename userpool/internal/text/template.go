package text

import "strings"

// LinkMark finds {##text##}. A template without one gets an empty mark, which
// CheckSettings does not let in, and which a trigger may still send.
func LinkMark(template string) (whole, text string) {
	_, rest, ok := strings.Cut(template, "{##")
	text, _, closed := strings.Cut(rest, "##}")
	if !ok || !closed || text == "" {
		return "{####}", "Confirm my account"
	}
	return "{##" + text + "##}", text
}
