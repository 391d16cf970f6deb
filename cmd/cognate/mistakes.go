package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/suggest"
	"github.com/cognate-auth/cognate/internal/terminal"
)

// explain returns where to read on after a command line that can't be understood, and
// what is wrong with it and would be right.
func explain(err error, app *kong.Application, args []string) (hint string, explained error) {
	node := app.Node
	if e, ok := errors.AsType[*kong.ParseError](err); ok && e.Context.Selected() != nil {
		node = e.Context.Selected()
	}
	if node.Parent != nil && node == node.Parent.DefaultCmd {
		node = node.Parent
	}
	hint = "Run " + node.FullPath() + " --help for its flags."
	if node == app.Node {
		hint = "Run cognate --help for the commands and flags."
	}
	for _, m := range mistakesOf {
		found := m.pattern.FindStringSubmatch(err.Error())
		if found != nil {
			text := m.explain(commandLine{app.Node, node, args}, found[1:])
			if text != "" {
				return hint, errors.New(text)
			}
		}
	}
	return hint, err
}

// A commandLine is what could not be understood, and the command that it named, or the
// program's root.
type commandLine struct {
	root, command *kong.Node
	args          []string
}

// mistakesOf are the errors of package kong that don't say what would be right. They have
// no types, so their words tell them apart. An explanation may be empty: then the error
// is good enough.
var mistakesOf = []struct {
	pattern *regexp.Regexp
	explain func(c commandLine, found []string) string
}{
	{regexp.MustCompile(`^unexpected argument (.*?)(?:, did you mean .*)?$`), commandLine.unexpected},
	{regexp.MustCompile(`^unknown flag (\S+?)(?:, did you mean .*)?$`), commandLine.unknownFlag},
	{regexp.MustCompile(`^(--\S+): expected \S+ value but got "(.*)" \(`), commandLine.noValue},
	{regexp.MustCompile(`^(--\S+): missing value`), commandLine.noValue},
	{regexp.MustCompile(`<EOL>`), func(c commandLine, _ []string) string {
		return c.noValue([]string{c.args[len(c.args)-1]})
	}},
	{regexp.MustCompile(`^(--\S+): bool value must be .* but got "(.*)"$`), func(_ commandLine, found []string) string {
		return fmt.Sprintf("%s takes no value; leave out =%s", found[0], found[1])
	}},
	{regexp.MustCompile(`^(--\S+): expected a valid .* but got "(.*)"$`), func(_ commandLine, found []string) string {
		return fmt.Sprintf("%s %s is not a whole number", found[0], terminal.Quoted(found[1]))
	}},
	{regexp.MustCompile(`^expected "(<\S+>.*)"$`), func(c commandLine, found []string) string {
		return fmt.Sprintf("%s needs %s", c.command.FullPath(), found[0]) + meaning(c.command)
	}},
	{regexp.MustCompile(`^(\S+) must be one of (.*) but got "(.*)"$`), func(_ commandLine, found []string) string {
		known := strings.Split(strings.ReplaceAll(found[1], `"`, ""), ",")
		return fmt.Sprintf("%s is %s; expected %s", found[0], terminal.Quoted(found[2]), or(known))
	}},
}

// meaning returns the first sentence about the command's argument.
func meaning(command *kong.Node) string {
	if len(command.Positional) == 0 {
		return ""
	}
	first, _, _ := strings.Cut(command.Positional[0].Help, ". ")
	return ": " + strings.TrimSuffix(first, ".")
}

var addressLike = regexp.MustCompile(`^\S*?:?[0-9]{2,5}$`)

// unexpected explains an argument that the command does not take.
func (c commandLine) unexpected(found []string) string {
	text := "unexpected argument " + terminal.Quoted(found[0])
	switch extension := strings.ToLower(filepath.Ext(found[0])); {
	case len(c.command.Children) == 0 && len(c.command.Positional) == 0:
		return text + "; " + c.command.FullPath() + " takes none"
	case len(c.command.Children) == 0:
		return text + "; " + c.command.FullPath() + " takes one " + c.command.Positional[0].Name
	case extension == ".yaml" || extension == ".yml":
		return text + "; a file that describes pools is given as --config " + found[0]
	case extension == ".json":
		return text + "; a file with AWS's JSON is given as --from-aws " + found[0]
	case extension == ".csv":
		return text + "; users are added with: cognate pool import " + found[0]
	case addressLike.MatchString(found[0]):
		return text + "; an address is given as --addr 127.0.0.1:9229"
	}
	var known []string
	for _, child := range c.command.Children {
		if child != c.command.DefaultCmd {
			known = append(known, child.Name)
		}
	}
	best := suggest.Nearest(found[0], known)
	if best != "" {
		return text + "; did you mean " + strings.TrimSpace(c.command.Path()+" "+best) + "?"
	}
	return text + "; expected " + or(known)
}

// unknownFlag explains a flag that the command does not have.
func (c commandLine) unknownFlag(found []string) string {
	text := "unknown flag " + found[0]
	for _, arg := range c.args {
		if len(arg) > 2 && arg[0] == '-' && arg[1] != '-' && strings.HasPrefix(arg, found[0]) {
			return "unknown flag " + terminal.Quoted(arg) + "; flags begin with two dashes, as in -" + arg
		}
	}
	var known, others []string
	visit(c.root, func(node *kong.Node) {
		for _, f := range flagsOf(node) {
			switch {
			case node == c.command:
				known = append(known, "--"+f.Name)
			case "--"+f.Name == found[0]:
				others = append(others, node.FullPath())
			}
		}
	})
	if len(others) > 0 {
		return text + "; it belongs to " + or(others)
	}
	if found[0] == "--port" && slices.Contains(known, "--addr") {
		return text + "; the port is part of --addr, as in --addr 127.0.0.1:5001"
	}
	best := suggest.Nearest(found[0], known)
	if best != "" {
		return text + "; did you mean " + best + "?"
	}
	return text
}

// visit calls do for each command, but not for one that is run by the name of its parent.
func visit(node *kong.Node, do func(*kong.Node)) {
	do(node)
	for _, child := range node.Children {
		if child != node.DefaultCmd {
			visit(child, do)
		}
	}
}

// flagsOf returns the flags of a command, with those that it has from its default command.
func flagsOf(node *kong.Node) []*kong.Flag {
	if node.DefaultCmd != nil {
		return slices.Concat(node.Flags, node.DefaultCmd.Flags)
	}
	return node.Flags
}

// noValue explains a flag without its value.
func (c commandLine) noValue(found []string) string {
	text := found[0] + " needs a value"
	for _, f := range flagsOf(c.command) {
		if "--"+f.Name != found[0] {
			continue
		}
		text += ": " + found[0] + " " + f.PlaceHolder
		if f.HasDefault {
			text += ", such as " + f.Default
		}
	}
	return text
}

// or lists words for a sentence.
func or(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
