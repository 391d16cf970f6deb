package redisstore_test

import (
	"context"
	"testing"

	"github.com/cognate-auth/cognate/redisstore"
	"github.com/cognate-auth/cognate/redisstore/redistest"
	"github.com/cognate-auth/cognate/sessionstore"
)

func benchmark(b *testing.B, config redisstore.Config,
	call func(context.Context, *redisstore.Store, *sessionstore.Record) error) {
	b.Helper()
	config.Addresses = []string{redistest.Start(b).Addr}
	s := open(b, config)
	r := record("ann", "x", "y")
	r.Value = make([]byte, 400)
	must(b, s.Create(b.Context(), r))
	b.ReportAllocs()
	ctx := b.Context()
	for b.Loop() {
		err := call(ctx, s, &r)
		if err != nil {
			b.Fatal(err)
		}
	}
}

func load(ctx context.Context, s *redisstore.Store, r *sessionstore.Record) error {
	_, err := s.Load(ctx, r.Key)
	return err
}

func BenchmarkLoadCached(b *testing.B)   { benchmark(b, redisstore.Config{}, load) }
func BenchmarkLoadUncached(b *testing.B) { benchmark(b, redisstore.Config{DisableCache: true}, load) }

func BenchmarkUpdate(b *testing.B) {
	benchmark(b, redisstore.Config{}, func(ctx context.Context, s *redisstore.Store, r *sessionstore.Record) error {
		err := s.Update(ctx, *r)
		r.Version++
		return err
	})
}

// This is a sign-in and a sign-out.
func BenchmarkCreateDelete(b *testing.B) {
	other := record("bob", "x", "y")
	benchmark(b, redisstore.Config{}, func(ctx context.Context, s *redisstore.Store, _ *sessionstore.Record) error {
		err := s.Create(ctx, other)
		if err != nil {
			return err
		}
		return s.Delete(ctx, other.Key)
	})
}
