package devview

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

// helpers are what the templates call.
var helpers = template.FuncMap{
	"tab": newTab,
	"name": func(c any) string {
		switch c := c.(type) {
		case userpool.Client:
			return nameOf(c)
		case *userpool.Client:
			return nameOf(*c)
		}
		return ""
	},
	"words": func(name string) []string { return strings.SplitAfter(name, "_") }, // where a line may break
	"code":  func(m userpool.Message) string { return string(m.Code) },
	"list":  func(s []string) string { return strings.Join(s, ", ") },
	"clock": func(t time.Time) string { return t.Local().Format("15:04:05.000") },
	"day":   func(t time.Time) string { return t.Local().Format("2006-01-02") },
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// tab is an entry of the navigation.
type tab struct {
	Path, Name string
	Here       bool
}

func newTab(view interface{ section() string }, section, path, name string) tab {
	return tab{Path: path, Name: name, Here: view.section() == section}
}

func (p page) section() string { return p.Section }

// Count is the number of steps, in words.
func (s signInLine) Count() string { return plural(len(s.Steps)+s.Dropped, "step") }
