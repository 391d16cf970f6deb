package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/codes"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/lockout"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
	"github.com/cognate-auth/cognate/userpool/store"
)

// Registration is how people make an account of their own.
type Registration struct {
	core     *core.Core
	users    *Users
	clients  *Clients
	codes    *codes.Codes
	triggers *triggers.Triggers
}

// SignUpRequest is what a person registers with.
type SignUpRequest struct {
	Client         userpool.Client
	Username       string // or the address that takes its place
	Password       userpool.Secret
	Attributes     map[string]string
	ClientMetadata map[string]string // handed to the trigger
}

// CodeDelivery says where a code went (CodeDeliveryDetailsType).
type CodeDelivery struct {
	Attribute   string // email or phone_number; empty: no code was sent
	Medium      string // MediumEmail or MediumSMS
	Destination string // masked
}

// SignUp registers a user (API reference, SignUp) and sends the code that
// confirms it, if the pool verifies an address that the user has. A refusal is
// an [*userpool.Error]. That a user name is taken shows, as it does at Cognito.
func (a *Registration) SignUp(ctx context.Context, r SignUpRequest) (userpool.User, CodeDelivery, error) {
	u, err := a.signUpUser(r)
	if err != nil {
		return userpool.User{}, CodeDelivery{}, err
	}
	answer, err := a.triggers.PreSignUp(ctx, r.Client, triggers.SourceSignUp, u, r.ClientMetadata)
	if err == nil {
		err = a.users.Rules().applyAnswer(&u, answer)
	}
	if err != nil {
		return userpool.User{}, CodeDelivery{}, err
	}
	u.PasswordHash, err = a.core.Hasher.Hash(ctx, r.Password)
	if err != nil {
		return userpool.User{}, CodeDelivery{}, err
	}
	err = a.core.Records.CreateUser(ctx, u)
	if errors.Is(err, store.ErrExists) {
		return userpool.User{}, CodeDelivery{}, a.nameTaken(ctx, u, r.Username)
	}
	if err != nil {
		return userpool.User{}, CodeDelivery{}, fmt.Errorf("userpool: creating user: %w", err)
	}
	u.Version = 1
	a.core.Audit(ctx, "signed up", core.ClientAttr(r.Client.ID), core.SubAttr(u.Sub))
	if u.Status == userpool.UserConfirmed {
		return u, CodeDelivery{}, a.triggers.PostConfirmation(ctx, r.Client, triggers.SourceConfirmSignUp, u)
	}
	d, err := a.SendConfirmation(ctx, r.Client, u, triggers.SourceMessageSignUp)
	return u, d, err
}

// signUpUser applies every rule that needs neither trigger, hash nor store.
func (a *Registration) signUpUser(r SignUpRequest) (userpool.User, error) {
	if !a.core.Settings().SelfSignUp {
		return userpool.User{}, &userpool.Error{Code: userpool.CodeNotAuthorized, Description: TextNoSignUp}
	}
	err := a.checkWritable(r)
	if err != nil {
		return userpool.User{}, err
	}
	u, err := a.users.Rules().NewUser(
		userpool.NewUser{Username: r.Username, Attributes: r.Attributes, Status: userpool.UserUnconfirmed},
	)
	if err != nil {
		return userpool.User{}, err
	}
	err = a.core.Settings().CheckRequired(u)
	if err != nil {
		return userpool.User{}, err
	}
	return u, a.core.Settings().Passwords.Check(r.Password)
}

// checkWritable refuses attributes that an app may not set: what it has no
// WriteAttributes for, and what only a code or an administrator can say.
func (a *Registration) checkWritable(r SignUpRequest) error {
	for name, value := range r.Attributes {
		switch {
		case value == "":
		case !r.Client.CanWrite(name):
			return &userpool.Error{Code: userpool.CodeNotAuthorized, Description: TextUnauthorized}
		case name == "preferred_username" && slices.Contains(a.core.Settings().AliasAttributes, name):
			return userpool.InvalidParameter(TextNotAtSignUp)
		}
	}
	return nil
}

// applyAnswer does what the pre-sign-up trigger said.
func (r Rules) applyAnswer(u *userpool.User, answer triggers.PreSignUpAnswer) error {
	if answer.AutoConfirm {
		u.Status = userpool.UserConfirmed
	}
	for name, yes := range map[string]bool{"email": answer.AutoVerifyEmail, "phone_number": answer.AutoVerifyPhone} {
		if yes && u.Attributes[name] == "" {
			return userpool.InvalidParameter("the trigger verified the attribute " + name +
				", which the user does not have")
		}
		if yes {
			u.Attributes[name+"_verified"] = "true"
		}
	}
	return r.SetNames(u)
}

// nameTaken words that one of u's names is somebody else's. typed is the one that
// was given as the user name.
func (a *Registration) nameTaken(ctx context.Context, u userpool.User, typed string) error {
	_, taken, err := a.users.Find(ctx, typed)
	switch {
	case err != nil:
		return err
	case !taken && !a.users.names.replaced():
		return a.users.aliasTaken(ctx, u)
	case !a.users.names.replaced():
		return &userpool.Error{Code: userpool.CodeUsernameExists, Description: TextUserExists}
	case strings.HasPrefix(naming.Fold(typed), "+"):
		return &userpool.Error{Code: userpool.CodeUsernameExists, Description: TextPhoneExists}
	default:
		return &userpool.Error{Code: userpool.CodeUsernameExists, Description: TextEmailExists}
	}
}

// signUpAddress is where the code that confirms u goes: by SMS if it can (page
// "signing-up-users-in-your-app"). Empty: nowhere.
func (a *Registration) signUpAddress(u userpool.User) (attribute string) {
	for _, name := range []string{"phone_number", "email"} {
		if slices.Contains(a.core.Settings().AutoVerifiedAttributes, name) && u.Attributes[name] != "" {
			return name
		}
	}
	return ""
}

// SendConfirmation sends the code that confirms u, if there is an address for it.
func (a *Registration) SendConfirmation(
	ctx context.Context, c userpool.Client, u userpool.User, source string,
) (CodeDelivery, error) {
	d := CodeDelivery{Attribute: a.signUpAddress(u)}
	if d.Attribute == "" {
		return d, nil
	}
	d.Medium = userpool.MediumFor(d.Attribute)
	var err error
	d.Destination, err = a.codes.Send(ctx, codes.Request{
		Purpose: userpool.PurposeSignUp, Client: c, User: u, Medium: d.Medium, To: u.Attributes[d.Attribute],
		Source: source,
	})
	return d, err
}

// ConfirmSignUp confirms a user by the code that was sent (API reference,
// ConfirmSignUp). Unless the client reveals who exists, a name that nobody has
// gets the answers of one that somebody has.
func (a *Registration) ConfirmSignUp(
	ctx context.Context, c userpool.Client, username string, code userpool.Secret,
) (userpool.User, error) {
	u, decoy, err := a.users.userOrDecoy(ctx, username)
	switch {
	case err != nil:
		return userpool.User{}, err
	case u.Sub == "" && c.RevealUserExistence:
		return userpool.User{}, &userpool.Error{Code: userpool.CodeUserNotFound, Description: TextNoSuchCombination}
	case u.Status != userpool.UserUnconfirmed && c.RevealUserExistence:
		return userpool.User{}, cannotConfirm(u)
	case !c.RevealUserExistence && a.checkWaiting(u) != nil:
		u = decoy
	}
	u, _, err = a.Confirm(ctx, c, u.Sub, code)
	return u, err
}

// Confirm checks and spends the code of a sign-up, and verifies the address that
// it went to. An alias that is somebody else's by now is AliasExistsException;
// then the code is not spent.
func (a *Registration) Confirm(
	ctx context.Context, c userpool.Client, sub string, code userpool.Secret,
) (userpool.User, records.OneTimeCode, error) {
	sent, err := a.codes.Match(ctx, userpool.PurposeSignUp, sub, code)
	if err != nil {
		return userpool.User{}, sent, err
	}
	u, err := a.users.spendOn(ctx, sent, func(u *userpool.User) error {
		if u.Status != userpool.UserUnconfirmed || u.Disabled {
			return codes.ErrExpired
		}
		u.Status = userpool.UserConfirmed
		name := userpool.AddressOf(userpool.FactorFor(sent.Medium))
		if u.Attributes[name] != sent.To { // it changed since
			return a.users.Rules().SetNames(u)
		}
		return a.users.Rules().VerifyAddress(u, name)
	})
	if err != nil {
		return userpool.User{}, sent, err
	}
	a.core.Audit(ctx, "user confirmed", core.ClientAttr(c.ID), core.SubAttr(u.Sub))
	return u, sent, a.triggers.PostConfirmation(ctx, c, triggers.SourceConfirmSignUp, u)
}

// ConfirmLink is what the link of a mail does: it names the client, the user and
// the code, and confirms the user. It signs nobody in. Using it again, while the
// code would still be good, is no error: a program that looked at the link may
// have been first. A client that is unknown is a [*userpool.PageError]; every other
// refusal is an [*userpool.Error], and all are alike.
func (a *Registration) ConfirmLink(
	ctx context.Context, clientID, username string, code userpool.Secret,
) (userpool.Client, error) {
	if len(clientID) > 128 {
		clientID = ""
	}
	c, ok, err := a.clients.Get(ctx, clientID)
	if err != nil {
		return userpool.Client{}, err
	}
	if !ok {
		return userpool.Client{}, &userpool.PageError{
			Code: userpool.PageUnknownClient, ClientID: clientID, Hint: "the link names no client",
		}
	}
	u, err := a.users.ByName(ctx, username)
	if errors.Is(err, ErrNoSuchUser) {
		u, err = a.users.decoys.User(ctx, username)
	}
	if err != nil {
		return c, err
	}
	_, _, err = a.Confirm(ctx, c, u.Sub, code)
	if errors.Is(err, codes.ErrSpent) {
		return c, nil
	}
	if errors.Is(err, codes.ErrMismatch) || errors.Is(err, lockout.ErrLimitExceeded) {
		err = codes.ErrExpired // otherwise it would show who waits for a code
	}
	return c, err
}

// ResendConfirmation sends the code of a sign-up again (API reference,
// ResendConfirmationCode). Unless the client reveals who exists, a name that
// nobody waits to confirm gets the answer of one that somebody does.
func (a *Registration) ResendConfirmation(
	ctx context.Context, c userpool.Client, username string,
) (CodeDelivery, error) {
	if len(a.core.Settings().AutoVerifiedAttributes) == 0 {
		return CodeDelivery{}, userpool.InvalidParameter(TextNoAutoVerify)
	}
	u, decoy, err := a.users.userOrDecoy(ctx, username)
	if err != nil {
		return CodeDelivery{}, err
	}
	why := a.checkWaiting(u)
	switch {
	case why == nil:
		return a.SendConfirmation(ctx, c, u, triggers.SourceMessageResend)
	case c.RevealUserExistence:
		return CodeDelivery{}, why
	default:
		return pretend(ctx, a.codes, c, userpool.PurposeSignUp, decoy, a.core.Settings().AutoVerifiedAttributes[0], why)
	}
}

// checkWaiting says why a user does not wait for the code of a sign-up.
func (a *Registration) checkWaiting(u userpool.User) error {
	switch {
	case u.Sub == "":
		return &userpool.Error{Code: userpool.CodeUserNotFound, Description: TextNoSuchCombination}
	case u.Disabled:
		return &userpool.Error{Code: userpool.CodeNotAuthorized, Description: TextDisabled}
	case u.Status != userpool.UserUnconfirmed:
		return userpool.InvalidParameter(TextResendConfirmed)
	case a.signUpAddress(u) == "":
		return userpool.InvalidParameter(TextNoAutoVerify)
	default:
		return nil
	}
}

// pretend does what sending a code does, and sends none; why is for the log.
func pretend(
	ctx context.Context, cs *codes.Codes, c userpool.Client, purpose string, decoy userpool.User, attribute string,
	why error,
) (CodeDelivery, error) {
	r := codes.Request{
		Purpose: purpose, Client: c, User: decoy, Medium: userpool.MediumFor(attribute),
		To:    decoy.Attributes[attribute],
		Decoy: true, Why: why.Error(),
	}
	hint, err := cs.Send(ctx, r)
	return CodeDelivery{Attribute: attribute, Medium: r.Medium, Destination: hint}, err
}
