package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
)

// Account is who a flow is of: a user, or nobody, who must not show: then User
// is a decoy.
type Account struct {
	userpool.User
	Known bool
}

// Account returns who has a name: a user, or who stands in for one.
func (a *Users) Account(ctx context.Context, username string) (Account, error) {
	decoy, err := a.decoys.Account(ctx, username)
	if err != nil {
		return Account{}, err
	}
	u, ok, err := a.core.Records.UserByLogin(ctx, naming.Fold(username))
	if err != nil {
		return Account{}, fmt.Errorf("userpool: reading user: %w", err)
	}
	if !ok {
		return decoy, nil
	}
	return Account{u, true}, nil
}

// userOrDecoy returns the user with this name, who may be nobody, and who stands
// in for them; both always, since it takes time.
func (a *Users) userOrDecoy(ctx context.Context, username string) (u, decoy userpool.User, err error) {
	u, _, err = a.Find(ctx, username)
	if err == nil {
		decoy, err = a.decoys.User(ctx, username)
	}
	return u, decoy, err
}

// Decoys stand in for names that nobody has.
type Decoys struct {
	core   *core.Core
	secret atomic.Pointer[userpool.Secret] // see secretOf; nil: not read yet
}

// Account is who stands in for a name that nobody has. What such a user
// has depends on the name and a secret of the pool, so that it is the same at
// every visit and no set of factors is certain to be a real user's.
func (d *Decoys) Account(ctx context.Context, username string) (Account, error) {
	secret, err := d.secretOf(ctx)
	if err != nil {
		return Account{}, err
	}
	login := naming.Fold(username)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(login))
	sum := mac.Sum(nil)
	u := userpool.User{
		Sub: "decoy-" + hex.EncodeToString(sum), Username: username, Status: userpool.UserConfirmed,
		PasswordHash: d.core.Hasher.Decoy, Attributes: map[string]string{},
	}
	if sum[0]&1 != 0 {
		u.Attributes["email"], u.Attributes["email_verified"] = decoyEmail(login, sum), "true"
	}
	if sum[0]&2 != 0 {
		u.Attributes["phone_number"], u.Attributes["phone_number_verified"] = decoyPhone(login, sum), "true"
	}
	return Account{User: u}, nil
}

// User stands in for a name that nobody has, or nobody whom a code could
// reach. Its sub and addresses depend on the name and on a secret of the pool, so
// that they are the same at every visit.
func (d *Decoys) User(ctx context.Context, username string) (userpool.User, error) {
	who, err := d.Account(ctx, username)
	if err != nil {
		return userpool.User{}, err
	}
	login := naming.Fold(username)
	sum, err := hex.DecodeString(strings.TrimPrefix(who.Sub, "decoy-"))
	if err != nil {
		return userpool.User{}, fmt.Errorf("userpool: making a decoy: %w", err)
	}
	who.Attributes = map[string]string{"email": decoyEmail(login, sum), "phone_number": decoyPhone(login, sum)}
	return who.User, nil
}

// secretOf is the same in every process on one store.
func (d *Decoys) secretOf(ctx context.Context) (userpool.Secret, error) {
	if known := d.secret.Load(); known != nil {
		return *known, nil
	}
	secret, err := d.core.Records.PoolSecret(ctx, "decoys")
	if err != nil {
		return "", fmt.Errorf("userpool: reading the secret of decoys: %w", err)
	}
	d.secret.Store(&secret)
	return secret, nil
}

// decoyEmail is an address of which only the first letters show: those of the
// name, if that is an address.
func decoyEmail(login string, sum []byte) string {
	if naming.ValidEmail(login) {
		return login
	}
	letter := func(b byte) string { return string(rune('a' + b%26)) }
	return letter(sum[1]) + "@" + letter(sum[2])
}

// decoyPhone is a number of which only the last digits show.
func decoyPhone(login string, sum []byte) string {
	if strings.HasPrefix(login, "+") && len(login) <= 16 {
		return login
	}
	return fmt.Sprintf("+1555555%04d", (int(sum[3])<<8|int(sum[4]))%10_000)
}

// DecoyHasPasskey reports whether a decoy seems to have passkeys.
func DecoyHasPasskey(u userpool.User) bool { return u.Sub[len(u.Sub)-1]&1 != 0 }
