package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Claims is a JSON object of claims, each still encoded. Names are compared to the
// letter: decoding into a struct would let "ISS" stand in for "iss".
type Claims map[string]json.RawMessage

// errClaims is what can't be claims.
var errClaims = errors.New("claims are not a JSON object")

// UnmarshalJSON reads a JSON object whose members are all different. encoding/json
// alone would take the last of two, where another reader takes the first.
func (c *Claims) UnmarshalJSON(data []byte) error {
	m, err := splitObject(slices.Clone(data)) // data is only lent
	if err != nil {
		return err
	}
	*c = m
	return nil
}

// String returns a claim that has to be a string; absent is "".
func (c Claims) String(name string) (string, error) {
	raw, ok := c[name]
	if !ok || string(raw) == "null" {
		return "", nil
	}
	s, ok := decodeString(raw)
	if !ok {
		return "", fmt.Errorf("claim %s is not a string", name)
	}
	return s, nil
}

// decodeString decodes a JSON string, and nothing else. Most have no escapes and are what
// they look like.
func decodeString(raw json.RawMessage) (string, bool) {
	if raw[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), true
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// Text is String for claims that only describe the user: a wrong type counts as absent.
func (c Claims) Text(name string) string {
	s, err := c.String(name)
	if err != nil {
		return ""
	}
	return s
}

// Strings returns a list of strings; one string counts as a list of one, as aud may be
// written (RFC 7519, 4.1.3).
func (c Claims) Strings(name string) ([]string, error) {
	raw, ok := c[name]
	if !ok || string(raw) == "null" {
		return nil, nil
	}
	if one, ok := decodeString(raw); ok {
		return []string{one}, nil
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return nil, fmt.Errorf("claim %s is neither a string nor a list of strings", name)
	}
	return list, nil
}

// Words returns a list of words, such as scopes: one string with spaces in between, or a
// list of strings, as some providers write it.
func (c Claims) Words(name string) ([]string, error) {
	list, err := c.Strings(name)
	if len(list) == 1 {
		list = SplitWords(list[0])
	}
	return list, err
}

// SplitWords splits at the space and at nothing else (RFC 6749, 3.3): for another reader
// "a<tab>b" is one scope, which nobody was granted.
func SplitWords(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' })
}

// MaxNumericDate is the year 9999 in seconds: beyond it a date is a mistake, and the
// arithmetic of time.Time begins to wrap around.
const MaxNumericDate = 253402300799

// Date returns a NumericDate (RFC 7519, 2): seconds, fractions allowed.
func (c Claims) Date(name string) (t time.Time, ok bool, err error) {
	raw, ok := c[name]
	if !ok {
		return time.Time{}, false, nil
	}
	if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return time.Time{}, false, fmt.Errorf("claim %s is not a number", name)
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.IsNaN(seconds) || seconds < 0 || seconds > MaxNumericDate {
		return time.Time{}, false, fmt.Errorf("claim %s is not a date in seconds", name)
	}
	return time.Unix(int64(seconds), 0), true, nil
}

// Truth reads a boolean that Cognito's userInfo writes as a string. Whatever is not
// true is false.
func (c Claims) Truth(name string) bool {
	raw := string(c[name])
	return raw == "true" || raw == `"true"`
}
