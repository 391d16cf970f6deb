package localpool

import (
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/devview"
)

// TestNewView checks who sees the developer's view.
func TestNewView(t *testing.T) {
	chosen := devview.NewToken()
	for name, tt := range map[string]struct {
		token    userpool.Secret
		anywhere bool
		url      string // its start, for one that is made
		fault    string
	}{
		"a new token":         {"", false, "http://localhost:9229/_cognate/?token=", ""},
		"a chosen token":      {chosen, false, "http://localhost:9229/_cognate/?token=" + string(chosen), ""},
		"everybody":           {"", true, "http://localhost:9229/_cognate/", ""},
		"a short token":       {"short", false, "", "--dev-view-token can't be used"},
		"everybody, or a few": {chosen, true, "", "--insecure-dev-view-anywhere needs no token"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := NewView(tt.token, tt.anywhere)
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("error %v, want one with %q", err, tt.fault)
				}
				return
			}
			got := v.URL("http://localhost:9229")
			if err != nil || !strings.HasPrefix(got, tt.url) || tt.anywhere && got != tt.url {
				t.Errorf("%s (error %v), want %s", got, err, tt.url)
			}
		})
	}
	one, _ := NewView("", false)
	other, _ := NewView("", false)
	if one == other {
		t.Error("two programs have the same token")
	}
}
