package oauthscope_test

import (
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool/internal/oauthscope"
)

// TestValid holds scopes to their forms.
func TestValid(t *testing.T) {
	t.Parallel()
	for scope, want := range map[string]bool{
		"openid": true, "aws.cognito.signin.user.admin": true, "api/read": true, "https://api.test/v1/read": true,
		"": false, "orders": false, "/read": false, "api/": false, "a b/read": false, `api/"read"`: false,
		"api/" + strings.Repeat("x", 256): false,
	} {
		if got := oauthscope.Valid(scope); got != want {
			t.Errorf("%q: got %t, want %t", scope, got, want)
		}
	}
}

// TestComplete wants openid beside the scopes that are about a person.
func TestComplete(t *testing.T) {
	t.Parallel()
	for scopes, want := range map[string]bool{
		"": true, "openid": true, "openid email": true, "email": false, "api/read phone": false, "api/read": true,
	} {
		if got := oauthscope.Complete(strings.Fields(scopes)); got != want {
			t.Errorf("%q: got %t, want %t", scopes, got, want)
		}
	}
}
