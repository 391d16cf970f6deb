package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/internal/listen"
	"github.com/cognate-auth/cognate/internal/localpool"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
)

// poolCommand is cognate pool. Without a further word it serves the pools.
type poolCommand struct {
	Serve  poolServeCommand  `cmd:"" default:"withargs" help:"Run local user pools."`
	Init   poolInitCommand   `cmd:"" help:"Write a commented file that describes the pools."`
	Import poolImportCommand `cmd:"" help:"Add users from a CSV file in the format of Cognito's import."`
}

// defaultConfig is the file that describes the pools, if it exists.
const defaultConfig = "cognate.yaml"

// configFlags say where pools are described: in a file, in AWS's JSON, or by the flags
// for a single client.
type configFlags struct {
	Config  string   `placeholder:"FILE" help:"YAML file that describes the pools (default cognate.yaml, if it exists)."`
	FromAWS []string `name:"from-aws" sep:"none" placeholder:"JSON" help:"Output of aws cognito-idp describe-user-pool or describe-user-pool-client instead; may be repeated."`
	clientFlags
}

// source returns where the pools are described: a YAML file, or AWS's JSON, and how a
// person calls it. All are empty if nothing describes them.
func (f *configFlags) source() (s source, err error) {
	_, missing := os.Stat(defaultConfig)
	switch {
	case f.Config != "" && len(f.FromAWS) > 0:
		return s, errors.New("--config and --from-aws both describe the pools; leave one out")
	case f.Config != "":
		return source{name: f.Config, load: loadYAML(f.Config)}, nil
	case len(f.FromAWS) > 0:
		return source{name: strings.Join(f.FromAWS, ", "), load: func() (*poolconfig.File, error) {
			return poolconfig.Loader{}.FromAWS(f.FromAWS...)
		}}, nil
	case missing == nil:
		return source{name: defaultConfig, load: loadYAML(defaultConfig), found: true}, nil
	}
	return s, nil
}

// A source is a description of pools.
type source struct {
	name  string                           // for people; empty: there is none
	load  func() (*poolconfig.File, error) // reads it
	found bool                             // nobody has named it: it is in this folder
}

func loadYAML(path string) func() (*poolconfig.File, error) {
	return func() (*poolconfig.File, error) { return poolconfig.Loader{}.Load(path) }
}

// read reads the description, and says what is wrong with it.
func (s source) read() (*poolconfig.File, error) {
	file, err := s.load()
	if err != nil {
		return nil, mistakes(err)
	}
	return file, nil
}

// configuration reads the description of the pools, or makes one of the flags: load does
// so again. Flags for a pool without a file win over a file that nobody has named, which
// is said.
func (f *configFlags) configuration(term terminal.Streams) (
	file *poolconfig.File, load func() (*poolconfig.File, error), err error,
) {
	s, err := f.source()
	if err != nil {
		return nil, nil, err
	}
	flag := f.given()
	switch {
	case flag != "" && s.found:
		terminal.Printf(term.Err, "cognate: %s is not used, because %s describes a pool without a file; "+
			"leave it out to use the file\n", s.name, flag)
	case flag != "" && s.name != "":
		return nil, nil, fmt.Errorf("%s describes a pool without a file, and %s describes the pools; leave one out, "+
			"or write it into the file", flag, s.name)
	case s.name != "":
		f.unused(term, s)
		file, err = s.read()
		return file, s.load, err
	}
	file, err = f.quickFile()
	return file, f.quickFile, err
}

// mistakes returns an error with each problem of a file on its own line.
func mistakes(err error) error {
	if e, ok := errors.AsType[*poolconfig.Error](err); ok {
		return fmt.Errorf("the configuration can't be used:\n%s", indent(e.Error()))
	}
	return err
}

// quickFile returns the pool that the flags describe, with two users.
func (f *configFlags) quickFile() (*poolconfig.File, error) {
	client, err := f.client()
	if err != nil {
		return nil, err
	}
	p := poolconfig.Pool{
		ID: f.poolID(), Clients: []userpool.Client{client},
		Settings: userpool.Settings{
			Name: "Local user pool", UsernameAttributes: []string{"email"}, SelfSignUp: true,
			AutoVerifiedAttributes: []string{"email"},
		},
	}
	for _, u := range localpool.Users() {
		p.Users = append(p.Users, poolconfig.User{NewUser: u.New()}.In(p))
	}
	return &poolconfig.File{Pools: []poolconfig.Pool{p}}, nil
}

type poolServeCommand struct {
	reachFlags
	Store string `default:"${store}" placeholder:"URL" env:"COGNATE_STORE" help:"Where data are kept: a path (SQLite), postgres://..., or memory (default ${default})."`
	Limit int    `name:"requests-per-second" placeholder:"N" help:"Answer 429 to an address that sends more requests; Amazon Cognito's limit is 300 (default none)."`
	configFlags
	mailFlags
	devViewFlags
	logFlags
}

// Run serves the pools until Ctrl-C.
func (c *poolServeCommand) Run(ctx context.Context, term terminal.Streams) error {
	return terminal.Interrupted(ctx, term.Out, c.serve(ctx, term))
}

func (c *poolServeCommand) serve(ctx context.Context, term terminal.Streams) error {
	if c.Limit < 0 {
		return fmt.Errorf("--requests-per-second %d is not a limit; give a number above 0, or leave out the flag for "+
			"no limit", c.Limit)
	}
	file, load, err := c.configuration(term)
	if err != nil {
		return err
	}
	addr, err := c.listenAt()
	if err != nil {
		return err
	}
	sender, err := c.sender()
	if err != nil {
		return err
	}
	view, err := c.view(addr.Open)
	if err != nil {
		return err
	}
	listening, err := addr.Listen(ctx)
	if err != nil {
		return err
	}
	defer listening.Close()
	s, err := c.site(addr)
	if err != nil {
		return err
	}
	st, closeStore, err := openStore(ctx, c.Store)
	if err != nil {
		return err
	}
	defer closeStore()

	log := c.logger(term)
	s.store, s.log, s.view, s.limit = st, log, view, c.Limit
	s.messages = c.messages(term)
	if sender != nil {
		s.deliver = sender.Deliver
	}
	err = s.start(ctx, file)
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // whatever failed, nobody waits for it any more
	}
	if err != nil {
		return err
	}
	secured, news, err := c.secured(s, listening, term)
	if err != nil {
		return err
	}
	debug.FreeOSMemory() // hashing passwords took about 20 MB, which the pool won't need again soon
	announceSite(term, s, file, storeName(c.Store), news)
	if len(file.Sources) > 0 {
		go newWatcher(s, term, file, load).run(ctx)
	}
	return terminal.Stopped(term.Out, listen.Serve(ctx, log, listen.Service{Listeners: secured, Handler: s}))
}

// secured adds TLS if the flags ask for it; otherwise a client that speaks TLS is told
// of. news is a note about the certificate, or empty.
func (c *poolServeCommand) secured(
	s *site, l listen.Listeners, term terminal.Streams,
) (secured listen.Listeners, news string, err error) {
	if c.TLS {
		return s.secure(l)
	}
	return l.NoticeTLS(func() {
		terminal.Printf(term.Err, "cognate: somebody opened the pool with https; its address is %s, and "+
			"--tls would make it https\n", s.base(s.addr.Host))
	}), "", nil
}

// messages returns what prints where the messages of the pools are, or nil with a log level
// that leaves out warnings too.
func (c *poolServeCommand) messages(term terminal.Streams) *localpool.Messages {
	if c.level() > slog.LevelWarn {
		return nil
	}
	return localpool.NewMessages(term.Out, c.SMTP)
}

type poolInitCommand struct {
	File    string   `arg:"" optional:"" default:"cognate.yaml" help:"The file to write (default ${default}). It must not exist."`
	FromAWS []string `name:"from-aws" sep:"none" placeholder:"JSON" help:"Output of aws cognito-idp describe-user-pool or describe-user-pool-client to convert; may be repeated."`
}

// Run writes the file. It never overwrites one.
func (c *poolInitCommand) Run(term terminal.Streams) error {
	text := poolconfig.Template()
	if len(c.FromAWS) > 0 {
		var err error
		text, err = poolconfig.Loader{}.Convert(c.FromAWS...)
		if err != nil {
			return mistakes(err)
		}
	}
	f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already and was not changed; name another file: cognate pool init FILE", c.File)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing the configuration: %w; make the folder first", err)
	}
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Close())
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	start := "cognate pool"
	if c.File != defaultConfig {
		start += " --config " + c.File
	}
	terminal.Printf(term.Out, "Wrote %s. Start its pools with: %s\n", c.File, start)
	return nil
}
