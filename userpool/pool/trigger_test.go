package pool_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/google/go-cmp/cmp"
)

// withTriggers gives the pool all triggers; answer stands behind each of them.
func withTriggers(answer func(event map[string]any) (string, error)) func(*pool.Config) {
	return func(cfg *pool.Config) {
		cfg.Settings.Triggers = map[string]userpool.Trigger{}
		for _, name := range []string{
			userpool.TriggerPreSignUp, userpool.TriggerPostConfirmation, userpool.TriggerPreAuthentication,
			userpool.TriggerPostAuthentication, userpool.TriggerCustomMessage,
		} {
			cfg.Settings.Triggers[name] = userpool.Trigger{URL: "http://trigger.test/" + name}
		}
		cfg.Invoke = func(_ context.Context, _ userpool.Trigger, event []byte) ([]byte, error) {
			var e map[string]any
			err := json.Unmarshal(event, &e)
			if err != nil {
				return nil, err
			}
			out, err := answer(e)
			return []byte(out), err
		}
	}
}

// asked is a user with something for each member of an event.
var asked = userpool.User{
	Sub: "s-1", Username: "ann", Status: userpool.UserConfirmed,
	Attributes: map[string]string{"email": "ann@example.com", "custom:plan": "7"},
	Identities: []userpool.Identity{{
		UserID: "9", ProviderName: "Corp", ProviderType: "OIDC", Primary: true, Created: time.UnixMilli(1700000000123),
	}},
}

func TestTriggerEvents(t *testing.T) {
	var got []any
	e := pooltest.New(t, withTriggers(func(event map[string]any) (string, error) {
		got = append(got, event)
		return "{}", nil
	}))
	err := e.Pool.Triggers(t.Context(), userpool.Client{ID: "app"}, asked)
	if err != nil {
		t.Fatal(err)
	}
	event := func(source, client, request, response string) (out any) {
		text := `{"version":"1","triggerSource":"` + source + `","region":"local","userPoolId":"local_test1",
			"userName":"ann","callerContext":{"awsSdkVersion":"aws-sdk-unknown-unknown","clientId":"` + client + `"},
			"request":` + request + `,"response":` + response + `}`
		err := json.Unmarshal([]byte(text), &out)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	const attributes = `"userAttributes":{"sub":"s-1","cognito:user_status":"CONFIRMED","email":"ann@example.com",
		"custom:plan":"7","identities":"[{\"userId\":\"9\",\"providerName\":\"Corp\",\"providerType\":\"OIDC\",` +
		`\"issuer\":null,\"primary\":\"true\",\"dateCreated\":\"1700000000123\"}]"}`
	want := []any{
		event("PreSignUp_SignUp", "app",
			`{"userAttributes":{"email":"ann@example.com","custom:plan":"7"},"validationData":{},
				"clientMetadata":{"k":"v"}}`,
			`{"autoConfirmUser":false,"autoVerifyEmail":false,"autoVerifyPhone":false}`),
		event("PostConfirmation_ConfirmSignUp", "app", `{`+attributes+`}`, `{}`),
		event("PreAuthentication_Authentication", "app", `{`+attributes+`,"validationData":{}}`, `{}`),
		event("PostAuthentication_Authentication", "app", `{`+attributes+`,"newDeviceUsed":false}`, `{}`),
		event("CustomMessage_AdminCreateUser", "CLIENT_ID_NOT_APPLICABLE", `{`+attributes+`,"codeParameter":"{####}",
			"linkParameter":"{##Click Here##}","usernameParameter":"{username}"}`,
			`{"smsMessage":null,"emailMessage":null,"emailSubject":null}`),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownUserReachesTheTrigger(t *testing.T) {
	var request any
	e := pooltest.New(t, withTriggers(func(event map[string]any) (string, error) {
		request = event["request"]
		return "{}", nil
	}))
	err := e.Pool.PreAuthentication(t.Context(), userpool.User{Username: "nobody"})
	want := map[string]any{"userAttributes": map[string]any{}, "validationData": map[string]any{}, "userNotFound": true}
	if diff := cmp.Diff(any(want), request); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestTriggerAnswers(t *testing.T) {
	long := strings.Repeat("x", 141)
	for _, tt := range []struct {
		name, answer string
		err          error
		code, text   string // of the refusal; empty: none
	}{
		{name: "nothing", answer: `{}`},
		{name: "no response", answer: `{"version":"1"}`},
		{name: "null response", answer: `{"response":null}`},
		{name: "unknown members", answer: `{"response":{"x":1},"y":2}`},
		{name: "null", answer: `null`, code: "InvalidLambdaResponseException", text: "Unrecognizable lambda output"},
		{name: "empty", answer: ``, code: "InvalidLambdaResponseException", text: "Unrecognizable lambda output"},
		{name: "array", answer: `[]`, code: "InvalidLambdaResponseException", text: "Unrecognizable lambda output"},
		{name: "wrong type", answer: `{"response":{"autoConfirmUser":"yes"}}`,
			code: "InvalidLambdaResponseException", text: "Unrecognizable lambda output"},
		{name: "refusal", err: &userpool.TriggerRefusal{Message: "no\r\nSet-Cookie: x"},
			code: "UserLambdaValidationException", text: "PreSignUp failed with error no  Set-Cookie: x."},
		{name: "long refusal", err: &userpool.TriggerRefusal{Message: strings.Repeat("é", 1000)},
			code: "UserLambdaValidationException",
			text: "PreSignUp failed with error " + strings.Repeat("é", 256) + "."},
		{name: "failure", err: errors.New("no route to " + long),
			code: "UnexpectedLambdaException", text: "PreSignUp invocation failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := pooltest.New(t, withTriggers(func(map[string]any) (string, error) { return tt.answer, tt.err }))
			_, _, _, err := e.Pool.PreSignUp(t.Context(), asked)
			refusal, _ := errors.AsType[*userpool.Error](err)
			if refusal == nil {
				refusal = &userpool.Error{}
			}
			if refusal.Code != tt.code || refusal.Description != tt.text || (err == nil) != (tt.code == "") {
				t.Errorf("got %v, want %q %q", err, tt.code, tt.text)
			}
		})
	}
}

func TestPreSignUpAnswer(t *testing.T) {
	e := pooltest.New(t, withTriggers(func(map[string]any) (string, error) {
		return `{"response":{"autoConfirmUser":true,"autoVerifyPhone":true}}`, nil
	}))
	confirm, email, phone, err := e.Pool.PreSignUp(t.Context(), asked)
	if !confirm || email || !phone || err != nil {
		t.Errorf("got %v %v %v, %v", confirm, email, phone, err)
	}
}

func TestCustomMessage(t *testing.T) {
	for _, tt := range []struct{ name, response, want string }{
		{"nothing", `{}`, "subject|email|sms"},
		{"some", `{"emailSubject":"S","smsMessage":""}`, "S|email|sms"},
		{"all", `{"emailSubject":"S","emailMessage":"E {####}","smsMessage":"M"}`, "S|E {####}|M"},
		{"long subject", `{"emailSubject":"` + strings.Repeat("ü", 141) + `"}`, "refused"},
		{"long message", `{"emailMessage":"` + strings.Repeat("ü", 20_001) + `"}`, "refused"},
		{"long short message", `{"smsMessage":"` + strings.Repeat("ü", 141) + `"}`, "refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := pooltest.New(t, withTriggers(func(map[string]any) (string, error) {
				return `{"response":` + tt.response + `}`, nil
			}))
			subject, email, sms, err := e.Pool.CustomMessage(t.Context())
			got := subject + "|" + email + "|" + sms
			if err != nil {
				got = "refused"
			}
			if got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
		})
	}
}

func TestTriggerSettings(t *testing.T) {
	for _, tt := range []struct{ name, trigger, url, version, want string }{
		{name: "fine", trigger: "PreTokenGeneration", url: "https://t.test/x?k=v", version: "V3_0"},
		{name: "unknown", trigger: "preSignUp", url: "http://t.test/", want: "is unknown"},
		{name: "no host", trigger: "PreSignUp", url: "http:///x", want: "URL"},
		{name: "a file", trigger: "PreSignUp", url: "file://t/x", want: "URL"},
		{name: "user info", trigger: "PreSignUp", url: "http://u:hush@t.test/", want: "URL"},
		{name: "versions of another", trigger: "PreSignUp", url: "http://t.test/", version: "V1_0", want: "Version"},
		{name: "unknown version", trigger: "PreTokenGeneration", url: "http://t.test/", version: "V4_0", want: "V4_0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := userpool.CheckSettings(userpool.Settings{
				Triggers: map[string]userpool.Trigger{tt.trigger: {URL: tt.url, Version: tt.version}},
			})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

func TestTriggersNeedATransport(t *testing.T) {
	e := pooltest.New(t)
	err := e.Pool.Configure(t.Context(), userpool.Settings{
		Triggers: map[string]userpool.Trigger{"PreSignUp": {URL: "http://t.test/"}},
	})
	if err == nil || !strings.Contains(err.Error(), "Config.Invoke") {
		t.Errorf("got %v", err)
	}
}
