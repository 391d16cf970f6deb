package naming

import (
	"strings"
	"unicode"
)

// The longest local part of an e-mail address, and the longest label of a host
// name, in bytes (RFC 5321 section 4.5.3.1.1, RFC 1035 section 2.3.4). The whole
// is as long as a user name can be, since it may be one.
const (
	maxLocalPart = 64
	maxLabel     = 63
)

// ValidEmail reports whether s is a bare e-mail address: a local part of atoms
// between dots and a host name (RFC 5321 section 4.1.2, Dot-string and Domain), as
// people have them. Letters, marks and digits of any script are a part of both
// (RFC 6531 section 3.3). A display name, angle brackets, a comment, a quoted local
// part and an address literal are not accepted: what is compared, and becomes the
// recipient of a message, is the address and nothing around it. Who owns it, only a
// mail can tell.
func ValidEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && ValidName(s) && len(local) <= maxLocalPart && validDotted(local, isAtom) &&
		validDotted(domain, isLabel)
}

// validDotted reports whether s is parts between dots.
func validDotted(s string, valid func(string) bool) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || !valid(part) {
			return false
		}
	}
	return true
}

// isAtom holds a part of a local part to RFC 5322 section 3.2.3, atext.
func isAtom(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !isWord(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
	})
}

// isLabel holds a part of a host name to RFC 1123 section 2.1.
func isLabel(s string) bool {
	return len(s) <= maxLabel && s[0] != '-' && s[len(s)-1] != '-' &&
		!strings.ContainsFunc(s, func(r rune) bool { return !isWord(r) && r != '-' })
}

func isWord(r rune) bool { return unicode.In(r, unicode.L, unicode.M, unicode.N) }
