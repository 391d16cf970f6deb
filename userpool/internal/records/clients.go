package records

import (
	"context"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// storedClient is a Client with its secrets in the clear.
type storedClient struct {
	userpool.Client

	Secret       string `json:",omitempty"`
	SecondSecret string `json:",omitempty"`
}

// ClientRecord returns a client as it is stored.
func ClientRecord(c userpool.Client, version int64) store.Record {
	body := encodeBody(storedClient{c, string(c.Secret), string(c.SecondSecret)})
	return store.Record{Kind: kindClient, ID: c.ID, Version: version, Body: body}
}

func (s storedClient) client(version int64) userpool.Client {
	c := s.Client
	c.Secret, c.SecondSecret, c.Version = userpool.Secret(s.Secret), userpool.Secret(s.SecondSecret), version
	return c
}

// CreateClient adds c, or returns ErrExists when its ID is taken.
func (s Records) CreateClient(ctx context.Context, c userpool.Client) error {
	return s.Apply(ctx, store.Change{Op: store.Create, Record: ClientRecord(c, 0)})
}

// UpdateClient replaces the client if its Version is still c's.
func (s Records) UpdateClient(ctx context.Context, c userpool.Client) error {
	return s.Apply(ctx, store.Change{Op: store.Update, Record: ClientRecord(c, c.Version)})
}

// DeleteClient removes the client with this ID.
func (s Records) DeleteClient(ctx context.Context, id string) error {
	return s.Apply(ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindClient, ID: id}})
}

// Client returns the client with this ID.
func (s Records) Client(ctx context.Context, id string) (c userpool.Client, ok bool, err error) {
	stored, version, ok, err := found[storedClient](s.Store.Get(ctx, s.Pool, kindClient, id))
	return stored.client(version), ok, err
}

// Clients returns at most limit clients with IDs after this one, in their order.
func (s Records) Clients(ctx context.Context, after string, limit int) ([]userpool.Client, error) {
	list, err := s.Store.List(ctx, s.Pool, kindClient, store.Query{After: after, Limit: limit})
	if err != nil {
		return nil, err
	}
	out := make([]userpool.Client, 0, len(list))
	for _, r := range list {
		stored, err := decode[storedClient](r)
		if err != nil {
			return nil, err
		}
		out = append(out, stored.client(r.Version))
	}
	return out, nil
}
