package poolconfig

import (
	"bytes"
	"crypto/rand"
	_ "embed" // for the template
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed cognate.yaml.tmpl
var templateText string

var fileTemplate = template.Must(template.New("cognate.yaml").Parse(templateText))

// Template returns a first configuration file, with comments on every key, a pool, an
// app client and two users. Their ids and secrets are new in each call.
func Template() []byte {
	var b bytes.Buffer
	err := fileTemplate.Execute(&b, map[string]string{
		"PoolID":   "local_" + alphanumerics(9),
		"ClientID": strings.ToLower(alphanumerics(26)),
		"Secret":   strings.ToLower(alphanumerics(51)),
		"Ann":      "Ann-" + alphanumerics(8) + "-1a",
		"Bob":      "Bob-" + alphanumerics(8) + "-1b",
	})
	if err != nil {
		panic("poolconfig: " + err.Error()) // the template and its values are our own
	}
	return b.Bytes()
}

// alphanumerics returns n random upper-case letters and digits.
func alphanumerics(n int) string {
	s := ""
	for len(s) < n {
		s += rand.Text()
	}
	return s[:n]
}

// Convert returns what [Loader.FromAWS] reads as a YAML file, with the notes at the
// top. [Loader.Parse] accepts every file that it returns.
func (l Loader) Convert(paths ...string) ([]byte, error) {
	a, err := l.readAWS(paths)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("# The pools of cognate pool. docs/local-pool.md explains each key.\n")
	b.WriteString("# Read from " + oneLine(strings.Join(paths, ", ")) + ".\n")
	for _, note := range a.notes {
		b.WriteString("# " + oneLine(note) + "\n")
	}
	b.WriteString("\n")
	encoder := yaml.NewEncoder(&b, yaml.IndentSequence(true), yaml.CustomMarshaler(marshalDuration))
	err = encoder.Encode(fileModel{a.models})
	if err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	_, err = l.Parse("cognate.yaml", b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("the configuration can't be written as an equivalent YAML file: %w", err)
	}
	return b.Bytes(), nil
}

func marshalDuration(d time.Duration) ([]byte, error) { return []byte(formatDuration(d)), nil }

// formatDuration writes a duration in the largest unit; parseDuration reads it.
func formatDuration(d time.Duration) string {
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if d > 0 && d%unit.length == 0 {
			return fmt.Sprintf("%d%s", d/unit.length, unit.name)
		}
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// oneLine keeps text from a file within a comment of one line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s)
}
