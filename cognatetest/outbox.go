package cognatetest

import (
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

// messagePatience is how long Code and Link wait for a message under way.
const messagePatience = 5 * time.Second

// Messages returns the e-mails and short messages that the pool sent to an address, or
// all if to is empty, the newest first. No message leaves the process. A failure ends
// the test.
func (p *Pool) Messages(tb testing.TB, to string) []userpool.Message {
	tb.Helper()
	list, err := p.pool.Outbox.List(tb.Context(), userpool.MessageQuery{To: to})
	if err != nil {
		tb.Fatalf("cognatetest: %v", err)
	}
	return list
}

// Code returns the code, or the temporary password, in the newest message to an address
// that has one. If there is none, it waits a few seconds and then ends the test.
func (p *Pool) Code(tb testing.TB, to string) string {
	tb.Helper()
	return p.awaitMessage(tb, to, "code", func(m userpool.Message) string { return string(m.Code) })
}

// Link is Code for the link that confirms a sign-up.
func (p *Pool) Link(tb testing.TB, to string) string {
	tb.Helper()
	return p.awaitMessage(tb, to, "link", func(m userpool.Message) string { return m.Link })
}

func (p *Pool) awaitMessage(tb testing.TB, to, what string, read func(userpool.Message) string) string {
	tb.Helper()
	for end := time.Now().Add(messagePatience); ; time.Sleep(5 * time.Millisecond) {
		for _, m := range p.Messages(tb, to) {
			if found := read(m); found != "" {
				return found
			}
		}
		if time.Now().After(end) {
			tb.Fatalf("cognatetest: no message with a %s was sent to %s", what, to)
		}
	}
}
