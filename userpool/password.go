package userpool

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
)

// HashCost is the cost of an argon2id hash (RFC 9106). The zero value means
// 19456 KiB, 2 passes, 1 lane: the OWASP password storage cheat sheet's first
// choice for little memory.
type HashCost struct {
	MemoryKiB uint32 // 8 per lane to 262144
	Passes    uint32 // 1 to 16
	Lanes     uint8  // 1 to 16
}

var defaultCost = HashCost{MemoryKiB: 19456, Passes: 2, Lanes: 1}

// check bounds the cost, also of stored hashes: a record from elsewhere must
// not be able to ask for all the memory of the machine.
func (c HashCost) check() error {
	switch {
	case c.Passes < 1 || c.Passes > 16:
		return errors.New("passes out of range")
	case c.Lanes < 1 || c.Lanes > 16:
		return errors.New("lanes out of range")
	case c.MemoryKiB < 8*uint32(c.Lanes) || c.MemoryKiB > 256<<10:
		return errors.New("memory out of range")
	}
	return nil
}

const (
	saltSize = 16
	keySize  = 32
)

// phc is a parsed hash in the PHC string format,
// $argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>.
type phc struct {
	cost      HashCost
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
	return h.cost.check()
}

// hasher hashes passwords, a bounded number at a time: each hash fills
// megabytes, and an attacker chooses how many sign-ins arrive.
type hasher struct {
	cost  HashCost
	slots chan struct{}
	wait  time.Duration
	runs  atomic.Int64 // hashes computed
	decoy Secret       // a hash that no password has
}

func newHasher(cost HashCost, most int, wait time.Duration) (*hasher, error) {
	if cost == (HashCost{}) {
		cost = defaultCost
	}
	if most <= 0 {
		most = runtime.GOMAXPROCS(0)
	}
	if wait <= 0 {
		wait = 5 * time.Second
	}
	err := cost.check()
	if err != nil {
		return nil, err
	}
	decoy := phc{cost: cost, salt: randomBytes(saltSize), key: randomBytes(keySize)}
	return &hasher{
		cost: cost, wait: wait, slots: make(chan struct{}, most), decoy: Secret(decoy.String()),
	}, nil
}

// key computes the hash when a slot is free, and gives up after h.wait.
func (h *hasher) key(ctx context.Context, pw Secret, salt []byte, c HashCost, size int) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, h.wait, ErrBusy)
	defer cancel()
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-h.slots }()
	h.runs.Add(1)
	length := uint32(size) //nolint:gosec // 16 to 64, see phc.check
	return argon2.IDKey([]byte(pw), salt, c.Passes, c.MemoryKiB, c.Lanes, length), nil
}

// hash returns the PHC string of the password with a fresh salt.
func (h *hasher) hash(ctx context.Context, pw Secret) (Secret, error) {
	out := phc{cost: h.cost, salt: randomBytes(saltSize)}
	var err error
	out.key, err = h.key(ctx, pw, out.salt, h.cost, keySize)
	if err != nil {
		return "", err
	}
	return Secret(out.String()), nil
}

// verify reports whether the password has this hash, and whether the hash is
// stale: made at another cost than today's.
func (h *hasher) verify(ctx context.Context, stored, pw Secret) (ok, stale bool, err error) {
	want, err := parsePHC(string(stored))
	if err != nil {
		return false, false, fmt.Errorf("reading a stored password: %w", err)
	}
	got, err := h.key(ctx, pw, want.salt, want.cost, len(want.key))
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(got, want.key) == 1
	return ok, want.cost != h.cost || len(want.key) != keySize, nil
}

// maxPassword is how many bytes a password has at most.
const maxPassword = 256

// passwordSymbols are what Cognito counts as symbols, beside a space inside
// (developer guide, page "managing-users-passwords").
const passwordSymbols = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+-"

// Check holds a password that somebody chooses to the policy. A refusal is an
// [*Error] with Cognito's text. Only Latin letters and digits are letters and
// digits here; others count for the length.
func (c PasswordPolicy) Check(pw Secret) error {
	s := string(pw)
	has := func(from, to rune) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r >= from && r <= to })
	}
	text := ""
	switch {
	case len([]rune(s)) < max(c.MinimumLength, 1):
		text = "Password not long enough"
	case len(s) > maxPassword:
		text = "Password too long"
	case strings.TrimSpace(s) != s:
		text = "Password must not begin or end with a space"
	case c.RequireUppercase && !has('A', 'Z'):
		text = "Password must have uppercase characters"
	case c.RequireLowercase && !has('a', 'z'):
		text = "Password must have lowercase characters"
	case c.RequireNumbers && !has('0', '9'):
		text = "Password must have numeric characters"
	case c.RequireSymbols && !strings.ContainsAny(s, passwordSymbols+" "):
		text = "Password must have symbol characters"
	default:
		return nil
	}
	return &Error{Code: CodeInvalidPassword, Description: "Password did not conform with policy: " + text}
}

// newPassword gives u a password that fits the policy and its history. The hash
// that it replaces joins the history. The caller stores u.
func (p *Pool) newPassword(ctx context.Context, u *User, pw Secret) error {
	policy := p.Settings().Passwords
	err := policy.Check(pw)
	if err != nil {
		return err
	}
	err = p.checkHistory(ctx, *u, pw, policy.History)
	if err != nil {
		return err
	}
	hash, err := p.hasher.hash(ctx, pw)
	if err != nil {
		return err
	}
	if u.PasswordHash != "" {
		u.PreviousHashes = slices.Insert(slices.Clone(u.PreviousHashes), 0, u.PasswordHash)
	}
	u.PreviousHashes = u.PreviousHashes[:min(len(u.PreviousHashes), policy.History)]
	u.PasswordHash, u.TemporaryUntil = hash, time.Time{}
	return nil
}

// checkHistory refuses the last passwords, of which today's is one. It hashes
// once for each: only for who has proven something.
func (p *Pool) checkHistory(ctx context.Context, u User, pw Secret, depth int) error {
	last := u.PreviousHashes
	if u.PasswordHash != "" {
		last = slices.Insert(slices.Clone(last), 0, u.PasswordHash)
	}
	for _, hash := range last[:min(len(last), depth)] {
		same, _, err := p.hasher.verify(ctx, hash, pw)
		if err != nil {
			return err
		}
		if same {
			return &Error{Code: CodePasswordHistory, Description: TextUsedPassword}
		}
	}
	return nil
}

// temporaryPassword returns a random password that fits every policy.
func (p *Pool) temporaryPassword() Secret {
	length := max(p.Settings().Passwords.MinimumLength, 12)
	text := ""
	for len(text) < length {
		text += rand.Text()
	}
	return Secret("Aa1-" + text[:length-4])
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: the runtime ends the program instead
	return b
}
