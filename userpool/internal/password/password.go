// Package password hashes passwords, with argon2id and a bounded number at a time. It
// knows the words (userpool) alone; what a password must have is said there.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"golang.org/x/crypto/argon2"
)

var defaultCost = userpool.HashCost{MemoryKiB: 19456, Passes: 2, Lanes: 1}

const (
	saltSize = 16
	keySize  = 32
)

// phc is a parsed hash in the PHC string format,
// $argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>.
type phc struct {
	cost      userpool.HashCost
	salt, key []byte
}

var phcEncoding = base64.RawStdEncoding.Strict()

func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.MemoryKiB,
		h.cost.Passes, h.cost.Lanes, phcEncoding.EncodeToString(h.salt), phcEncoding.EncodeToString(h.key))
}

var errPHC = errors.New("not an argon2id hash in PHC format")

// parsePHC accepts exactly what String writes, so that one hash has one
// spelling: no other number format, no other base64, nothing before or after.
func parsePHC(s string) (phc, error) {
	var h phc
	parts := strings.Split(s, "$")
	if len(s) > 512 || len(parts) != 6 {
		return phc{}, errPHC
	}
	_, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.cost.MemoryKiB, &h.cost.Passes, &h.cost.Lanes)
	if err != nil {
		return phc{}, errPHC
	}
	h.salt, err = phcEncoding.DecodeString(parts[4])
	if err != nil {
		return phc{}, errPHC
	}
	h.key, err = phcEncoding.DecodeString(parts[5])
	if err != nil || h.String() != s {
		return phc{}, errPHC
	}
	return h, h.check()
}

func (h phc) check() error {
	if len(h.salt) < 8 || len(h.salt) > 64 || len(h.key) < 16 || len(h.key) > 64 {
		return errPHC
	}
	return h.cost.Check()
}

// Hasher hashes passwords, a bounded number at a time: each hash fills
// megabytes, and an attacker chooses how many sign-ins arrive.
type Hasher struct {
	cost  userpool.HashCost
	slots chan struct{}
	Wait  time.Duration
	runs  atomic.Int64    // hashes computed
	Decoy userpool.Secret // a hash that no password has
}

// New returns a Hasher that makes hashes of this cost (zero: 19 MiB, two passes, one
// lane), at most so many at once (zero: one per CPU), and lets nobody wait longer for a
// turn than wait (zero: 5 s).
func New(cost userpool.HashCost, most int, wait time.Duration) (*Hasher, error) {
	if cost == (userpool.HashCost{}) {
		cost = defaultCost
	}
	if most <= 0 {
		most = runtime.GOMAXPROCS(0)
	}
	if wait <= 0 {
		wait = 5 * time.Second
	}
	err := cost.Check()
	if err != nil {
		return nil, err
	}
	decoy := phc{cost: cost, salt: randomBytes(saltSize), key: randomBytes(keySize)}
	return &Hasher{
		cost: cost, Wait: wait, slots: make(chan struct{}, most), Decoy: userpool.Secret(decoy.String()),
	}, nil
}

// Runs returns how many passwords were hashed so far.
func (h *Hasher) Runs() int64 { return h.runs.Load() }

// Enter waits for one of the places where a password may be hashed, at most h.Wait,
// and returns how to leave it.
func (h *Hasher) Enter(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, h.Wait, userpool.ErrBusy)
	defer cancel()
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// derive computes the hash, in its turn.
func (h *Hasher) derive(
	ctx context.Context, pw userpool.Secret, salt []byte, c userpool.HashCost, size int,
) ([]byte, error) {
	leave, err := h.Enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	h.runs.Add(1)
	length := uint32(size) //nolint:gosec // 16 to 64, see phc.check
	return argon2.IDKey([]byte(pw), salt, c.Passes, c.MemoryKiB, c.Lanes, length), nil
}

// Hash returns the PHC string of the password with a fresh salt.
func (h *Hasher) Hash(ctx context.Context, pw userpool.Secret) (userpool.Secret, error) {
	out := phc{cost: h.cost, salt: randomBytes(saltSize)}
	var err error
	out.key, err = h.derive(ctx, pw, out.salt, h.cost, keySize)
	if err != nil {
		return "", err
	}
	return userpool.Secret(out.String()), nil
}

// Verify reports whether the password has this hash, and whether the hash is
// stale: made at another cost than today's.
func (h *Hasher) Verify(ctx context.Context, stored, pw userpool.Secret) (ok, stale bool, err error) {
	want, err := parsePHC(string(stored))
	if err != nil {
		return false, false, fmt.Errorf("reading a stored password: %w", err)
	}
	got, err := h.derive(ctx, pw, want.salt, want.cost, len(want.key))
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(got, want.key) == 1
	return ok, want.cost != h.cost || len(want.key) != keySize, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: the runtime ends the program instead
	return b
}
