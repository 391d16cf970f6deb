package userpool

import "context"

// Triggers calls each trigger but that of tokens, in the order of a life.
func (p *Pool) Triggers(ctx context.Context, c Client, u User) error {
	_, err := p.preSignUp(ctx, c, sourceSignUp, u, map[string]string{"k": "v"})
	if err != nil {
		return err
	}
	for _, call := range []func() error{
		func() error { return p.postConfirmation(ctx, c, sourceConfirmSignUp, u) },
		func() error { return p.preAuthentication(ctx, c, u) },
		func() error { return p.postAuthentication(ctx, c, u) },
		func() error { return p.customMessage(ctx, Client{}, sourceMessageAdminCreate, u, &messageTexts{}) },
	} {
		err := call()
		if err != nil {
			return err
		}
	}
	return nil
}

// PreSignUp returns the three answers of the trigger.
func (p *Pool) PreSignUp(ctx context.Context, u User) (confirm, email, phone bool, err error) {
	a, err := p.preSignUp(ctx, Client{}, sourceAdminCreateUser, u, nil)
	return a.AutoConfirm, a.AutoVerifyEmail, a.AutoVerifyPhone, err
}

// PreAuthentication asks the trigger.
func (p *Pool) PreAuthentication(ctx context.Context, u User) error {
	return p.preAuthentication(ctx, Client{ID: "app"}, u)
}

// CustomMessage returns the texts that "subject", "email" and "sms" become.
func (p *Pool) CustomMessage(ctx context.Context) (subject, email, sms string, err error) {
	m := messageTexts{EmailSubject: "subject", EmailMessage: "email", SMSMessage: "sms"}
	err = p.customMessage(ctx, Client{}, sourceMessageSignUp, User{}, &m)
	return m.EmailSubject, m.EmailMessage, m.SMSMessage, err
}

// ApplyPreToken applies what a pre token generation trigger answered to the
// claims of two tokens, which it changes.
func ApplyPreToken(event []byte, first bool, id, access map[string]any) error {
	var answer preTokenAnswer
	err := readAnswer(event, &answer)
	if err == nil {
		_, err = answer.apply(tokenClaims{id: id, access: access, scopes: []string{"openid"}}, first)
	}
	return err
}
