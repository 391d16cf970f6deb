package sqlstore_test

import (
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// signing has keys for all tests, because generating them takes long.
var signing = sync.OnceValues(keys.Generate)

// twoPools returns one pool as two processes have it, with an app and a user.
func twoPools(t *testing.T, database string) (pools [2]*pool.Pool, app userpool.Client, user userpool.User) {
	t.Helper()
	pairs, err := signing()
	if err != nil {
		t.Fatal(err)
	}
	for i := range pools {
		p, err := pool.New(t.Context(), pool.Config{
			ID: "local_two", Issuer: "http://pool.test/", Store: open(t, database), Keys: pairs,
			Hashing: userpool.HashCost{MemoryKiB: 8, Passes: 1, Lanes: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		pools[i] = p
	}
	app, err = pools[0].Clients.Create(t.Context(), userpool.Client{
		ID: "app", CallbackURLs: []string{"https://app.test/callback"}, AllowedOAuthScopes: []string{"openid"},
	})
	if err != nil {
		t.Fatal(err)
	}
	user, err = pools[1].Users.Create(t.Context(), userpool.NewUser{Username: "ann", Password: "correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	return pools, app, user
}

var request = url.Values{
	"client_id": {"app"}, "redirect_uri": {"https://app.test/callback"}, "response_type": {"code"}, "scope": {"openid"},
}

// TestCodeOfAnotherProcess redeems a code in another process than issued it, several
// times at once: it works once. The tokens are valid in a process that did not sign
// them.
func TestCodeOfAnotherProcess(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, database func(testing.TB) string) {
		ctx := t.Context()
		pools, app, user := twoPools(t, database(t))
		session, _, err := pools[0].Sessions.Start(ctx, user.Sub, []string{"pwd"}, "")
		if err != nil {
			t.Fatal(err)
		}
		a, err := pools[1].Grants.ParseAuthorization(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		location, ok, err := pools[1].Grants.AuthorizeSilently(ctx, a, session)
		if err != nil || !ok {
			t.Fatalf("the session of the other process: got %v, error %v", ok, err)
		}
		target, err := url.Parse(location)
		if err != nil {
			t.Fatal(err)
		}
		var won atomic.Int64
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				tokens, err := pools[i%2].Grants.RedeemCode(ctx, app, grants.CodeGrant{
					Code: userpool.Secret(target.Query().Get("code")), RedirectURI: "https://app.test/callback",
				})
				if err == nil {
					won.Add(1)
					info, err := pools[1-i%2].Grants.UserInfo(ctx, tokens.AccessToken)
					if err != nil || info["sub"] != user.Sub {
						t.Errorf("a token of the other process: got %v, error %v", info, err)
					}
					return
				}
				if refusal, ok := errors.AsType[*userpool.Error](err); !ok ||
					refusal.Code != userpool.CodeInvalidGrant {
					t.Errorf("got error %v, want invalid_grant", err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("the code was redeemed %d times, want once", won.Load())
		}
	})
}

// TestFlowOfAnotherProcess starts a sign-in in one process and continues it in the
// other. A step that was done there can't be repeated here.
func TestFlowOfAnotherProcess(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, database func(testing.TB) string) {
		ctx := t.Context()
		pools, _, _ := twoPools(t, database(t))
		id, begun := pools[0].Flows.Start("browser", "request")
		begun.Username = "ann"
		err := pools[0].Flows.Save(ctx, begun)
		if err != nil {
			t.Fatal(err)
		}
		there, ok, err := pools[1].Flows.Get(ctx, id, "browser", "request")
		if err != nil || !ok || there.Username != "ann" {
			t.Fatalf("got %v, %v, error %v, want the flow", there, ok, err)
		}
		there.Step = userpool.StepSignedIn
		err = pools[1].Flows.Save(ctx, there)
		if err != nil {
			t.Fatal(err)
		}
		err = pools[0].Flows.Save(ctx, begun)
		if !errors.Is(err, signin.ErrStale) {
			t.Errorf("the same step again: got %v, want ErrStale", err)
		}
	})
}

// TestLockOverProcesses guesses passwords at both processes in turn: the failures are
// counted together.
func TestLockOverProcesses(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, database func(testing.TB) string) {
		pools, _, _ := twoPools(t, database(t))
		for i := range 12 {
			_, err := pools[i%2].Users.SignIn(t.Context(), "ann", "wrong")
			refusal, ok := errors.AsType[*userpool.Error](err)
			if !ok {
				t.Fatalf("got error %v, want a refusal", err)
			}
			if locked := refusal.Description == userpool.TextLocked; locked {
				if i < 5 {
					t.Errorf("locked after %d failures, want 5", i)
				}
				_, err = pools[1-i%2].Users.SignIn(t.Context(), "ann", "correct horse")
				if refusal, ok := errors.AsType[*userpool.Error](err); !ok ||
					refusal.Description != userpool.TextLocked {
					t.Errorf("the other process: got %v, want that it is locked", err)
				}
				return
			}
		}
		t.Error("12 failures at two processes did not lock")
	})
}

// TestKeysOfTwo starts two processes on an empty database: they sign with the same
// keys, and so does one that starts later.
func TestKeysOfTwo(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, database func(testing.TB) string) {
		url := database(t)
		first, second := start(t, url), start(t, url)
		want := keySet(t, first)
		for _, p := range []*pool.Pool{second, start(t, url)} {
			if got := keySet(t, p); got != want {
				t.Errorf("got keys %s, want %s", got, want)
			}
		}
	})
}

// start starts a pool whose keys are in the database.
func start(t *testing.T, url string) *pool.Pool {
	t.Helper()
	p, err := pool.New(t.Context(), pool.Config{
		ID: "local_two", Issuer: "http://pool.test/", Store: open(t, url),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func keySet(t *testing.T, p *pool.Pool) string {
	t.Helper()
	set, err := p.Keys.JWKS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(set)
}
