package userpool

import (
	"context"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// Media of messages (DeliveryMediumType).
const (
	MediumEmail = "EMAIL"
	MediumSMS   = "SMS"
)

const (
	maxMessages     = 1000 // kept of a pool
	messageLifetime = 7 * 24 * time.Hour
)

const maxListed = 1000

const (
	maxDeliveries   = 16
	deliveryTimeout = 30 * time.Second
)

// Message is a mail or a short message that was, or would have been, sent.
type Message struct {
	ID     string // greater than that of any message before, unless the clock was set back
	Time   time.Time
	Medium string // MediumEmail or MediumSMS
	To     string // the address

	Subject string // of a mail
	Body    string // holds the code or the link: not for a log
	HTML    bool   // Body is HTML; otherwise it is plain text

	Code Secret // the code, or the temporary password; as it stands in Body
	Link string // what the mail links to, with the code in it; empty: nothing

	Purpose  string // one of the Purpose constants
	Sub      string // whose it is
	Username string
	ClientID string // where it began; empty: no app client is concerned
}

// LogValue returns what may stand in a log: neither text nor code nor link.
func (m Message) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", m.ID), slog.String("medium", m.Medium),
		slog.String("purpose", m.Purpose), slog.String("sub", m.Sub))
}

// String returns what may be printed, as LogValue.
func (m Message) String() string { return m.Medium + " message " + m.ID + " for " + m.Purpose }

// MessageQuery says which messages [Pool.Messages] returns; all that is set must
// hold.
type MessageQuery struct {
	To       string // the address, in any case
	Username string // the user's, in any case
	Sub      string
	Before   string // an ID: only older ones
	Limit    int    // at most 1000; zero: 1000
}

// Messages returns the outbox: the messages of the last seven days, at most
// 1000, the newest first.
func (p *Pool) Messages(ctx context.Context, q MessageQuery) ([]Message, error) {
	if q.Limit <= 0 || q.Limit > maxListed {
		q.Limit = maxListed
	}
	out, err := p.store.Messages(ctx, q, p.now())
	if err != nil {
		return nil, fmt.Errorf("userpool: reading the outbox: %w", err)
	}
	return out, nil
}

// DeleteMessages empties the outbox.
func (p *Pool) DeleteMessages(ctx context.Context) error {
	err := p.store.DeleteMessages(ctx)
	if err != nil {
		return fmt.Errorf("userpool: emptying the outbox: %w", err)
	}
	return nil
}

// nextMessageID returns an ID that orders messages by time, and by their order
// when the clock stands still or was set back a little.
func (p *Pool) nextMessageID() string {
	for {
		last, next := p.lastMessage.Load(), p.now().UnixNano()
		if last >= next && last-next < int64(clockSlack) {
			next = last + 1
		}
		if p.lastMessage.CompareAndSwap(last, next) {
			return messageID(next) + "-" + NewUUID()[:8]
		}
	}
}

// messageID is what the IDs of messages begin with that were sent at this time.
func messageID(unixNano int64) string { return fmt.Sprintf("%016x", unixNano) }

// Our own templates. Cognito's wording is not documented.
var defaultMessages = Messages{
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
func templateOf(s *Settings, purpose, medium string, link bool) (subject, text string) {
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
	case purpose == PurposeInvitation && medium == MediumSMS:
		return "", pick(given.InvitationSMS, own.InvitationSMS)
	case purpose == PurposeInvitation:
		return pick(given.InvitationSubject, own.InvitationSubject), pick(given.InvitationEmail, own.InvitationEmail)
	case (purpose == PurposeMFA || purpose == PurposeSignIn) && medium == MediumSMS:
		return "", pick(given.CodeSMS, own.CodeSMS)
	case purpose == PurposeMFA || purpose == PurposeSignIn:
		return pick(given.CodeSubject, own.CodeSubject), pick(given.CodeEmail, own.CodeEmail)
	case medium == MediumSMS:
		return "", pick(given.VerificationSMS, own.VerificationSMS)
	default:
		return pick(given.VerificationSubject, own.VerificationSubject),
			pick(given.VerificationEmail, own.VerificationEmail)
	}
}

// codeMessage writes the message with a code. For a decoy it does not ask the
// trigger, which would be told of somebody who is not there.
func (p *Pool) codeMessage(ctx context.Context, r codeRequest, code Secret) (Message, error) {
	m := Message{
		ID: p.nextMessageID(), Time: p.now(), Medium: r.Medium, To: r.To, Code: code, Purpose: r.Purpose,
		Sub: r.User.Sub, Username: r.User.Username, ClientID: r.Client.ID,
	}
	byLink := p.Settings().ConfirmByLink && r.Purpose == PurposeSignUp && r.Medium == MediumEmail
	if byLink {
		m.Link = p.domain + "/confirmUser?" + text.Query(
			"client_id", r.Client.ID, "user_name", r.User.Username, "confirmation_code", string(code))
	}
	m.Subject, m.Body = templateOf(p.Settings(), r.Purpose, r.Medium, byLink)
	if !r.Decoy {
		err := p.customise(ctx, r, &m)
		if err != nil {
			return Message{}, err
		}
	}
	fill(&m)
	return m, nil
}

// customise lets the CustomMessage trigger replace the template.
func (p *Pool) customise(ctx context.Context, r codeRequest, m *Message) error {
	source := r.Source
	if source == "" {
		source = codeRules[r.Purpose].source
	}
	texts := messageTexts{EmailSubject: m.Subject, EmailMessage: m.Body, SMSMessage: m.Body}
	err := p.customMessage(ctx, r.Client, source, r.User, &texts)
	m.Subject, m.Body = texts.EmailSubject, texts.EmailMessage
	if m.Medium == MediumSMS {
		m.Subject, m.Body = "", texts.SMSMessage
	}
	return err
}

// fill replaces what stands for the code, the user name and the link. A text
// with a tag in it is HTML, and so is one with a link; there the user name,
// which anyone may choose, is escaped.
func fill(m *Message) {
	m.HTML = m.Medium == MediumEmail && (m.Link != "" || strings.Contains(m.Body, "<"))
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
		whole, text := linkMark(body)
		pairs = append(pairs, whole, `<a href="`+html.EscapeString(m.Link)+`">`+text+`</a>`)
	}
	m.Body = strings.NewReplacer(pairs...).Replace(body)
}

// linkMark finds {##text##}. A template without one gets an empty mark, which
// CheckSettings does not let in, and which a trigger may still send.
func linkMark(template string) (whole, text string) {
	_, rest, ok := strings.Cut(template, "{##")
	text, _, closed := strings.Cut(rest, "##}")
	if !ok || !closed || text == "" {
		return "{####}", "Confirm my account"
	}
	return "{##" + text + "##}", text
}

// deliver hands a message to Config.Deliver, without waiting: how long a mail
// takes must not tell who has an account. What fails is in the log; the message
// is in the outbox all the same.
func (p *Pool) deliver(ctx context.Context, m Message) {
	if p.deliverer == nil {
		return
	}
	select {
	case p.deliveries <- struct{}{}:
	default:
		p.log.ErrorContext(ctx, "delivery failed", "message", m, "err", "too many deliveries are under way")
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliveryTimeout)
	go func() {
		defer func() { cancel(); <-p.deliveries }()
		err := p.deliverer(ctx, m)
		if err != nil {
			p.log.ErrorContext(ctx, "delivery failed", "message", m, "err", err)
		}
	}()
}

// Mask returns an address as the pages show it: a***@e***, +*******1234
// (CodeDeliveryDetailsType).
func Mask(address string) string {
	local, domain, email := strings.Cut(address, "@")
	switch {
	case address == "":
		return ""
	case email:
		return first(local) + "***@" + first(domain) + "***"
	default:
		return "+*******" + address[max(0, len(address)-4):]
	}
}

func first(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

// checkMessages holds templates to the API reference's bounds
// (VerificationMessageTemplateType, MessageTemplateType).
func checkMessages(s Settings) error {
	m := s.Messages
	for _, t := range []struct {
		field, text, mark string
		most              int
	}{
		{"VerificationSubject", m.VerificationSubject, "", 140},
		{"VerificationEmail", m.VerificationEmail, "{####}", 20_000},
		{"VerificationSMS", m.VerificationSMS, "{####}", 140},
		{"LinkSubject", m.LinkSubject, "", 140},
		{"LinkEmail", m.LinkEmail, "", 20_000},
		{"InvitationSubject", m.InvitationSubject, "", 140},
		{"InvitationEmail", m.InvitationEmail, "{####}", 20_000},
		{"InvitationSMS", m.InvitationSMS, "{####}", 140},
		{"CodeSubject", m.CodeSubject, "", 140},
		{"CodeEmail", m.CodeEmail, "{####}", 20_000},
		{"CodeSMS", m.CodeSMS, "{####}", 140},
	} {
		err := checkTemplate(t.text, t.mark, t.most)
		if err != nil {
			return fmt.Errorf("Messages.%s: %w", t.field, err) //nolint:staticcheck // the name of a field
		}
	}
	if whole, _ := linkMark(m.LinkEmail); m.LinkEmail != "" && whole == "{####}" {
		return errors.New("Messages.LinkEmail: the link is missing: write {##text##} where it belongs")
	}
	return nil
}

func checkTemplate(text, mark string, most int) error {
	switch {
	case text == "":
		return nil
	case !utf8.ValidString(text) || utf8.RuneCountInString(text) > most:
		return fmt.Errorf("expected UTF-8 of at most %d characters", most)
	case !strings.Contains(text, mark):
		return fmt.Errorf("write %s where the code belongs", mark)
	}
	return nil
}
