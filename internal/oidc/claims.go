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
	"unicode/utf8"
)

// Claims is a JSON object of claims, each still encoded. Names are case-sensitive: decoding
// into a struct would accept "ISS" for "iss".
type Claims map[string]json.RawMessage

// errClaims is the error for data that can't be claims.
var errClaims = errors.New("claims are not a JSON object")

// UnmarshalJSON decodes a JSON object without duplicate members. Of two members with the
// same name encoding/json would take the last, where another parser takes the first.
func (c *Claims) UnmarshalJSON(data []byte) error {
	m, err := splitObject(slices.Clone(data)) // the caller owns data
	if err != nil {
		return err
	}
	*c = m
	return nil
}

// String returns a claim that has to be a string, or "" if it is absent.
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

// decodeString decodes a JSON string, and no other value. Most strings have no escapes and
// need no decoding.
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

// Text is like String, but treats a claim of another type as absent. It is for claims that
// only describe the user.
func (c Claims) Text(name string) string {
	s, err := c.String(name)
	if err != nil {
		return ""
	}
	return s
}

// Strings returns a claim that is a list of strings. A single string counts as a list of
// one, as in aud (RFC 7519, 4.1.3).
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

// Words returns a claim that is a list of words, such as scopes: a space-separated string,
// or a list of strings, as some providers write it.
func (c Claims) Words(name string) ([]string, error) {
	list, err := c.Strings(name)
	if len(list) == 1 {
		list = SplitWords(list[0])
	}
	return list, err
}

// SplitWords splits at spaces only (RFC 6749, 3.3). Splitting at other white space would
// turn the one scope "a<tab>b" into two that nobody was granted.
func SplitWords(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' })
}

// MaxNumericDate is the end of the year 9999 in seconds since 1970. A later date is a
// mistake, and much later ones overflow the arithmetic of time.Time.
const MaxNumericDate = 253402300799

// Date returns a claim that is a NumericDate (RFC 7519, 2): seconds, with fractions allowed.
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

// Truth returns a boolean claim, which Cognito's userInfo writes as a string. Any value
// other than true is false.
func (c Claims) Truth(name string) bool {
	raw := string(c[name])
	return raw == "true" || raw == `"true"`
}

// maxNesting bounds how deep the objects and lists of a token may be nested. Tokens have two
// or three levels.
const maxNesting = 32

// splitObject returns the members of the JSON object in data; they share its memory. It
// reads JSON as encoding/json does, but rejects two things that encoding/json accepts:
// duplicate names, of which other parsers may take the other one, and invalid UTF-8.
func splitObject(data []byte) (Claims, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errClaims
	}
	// From here on the JSON is known to be valid, so no index is out of range.
	i := skipSpace(data, 0)
	if data[i] != '{' {
		return nil, errClaims
	}
	text := string(data) // names are substrings of it: one copy for all
	c := make(Claims, min(bytes.Count(data, []byte(",")), 24)+1)
	for {
		i = skipSpace(data, i+1)
		if data[i] == '}' { // the object is empty
			return c, nil
		}
		end := stringEnd(data, i)
		name := text[i+1 : end-1]
		if strings.IndexByte(name, '\\') >= 0 {
			name, _ = decodeString(data[i:end])
		}
		start := skipSpace(data, skipSpace(data, end)+1)
		end = valueEnd(data, start)
		if _, duplicate := c[name]; duplicate || end < 0 {
			return nil, errClaims
		}
		c[name] = data[start:end:end]
		i = skipSpace(data, end)
		if data[i] == '}' {
			return c, nil
		}
	}
}

func skipSpace(data []byte, i int) int {
	for data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r' {
		i++
	}
	return i
}

// stringEnd returns the index after the string that begins at i.
func stringEnd(data []byte, i int) int {
	for i++; data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// valueEnd returns the index after the value that begins at i, or -1 if it is nested too
// deeply.
func valueEnd(data []byte, i int) int {
	switch data[i] {
	case '"':
		return stringEnd(data, i)
	case '{', '[':
		return nestedEnd(data, i)
	}
	return i + bytes.IndexAny(data[i:], ",} \t\r\n")
}

func nestedEnd(data []byte, i int) int {
	for depth := 0; ; {
		switch data[i] {
		case '"':
			i = stringEnd(data, i) - 1
		case '{', '[':
			if depth++; depth > maxNesting {
				return -1
			}
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}
