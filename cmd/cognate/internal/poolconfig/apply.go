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

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// kindConfig are the records of what a file said the last time, so that only
// what changed in it is done again: who changes their password in the app keeps
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

// Check tells, before anything is done, why the store's pool can't be made as p
// says: what users are found by would change, or a user who is there can't be
// made as the file now says.
func Check(ctx context.Context, s store.Store, up *pool.Pool, p Pool) error {
	said := ledger{s, up.ID()}
	_, err := said.checkSignInNames(ctx, p.Settings)
	if err != nil {
		return err
	}
	r := refusals{}
	for _, u := range p.Users {
		before, err := said.entry(ctx, keyOfUser(u), u)
		if err == nil && (before.Digest == "" || before.Digest != entryOf(up.ID(), u).digest) {
			var n userpool.NewUser
			n, err = withSub(ctx, up, u)
			if err == nil {
				err = up.Users.CheckFollow(ctx, p.Settings, before.user(), n)
			}
		}
		err = r.add(u, err)
		if err != nil {
			return err
		}
	}
	return r.err()
}

// Apply gives a pool the clients and users of its file. Clients that an earlier
// file had and this one has not are removed; users never are. Clients and users
// that the file says nothing new about stay as they are. A user who cannot be
// stored does not keep the others from it; the error names them all and is
// [ErrUsers]. Any other error is one of the store: what was done stays, and
// another call does the rest. Several processes may do this at once.
func Apply(ctx context.Context, s store.Store, up *pool.Pool, p Pool) (c Changes, err error) {
	said := ledger{s, up.ID()}
	known, err := said.checkSignInNames(ctx, p.Settings)
	if err == nil && !known {
		err = said.put(ctx, namesKey, signInNames(p.Settings))
	}
	if err != nil {
		return c, err
	}
	err = applyClients(ctx, said, up, p.Clients, &c)
	if err != nil {
		return c, err
	}
	return c, applyUsers(ctx, said, up, p.Users, &c)
}

func applyClients(ctx context.Context, said ledger, p *pool.Pool, clients []userpool.Client, c *Changes) error {
	for _, client := range clients {
		key := clientKey + client.ID
		digest := digestOf(p.ID()+key, client, client.Secret, client.SecondSecret)
		last, err := said.get(ctx, key)
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
		err = said.put(ctx, key, digest)
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
	return removeClients(ctx, said, p, clients, c)
}

// removeClients removes those that a file had and no longer has. Those that
// came another way stay.
func removeClients(ctx context.Context, said ledger, p *pool.Pool, clients []userpool.Client, c *Changes) error {
	keys, err := said.keys(ctx, clientKey)
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
			err = said.forget(ctx, key)
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

// ErrUsers says that some users can't be stored as the file says. The text of
// the error names them.
var ErrUsers = errors.New("users can't be stored")

// refusals are the users who can't be stored.
type refusals struct{ list []string }

// maxRefusals is how many users that could not be stored are named.
const maxRefusals = 10

// add notes what is wrong with a user. What is wrong with the store comes back.
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
		r.list = append(r.list[:maxRefusals], fmt.Sprintf("%d more users can't be stored", n))
	}
	return usersError(strings.Join(r.list, "\n"))
}

type usersError string

func (e usersError) Error() string { return string(e) }

// Is makes it [ErrUsers].
func (e usersError) Is(target error) bool { return target == ErrUsers }

func applyUsers(ctx context.Context, said ledger, p *pool.Pool, users []User, c *Changes) error {
	r := refusals{}
	for _, u := range users {
		err := r.add(u, applyUser(ctx, said, p, u, c))
		if err != nil {
			return fmt.Errorf("storing the user %s: %w", clip(u.Username), err)
		}
	}
	return r.err()
}

// entry is one of a user of the file: where in the ledger it is and how it is
// told from another one.
type entry struct{ key, digest string }

func keyOfUser(u User) string { return userKey + hash(u.Sub) }

func entryOf(p string, u User) entry {
	key := keyOfUser(u)
	return entry{key, digestOf(p+key, u, u.Password, u.TOTPSecret)}
}

// saidUser is what a file said of a user the last time, without secrets and
// values: enough to take back what it does not say any more.
type saidUser struct {
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

// user is what was said, as far as it is known.
func (s saidUser) user() userpool.NewUser {
	n := userpool.NewUser{
		Attributes: map[string]string{}, Groups: s.Groups, MFA: s.MFA, PreferredMFA: s.PreferredMFA,
		Status: s.Status, Temporary: s.Temporary, Password: s.now,
	}
	for _, name := range s.Attributes {
		n.Attributes[name] = "" // the value does not matter
	}
	if s.TOTP {
		n.TOTPSecret = "another"
	}
	return n
}

// say is what is remembered of u.
func (e entry) say(u User) saidUser {
	return saidUser{
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

func applyUser(ctx context.Context, said ledger, p *pool.Pool, u User, c *Changes) error {
	entry := entryOf(said.pool, u)
	before, err := said.entry(ctx, entry.key, u)
	if err != nil || before.Digest == entry.digest {
		return err
	}
	n, err := withSub(ctx, p, u)
	if err != nil {
		return err
	}
	now := entry.say(u)
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
	text, err := json.Marshal(now)
	if err != nil {
		panic("poolconfig: " + err.Error()) // strings cannot fail
	}
	return said.put(ctx, entry.key, string(text))
}

// Put creates a user or makes the one with this name as u says, and tells
// which. Users who came another way keep their sub.
func Put(ctx context.Context, p *pool.Pool, u User) (created bool, err error) {
	n, err := withSub(ctx, p, u)
	if err != nil {
		return false, err
	}
	_, created, err = p.Users.Put(ctx, n)
	return created, err
}

// withSub gives a user without a sub of their own the one that they have already.
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

// A ledger is what a file said about one pool the last time.
type ledger struct {
	store store.Store
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

// entry is what was said of a user; a Digest that is empty: nothing.
func (l ledger) entry(ctx context.Context, key string, u User) (s saidUser, err error) {
	text, err := l.get(ctx, key)
	if err != nil || text == "" {
		return s, err
	}
	if !strings.HasPrefix(text, "{") { // a digest alone, of an earlier release
		return saidUser{Digest: text, Status: u.Status, Temporary: u.Temporary, now: u.Password}, nil
	}
	err = json.Unmarshal([]byte(text), &s)
	if err != nil {
		return s, fmt.Errorf("the store's record of what the file said can't be read: %w", err)
	}
	return s, nil
}

// put keeps a value, whatever another process does with it meanwhile.
func (l ledger) put(ctx context.Context, key, value string) (err error) {
	r := store.Record{Kind: kindConfig, ID: key, Body: []byte(value)}
	const tries = 10
	for range tries {
		err = l.store.Apply(ctx, l.pool, store.Change{Op: store.Update, Record: r})
		if errors.Is(err, store.ErrConflict) { // it is not there
			err = l.store.Apply(ctx, l.pool, store.Change{Op: store.Create, Record: r})
		}
		if !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return err
}

func (l ledger) forget(ctx context.Context, key string) error {
	r := store.Record{Kind: kindConfig, ID: key}
	return l.store.Apply(ctx, l.pool, store.Change{Op: store.Delete, Record: r})
}

// keys returns those that begin like this.
func (l ledger) keys(ctx context.Context, begin string) ([]string, error) {
	var keys []string
	after := begin
	for {
		page, err := l.store.List(ctx, l.pool, kindConfig, store.Query{After: after, Limit: 200})
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

// checkSignInNames refuses what would make users unfindable; known reports whether
// the ledger says by what they are found.
func (l ledger) checkSignInNames(ctx context.Context, s userpool.Settings) (known bool, err error) {
	before, err := l.get(ctx, namesKey)
	if err == nil && before != "" && before != signInNames(s) {
		err = fmt.Errorf("the pool %s has users who are found by %s; that cannot change: "+
			"take them back, give the pool another id, or begin with an empty store", l.pool, before)
	}
	return before != "", err
}

// signInNames is what users are found by.
func signInNames(s userpool.Settings) string {
	return "username_attributes [" + strings.Join(s.UsernameAttributes, " ") +
		"], alias_attributes [" + strings.Join(s.AliasAttributes, " ") + "]"
}

// digestOf is what reports whether an entry of a file changed. Secrets print as
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
