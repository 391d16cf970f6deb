// Package completion writes scripts that complete the command line of a program in a
// shell. It knows the program's commands and flags from the parser's model, and nothing
// of what they do. A script calls no program: pressing a key must not start one.
package completion

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Shells returns the shells that there is a script for.
func Shells() []string { return []string{"bash", "fish", "zsh"} }

// Script returns the script for one of [Shells].
func Script(shell string, app *kong.Application) (string, error) {
	places := placesOf(app.Node)
	switch shell {
	case "bash":
		return bash(app.Name, places), nil
	case "fish":
		return fish(app.Name, places), nil
	case "zsh":
		return zsh(app.Name, places), nil
	}
	return "", fmt.Errorf("there is no completion for %q; there is for %s", shell, strings.Join(Shells(), ", "))
}

// A place is what the words of a command line have led to: a command, or none yet.
type place struct {
	path     string // a space before each word, such as " pool init"
	commands []word // the words that lead on
	values   []word // for an argument, if there are so many words for it
	files    bool   // an argument is a file
	flags    []word
}

// A word can be completed.
type word struct {
	name, help string
	takes      kind
	values     []string // if takes is one of them
}

// A kind is what a flag's value is.
type kind int

const (
	nothing  kind = iota // it has no value
	anything             // nobody can guess it
	file
	oneOf
)

// placesOf returns all places from a node on. A command without a further word may be
// its default command, whose flags it has then.
func placesOf(node *kong.Node) []place {
	at := place{}
	if path := node.Path(); path != "" {
		at.path = " " + path
	}
	for _, group := range node.AllFlags(true) {
		at.flags = append(at.flags, words(group)...)
	}
	if node.DefaultCmd != nil {
		at.flags = append(at.flags, words(node.DefaultCmd.Flags)...)
	}
	var below []place
	for _, child := range node.Children {
		if child.Hidden || child == node.DefaultCmd {
			continue
		}
		at.commands = append(at.commands, word{name: child.Name, help: child.Help})
		below = append(below, placesOf(child)...)
	}
	for _, argument := range node.Positional {
		switch {
		case argument.Enum != "":
			for _, name := range strings.Split(argument.Enum, ",") {
				at.values = append(at.values, word{name: name})
			}
		case argument.Tag.Type == "path" || argument.Name == "file":
			at.files = true
		}
	}
	return append([]place{at}, below...)
}

// words returns the flags that are shown.
func words(flags []*kong.Flag) []word {
	var all []word
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		w := word{name: "--" + f.Name, help: f.Help, takes: anything}
		switch {
		case f.IsBool():
			w.takes = nothing
		case f.Enum != "":
			w.takes, w.values = oneOf, strings.Split(f.Enum, ",")
		case f.PlaceHolder == "FILE" || f.PlaceHolder == "JSON":
			w.takes = file
		}
		all = append(all, w)
	}
	return all
}

// flagsOf returns the flags of all places, each once, whose value is of a kind.
func flagsOf(places []place, takes kind) []word {
	var all []word
	for _, p := range places {
		for _, f := range p.flags {
			if f.takes == takes {
				all = append(all, f)
			}
		}
	}
	slices.SortFunc(all, func(a, b word) int { return cmp.Compare(a.name, b.name) })
	return slices.CompactFunc(all, func(a, b word) bool { return a.name == b.name })
}

// names returns the names of words, with a separator between them.
func names(all []word, separator string) string {
	var names []string
	for _, w := range all {
		names = append(names, w.name)
	}
	return strings.Join(names, separator)
}

// paths returns the paths of all places but the first as a shell's patterns.
func paths(places []place, separator string) string {
	var all []string
	for _, p := range places[1:] {
		all = append(all, "'"+p.path+"'")
	}
	return strings.Join(all, separator)
}

// quote returns text between single quotes for a shell that reads no escape in them.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
