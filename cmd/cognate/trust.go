package main

import (
	"context"
	"crypto/sha1" //nolint:gosec // how macOS and Windows name certificates; it protects nothing
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/trust"
	"github.com/cognate-auth/cognate/devtls"
	"github.com/cognate-auth/cognate/internal/listen"
	"github.com/cognate-auth/cognate/internal/terminal"
)

// authorityFolder returns the folder of the local certificate authority, which is below
// the user's configuration folder.
func authorityFolder() (string, error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding the folder of your configuration: %w", err)
	}
	return filepath.Join(folder, "cognate"), nil
}

// secure adds TLS for all hosts of the site. news is a note for the user, or empty.
func (s *site) secure(l listen.Listeners) (secured listen.Listeners, news string, err error) {
	folder, err := authorityFolder()
	if err != nil {
		return nil, "", err
	}
	authority, err := devtls.OpenAuthority(folder, s.hosts()...)
	if err != nil {
		return nil, "", err
	}
	if authority.Made() {
		news = "Your browser will warn about the certificate until you run cognate trust."
	}
	return l.WithTLS(authority.Config(s.hosts)), news, nil
}

type trustCommand struct {
	Install   bool `xor:"what" help:"Make this machine trust the local authority."`
	Uninstall bool `xor:"what" help:"Make this machine no longer trust the local authority."`
}

// Run explains what trusting the local authority means, or installs or removes it.
func (c *trustCommand) Run(ctx context.Context, term terminal.Streams) error {
	folder, err := authorityFolder()
	if err != nil {
		return err
	}
	authority, err := devtls.OpenAuthority(folder)
	if err != nil {
		return err
	}
	system, err := trust.This(runtime.GOOS)
	if err != nil {
		return err
	}
	sum := sha1.Sum(authority.Certificate().Raw) //nolint:gosec // as above
	steps := system.Steps(authority.Path(), strings.ToUpper(hex.EncodeToString(sum[:])))
	if !c.Install && !c.Uninstall {
		explainTrust(term, authority, steps)
		return nil
	}
	done := 0
	err = system.Do(ctx, steps, c.Uninstall, func(step trust.Step, err error) {
		switch {
		case step.Missing != "":
			terminal.Printf(term.Out, "  left out   %s: %s\n", step.Where, step.Missing)
			commands := step.Install
			if c.Uninstall {
				commands = step.Undo
			}
			printCommands(term, commands)
		case err != nil:
			terminal.Printf(term.Out, "  failed     %s\n", step.Where)
		default:
			done++
			terminal.Printf(term.Out, "  done       %s\n", step.Where)
		}
	})
	if err != nil {
		return fmt.Errorf("not all steps succeeded:\n%s", indent(err.Error()))
	}
	if done == 0 {
		return errors.New("no step could be taken; the lines above say what is missing")
	}
	terminal.Printf(term.Out, "Restart the browser.\n")
	return nil
}

func explainTrust(term terminal.Streams, authority *devtls.Authority, steps []trust.Step) {
	out, s := term.Out, terminal.StyleOf(term.Out)
	cert := authority.Certificate()
	terminal.Printf(out, "\n  %s\n\n", s.Bold("The local authority of cognate pool --tls"))
	terminal.Printf(out, "  It issues the certificates that the pools on this machine serve. A program that\n")
	terminal.Printf(out, "  trusts it shows no warning for them. It can vouch for nothing but loopback\n")
	terminal.Printf(out, "  addresses and these names, with all below them:\n")
	terminal.Printf(out, "    %s\n\n", strings.Join(cert.PermittedDNSDomains, ", "))
	terminal.Printf(out, "  Certificate   %s\n", authority.Path())
	terminal.Printf(out, "  Key           beside it; only you can read it, and nobody else should\n")
	terminal.Printf(out, "  Valid until   %s\n", cert.NotAfter.Format("2 January 2006"))
	terminal.Printf(out, "  SHA-256       %s\n", authority.Fingerprint()[:32])
	terminal.Printf(out, "                %s\n\n", authority.Fingerprint()[32:])
	terminal.Printf(out, "  %s would put it into:\n\n", s.Bold("cognate trust --install"))
	for _, step := range steps {
		terminal.Printf(out, "  - %s\n", step.Where)
		if step.Missing != "" {
			terminal.Printf(out, "      %s\n", s.Dim("left out, because "+step.Missing))
		}
		printCommands(term, step.Install)
	}
	terminal.Printf(out, "\n  %s undoes all of it:\n\n", s.Bold("cognate trust --uninstall"))
	for _, step := range steps {
		printCommands(term, step.Undo)
	}
	terminal.Printf(out, "\n")
}

func printCommands(term terminal.Streams, commands [][]string) {
	for _, command := range commands {
		terminal.Printf(term.Out, "      %s\n", trust.Line(command))
	}
}
