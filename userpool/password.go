package userpool

import (
	"errors"
	"strings"
)

// HashCost is the cost of an argon2id hash (RFC 9106). The zero value means
// 19456 KiB, 2 passes, 1 lane: the OWASP password storage cheat sheet's first
// choice for little memory.
type HashCost struct {
	MemoryKiB uint32 // 8 per lane to 262144
	Passes    uint32 // 1 to 16
	Lanes     uint8  // 1 to 16
}

// Check bounds the cost, also of stored hashes: a record from elsewhere must
// not be able to ask for all the memory of the machine.
func (c HashCost) Check() error {
	switch {
	case c.Passes < 1 || c.Passes > 16:
		return errors.New("passes out of range")
	case c.Lanes < 1 || c.Lanes > 16:
		return errors.New("lanes out of range")
	case c.MemoryKiB < 8*uint32(c.Lanes) || c.MemoryKiB > 256<<10:
		return errors.New("memory out of range")
	}
	return nil
}

// MaxPassword is how many bytes a password has at most.
const MaxPassword = 256

// passwordSymbols are what Cognito counts as symbols, beside a space inside
// (developer guide, page "managing-users-passwords").
const passwordSymbols = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+-"

// Check holds a password that somebody chooses to the policy. A refusal is an
// [*Error] with Cognito's text. Only Latin letters and digits are letters and
// digits here; others count for the length.
func (c PasswordPolicy) Check(pw Secret) error {
	s := string(pw)
	has := func(from, to rune) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r >= from && r <= to })
	}
	text := ""
	switch {
	case len([]rune(s)) < max(c.MinimumLength, 1):
		text = "Password not long enough"
	case len(s) > MaxPassword:
		text = "Password too long"
	case strings.TrimSpace(s) != s:
		text = "Password must not begin or end with a space"
	case c.RequireUppercase && !has('A', 'Z'):
		text = "Password must have uppercase characters"
	case c.RequireLowercase && !has('a', 'z'):
		text = "Password must have lowercase characters"
	case c.RequireNumbers && !has('0', '9'):
		text = "Password must have numeric characters"
	case c.RequireSymbols && !strings.ContainsAny(s, passwordSymbols+" "):
		text = "Password must have symbol characters"
	default:
		return nil
	}
	return &Error{Code: CodeInvalidPassword, Description: "Password did not conform with policy: " + text}
}
