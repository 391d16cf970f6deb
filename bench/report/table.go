package report

import (
	"errors"
	"fmt"
	"strings"
)

// A Table is a Markdown table. The first column has names, the others have numbers.
type Table struct {
	Columns []string
	Rows    [][]string
}

// Add appends a row. Missing cells at its end are empty.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// String returns the Markdown.
func (t *Table) String() string {
	var b strings.Builder
	writeRow(&b, t.Columns, len(t.Columns))
	b.WriteString("|" + " --- |" + strings.Repeat(" ---: |", len(t.Columns)-1) + "\n")
	for _, r := range t.Rows {
		writeRow(&b, r, len(t.Columns))
	}
	return b.String()
}

// cellText escapes what would end a cell of Markdown: a bar, or the end of the line.
var cellText = strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ")

func writeRow(b *strings.Builder, cells []string, width int) {
	b.WriteString("|")
	for i := range width {
		cell := ""
		if i < len(cells) {
			cell = cellText.Replace(cells[i])
		}
		b.WriteString(" " + cell + " |")
	}
	b.WriteString("\n")
}

// The lines between which [Replace] writes.
const (
	Begin = "<!-- measured: begin, written by make bench -->"
	End   = "<!-- measured: end -->"
)

// Replace replaces the text between the two marks of a page, and keeps the rest.
func Replace(page, text string) (string, error) {
	if strings.Count(page, Begin) != 1 || strings.Count(page, End) != 1 {
		return "", fmt.Errorf("the page must have the lines %q and %q, each once", Begin, End)
	}
	before, rest, _ := strings.Cut(page, Begin)
	_, after, ok := strings.Cut(rest, End)
	if !ok {
		return "", errors.New("the page's end mark comes before its begin mark")
	}
	return before + Begin + "\n\n" + strings.TrimSpace(text) + "\n\n" + End + after, nil
}
