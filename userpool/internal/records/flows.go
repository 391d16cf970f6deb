package records

import (
	"context"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// maxFlows is how many flows one browser can have under way; the oldest makes
// room for the next.
const maxFlows = 16

// storedFlow is a Flow with its secret in the clear.
type storedFlow struct {
	userpool.Flow

	Secret string `json:",omitempty"`
}

func storeFlow(f *userpool.Flow) storedFlow { return storedFlow{*f, string(f.Secret)} }

func flowRecord(f *userpool.Flow) store.Record {
	return store.Record{
		Kind: kindFlow, ID: f.Hash, Owner: f.Browser, Expires: f.Expires, Version: f.Version,
		Body: encodeBody(storeFlow(f)),
	}
}

// PutFlow stores f if the stored Version is still f.Version (0: it is new) and
// counts it up; otherwise it returns ErrConflict.
func (s Records) PutFlow(ctx context.Context, f *userpool.Flow) error {
	c := store.Change{Op: store.Update, Record: flowRecord(f)}
	if f.Version == 0 {
		c.Op, c.Keep = store.Create, maxFlows
	}
	err := s.Apply(ctx, c)
	if err == nil {
		f.Version++
	}
	return err
}

// ReplaceFlow stores next, which is new, in the place of f, or returns ErrConflict
// if the stored Version of that is another by now.
func (s Records) ReplaceFlow(ctx context.Context, f, next *userpool.Flow) error {
	err := s.Apply(ctx,
		store.Change{Op: store.Delete, Record: store.Record{Kind: kindFlow, ID: f.Hash, Version: f.Version}},
		store.Change{Op: store.Create, Record: flowRecord(next), Keep: maxFlows})
	if err == nil {
		next.Version++
	}
	return err
}

// Flow returns the flow with this hash.
func (s Records) Flow(ctx context.Context, hash string) (*userpool.Flow, bool, error) {
	stored, version, ok, err := found[storedFlow](s.Store.Get(ctx, s.Pool, kindFlow, hash))
	if err != nil || !ok {
		return nil, false, err
	}
	f := stored.Flow
	f.Secret, f.Version = userpool.Secret(stored.Secret), version
	return &f, true, nil
}

// DeleteFlow removes f, or returns ErrConflict if the stored Version is another by
// now.
func (s Records) DeleteFlow(ctx context.Context, f *userpool.Flow) error {
	return s.Apply(
		ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindFlow, ID: f.Hash, Version: f.Version}},
	)
}
