package userpool_test

import (
	"testing"

	"github.com/cognate-auth/cognate/userpool"
)

func TestMask(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"ann@example.com": "a***@e***", "ü@ä.test": "ü***@ä***", "+4930123456": "+*******3456", "": "",
		"+1": "+*******+1",
	} {
		if got := userpool.Mask(address); got != want {
			t.Errorf("Mask(%q) = %q, want %q", address, got, want)
		}
	}
}
