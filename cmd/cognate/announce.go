package main

import (
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/internal/localpool"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
)

// maxAnnounced is how many clients, URLs and users of a pool are printed.
const maxAnnounced = 5

// announceSite prints the pools and their addresses. news is a note about the
// certificate, or empty.
func announceSite(term terminal.Streams, s *site, f *poolconfig.File, store, news string) {
	out, st := term.Out, terminal.StyleOf(term.Out)
	terminal.Printf(out, "\n  %s\n", st.Bold("Local user pools"))
	if f.Path != "" {
		terminal.Printf(out, "  %s\n", st.Dim("Configured by "+f.Path+"; a change applies as soon as it is saved."))
	}
	for _, note := range f.Notes {
		terminal.Printf(out, "  %s\n", st.Dim(note))
	}
	for _, p := range s.table.Load().pools {
		announcePool(out, st, s, p, f.Path != "")
	}
	terminal.Printf(out, "\n")
	announceHosts(out, st, s)
	if news != "" {
		terminal.Printf(out, "  %s\n\n", news)
	}
	if s.addr.Open {
		terminal.Printf(out, "  Other machines may reach this pool, sign in as its users, whose passwords\n"+
			"  are no secret, and have messages sent. A container's port that is published\n"+
			"  as 127.0.0.1:%[1]s:%[1]s is for the engine's machine alone.\n\n", s.port)
	}
	if f.Path == "" {
		localpool.AnnounceUsers(out, "the e-mail address is not verified")
		terminal.Printf(out, "  %s\n", st.Dim("Clients, users and settings of your own: run cognate pool init."))
	}
	terminal.Printf(out, "  %s\n", st.Dim("client_secrets.json for an app: run cognate client-secrets, same flags."))
	if store == inMemory {
		terminal.Printf(out, "  %s\n", st.Dim("Everything is in memory and ends with the program."))
	} else {
		terminal.Printf(out, "  %s\n", st.Dim("Data are kept in "+store+"."))
	}
	terminal.Printf(out, "  Press Ctrl-C to stop.\n\n")
}

// announceHosts prints the line for the hosts file that lets every program find the
// pools.
func announceHosts(out io.Writer, st terminal.Style, s *site) {
	names := s.names()
	if len(names) == 0 {
		return
	}
	file := "/etc/hosts"
	if runtime.GOOS == "windows" {
		file = `C:\Windows\System32\drivers\etc\hosts`
	}
	terminal.Printf(out, "  %s\n", st.Dim("For "+file+"; browsers find names below localhost without it:"))
	at := s.addr.Bind[0]
	ip, err := netip.ParseAddr(at)
	if err == nil && ip.IsUnspecified() {
		at = "127.0.0.1"
	}
	terminal.Printf(out, "    %s %s\n\n", at, strings.Join(names, " "))
}

func announcePool(out io.Writer, st terminal.Style, s *site, p *running, fromFile bool) {
	home := s.base(p.hosts[0])
	terminal.Printf(out, "\n")
	row := func(label, text string) { terminal.Printf(out, "  %-15s %s\n", label, text) }
	row(st.Bold("Pool")+strings.Repeat(" ", 11), st.Bold(p.pool.ID())+"  "+p.config.Settings.Name)
	row("Domain", st.Bold(home))
	for _, host := range p.hosts[1:] {
		row("", s.base(host))
	}
	row("Issuer", p.pool.Issuer())
	if !strings.HasPrefix(p.pool.Issuer(), s.base(s.addr.Host)+"/") {
		row("", st.Dim("its documents: "+s.base(s.addr.Host)+"/"+p.pool.ID()+"/.well-known/"))
	}
	switch {
	case s.view.Off:
		row("Developer", st.Dim("off: other machines reach the pool; set COGNATE_DEV_VIEW_TOKEN"))
	case s.addr.Open && s.view.Token != "":
		// The log of a container is read by more people than a terminal.
		row("Developer", s.view.Bare(home)+"?token=…")
		row("", st.Dim("with the token that was chosen for it"))
	default:
		row("Developer", s.view.URL(home))
	}
	for i, c := range p.config.Clients {
		if i == maxAnnounced {
			row("", st.Dim(fmt.Sprintf("and %d more", len(p.config.Clients)-i)))
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
func announcePoolUsers(out io.Writer, st terminal.Style, p poolconfig.Pool) {
	if len(p.Users) == 0 {
		return
	}
	terminal.Printf(out, "\n  Sign in as\n")
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for i, u := range p.Users {
		if i == maxAnnounced {
			terminal.Printf(t, "    %s\n", st.Dim(fmt.Sprintf("and %d more", len(p.Users)-i)))
			break
		}
		line := "    " + u.Username
		if note := noteOf(u); note != "" {
			line += "\t" + st.Dim(note)
		}
		terminal.Printf(t, "%s\n", line)
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
