package hosted

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
)

// A language is a file in locale, named by its tag, such as de.json: every
// English text of the pages with its translation. What is missing there appears
// in English; a test says what that is.
//
//go:embed locale/*.json
var localeFiles embed.FS

// locales are the languages by tag; English is the source itself.
var locales = loadLocales()

type locale struct {
	Lang  string            // the tag, such as de
	texts map[string]string // :: English → translation
}

func loadLocales() map[string]*locale {
	out := map[string]*locale{"en": {Lang: "en"}}
	files, err := localeFiles.ReadDir("locale")
	if err != nil {
		panic("hosted: reading the languages: " + err.Error())
	}
	for _, f := range files {
		l := &locale{Lang: strings.TrimSuffix(f.Name(), ".json")}
		raw, err := localeFiles.ReadFile(path.Join("locale", f.Name()))
		if err == nil {
			err = json.Unmarshal(raw, &l.texts)
		}
		if err != nil {
			panic("hosted: reading the language " + f.Name() + ": " + err.Error())
		}
		out[l.Lang] = l
	}
	return out
}

// T returns the English text in the page's language, with %s and the like
// filled in from args.
func (l *locale) T(english string, args ...any) string {
	text, ok := l.texts[english]
	if !ok {
		text = english
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// Rich is T for a text with one part that stands out: what is between * and *.
func (l *locale) Rich(english string, args ...any) template.HTML {
	for i, a := range args {
		args[i] = strings.ReplaceAll(template.HTMLEscapeString(fmt.Sprint(a)), "*", "&#42;")
	}
	before, rest, _ := strings.Cut(l.T(english, args...), "*")
	middle, after, ok := strings.Cut(rest, "*")
	if !ok {
		return template.HTML(before + rest) //nolint:gosec // args are escaped, the rest is ours
	}
	return template.HTML(before + "<strong>" + middle + "</strong>" + after) //nolint:gosec // as above
}

// langCookie remembers the choice of the lang parameter, as Cognito's does.
const langCookie = "lang"

// chooseLocale picks the language: that of the lang parameter, which is then
// remembered, of the lang cookie, or the best of Accept-Language.
func chooseLocale(w http.ResponseWriter, r *http.Request, asked string, secure bool) *locale {
	if l := lookUp(asked); l != nil {
		http.SetCookie(w, browser.Cookie(langCookie, userpool.Secret(l.Lang), 0, secure))
		return l
	}
	if l := lookUp(string(browser.ReadCookie(r, langCookie))); l != nil {
		return l
	}
	for _, tag := range accepted(r.Header.Get("Accept-Language")) {
		if l := lookUp(tag); l != nil {
			return l
		}
	}
	return locales["en"]
}

// lookUp finds a language by its tag or by the first part of it.
func lookUp(tag string) *locale {
	for t, l := range locales {
		if strings.EqualFold(t, tag) {
			return l
		}
	}
	base, _, _ := strings.Cut(tag, "-")
	return locales[strings.ToLower(base)]
}

// accepted returns the tags of an Accept-Language header, the preferred first
// (RFC 9110 section 12.5.4), at most 20.
func accepted(header string) []string {
	type choice struct {
		tag    string
		weight float64
	}
	var all []choice
	for part := range strings.SplitSeq(header, ",") {
		tag, param, _ := strings.Cut(strings.TrimSpace(part), ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(param), "q="); ok {
			weight, _ = strconv.ParseFloat(q, 64)
		}
		if weight > 0 && len(all) < 20 {
			all = append(all, choice{tag, weight})
		}
	}
	slices.SortStableFunc(all, func(a, b choice) int {
		switch {
		case a.weight > b.weight:
			return -1
		case a.weight < b.weight:
			return 1
		}
		return 0
	})
	tags := make([]string, len(all))
	for i, c := range all {
		tags[i] = c.tag
	}
	return tags
}
