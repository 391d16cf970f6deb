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

// maxNesting bounds how deep objects and lists of a token may lie in each other. Tokens
// have two or three levels.
const maxNesting = 32

// splitObject returns the members of the JSON object in data, which they keep. It sees
// what encoding/json does, and refuses what that would guess at: a name that is there
// twice, of which other readers take the other one, and text that is not UTF-8.
func splitObject(data []byte) (Claims, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errClaims
	}
	// From here on the JSON is known to be well formed, so every index exists.
	i := skipSpace(data, 0)
	if data[i] != '{' {
		return nil, errClaims
	}
	text := string(data) // names are parts of it: one copy for all
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
		if _, twice := c[name]; twice || end < 0 {
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
