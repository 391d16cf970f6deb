package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cmd/cognate/internal/mail"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/devview"
)

// mailFlags say where mail goes besides the outbox.
type mailFlags struct {
	SMTP         string         `name:"smtp" placeholder:"HOST:PORT" help:"SMTP server that gets the mail as well; without it mail stays in the outbox."`
	SMTPFrom     string         `name:"smtp-from" default:"no-reply@localhost.localdomain" placeholder:"ADDRESS" help:"Sender of the mail (default ${default})."`
	SMTPUser     string         `name:"smtp-user" placeholder:"NAME" env:"COGNATE_SMTP_USER" help:"User name at the SMTP server."`
	SMTPPassword cognate.Secret `name:"smtp-password" placeholder:"PASSWORD" env:"COGNATE_SMTP_PASSWORD" help:"Password at the SMTP server; better in the environment, as COGNATE_SMTP_PASSWORD."`

	InsecureSMTP bool `name:"insecure-smtp" help:"Send mail without TLS to another machine."`
}

// devViewFlags say who may see the developer's view.
type devViewFlags struct {
	DevViewToken cognate.Secret `name:"dev-view-token" placeholder:"TOKEN" env:"COGNATE_DEV_VIEW_TOKEN" help:"Token that lets a browser see /_cognate/ (a new one at each start)."`

	InsecureDevViewAnywhere bool `name:"insecure-dev-view-anywhere" help:"Show /_cognate/, with every code and link, to whoever asks, without a token."`
}

// view is who may see the developer's view of this start.
func (f *devViewFlags) view() (view, error) {
	v := view{token: userpool.Secret(f.DevViewToken), anywhere: f.InsecureDevViewAnywhere}
	switch {
	case v.anywhere && v.token != "":
		return v, errors.New("--insecure-dev-view-anywhere needs no token; leave out --dev-view-token and " +
			"COGNATE_DEV_VIEW_TOKEN")
	case v.anywhere:
		return v, nil
	case v.token == "":
		return newView(), nil
	}
	err := devview.CheckToken(v.token)
	if err != nil {
		return v, fmt.Errorf("--dev-view-token can't be used: %w", err)
	}
	return v, nil
}

// A view is who may see the developer's view: who has the token, or whoever asks.
type view struct {
	token    userpool.Secret
	anywhere bool
}

// newView is for who has a new token.
func newView() view { return view{token: devview.NewToken()} }

// of is where a browser opens the view of the pool at base.
func (v view) of(base string) string { return devview.Address(base, v.token) }

// logFlags say what the terminal tells besides.
type logFlags struct {
	LogLevel string `name:"log-level" default:"warn" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"How much the terminal tells: debug, info, warn or error (default ${default})."`
}

// logger logs what happens, from the level on, below what the command says.
func (f *logFlags) logger(term terminal) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.LogLevel)) // it is one of four words
	return slog.New(slog.NewTextHandler(term.err, &slog.HandlerOptions{Level: level, ReplaceAttr: dropTime}))
}

// dropTime leaves out the time: a person is looking.
func dropTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// sender delivers the pools' mail. Nil: nobody does.
func (f *mailFlags) sender() (*mail.Sender, error) {
	if f.SMTP == "" {
		if f.InsecureSMTP {
			return nil, errors.New("--insecure-smtp needs --smtp, the server")
		}
		return nil, nil
	}
	return mail.New(mail.Config{
		Server: f.SMTP, From: f.SMTPFrom, Username: f.SMTPUser, Password: userpool.Secret(f.SMTPPassword),
		InsecurePlaintext: f.InsecureSMTP,
	})
}
