package main

import (
	"errors"
	"log/slog"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cmd/cognate/internal/mail"
	"github.com/cognate-auth/cognate/internal/localpool"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
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

	OneClickSignIn bool `name:"one-click-sign-in" help:"List the users on the sign-in page of a browser that has opened /_cognate/: one click signs in, without a password."`

	InsecureDevViewAnywhere bool `name:"insecure-dev-view-anywhere" help:"Show /_cognate/, with every code and link, to everybody, without a token."`
}

// view returns who may see the developer's view until the program ends. A pool that other
// machines can connect to has none, unless somebody asked for it: a token of its own, printed
// on a terminal or in an engine's log, would be all that guards every code.
func (f *devViewFlags) view(open bool) (localpool.View, error) {
	if open && f.DevViewToken == "" && !f.InsecureDevViewAnywhere {
		if f.OneClickSignIn {
			return localpool.View{}, errors.New("--one-click-sign-in needs the developer's view, which is off " +
				"where other machines can connect; choose a token with COGNATE_DEV_VIEW_TOKEN")
		}
		return localpool.View{Off: true}, nil
	}
	v, err := localpool.NewView(userpool.Secret(f.DevViewToken), f.InsecureDevViewAnywhere)
	v.OneClick = f.OneClickSignIn
	return v, err
}

// logFlags say how much is logged to the terminal.
type logFlags struct {
	LogLevel string `name:"log-level" default:"warn" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Level from which on events are logged: debug, info, warn or error (default ${default})."`
}

// logger returns a logger that writes records of the level and above to the terminal.
func (f *logFlags) logger(term terminal.Streams) *slog.Logger {
	return terminal.Logger(term.Err, f.level())
}

func (f *logFlags) level() slog.Level {
	level, _ := terminal.ParseLevel(f.LogLevel) // the command line has been checked: it is one of four words
	return level
}

// sender returns the sender of the pools' mail, or nil if mail stays in the outbox.
func (f *mailFlags) sender() (*mail.Sender, error) {
	if f.SMTP == "" {
		if f.InsecureSMTP {
			return nil, errors.New("--insecure-smtp needs --smtp, the server")
		}
		return nil, nil
	}
	sender, err := mail.New(mail.Config{
		Server: f.SMTP, From: f.SMTPFrom, Username: f.SMTPUser, Password: userpool.Secret(f.SMTPPassword),
		InsecurePlaintext: f.InsecureSMTP,
	})
	if err != nil {
		return nil, reword(err, "mail: ", "--smtp: ")
	}
	return sender, nil
}
