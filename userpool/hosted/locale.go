package hosted

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

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
var locales = sync.OnceValue(loadLocales)

type locale struct {
	Lang     string            // the tag, such as de
	texts    map[string]string // :: English → translation
	patterns []pattern         // those of texts that messages are made of
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
		l.patterns = patternsOf(l.texts)
		out[l.Lang] = l
	}
	return out
}

// T returns the English text in the page's language, with %s and the like
// filled in from args. Without args it may be one that was filled in already.
func (l *locale) T(english string, args ...any) string {
	if len(args) == 0 {
		text, _ := l.translate(english, 0)
		return text
	}
	text, ok := l.texts[english]
	if !ok {
		text = english
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
func chooseLocale(w http.ResponseWriter, r *http.Request, secure bool) *locale {
	remembered := lookUp(string(browser.ReadCookie(r, langCookie)))
	if l := lookUp(browser.Lang(r)); l != nil {
		if l != remembered {
			http.SetCookie(w, browser.Cookie(langCookie, userpool.Secret(l.Lang), 0, secure))
		}
		return l
	}
	if remembered != nil {
		return remembered
	}
	for _, tag := range accepted(r.Header.Get("Accept-Language")) {
		if l := lookUp(tag); l != nil {
			return l
		}
	}
	return locales()["en"]
}

// lookUp finds a language by its tag, which may say more than ours, as de-AT
// does (RFC 4647 section 3.4), or be of a neighbour, as pt is of pt-BR.
func lookUp(tag string) *locale {
	for wanted := tag; wanted != ""; wanted = wanted[:max(strings.LastIndexByte(wanted, '-'), 0)] {
		for t, l := range locales() {
			if strings.EqualFold(t, wanted) {
				return l
			}
		}
	}
	base, _, _ := strings.Cut(strings.ToLower(tag), "-")
	for _, t := range slices.Sorted(maps.Keys(locales())) {
		if strings.HasPrefix(t, base+"-") {
			return locales()[t]
		}
	}
	return nil
}

// maxAccepted is how many choices of an Accept-Language header count.
const maxAccepted = 20

// accepted returns the tags of an Accept-Language header, the preferred first
// (RFC 9110 section 12.5.4). A tag whose weight is malformed is left out.
func accepted(header string) []string {
	type choice struct {
		tag    string
		weight float64
	}
	var all []choice
	for i, part := range strings.SplitN(header, ",", maxAccepted+1) {
		tag, param, _ := strings.Cut(part, ";")
		tag = strings.TrimSpace(tag)
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(param), "q="); ok {
			weight, _ = strconv.ParseFloat(q, 64)
		}
		if i < maxAccepted && len(tag) <= browser.MaxLang && weight > 0 && weight <= 1 {
			all = append(all, choice{tag, weight})
		}
	}
	slices.SortStableFunc(all, func(a, b choice) int { return cmp.Compare(b.weight, a.weight) })
	tags := make([]string, len(all))
	for i, c := range all {
		tags[i] = c.tag
	}
	return tags
}
