package accounts

import (
	"context"
	"fmt"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/core"
)

// Outbox is the messages that a pool has sent, or would have.
type Outbox struct{ core *core.Core }

const maxListed = 1000

// List returns the outbox: the messages of the last seven days, at most
// 1000, the newest first.
func (o *Outbox) List(ctx context.Context, q userpool.MessageQuery) ([]userpool.Message, error) {
	if q.Limit <= 0 || q.Limit > maxListed {
		q.Limit = maxListed
	}
	out, err := o.core.Records.Messages(ctx, q, o.core.Now())
	if err != nil {
		return nil, fmt.Errorf("userpool: reading the outbox: %w", err)
	}
	return out, nil
}

// Clear empties the outbox.
func (o *Outbox) Clear(ctx context.Context) error {
	err := o.core.Records.DeleteMessages(ctx)
	if err != nil {
		return fmt.Errorf("userpool: emptying the outbox: %w", err)
	}
	return nil
}
