package pool_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// sendTo sends Ann a code and returns it, as the outbox has it.
func sendTo(t *testing.T, e *pooltest.Env, purpose string) userpool.Secret {
	t.Helper()
	hint, err := e.Pool.SendCode(t.Context(), purpose, e.Ann, userpool.MediumEmail, "ann@example.com")
	if err != nil || hint != "a***@e***" {
		t.Fatalf("sending: hint %q, %v", hint, err)
	}
	return e.Newest(t).Code
}

// other is a code that is not this one.
func other(code userpool.Secret) userpool.Secret {
	if code == "111111" {
		return "222222"
	}
	return "111111"
}

func TestCodeLifetimes(t *testing.T) {
	t.Parallel()
	for purpose, life := range map[string]time.Duration{
		userpool.PurposeSignUp: 24 * time.Hour, userpool.PurposeReset: time.Hour,
		userpool.PurposeVerify: 24 * time.Hour, userpool.PurposeMFA: 3 * time.Minute,
		userpool.PurposeSignIn: 3 * time.Minute,
	} {
		t.Run(purpose, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			code := sendTo(t, e, purpose)
			if !regexp.MustCompile(`^[0-9]{6}$`).MatchString(string(code)) {
				t.Errorf("the code has not six digits")
			}
			e.Clock.Advance(life - time.Nanosecond)
			pooltest.WantCode(t, "at the end", e.Pool.CheckCode(t.Context(), purpose, e.Ann.Sub, code), "")
			pooltest.WantCode(t, "again", e.Pool.CheckCode(t.Context(), purpose, e.Ann.Sub, code), userpool.CodeExpired)
			code = sendTo(t, e, purpose)
			e.Clock.Advance(life)
			pooltest.WantCode(
				t, "too late", e.Pool.CheckCode(t.Context(), purpose, e.Ann.Sub, code), userpool.CodeExpired,
			)
		})
	}
}

// TestCodeIsBound tries a right code at the wrong place.
func TestCodeIsBound(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	bob, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{Username: "bob", Password: "pw"})
	if err != nil {
		t.Fatal(err)
	}
	first := sendTo(t, e, userpool.PurposeReset)
	code := sendTo(t, e, userpool.PurposeReset)
	check := func(what, purpose, sub string, code userpool.Secret, want string) {
		t.Helper()
		pooltest.WantCode(t, what, e.Pool.CheckCode(t.Context(), purpose, sub, code), want)
	}
	check("another purpose", userpool.PurposeMFA, e.Ann.Sub, code, userpool.CodeExpired)
	check("another user", userpool.PurposeReset, bob.Sub, code, userpool.CodeExpired)
	check("nobody", userpool.PurposeReset, "", code, userpool.CodeExpired)
	check("no code", userpool.PurposeReset, e.Ann.Sub, "", userpool.CodeMismatch)
	check("a longer one", userpool.PurposeReset, e.Ann.Sub, code+"0", userpool.CodeMismatch)
	if first != code {
		check("the one before", userpool.PurposeReset, e.Ann.Sub, first, userpool.CodeMismatch)
	}
	check("the right one", userpool.PurposeReset, e.Ann.Sub, code, "")
}

// TestCodeGuessing has five wrong tries per code, then a lock that grows, and a
// new code that does not end it.
func TestCodeGuessing(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	check := func(what string, code userpool.Secret, want string) {
		t.Helper()
		pooltest.WantCode(t, what, e.Pool.CheckCode(t.Context(), userpool.PurposeMFA, e.Ann.Sub, code), want)
	}
	code := sendTo(t, e, userpool.PurposeMFA)
	for range 5 {
		check("wrong", other(code), userpool.CodeMismatch)
	}
	check("locked", code, userpool.CodeLimitExceeded)
	e.Clock.Advance(time.Second)
	check("a dead code", code, userpool.CodeExpired)
	code = sendTo(t, e, userpool.PurposeMFA)
	check("sixth", other(code), userpool.CodeMismatch)
	check("locked for longer", code, userpool.CodeLimitExceeded)
	e.Clock.Advance(2*time.Second - time.Nanosecond)
	check("still locked", code, userpool.CodeLimitExceeded)
	e.Clock.Advance(time.Nanosecond)
	check("right", code, "")
	code = sendTo(t, e, userpool.PurposeMFA)
	check("a wrong one after a success", other(code), userpool.CodeMismatch)
	check("is free again", code, "")
}

// TestConcurrentCodeGuesses fires many wrong codes at once: five count, and then
// the right one is dead.
func TestConcurrentCodeGuesses(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	code := sendTo(t, e, userpool.PurposeMFA)
	answers := make(chan error, 64)
	var all sync.WaitGroup
	for range cap(answers) {
		all.Go(func() {
			answers <- e.Pool.CheckCode(t.Context(), userpool.PurposeMFA, e.Ann.Sub, other(code))
		})
	}
	all.Wait()
	close(answers)
	judged := 0
	for err := range answers {
		if refusal, ok := errors.AsType[*userpool.Error](err); ok && refusal.Code == userpool.CodeMismatch {
			judged++
		}
	}
	if judged != 5 {
		t.Errorf("%d guesses were judged, want 5", judged)
	}
	e.Clock.Advance(time.Minute)
	pooltest.WantCode(
		t, "after that", e.Pool.CheckCode(t.Context(), userpool.PurposeMFA, e.Ann.Sub, code), userpool.CodeExpired,
	)
}

// TestCodeIsSpentOnce sends the right code many times at once: one succeeds.
func TestCodeIsSpentOnce(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t, func(c *pool.Config) { c.Store = pooltest.SlowStore{Store: c.Store, Kind: "onetime"} })
	code := sendTo(t, e, userpool.PurposeMFA)
	answers := make(chan error, 32)
	var all sync.WaitGroup
	for range cap(answers) {
		all.Go(func() { answers <- e.Pool.CheckCode(t.Context(), userpool.PurposeMFA, e.Ann.Sub, code) })
	}
	all.Wait()
	close(answers)
	accepted := 0
	for err := range answers {
		if err == nil {
			accepted++
			continue
		}
		pooltest.WantCode(t, "one of the others", err, userpool.CodeExpired)
	}
	if accepted != 1 {
		t.Errorf("the code was accepted %d times", accepted)
	}
}

// TestSendingIsBounded counts the codes of one user and hour, and those of a
// decoy in the same way.
func TestSendingIsBounded(t *testing.T) {
	t.Parallel()
	for purpose, most := range map[string]int{
		userpool.PurposeSignUp: 6, userpool.PurposeReset: 20, userpool.PurposeVerify: 6,
		userpool.PurposeMFA: 60, userpool.PurposeSignIn: 60,
	} {
		t.Run(purpose, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			for _, send := range []func() (string, error){
				func() (string, error) {
					return e.Pool.SendCode(t.Context(), purpose, e.Ann, userpool.MediumSMS, "+491")
				},
				func() (string, error) { return e.Pool.SendDecoy(t.Context(), purpose, "nobody", "+491") },
			} {
				for i := range most {
					_, err := send()
					if err != nil {
						t.Fatalf("code %d: %v", i+1, err)
					}
				}
				_, err := send()
				pooltest.WantCode(t, "one more", err, userpool.CodeLimitExceeded)
				e.Clock.Advance(time.Hour - time.Nanosecond)
				_, err = send()
				pooltest.WantCode(t, "within the hour", err, userpool.CodeLimitExceeded)
				e.Clock.Advance(time.Nanosecond)
				_, err = send()
				pooltest.WantCode(t, "after the hour", err, "")
			}
		})
	}
}

// TestDecoyCode checks that the code of a decoy is answered as one that exists,
// that nothing is sent, and that no code matches, the fixed one neither.
func TestDecoyCode(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t, func(c *pool.Config) { c.Settings.FixedCode = "123456" })
	_, err := e.Pool.SendDecoy(t.Context(), userpool.PurposeReset, "nobody", "x@y.test")
	pooltest.WantCode(t, "sending", err, "")
	pooltest.WantCode(t, "the fixed code", e.Pool.CheckCode(t.Context(), userpool.PurposeReset, "nobody", "123456"),
		userpool.CodeMismatch)
	list, err := e.Pool.Outbox.List(t.Context(), userpool.MessageQuery{})
	if err != nil || len(list) != 0 {
		t.Errorf("the outbox has %d messages, %v", len(list), err)
	}
	_, err = e.Pool.SendCode(t.Context(), userpool.PurposeReset, e.Ann, userpool.MediumEmail, "x@y.test")
	pooltest.WantCode(t, "sending to Ann", err, "")
	pooltest.WantCode(
		t, "her fixed code", e.Pool.CheckCode(t.Context(), userpool.PurposeReset, e.Ann.Sub, "123456"), "",
	)
}

func TestMessageTemplates(t *testing.T) {
	t.Parallel()
	own := userpool.Messages{
		VerificationSubject: "Code for {username}", VerificationEmail: "<p>{username}: <b>{####}</b></p>",
		VerificationSMS: "sms {####}", CodeSubject: "second", CodeEmail: "mfa {####} {####}",
	}
	for _, tt := range []struct {
		name, purpose, medium string
		templates             userpool.Messages
		subject, body         string
		html                  bool
	}{
		{"ours", userpool.PurposeReset, userpool.MediumEmail, userpool.Messages{},
			"Your verification code", "Your confirmation code is 123456.", false},
		{"ours by SMS", userpool.PurposeMFA, userpool.MediumSMS, userpool.Messages{},
			"", "Your authentication code is 123456.", false},
		{"HTML", userpool.PurposeReset, userpool.MediumEmail, own,
			"Code for <i>eve</i>", "<p>&lt;i&gt;eve&lt;/i&gt;: <b>123456</b></p>", true},
		{"SMS", userpool.PurposeVerify, userpool.MediumSMS, own, "", "sms 123456", false},
		{"second factor", userpool.PurposeMFA, userpool.MediumEmail, own, "second", "mfa 123456 123456", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t, func(c *pool.Config) {
				c.Settings.FixedCode, c.Settings.Messages = "123456", tt.templates
			})
			u := userpool.User{Sub: "eve", Username: "<i>eve</i>"}
			_, err := e.Pool.SendCode(t.Context(), tt.purpose, u, tt.medium, "eve@example.com")
			if err != nil {
				t.Fatal(err)
			}
			m := e.Newest(t)
			if m.Subject != tt.subject || m.Body != tt.body || m.HTML != tt.html {
				t.Errorf(
					"got %q, %q, HTML %t, want %q, %q, %t", m.Subject, m.Body, m.HTML, tt.subject, tt.body, tt.html,
				)
			}
		})
	}
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	bob := userpool.User{Sub: "bob", Username: "Bob"}
	for range 3 {
		sendTo(t, e, userpool.PurposeMFA)
		_, err := e.Pool.SendCode(t.Context(), userpool.PurposeMFA, bob, userpool.MediumSMS, "+4917")
		pooltest.WantCode(t, "sending", err, "")
	}
	list := func(q userpool.MessageQuery) []userpool.Message {
		t.Helper()
		out, err := e.Pool.Outbox.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	all := list(userpool.MessageQuery{})
	if len(all) != 6 || all[0].To != "+4917" || all[5].To != "ann@example.com" || all[0].ID <= all[1].ID {
		t.Fatalf("got %v", all)
	}
	for name, got := range map[string]int{
		"by address":          len(list(userpool.MessageQuery{To: "ANN@example.com"})),
		"by name":             len(list(userpool.MessageQuery{Username: "bob"})),
		"by sub":              len(list(userpool.MessageQuery{Sub: e.Ann.Sub})),
		"both":                len(list(userpool.MessageQuery{Sub: "bob", Username: "BOB"})),
		"older":               len(list(userpool.MessageQuery{Before: all[2].ID})),
		"contradiction, plus": len(list(userpool.MessageQuery{Sub: "bob", Username: "ann"})) + 3,
	} {
		if got != 3 {
			t.Errorf("%s: %d messages, want 3", name, got)
		}
	}
	e.Clock.Advance(7 * 24 * time.Hour)
	if got := list(userpool.MessageQuery{}); len(got) != 0 {
		t.Errorf("after a week: %d messages", len(got))
	}
}

func TestOutboxIsBounded(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for i := range 1010 {
		u := userpool.User{Sub: userpool.NewUUID(), Username: "u"}
		_, err := e.Pool.SendCode(t.Context(), userpool.PurposeMFA, u, userpool.MediumSMS, "+49"+
			strings.Repeat("1", 1+i%9))
		pooltest.WantCode(t, "sending", err, "")
	}
	got, err := e.Pool.Outbox.List(t.Context(), userpool.MessageQuery{})
	if err != nil || len(got) != 1000 {
		t.Errorf("%d messages, %v, want 1000", len(got), err)
	}
	err = e.Pool.Outbox.Clear(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err = e.Pool.Outbox.List(t.Context(), userpool.MessageQuery{})
	if err != nil || len(got) != 0 {
		t.Errorf("%d messages after deleting, %v", len(got), err)
	}
}

// TestDelivery checks that messages are handed on without waiting, that a
// failure is logged without the code, and that no more than 16 are under way.
func TestDelivery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got, hold := make(chan userpool.Message, 16), make(chan struct{})
		e := pooltest.New(t, func(c *pool.Config) {
			c.Settings.FixedCode = "975318"
			c.Deliver = func(_ context.Context, m userpool.Message) error {
				got <- m
				<-hold
				return errors.New("no route to host")
			}
		})
		for range 16 {
			sendTo(t, e, userpool.PurposeMFA)
		}
		for range 16 {
			m := <-got
			if m.To != "ann@example.com" || m.Code != "975318" || !strings.Contains(m.Body, "975318") {
				t.Errorf("delivered %v", m)
			}
		}
		sendTo(t, e, userpool.PurposeMFA) // the seventeenth is in the outbox alone
		if !strings.Contains(e.Logs.String(), "too many deliveries") {
			t.Error("the log does not tell of a delivery that was left out")
		}
		close(hold)
		synctest.Wait()
		if !strings.Contains(e.Logs.String(), "no route to host") {
			t.Error("the log does not tell of the failure")
		}
		if strings.Contains(e.Logs.String(), "975318") {
			t.Error("the log holds the code")
		}
	})
}

func TestMessageSettings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		m    userpool.Messages
		want string
	}{
		"none":         {userpool.Messages{}, ""},
		"no mark":      {userpool.Messages{VerificationEmail: "hello"}, "VerificationEmail"},
		"long SMS":     {userpool.Messages{CodeSMS: "{####}" + strings.Repeat("x", 135)}, "CodeSMS"},
		"long subject": {userpool.Messages{CodeSubject: strings.Repeat("ü", 141)}, "CodeSubject"},
		"no link":      {userpool.Messages{LinkEmail: "hello {####}"}, "LinkEmail"},
		"empty link":   {userpool.Messages{LinkEmail: "hello {####}"}, "LinkEmail"},
		"link":         {userpool.Messages{LinkEmail: "hello {##you##}"}, ""},
		"not UTF-8":    {userpool.Messages{InvitationSubject: "\xff"}, "InvitationSubject"},
	} {
		err := userpool.CheckSettings(userpool.Settings{Messages: tt.m})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzTemplates checks that no template breaks out: the code is in the body, and
// no user name brings a tag into a body that is HTML.
func FuzzTemplates(f *testing.F) {
	f.Add("Hello {username}: {####}", "ann", "subject {username}")
	f.Add("<p>{####}</p>{username}", "<script>", "a\r\nBcc: x")
	f.Add("{##{####}##}", "{####}", "{####}")
	e := pooltest.New(f, func(c *pool.Config) { c.Settings.FixedCode = "123456" })
	f.Fuzz(func(t *testing.T, body, name, subject string) {
		s := userpool.Settings{FixedCode: "123456", Messages: userpool.Messages{
			VerificationEmail: body, VerificationSubject: subject,
		}}
		if e.Pool.Configure(t.Context(), s) != nil || body == "" {
			return
		}
		u := userpool.User{Sub: userpool.NewUUID(), Username: name}
		_, err := e.Pool.SendCode(t.Context(), userpool.PurposeVerify, u, userpool.MediumEmail, "a@b")
		if err != nil {
			t.Fatal(err)
		}
		m := e.Newest(t)
		if !strings.Contains(m.Body, "123456") || strings.ContainsAny(m.Subject, "\r\n") {
			t.Errorf("got %q, %q", m.Subject, m.Body)
		}
		if m.HTML && strings.Count(m.Body, "<") != strings.Count(body, "<") {
			t.Errorf("the name %q changed the HTML: %q", name, m.Body)
		}
	})
}

// meddling is a store where something happens just before a code is spent.
type meddling struct {
	store.Store

	meddle func()
}

func (s *meddling) Apply(ctx context.Context, p string, changes ...store.Change) error {
	spends := func(c store.Change) bool {
		return c.Kind == "onetime" && strings.Contains(string(c.Body), `"Spent":true`)
	}
	if do := s.meddle; do != nil && slices.ContainsFunc(changes, spends) {
		s.meddle = nil
		do()
	}
	return s.Store.Apply(ctx, p, changes...)
}

// TestCodeBesideWrongOnes has a wrong guess that is counted, and another code that
// is sent, at the moment that the right code is spent: the first takes nothing from
// it, and the second its place, also if both are the same and the one before was
// spent meanwhile.
func TestCodeBesideWrongOnes(t *testing.T) {
	t.Parallel()
	for name, purpose := range map[string]string{"alone": userpool.PurposeMFA, "with its user": userpool.PurposeReset} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &meddling{}
			e := pooltest.New(t, func(c *pool.Config) {
				s.Store = c.Store
				c.Store = s
			})
			use := func(code userpool.Secret) error {
				if purpose == userpool.PurposeReset {
					return e.Pool.Recovery.ConfirmForgotPassword(t.Context(), e.App, "ann", code, "another password")
				}
				return e.Pool.CheckCode(t.Context(), purpose, e.Ann.Sub, code)
			}
			code := sendTo(t, e, purpose)
			s.meddle = func() { pooltest.WantCode(t, "wrong", use(other(code)), userpool.CodeMismatch) }
			pooltest.WantCode(t, "beside a wrong one", use(code), "")

			code = sendTo(t, e, purpose)
			next := code
			s.meddle = func() {
				for next == code {
					next = sendTo(t, e, purpose)
				}
			}
			pooltest.WantCode(t, "replaced", use(code), userpool.CodeExpired)
			pooltest.WantCode(t, "the newer one", use(next), "")

			fixed := *e.Pool.Settings()
			fixed.FixedCode = "123456"
			must(t, e.Pool.Configure(t.Context(), fixed))
			code = sendTo(t, e, purpose)
			s.meddle = func() {
				pooltest.WantCode(t, "first", use(code), "")
				sendTo(t, e, purpose)
			}
			pooltest.WantCode(t, "spent and sent again", use(code), userpool.CodeExpired)
			pooltest.WantCode(t, "the one that was sent", use(code), "")
		})
	}
}
