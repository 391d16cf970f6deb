// Package triggers calls the triggers of a pool: it writes their events as Cognito's
// Lambda triggers get them, and reads the answers. How an event travels, the program
// says (core.Invoke).
//
// It knows the words (userpool), core, decision and text.
package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"unicode"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// What a trigger is called for (triggerSource).
const (
	SourceSignUp             = "PreSignUp_SignUp"
	SourceAdminCreateUser    = "PreSignUp_AdminCreateUser"
	SourceExternalProvider   = "PreSignUp_ExternalProvider"
	SourceConfirmSignUp      = "PostConfirmation_ConfirmSignUp"
	SourceConfirmForgot      = "PostConfirmation_ConfirmForgotPassword"
	sourcePreAuthentication  = "PreAuthentication_Authentication"
	sourcePostAuthentication = "PostAuthentication_Authentication"
	SourceMessageSignUp      = "CustomMessage_SignUp"
	SourceMessageAdminCreate = "CustomMessage_AdminCreateUser"
	SourceMessageResend      = "CustomMessage_ResendCode"
	SourceMessageForgot      = "CustomMessage_ForgotPassword"
	sourceMessageUpdate      = "CustomMessage_UpdateUserAttribute"
	SourceMessageVerify      = "CustomMessage_VerifyUserAttribute"
	SourceMessageSignIn      = "CustomMessage_Authentication"
	SourceTokensHosted       = "TokenGeneration_HostedAuth"
	SourceTokensRefresh      = "TokenGeneration_RefreshTokens"
	SourceTokensForMachine   = "TokenGeneration_ClientCredentials"
)

// Limits of what a trigger says: of a refusal, in bytes, and of the texts of a
// message, in characters (page "user-pool-lambda-custom-message").
const (
	maxTriggerText  = 512
	maxSubject      = 140
	maxEmailMessage = 20_000
	maxSMSMessage   = 140
)

// Triggers calls the triggers of one pool.
type Triggers struct{ core *core.Core }

// New returns the triggers of a pool.
func New(c *core.Core) *Triggers { return &Triggers{core: c} }

// Event is what all events have in common (developer guide, page
// "cognito-user-identity-pools-working-with-aws-lambda-triggers").
type Event struct {
	Version       string `json:"version"`
	TriggerSource string `json:"triggerSource"`
	Region        string `json:"region"`
	UserPoolID    string `json:"userPoolId"`
	UserName      string `json:"userName,omitempty"` // a machine has none
	CallerContext caller `json:"callerContext"`
	Request       any    `json:"request"`
	Response      any    `json:"response"`
}

type caller struct {
	AWSSDKVersion string `json:"awsSdkVersion"`
	ClientID      string `json:"clientId"`
}

// eventRequest is the request of every event but that of TriggerPreToken.
// Which members there are depends on the trigger.
type eventRequest struct {
	UserAttributes    map[string]string  `json:"userAttributes"`
	ValidationData    *map[string]string `json:"validationData,omitempty"`
	ClientMetadata    map[string]string  `json:"clientMetadata,omitempty"`
	UserNotFound      bool               `json:"userNotFound,omitempty"`
	NewDeviceUsed     *bool              `json:"newDeviceUsed,omitempty"`
	CodeParameter     string             `json:"codeParameter,omitempty"`
	LinkParameter     string             `json:"linkParameter,omitempty"`
	UsernameParameter *string            `json:"usernameParameter,omitempty"`
}

// PreSignUpAnswer is what the pre-sign-up trigger can say.
type PreSignUpAnswer struct {
	AutoConfirm     bool `json:"autoConfirmUser"`
	AutoVerifyEmail bool `json:"autoVerifyEmail"`
	AutoVerifyPhone bool `json:"autoVerifyPhone"`
}

// PreSignUp asks whether u, who is not stored yet, may be. source is one of
// SourceSignUp, SourceAdminCreateUser and SourceExternalProvider. A refusal is
// an [*userpool.Error]; without the trigger the answer is zero.
func (ts *Triggers) PreSignUp(
	ctx context.Context, c userpool.Client, source string, u userpool.User, clientMetadata map[string]string,
) (answer PreSignUpAnswer, err error) {
	request := eventRequest{
		UserAttributes: nonNil(u.Attributes), ValidationData: &map[string]string{}, ClientMetadata: clientMetadata,
	}
	err = ts.Call(ctx, userpool.TriggerPreSignUp, ts.Event(c, source, u.Username, request, answer), &answer)
	if err != nil {
		return PreSignUpAnswer{}, err
	}
	return answer, nil
}

// PostConfirmation tells that u is confirmed or has a new password: source is
// SourceConfirmSignUp or SourceConfirmForgot. What was done stays done when it
// returns an error.
func (ts *Triggers) PostConfirmation(ctx context.Context, c userpool.Client, source string, u userpool.User) error {
	request := eventRequest{UserAttributes: Attributes(u)}
	return ts.Call(ctx, userpool.TriggerPostConfirmation, ts.Event(c, source, u.Username, request, struct{}{}), nil)
}

// PreAuthentication asks whether u may sign in, before the password is looked
// at. For a name that nobody has, u has nothing but the Username: such a name
// must not show by being faster.
func (ts *Triggers) PreAuthentication(ctx context.Context, c userpool.Client, u userpool.User) error {
	request := eventRequest{
		UserAttributes: Attributes(u), ValidationData: &map[string]string{}, UserNotFound: u.Sub == "",
	}
	e := ts.Event(c, sourcePreAuthentication, u.Username, request, struct{}{})
	return ts.Call(ctx, userpool.TriggerPreAuthentication, e, nil)
}

// PostAuthentication tells that u has signed in, before any token is issued; it
// can still refuse.
func (ts *Triggers) PostAuthentication(ctx context.Context, c userpool.Client, u userpool.User) error {
	request := eventRequest{UserAttributes: Attributes(u), NewDeviceUsed: new(bool)}
	e := ts.Event(c, sourcePostAuthentication, u.Username, request, struct{}{})
	return ts.Call(ctx, userpool.TriggerPostAuthentication, e, nil)
}

// Texts are the templates of one message, for each way that it may go.
// {####} in them is the code, {##text##} the link and {username} the name.
type Texts struct {
	EmailSubject, EmailMessage, SMSMessage string
}

// customAnswer is what the custom message trigger can say.
type customAnswer struct {
	SMSMessage   *string `json:"smsMessage"`
	EmailMessage *string `json:"emailMessage"`
	EmailSubject *string `json:"emailSubject"`
}

// CustomMessage lets the trigger replace some of the texts. source is one of
// the sourceMessage constants.
func (ts *Triggers) CustomMessage(
	ctx context.Context, c userpool.Client, source string, u userpool.User, m *Texts,
) error {
	request := eventRequest{
		UserAttributes: Attributes(u), CodeParameter: "{####}", LinkParameter: "{##Click Here##}",
	}
	if source == SourceMessageAdminCreate {
		name := "{username}"
		request.UsernameParameter = &name
	}
	var answer customAnswer
	err := ts.Call(ctx, userpool.TriggerCustomMessage, ts.Event(c, source, u.Username, request, answer), &answer)
	if err != nil {
		return err
	}
	return answer.apply(m)
}

// apply replaces the texts that the answer has, within the limits of Cognito.
func (a customAnswer) apply(m *Texts) error {
	for _, t := range []struct {
		from *string
		to   *string
		most int
	}{
		{a.EmailSubject, &m.EmailSubject, maxSubject},
		{a.EmailMessage, &m.EmailMessage, maxEmailMessage},
		{a.SMSMessage, &m.SMSMessage, maxSMSMessage},
	} {
		if t.from == nil || *t.from == "" {
			continue
		}
		if len([]rune(*t.from)) > t.most {
			return ErrUnrecognizable
		}
		*t.to = *t.from
	}
	return nil
}

// Event returns the event of a call, version 1.
func (ts *Triggers) Event(c userpool.Client, source, username string, request, response any) Event {
	client := c.ID
	if client == "" {
		client = "CLIENT_ID_NOT_APPLICABLE"
	}
	return Event{
		Version: "1", TriggerSource: source, Region: ts.region(), UserPoolID: ts.core.ID, UserName: username,
		CallerContext: caller{AWSSDKVersion: "aws-sdk-unknown-unknown", ClientID: client},
		Request:       request, Response: response,
	}
}

// region is the part of the pool's id that says where it is.
func (ts *Triggers) region() string {
	return ts.core.ID[:strings.LastIndexByte(ts.core.ID, '_')]
}

func nonNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// Attributes are the userAttributes of a user who is there. All values
// are strings.
func Attributes(u userpool.User) map[string]string {
	out := maps.Clone(nonNil(u.Attributes))
	if u.Sub == "" {
		return out
	}
	out["sub"], out["cognito:user_status"] = u.Sub, string(u.Status)
	if len(u.Identities) > 0 {
		out["identities"] = u.IdentitiesText()
	}
	return out
}

// Call calls the trigger of this name, if there is one, and decodes its
// response into answer, unless that is nil.
func (ts *Triggers) Call(ctx context.Context, name string, e Event, answer any) error {
	t, ok := ts.core.Settings().Triggers[name]
	if !ok {
		return nil
	}
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("userpool: encoding the event of %s: %w", name, err)
	}
	out, err := ts.core.Invoke(ctx, t, body)
	if err == nil {
		err = ReadAnswer(out, answer)
	}
	ts.audit(ctx, e, err)
	return triggerFault(name, err)
}

// ErrUnrecognizable says that a trigger answered with what nobody asked for.
var ErrUnrecognizable = &userpool.Error{
	Code: userpool.CodeInvalidLambdaResponse, Description: "Unrecognizable lambda output",
}

// ReadAnswer takes the response out of an event that came back. It must be an
// object; members that are not known are the trigger's own business.
func ReadAnswer(out []byte, answer any) error {
	var event map[string]json.RawMessage
	err := json.Unmarshal(out, &event)
	if err != nil || event == nil {
		return ErrUnrecognizable
	}
	response := event["response"]
	if answer == nil || len(response) == 0 {
		return nil
	}
	err = json.Unmarshal(response, answer)
	if err != nil {
		return ErrUnrecognizable
	}
	return nil
}

// triggerFault is what the failure of a trigger is to those who wait for it.
func triggerFault(name string, err error) error {
	if err == nil || errors.Is(err, ErrUnrecognizable) {
		return err
	}
	refusal, refused := errors.AsType[*userpool.TriggerRefusal](err)
	if !refused {
		return &userpool.Error{Code: userpool.CodeUnexpectedLambda, Description: name + " invocation failed"}
	}
	said := fmt.Sprintf("%s failed with error %s.", name, plainText(refusal.Message))
	return &userpool.Error{Code: userpool.CodeUserLambda, Description: said}
}

// plainText bounds a foreign text and keeps it on one line.
func plainText(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxTriggerText)], "")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func (ts *Triggers) audit(ctx context.Context, e Event, err error) {
	attrs := []slog.Attr{slog.String("trigger", e.TriggerSource), core.ClientAttr(e.CallerContext.ClientID)}
	if err == nil {
		ts.core.Audit(ctx, "trigger answered", attrs...)
		return
	}
	ts.core.Audit(ctx, decision.TriggerFailed, append(attrs, core.ReasonAttr(text.Clip(plainText(err.Error()))))...)
}
