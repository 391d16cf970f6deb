// Demo shows a sign-in: a small app at https://127.0.0.1:5000, and the local pool that signs
// people in to it.
//
//	go run github.com/cognate-auth/cognate/demo@latest
//
// It is `cognate demo` as a program of its own: it needs nothing but the module of the library, so
// there is less to download and to compile.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/cognate-auth/cognate/internal/demo"
	"github.com/cognate-auth/cognate/internal/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], terminal.Streams{Out: os.Stdout, Err: os.Stderr}))
}

// run runs one command line and returns the exit status: 0 for success, 1 for a failure, 2 for a
// command line that can't be understood.
func run(ctx context.Context, args []string, term terminal.Streams) int {
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	config, err := demo.ParseFlags(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		fs.SetOutput(term.Out)
		terminal.Printf(term.Out, "The demo: a small app and the local pool that signs people in to it.\n\nFlags:\n")
		fs.PrintDefaults()
		return 0
	}
	if err != nil {
		terminal.Printf(term.Err, "demo: %v\nRun it with --help for the flags.\n", err)
		return 2
	}
	err = demo.Run(ctx, config, term)
	if err != nil {
		terminal.Printf(term.Err, "demo: %v\n", err)
		return 1
	}
	return 0
}
