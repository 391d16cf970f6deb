package userpool

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// Media of messages (DeliveryMediumType).
const (
	MediumEmail = "EMAIL"
	MediumSMS   = "SMS"
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

// MessageQuery says which messages accounts.Outbox.List returns; all that is set must
// hold.
type MessageQuery struct {
	To       string // the address, in any case
	Username string // the user's, in any case
	Sub      string
	Before   string // an ID: only older ones
	Limit    int    // at most 1000; zero: 1000
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
	if whole, _ := text.LinkMark(m.LinkEmail); m.LinkEmail != "" && whole == "{####}" {
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

// AddressOf names the attribute that the codes of a factor go to; empty: they
// go nowhere.
func AddressOf(factor string) string {
	switch factor {
	case FactorSMS:
		return "phone_number"
	case FactorEmail:
		return "email"
	default:
		return ""
	}
}

// What a code or a message is for.
const (
	PurposeSignUp     = "sign-up"    // confirms a sign-up
	PurposeReset      = "reset"      // lets a person choose a new password
	PurposeVerify     = "verify"     // proves an address of somebody who is signed in
	PurposeMFA        = "mfa"        // is the second factor
	PurposeSignIn     = "sign-in"    // is the first factor
	PurposeInvitation = "invitation" // a message with a temporary password; never a code
)

// MediumFor returns how codes get to the address that an attribute is.
func MediumFor(attribute string) string {
	if attribute == "phone_number" {
		return MediumSMS
	}
	return MediumEmail
}

// FactorFor returns the factor that codes by a medium are.
func FactorFor(medium string) string {
	if medium == MediumSMS {
		return FactorSMS
	}
	return FactorEmail
}
