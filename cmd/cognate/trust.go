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
func (s *site) secure(l listeners) (secured listeners, news string, err error) {
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
	return l.withTLS(authority.Config(s.hosts)), news, nil
}

type trustCommand struct {
	Install   bool `xor:"what" help:"Make this machine trust the local authority."`
	Uninstall bool `xor:"what" help:"Make this machine no longer trust the local authority."`
}

// Run explains what trusting the local authority means, or installs or removes it.
func (c *trustCommand) Run(ctx context.Context, term terminal) error {
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
			printf(term.out, "  left out   %s: %s\n", step.Where, step.Missing)
			commands := step.Install
			if c.Uninstall {
				commands = step.Undo
			}
			printCommands(term, commands)
		case err != nil:
			printf(term.out, "  failed     %s\n", step.Where)
		default:
			done++
			printf(term.out, "  done       %s\n", step.Where)
		}
	})
	if err != nil {
		return fmt.Errorf("not all steps succeeded:\n%s", indent(err.Error()))
	}
	if done == 0 {
		return errors.New("no step could be taken; the lines above say what is missing")
	}
	printf(term.out, "Restart the browser.\n")
	return nil
}

func explainTrust(term terminal, authority *devtls.Authority, steps []trust.Step) {
	out, s := term.out, styleOf(term.out)
	cert := authority.Certificate()
	printf(out, "\n  %s\n\n", s.bold("The local authority of cognate pool --tls"))
	printf(out, "  It issues the certificates that the pools on this machine serve. A program that\n")
	printf(out, "  trusts it shows no warning for them. It can vouch for nothing but loopback\n")
	printf(out, "  addresses and these names, with all below them:\n")
	printf(out, "    %s\n\n", strings.Join(cert.PermittedDNSDomains, ", "))
	printf(out, "  Certificate   %s\n", authority.Path())
	printf(out, "  Key           beside it; only you can read it, and nobody else should\n")
	printf(out, "  Valid until   %s\n", cert.NotAfter.Format("2 January 2006"))
	printf(out, "  SHA-256       %s\n", authority.Fingerprint()[:32])
	printf(out, "                %s\n\n", authority.Fingerprint()[32:])
	printf(out, "  %s would put it into:\n\n", s.bold("cognate trust --install"))
	for _, step := range steps {
		printf(out, "  - %s\n", step.Where)
		if step.Missing != "" {
			printf(out, "      %s\n", s.dim("left out, because "+step.Missing))
		}
		printCommands(term, step.Install)
	}
	printf(out, "\n  %s undoes all of it:\n\n", s.bold("cognate trust --uninstall"))
	for _, step := range steps {
		printCommands(term, step.Undo)
	}
	printf(out, "\n")
}

func printCommands(term terminal, commands [][]string) {
	for _, command := range commands {
		printf(term.out, "      %s\n", trust.Line(command))
	}
}
