package pages

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/e2e/browser"
)

// A person uses the pages in one of three ways, and checks every page on the way.
type person struct {
	t    *testing.T
	tab  *browser.Tab
	way  string
	seen int
}

// The ways to use the pages.
const (
	withMouse       = "with a mouse"
	withoutScripts  = "without scripts"
	withTheKeyboard = "with the keyboard on a phone"
)

var ways = []string{withMouse, withoutScripts, withTheKeyboard}

// axeFile is the script of axe-core.
const axeFile = "node_modules/axe-core/axe.min.js"

func newPerson(t *testing.T, b *browser.Browser, way string) *person {
	t.Helper()
	p := &person{t: t, tab: b.NewVisitor(t), way: way}
	switch way {
	case withoutScripts:
		p.tab.DisableJavaScript()
	case withTheKeyboard:
		p.tab.Phone()
	}
	return p
}

// sees waits for the page with this heading and checks all of it.
func (p *person) sees(heading string) {
	p.t.Helper()
	p.tab.WaitForText(heading)
	if got := p.tab.Text("h1"); got != heading {
		p.t.Errorf("the heading is %q, want %q", got, heading)
	}
	p.seen++
	if p.tab.ScrollsSideways() {
		p.t.Errorf("the page %q scrolls sideways", heading)
	}
	if p.way != withMouse {
		return
	}
	for _, scheme := range []string{"dark", "light"} {
		p.tab.ColorScheme(scheme)
		p.screenshot(heading, scheme)
		for _, v := range p.tab.Axe(axeFile) {
			p.t.Errorf("the page %q in %s: %v", heading, scheme, v)
		}
	}
}

// screenshot stores a picture of the page in the folder SCREENSHOTS, if that is set.
func (p *person) screenshot(heading, scheme string) {
	p.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\ '’?`, r) {
			return '-'
		}
		return r
	}, fmt.Sprintf("%s-%02d-%s-%s.png", p.t.Name(), p.seen, heading, scheme))
	p.tab.Screenshot(filepath.Join(dir, name))
}

// fills types into the field with this label.
func (p *person) fills(label, value string) {
	p.t.Helper()
	if p.way != withTheKeyboard {
		p.tab.Fill(label, value)
		return
	}
	p.reach("textbox", label)
	p.tab.Press(value)
}

// presses presses the button or follows the link with this name.
func (p *person) presses(name string) {
	p.t.Helper()
	if p.way != withTheKeyboard {
		p.tab.Click(name)
		return
	}
	switch p.reach("", name) {
	case "radio", "checkbox":
		p.tab.Press("Space")
	default:
		p.tab.Press("Enter")
	}
}

// reach moves the keyboard focus to the element with this name, only with Tab (and with
// the arrows among radio buttons), and returns its role.
func (p *person) reach(role, name string) string {
	p.t.Helper()
	var passed []string
	for range 40 {
		focused := p.tab.Focused()
		got, called, _ := strings.Cut(focused, " ")
		if got == "searchbox" { // one that says what it is for
			got = "textbox"
		}
		if called == fmt.Sprintf("%q", name) && (role == "" || role == got) {
			return got
		}
		passed = append(passed, focused)
		if got == "radio" && slices.Contains(passed[:len(passed)-1], focused) {
			p.tab.Press("ArrowDown")
			continue
		}
		p.tab.Press("Tab")
	}
	p.t.Fatalf("the keyboard does not reach %q; it passes %q", name, passed)
	return ""
}
