package userpool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// The names of the triggers, as in Cognito's LambdaConfig.
const (
	TriggerPreSignUp          = "PreSignUp"
	TriggerPostConfirmation   = "PostConfirmation"
	TriggerPreAuthentication  = "PreAuthentication"
	TriggerPostAuthentication = "PostAuthentication"
	TriggerCustomMessage      = "CustomMessage"
	TriggerPreToken           = "PreTokenGeneration"
)

// The versions of the event of TriggerPreToken. V1_0 changes ID tokens, V2_0
// access tokens as well, and V3_0 those of machines too.
const (
	TriggerV1 = "V1_0"
	TriggerV2 = "V2_0"
	TriggerV3 = "V3_0"
)

// What a trigger is called for (triggerSource).
const (
	sourceSignUp             = "PreSignUp_SignUp"
	sourceAdminCreateUser    = "PreSignUp_AdminCreateUser"
	sourceExternalProvider   = "PreSignUp_ExternalProvider"
	sourceConfirmSignUp      = "PostConfirmation_ConfirmSignUp"
	sourceConfirmForgot      = "PostConfirmation_ConfirmForgotPassword"
	sourcePreAuthentication  = "PreAuthentication_Authentication"
	sourcePostAuthentication = "PostAuthentication_Authentication"
	sourceMessageSignUp      = "CustomMessage_SignUp"
	sourceMessageAdminCreate = "CustomMessage_AdminCreateUser"
	sourceMessageResend      = "CustomMessage_ResendCode"
	sourceMessageForgot      = "CustomMessage_ForgotPassword"
	sourceMessageUpdate      = "CustomMessage_UpdateUserAttribute"
	sourceMessageVerify      = "CustomMessage_VerifyUserAttribute"
	sourceMessageSignIn      = "CustomMessage_Authentication"
	sourceTokensHosted       = "TokenGeneration_HostedAuth"
	sourceTokensRefresh      = "TokenGeneration_RefreshTokens"
	sourceTokensForMachine   = "TokenGeneration_ClientCredentials"
)

// Limits of what a trigger says: of a refusal, in bytes, and of the texts of a
// message, in characters (page "user-pool-lambda-custom-message").
const (
	maxTriggerText  = 512
	maxSubject      = 140
	maxEmailMessage = 20_000
	maxSMSMessage   = 140
)

// A TriggerRefusal is what [Config].Invoke returns when the trigger did its work
// and says no: people, or the app, read the message. Any other error means that
// the trigger could not be asked.
type TriggerRefusal struct{ Message string }

// Error returns the message.
func (e *TriggerRefusal) Error() string { return "the trigger refused: " + e.Message }

// triggerEvent is what all events have in common (developer guide, page
// "cognito-user-identity-pools-working-with-aws-lambda-triggers").
type triggerEvent struct {
	Version       string        `json:"version"`
	TriggerSource string        `json:"triggerSource"`
	Region        string        `json:"region"`
	UserPoolID    string        `json:"userPoolId"`
	UserName      string        `json:"userName,omitempty"` // a machine has none
	CallerContext triggerCaller `json:"callerContext"`
	Request       any           `json:"request"`
	Response      any           `json:"response"`
}

type triggerCaller struct {
	AWSSDKVersion string `json:"awsSdkVersion"`
	ClientID      string `json:"clientId"`
}

// triggerRequest is the request of every event but that of TriggerPreToken.
// Which members there are depends on the trigger.
type triggerRequest struct {
	UserAttributes    map[string]string  `json:"userAttributes"`
	ValidationData    *map[string]string `json:"validationData,omitempty"`
	ClientMetadata    map[string]string  `json:"clientMetadata,omitempty"`
	UserNotFound      bool               `json:"userNotFound,omitempty"`
	NewDeviceUsed     *bool              `json:"newDeviceUsed,omitempty"`
	CodeParameter     string             `json:"codeParameter,omitempty"`
	LinkParameter     string             `json:"linkParameter,omitempty"`
	UsernameParameter *string            `json:"usernameParameter,omitempty"`
}

// preSignUpAnswer is what the pre-sign-up trigger can say.
type preSignUpAnswer struct {
	AutoConfirm     bool `json:"autoConfirmUser"`
	AutoVerifyEmail bool `json:"autoVerifyEmail"`
	AutoVerifyPhone bool `json:"autoVerifyPhone"`
}

// preSignUp asks whether u, who is not stored yet, may be. source is one of
// sourceSignUp, sourceAdminCreateUser and sourceExternalProvider. A refusal is
// an [*Error]; without the trigger the answer is zero.
func (p *Pool) preSignUp(
	ctx context.Context, c Client, source string, u User, clientMetadata map[string]string,
) (answer preSignUpAnswer, err error) {
	request := triggerRequest{
		UserAttributes: nonNil(u.Attributes), ValidationData: &map[string]string{}, ClientMetadata: clientMetadata,
	}
	err = p.callTrigger(ctx, TriggerPreSignUp, p.event(c, source, u.Username, request, answer), &answer)
	if err != nil {
		return preSignUpAnswer{}, err
	}
	return answer, nil
}

// postConfirmation tells that u is confirmed or has a new password: source is
// sourceConfirmSignUp or sourceConfirmForgot. What was done stays done when it
// returns an error.
func (p *Pool) postConfirmation(ctx context.Context, c Client, source string, u User) error {
	request := triggerRequest{UserAttributes: triggerAttributes(u)}
	return p.callTrigger(ctx, TriggerPostConfirmation, p.event(c, source, u.Username, request, struct{}{}), nil)
}

// preAuthentication asks whether u may sign in, before the password is looked
// at. For a name that nobody has, u has nothing but the Username: such a name
// must not show by being faster.
func (p *Pool) preAuthentication(ctx context.Context, c Client, u User) error {
	request := triggerRequest{
		UserAttributes: triggerAttributes(u), ValidationData: &map[string]string{}, UserNotFound: u.Sub == "",
	}
	e := p.event(c, sourcePreAuthentication, u.Username, request, struct{}{})
	return p.callTrigger(ctx, TriggerPreAuthentication, e, nil)
}

// postAuthentication tells that u has signed in, before any token is issued; it
// can still refuse.
func (p *Pool) postAuthentication(ctx context.Context, c Client, u User) error {
	request := triggerRequest{UserAttributes: triggerAttributes(u), NewDeviceUsed: new(bool)}
	e := p.event(c, sourcePostAuthentication, u.Username, request, struct{}{})
	return p.callTrigger(ctx, TriggerPostAuthentication, e, nil)
}

// messageTexts are the templates of one message, for each way that it may go.
// {####} in them is the code, {##text##} the link and {username} the name.
type messageTexts struct {
	EmailSubject, EmailMessage, SMSMessage string
}

// customAnswer is what the custom message trigger can say.
type customAnswer struct {
	SMSMessage   *string `json:"smsMessage"`
	EmailMessage *string `json:"emailMessage"`
	EmailSubject *string `json:"emailSubject"`
}

// customMessage lets the trigger replace some of the texts. source is one of
// the sourceMessage constants.
func (p *Pool) customMessage(ctx context.Context, c Client, source string, u User, m *messageTexts) error {
	request := triggerRequest{
		UserAttributes: triggerAttributes(u), CodeParameter: "{####}", LinkParameter: "{##Click Here##}",
	}
	if source == sourceMessageAdminCreate {
		name := "{username}"
		request.UsernameParameter = &name
	}
	var answer customAnswer
	err := p.callTrigger(ctx, TriggerCustomMessage, p.event(c, source, u.Username, request, answer), &answer)
	if err != nil {
		return err
	}
	return answer.apply(m)
}

// apply replaces the texts that the answer has, within the limits of Cognito.
func (a customAnswer) apply(m *messageTexts) error {
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
			return errUnrecognizable
		}
		*t.to = *t.from
	}
	return nil
}

// event returns the event of a call, version 1.
func (p *Pool) event(c Client, source, username string, request, response any) triggerEvent {
	client := c.ID
	if client == "" {
		client = "CLIENT_ID_NOT_APPLICABLE"
	}
	return triggerEvent{
		Version: "1", TriggerSource: source, Region: p.region(), UserPoolID: p.id, UserName: username,
		CallerContext: triggerCaller{AWSSDKVersion: "aws-sdk-unknown-unknown", ClientID: client},
		Request:       request, Response: response,
	}
}

// region is the part of the pool's id that says where it is.
func (p *Pool) region() string {
	return p.id[:strings.LastIndexByte(p.id, '_')]
}

func nonNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// triggerAttributes are the userAttributes of a user who is there. All values
// are strings.
func triggerAttributes(u User) map[string]string {
	out := maps.Clone(nonNil(u.Attributes))
	if u.Sub == "" {
		return out
	}
	out["sub"], out["cognito:user_status"] = u.Sub, string(u.Status)
	if len(u.Identities) > 0 {
		out["identities"] = identitiesText(u.Identities)
	}
	return out
}

// callTrigger calls the trigger of this name, if there is one, and decodes its
// response into answer, unless that is nil.
func (p *Pool) callTrigger(ctx context.Context, name string, e triggerEvent, answer any) error {
	t, ok := p.Settings().Triggers[name]
	if !ok {
		return nil
	}
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("userpool: encoding the event of %s: %w", name, err)
	}
	out, err := p.invoke(ctx, t, body)
	if err == nil {
		err = readAnswer(out, answer)
	}
	p.auditTrigger(ctx, e, err)
	return triggerFault(name, err)
}

var errUnrecognizable = &Error{Code: CodeInvalidLambdaResponse, Description: "Unrecognizable lambda output"}

// readAnswer takes the response out of an event that came back. It must be an
// object; members that are not known are the trigger's own business.
func readAnswer(out []byte, answer any) error {
	var event map[string]json.RawMessage
	err := json.Unmarshal(out, &event)
	if err != nil || event == nil {
		return errUnrecognizable
	}
	response := event["response"]
	if answer == nil || len(response) == 0 {
		return nil
	}
	err = json.Unmarshal(response, answer)
	if err != nil {
		return errUnrecognizable
	}
	return nil
}

// triggerFault is what the failure of a trigger is to those who wait for it.
func triggerFault(name string, err error) error {
	if err == nil || errors.Is(err, errUnrecognizable) {
		return err
	}
	refusal, refused := errors.AsType[*TriggerRefusal](err)
	if !refused {
		return &Error{Code: CodeUnexpectedLambda, Description: name + " invocation failed"}
	}
	text := fmt.Sprintf("%s failed with error %s.", name, plainText(refusal.Message))
	return &Error{Code: CodeUserLambda, Description: text}
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

func (p *Pool) auditTrigger(ctx context.Context, e triggerEvent, err error) {
	attrs := []slog.Attr{slog.String("trigger", e.TriggerSource), clientAttr(e.CallerContext.ClientID)}
	if err == nil {
		p.audit(ctx, "trigger answered", attrs...)
		return
	}
	p.audit(ctx, "trigger failed", append(attrs, reasonAttr(text.Clip(plainText(err.Error()))))...)
}

func checkTriggers(s Settings) error {
	known := []string{
		TriggerPreSignUp, TriggerPostConfirmation, TriggerPreAuthentication, TriggerPostAuthentication,
		TriggerCustomMessage, TriggerPreToken,
	}
	for _, name := range slices.Sorted(maps.Keys(s.Triggers)) {
		t := s.Triggers[name]
		u, err := url.Parse(t.URL)
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("Triggers: %q is unknown; known are %q", text.Clip(name), known)
		case err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https":
			return fmt.Errorf("Triggers[%s].URL: expected an http or https URL without user info", name)
		case t.Version == "":
		case name != TriggerPreToken:
			return fmt.Errorf("Triggers[%s].Version: only %s has versions", name, TriggerPreToken)
		case !slices.Contains([]string{TriggerV1, TriggerV2, TriggerV3}, t.Version):
			return fmt.Errorf("Triggers[%s].Version: %q is unknown; expected V1_0, V2_0 or V3_0", name, text.Clip(t.Version))
		}
	}
	return nil
}

// checkInvoke holds a pool without transport to having no triggers.
func (p *Pool) checkInvoke(s Settings) error {
	if len(s.Triggers) > 0 && p.invoke == nil {
		return errors.New("userpool: Settings.Triggers: Config.Invoke is needed to call them")
	}
	return nil
}
