package main

import (
	"crypto/rand"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
)

// password is that of all users of poolFile.
const password = "Correct-Horse-7"

// poolFile describes the pool that the mistakes are made with.
const poolFile = `
pools:
  - id: local_Mistakes
    name: Mistakes
    username_attributes: [email]
    auto_verified_attributes: [email]
    schema:
      - {name: "custom:a", max: 2048}
      - {name: "custom:b", max: 2048}
      - {name: "custom:c", max: 2048}
      - {name: "custom:d", max: 2048}
      - {name: "custom:e", max: 2048}
      - {name: "custom:f", max: 2048}
      - {name: "custom:g", max: 2048}
    clients:
      - id: mistakesweb
        name: Web app
        secret: only_for_the_pool_on_this_machine
        callback_urls: ["https://127.0.0.1:5000/oidc_callback"]
        logout_urls: ["https://127.0.0.1:5000/"]
      - id: mistakespublic
        name: Public app
        callback_urls: ["https://127.0.0.1:5000/oidc_callback"]
    users:
      - {email: ann@example.com, password: Correct-Horse-7, attributes: {email_verified: "true"}}
      - {email: bob@example.com, password: Correct-Horse-7}
      - {email: dora@example.com, password: Correct-Horse-7, disabled: true}
      - {email: uma@example.com, password: Correct-Horse-7, status: UNCONFIRMED}
      - email: lou@example.com
        password: Correct-Horse-7
        attributes: {email_verified: "true", "custom:a": LONG, "custom:b": LONG, "custom:c": LONG,
          "custom:d": LONG, "custom:e": LONG, "custom:f": LONG, "custom:g": LONG}
`

// The places where a person looks, as the columns of the tables are called.
const (
	thePage       = "The page"
	appTerminal   = "The app's terminal"
	poolTerminal  = "The pool's terminal"
	developerView = "The developer's view"
)

// A row is a mistake, and what each place says about it.
type row struct {
	id    string
	cells map[string]string // by place
}

var anchor = regexp.MustCompile(`^<a id="([a-z0-9-]+)"></a>`)

// readRows reads the tables of docs/troubleshooting.md.
func readRows(t *testing.T) (rows []row) {
	t.Helper()
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch m := anchor.FindStringSubmatch(cells[0]); {
		case cells[0] == "Mistake":
			columns = cells
		case m != nil && len(cells) == len(columns):
			r := row{id: m[1], cells: map[string]string{}}
			for i, name := range columns[1:] {
				r.cells[name] = cells[i+1]
			}
			rows = append(rows, r)
		case m != nil:
			t.Errorf("the row %s has %d cells, its table %d", m[1], len(cells), len(columns))
		}
	}
	return rows
}

// TestTroubleshooting makes each mistake of docs/troubleshooting.md, and looks for the
// words that the page quotes in the place that it quotes them from.
func TestTroubleshooting(t *testing.T) {
	env := os.Environ()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(name, t.TempDir()) // cognate pool --tls makes an authority there
	}
	p := startPool(t, "--config", newPoolFile(t))
	p.client = cognate.ClientSecrets{
		Issuer: p.url + "/local_Mistakes", ClientID: "mistakesweb", ClientSecret: "only_for_the_pool_on_this_machine",
		RedirectURIs: []string{callbackURL},
	}
	rows, known := readRows(t), map[string]bool{}
	for _, r := range rows {
		if known[r.id] || made[r.id] == nil {
			t.Errorf("the row %s is there twice, or nothing here makes the mistake", r.id)
			continue
		}
		known[r.id] = true
		t.Run(r.id, func(t *testing.T) {
			d := newDesk(t, p)
			d.env = env
			made[r.id](d)
			r.compare(d)
		})
	}
	for id := range made {
		if !known[id] {
			t.Errorf("docs/troubleshooting.md has no row %s", id)
		}
	}
	if len(rows) < 50 {
		t.Errorf("%d rows, want those of the page", len(rows))
	}
}

var quoted = regexp.MustCompile(`“[^”]*”`)

// compare looks for the quoted words of each cell. A cell with a dash, or none, is for a
// place that says nothing.
func (r row) compare(d *desk) {
	places := []string{thePage, appTerminal, poolTerminal, developerView}
	for name := range r.cells {
		if !slices.Contains(places, name) {
			d.Errorf("the column %q is none of %q", name, places)
		}
	}
	for _, place := range places {
		cell, ok := r.cells[place]
		words := quoted.FindAllString(cell, -1)
		for i, w := range words {
			words[i] = strings.Trim(w, "“”")
		}
		said := d.says(place, words)
		switch {
		case ok && len(words) == 0 && cell != "—":
			d.Errorf("%s: the cell has neither a quotation nor a dash: %s", place, cell)
		case len(words) == 0 && tells(place, said):
			d.Errorf("%s has something to say:\n%s", place, said)
		}
		text := spaces.ReplaceAllString(strings.ReplaceAll(said, `\"`, `"`), " ")
		for _, w := range words {
			if !strings.Contains(text, w) {
				d.Errorf("%s does not say “%s”, but:\n%s", place, w, said)
			}
		}
	}
}

// tells reports whether a place says something that a row should quote. A page always does,
// and some are the browser's own.
func tells(place, text string) bool {
	switch place {
	case thePage:
		return false
	case developerView:
		return text != ""
	}
	return strings.Contains(text, "level=WARN") || strings.Contains(text, "level=ERROR") ||
		strings.Contains(text, "hello:") || strings.Contains(text, "cognate: ") && !strings.Contains(text, "level=")
}

func newPoolFile(t *testing.T) string {
	t.Helper()
	file := t.TempDir() + "/cognate.yaml"
	text := poolFile
	for strings.Contains(text, "LONG") { // random, so that it can't be compressed
		text = strings.Replace(text, "LONG", randomText(2000), 1)
	}
	err := os.WriteFile(file, []byte(text), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func randomText(n int) string {
	text := ""
	for len(text) < n {
		text += rand.Text()
	}
	return text[:n]
}
