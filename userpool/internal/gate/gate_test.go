package gate_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/gate"
)

// TestGate lets one caller of a key in at a time, those of others at once, and nobody
// wait for longer than was said.
func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := gate.New(time.Second)
		leave, err := g.Enter(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		leaveBob, err := g.Enter(t.Context(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		leaveBob()
		_, err = g.Enter(t.Context(), "ann")
		if !errors.Is(err, userpool.ErrBusy) {
			t.Errorf("got %v, want ErrBusy", err)
		}
		leave()
		leave, err = g.Enter(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		leave()
		if n := g.Busy(); n != 0 {
			t.Errorf("%d keys are left", n)
		}
	})
}
