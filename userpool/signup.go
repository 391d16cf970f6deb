package userpool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// codeStepLifetime is how long a person has for the page that a code is typed
// into (developer guide, page "authentication": 8 minutes). The code lasts longer.
const codeStepLifetime = 8 * time.Minute

// SignUpRequest is what a person registers with.
type SignUpRequest struct {
	Client         Client
	Username       string // or the address that takes its place
	Password       Secret
	Attributes     map[string]string
	ClientMetadata map[string]string // handed to the trigger
}

// CodeDelivery says where a code went (CodeDeliveryDetailsType).
type CodeDelivery struct {
	Attribute   string // email or phone_number; empty: no code was sent
	Medium      string // MediumEmail or MediumSMS
	Destination string // masked
}

// SignUpAttributes returns the attributes that the sign-up page asks for beside
// name and password: the required ones, and the address that the code goes to.
func (s *Settings) SignUpAttributes() []string {
	asked := s.required()
	reachable := slices.ContainsFunc(s.AutoVerifiedAttributes, func(name string) bool {
		return slices.Contains(asked, name) || slices.Contains(s.UsernameAttributes, name)
	})
	if !reachable && len(s.AutoVerifiedAttributes) > 0 {
		asked = append(asked, s.AutoVerifiedAttributes[0])
	}
	return slices.DeleteFunc(asked, func(name string) bool {
		onlyName := len(s.UsernameAttributes) == 1 && s.UsernameAttributes[0] == name
		return onlyName || name == "preferred_username" && slices.Contains(s.AliasAttributes, name)
	})
}

// SignUp registers a user (API reference, SignUp) and sends the code that
// confirms it, if the pool verifies an address that the user has. A refusal is
// an [*Error]. That a user name is taken shows, as it does at Cognito.
func (p *Pool) SignUp(ctx context.Context, r SignUpRequest) (User, CodeDelivery, error) {
	u, err := p.signUpUser(r)
	if err != nil {
		return User{}, CodeDelivery{}, err
	}
	answer, err := p.preSignUp(ctx, r.Client, sourceSignUp, u, r.ClientMetadata)
	if err == nil {
		err = p.rules().applyAnswer(&u, answer)
	}
	if err != nil {
		return User{}, CodeDelivery{}, err
	}
	u.PasswordHash, err = p.hasher.hash(ctx, r.Password)
	if err != nil {
		return User{}, CodeDelivery{}, err
	}
	err = p.store.CreateUser(ctx, u)
	if errors.Is(err, store.ErrExists) {
		return User{}, CodeDelivery{}, p.nameTaken(ctx, u, r.Username)
	}
	if err != nil {
		return User{}, CodeDelivery{}, fmt.Errorf("userpool: creating user: %w", err)
	}
	u.Version = 1
	p.audit(ctx, "signed up", clientAttr(r.Client.ID), subAttr(u.Sub))
	if u.Status == UserConfirmed {
		return u, CodeDelivery{}, p.postConfirmation(ctx, r.Client, sourceConfirmSignUp, u)
	}
	d, err := p.sendConfirmation(ctx, r.Client, u, sourceMessageSignUp)
	return u, d, err
}

// signUpUser applies every rule that needs neither trigger, hash nor store.
func (p *Pool) signUpUser(r SignUpRequest) (User, error) {
	if !p.Settings().SelfSignUp {
		return User{}, &Error{Code: CodeNotAuthorized, Description: TextNoSignUp}
	}
	err := p.checkWritable(r)
	if err != nil {
		return User{}, err
	}
	u, err := p.rules().newUser(NewUser{Username: r.Username, Attributes: r.Attributes, Status: UserUnconfirmed})
	if err != nil {
		return User{}, err
	}
	err = p.Settings().checkRequired(u)
	if err != nil {
		return User{}, err
	}
	return u, p.Settings().Passwords.Check(r.Password)
}

// checkWritable refuses attributes that an app may not set: what it has no
// WriteAttributes for, and what only a code or an administrator can say.
func (p *Pool) checkWritable(r SignUpRequest) error {
	for name, value := range r.Attributes {
		switch {
		case value == "":
		case !r.Client.CanWrite(name):
			return &Error{Code: CodeNotAuthorized, Description: TextUnauthorized}
		case name == "preferred_username" && slices.Contains(p.Settings().AliasAttributes, name):
			return invalid(TextNotAtSignUp)
		}
	}
	return nil
}

// checkRequired names the attributes that are missing, as Cognito does.
func (s *Settings) checkRequired(u User) error {
	var missing []string
	for _, name := range s.required() {
		if u.Attributes[name] != "" || name == "preferred_username" && slices.Contains(s.AliasAttributes, name) {
			continue
		}
		if name == "name" {
			name = "name.formatted"
		}
		missing = append(missing, name+": The attribute is required")
	}
	if len(missing) == 0 {
		return nil
	}
	return invalid("Attributes did not conform to the schema: " + strings.Join(missing, "\n"))
}

// applyAnswer does what the pre-sign-up trigger said.
func (r rules) applyAnswer(u *User, answer preSignUpAnswer) error {
	if answer.AutoConfirm {
		u.Status = UserConfirmed
	}
	for name, yes := range map[string]bool{"email": answer.AutoVerifyEmail, "phone_number": answer.AutoVerifyPhone} {
		if yes && u.Attributes[name] == "" {
			return invalid("the trigger verified the attribute " + name + ", which the user does not have")
		}
		if yes {
			u.Attributes[name+"_verified"] = "true"
		}
	}
	return r.setUserNames(u)
}

// nameTaken words that one of u's names is somebody else's. typed is the one that
// was given as the user name.
func (p *Pool) nameTaken(ctx context.Context, u User, typed string) error {
	_, taken, err := p.FindUser(ctx, typed)
	switch {
	case err != nil:
		return err
	case !taken && !p.usernames.replaced():
		return p.aliasTaken(ctx, u)
	case !p.usernames.replaced():
		return &Error{Code: CodeUsernameExists, Description: TextUserExists}
	case strings.HasPrefix(foldLogin(typed), "+"):
		return &Error{Code: CodeUsernameExists, Description: TextPhoneExists}
	default:
		return &Error{Code: CodeUsernameExists, Description: TextEmailExists}
	}
}

// signUpAddress is where the code that confirms u goes: by SMS if it can (page
// "signing-up-users-in-your-app"). Empty: nowhere.
func (p *Pool) signUpAddress(u User) (attribute string) {
	for _, name := range []string{"phone_number", "email"} {
		if slices.Contains(p.Settings().AutoVerifiedAttributes, name) && u.Attributes[name] != "" {
			return name
		}
	}
	return ""
}

// sendConfirmation sends the code that confirms u, if there is an address for it.
func (p *Pool) sendConfirmation(ctx context.Context, c Client, u User, source string) (CodeDelivery, error) {
	d := CodeDelivery{Attribute: p.signUpAddress(u)}
	if d.Attribute == "" {
		return d, nil
	}
	d.Medium = mediumFor(d.Attribute)
	var err error
	d.Destination, err = p.sendCode(ctx, codeRequest{
		Purpose: PurposeSignUp, Client: c, User: u, Medium: d.Medium, To: u.Attributes[d.Attribute], Source: source,
	})
	return d, err
}

func mediumFor(attribute string) string {
	if attribute == "phone_number" {
		return MediumSMS
	}
	return MediumEmail
}

// ConfirmSignUp confirms a user by the code that was sent (API reference,
// ConfirmSignUp). Unless the client reveals who exists, a name that nobody has
// gets the answers of one that somebody has.
func (p *Pool) ConfirmSignUp(ctx context.Context, c Client, username string, code Secret) (User, error) {
	u, decoy, err := p.userOrDecoy(ctx, username)
	switch {
	case err != nil:
		return User{}, err
	case u.Sub == "" && c.RevealUserExistence:
		return User{}, &Error{Code: CodeUserNotFound, Description: TextNoSuchCombination}
	case u.Status != UserUnconfirmed && c.RevealUserExistence:
		return User{}, cannotConfirm(u)
	case !c.RevealUserExistence && p.checkWaiting(u) != nil:
		u = decoy
	}
	u, _, err = p.confirm(ctx, c, u.Sub, code)
	return u, err
}

// confirm checks and spends the code of a sign-up, and verifies the address that
// it went to. An alias that is somebody else's by now is AliasExistsException;
// then the code is not spent.
func (p *Pool) confirm(ctx context.Context, c Client, sub string, code Secret) (User, oneTimeCode, error) {
	sent, err := p.matchCode(ctx, PurposeSignUp, sub, code)
	if err != nil {
		return User{}, sent, err
	}
	u, err := p.spendOn(ctx, sent, func(u *User) error {
		if u.Status != UserUnconfirmed || u.Disabled {
			return errCodeExpired
		}
		u.Status = UserConfirmed
		name := addressOf(factorFor(sent.Medium))
		if u.Attributes[name] != sent.To { // it changed since
			return p.rules().setUserNames(u)
		}
		return p.rules().verifyAddress(u, name)
	})
	if err != nil {
		return User{}, sent, err
	}
	p.audit(ctx, "user confirmed", clientAttr(c.ID), subAttr(u.Sub))
	return u, sent, p.postConfirmation(ctx, c, sourceConfirmSignUp, u)
}

// ConfirmLink is what the link of a mail does: it names the client, the user and
// the code, and confirms the user. It signs nobody in. Using it again, while the
// code would still be good, is no error: a program that looked at the link may
// have been first. A client that is unknown is a [*PageError]; every other
// refusal is an [*Error], and all are alike.
func (p *Pool) ConfirmLink(ctx context.Context, clientID, username string, code Secret) (Client, error) {
	if len(clientID) > 128 {
		clientID = ""
	}
	c, ok, err := p.Client(ctx, clientID)
	if err != nil {
		return Client{}, err
	}
	if !ok {
		return Client{}, &PageError{Code: PageUnknownClient, ClientID: clientID, Mend: "the link names no client"}
	}
	u, err := p.named(ctx, username)
	if errors.Is(err, errNoSuchUser) {
		u, err = p.decoyUser(ctx, username)
	}
	if err != nil {
		return c, err
	}
	_, _, err = p.confirm(ctx, c, u.Sub, code)
	if errors.Is(err, errCodeSpent) {
		return c, nil
	}
	if errors.Is(err, errCodeMismatch) || errors.Is(err, errLimitExceeded) {
		err = errCodeExpired // otherwise it would show who waits for a code
	}
	return c, err
}

// ResendConfirmation sends the code of a sign-up again (API reference,
// ResendConfirmationCode). Unless the client reveals who exists, a name that
// nobody waits to confirm gets the answer of one that somebody does.
func (p *Pool) ResendConfirmation(ctx context.Context, c Client, username string) (CodeDelivery, error) {
	if len(p.Settings().AutoVerifiedAttributes) == 0 {
		return CodeDelivery{}, invalid(TextNoAutoVerify)
	}
	u, decoy, err := p.userOrDecoy(ctx, username)
	if err != nil {
		return CodeDelivery{}, err
	}
	why := p.checkWaiting(u)
	switch {
	case why == nil:
		return p.sendConfirmation(ctx, c, u, sourceMessageResend)
	case c.RevealUserExistence:
		return CodeDelivery{}, why
	default:
		return p.pretend(ctx, c, PurposeSignUp, decoy, p.Settings().AutoVerifiedAttributes[0], why)
	}
}

// checkWaiting says why a user does not wait for the code of a sign-up.
func (p *Pool) checkWaiting(u User) error {
	switch {
	case u.Sub == "":
		return &Error{Code: CodeUserNotFound, Description: TextNoSuchCombination}
	case u.Disabled:
		return &Error{Code: CodeNotAuthorized, Description: TextDisabled}
	case u.Status != UserUnconfirmed:
		return invalid(TextResendConfirmed)
	case p.signUpAddress(u) == "":
		return invalid(TextNoAutoVerify)
	default:
		return nil
	}
}

// SignUpStep is the sign-up page. The next step is the code or, if the trigger
// confirmed the user, whatever comes after the password. In a pool that verifies
// nothing, the user exists now and cannot be confirmed here: that is a
// [*PageError], as at Cognito.
func (p *Pool) SignUpStep(ctx context.Context, req Request, f *Flow, r SignUpRequest) error {
	if !p.Settings().SelfSignUp {
		return &PageError{Code: PageNoSignUp, ClientID: req.Client.ID, Mend: "set Settings.SelfSignUp, or leave /signup out"}
	}
	r.Client = req.Client
	u, d, err := p.SignUp(ctx, r)
	switch {
	case u.Sub == "":
		return err
	case u.Status == UserConfirmed && err != nil:
		return signInAgain(f, err)
	case u.Status == UserConfirmed:
		return p.signedUp(ctx, req, f, u, methodPassword)
	case err == nil && d.Attribute == "":
		return cannotBeConfirmed(req)
	}
	f.Username, f.Methods = r.Username, []string{methodPassword} // he has just chosen it
	return toConfirm(f, u, d, p.now(), err)
}

func cannotBeConfirmed(req Request) error {
	return &PageError{Code: PageCannotConfirm, ClientID: req.Client.ID,
		Mend: "the user waits for AdminConfirmSignUp: no code can be sent unless AutoVerifiedAttributes names an " +
			"address that the user has"}
}

// toConfirm moves the flow to the page for the code, also when it could not be
// sent: one that was sent before may be good, and the page sends another.
func toConfirm(f *Flow, u User, d CodeDelivery, now time.Time, failure error) error {
	refusal, refused := errors.AsType[*Error](failure)
	if failure != nil && !refused {
		return failure
	}
	f.Sub, f.Named, f.Step = u.Sub, true, StepConfirm
	awaitCode(f, d, now)
	if refused {
		f.Notice, f.Failed, f.Hint = refusal.Description, true, Mask(u.Attributes[d.Attribute])
	}
	return nil
}

// awaitCode gives the person the time that it takes to type a code which was sent.
func awaitCode(f *Flow, d CodeDelivery, now time.Time) {
	f.Factor, f.Hint, f.Expires = factorFor(d.Medium), d.Destination, now.Add(codeStepLifetime)
}

func factorFor(medium string) string {
	if medium == MediumSMS {
		return FactorSMS
	}
	return FactorEmail
}

// unconfirmed is what a sign-in leads to when the user is not confirmed: a new
// code, and the page for it. What was proven stays proven.
func (p *Pool) unconfirmed(ctx context.Context, req Request, f *Flow, u User) error {
	d, err := p.sendConfirmation(ctx, req.Client, u, sourceMessageResend)
	if err == nil && d.Attribute == "" {
		return errNotConfirmed
	}
	return toConfirm(f, u, d, p.now(), err)
}

// ByLink reports whether the flow waits for a link to be followed, instead of a
// code to be typed.
func (s *Settings) ByLink(f *Flow) bool {
	return f.Step == StepConfirm && f.Factor == FactorEmail && s.ConfirmByLink
}

// ConfirmStep is the page for the code of a sign-up. The password was proven in
// this flow, when the user was made or signed in, so the person is signed in.
// Where a link confirms, the page goes on once it was followed.
func (p *Pool) ConfirmStep(ctx context.Context, req Request, f *Flow, code Secret) error {
	if p.Settings().ByLink(f) {
		return p.confirmedByLink(ctx, req, f)
	}
	u, sent, err := p.confirm(ctx, req.Client, f.Sub, plainCode(code))
	switch {
	case err != nil && u.Sub == "":
		return err
	case err != nil:
		return signInAgain(f, err)
	}
	return p.signedUp(ctx, req, f, u, codeMethods(p.Settings(), sent)...)
}

func (p *Pool) confirmedByLink(ctx context.Context, req Request, f *Flow) error {
	u, err := p.signingUp(ctx, f)
	switch {
	case err != nil:
		return err
	case u.Status != UserConfirmed:
		return &Error{Code: CodeUserNotConfirmed, Description: TextFollowLink}
	}
	return p.signedUp(ctx, req, f, u)
}

// signingUp returns the user whose code the flow waits for.
func (p *Pool) signingUp(ctx context.Context, f *Flow) (User, error) {
	u, err := p.user(ctx, f.Sub)
	if errors.Is(err, errGone) {
		return User{}, errCodeExpired
	}
	return u, err
}

// codeMethods are what the code has shown. It counts as the second factor of this
// sign-in, if its medium is one (page "user-pool-settings-mfa").
func codeMethods(s *Settings, c oneTimeCode) []string {
	factor := factorFor(c.Medium)
	if !slices.Contains(s.MFATypes, factor) {
		return nil
	}
	return []string{methodOf(factor), methodMFA}
}

// signInAgain is for a flow whose work is done and whose end failed: the trigger
// refused after the user was confirmed. Nothing is proven then.
func signInAgain(f *Flow, err error) error {
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	toSignIn(f, refusal.Description, true)
	return nil
}

// toSignIn goes back to the sign-in page, where all has to be proven anew.
func toSignIn(f *Flow, notice string, failed bool) {
	f.Step, f.Sub, f.Named, f.Methods, f.Factor, f.Hint = StepSignIn, "", false, nil, "", ""
	f.Notice, f.Failed = notice, failed
}

// signedUp hands the flow on, with what was proven before and the methods. The
// user is confirmed, whatever comes of it. Where people have passkeys they may
// add one at once (page "cognito-user-pools-managed-login").
func (p *Pool) signedUp(ctx context.Context, req Request, f *Flow, u User, methods ...string) error {
	if req.Client.ChoosesFactor() && p.OffersPasskeys() {
		f.After = StepAddPasskey
	}
	err := p.proved(ctx, req, f, u, methods...)
	if err != nil {
		return signInAgain(f, err)
	}
	return nil
}

// ResendConfirmStep sends another code, or link, to who is at the page for it.
func (p *Pool) ResendConfirmStep(ctx context.Context, req Request, f *Flow) error {
	u, err := p.signingUp(ctx, f)
	switch {
	case err != nil:
		return err
	case u.Status != UserUnconfirmed:
		return invalid(TextResendConfirmed)
	}
	d, err := p.sendConfirmation(ctx, req.Client, u, sourceMessageResend)
	if err != nil {
		return err
	}
	if d.Attribute == "" {
		return cannotBeConfirmed(req)
	}
	awaitCode(f, d, p.now())
	f.Notice = TextNewCode
	if p.Settings().ByLink(f) {
		f.Notice = TextNewLink
	}
	return nil
}
