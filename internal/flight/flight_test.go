package flight_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/internal/flight"
)

// TestDo has many callers wait for one call. The first of them leaves.
func TestDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g flight.Group
		var calls atomic.Int32
		slow := func(ctx context.Context) (int, error) {
			calls.Add(1)
			select {
			case <-time.After(time.Second):
				return 7, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		leaves, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := flight.Do(leaves, &g, "k", time.Minute, slow)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("who leaves gets %v", err)
			}
		})
		synctest.Wait()
		for range 10 {
			wg.Go(func() {
				got, err := flight.Do(t.Context(), &g, "k", time.Minute, slow)
				if got != 7 || err != nil {
					t.Errorf("who waits gets %d, %v", got, err)
				}
			})
		}
		synctest.Wait()
		leave()
		wg.Wait()
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls for all who wait", n)
		}
		_, err := flight.Do(t.Context(), &g, "k", time.Millisecond, slow)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call that takes too long ends with %v", err)
		}
	})
}

// TestPanic checks that a panic reaches those who wait, not only the goroutine of the call.
func TestPanic(t *testing.T) {
	defer func() {
		p, ok := recover().(*flight.Panic)
		if !ok || p.Error()[:4] != "oops" {
			t.Errorf("the caller sees %v", p)
		}
	}()
	var g flight.Group
	_, _ = flight.Do(t.Context(), &g, "k", time.Minute, func(context.Context) (int, error) { panic("oops") })
}

func TestSlots(t *testing.T) {
	s := flight.NewSlots(2)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if !s.Take(t.Context()) {
			t.Error("one of two slots can't be taken")
		}
	}
	if s.Take(over) {
		t.Error("a third of two slots was taken")
	}
	s.Free()
	if !s.Take(t.Context()) {
		t.Error("a free slot can't be taken")
	}
}
