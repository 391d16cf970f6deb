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

// A PasswordFault is one thing that a policy finds wrong with a password.
type PasswordFault string

// The faults, in the order in which they are looked for.
const (
	PasswordTooShort    PasswordFault = "Password not long enough"
	PasswordTooLong     PasswordFault = "Password too long"
	PasswordEdgeSpace   PasswordFault = "Password must not begin or end with a space"
	PasswordNoUppercase PasswordFault = "Password must have uppercase characters"
	PasswordNoLowercase PasswordFault = "Password must have lowercase characters"
	PasswordNoNumber    PasswordFault = "Password must have numeric characters"
	PasswordNoSymbol    PasswordFault = "Password must have symbol characters"
)

// Faults returns all that is wrong with a password. Only Latin letters and digits are
// letters and digits here; others count for the length.
func (c PasswordPolicy) Faults(pw Secret) (faults []PasswordFault) {
	s := string(pw)
	has := func(from, to rune) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r >= from && r <= to })
	}
	for _, r := range []struct {
		fault PasswordFault
		fine  bool
	}{
		{PasswordTooShort, len([]rune(s)) >= max(c.MinimumLength, 1)},
		{PasswordTooLong, len(s) <= MaxPassword},
		{PasswordEdgeSpace, strings.TrimSpace(s) == s},
		{PasswordNoUppercase, !c.RequireUppercase || has('A', 'Z')},
		{PasswordNoLowercase, !c.RequireLowercase || has('a', 'z')},
		{PasswordNoNumber, !c.RequireNumbers || has('0', '9')},
		{PasswordNoSymbol, !c.RequireSymbols || strings.ContainsAny(s, passwordSymbols+" ")},
	} {
		if !r.fine {
			faults = append(faults, r.fault)
		}
	}
	return faults
}

// Check holds a password that somebody chooses to the policy. A refusal is an
// [*Error] with Cognito's text, which names the first fault.
func (c PasswordPolicy) Check(pw Secret) error {
	faults := c.Faults(pw)
	if len(faults) == 0 {
		return nil
	}
	return &Error{
		Code: CodeInvalidPassword, Description: "Password did not conform with policy: " + string(faults[0]),
	}
}
