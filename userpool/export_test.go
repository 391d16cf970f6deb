package userpool

import (
	"context"

	"github.com/cognate-auth/cognate/userpool/store"
)

// Hashes returns how many passwords the pool has hashed so far.
func (p *Pool) Hashes() int64 { return p.hasher.runs.Load() }

// TakeHashSlot holds one of the slots for hashing until leave is called.
func (p *Pool) TakeHashSlot() (leave func()) {
	p.hasher.slots <- struct{}{}
	return func() { <-p.hasher.slots }
}

// ParsePHC parses a hash and returns it written again.
func ParsePHC(s string) (string, error) {
	h, err := parsePHC(s)
	if err != nil {
		return "", err
	}
	return h.String(), nil
}

// Doors returns how many accounts have sign-ins under way or waiting.
func (p *Pool) Doors() int {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	return len(p.gate.doors)
}

// SendCode sends a code to an address of u.
func (p *Pool) SendCode(ctx context.Context, purpose string, u User, medium, to string) (string, error) {
	return p.sendCode(ctx, codeRequest{Purpose: purpose, User: u, Medium: medium, To: to})
}

// SendDecoy does the work of SendCode and sends nothing.
func (p *Pool) SendDecoy(ctx context.Context, purpose, sub, to string) (string, error) {
	r := codeRequest{Purpose: purpose, User: User{Sub: sub}, Medium: MediumEmail, To: to, Decoy: true}
	return p.sendCode(ctx, r)
}

// CheckCode matches a code and spends it.
func (p *Pool) CheckCode(ctx context.Context, purpose, sub string, code Secret) error {
	c, err := p.matchCode(ctx, purpose, sub, code)
	if err != nil {
		return err
	}
	return p.spendCode(ctx, c)
}

// StoreKeys stores keys as a pool does at its first start.
func StoreKeys(ctx context.Context, s store.Store, pool string, keys *SigningKeys) error {
	return records{s, pool}.CreateKeys(ctx, []*SigningKeys{keys})
}

// ValidEmail reports whether s is an e-mail address.
func ValidEmail(s string) bool { return validEmail(s) }
