package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"
)

// newLogger logs what went wrong, and what to do about it, below what the command says.
func newLogger(term terminal) *slog.Logger {
	return slog.New(slog.NewTextHandler(term.err, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: dropTime}))
}

// dropTime leaves out the time: a person is looking.
func dropTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// A style marks text for a terminal, and leaves it alone for anything else.
type style struct{ on bool }

// styleOf follows https://no-color.org and the terminals that can't.
func styleOf(w io.Writer) style {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return style{}
	}
	info, err := f.Stat()
	return style{err == nil && info.Mode()&os.ModeCharDevice != 0}
}

func (s style) bold(text string) string { return s.wrap("1", text) }
func (s style) dim(text string) string  { return s.wrap("2", text) }

func (s style) wrap(code, text string) string {
	if !s.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func announceDemo(term terminal, appURL, poolURL string) {
	s := styleOf(term.out)
	printf(term.out, "\n  %s\n\n", s.bold("Cognate demo"))
	printf(term.out, "  The app    %s\n", s.bold(appURL))
	printf(term.out, "             %s\n", s.dim("Your browser will warn: the certificate was made just now."))
	printf(term.out, "  The pool   %s\n", poolURL)
	printf(term.out, "             %s\n\n", s.dim("A local Amazon Cognito. It signs people in to the app."))
	announceUsers(term.out, s)
	printf(term.out, "  %s\n", s.dim("Everything is in memory and ends with the demo."))
	printf(term.out, "  Press Ctrl-C to stop.\n\n")
}

func announcePool(term terminal, base string, p *localPool) {
	s := styleOf(term.out)
	printf(term.out, "\n  %s\n\n", s.bold("Local user pool"))
	printf(term.out, "  Domain          %s\n", s.bold(base))
	printf(term.out, "  Issuer          %s\n", p.pool.Issuer())
	printf(term.out, "  App client ID   %s\n", p.client.ID)
	for i, uri := range p.client.CallbackURLs {
		label := "Callback URL"
		if i > 0 {
			label = ""
		}
		printf(term.out, "  %-15s %s\n", label, uri)
	}
	printf(term.out, "\n  %s\n", s.dim("client_secrets.json for an app: run cognate client-secrets, same flags."))
	printf(term.out, "\n")
	announceUsers(term.out, s)
	printf(term.out, "  %s\n", s.dim("Everything is in memory and ends with the pool."))
	printf(term.out, "  Press Ctrl-C to stop.\n\n")
}

func announceUsers(w io.Writer, s style) {
	printf(w, "  Sign in as\n")
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, u := range seedUsers {
		printf(t, "    %s\t%s\t%s\n", u.email, u.password, s.dim(u.note))
	}
	_ = t.Flush() // as printf
	printf(w, "\n")
}

// stopped says goodbye after a clean stop.
func stopped(term terminal, err error) error {
	if err == nil {
		printf(term.out, "Stopped.\n")
	}
	return err
}

// printf writes to the terminal. If that fails there is nobody to tell.
func printf(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}
