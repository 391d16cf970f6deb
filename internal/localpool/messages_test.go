package localpool_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/internal/localpool"
	"github.com/cognate-auth/cognate/userpool"
)

const outbox = "http://localhost:9229/_cognate/outbox"

// TestMessages has the line of each kind of message.
func TestMessages(t *testing.T) {
	if got := (localpool.View{Token: "a-token-of-its-own"}).Outbox("http://localhost:9229"); got != outbox {
		t.Errorf("the outbox is at %s, want %s", got, outbox)
	}
	mail := userpool.Message{
		Medium: userpool.MediumEmail, To: "ann@example.com", Purpose: userpool.PurposeReset, Code: "739154",
	}
	text, link, hostile, invitation := mail, mail, mail, mail
	text.Medium, text.To, text.Purpose = userpool.MediumSMS, "+14155550123", userpool.PurposeMFA
	link.Link, link.Purpose = "http://localhost:9229/confirmUser?confirmation_code=739154", userpool.PurposeSignUp
	hostile.To = "\x1b[2J@example.com"
	invitation.Purpose = userpool.PurposeInvitation
	for name, tt := range map[string]struct {
		m            userpool.Message
		smtp, outbox string
		fixed        bool
		want         string
	}{
		"mail": {mail, "", outbox, false, "  Mail to ann@example.com, a code for a new password: " + outbox + "\n"},
		"text": {text, "", outbox, false, "  SMS to +14155550123, a code as the second factor: " + outbox + "\n"},
		"link": {link, "", outbox, false,
			"  Mail to ann@example.com, a link that confirms a sign-up: " + outbox + "\n"},
		"fixed": {mail, "", outbox, true, "  Mail to ann@example.com, a code for a new password: " + outbox +
			" (its code is the pool's fixed_code)\n"},
		"fixed invitation": {invitation, "", outbox, true,
			"  Mail to ann@example.com, a temporary password: " + outbox + "\n"},
		"by SMTP": {mail, "localhost:1025", outbox, false, "  Mail to ann@example.com, a code for a new password: " +
			"sent to localhost:1025, also at " + outbox + "\n"},
		"by SMTP without view": {mail, "localhost:1025", "", false,
			"  Mail to ann@example.com, a code for a new password: sent to localhost:1025\n"},
		"text by SMTP": {text, "localhost:1025", outbox, false,
			"  SMS to +14155550123, a code as the second factor: " + outbox + "\n"},
		"without view": {mail, "", "", true, ""},
		"hostile address": {hostile, "", outbox, false,
			`  Mail to "\x1b[2J@example.com", a code for a new password: ` + outbox + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			localpool.NewMessages(&b, tt.smtp).Tell(tt.m, tt.outbox, tt.fixed)
			if b.String() != tt.want {
				t.Errorf("got  %q\nwant %q", b.String(), tt.want)
			}
		})
	}
	(*localpool.Messages)(nil).Tell(mail, outbox, false)
}

// TestManyMessages sends a thousand at once, and one later.
func TestManyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		messages := localpool.NewMessages(&b, "")
		tell := func() { messages.Tell(userpool.Message{To: "ann@example.com"}, outbox, false) }
		for range 1000 {
			tell()
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		lines, counted := strings.CutSuffix(b.String(), "  and 990 more\n")
		if got := strings.Count(lines, "\n"); got != 10 || !counted {
			t.Errorf("a thousand messages have %d lines, want 10; the others are counted: %t", got, counted)
		}
		b.Reset()
		tell()
		if got := strings.Count(b.String(), "\n"); got != 1 {
			t.Errorf("the next message has %d lines, want one:\n%s", got, b.String())
		}
	})
}
