package pool

import (
	"context"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/codes"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
)

// SendCode sends a code to an address of u.
func (p *Pool) SendCode(ctx context.Context, purpose string, u userpool.User, medium, to string) (string, error) {
	return p.accounts.Codes.Send(ctx, codes.Request{Purpose: purpose, User: u, Medium: medium, To: to})
}

// SendDecoy does the work of SendCode and sends nothing.
func (p *Pool) SendDecoy(ctx context.Context, purpose, sub, to string) (string, error) {
	r := codes.Request{
		Purpose: purpose, User: userpool.User{Sub: sub}, Medium: userpool.MediumEmail, To: to, Decoy: true,
	}
	return p.accounts.Codes.Send(ctx, r)
}

// CheckCode matches a code and spends it.
func (p *Pool) CheckCode(ctx context.Context, purpose, sub string, code userpool.Secret) error {
	c, err := p.accounts.Codes.Match(ctx, purpose, sub, code)
	if err != nil {
		return err
	}
	return p.accounts.Codes.Spend(ctx, c)
}

// Triggers calls each trigger but that of tokens, in the order of a life.
func (p *Pool) Triggers(ctx context.Context, c userpool.Client, u userpool.User) error {
	_, err := p.accounts.Triggers.PreSignUp(ctx, c, triggers.SourceSignUp, u, map[string]string{"k": "v"})
	if err != nil {
		return err
	}
	for _, call := range []func() error{
		func() error { return p.accounts.Triggers.PostConfirmation(ctx, c, triggers.SourceConfirmSignUp, u) },
		func() error { return p.accounts.Triggers.PreAuthentication(ctx, c, u) },
		func() error { return p.accounts.Triggers.PostAuthentication(ctx, c, u) },
		func() error {
			return p.accounts.Triggers.CustomMessage(
				ctx, userpool.Client{}, triggers.SourceMessageAdminCreate, u, &triggers.Texts{},
			)
		},
	} {
		err := call()
		if err != nil {
			return err
		}
	}
	return nil
}

// PreSignUp returns the three answers of the trigger.
func (p *Pool) PreSignUp(ctx context.Context, u userpool.User) (confirm, email, phone bool, err error) {
	a, err := p.accounts.Triggers.PreSignUp(ctx, userpool.Client{}, triggers.SourceAdminCreateUser, u, nil)
	return a.AutoConfirm, a.AutoVerifyEmail, a.AutoVerifyPhone, err
}

// PreAuthentication asks the trigger.
func (p *Pool) PreAuthentication(ctx context.Context, u userpool.User) error {
	return p.accounts.Triggers.PreAuthentication(ctx, userpool.Client{ID: "app"}, u)
}

// CustomMessage returns the texts that "subject", "email" and "sms" become.
func (p *Pool) CustomMessage(ctx context.Context) (subject, email, sms string, err error) {
	m := triggers.Texts{EmailSubject: "subject", EmailMessage: "email", SMSMessage: "sms"}
	err = p.accounts.Triggers.CustomMessage(ctx, userpool.Client{}, triggers.SourceMessageSignUp, userpool.User{}, &m)
	return m.EmailSubject, m.EmailMessage, m.SMSMessage, err
}
