package hosted_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cognate-auth/cognate/userpool/store"
)

// A failing store fails at one call, counted from when it was told so.
type failing struct {
	store.Store

	in atomic.Int64 // calls until then; zero: never
}

var errDown = errors.New("the store is down: 10.0.0.7")

func (s *failing) fails() bool { return s.in.Load() > 0 && s.in.Add(-1) == 0 }

func (s *failing) Get(ctx context.Context, pool, kind, id string) (r store.Record, ok bool, err error) {
	if s.fails() {
		return r, false, errDown
	}
	return s.Store.Get(ctx, pool, kind, id)
}

func (s *failing) Find(ctx context.Context, pool, kind, name string) (r store.Record, ok bool, err error) {
	if s.fails() {
		return r, false, errDown
	}
	return s.Store.Find(ctx, pool, kind, name)
}

func (s *failing) List(ctx context.Context, pool, kind string, q store.Query) ([]store.Record, error) {
	if s.fails() {
		return nil, errDown
	}
	return s.Store.List(ctx, pool, kind, q)
}

func (s *failing) Apply(ctx context.Context, pool string, changes ...store.Change) error {
	if s.fails() {
		return errDown
	}
	return s.Store.Apply(ctx, pool, changes...)
}

// condition is how far the accounts got: what users tells, without what is new
// each time.
func condition(now, before string) string {
	now = hash.ReplaceAllStringFunc(now, func(h string) string {
		if strings.Contains(before, h) {
			return "the old password"
		}
		return "a new password"
	})
	lines := strings.Split(totpStep.ReplaceAllString(now, "] "), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var (
	hash     = regexp.MustCompile(`\$argon2id\S+`)
	totpStep = regexp.MustCompile(`\] \d+ `)
)

// TestFailingStoreAtEachStep has the store fail at the first call that the right
// form of a page leads to, at the second, and so on: the answer is an error that
// tells nothing, nobody is signed in, and what the form does is done or not done.
func TestFailingStoreAtEachStep(t *testing.T) {
	t.Parallel()
	for name, arrive := range everyPage {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var before, after string
			for n := int64(0); ; n++ {
				s := arrive(t)
				f, was := s.filled(t), s.users(t)
				st := s.e.Store.(*failing)
				st.in.Store(n)
				a := s.e.Post(t, f.Action, f.Fields, s.header())
				enough := st.in.Swap(0) > 0
				now := condition(s.users(t), was)
				if n == 0 { // nothing fails
					before, after = condition(was, was), now
					continue
				}
				if enough {
					return // the form needs no more calls
				}
				what := fmt.Sprintf("call %d: %d to %s", n, a.StatusCode, a.Header.Get("Location"))
				if strings.Contains(a.Body+a.Header.Get("Location"), "10.0.0.7") {
					t.Errorf("%s: the answer tells about the store: %s", what, a.Body)
				}
				if a.StatusCode != http.StatusFound || !strings.Contains(
					a.Header.Get("Location"), "error=server_error",
				) {
					t.Errorf("%s", what)
				}
				if name == "/signup" && now != before &&
					now != after { // the user is there, and signing in sends the code
					v := s.e.NewVisitor().SignIn(t).Submit(t, "username", "eve", "password", newPassword)
					wantPath(t, v, "/confirm")
					now = condition(s.users(t), was)
				}
				if now != before && now != after {
					t.Errorf("%s: half is done: %s\nbefore: %s\nafter: %s", what, now, before, after)
				}
			}
		})
	}
}
