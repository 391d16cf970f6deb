package demo

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
)

// tokenVariable is the environment variable that takes the place of --dev-view-token, so that
// the token is not in the list of processes.
const tokenVariable = "COGNATE_DEV_VIEW_TOKEN"

// ParseFlags reads the command line of the demo as a program of its own. `cognate demo` has the
// same flags. The error is [flag.ErrHelp] if somebody asks for the
// flags; the caller prints them.
func ParseFlags(fs *flag.FlagSet, args []string) (Config, error) {
	c := Config{DevViewToken: userpool.Secret(os.Getenv(tokenVariable))}
	fs.StringVar(&c.Addr, "addr", "127.0.0.1:5000",
		"`address` of the app, on this machine; port 0 is any free one")
	fs.StringVar(&c.PoolAddr, "pool-addr", "127.0.0.1:9229", "`address` of the pool, on this machine")
	fs.Func("dev-view-token",
		"`token` that lets a browser see /_cognate/ (a new one at each start) [$"+tokenVariable+"]",
		func(token string) error {
			if token == "" {
				return errors.New("it is empty; give it a value, or leave it out")
			}
			c.DevViewToken = userpool.Secret(token)
			return nil
		})
	fs.BoolVar(&c.OneClickSignIn, "one-click-sign-in", false,
		"list the users on the sign-in page of a browser that has opened /_cognate/: one click signs in, "+
			"without a password")
	fs.BoolVar(&c.InsecureDevViewAnywhere, "insecure-dev-view-anywhere", false,
		"show /_cognate/, with every code and link, to everybody, without a token")
	level := fs.String("log-level", "warn",
		"`level` from which on events are logged: debug, info, warn or error")
	err := fs.Parse(args)
	if err != nil {
		return c, err
	}
	if fs.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %s", fs.Arg(0))
	}
	if value, ok := os.LookupEnv(tokenVariable); ok && value == "" {
		return c, fmt.Errorf("%s is empty in the environment; give it a value, or unset it", tokenVariable)
	}
	c.LogLevel, err = terminal.ParseLevel(*level)
	return c, err
}
