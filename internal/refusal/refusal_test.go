package refusal_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cognate-auth/cognate/internal/refusal"
)

func TestError(t *testing.T) {
	cause := errors.New("the cause")
	e := refusal.New(refusal.State, "wrong: %w", cause)
	if got := e.Error(); got != "state: wrong: the cause" {
		t.Errorf("Error() is %q", got)
	}
	e.ProviderCode = "a\nb"
	if got := e.Error(); got != `state (provider says "a\nb"): wrong: the cause` {
		t.Errorf("Error() is %q", got)
	}
	wrapped := fmt.Errorf("outside: %w", refusal.New(refusal.ProviderDown, "%w", e))
	if !errors.Is(wrapped, cause) || refusal.Of(wrapped) != refusal.ProviderDown || !refusal.ProviderFault(wrapped) {
		t.Errorf("%v is not the outer refusal", wrapped)
	}
	if refusal.Of(cause) != "" || refusal.Of(nil) != "" || refusal.ProviderFault(nil) || refusal.ProviderFault(e) {
		t.Error("a reason where there is none")
	}
}
