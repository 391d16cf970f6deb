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

// mailFlags say where mail is sent in addition to the outbox.
type mailFlags struct {
	SMTP         string         `name:"smtp" placeholder:"HOST:PORT" help:"SMTP server that also gets the mail; without it mail is only in the outbox."`
	SMTPFrom     string         `name:"smtp-from" default:"no-reply@localhost.localdomain" placeholder:"ADDRESS" help:"Sender of the mail (default ${default})."`
	SMTPUser     string         `name:"smtp-user" placeholder:"NAME" env:"COGNATE_SMTP_USER" help:"User name at the SMTP server."`
	SMTPPassword cognate.Secret `name:"smtp-password" placeholder:"PASSWORD" env:"COGNATE_SMTP_PASSWORD" help:"Password at the SMTP server; better in the environment, as COGNATE_SMTP_PASSWORD."`

	InsecureSMTP bool `name:"insecure-smtp" help:"Send mail without TLS to another machine."`
}

// devViewFlags say who may see the developer's view.
type devViewFlags struct {
	DevViewToken cognate.Secret `name:"dev-view-token" placeholder:"TOKEN" env:"COGNATE_DEV_VIEW_TOKEN" help:"Token that lets a browser see /_cognate/ (a new one at each start)."`

	InsecureDevViewAnywhere bool `name:"insecure-dev-view-anywhere" help:"Show /_cognate/, with every code and link, to everybody, without a token."`
}

// view returns who may see the developer's view until the program ends.
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

// A view says who may see the developer's view: browsers with the token, or everybody.
type view struct {
	token    userpool.Secret
	anywhere bool
}

// newView returns a view that is protected by a new token.
func newView() view { return view{token: devview.NewToken()} }

// url returns the address at which a browser opens the view of the pool at base.
func (v view) url(base string) string { return devview.Address(base, v.token) }

// logFlags say how much is logged to the terminal.
type logFlags struct {
	LogLevel string `name:"log-level" default:"warn" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Level from which on events are logged: debug, info, warn or error (default ${default})."`
}

// logger returns a logger that writes records of the level and above to the terminal.
func (f *logFlags) logger(term terminal) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.LogLevel)) // it is one of four words
	return slog.New(slog.NewTextHandler(term.err, &slog.HandlerOptions{Level: level, ReplaceAttr: dropTime}))
}

// dropTime removes the time, which a person at the terminal does not need.
func dropTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// sender returns the sender of the pools' mail, or nil if mail stays in the outbox.
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
