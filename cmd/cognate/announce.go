package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/userpool"
)

// A style marks text for a terminal, and leaves text for anything else unchanged.
type style struct{ on bool }

// styleOf follows https://no-color.org, and terminals that show no colours.
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

func announceDemo(term terminal, appURL, poolURL, developer string) {
	s := styleOf(term.out)
	printf(term.out, "\n  %s\n\n", s.bold("Cognate demo"))
	printf(term.out, "  The app    %s\n", s.bold(appURL))
	printf(term.out, "             %s\n", s.dim("Your browser will warn: the certificate was made just now."))
	printf(term.out, "  The pool   %s\n", poolURL)
	printf(term.out, "             %s\n", s.dim("A local Amazon Cognito. It signs people in to the app."))
	printf(term.out, "  Developer  %s\n", developer)
	printf(term.out, "             %s\n\n", s.dim("Every sign-in, step by step, and what went wrong."))
	announceUsers(term.out, s)
	printf(term.out, "  %s\n", s.dim("Everything is in memory and ends with the demo."))
	printf(term.out, "  Press Ctrl-C to stop.\n\n")
}

// maxAnnounced is how many clients, URLs and users of a pool are printed.
const maxAnnounced = 5

// announceSite prints the pools and their addresses. news is a note about the
// certificate, or empty.
func announceSite(term terminal, s *site, f *poolconfig.File, store, news string) {
	out, st := term.out, styleOf(term.out)
	printf(out, "\n  %s\n", st.bold("Local user pools"))
	if f.Path != "" {
		printf(out, "  %s\n", st.dim("Configured by "+f.Path+"; a change applies as soon as it is saved."))
	}
	for _, note := range f.Notes {
		printf(out, "  %s\n", st.dim(note))
	}
	for _, p := range s.table.Load().pools {
		announcePool(out, st, s, p, f.Path != "")
	}
	printf(out, "\n")
	announceHosts(out, st, s)
	if news != "" {
		printf(out, "  %s\n", news)
	}
	if f.Path == "" {
		announceUsers(out, st)
		printf(out, "  %s\n", st.dim("Clients, users and settings of your own: run cognate pool init."))
	}
	printf(out, "  %s\n", st.dim("client_secrets.json for an app: run cognate client-secrets, same flags."))
	if store == inMemory {
		printf(out, "  %s\n", st.dim("Everything is in memory and ends with the program."))
	} else {
		printf(out, "  %s\n", st.dim("Data are kept in "+store+"."))
	}
	printf(out, "  Press Ctrl-C to stop.\n\n")
}

// announceHosts prints the line for the hosts file that lets every program find the
// pools.
func announceHosts(out io.Writer, st style, s *site) {
	names := s.names()
	if len(names) == 0 {
		return
	}
	file := "/etc/hosts"
	if runtime.GOOS == "windows" {
		file = `C:\Windows\System32\drivers\etc\hosts`
	}
	printf(out, "  %s\n", st.dim("For "+file+"; browsers find names below localhost without it:"))
	printf(out, "    %s %s\n\n", s.addr.bind[0], strings.Join(names, " "))
}

func announcePool(out io.Writer, st style, s *site, p *running, fromFile bool) {
	home := s.base(p.hosts[0])
	printf(out, "\n")
	row := func(label, text string) { printf(out, "  %-15s %s\n", label, text) }
	row(st.bold("Pool")+strings.Repeat(" ", 11), st.bold(p.pool.ID())+"  "+p.config.Settings.Name)
	row("Domain", st.bold(home))
	for _, host := range p.hosts[1:] {
		row("", s.base(host))
	}
	row("Issuer", p.pool.Issuer())
	if !strings.HasPrefix(p.pool.Issuer(), s.base(s.addr.host)+"/") {
		row("", st.dim("its documents: "+s.base(s.addr.host)+"/"+p.pool.ID()+"/.well-known/"))
	}
	row("Developer", s.view.url(home))
	for i, c := range p.config.Clients {
		if i == maxAnnounced {
			row("", st.dim(fmt.Sprintf("and %d more", len(p.config.Clients)-i)))
			break
		}
		row("App client ID", c.ID)
		for i, uri := range c.CallbackURLs[:min(len(c.CallbackURLs), maxAnnounced)] {
			row([]string{"Callback URL", ""}[min(i, 1)], uri)
		}
	}
	if fromFile {
		announcePoolUsers(out, st, p.config)
	}
}

// announcePoolUsers prints user names. Passwords are not printed: they are in the file,
// or in the environment because nobody should see them.
func announcePoolUsers(out io.Writer, st style, p poolconfig.Pool) {
	if len(p.Users) == 0 {
		return
	}
	printf(out, "\n  Sign in as\n")
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for i, u := range p.Users {
		if i == maxAnnounced {
			printf(t, "    %s\n", st.dim(fmt.Sprintf("and %d more", len(p.Users)-i)))
			break
		}
		line := "    " + u.Username
		if note := noteOf(u); note != "" {
			line += "\t" + st.dim(note)
		}
		printf(t, "%s\n", line)
	}
	_ = t.Flush() // as printf
}

// noteOf returns what is special about a user.
func noteOf(u poolconfig.User) string {
	switch {
	case u.Disabled:
		return "is disabled"
	case u.Status == userpool.UserForceChange:
		return "has a temporary password"
	case u.Status == userpool.UserResetRequired:
		return "chooses a password by code"
	case u.Status == userpool.UserUnconfirmed:
		return "is not confirmed"
	}
	return ""
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

// stopped prints a line after a clean stop.
func stopped(term terminal, err error) error {
	if err == nil {
		printf(term.out, "Stopped.\n")
	}
	return err
}

// interrupted returns the result of a command that runs until Ctrl-C. Ctrl-C during the
// start is not a failure.
func interrupted(ctx context.Context, term terminal, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return stopped(term, nil)
	}
	return err
}

// printf writes to the terminal. An error is ignored, because there is nowhere to
// report it.
func printf(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}
