package userpool

import (
	"context"
	"fmt"
)

// maxPage is how many clients one call of Clients returns at most.
const maxPage = 100

// Client returns the client with this ID, with its secrets.
func (p *Pool) Client(ctx context.Context, id string) (c Client, ok bool, err error) {
	c, ok, err = p.store.Client(ctx, id)
	if err != nil {
		return Client{}, false, fmt.Errorf("userpool: reading client: %w", err)
	}
	return c, ok, nil
}

// Clients returns at most limit clients, and never more than 100, in the order
// of their IDs: those after the one given.
func (p *Pool) Clients(ctx context.Context, after string, limit int) ([]Client, error) {
	list, err := p.store.Clients(ctx, after, min(limit, maxPage))
	if err != nil {
		return nil, fmt.Errorf("userpool: reading clients: %w", err)
	}
	return list, nil
}
