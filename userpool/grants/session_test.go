package grants_test

import (
	"testing"

	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// TestSessionsPerUser checks that the number of sessions is bounded.
func TestSessionsPerUser(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	first := e.Session(t)
	for range 256 {
		e.Session(t)
	}
	if to := e.Get(t, "/oauth2/authorize", pooltest.Query(), first).Target(t); to.Query().Get("code") != "" {
		t.Error("the oldest of 257 sessions is alive")
	}
}
