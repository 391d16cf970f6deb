package flaskoidc

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/utf8text"
)

const (
	// maxText limits a text value, in bytes: more than a client secrets file has.
	maxText = 80 << 10
	// maxMembers limits lists and dictionaries.
	maxMembers = 100
)

// textOf returns a text. For a number it returns the digits, if they are still known
// exactly.
func textOf(v any) (s string, ok bool) {
	switch v := v.(type) {
	case string:
		s = v
	case cognate.Secret:
		s = string(v)
	case []byte:
		s = string(v)
	case json.Number:
		s = v.String()
	default:
		return "", false
	}
	return s, len(s) <= maxText
}

var words = map[string]bool{
	"true": true, "t": true, "yes": true, "y": true, "on": true,
	"false": false, "f": false, "no": false, "n": false, "off": false,
}

// flagOf returns a boolean. Python treats the text "False" as true, which its author
// can't have meant.
func flagOf(v any) (flag, ok bool) {
	if b, ok := v.(bool); ok {
		return b, true
	}
	if n, ok := numberOf(v); ok {
		return n == 1, n == 0 || n == 1
	}
	s, _ := textOf(v)
	flag, ok = words[strings.ToLower(strings.TrimSpace(s))]
	return flag, ok
}

// numberOf returns a whole number.
func numberOf(v any) (n int64, ok bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	case time.Duration:
		return int64(v / time.Second), true
	}
	s, _ := textOf(v)
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return n, err == nil
}

// pythonList matches a list or tuple of texts as Python prints it, and pythonText one
// text.
var (
	pythonText = `'[^'"\\]*'|"[^'"\\]*"`
	pythonList = regexp.MustCompile(`^[\[(]\s*((` + pythonText + `)\s*,\s*)*((` + pythonText + `)\s*)?[\])]$`)
	pythonItem = regexp.MustCompile(pythonText)
)

// listOf returns a list of texts. A single text is a list of its words, unless it is
// written as a list.
func listOf(v any) (list []string, ok bool) {
	switch v := v.(type) {
	case []string:
		return slices.Clone(v), len(v) <= maxMembers
	case []any:
		if len(v) > maxMembers {
			return nil, false
		}
		list = []string{}
		for _, member := range v {
			s, ok := textOf(member)
			if !ok {
				return nil, false
			}
			list = append(list, s)
		}
		return list, true
	}
	s, ok := textOf(v)
	if !ok {
		return nil, false
	}
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return nil, false
	case s[0] != '[' && s[0] != '(':
		list = strings.Fields(s)
	case json.Unmarshal([]byte(s), &list) == nil:
	case pythonList.MatchString(s):
		list = []string{}
		for _, item := range pythonItem.FindAllString(s, -1) {
			list = append(list, item[1:len(item)-1])
		}
	default:
		return nil, false
	}
	return list, len(list) <= maxMembers
}

// dictOf returns a dictionary.
func dictOf(v any) (dict map[string]any, ok bool) {
	switch v := v.(type) {
	case map[string]any:
		return v, len(v) <= maxMembers
	case map[string]string:
		dict = make(map[string]any, len(v))
		for name, value := range v {
			dict[name] = value
		}
		return dict, len(v) <= maxMembers
	}
	s, ok := textOf(v)
	data, err := utf8text.Decode([]byte(s))
	if !ok || err != nil || json.Unmarshal(data, &dict) != nil || dict == nil {
		return nil, false
	}
	return dict, len(dict) <= maxMembers
}
