package userpool

import (
	"fmt"
	"maps"
	"net/url"
	"slices"

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

// A TriggerRefusal is what pool.Config.Invoke returns when the trigger did its work
// and says no: people, or the app, read the message. Any other error means that
// the trigger could not be asked.
type TriggerRefusal struct{ Message string }

// Error returns the message.
func (e *TriggerRefusal) Error() string { return "the trigger refused: " + e.Message }

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
			//nolint:staticcheck // the name of a field
			return fmt.Errorf("Triggers: %q is unknown; known are %q", text.Clip(name), known)
		case err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https":
			return fmt.Errorf("Triggers[%s].URL: expected an http or https URL without user info", name)
		case t.Version == "":
		case name != TriggerPreToken:
			return fmt.Errorf("Triggers[%s].Version: only %s has versions", name, TriggerPreToken)
		case !slices.Contains([]string{TriggerV1, TriggerV2, TriggerV3}, t.Version):
			return fmt.Errorf(
				"Triggers[%s].Version: %q is unknown; expected V1_0, V2_0 or V3_0", name, text.Clip(t.Version),
			)
		}
	}
	return nil
}
