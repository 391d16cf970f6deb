package hosted_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// A weighing store knows the largest record that it was given.
type weighing struct {
	store.Store

	most atomic.Int64
}

// Apply weighs what is stored.
func (w *weighing) Apply(ctx context.Context, p string, changes ...store.Change) error {
	for _, c := range changes {
		if size := int64(len(c.Body)); size > w.most.Load() {
			w.most.Store(size)
		}
	}
	return w.Store.Apply(ctx, p, changes...)
}

// TestStrangersStoreLittle sends the largest request and the longest name that
// are let in: what is kept of a flow that anyone can begin is small.
func TestStrangersStoreLittle(t *testing.T) {
	t.Parallel()
	w := &weighing{Store: memstore.New()}
	e := pooltest.New(t, func(c *pool.Config) {
		c.Settings, c.Passkeys, c.Store = choosy(), pooltest.Passkeys{}, w
	})
	e.AddClient(t, userpool.Client{
		ID: "choosy", CallbackURLs: []string{pooltest.Callback}, ExplicitAuthFlows: []string{"ALLOW_USER_AUTH"},
	})
	w.most.Store(0)
	long := strings.Repeat("n", 30<<10)
	for _, page := range []string{"/login?", "/forgotPassword?"} {
		v := e.NewVisitor().Open(t, page+pooltest.Query("client_id", "choosy", "x", long).Encode())
		v.Submit(t, "username", strings.Repeat("é", 10_000))
		if v.Path() == page[:len(page)-1] {
			t.Fatalf("%s: no flow began: %s", page, brief(v))
		}
	}
	if got := w.most.Load(); got == 0 || got > 4<<10 {
		t.Errorf("the largest record has %d bytes, want at most 4096", got)
	}
}
