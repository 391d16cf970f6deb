package storetest

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/signin"
	"github.com/cognate-auth/cognate/userpool/store"
)

// RunOnce is the suite of all that is good once: codes, refresh tokens that
// rotate, forms, links, states, assertions. Each is used many times at the same
// moment by two pools on one database, as two processes have them, whose clocks
// differ, and again after these were set back: one use counts. open returns two
// stores on one empty database, which may be one and the same; the subtests run in
// parallel.
func RunOnce(t *testing.T, open func(t *testing.T) (one, other store.Store)) {
	t.Helper()
	for name, begin := range map[string]func(*twins) use{
		"authorization code":         onceCode,
		"refresh token that rotates": onceRefresh,
		"turn of a flow":             onceTurn,
		"end of a flow":              onceEnd,
		"flow that gets another id":  onceRenewed,
		"code of a sign-up":          onceSignUp,
		"link of a sign-up":          onceLink,
		"code for a new password":    onceRecovery,
		"code by mail as the second factor": func(e *twins) use {
			return e.onceFactor(userpool.NewUser{Username: "eve", MFA: []string{userpool.FactorEmail}})
		},
		"code of an authenticator app": func(e *twins) use {
			return e.onceFactor(
				userpool.NewUser{Username: "eve", MFA: []string{userpool.FactorTOTP}, TOTPSecret: totpSecret},
			)
		},
		"code by mail as the first factor":   onceFirstFactor,
		"set-up of an authenticator app":     onceSetup,
		"answer of a passkey":                oncePasskey,
		"temporary password":                 onceTemporary,
		"assertion":                          onceAssertion,
		"state of a round trip":              func(e *twins) use { return e.onceTrip(userpool.TripOIDC) },
		"state of a round trip by SAML":      func(e *twins) use { return e.onceTrip(userpool.TripSAML) },
		"state of a held answer":             func(e *twins) use { return e.onceTrip(userpool.TripAnswer) },
		"state of a logout":                  func(e *twins) use { return e.onceTrip(userpool.TripLogout) },
		"user of an outside sign-in":         onceFederated,
		"user of a file":                     oncePut,
		"name of a sign-up":                  onceName,
		"rotated token after its grace":      onceAfterGrace,
		"rotated token, refused in its time": onceRefused,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, other := open(t)
			e := newTwins(t, one, other)
			e.run(begin(e))
		})
	}
}

// A use uses the one thing at one of the pools. A refusal is an error of the
// pool's rules, or errUsed.
type use func(p *pool.Pool) error

var errUsed = errors.New("it was used")

// twins are one pool as two processes have it.
type twins struct {
	*testing.T

	stores  [2]store.Store
	pools   [2]*pool.Pool
	back    atomic.Int64 // nanoseconds by which both clocks are behind
	app     userpool.Client
	choice  userpool.Client // lets people choose how to sign in
	effects atomic.Int64    // what came of it, where more than one may be told that all is well
	counts  bool            // effects counts, not the uses that succeeded
	want    int64           // how many there are to be
}

// lag is how far the clock of the second process is behind.
const lag = 20 * time.Second

var signing = sync.OnceValues(keys.Generate)

const (
	callback   = "https://app.test/callback"
	password   = "correct horse"
	totpSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	provider   = "Corp"
)

func newTwins(t *testing.T, stores ...store.Store) *twins {
	t.Helper()
	e := &twins{T: t, want: 1}
	pairs, err := signing()
	e.must(err)
	begin := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	for i, s := range stores {
		e.stores[i] = s
		e.pools[i], err = pool.New(t.Context(), pool.Config{
			ID: "local_once", Issuer: "http://pool.test/", Store: s, Keys: pairs,
			Hashing: userpool.HashCost{MemoryKiB: 8, Passes: 1, Lanes: 1}, HashWait: time.Hour,
			Now: func() time.Time { return begin.Add(-time.Duration(e.back.Load()) - time.Duration(i)*lag) },
			Settings: userpool.Settings{
				SelfSignUp: true, AutoVerifiedAttributes: []string{"email"}, MFA: userpool.MFAOptional,
				MFATypes: []string{userpool.FactorEmail, userpool.FactorTOTP}, Recovery: []string{"verified_email"},
				FirstFactors: []string{userpool.FactorPassword, userpool.FactorPasskey, userpool.FactorEmail},
				IdentityProviders: []userpool.IdentityProvider{
					{Name: provider, Type: userpool.ProviderSAML, Metadata: "<x/>"},
				},
				Triggers: map[string]userpool.Trigger{userpool.TriggerPostConfirmation: {URL: "http://trigger.test"}},
			},
			Invoke: func(_ context.Context, _ userpool.Trigger, event []byte) ([]byte, error) {
				e.effects.Add(1)
				return event, nil
			},
			Passkeys: passkeys{},
		})
		e.must(err)
	}
	client := userpool.Client{
		ID: "app", CallbackURLs: []string{callback}, AllowedOAuthScopes: []string{"openid"},
		SupportedIdentityProviders: []string{userpool.ProviderCognito, provider},
		RefreshTokenRotation:       userpool.RefreshTokenRotation{Enabled: true},
	}
	e.app, err = e.pools[0].Clients.Create(t.Context(), client)
	e.must(err)
	client.ID, client.ExplicitAuthFlows = "choice", []string{"ALLOW_USER_AUTH"}
	client.RefreshTokenRotation.RetryGracePeriod = time.Minute
	e.choice, err = e.pools[0].Clients.Create(t.Context(), client)
	e.must(err)
	return e
}

func (e *twins) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// run uses it many times at once, and then at other times.
func (e *twins) run(u use) {
	e.Helper()
	ways := func(d time.Duration) int64 {
		e.back.Store(int64(d))
		wins := race(6, func(i int) bool { return e.passes(u, i%2) })
		if e.counts {
			return e.effects.Load()
		}
		return int64(wins)
	}
	if n := ways(0); n != e.want {
		e.Errorf("at the same moment it counted %d times, want %d", n, e.want)
	}
	if !e.counts {
		e.want = 0
	}
	for _, d := range []time.Duration{
		0, time.Millisecond, lag, 2 * time.Minute, time.Hour, 365 * 24 * time.Hour, -2 * time.Hour,
	} {
		if n := ways(d); n != e.want {
			e.Errorf("with the clocks %v back it counted %d times, want %d", d, n, e.want)
		}
	}
	_, err := e.stores[0].DeleteExpired(e.Context(), e.pools[0].Now(), 1000) // two hours later all of it is over
	e.must(err)
	if n := ways(0); n != e.want {
		e.Errorf("after the end, with the clocks set back, it counted %d times, want %d", n, e.want)
	}
}

func (e *twins) passes(u use, i int) bool {
	err := u(e.pools[i])
	_, refused := errors.AsType[*userpool.Error](err)
	_, page := errors.AsType[*userpool.PageError](err)
	if err != nil && !refused && !page && !errors.Is(err, signin.ErrStale) && !errors.Is(err, errUsed) {
		e.Errorf("got %v, want a refusal", err)
	}
	return err == nil
}

// request is an authorization request of a client.
func (e *twins) request(c userpool.Client) *grants.Authorization {
	e.Helper()
	a, err := e.pools[1].Grants.ParseAuthorization(e.Context(), url.Values{
		"client_id": {c.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"},
	})
	e.must(err)
	return a
}

// user makes a user whose address is verified.
func (e *twins) user(n userpool.NewUser) userpool.User {
	e.Helper()
	n.Password = password
	n.Attributes = map[string]string{"email": n.Username + "@example.com", "email_verified": "true"}
	u, err := e.pools[1].Users.Create(e.Context(), n)
	e.must(err)
	return u
}

// code is the code in the newest message to a user.
func (e *twins) code(username string) userpool.Secret {
	e.Helper()
	list, err := e.pools[0].Outbox.List(e.Context(), userpool.MessageQuery{Username: username, Limit: 1})
	e.must(err)
	if len(list) == 0 {
		e.Fatal("no message was sent")
	}
	return list[0].Code
}

func (e *twins) authorizationCode(c userpool.Client) grants.CodeGrant {
	e.Helper()
	u := e.user(userpool.NewUser{Username: "ann"})
	id, _, err := e.pools[0].Sessions.Start(e.Context(), u.Sub, []string{"pwd"}, "")
	e.must(err)
	location, ok, err := e.pools[0].Grants.AuthorizeSilently(e.Context(), e.request(c), id)
	e.must(err)
	if !ok {
		e.Fatal("the session is not good")
	}
	target, err := url.Parse(location)
	e.must(err)
	return grants.CodeGrant{Code: userpool.Secret(target.Query().Get("code")), RedirectURI: callback}
}

func onceCode(e *twins) use {
	grant := e.authorizationCode(e.app)
	return func(p *pool.Pool) error {
		_, err := p.Grants.RedeemCode(e.Context(), e.app, grant)
		return err
	}
}

func onceRefresh(e *twins) use { return e.refresh(e.app) }

func (e *twins) refresh(c userpool.Client) use {
	e.Helper()
	tokens, err := e.pools[0].Grants.RedeemCode(e.Context(), c, e.authorizationCode(c))
	e.must(err)
	return func(p *pool.Pool) error {
		_, err := p.Grants.Refresh(e.Context(), c, tokens.RefreshToken)
		return err
	}
}

// onceAfterGrace has a token that was rotated and is tried again when its grace is
// over.
func onceAfterGrace(e *twins) use {
	u := e.refresh(e.choice)
	e.must(u(e.pools[0]))
	e.must(u(e.pools[1])) // in its grace
	e.want = 0
	e.back.Store(int64(-time.Hour))
	if u(e.pools[0]) == nil {
		e.Error("the token is good an hour after it was rotated")
	}
	return u
}

// onceRefused is onceAfterGrace where nobody tried it in between, and the clock is
// back before it was rotated.
func onceRefused(e *twins) use {
	e.back.Store(int64(-time.Hour))
	u := e.refresh(e.choice)
	e.must(u(e.pools[0]))
	e.want = 0
	return u
}

func onceAssertion(e *twins) use {
	until := e.pools[0].Now().Add(time.Minute)
	return func(p *pool.Pool) error {
		first, err := p.Federation.UseOnce(e.Context(), "assertion", until)
		if err == nil && !first {
			return errUsed
		}
		return err
	}
}

func (e *twins) onceTrip(kind userpool.TripKind) use {
	state, trip, err := e.pools[0].Federation.Start(
		e.Context(), "browser", userpool.RoundTrip{Kind: kind, Provider: provider},
	)
	e.must(err)
	if kind == userpool.TripAnswer {
		state, err = e.pools[0].Federation.HoldAnswer(e.Context(), trip, userpool.Profile{Subject: "eve"})
		e.must(err)
	}
	return func(p *pool.Pool) error {
		_, err := p.Federation.Take(e.Context(), kind, state, "browser")
		return err
	}
}

// onceFederated signs one person in many times: that is one user, who is told of
// once.
func onceFederated(e *twins) use {
	e.counts = true
	return func(p *pool.Pool) error {
		_, err := p.Federation.SignIn(e.Context(), e.app, provider, userpool.Profile{Subject: "eve"})
		if err != nil {
			e.Errorf("signing in: %v", err)
		}
		return nil
	}
}

// oncePut is what processes do that start on one file.
func oncePut(e *twins) use {
	return func(p *pool.Pool) error {
		_, created, err := p.Users.Put(e.Context(), userpool.NewUser{Username: "eve", Password: password, Sub: "eve"})
		if err != nil {
			e.Errorf("putting the user: %v", err)
		}
		if !created {
			return errUsed
		}
		return nil
	}
}
