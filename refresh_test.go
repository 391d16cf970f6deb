package cognate_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
)

// TestRollAndRefreshTogether winds the idle clock in the same answer that brings new tokens.
func TestRollAndRefreshTogether(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeProvider, c *clock, mode func(*cognate.Config)) {
		b := newApp(t, p, func(cfg *cognate.Config) {
			mode(cfg)
			cfg.Session.IdleTimeout = 30 * time.Minute
		}).browser(t)
		b.signIn(p)
		for i := 1; i <= 4; i++ {
			c.advance(20 * time.Minute)
			wantFetch(t, b, "/token", http.StatusOK, fmt.Sprintf("access-%d", i))
		}
	})
}
