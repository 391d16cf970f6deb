package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/completion"
	"github.com/cognate-auth/cognate/internal/terminal"
)

type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command, such as pool import."`
}

// Run does what --help does after the words of the command.
func (c *helpCommand) Run(ctx context.Context, term terminal.Streams) error {
	status := run(ctx, append(slices.Clone(c.Command), "--help"), term)
	if status != 0 {
		return exitStatus(status)
	}
	return nil
}

type completionCommand struct {
	Shell string `arg:"" enum:"bash,fish,zsh" help:"bash, fish or zsh. Load the script once with: source <(cognate completion bash); in fish: cognate completion fish | source."`
}

// Run prints the script.
func (c *completionCommand) Run(k *kong.Kong, term terminal.Streams) error {
	script, err := completion.Script(c.Shell, k.Model)
	if err != nil {
		return err
	}
	terminal.Printf(term.Out, "%s", script)
	return nil
}

// printHelp shows a command that does something without a further word, as cognate pool
// does, with the flags that it has then. The program ends after it, so it may change the
// model.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	selected := ctx.Selected()
	if selected != nil && selected.Parent != nil && selected == selected.Parent.DefaultCmd {
		ctx.Path = slices.DeleteFunc(ctx.Path, func(p *kong.Path) bool { return p.Command == selected })
		selected = selected.Parent
	}
	err := kong.Visit(ctx.Model, func(node kong.Visitable, next kong.Next) error {
		parent, ok := node.(*kong.Node)
		if !ok || parent.DefaultCmd == nil {
			return next(nil)
		}
		if parent == selected {
			parent.Flags = append(parent.Flags, parent.DefaultCmd.Flags...)
			parent.DefaultCmd.Hidden = true
			options.NoAppSummary = true // it would say that a command is needed
			_, _ = fmt.Fprintf(ctx.Stdout, "Usage: %s [<command>] [flags]\n", parent.FullPath())
		}
		parent.DefaultCmd.Name = "" // it is called by the name of its parent
		return next(nil)
	})
	if err != nil {
		return err
	}
	return kong.DefaultHelpPrinter(options, ctx)
}
