package userpool

import (
	"context"
	"errors"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// The kinds of records of codes and messages.
const (
	kindOneTime = "onetime"
	kindMessage = "message"
	kindSecret  = "secret"
)

// The owners of messages: those of the outbox, and those that decoys write, so
// that a name that nobody has takes the same work as one that somebody has.
const (
	outbox      = "outbox"
	decoyOutbox = "decoys"
)

// storedMessage is a Message with its code in the clear.
type storedMessage struct {
	Message

	Code string `json:",omitempty"`
}

func messageChange(m Message, decoy bool) store.Change {
	r := store.Record{
		Kind: kindMessage, ID: m.ID, Owner: outbox, Terms: messageTerms(m),
		Expires: m.Time.Add(messageLifetime).Truncate(time.Microsecond), Body: encodeBody(storedMessage{m, string(m.Code)}),
	}
	c := store.Change{Op: store.Create, Record: r, Keep: maxMessages}
	if decoy {
		c.Owner, c.Keep = decoyOutbox, 1
	}
	return c
}

func messageTerms(m Message) []string {
	return []string{"to:" + foldLogin(m.To), "name:" + foldLogin(m.Username), "sub:" + m.Sub}
}

// PutMessage adds m to the outbox; the newest maxMessages stay.
func (s records) PutMessage(ctx context.Context, m Message) error {
	return s.Apply(ctx, messageChange(m, false))
}

// Messages returns the messages that q asks for, the newest first.
func (s records) Messages(ctx context.Context, q MessageQuery, now time.Time) ([]Message, error) {
	query := store.Query{Owner: outbox, After: q.Before, Descending: true, Limit: q.Limit}
	// Not those of a time to come, which would stay the newest: see inTime.
	if next := messageID(now.Add(clockSlack).UnixNano()); q.Before == "" || q.Before > next {
		query.After = next
	}
	switch {
	case q.To != "":
		query.Term = "to:" + foldLogin(q.To)
	case q.Sub != "":
		query.Term = "sub:" + q.Sub
	case q.Username != "":
		query.Term = "name:" + foldLogin(q.Username)
	}
	list, err := s.store.List(ctx, s.pool, kindMessage, query)
	if err != nil {
		return nil, err
	}
	out := make([]Message, 0, len(list))
	for _, r := range list {
		stored, err := decode[storedMessage](r)
		if err != nil {
			return nil, err
		}
		m := stored.Message
		m.Code = Secret(stored.Code)
		if holds(q, m) && now.Before(r.Expires) {
			out = append(out, m)
		}
	}
	return out, nil
}

// holds checks what the store's one term did not.
func holds(q MessageQuery, m Message) bool {
	return (q.To == "" || foldLogin(q.To) == foldLogin(m.To)) && (q.Sub == "" || q.Sub == m.Sub) &&
		(q.Username == "" || foldLogin(q.Username) == foldLogin(m.Username))
}

// DeleteMessages empties the outbox.
func (s records) DeleteMessages(ctx context.Context) error {
	return s.Apply(ctx, store.Change{Op: store.DeleteOwned, Record: store.Record{Kind: kindMessage, Owner: outbox}})
}

func oneTimeRecord(c oneTimeCode) store.Record {
	return store.Record{
		Kind: kindOneTime, ID: c.id(), Owner: c.Sub, Expires: c.Expires, Version: c.version, Body: encodeBody(c),
	}
}

// PutOneTimeCode puts c in the place of the code before of this purpose and user,
// and adds the message with it to the outbox: both or neither. The record is
// updated, so that no two codes have the same version of it: who is about to spend
// the code before must not spend this one.
func (s records) PutOneTimeCode(ctx context.Context, c oneTimeCode, m Message, decoy bool) error {
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
func (s records) OneTimeCode(ctx context.Context, purpose, sub string) (c oneTimeCode, ok bool, err error) {
	c, version, ok, err := found[oneTimeCode](s.store.Get(ctx, s.pool, kindOneTime, oneTimeID(purpose, sub)))
	c.version = version
	return c, ok, err
}

// UpdateOneTimeCode replaces the code if its version is still c's.
func (s records) UpdateOneTimeCode(ctx context.Context, c oneTimeCode) error {
	return s.Apply(ctx, store.Change{Op: store.Update, Record: oneTimeRecord(c)})
}

// PoolSecret returns the secret of this name, which is made when it is first
// asked for and then stays.
func (s records) PoolSecret(ctx context.Context, name string) (Secret, error) {
	for range 3 {
		r, ok, err := s.store.Get(ctx, s.pool, kindSecret, name)
		if err != nil || ok {
			return Secret(r.Body), err
		}
		fresh := store.Record{Kind: kindSecret, ID: name, Body: []byte(newOpaque())}
		err = s.Apply(ctx, store.Change{Op: store.Create, Record: fresh})
		if err != nil && !errors.Is(err, store.ErrExists) {
			return "", err
		}
	}
	return "", store.ErrConflict
}
