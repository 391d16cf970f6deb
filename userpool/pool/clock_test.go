package pool_test

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/store"
)

// TestClockIsSetBack has a clock that was wrong, by an hour or a year, and is set
// right: what it had said until then keeps nobody out, and nothing lasts the longer
// for it.
func TestClockIsSetBack(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(t *testing.T, e *pooltest.Env) (check func(t *testing.T)){
		"a lock":                 lockBack,
		"a lock of codes":        codeLockBack,
		"the number of codes":    sendsBack,
		"an authenticator app":   totpBack,
		"a session":              sessionBack,
		"a code that was mailed": mailedBack,
		"an authorization code":  codeBack,
		"a flow":                 flowBack,
		"a round trip":           tripBack,
		"a temporary password":   temporaryBack,
		"the removal of records": collectBack,
		"the outbox":             outboxBack,
		"a sign-out everywhere":  signedOutBack,
	} {
		for _, d := range []time.Duration{26 * time.Hour, 400 * 24 * time.Hour} {
			t.Run(name+" "+d.String(), func(t *testing.T) {
				t.Parallel()
				e := pooltest.New(t)
				check := begin(t, e)
				e.Clock.Advance(-d)
				check(t)
			})
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lockBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	for range 5 {
		_ = e.TrySignIn(t, "ann", "wrong")
	}
	pooltest.WantAnswer(t, "at first", e.TrySignIn(t, "ann", pooltest.Password), userpool.TextLocked)
	return func(t *testing.T) {
		for range 4 { // as many as ever, since the count was of another time
			pooltest.WantAnswer(t, "wrong", e.TrySignIn(t, "ann", "wrong"), userpool.TextIncorrect)
		}
		pooltest.WantAnswer(t, "right", e.TrySignIn(t, "ann", pooltest.Password), "ok")
	}
}

func codeLockBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	check := func(what string, code userpool.Secret, want string) {
		t.Helper()
		pooltest.WantCode(t, what, e.Pool.CheckCode(t.Context(), userpool.PurposeMFA, e.Ann.Sub, code), want)
	}
	code := sendTo(t, e, userpool.PurposeMFA)
	for range 5 {
		check("wrong", other(code), userpool.CodeMismatch)
	}
	check("locked", code, userpool.CodeLimitExceeded)
	return func(t *testing.T) { check("another one", sendTo(t, e, userpool.PurposeMFA), "") }
}

func sendsBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	for range 6 {
		sendTo(t, e, userpool.PurposeSignUp)
	}
	send := func() error {
		_, err := e.Pool.SendCode(t.Context(), userpool.PurposeSignUp, e.Ann, userpool.MediumEmail, "a@b")
		return err
	}
	pooltest.WantCode(t, "the seventh", send(), userpool.CodeLimitExceeded)
	return func(t *testing.T) {
		for range 6 {
			must(t, send())
		}
		pooltest.WantCode(t, "the seventh of the hour", send(), userpool.CodeLimitExceeded)
	}
}

// totpBack signs in with an app whose codes follow the pool's clock.
func totpBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	s := *e.Pool.Settings()
	s.MFA, s.MFATypes = userpool.MFAOptional, []string{userpool.FactorTOTP}
	must(t, e.Pool.Configure(t.Context(), s))
	_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{
		Username: "eve", Password: pooltest.Password, TOTPSecret: secret, MFA: []string{userpool.FactorTOTP},
	})
	must(t, err)
	a := authorization(t, e)
	use := func() error {
		_, f := e.Pool.Flows.Start("browser", "request")
		f.Username = "eve"
		must(t, e.Pool.Steps.Password(t.Context(), a.Request(), f, pooltest.Password))
		return e.Pool.Steps.Code(
			t.Context(), a.Request(), f, userpool.Secret(pooltest.TOTP(t, secret, e.Clock.Now())),
		)
	}
	twice := func() {
		t.Helper()
		must(t, use())
		pooltest.WantCode(t, "again", use(), userpool.CodeExpired)
	}
	twice()
	return func(t *testing.T) {
		twice()
		e.Clock.Advance(30 * time.Second)
		twice()
		e.Clock.Advance(-2 * time.Minute)
		twice()
		e.Clock.Advance(90 * time.Second)
		pooltest.WantCode(t, "a code of before the clock went back twice", use(), userpool.CodeExpired)
	}
}

func authorization(t *testing.T, e *pooltest.Env) *grants.Authorization {
	t.Helper()
	a, err := e.Pool.Grants.ParseAuthorization(t.Context(), url.Values{
		"client_id": {"app"}, "redirect_uri": {pooltest.Callback}, "response_type": {"code"}, "scope": {"openid"},
	})
	must(t, err)
	return a
}

func sessionBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	id, _, err := e.Pool.Sessions.Start(t.Context(), e.Ann.Sub, []string{"pwd"}, "")
	must(t, err)
	return func(t *testing.T) {
		_, ok, err := e.Pool.Sessions.Get(t.Context(), id)
		if ok || err != nil {
			t.Errorf("the session of another time is good, error %v", err)
		}
	}
}

func mailedBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	code := sendTo(t, e, userpool.PurposeSignUp)
	return func(t *testing.T) {
		pooltest.WantCode(
			t, "the code", e.Pool.CheckCode(t.Context(), userpool.PurposeSignUp, e.Ann.Sub, code), userpool.CodeExpired,
		)
	}
}

func codeBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	code := userpool.Secret(e.Code(t))
	return func(t *testing.T) {
		_, err := e.Pool.Grants.RedeemCode(
			t.Context(), e.App, grants.CodeGrant{Code: code, RedirectURI: pooltest.Callback},
		)
		pooltest.WantCode(t, "the code", err, userpool.CodeInvalidGrant)
	}
}

func flowBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	id, f := e.Pool.Flows.Start("browser", "request")
	must(t, e.Pool.Flows.Save(t.Context(), f))
	return func(t *testing.T) {
		_, ok, err := e.Pool.Flows.Get(t.Context(), id, "browser", "request")
		if ok || err != nil {
			t.Errorf("the flow of another time goes on, error %v", err)
		}
	}
}

func tripBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	state, _, err := e.Pool.Federation.Start(t.Context(), "browser", userpool.RoundTrip{Kind: userpool.TripOIDC})
	must(t, err)
	return func(t *testing.T) {
		_, err := e.Pool.Federation.Take(t.Context(), userpool.TripOIDC, state, "browser")
		if _, refused := errors.AsType[*userpool.PageError](err); !refused {
			t.Errorf("got %v, want a refusal", err)
		}
	}
}

// temporaryBack has the longest temporary password there is.
func temporaryBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	s := *e.Pool.Settings()
	s.Passwords.TemporaryValidity = 365 * 24 * time.Hour
	must(t, e.Pool.Configure(t.Context(), s))
	_, err := e.Pool.Users.Create(
		t.Context(), userpool.NewUser{Username: "eve", Password: "temporary", Temporary: true},
	)
	must(t, err)
	return func(t *testing.T) {
		pooltest.WantAnswer(t, "the password", e.TrySignIn(t, "eve", "temporary"), accounts.TextTemporaryExpired)
	}
}

// signedOutBack has tokens that nothing but the time of the sign-out can end.
func signedOutBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	c := e.AddClient(
		t, userpool.Client{ID: "plain", CallbackURLs: []string{pooltest.Callback}, DisableRevocation: true},
	)
	redeem := func() userpool.Secret {
		code := grants.CodeGrant{Code: userpool.Secret(e.Code(t, "client_id", c.ID)), RedirectURI: pooltest.Callback}
		tokens, err := e.Pool.Grants.RedeemCode(t.Context(), c, code)
		must(t, err)
		return tokens.AccessToken
	}
	check := func(what string, token userpool.Secret, good bool) {
		t.Helper()
		_, err := e.Pool.Grants.UserInfo(t.Context(), token)
		if (err == nil) != good {
			t.Errorf("%s: got %v, want it good: %v", what, err, good)
		}
	}
	token := redeem()
	must(t, e.Pool.Users.GlobalSignOut(t.Context(), e.Ann.Sub))
	check("of before", token, false)
	return func(t *testing.T) {
		check("of before, later", token, false)
		check("a new one", redeem(), true)
	}
}

// outboxBack has a message that would stay the newest.
func outboxBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	sendTo(t, e, userpool.PurposeMFA)
	return func(t *testing.T) {
		before := ""
		for range 3 {
			_, err := e.Pool.SendCode(t.Context(), userpool.PurposeMFA, e.Ann, userpool.MediumEmail, "a@b")
			must(t, err)
			m := e.Newest(t)
			if !m.Time.Equal(e.Clock.Now()) || m.ID <= before {
				t.Errorf("the newest is %v of %v, after %q", m, m.Time, before)
			}
			before = m.ID
		}
	}
}

// collectBack has something to remove at the time that is right.
func collectBack(t *testing.T, e *pooltest.Env) func(t *testing.T) {
	e.Tokens(t)
	return func(t *testing.T) {
		r := store.Record{Kind: "thing", ID: "1", Expires: e.Clock.Now().Add(-time.Hour)}
		must(t, e.Store.Apply(t.Context(), pooltest.PoolID, store.Change{Op: store.Create, Record: r}))
		e.Code(t)
		_, ok, err := e.Store.Get(t.Context(), pooltest.PoolID, "thing", "1")
		if ok || err != nil {
			t.Errorf("what is over is there, error %v", err)
		}
	}
}

// TestClockIsSetBackALittle has a clock that is corrected by less than a minute,
// or another process's that is as much behind: nothing is lost.
func TestClockIsSetBackALittle(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	id, _, err := e.Pool.Sessions.Start(t.Context(), e.Ann.Sub, []string{"pwd"}, "")
	must(t, err)
	code := sendTo(t, e, userpool.PurposeMFA)
	for range 5 {
		_ = e.TrySignIn(t, "ann", "wrong")
	}
	e.Clock.Advance(-59 * time.Second)
	_, ok, err := e.Pool.Sessions.Get(t.Context(), id)
	if !ok || err != nil {
		t.Errorf("the session is not good, error %v", err)
	}
	pooltest.WantCode(t, "the code", e.Pool.CheckCode(t.Context(), userpool.PurposeMFA, e.Ann.Sub, code), "")
	pooltest.WantAnswer(t, "locked", e.TrySignIn(t, "ann", pooltest.Password), userpool.TextLocked)
	e.Clock.Advance(time.Second)
	pooltest.WantAnswer(t, "a second later", e.TrySignIn(t, "ann", pooltest.Password), "ok")
}
