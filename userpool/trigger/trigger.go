// Package trigger calls the triggers of a user pool over HTTP: what would be an
// AWS Lambda function is an endpoint that takes the same event as JSON by POST
// and answers with the event, its response filled in.
//
//	p, err := pool.New(ctx, pool.Config{
//		Invoke: trigger.HTTP(nil),
//		Settings: userpool.Settings{Triggers: map[string]userpool.Trigger{
//			userpool.TriggerPreSignUp: {URL: "http://localhost:9000/pre-sign-up"},
//		}},
//		// ...
//	})
//
// An endpoint that wants to refuse answers with a status other than 2xx and the
// body {"errorMessage": "..."}: people read that text. The same body with status
// 200, which is how AWS's emulator of the Lambda runtime reports a function that
// failed, refuses as well.
//
// It knows the words (userpool) and, of the module's internal packages, loopback.
package trigger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cognate-auth/cognate/internal/loopback"
	"github.com/cognate-auth/cognate/userpool"
)

// Timeout is how long an endpoint may take, as Cognito's triggers may (developer
// guide, page "cognito-user-identity-pools-working-with-aws-lambda-triggers").
const Timeout = 5 * time.Second

// maxAnswer bounds an answer, in bytes. Lambda's own limit is 6 MB; an event
// with every attribute and group there can be is far below this one.
const maxAnswer = 1 << 20

// HTTP returns what pool.Config.Invoke asks for. It is safe for concurrent
// use. base makes the requests; nil: one like [http.DefaultTransport] that finds
// names below localhost on this machine.
func HTTP(base http.RoundTripper) func(context.Context, userpool.Trigger, []byte) ([]byte, error) {
	if base == nil {
		base = loopback.Default() // such as hooks.localhost
	}
	// A redirect would take the event, and whom it is about, somewhere else.
	client := &http.Client{
		Transport: base, Timeout: Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context, t userpool.Trigger, event []byte) ([]byte, error) {
		return call(ctx, client, t.URL, event)
	}
}

func call(ctx context.Context, client *http.Client, address string, event []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(event))
	if err != nil {
		return nil, fmt.Errorf("trigger: making the request: %w", withoutURL(err))
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("trigger: calling the endpoint: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("trigger: reading the answer: %w", err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("trigger: the answer has more than %d bytes", maxAnswer)
	}
	return judge(resp.StatusCode, body)
}

// judge tells an answer from a refusal and from a failure.
func judge(status int, body []byte) ([]byte, error) {
	var failure struct {
		ErrorMessage *string `json:"errorMessage"`
	}
	err := json.Unmarshal(body, &failure)
	if err == nil && failure.ErrorMessage != nil {
		return nil, &userpool.TriggerRefusal{Message: *failure.ErrorMessage}
	}
	if status < 200 || status > 299 {
		return nil, fmt.Errorf("trigger: the endpoint answered with status %d, without an errorMessage", status)
	}
	return body, nil
}

// withoutURL takes the address out of an error, since its query may hold a key.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
