package poolconfig_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
)

// lines returns n lines, each with its number.
func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
	}
	return b.String()
}

// TestManyMistakes counts the work of reporting mistakes: four times the lines take
// little more than four times the work, and never more than a limit.
func TestManyMistakes(t *testing.T) {
	t.Parallel()
	const start, most = "pools:\n- id: local_A1\n", 1_500_000
	for name, tt := range map[string]struct {
		before, line, after string
		n                   int
	}{
		"equal groups":     {start + "  groups:\n", "  - name: a\n", "", 200},
		"very many groups": {start + "  groups:\n", "  - name: a#\n", "", 20_000},
		"providers": {start + "  identity_providers:\n",
			"  - {name: p#, type: OIDC, client_id: a}\n", "", 60},
		"equal attributes": {start + "  schema:\n", "  - name: custom:a\n", "", 200},
		"equal scopes": {start + "  resource_servers:\n  - identifier: a\n    scopes:\n",
			"    - name: a\n", "", 20},
		"clients":       {start + "  clients:\n", "  - {id: c#, allowed_oauth_scopes: [a/b]}\n", "", 200},
		"equal clients": {start + "  clients:\n", "  - id: a\n", "", 200},
		"users":         {start + "  users:\n", "  - {username: u#, status: x}\n", "", 200},
		"equal users":   {start + "  users:\n", "  - username: a\n", "", 200},
		"pools":         {"pools:\n", "- id: x#\n", "", 200},
		"unknown keys":  {start + "  groups:\n", "  - {name1: a, description1: b, x: c}\n", "", 200},
		"URLs": {start + "  clients:\n  - id: a\n    callback_urls:\n",
			"    - http://a.example/\n", "", 25},
		"a client's words": {start + "  clients:\n  - id: a\n    explicit_auth_flows:\n", "    - a#\n", "", 200},
		"a client's names": {start + "  clients:\n  - id: a\n    read_attributes:\n", "    - custom:a#\n",
			"    supported_identity_providers: [x]\n", 25},
		"factors of a user": {start + "  users:\n  - username: a\n    mfa:\n", "    - a#\n", "", 200},
		"aliases of one":    {start + "  groups:\n  - &a {name: x}\n", "  - *a\n", "", 200},
		"one line of JSON": {`{"pools": [{"id": "local_A1", "groups": [`, `{"name": "a"}, `,
			`{"name": "a"}]}]}`, 200},
		"mappings by aliases": {start + "  identity_providers:\n  - &a {name: x, type: OIDC, attribute_mapping: {" +
			lines(200, "custom:a#: b, ") + "}}\n", "  - *a\n", "", 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			few, err := poolconfig.Work(loader(nil), []byte(tt.before+lines(tt.n, tt.line)+tt.after))
			e, ok := errors.AsType[*poolconfig.Error](err)
			if !ok || e.Problems[0].Line == 0 && e.Problems[0].Column == 0 {
				t.Fatalf("got %v, want mistakes with their places", err)
			}
			many, err := poolconfig.Work(loader(nil), []byte(tt.before+lines(4*tt.n, tt.line)+tt.after))
			if err == nil || many > 8*few || many > most {
				t.Errorf("%d lines take %d steps, and %d take %d", tt.n, few, 4*tt.n, many)
			}
		})
	}
}

// TestLongListsOfAWS counts the entries that are converted of a long list: entries
// beyond the limit for which the list is refused are not.
func TestLongListsOfAWS(t *testing.T) {
	t.Parallel()
	const n, most = 20_000, 201
	scopes, attributes := poolconfig.Fitted(strings.Fields(lines(n, "a/# ")), strings.Fields(lines(n, "custom:# ")))
	if scopes <= 50 || scopes > most || attributes <= 100 || attributes > most {
		t.Errorf("of %d each, %d scopes and %d attributes were fitted", n, scopes, attributes)
	}
}

// TestCopiesOfTheParser checks that input which the lexer and the parser would copy
// many times is refused at once: a megabyte of it would take hours.
func TestCopiesOfTheParser(t *testing.T) {
	t.Parallel()
	const few = "pools:\n- id: local_A1\n  messages:\n    code_sms: |\n      {####}\n"
	for name, tt := range map[string]struct{ text, says string }{
		"empty lines": {few + strings.Repeat("\n", 1<<19),
			"c.yaml:106:1: there are more than 100 empty lines in a row; remove some"},
		"lines of spaces": {few + strings.Repeat("  \t\r\n", 1<<17),
			"c.yaml:106:1: there are more than 100 empty lines"},
		"empty lines of old":  {"a: >\r" + strings.Repeat("\r", 1<<19), "there are more than 100 empty lines"},
		"documents":           {strings.Repeat("--- a\n", 1<<17), "c.yaml:4:1: a second document begins here"},
		"ends of documents":   {strings.Repeat("...\n", 1<<17), "c.yaml:4:1: a second document begins here"},
		"two documents":       {few + "---\n" + few, "c.yaml:6:1: a second document begins here"},
		"a hundred lines":     {few + strings.Repeat("\n", 100), ""},
		"a hundred of spaces": {few + strings.Repeat("  \r\n", 100) + "  clients: []\r\n", ""},
		"one document":        {"---\n" + few + "...\n", ""},
	} {
		_, err := loader(nil).Parse("c.yaml", []byte(tt.text))
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %q", name, err, tt.says)
		}
	}
}

// TestEqualOnes checks that of equal entries the second and later ones are named.
func TestEqualOnes(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{"by block": "  - name: a\n", "by flow": "  - {name: a}\n"} {
		_, err := loader(nil).Parse("c.yaml", []byte("pools:\n- id: local_A1\n  groups:\n"+strings.Repeat(line, 300)))
		e, ok := errors.AsType[*poolconfig.Error](err)
		if !ok || len(e.Problems) != 20 {
			t.Fatalf("%s: %v", name, err)
		}
		for i, p := range e.Problems {
			if p.Line != 5+i || p.Text != `"a": the name is repeated` {
				t.Errorf("%s: problem %d is in line %d: %s", name, i, p.Line, p.Text)
			}
		}
	}
}

// TestManyColumns checks that too many columns give a single problem.
func TestManyColumns(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{
		"unknown": strings.Repeat("a,", 100_000), "custom": lines(100_000, "custom:a#,"),
		"equal": strings.Repeat("name,", 100_000),
	} {
		_, err := readCSV(header + "\n")
		e, ok := errors.AsType[*poolconfig.Error](err)
		if !ok || len(e.Problems) != 1 || e.Problems[0].Text != "the header has 100001 columns; expected at most 71" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
