package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/redisstore"
	"github.com/cognate-auth/cognate/redisstore/redistest"
	"github.com/cognate-auth/cognate/sessionstore"
	"github.com/redis/rueidis"
)

// An oldMemory is a client that receives no notice of changes: once frozen, it repeats
// its earlier answers.
type oldMemory struct {
	rueidis.Client
	frozen  bool
	answers map[string]rueidis.RedisResult
}

func (c *oldMemory) DoCache(ctx context.Context, cmd rueidis.Cacheable, ttl time.Duration) rueidis.RedisResult {
	key := cmd.Commands()[1]
	if answer, ok := c.answers[key]; ok && c.frozen {
		return answer
	}
	c.answers[key] = c.Client.DoCache(ctx, cmd, ttl)
	return c.answers[key]
}

func freezable(t *testing.T) (*redisstore.Store, *oldMemory) {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{redistest.Start(t).Addr}})
	must(t, err)
	t.Cleanup(client.Close)
	memory := &oldMemory{Client: client, answers: make(map[string]rueidis.RedisResult)}
	s, err := redisstore.NewFromClient(memory, redisstore.Config{Timeout: patient})
	must(t, err)
	return s, memory
}

// TestOwnWrites checks that Load sees a change of its own process at once, however late
// the server's notice arrives.
func TestOwnWrites(t *testing.T) {
	t.Parallel()
	s, memory := freezable(t)
	sees := func(what, key string, version uint64) {
		t.Helper()
		got, err := s.Load(t.Context(), key)
		if err != nil && !errors.Is(err, sessionstore.ErrNoRecord) || got.Version != version {
			t.Errorf("%s: got version %d, error %v, want %d", what, got.Version, err, version)
		}
	}
	ann, bob := record("ann"), record("bob", "x")
	sees("nothing yet", ann.Key, 0)
	memory.frozen = true
	must(t, s.Create(t.Context(), ann))
	sees("created", ann.Key, 1)
	must(t, s.Update(t.Context(), ann))
	sees("updated", ann.Key, 2)

	must(t, s.Create(t.Context(), bob))
	memory.frozen = false
	sees("created", bob.Key, 1)
	sees("updated", ann.Key, 2)
	memory.frozen = true
	must(t, s.Delete(t.Context(), ann.Key))
	sees("deleted", ann.Key, 0)
	_, err := s.DeleteIndexed(t.Context(), name("x"))
	must(t, err)
	sees("deleted by index", bob.Key, 0)
	must(t, s.Create(t.Context(), bob))
	sees("created again", bob.Key, 1)
}

// TestOthersContext checks that a call which waits for another call's answer does not
// get the error of that call's context.
func TestOthersContext(t *testing.T) {
	t.Parallel()
	s, memory := freezable(t)
	r := record("ann")
	must(t, s.Create(t.Context(), r))
	memory.frozen = true
	memory.answers["cognate:r:"+r.Key] = rueidis.NewErrorResult(context.Canceled)
	_, err := s.Load(t.Context(), r.Key)
	if err != nil {
		t.Errorf("somebody else went away: got error %v", err)
	}
	memory.answers["cognate:r:"+r.Key] = rueidis.NewErrorResult(errors.New("connection reset"))
	_, err = s.Load(t.Context(), r.Key)
	if err == nil {
		t.Error("no error, although the server could not be asked")
	}
}
