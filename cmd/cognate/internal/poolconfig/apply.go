package poolconfig

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
)

// kindConfig are the records of what a file said the last time, so that only
// what changed in it is done again: who changes his password in the app keeps
// it until the file names another one.
const kindConfig = "config"

// Changes counts what [Apply] did.
type Changes struct {
	ClientsAdded, ClientsChanged, ClientsRemoved int
	UsersAdded, UsersChanged                     int
}

// String says what changed, or "nothing".
func (c Changes) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{c.ClientsAdded, "client%s added"}, {c.ClientsChanged, "client%s changed"},
		{c.ClientsRemoved, "client%s removed"}, {c.UsersAdded, "user%s added"}, {c.UsersChanged, "user%s changed"},
	} {
		s := "s"
		if p.n == 1 {
			s = ""
		}
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d "+p.what, p.n, s))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Apply gives a pool the clients and users of its file. Clients that an earlier
// file had and this one has not are removed; users never are. Clients and users
// that the file says nothing new about stay as they are. A user who cannot be
// stored does not keep the others from it; the error names them all.
func Apply(ctx context.Context, store userpool.Store, pool *userpool.Pool, p Pool) (c Changes, err error) {
	said := ledger{store, pool.ID()}
	err = said.keepSignInNames(ctx, p.Settings)
	if err != nil {
		return c, err
	}
	err = applyClients(ctx, said, pool, p.Clients, &c)
	if err != nil {
		return c, err
	}
	return c, applyUsers(ctx, said, pool, p.Users, &c)
}

func applyClients(ctx context.Context, said ledger, pool *userpool.Pool, clients []userpool.Client, c *Changes) error {
	for _, client := range clients {
		key := clientKey + client.ID
		digest := digestOf(pool.ID()+key, client, client.Secret, client.SecondSecret)
		before, err := said.get(ctx, key)
		if err != nil {
			return err
		}
		_, there, err := pool.Client(ctx, client.ID)
		if err != nil {
			return err
		}
		if there && before == digest {
			continue
		}
		_, err = pool.PutClient(ctx, client)
		if err != nil {
			return fmt.Errorf("the client %s can't be stored: %s", client.ID, sentence(err))
		}
		err = said.put(ctx, key, digest)
		if err != nil {
			return err
		}
		if there {
			c.ClientsChanged++
		} else {
			c.ClientsAdded++
		}
	}
	return removeClients(ctx, said, pool, clients, c)
}

// removeClients removes those that a file had and no longer has. Those that
// came another way stay.
func removeClients(ctx context.Context, said ledger, pool *userpool.Pool, clients []userpool.Client, c *Changes) error {
	keys, err := said.keys(ctx, clientKey)
	if err != nil {
		return err
	}
	for _, key := range keys {
		id := strings.TrimPrefix(key, clientKey)
		if slices.ContainsFunc(clients, func(client userpool.Client) bool { return client.ID == id }) {
			continue
		}
		err = pool.DeleteClient(ctx, id)
		if err != nil {
			return err
		}
		err = said.forget(ctx, key)
		if err != nil {
			return err
		}
		c.ClientsRemoved++
	}
	return nil
}

// maxUserErrors is how many users that could not be stored are named.
const maxUserErrors = 10

func applyUsers(ctx context.Context, said ledger, pool *userpool.Pool, users []User, c *Changes) error {
	var failed []error
	for _, u := range users {
		err := applyUser(ctx, said, pool, u, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("the user %s can't be stored: %s", clip(u.Username), userSentence(err)))
		}
	}
	if n := len(failed) - maxUserErrors; n > 0 {
		failed = append(failed[:maxUserErrors], fmt.Errorf("%d more users can't be stored", n))
	}
	return errors.Join(failed...)
}

func applyUser(ctx context.Context, said ledger, pool *userpool.Pool, u User, c *Changes) error {
	key := userKey + hash(u.Sub)
	digest := digestOf(pool.ID()+key, u, u.Password, u.TOTPSecret)
	before, err := said.get(ctx, key)
	if err != nil || before == digest {
		return err
	}
	created, err := Put(ctx, pool, u)
	if err != nil {
		return err
	}
	if created {
		c.UsersAdded++
	} else {
		c.UsersChanged++
	}
	return said.put(ctx, key, digest)
}

// Put creates a user or makes the one with this name as u says, and tells
// which. A user who came another way keeps his sub.
func Put(ctx context.Context, pool *userpool.Pool, u User) (created bool, err error) {
	n := u.NewUser
	there, ok, err := pool.FindUser(ctx, n.Username)
	if err != nil {
		return false, err
	}
	if ok && u.derived {
		n.Sub = there.Sub
	}
	_, created, err = pool.PutUser(ctx, n)
	return created, err
}

func userSentence(err error) string {
	if errors.Is(err, userpool.ErrExists) {
		return "the user name, the sub or an address is another user's"
	}
	return sentence(err)
}

// A ledger is what a file said about one pool the last time.
type ledger struct {
	store userpool.Store
	pool  string
}

// The keys of what is in a ledger.
const (
	clientKey = "client/"
	userKey   = "user/"
	namesKey  = "sign-in names"
)

func (l ledger) get(ctx context.Context, key string) (string, error) {
	r, _, err := l.store.Get(ctx, l.pool, kindConfig, key)
	return string(r.Body), err
}

func (l ledger) put(ctx context.Context, key, value string) error {
	r := userpool.Record{Kind: kindConfig, ID: key, Body: []byte(value)}
	err := l.store.Apply(ctx, l.pool, userpool.Change{Op: userpool.Create, Record: r})
	if errors.Is(err, userpool.ErrExists) {
		err = l.store.Apply(ctx, l.pool, userpool.Change{Op: userpool.Update, Record: r})
	}
	return err
}

func (l ledger) forget(ctx context.Context, key string) error {
	r := userpool.Record{Kind: kindConfig, ID: key}
	return l.store.Apply(ctx, l.pool, userpool.Change{Op: userpool.Delete, Record: r})
}

// keys returns those that begin like this.
func (l ledger) keys(ctx context.Context, begin string) ([]string, error) {
	var keys []string
	after := begin
	for {
		page, err := l.store.List(ctx, l.pool, kindConfig, userpool.Query{After: after, Limit: 200})
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			if !strings.HasPrefix(r.ID, begin) {
				return keys, nil
			}
			keys = append(keys, r.ID)
			after = r.ID
		}
		if len(page) == 0 {
			return keys, nil
		}
	}
}

// keepSignInNames refuses what would make users unfindable.
func (l ledger) keepSignInNames(ctx context.Context, s userpool.Settings) error {
	now := "username_attributes [" + strings.Join(s.UsernameAttributes, " ") +
		"], alias_attributes [" + strings.Join(s.AliasAttributes, " ") + "]"
	before, err := l.get(ctx, namesKey)
	switch {
	case err != nil:
		return err
	case before == "":
		return l.put(ctx, namesKey, now)
	case before != now:
		return fmt.Errorf("the pool %s has users who are found by %s; that cannot change: "+
			"take them back, give the pool another id, or begin with an empty store", l.pool, before)
	}
	return nil
}

// digestOf is what tells whether an entry of a file changed. Secrets print as
// [redacted] and are taken apart; a password could be guessed from the digest,
// so that each guess is made to cost something, though who reads the store can
// most likely read the file, too.
func digestOf(salt string, entry any, secrets ...userpool.Secret) string {
	rounds := 1
	text, err := json.Marshal(entry)
	if err != nil {
		panic("poolconfig: " + err.Error()) // structs of strings, numbers and times
	}
	for _, s := range secrets {
		if s != "" {
			rounds = 10_000
		}
		text = append(append(text, 0), s...)
	}
	key, err := pbkdf2.Key(sha256.New, string(text), []byte(salt), rounds, sha256.Size)
	if err != nil {
		panic("poolconfig: " + err.Error()) // the lengths are fixed
	}
	return hex.EncodeToString(key)
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
