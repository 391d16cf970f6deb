package codes

import (
	"context"
	"html"
	"strings"
	"time"
	"unicode"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
)

const (
	maxDeliveries   = 16
	deliveryTimeout = 30 * time.Second
)

// nextMessageID returns an ID that orders messages by time, and by their order
// when the clock stands still or was set back a little.
func (cs *Codes) nextMessageID() string {
	for {
		last, next := cs.lastMessage.Load(), cs.core.Now().UnixNano()
		if last >= next && last-next < int64(clock.Slack) {
			next = last + 1
		}
		if cs.lastMessage.CompareAndSwap(last, next) {
			return records.MessageID(next) + "-" + userpool.NewUUID()[:8]
		}
	}
}

// Our own templates. Cognito's wording is not documented.
var defaultMessages = userpool.Messages{
	VerificationSubject: "Your verification code",
	VerificationEmail:   "Your confirmation code is {####}.",
	VerificationSMS:     "Your confirmation code is {####}.",
	LinkSubject:         "Confirm your account",
	LinkEmail:           "Please follow this link to confirm your account: {##Confirm my account##}",
	InvitationSubject:   "Your temporary password",
	InvitationEmail:     "Your username is {username} and your temporary password is {####}",
	InvitationSMS:       "Your username is {username} and your temporary password is {####}",
	CodeSubject:         "Your authentication code",
	CodeEmail:           "Your authentication code is {####}.",
	CodeSMS:             "Your authentication code is {####}.",
}

// templateOf returns the subject and text of a message, where {####} and the like
// are still to be filled in.
func templateOf(s *userpool.Settings, purpose, medium string, link bool) (subject, said string) {
	own, given := defaultMessages, s.Messages
	pick := func(first, second string) string {
		if first != "" {
			return first
		}
		return second
	}
	switch {
	case link:
		return pick(given.LinkSubject, own.LinkSubject), pick(given.LinkEmail, own.LinkEmail)
	case purpose == userpool.PurposeInvitation && medium == userpool.MediumSMS:
		return "", pick(given.InvitationSMS, own.InvitationSMS)
	case purpose == userpool.PurposeInvitation:
		return pick(given.InvitationSubject, own.InvitationSubject), pick(given.InvitationEmail, own.InvitationEmail)
	case (purpose == userpool.PurposeMFA || purpose == userpool.PurposeSignIn) && medium == userpool.MediumSMS:
		return "", pick(given.CodeSMS, own.CodeSMS)
	case purpose == userpool.PurposeMFA || purpose == userpool.PurposeSignIn:
		return pick(given.CodeSubject, own.CodeSubject), pick(given.CodeEmail, own.CodeEmail)
	case medium == userpool.MediumSMS:
		return "", pick(given.VerificationSMS, own.VerificationSMS)
	default:
		return pick(given.VerificationSubject, own.VerificationSubject),
			pick(given.VerificationEmail, own.VerificationEmail)
	}
}

// Message writes the message with a code. For a decoy it does not ask the
// trigger, which would be told of somebody who is not there.
func (cs *Codes) Message(ctx context.Context, r Request, code userpool.Secret) (userpool.Message, error) {
	m := userpool.Message{
		ID: cs.nextMessageID(), Time: cs.core.Now(), Medium: r.Medium, To: r.To, Code: code, Purpose: r.Purpose,
		Sub: r.User.Sub, Username: r.User.Username, ClientID: r.Client.ID,
	}
	byLink := cs.core.Settings().ConfirmByLink && r.Purpose == userpool.PurposeSignUp &&
		r.Medium == userpool.MediumEmail
	if byLink {
		m.Link = cs.core.Domain + "/confirmUser?" + text.Query(
			"client_id", r.Client.ID, "user_name", r.User.Username, "confirmation_code", string(code))
	}
	m.Subject, m.Body = templateOf(cs.core.Settings(), r.Purpose, r.Medium, byLink)
	if !r.Decoy {
		err := cs.customise(ctx, r, &m)
		if err != nil {
			return userpool.Message{}, err
		}
	}
	fill(&m)
	return m, nil
}

// customise lets the CustomMessage trigger replace the template.
func (cs *Codes) customise(ctx context.Context, r Request, m *userpool.Message) error {
	source := r.Source
	if source == "" {
		source = rules[r.Purpose].source
	}
	texts := triggers.Texts{EmailSubject: m.Subject, EmailMessage: m.Body, SMSMessage: m.Body}
	err := cs.triggers.CustomMessage(ctx, r.Client, source, r.User, &texts)
	m.Subject, m.Body = texts.EmailSubject, texts.EmailMessage
	if m.Medium == userpool.MediumSMS {
		m.Subject, m.Body = "", texts.SMSMessage
	}
	return err
}

// fill replaces what stands for the code, the user name and the link. A text
// with a tag in it is HTML, and so is one with a link; there the user name,
// which anyone may choose, is escaped.
func fill(m *userpool.Message) {
	m.HTML = m.Medium == userpool.MediumEmail && (m.Link != "" || strings.Contains(m.Body, "<"))
	name, code := m.Username, string(m.Code)
	subject := strings.NewReplacer("{####}", code, "{username}", name).Replace(m.Subject)
	m.Subject = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' ' // a line break would begin another header
		}
		return r
	}, subject)
	if m.HTML {
		name, code = html.EscapeString(name), html.EscapeString(code)
	}
	body := m.Body
	pairs := []string{"{####}", code, "{username}", name}
	if m.Link != "" {
		whole, said := text.LinkMark(body)
		pairs = append(pairs, whole, `<a href="`+html.EscapeString(m.Link)+`">`+said+`</a>`)
	}
	m.Body = strings.NewReplacer(pairs...).Replace(body)
}

// Deliver tells Config.Sent of a message that is in the outbox, and hands it to
// Config.Deliver without waiting: how long a mail takes must not tell who has an
// account. What fails is in the log; the message is in the outbox all the same.
func (cs *Codes) Deliver(ctx context.Context, m userpool.Message) {
	if cs.sent != nil {
		cs.sent(m)
	}
	if cs.deliverer == nil {
		return
	}
	select {
	case cs.deliveries <- struct{}{}:
	default:
		cs.core.Log.ErrorContext(ctx, "delivery failed", "message", m, "err", "too many deliveries are under way")
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliveryTimeout)
	go func() {
		defer func() { cancel(); <-cs.deliveries }()
		err := cs.deliverer(ctx, m)
		if err != nil {
			cs.core.Log.ErrorContext(ctx, "delivery failed", "message", m, "err", err)
		}
	}()
}
