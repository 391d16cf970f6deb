package poolconfig

import (
	"fmt"
	"slices"
	"strings"
)

// maxProblems limits how many problems of a file are reported. If there are more, the
// first ones are the cause of the others.
const maxProblems = 20

// A Problem is one thing that is wrong with a file.
type Problem struct {
	Line, Column int    // counted from 1; zero: the problem is about the whole file
	Text         string // a sentence without its full stop; it never contains a secret
}

// An Error lists everything that is wrong with a file, in the file's order.
type Error struct {
	File     string
	Problems []Problem // 1 to 20
}

// Error returns one line per problem, with file, line and column in the form of
// compilers.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.at(p) + ": " + p.Text
	}
	return strings.Join(lines, "\n")
}

func (e *Error) at(p Problem) string {
	switch {
	case p.Line == 0:
		return e.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", e.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", e.File, p.Line, p.Column)
	}
}

// problems collects the problems of a file.
type problems struct {
	file string
	list []Problem
	seen map[Problem]bool
}

func (p *problems) add(line, column int, format string, args ...any) {
	problem := Problem{line, column, fmt.Sprintf(format, args...)}
	// A node that is used twice through an alias is reported once.
	if p.seen[problem] || p.enough() {
		return
	}
	if p.seen == nil {
		p.seen = map[Problem]bool{}
	}
	p.seen[problem] = true
	p.list = append(p.list, problem)
}

func (p *problems) full() bool { return len(p.list) >= maxProblems }

// enough reports whether further problems are dropped. More problems are collected than
// reported, because they are not found in the order of the file.
func (p *problems) enough() bool { return len(p.list) >= 10*maxProblems }

// err returns the collected problems as an [*Error], or nil.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return &Error{p.file, p.list[:min(len(p.list), maxProblems)]}
}
