package main

import (
	"errors"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cmd/cognate/internal/mail"
	"github.com/cognate-auth/cognate/userpool"
)

// mailFlags say where mail goes besides the outbox.
type mailFlags struct {
	SMTP         string         `name:"smtp" placeholder:"HOST:PORT" help:"SMTP server that gets the mail as well; without it mail stays in the outbox."`
	SMTPFrom     string         `name:"smtp-from" default:"no-reply@localhost.localdomain" placeholder:"ADDRESS" help:"Sender of the mail (default ${default})."`
	SMTPUser     string         `name:"smtp-user" placeholder:"NAME" env:"COGNATE_SMTP_USER" help:"User name at the SMTP server."`
	SMTPPassword cognate.Secret `name:"smtp-password" placeholder:"PASSWORD" env:"COGNATE_SMTP_PASSWORD" help:"Password at the SMTP server; better in the environment, as COGNATE_SMTP_PASSWORD."`

	InsecureSMTP bool `name:"insecure-smtp" help:"Send mail without TLS to another machine."`

	InsecureDevViewAnywhere bool `name:"insecure-dev-view-anywhere" help:"Show /_cognate/, with every code and link, to whoever asks."`
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
