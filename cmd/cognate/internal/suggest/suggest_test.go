package suggest_test

import (
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/suggest"
)

func TestNearest(t *testing.T) {
	known := []string{"client-secrets", "completion", "demo", "pool", "trust"}
	for word, want := range map[string]string{
		"dmeo": "demo", "pol": "pool", "pools": "pool", "turst": "trust", "client_secret": "client-secrets",
		"secrets": "", "clientsecrets": "client-secrets", "completions": "completion", "kubernetes": "",
		strings.Repeat("demo", 1000): "",
	} {
		if got := suggest.Nearest(word, known); got != want {
			t.Errorf("%.20q: %q, want %q", word, got, want)
		}
	}
	if got := suggest.Nearest("demo", nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
