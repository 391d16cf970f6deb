package main

import (
	"context"
	"crypto/sha1" //nolint:gosec // how macOS and Windows name certificates; it protects nothing
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"syscall"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/trust"
	"github.com/cognate-auth/cognate/devtls"
	"github.com/cognate-auth/cognate/internal/listen"
	"github.com/cognate-auth/cognate/internal/terminal"
)

// openAuthority opens the user's authority, or makes it.
func openAuthority(hosts ...string) (*devtls.Authority, error) {
	folder, err := devtls.UserFolder()
	if err != nil {
		return nil, fmt.Errorf("%w; set %s to a folder of your own", err, configVariable())
	}
	authority, err := devtls.OpenAuthority(folder, hosts...)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("%w; set %s to a folder that you can write", err, configVariable())
	}
	return authority, err
}

// configVariable returns the environment variable that decides about [os.UserConfigDir].
func configVariable() string {
	switch runtime.GOOS {
	case "windows":
		return "AppData"
	case "darwin":
		return "HOME"
	}
	return "XDG_CONFIG_HOME"
}

// secure adds TLS for all hosts of the site. news is a note for the user, or empty.
func (s *site) secure(l listen.Listeners) (secured listen.Listeners, news string, err error) {
	authority, err := openAuthority(s.hosts()...)
	if err != nil {
		return nil, "", err
	}
	return l.WithTLS(authority.Config(s.hosts)), authority.Warning(), nil
}

type trustCommand struct {
	Install   bool `xor:"what" help:"Make this machine trust the local authority."`
	Uninstall bool `xor:"what" help:"Make this machine no longer trust the local authority."`
}

// Run explains what trusting the local authority means, or installs or removes it.
func (c *trustCommand) Run(ctx context.Context, term terminal.Streams) error {
	authority, err := openAuthority()
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
	return c.act(ctx, term, authority, system, steps)
}

// act takes the steps and says what came of each. What programs later say of a browser's
// warning follows from whether all lists of browsers were changed.
func (c *trustCommand) act(
	ctx context.Context, term terminal.Streams, authority *devtls.Authority, system trust.System, steps []trust.Step,
) error {
	done, browsers := 0, true
	err := system.Do(ctx, steps, c.Uninstall, func(step trust.Step, err error) {
		browsers = browsers && (err == nil || !step.Browsers)
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
	if c.Uninstall || browsers {
		err = errors.Join(err, authority.SetTrusted(c.Install))
	}
	if err != nil {
		return fmt.Errorf("not all steps succeeded:\n%s", indent(err.Error()))
	}
	if done == 0 {
		return errors.New("no step could be taken; the lines above say what is missing")
	}
	terminal.Printf(term.Out, "Restart the browser, and an app or a demo that is running.\n")
	return nil
}

func explainTrust(term terminal.Streams, authority *devtls.Authority, steps []trust.Step) {
	out, s := term.Out, terminal.StyleOf(term.Out)
	cert := authority.Certificate()
	terminal.Printf(out, "\n  %s\n\n", s.Bold("The local authority of this machine"))
	terminal.Printf(out, "  It issues the certificates of what you run on this machine: cognate pool --tls,\n")
	terminal.Printf(out, "  the demo, and apps that listen with devtls.Listen. A program that trusts it shows\n")
	terminal.Printf(out, "  no warning for them. It can vouch for nothing but loopback addresses and these\n")
	terminal.Printf(out, "  names, with all below them:\n")
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
