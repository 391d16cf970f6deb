package poolconfig

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// kindConfig is the kind of the records of what the file last said. Only what changed
// in the file since then is applied again: users who change their passwords in the app
// keep them until the file names another one.
const kindConfig = "config"

// Changes counts what [Apply] did.
type Changes struct {
	ClientsAdded, ClientsChanged, ClientsRemoved int
	UsersAdded, UsersChanged                     int
}

// String lists the changes, or returns "nothing".
func (c Changes) String() string {
	var parts []string
	for _, p := range []struct {
		n              int
		one, many, did string
	}{
		{c.ClientsAdded, "client", "clients", "added"}, {c.ClientsChanged, "client", "clients", "changed"},
		{c.ClientsRemoved, "client", "clients", "removed"}, {c.UsersAdded, "user", "users", "added"},
		{c.UsersChanged, "user", "users", "changed"},
	} {
		if p.n > 0 {
			parts = append(parts, terminal.Count(p.n, p.one, p.many)+" "+p.did)
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Check returns an error, before anything is changed, if the pool in the store can't be
// changed to what p says: because the attributes by which users are found would change,
// or because a stored user can't be changed as the file says.
func Check(ctx context.Context, s store.Store, up *pool.Pool, p Pool) error {
	applied := lastApplied{s, up.ID()}
	_, err := applied.checkSignInNames(ctx, p.Settings)
	if err != nil {
		return err
	}
	r := refusals{}
	for _, u := range p.Users {
		before, err := applied.user(ctx, keyOfUser(u), u)
		if err == nil && (before.Digest == "" || before.Digest != entryOf(up.ID(), u).digest) {
			n := u.NewUser
			if u.derived {
				n.Sub = "" // any
			}
			err = up.Users.CheckFollow(ctx, p.Settings, before.user(), n)
		}
		err = r.add(u, err)
		if err != nil {
			return err
		}
	}
	return r.err()
}

// Apply gives a pool the clients and users of its file. It removes clients that an
// earlier file had and this one does not have; it never removes users. Clients and
// users whose entries did not change are not touched. A user who can't be stored does
// not prevent the others from being stored; the error names all such users and is
// [ErrUsers]. Any other error is the store's: the changes made so far remain, and
// another call makes the rest. Several processes may call Apply at the same time.
func Apply(ctx context.Context, s store.Store, up *pool.Pool, p Pool) (c Changes, err error) {
	applied := lastApplied{s, up.ID()}
	known, err := applied.checkSignInNames(ctx, p.Settings)
	if err == nil && !known {
		err = applied.put(ctx, namesKey, signInNames(p.Settings))
	}
	if err != nil {
		return c, err
	}
	err = applyClients(ctx, applied, up, p.Clients, &c)
	if err != nil {
		return c, err
	}
	return c, applyUsers(ctx, applied, up, p.Users, &c)
}

func applyClients(ctx context.Context, applied lastApplied, p *pool.Pool, clients []userpool.Client, c *Changes) error {
	for _, client := range clients {
		key := clientKey + client.ID
		digest := digestOf(p.ID()+key, client, client.Secret, client.SecondSecret)
		last, err := applied.get(ctx, key)
		if err != nil {
			return err
		}
		before, there, err := p.Clients.Get(ctx, client.ID)
		if err != nil {
			return err
		}
		if there && last == digest {
			continue
		}
		now, err := p.Clients.Put(ctx, client)
		if err != nil {
			return fmt.Errorf("the client %s can't be stored: %s", client.ID, sentence(err))
		}
		err = applied.put(ctx, key, digest)
		if err != nil {
			return err
		}
		switch {
		case !there:
			c.ClientsAdded++
		case now.Version != before.Version:
			c.ClientsChanged++
		}
	}
	return removeClients(ctx, applied, p, clients, c)
}

// removeClients removes clients that an earlier file had and this one does not have.
// Clients that were added in another way remain.
func removeClients(
	ctx context.Context, applied lastApplied, p *pool.Pool, clients []userpool.Client, c *Changes,
) error {
	keys, err := applied.keys(ctx, clientKey)
	if err != nil {
		return err
	}
	for _, key := range keys {
		id := strings.TrimPrefix(key, clientKey)
		if slices.ContainsFunc(clients, func(client userpool.Client) bool { return client.ID == id }) {
			continue
		}
		_, there, err := p.Clients.Get(ctx, id)
		if err == nil {
			err = p.Clients.Delete(ctx, id)
		}
		if err == nil {
			err = applied.forget(ctx, key)
		}
		if err != nil {
			return err
		}
		if there {
			c.ClientsRemoved++
		}
	}
	return nil
}

// ErrUsers says that some users can't be stored as the file says. The text of the error
// names them.
var ErrUsers = errors.New("users can't be stored")

// refusals are the users who can't be stored.
type refusals struct{ list []string }

// maxRefusals limits how many users are named that could not be stored.
const maxRefusals = 10

// add notes that a user could not be stored. It returns an error that is not about the
// user.
func (r *refusals) add(u User, err error) error {
	_, rule := errors.AsType[*userpool.Error](err)
	switch {
	case err == nil:
		return nil
	case !rule && !errors.Is(err, store.ErrExists):
		return err
	}
	r.list = append(r.list, fmt.Sprintf("the user %s can't be stored: %s", clip(u.Username), userSentence(err)))
	return nil
}

func (r *refusals) err() error {
	if len(r.list) == 0 {
		return nil
	}
	if n := len(r.list) - maxRefusals; n > 0 {
		r.list = append(r.list[:maxRefusals], terminal.Count(n, "more user", "more users")+" can't be stored")
	}
	return usersError(strings.Join(r.list, "\n"))
}

type usersError string

func (e usersError) Error() string { return string(e) }

// Is reports whether target is [ErrUsers].
func (e usersError) Is(target error) bool { return target == ErrUsers }

func applyUsers(ctx context.Context, applied lastApplied, p *pool.Pool, users []User, c *Changes) error {
	r := refusals{}
	for some := range slices.Chunk(users, batch) {
		others, err := addUsers(ctx, applied, p, some, c)
		if err != nil {
			return fmt.Errorf("storing users: %w", err)
		}
		for _, u := range others {
			err = r.add(u, applyUser(ctx, applied, p, u, c))
			if err != nil {
				return fmt.Errorf("storing the user %s: %w", clip(u.Username), err)
			}
		}
	}
	return r.err()
}

// entry identifies a user of the file: key is where the last-applied record is stored,
// digest tells whether the user's entry changed.
type entry struct{ key, digest string }

func keyOfUser(u User) string { return userKey + hash(u.Sub) }

func entryOf(p string, u User) entry {
	key := keyOfUser(u)
	return entry{key, digestOf(p+key, u, u.Password, u.TOTPSecret)}
}

// appliedUser is what a file last said about a user, without secrets and values: enough
// to remove what the file no longer says.
type appliedUser struct {
	Digest       string
	Attributes   []string            `json:",omitempty"`
	Groups, MFA  []string            `json:",omitempty"`
	PreferredMFA string              `json:",omitempty"`
	Status       userpool.UserStatus `json:",omitempty"`
	Temporary    bool                `json:",omitempty"`
	TOTP         bool                `json:",omitempty"`
	Phrase       string              `json:",omitempty"` // a digest of the password
	now          userpool.Secret     // the password, if it is known to be the same
}

// user returns what the file last said about the user, as far as it is recorded.
func (s appliedUser) user() userpool.NewUser {
	n := userpool.NewUser{
		Attributes: map[string]string{}, Groups: s.Groups, MFA: s.MFA, PreferredMFA: s.PreferredMFA,
		Status: s.Status, Temporary: s.Temporary, Password: s.now,
	}
	for _, name := range s.Attributes {
		n.Attributes[name] = "" // only the name matters
	}
	if s.TOTP {
		n.TOTPSecret = "another"
	}
	return n
}

// text returns what is stored.
func (s appliedUser) text() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic("poolconfig: " + err.Error()) // strings can always be encoded
	}
	return string(text)
}

// record returns what is recorded about u.
func (e entry) record(u User) appliedUser {
	return appliedUser{
		Digest: e.digest, Attributes: slices.Sorted(maps.Keys(u.Attributes)), Groups: u.Groups, MFA: u.MFA,
		PreferredMFA: u.PreferredMFA, Status: u.Status, Temporary: u.Temporary, TOTP: u.TOTPSecret != "",
		Phrase: e.passwordDigest(u),
	}
}

func (e entry) passwordDigest(u User) string {
	if u.Password == "" {
		return ""
	}
	return digestOf(e.key+" password", "", u.Password)
}

func applyUser(ctx context.Context, applied lastApplied, p *pool.Pool, u User, c *Changes) error {
	entry := entryOf(applied.pool, u)
	before, err := applied.user(ctx, entry.key, u)
	if err != nil || before.Digest == entry.digest {
		return err
	}
	n, err := withSub(ctx, p, u)
	if err != nil {
		return err
	}
	now := entry.record(u)
	if before.now == "" && before.Phrase == now.Phrase {
		before.now = u.Password
	}
	_, created, changed, err := p.Users.Follow(ctx, before.user(), n)
	switch {
	case err != nil:
		return err
	case created:
		c.UsersAdded++
	case changed:
		c.UsersChanged++
	}
	return applied.put(ctx, entry.key, now.text())
}

// withSub gives a user whose sub was derived the sub that is already stored.
func withSub(ctx context.Context, p *pool.Pool, u User) (userpool.NewUser, error) {
	n := u.NewUser
	if !u.derived {
		return n, nil
	}
	there, ok, err := p.Users.Find(ctx, n.Username)
	if ok {
		n.Sub = there.Sub
	}
	return n, err
}

func userSentence(err error) string {
	if errors.Is(err, store.ErrExists) {
		return "the user name, the sub or an address is another user's"
	}
	return sentence(err)
}

// lastApplied is the record in the store of what a file last said about one pool.
type lastApplied struct {
	store store.Store
	pool  string
}

// The first parts of the keys of lastApplied.
const (
	clientKey = "client/"
	userKey   = "user/"
	namesKey  = "sign-in names"
)

func (l lastApplied) get(ctx context.Context, key string) (string, error) {
	r, _, err := l.store.Get(ctx, l.pool, kindConfig, key)
	return string(r.Body), err
}

// user returns what was recorded about a user. Without a record its Digest is empty.
func (l lastApplied) user(ctx context.Context, key string, u User) (s appliedUser, err error) {
	text, err := l.get(ctx, key)
	if err != nil || text == "" {
		return s, err
	}
	if !strings.HasPrefix(text, "{") { // only a digest, as an earlier release stored it
		return appliedUser{Digest: text, Status: u.Status, Temporary: u.Temporary, now: u.Password}, nil
	}
	err = json.Unmarshal([]byte(text), &s)
	if err != nil {
		return s, fmt.Errorf("the store's record of what the file last said can't be read: %w", err)
	}
	return s, nil
}

// put stores a value, even if another process changes it at the same time.
func (l lastApplied) put(ctx context.Context, key, value string) (err error) {
	r := store.Record{Kind: kindConfig, ID: key, Body: []byte(value)}
	const tries = 10
	for range tries {
		err = l.store.Apply(ctx, l.pool, store.Change{Op: store.Update, Record: r})
		if errors.Is(err, store.ErrConflict) { // there is no such record
			err = l.store.Apply(ctx, l.pool, store.Change{Op: store.Create, Record: r})
		}
		if !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return err
}

func (l lastApplied) forget(ctx context.Context, key string) error {
	r := store.Record{Kind: kindConfig, ID: key}
	return l.store.Apply(ctx, l.pool, store.Change{Op: store.Delete, Record: r})
}

// keys returns the keys with this prefix.
func (l lastApplied) keys(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	after := prefix
	for {
		page, err := l.store.List(ctx, l.pool, kindConfig, store.Query{After: after, Limit: 200})
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			if !strings.HasPrefix(r.ID, prefix) {
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

// checkSignInNames refuses a change after which users could not be found. known reports
// whether the attributes by which they are found are recorded.
func (l lastApplied) checkSignInNames(ctx context.Context, s userpool.Settings) (known bool, err error) {
	before, err := l.get(ctx, namesKey)
	if err == nil && before != "" && before != signInNames(s) {
		err = fmt.Errorf("the pool %s has users who are found by %s; that cannot change: "+
			"undo the change, give the pool another id, or start with an empty store", l.pool, before)
	}
	return before != "", err
}

// signInNames describes the attributes by which users are found.
func signInNames(s userpool.Settings) string {
	return "username_attributes [" + strings.Join(s.UsernameAttributes, " ") +
		"], alias_attributes [" + strings.Join(s.AliasAttributes, " ") + "]"
}

// digestOf returns a digest that changes when an entry of the file changes. Secrets
// print as [redacted], so they are passed separately. With a secret the digest is
// expensive to compute, so that guessing a password from it is expensive too; but a
// person who can read the store can probably read the file as well.
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
