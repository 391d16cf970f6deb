package poolconfig

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/suggest"
)

// didYouMean ends the sentence about an unknown word with the most similar known word,
// or with all known words.
func didYouMean(word string, known []string) string {
	// MfaConfiguration and mfa-types are the right names in another notation.
	best := suggest.Nearest(snake(word), known)
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known here: " + strings.Join(known, ", ")
}

// snake turns CamelCase and kebab-case into snake_case.
func snake(word string) string {
	if len(word) > maxWord {
		return word[:maxWord]
	}
	var b strings.Builder
	previous := '_'
	for _, r := range word {
		switch {
		case r == '-' || r == ' ':
			r = '_'
		case unicode.IsUpper(r) && (unicode.IsLower(previous) || unicode.IsDigit(previous)):
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
		previous = r
	}
	return b.String()
}

// maxWord limits how much of a word from a file is compared and repeated.
const maxWord = 64

// clip shortens what an error text repeats.
func clip(s string) string {
	if len(s) <= maxWord {
		return s
	}
	return strings.ToValidUTF8(s[:maxWord], "") + "..."
}
