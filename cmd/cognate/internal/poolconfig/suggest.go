package poolconfig

import (
	"fmt"
	"strings"
	"unicode"
)

// didYouMean ends the sentence about an unknown word with the most similar known word,
// or with all known words.
func didYouMean(word string, known []string) string {
	// MfaConfiguration and mfa-types are the right names in another notation.
	plain := snake(word)
	best, distance := "", 1+max(2, len(plain)/3)
	for _, k := range known {
		if d := editDistance(plain, k); d < distance {
			best, distance = k, d
		}
	}
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

// editDistance counts the letters to insert, remove, replace or swap with a neighbour
// (optimal string alignment).
func editDistance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
