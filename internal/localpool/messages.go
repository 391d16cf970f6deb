package localpool

import (
	"io"
	"time"

	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
)

// At most so many messages get a line in each period; the others are counted. A test that
// signs up a thousand users must not push everything else off the terminal.
const (
	maxMessageLines = 10
	messagePeriod   = 10 * time.Second
)

// Messages prints a line for each mail and text message of a pool: what it is for, to whom,
// and where it can be read. The pool sends none by itself, so whoever waits for a code at a
// page would look for it in vain. The line has the whole address, since the terminal is the
// developer's own, but neither the code nor the token of the developer's view: lines are
// copied into questions, and a browser that has opened the view has the token already. Its
// method is safe for concurrent use; that of a nil Messages does nothing.
type Messages struct {
	out   io.Writer
	smtp  string
	limit *terminal.Limiter
}

// NewMessages returns what prints to out. smtp is the mail server that gets the mail too;
// empty: there is none.
func NewMessages(out io.Writer, smtp string) *Messages {
	limit := terminal.NewLimiter(maxMessageLines, messagePeriod, func(n int) {
		terminal.Printf(out, "  and %d more\n", n)
	})
	return &Messages{out: out, smtp: smtp, limit: limit}
}

// Outbox returns the address of the outbox of the pool at base, or "" if nobody may see it.
func (v View) Outbox(base string) string {
	if v.Off {
		return ""
	}
	return v.Bare(base) + "outbox"
}

// Tell prints the line for a message. outbox is the address of the pool's outbox, empty if
// the view is off: then there is a line only for what a mail server gets. fixed says that
// all codes of the pool are the same.
func (s *Messages) Tell(m userpool.Message, outbox string, fixed bool) {
	if s == nil {
		return
	}
	where := s.where(m, outbox)
	if where == "" {
		return
	}
	if fixed && m.Purpose != userpool.PurposeInvitation {
		where += " (its code is the pool's fixed_code)"
	}
	medium := "Mail"
	if m.Medium == userpool.MediumSMS {
		medium = "SMS"
	}
	s.limit.Do(func() {
		terminal.Printf(s.out, "  %s to %s, %s: %s\n", medium, shown(m.To), whatFor(m), where)
	})
}

// where says where a message can be read; empty: nowhere.
func (s *Messages) where(m userpool.Message, outbox string) string {
	switch {
	case s.smtp == "" || m.Medium != userpool.MediumEmail:
		return outbox
	case outbox == "":
		return "sent to " + s.smtp
	default:
		return "sent to " + s.smtp + ", also at " + outbox
	}
}

// shown bounds an address that anybody may have typed, and takes control of the terminal
// out of it.
func shown(address string) string {
	const most = 80
	if len(address) > most {
		address = address[:most] + "..."
	}
	return terminal.Quoted(address)
}

func whatFor(m userpool.Message) string {
	if m.Link != "" {
		return "a link that confirms a sign-up"
	}
	switch m.Purpose {
	case userpool.PurposeSignUp:
		return "a code that confirms a sign-up"
	case userpool.PurposeReset:
		return "a code for a new password"
	case userpool.PurposeVerify:
		return "a code that verifies the address"
	case userpool.PurposeMFA:
		return "a code as the second factor"
	case userpool.PurposeSignIn:
		return "a code to sign in"
	default:
		return "a temporary password"
	}
}
