package oauth_test

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/cognate-auth/cognate/userpool"
)

// failingStore is a store whose sessions and tokens cannot be read while it is
// failing, and whose users are gone while they are gone.
type failingStore struct {
	userpool.Store

	failing, gone atomic.Bool
}

func (s *failingStore) UserBySub(ctx context.Context, pool, sub string) (userpool.User, bool, error) {
	if s.gone.Load() {
		return userpool.User{}, false, nil
	}
	return s.Store.UserBySub(ctx, pool, sub)
}

var errDisk = errors.New("the disk is on fire")

func (s *failingStore) Session(ctx context.Context, pool, hash string) (userpool.Session, bool, error) {
	if s.failing.Load() {
		return userpool.Session{}, false, errDisk
	}
	return s.Store.Session(ctx, pool, hash)
}

func (s *failingStore) RefreshToken(
	ctx context.Context, pool, hash string,
) (userpool.RefreshToken, bool, error) {
	if s.failing.Load() {
		return userpool.RefreshToken{}, false, errDisk
	}
	return s.Store.RefreshToken(ctx, pool, hash)
}

func (s *failingStore) FamilyAlive(ctx context.Context, pool, originJTI string) (bool, error) {
	if s.failing.Load() {
		return false, errDisk
	}
	return s.Store.FamilyAlive(ctx, pool, originJTI)
}
