package hosted

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A pattern finds the messages that were made of a text with verbs, such as
// "expected %d to %d characters", and the parts that were filled in.
type pattern struct {
	english string
	match   *regexp.Regexp
}

var verb = regexp.MustCompile(`%[sd]`)

// patternsOf returns the patterns of the texts that have verbs, those with the
// most words of their own first.
func patternsOf(texts map[string]string) []pattern {
	var out []pattern
	for _, english := range slices.Sorted(maps.Keys(texts)) {
		if !verb.MatchString(english) {
			continue
		}
		match := regexp.QuoteMeta(english)
		match = strings.ReplaceAll(strings.ReplaceAll(match, "%s", "(.+?)"), "%d", "([0-9]+)")
		out = append(out, pattern{english, regexp.MustCompile("(?s)^" + match + "$")})
	}
	slices.SortStableFunc(out, func(a, b pattern) int { return cmp.Compare(len(b.english), len(a.english)) })
	return out
}

// maxDepth is how deep the parts of a message can have parts of their own:
// a schema's refusal, the attribute's, and the numbers in that.
const maxDepth = 3

// translate returns the English message in the page's language; ok says that it
// is, at least in part.
func (l *locale) translate(english string, depth int) (text string, ok bool) {
	if len(l.texts) == 0 || english == "" {
		return english, true
	}
	text, ok = l.texts[english]
	if ok {
		return text, true
	}
	for _, p := range l.patterns {
		if depth == maxDepth {
			break
		}
		parts := p.match.FindStringSubmatch(english)
		if parts == nil {
			continue
		}
		filled, all := l.fill(l.texts[p.english], parts[1:], depth+1)
		if all {
			return filled, true
		}
		if !ok {
			text, ok = filled, true // unless another one understands the parts as well
		}
	}
	if !ok {
		return english, false
	}
	return text, true
}

// fill puts the translated parts of a message in the places of the verbs. all
// says that the last of them is translated: it is the sentence, where those
// before it are names.
func (l *locale) fill(translation string, parts []string, depth int) (text string, all bool) {
	text = verb.ReplaceAllStringFunc(translation, func(string) string {
		var part string
		part, all = l.part(parts[0], depth)
		parts = parts[1:]
		return part
	})
	return text, all
}

// part translates what was filled in: the name of an attribute, a number, or
// one message a line.
func (l *locale) part(english string, depth int) (text string, ok bool) {
	field, known := attributeFields[strings.TrimSuffix(english, ".formatted")]
	switch {
	case known:
		return l.T(field.Label), true
	case strings.Trim(english, "0123456789") == "":
		return english, true
	}
	lines, ok := strings.Split(english, "\n"), true
	for i, line := range lines {
		var known bool
		lines[i], known = l.translate(line, depth)
		ok = ok && known
	}
	return strings.Join(lines, "\n"), ok
}
