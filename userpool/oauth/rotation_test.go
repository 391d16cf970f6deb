package oauth_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// rotating is a client whose refresh tokens are rotated, and a token of Ann's.
type rotating struct {
	*pooltest.Env

	header http.Header
	first  string
}

func newRotating(t *testing.T, grace time.Duration, changes ...func(*pool.Config)) *rotating {
	t.Helper()
	e := pooltest.New(t, changes...)
	c := e.AddClient(t, userpool.Client{
		ID: "rotating", GenerateSecret: true, CallbackURLs: []string{pooltest.Callback},
		RefreshTokenRotation: userpool.RefreshTokenRotation{Enabled: true, RetryGracePeriod: grace},
	})
	x := &rotating{Env: e, header: pooltest.Basic(c.ID, c.Secret)}
	form := url.Values{
		"grant_type": {"authorization_code"}, "redirect_uri": {pooltest.Callback},
		"code": {e.Code(t, "client_id", c.ID)},
	}
	x.first, _ = e.Post(t, "/oauth2/token", form, x.header).JSON(t)["refresh_token"].(string)
	return x
}

func (x *rotating) refresh(t *testing.T, token string) pooltest.Answer {
	t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	return x.Post(t, "/oauth2/token", form, x.header)
}

// next refreshes and returns the new refresh token.
func (x *rotating) next(t *testing.T, token string) string {
	t.Helper()
	a := x.refresh(t, token)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("refresh: got %d %s", a.StatusCode, a.Body)
	}
	fresh, _ := a.JSON(t)["refresh_token"].(string)
	if fresh == "" || fresh == token {
		t.Fatalf("refresh token after a rotation: %q, want a new one", fresh)
	}
	return fresh
}

func TestRotation(t *testing.T) {
	t.Parallel()
	x := newRotating(t, 30*time.Second)
	second := x.next(t, x.first)
	x.Clock.Advance(30*time.Second - time.Nanosecond)
	inGrace := x.next(t, x.first) // the answer with second was lost
	x.Clock.Advance(time.Nanosecond)
	checkRefused(t, x.refresh(t, x.first), "invalid_grant")

	// The grace did not begin again with its use, and the reuse took nothing from
	// those who came after; nor does the removal of what is over.
	x.Clock.Advance(2 * time.Minute)
	x.next(t, second)
	x.next(t, inGrace)
}

// TestRotatedTokensAreForgotten refreshes often: what can't be used any more is not kept.
func TestRotatedTokensAreForgotten(t *testing.T) {
	t.Parallel()
	x := newRotating(t, 0)
	token := x.first
	for range 3 {
		token = x.next(t, token)
	}
	left, err := x.Store.List(t.Context(), pooltest.PoolID, "refresh", store.Query{Limit: 9})
	if err != nil || len(left) != 1 {
		t.Errorf("%d tokens are left, %v; want the last one", len(left), err)
	}
	checkRefused(t, x.refresh(t, x.first), "invalid_grant")
	x.next(t, token)
}

// conflicting is a store where somebody else rotates the token first, some times.
type conflicting struct {
	store.Store

	times atomic.Int64
}

func (s *conflicting) Apply(ctx context.Context, p string, changes ...store.Change) error {
	rotates := len(changes) == 2 && changes[0].Kind == "refresh" && changes[0].Op == store.Update
	if rotates && s.times.Add(-1) >= 0 {
		return store.ErrConflict
	}
	return s.Store.Apply(ctx, p, changes...)
}

// TestRotationConflict looks again when the token changed under its hands, but not for
// ever.
func TestRotationConflict(t *testing.T) {
	t.Parallel()
	s := &conflicting{}
	x := newRotating(t, time.Minute, func(c *pool.Config) {
		s.Store = c.Store
		c.Store = s
	})
	for times, want := range map[int64]int{0: 200, 1: 200, 9: 200, 10: 500, 1000: 500} {
		s.times.Store(times)
		if a := x.refresh(t, x.first); a.StatusCode != want {
			t.Errorf("%d conflicts: got %d, want %d", times, a.StatusCode, want)
		}
	}
}

// TestRotationWithoutGrace also shows that the clock need not move.
func TestRotationWithoutGrace(t *testing.T) {
	t.Parallel()
	x := newRotating(t, 0)
	second := x.next(t, x.first)
	checkRefused(t, x.refresh(t, x.first), "invalid_grant")
	x.next(t, second)
}

// TestRotationKeepsTheEnd refreshes through a whole lifetime: rotation does not
// make it longer.
func TestRotationKeepsTheEnd(t *testing.T) {
	t.Parallel()
	x := newRotating(t, time.Minute)
	token := x.first
	for range 29 {
		x.Clock.Advance(24 * time.Hour)
		token = x.next(t, token)
	}
	x.Clock.Advance(24*time.Hour - time.Second)
	last := x.next(t, token)
	x.Clock.Advance(time.Second)
	checkRefused(t, x.refresh(t, last), "invalid_grant")
}

// TestRotationKeepsTheFamily compares the claims, and revokes the family by one of
// its tokens.
func TestRotationKeepsTheFamily(t *testing.T) {
	t.Parallel()
	x := newRotating(t, time.Minute)
	first := x.refresh(t, x.first).JSON(t)
	x.Clock.Advance(time.Second)
	token, _ := first["refresh_token"].(string)
	second := x.refresh(t, token).JSON(t)
	_, before := pooltest.Claims(t, first["id_token"])
	_, after := pooltest.Claims(t, second["id_token"])
	for _, name := range []string{"sub", "iss", "aud", "auth_time", "origin_jti"} {
		if before[name] == nil || before[name] != after[name] {
			t.Errorf("%s was %v, is %v", name, before[name], after[name])
		}
	}
	if a := x.UserInfo(t, second["access_token"]); a.StatusCode != http.StatusOK {
		t.Fatalf("userInfo: got %d", a.StatusCode)
	}

	x.Post(t, "/oauth2/revoke", url.Values{"token": {token}}, x.header) // rotated, in its grace
	latest, _ := second["refresh_token"].(string)
	checkRefused(t, x.refresh(t, latest), "invalid_grant")
	checkRefused(t, x.refresh(t, token), "invalid_grant")
	if a := x.UserInfo(t, second["access_token"]); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("userInfo after the revocation: got %d, want 401", a.StatusCode)
	}
}

// TestConcurrentRotation has fifty requests with one token: without grace one gets
// through, with grace all do.
func TestConcurrentRotation(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		grace time.Duration
		want  int64
	}{
		"no grace": {0, 1},
		"grace":    {time.Minute, 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newRotating(t, tt.grace)
			var passed atomic.Int64
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					switch a := x.refresh(t, x.first); a.StatusCode {
					case http.StatusOK:
						passed.Add(1)
					case http.StatusBadRequest:
					default:
						t.Errorf("got %d %s", a.StatusCode, a.Body)
					}
				})
			}
			wg.Wait()
			if passed.Load() != tt.want {
				t.Errorf("%d of 50 refreshes passed, want %d", passed.Load(), tt.want)
			}
		})
	}
}

// spare are keys for all tests of the process, since they take long to make.
var spare = [4]func() (*keys.Pair, error){
	sync.OnceValues(keys.Generate), sync.OnceValues(keys.Generate),
	sync.OnceValues(keys.Generate), sync.OnceValues(keys.Generate),
}

// TestKeyRotation signs with other keys, keeps what the old ones signed good, and
// then withdraws them.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	old := e.Tokens(t)
	fresh, err := spare[0]()
	if err != nil {
		t.Fatal(err)
	}
	err = e.Pool.Keys.Rotate(t.Context(), fresh)
	if err != nil {
		t.Fatal(err)
	}
	rotated := e.Tokens(t)
	if got := len(jwks(t, e).Keys); got != 4 {
		t.Fatalf("%d keys are published, want the new and the old pair", got)
	}
	text := func(tokens map[string]any, kind string) string {
		s, _ := tokens[kind].(string)
		return s
	}
	verify(t, e, 0, text(rotated, "id_token"))
	verify(t, e, 1, text(rotated, "access_token"))
	verify(t, e, 2, text(old, "id_token"))
	verify(t, e, 3, text(old, "access_token"))
	if a := e.UserInfo(t, old["access_token"]); a.StatusCode != http.StatusOK {
		t.Errorf("a token of the old key: got %d, want 200", a.StatusCode)
	}

	err = e.Pool.Keys.Withdraw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(jwks(t, e).Keys); got != 2 {
		t.Errorf("%d keys are published, want the new pair", got)
	}
	verify(t, e, 1, text(rotated, "access_token"))
	if a := e.UserInfo(t, old["access_token"]); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token of a withdrawn key: got %d, want 401", a.StatusCode)
	}
	if a := e.UserInfo(t, rotated["access_token"]); a.StatusCode != http.StatusOK {
		t.Errorf("a token of the new key: got %d, want 200", a.StatusCode)
	}
	if a := e.Refresh(t, old["refresh_token"]); a.StatusCode != http.StatusOK {
		t.Errorf("a refresh token, which no key signs: got %d, want 200", a.StatusCode)
	}
}

func TestKeyRotationIsRefused(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	inUse, err := pooltest.Keys()
	if err != nil {
		t.Fatal(err)
	}
	for want, pairs := range map[string]*keys.Pair{"needs keys": nil, "in use": inUse} {
		err := e.Pool.Keys.Rotate(t.Context(), pairs)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	if got := len(jwks(t, e).Keys); got != 2 {
		t.Errorf("%d keys are published, want 2", got)
	}
}

// TestKeyRotationIsBounded rotates often: what is published stays small.
func TestKeyRotationIsBounded(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for _, next := range spare { // with the first pair one more than there may be
		pairs, err := next()
		if err != nil {
			t.Fatal(err)
		}
		err = e.Pool.Keys.Rotate(t.Context(), pairs)
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := len(jwks(t, e).Keys); got != 8 {
		t.Errorf("%d keys are published, want four pairs", got)
	}
}
