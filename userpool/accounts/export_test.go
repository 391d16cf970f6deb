package accounts

import "context"

// Hashes returns how many passwords the pool has hashed so far.
func (a *Users) Hashes() int64 { return a.core.Hasher.Runs() }

// TakeHashSlot holds one of the slots for hashing until leave is called.
func (a *Users) TakeHashSlot(ctx context.Context) (leave func(), err error) {
	return a.core.Hasher.Enter(ctx)
}

// Doors returns how many accounts have sign-ins under way or waiting.
func (a *Users) Doors() int { return a.core.Gate.Busy() }
