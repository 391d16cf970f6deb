package storetest

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238: authenticator apps compute nothing else
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// flow starts a flow of the user's and stores it.
func (e *twins) flow(username string) *userpool.Flow {
	e.Helper()
	_, f := e.pools[0].Flows.Start("browser", "request")
	f.Username = username
	e.must(e.pools[0].Flows.Save(e.Context(), f))
	return f
}

// ofFlow uses copies of a flow, as requests read it.
func ofFlow(f *userpool.Flow, u func(p *pool.Pool, f *userpool.Flow) error) use {
	return func(p *pool.Pool) error {
		g := *f
		return u(p, &g)
	}
}

// reaches is no error if the flow is at the step.
func reaches(f *userpool.Flow, step userpool.Step, err error) error {
	if err == nil && f.Step != step {
		return errUsed
	}
	return err
}

func onceTurn(e *twins) use {
	return ofFlow(e.flow("ann"), func(p *pool.Pool, f *userpool.Flow) error { return p.Flows.Save(e.Context(), f) })
}

func onceEnd(e *twins) use {
	return ofFlow(e.flow("ann"), func(p *pool.Pool, f *userpool.Flow) error { return p.Flows.End(e.Context(), f) })
}

func onceRenewed(e *twins) use {
	return ofFlow(e.flow("ann"), func(p *pool.Pool, f *userpool.Flow) error {
		_, err := p.Flows.Renew(e.Context(), f)
		return err
	})
}

func (e *twins) signUp(p *pool.Pool) error {
	_, _, err := p.Registration.SignUp(e.Context(), accounts.SignUpRequest{
		Client: e.app, Username: "eve", Password: password, Attributes: map[string]string{"email": "eve@example.com"},
	})
	return err
}

func onceName(e *twins) use { return e.signUp }

func onceSignUp(e *twins) use {
	e.must(e.signUp(e.pools[0]))
	code := e.code("eve")
	return func(p *pool.Pool) error {
		_, err := p.Registration.ConfirmSignUp(e.Context(), e.app, "eve", code)
		return err
	}
}

// onceLink counts the calls of the trigger: whoever follows the link again is told
// that all is well.
func onceLink(e *twins) use {
	for _, p := range e.pools {
		s := *p.Settings()
		s.ConfirmByLink = true
		e.must(p.Configure(e.Context(), s))
	}
	e.must(e.signUp(e.pools[0]))
	code := e.code("eve")
	e.counts = true
	return func(p *pool.Pool) error {
		_, err := p.Registration.ConfirmLink(e.Context(), "app", "eve", code)
		return err
	}
}

func onceRecovery(e *twins) use {
	e.user(userpool.NewUser{Username: "eve"})
	_, err := e.pools[0].Recovery.ForgotPassword(e.Context(), e.app, "eve")
	e.must(err)
	code := e.code("eve")
	return func(p *pool.Pool) error {
		return p.Recovery.ConfirmForgotPassword(e.Context(), e.app, "eve", code, "another password")
	}
}

// onceFactor is at the step for the code of the user's second factor.
func (e *twins) onceFactor(n userpool.NewUser) use {
	e.user(n)
	req, f := signin.Request{Client: e.app}, e.flow(n.Username)
	e.must(e.pools[0].Steps.Password(e.Context(), req, f, password))
	e.must(reaches(f, userpool.StepMFACode, nil))
	code := totp(e.pools[0].Now(), totpSecret)
	if n.TOTPSecret == "" {
		code = e.code(n.Username)
	}
	return ofFlow(f, func(p *pool.Pool, f *userpool.Flow) error {
		return reaches(f, userpool.StepSignedIn, p.Steps.Code(e.Context(), req, f, code))
	})
}

func onceFirstFactor(e *twins) use {
	e.user(userpool.NewUser{Username: "eve"})
	req, f := signin.Request{Client: e.choice}, e.flow("eve")
	e.must(e.pools[0].Steps.SignIn(e.Context(), req, f, ""))
	e.must(e.pools[0].Steps.Factor(e.Context(), req, f, userpool.FactorEmail))
	e.must(reaches(f, userpool.StepCode, nil))
	code := e.code("eve")
	return ofFlow(f, func(p *pool.Pool, f *userpool.Flow) error {
		return reaches(f, userpool.StepSignedIn, p.Steps.Code(e.Context(), req, f, code))
	})
}

func onceSetup(e *twins) use {
	for _, p := range e.pools {
		s := *p.Settings()
		s.MFA, s.MFATypes = userpool.MFAOn, []string{userpool.FactorTOTP}
		e.must(p.Configure(e.Context(), s))
	}
	e.user(userpool.NewUser{Username: "eve"})
	req, f := signin.Request{Client: e.app}, e.flow("eve")
	e.must(e.pools[0].Steps.Password(e.Context(), req, f, password))
	e.must(reaches(f, userpool.StepMFASetup, nil))
	code := totp(e.pools[0].Now(), string(f.Secret))
	return ofFlow(f, func(p *pool.Pool, f *userpool.Flow) error {
		return reaches(f, userpool.StepSignedIn, p.Steps.SetUpTOTP(e.Context(), req, f, code))
	})
}

func onceTemporary(e *twins) use {
	e.user(userpool.NewUser{Username: "eve", Temporary: true})
	req, f := signin.Request{Client: e.app}, e.flow("eve")
	e.must(e.pools[0].Steps.Password(e.Context(), req, f, password))
	e.must(reaches(f, userpool.StepNewPassword, nil))
	return ofFlow(f, func(p *pool.Pool, f *userpool.Flow) error {
		return reaches(f, userpool.StepSignedIn, p.Steps.NewPassword(e.Context(), req, f, "another password", nil))
	})
}

// oncePasskey answers one challenge as a form does: it takes the flow's turn, and
// ends the flow.
func oncePasskey(e *twins) use {
	u := e.user(userpool.NewUser{Username: "eve"})
	req, f := signin.Request{Client: e.choice}, e.flow("eve")
	e.must(e.pools[0].Passkeys.BeginAdd(e.Context(), f, u.Sub))
	e.must(e.pools[0].Passkeys.Add(e.Context(), f, []byte(`{"rawId":"AAAA"}`)))
	f = e.flow("")
	e.must(e.pools[0].Steps.Discover(e.Context(), req, f))
	e.must(e.pools[0].Flows.Save(e.Context(), f))
	answer, err := json.Marshal(map[string]string{"rawId": "AAAA", "challenge": f.Options})
	e.must(err)
	return ofFlow(f, func(p *pool.Pool, f *userpool.Flow) error {
		err := p.Flows.Save(e.Context(), f)
		if err == nil {
			err = reaches(f, userpool.StepSignedIn, p.Steps.Passkey(e.Context(), req, f, answer))
		}
		if err == nil {
			err = p.Flows.End(e.Context(), f)
		}
		return err
	})
}

// passkeys take whatever names a passkey and the challenge.
type passkeys struct{}

// BeginRegistration implements userpool.Passkeys.
func (passkeys) BeginRegistration(userpool.PasskeyRegistration) (options, state []byte, err error) {
	return []byte("make"), []byte("make"), nil
}

// FinishRegistration implements userpool.Passkeys.
func (passkeys) FinishRegistration(userpool.PasskeyRegistration, []byte, []byte) (userpool.Passkey, error) {
	return userpool.Passkey{ID: "AAAA"}, nil
}

// BeginAssertion implements userpool.Passkeys.
func (passkeys) BeginAssertion(userpool.RelyingParty) (options, state []byte, err error) {
	return []byte("use"), []byte("use"), nil
}

// FinishAssertion implements userpool.Passkeys.
func (passkeys) FinishAssertion(
	_ userpool.RelyingParty, state, response []byte, k userpool.Passkey,
) (userpool.Passkey, error) {
	if !strings.Contains(string(response), `"challenge":"`+string(state)+`"`) {
		return k, errUsed
	}
	return k, nil
}

// totp is what an authenticator app with this secret shows (RFC 6238).
func totp(at time.Time, secret string) userpool.Secret {
	key, _ := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret) // our own
	m := hmac.New(sha1.New, key)
	_ = binary.Write(m, binary.BigEndian, at.Unix()/30) // never fails
	sum := m.Sum(nil)
	from := sum[19] & 15
	return userpool.Secret(fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[from:])&(1<<31-1)%1_000_000))
}
