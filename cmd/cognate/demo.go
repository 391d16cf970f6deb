package main

import (
	"context"

	"github.com/cognate-auth/cognate/internal/demo"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
)

// demoCommand is the demo, which is also a program of its own (demo/). Its flags are those of
// [demo.ParseFlags].
type demoCommand struct {
	Addr     string `default:"127.0.0.1:5000" placeholder:"HOST:PORT" help:"Address of the app, on this machine; port 0 is any free one (default ${default})."`
	PoolAddr string `default:"127.0.0.1:9229" placeholder:"HOST:PORT" help:"Address of the pool, on this machine (default ${default})."`
	devViewFlags
	logFlags
}

// Run serves the app and the pool until Ctrl-C.
func (c *demoCommand) Run(ctx context.Context, term terminal.Streams) error {
	return demo.Run(ctx, demo.Config{
		Addr: c.Addr, PoolAddr: c.PoolAddr, DevViewToken: userpool.Secret(c.DevViewToken),
		InsecureDevViewAnywhere: c.InsecureDevViewAnywhere, OneClickSignIn: c.OneClickSignIn, LogLevel: c.level(),
	}, term)
}
