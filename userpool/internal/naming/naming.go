// Package naming has the forms of the names that people sign in with: user names, e-mail
// addresses and phone numbers. It imports the standard library alone.
package naming

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ValidPhone reports whether s is a phone number as E.164 has it: a plus sign and up
// to 15 digits.
func ValidPhone(s string) bool { return phoneNumber.MatchString(s) }

var phoneNumber = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)

// Fold maps the spellings of one name to one: a phone's keyboard adds a
// space, and user names are not case sensitive.
func Fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// ValidName holds a name to Cognito's [\p{L}\p{M}\p{S}\p{N}\p{P}]{1,128}.
func ValidName(s string) bool {
	n := utf8.RuneCountInString(s)
	return n >= 1 && n <= 128 && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		ascii := '!' <= r && r <= '~' // which are all of these, and most names have no other
		return !ascii && !unicode.In(r, unicode.L, unicode.M, unicode.S, unicode.N, unicode.P)
	})
}
