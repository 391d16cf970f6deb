package userpool

import (
	"context"
	"fmt"
)

// maxPage is how many clients or users one call of Clients or Users returns at most.
const maxPage = 100

// Client returns the client with this ID, with its secrets.
func (p *Pool) Client(ctx context.Context, id string) (c Client, ok bool, err error) {
	c, ok, err = p.store.Client(ctx, p.id, id)
	if err != nil {
		return Client{}, false, fmt.Errorf("userpool: reading client: %w", err)
	}
	return c, ok, nil
}

// Clients returns at most limit clients, and never more than 100, in the order
// of their IDs: those after the one given.
func (p *Pool) Clients(ctx context.Context, after string, limit int) ([]Client, error) {
	list, err := p.store.Clients(ctx, p.id, after, min(limit, maxPage))
	if err != nil {
		return nil, fmt.Errorf("userpool: reading clients: %w", err)
	}
	return list, nil
}

// UserQuery says which users [Pool.Users] returns.
type UserQuery struct {
	// Attribute is what to search by: username, email, phone_number, name,
	// given_name, family_name, preferred_username, status or group. Empty: all
	// users.
	Attribute string
	Prefix    string // of its value; case matters
	After     string // only users whose sub is greater
	Limit     int    // at most 100
}

// Users returns the users that q asks for, by sub.
func (p *Pool) Users(ctx context.Context, q UserQuery) ([]User, error) {
	query := Query{After: q.After, Limit: min(q.Limit, maxPage)}
	if q.Attribute != "" {
		query.TermPrefix = q.Attribute + ":" + q.Prefix
	}
	list, err := p.store.Users(ctx, p.id, query)
	if err != nil {
		return nil, fmt.Errorf("userpool: reading users: %w", err)
	}
	return list, nil
}
