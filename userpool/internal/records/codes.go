package records

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/store"
)

// The kinds of records of codes and messages.
const (
	KindOneTime = "onetime"
	kindMessage = "message"
	kindSecret  = "secret"
)

// The owners of messages: those of the outbox, and those that decoys write, so
// that a name that nobody has takes the same work as one that somebody has.
const (
	outbox      = "outbox"
	decoyOutbox = "decoys"
)

const (
	maxMessages     = 1000 // kept of a pool
	messageLifetime = 7 * 24 * time.Hour
)

// storedMessage is a Message with its code in the clear.
type storedMessage struct {
	userpool.Message

	Code string `json:",omitempty"`
}

func messageChange(m userpool.Message, decoy bool) store.Change {
	r := store.Record{
		Kind: kindMessage, ID: m.ID, Owner: outbox, Terms: messageTerms(m),
		Expires: m.Time.Add(messageLifetime).Truncate(time.Microsecond),
		Body:    encodeBody(storedMessage{m, string(m.Code)}),
	}
	c := store.Change{Op: store.Create, Record: r, Keep: maxMessages}
	if decoy {
		c.Owner, c.Keep = decoyOutbox, 1
	}
	return c
}

func messageTerms(m userpool.Message) []string {
	return []string{"to:" + naming.Fold(m.To), "name:" + naming.Fold(m.Username), "sub:" + m.Sub}
}

// MessageID is what the IDs of messages begin with that were sent at this time.
func MessageID(unixNano int64) string { return fmt.Sprintf("%016x", unixNano) }

// PutMessage adds m to the outbox; the newest maxMessages stay.
func (s Records) PutMessage(ctx context.Context, m userpool.Message) error {
	return s.Apply(ctx, messageChange(m, false))
}

// Messages returns the messages that q asks for, the newest first.
func (s Records) Messages(ctx context.Context, q userpool.MessageQuery, now time.Time) ([]userpool.Message, error) {
	query := store.Query{Owner: outbox, After: q.Before, Descending: true, Limit: q.Limit}
	// Not those of a time to come, which would stay the newest: see clock.InTime.
	if next := MessageID(now.Add(clock.Slack).UnixNano()); q.Before == "" || q.Before > next {
		query.After = next
	}
	switch {
	case q.To != "":
		query.Term = "to:" + naming.Fold(q.To)
	case q.Sub != "":
		query.Term = "sub:" + q.Sub
	case q.Username != "":
		query.Term = "name:" + naming.Fold(q.Username)
	}
	list, err := s.Store.List(ctx, s.Pool, kindMessage, query)
	if err != nil {
		return nil, err
	}
	out := make([]userpool.Message, 0, len(list))
	for _, r := range list {
		stored, err := decode[storedMessage](r)
		if err != nil {
			return nil, err
		}
		m := stored.Message
		m.Code = userpool.Secret(stored.Code)
		if holds(q, m) && now.Before(r.Expires) {
			out = append(out, m)
		}
	}
	return out, nil
}

// holds checks what the store's one term did not.
func holds(q userpool.MessageQuery, m userpool.Message) bool {
	return (q.To == "" || naming.Fold(q.To) == naming.Fold(m.To)) && (q.Sub == "" || q.Sub == m.Sub) &&
		(q.Username == "" || naming.Fold(q.Username) == naming.Fold(m.Username))
}

// DeleteMessages empties the outbox.
func (s Records) DeleteMessages(ctx context.Context) error {
	return s.Apply(ctx, store.Change{Op: store.DeleteOwned, Record: store.Record{Kind: kindMessage, Owner: outbox}})
}

// OneTimeCode is a code that was sent, without the code itself.
type OneTimeCode struct {
	Purpose, Sub string
	Hash         string // of code, purpose and user; empty: no code matches
	Medium, To   string // where it went: what knowing it proves
	ClientID     string
	Tries        int  // wrong ones so far
	Link         bool // it went out in a link
	Spent        bool // it was used; see Spend
	Expires      time.Time

	Version int64 `json:"-"` // counted up by the store
}

func (c OneTimeCode) id() string { return OneTimeID(c.Purpose, c.Sub) }

// OneTimeID is where the one code of this purpose that a user can have is
// stored.
func OneTimeID(purpose, sub string) string { return userpool.Secret(purpose + ":" + sub).Digest() }

func oneTimeRecord(c OneTimeCode) store.Record {
	return store.Record{
		Kind: KindOneTime, ID: c.id(), Owner: c.Sub, Expires: c.Expires, Version: c.Version, Body: encodeBody(c),
	}
}

// Spend is the change that spends a code: it fails when somebody else did. The
// record stays until its end: for its version, see PutOneTimeCode, and that of a
// link to tell the person, who comes after some program that looks at links, that
// all went well.
func (c OneTimeCode) Spend(userpool.User) store.Change {
	c.Spent = true
	return store.Change{Op: store.Update, Record: oneTimeRecord(c)}
}

// PutOneTimeCode puts c in the place of the code before of this purpose and user,
// and adds the message with it to the outbox: both or neither. The record is
// updated, so that no two codes have the same version of it: who is about to spend
// the code before must not spend this one.
func (s Records) PutOneTimeCode(ctx context.Context, c OneTimeCode, m userpool.Message, decoy bool) error {
	var err error
	change := store.Change{Op: store.Create, Record: oneTimeRecord(c)}
	for range 4 {
		err = s.Apply(ctx, change, messageChange(m, decoy))
		switch {
		case errors.Is(err, store.ErrExists):
			change.Op = store.Update
		case errors.Is(err, store.ErrConflict): // it was removed at that moment
			change.Op = store.Create
		default:
			return err
		}
	}
	return err
}

// OneTimeCode returns the code of this purpose and user.
func (s Records) OneTimeCode(ctx context.Context, purpose, sub string) (c OneTimeCode, ok bool, err error) {
	c, version, ok, err := found[OneTimeCode](s.Store.Get(ctx, s.Pool, KindOneTime, OneTimeID(purpose, sub)))
	c.Version = version
	return c, ok, err
}

// UpdateOneTimeCode replaces the code if its version is still c's.
func (s Records) UpdateOneTimeCode(ctx context.Context, c OneTimeCode) error {
	return s.Apply(ctx, store.Change{Op: store.Update, Record: oneTimeRecord(c)})
}

// PoolSecret returns the secret of this name, which is made when it is first
// asked for and then stays.
func (s Records) PoolSecret(ctx context.Context, name string) (userpool.Secret, error) {
	for range 3 {
		r, ok, err := s.Store.Get(ctx, s.Pool, kindSecret, name)
		if err != nil || ok {
			return userpool.Secret(r.Body), err
		}
		fresh := store.Record{Kind: kindSecret, ID: name, Body: []byte(userpool.NewSecret())}
		err = s.Apply(ctx, store.Change{Op: store.Create, Record: fresh})
		if err != nil && !errors.Is(err, store.ErrExists) {
			return "", err
		}
	}
	return "", store.ErrConflict
}
