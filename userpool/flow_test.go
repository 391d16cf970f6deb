package userpool_test

import (
	"testing"

	"github.com/cognate-auth/cognate/userpool"
)

// TestChallengeName checks what the steps are called in the API.
func TestChallengeName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		step         userpool.Step
		factor, want string
	}{
		{userpool.StepSignIn, "", ""}, {userpool.StepNewPassword, "", "NEW_PASSWORD_REQUIRED"},
		{userpool.StepFactor, "", "SELECT_CHALLENGE"}, {userpool.StepPassword, "", "PASSWORD"},
		{userpool.StepPasskey, "", "WEB_AUTHN"}, {userpool.StepCode, userpool.FactorEmail, "EMAIL_OTP"},
		{userpool.StepCode, userpool.FactorSMS, "SMS_OTP"}, {userpool.StepMFAChoice, "", "SELECT_MFA_TYPE"},
		{userpool.StepMFASetup, "", "MFA_SETUP"}, {userpool.StepMFACode, userpool.FactorTOTP, "SOFTWARE_TOKEN_MFA"},
		{userpool.StepMFACode, userpool.FactorSMS, "SMS_MFA"},
		{userpool.StepMFACode, userpool.FactorEmail, "EMAIL_OTP"},
	} {
		f := userpool.Flow{Step: tt.step, Factor: tt.factor}
		if got := f.ChallengeName(); got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.step, tt.factor, got, tt.want)
		}
	}
}
