// Cognate runs a local Amazon Cognito user pool, and a demo of an app that signs people
// in with it.
//
//	cognate demo             the app at https://127.0.0.1:5000, and the pool it uses
//	cognate pool             only the pool, at http://localhost:9229
//	cognate pool init        the file that describes pools, to begin with
//	cognate client-secrets   the pool's app client, as a client_secrets.json
//	cognate health           whether a pool can be used, for containers and CI
//	cognate trust            the certificate authority of this machine
//
// Run cognate help for the rest.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/cognate-auth/cognate/internal/terminal"
)

// cli is the command line.
type cli struct {
	Demo          demoCommand          `cmd:"" help:"Run the demo: a small app and the local pool that signs people in to it."`
	Pool          poolCommand          `cmd:"" help:"Run local user pools until Ctrl-C: those of cognate.yaml, --config or --from-aws, or the one of the flags."`
	ClientSecrets clientSecretsCommand `cmd:"" help:"Print a client_secrets.json for the local pool's app client."`
	Health        healthCommand        `cmd:"" help:"Report whether a pool can be used, or wait until it can."`
	Trust         trustCommand         `cmd:"" help:"Explain this machine's certificate authority; have browsers trust it, or no longer."`
	Help          helpCommand          `cmd:"" help:"Show the commands, or the flags of one."`
	Completion    completionCommand    `cmd:"" help:"Print a script that completes commands and flags in a shell."`
	VersionOf     versionCommand       `cmd:"" name:"version" help:"Print the version, and what it was built from and for."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], terminal.Streams{Out: os.Stdout, Err: os.Stderr}))
}

// run runs one command line and returns the exit status: 0 for success, 1 for a
// failure, 2 for a command line that can't be understood.
func run(ctx context.Context, args []string, term terminal.Streams) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("cognate"),
		kong.Description("Sign-in for web apps with Amazon Cognito, and a Cognito of your own to build it with."),
		kong.Writers(term.Out, term.Err), kong.Vars{"version": version(), "store": defaultStore},
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(term),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}), kong.Help(printHelp),
	)
	if err != nil {
		return report(term, err, 1)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		hint, err := explain(err, parser.Model, args)
		status := report(term, err, 2)
		terminal.Printf(term.Err, "%s\n", hint)
		return status
	}
	err = checkEmpty(command)
	if err != nil {
		return report(term, err, 2)
	}
	err = command.Run()
	if status, ok := errors.AsType[exitStatus](err); ok {
		return int(status)
	}
	if err != nil {
		return report(term, err, 1)
	}
	return 0
}

// An exitStatus is the error of a command that has said what is wrong.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// checkEmpty refuses an argument, a flag or its environment variable that is given and
// empty. Usually a shell variable had no value, and what an empty value would mean,
// such as an app client without a secret, is not intended.
func checkEmpty(c *kong.Context) error {
	given := map[*kong.Flag]bool{}
	for _, path := range c.Path {
		if path.Flag != nil {
			given[path.Flag] = true
		}
		if path.Positional != nil && isEmpty(path.Positional.Target) {
			return fmt.Errorf("<%s> is empty; give it a value, or leave it out", path.Positional.Name)
		}
	}
	for _, flag := range c.Flags() {
		if !isEmpty(flag.Target) || strings.HasSuffix(flag.Name, "addr") { // addresses have their own message
			continue
		}
		if given[flag] {
			return fmt.Errorf("--%s is empty; give it a value, or leave it out", flag.Name)
		}
		for _, name := range flag.Envs {
			if _, ok := os.LookupEnv(name); ok {
				return fmt.Errorf("%s is empty in the environment; give it a value, or unset it", name)
			}
		}
	}
	return nil
}

// isEmpty reports whether a string is empty, or one of several strings.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return v.Len() == 0
	case reflect.Slice:
		for i := range v.Len() {
			if isEmpty(v.Index(i)) {
				return true
			}
		}
		return v.Len() == 0
	default:
		return false
	}
}

// reword returns an error with another beginning: a person knows flags, and no packages.
func reword(err error, before, after string) error {
	return reworded{err, after + strings.TrimPrefix(err.Error(), before)}
}

type reworded struct {
	error

	text string
}

func (r reworded) Error() string { return r.text }
func (r reworded) Unwrap() error { return r.error }

// report prints an error as a sentence, and returns the status.
func report(term terminal.Streams, err error, status int) int {
	_, _ = fmt.Fprintf(term.Err, "cognate: %v\n", err)
	return status
}
