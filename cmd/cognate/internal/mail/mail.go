// Package mail delivers the pool's e-mail messages to an SMTP server: one on this
// machine that shows them, such as Mailpit, or one that sends them. Of user pools it
// knows only the messages of package userpool.
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"slices"
	"strconv"
	"time"

	smtp "github.com/wneessen/go-mail"

	"github.com/cognate-auth/cognate/internal/loopback"
	"github.com/cognate-auth/cognate/userpool"
)

// Config says where mail is sent.
type Config struct {
	// Server is the server's host and port, such as localhost:1025 or
	// smtp.example.com:587. Connections to port 465 begin with TLS. Required.
	Server string

	// From is the sender: an address, or a name and an address in angle
	// brackets. Required.
	From string

	// Username and Password are sent to the server if Username is set, and only over
	// TLS or to this machine.
	Username string
	Password userpool.Secret

	// Timeout limits one delivery. Zero: 20 s.
	Timeout time.Duration

	// InsecurePlaintext sends mail without TLS if the server does not offer TLS. A
	// server on this machine does not need it.
	InsecurePlaintext bool
}

// Sender delivers messages. It is safe for concurrent use; each message has its own
// connection. The pool limits how many deliveries are under way.
type Sender struct {
	host    string
	from    *netmail.Address
	timeout time.Duration
	tls     bool // the connection begins with TLS (port 465)
	options []smtp.Option
}

const implicitTLS = 465

// New checks c. It does not connect to the server.
func New(c Config) (*Sender, error) {
	host, port, err := splitServer(c.Server)
	if err != nil {
		return nil, err
	}
	from, err := netmail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("mail: the sender %q is not an address, such as pool@example.com", c.From)
	}
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
	}
	s := &Sender{host: host, from: from, timeout: c.Timeout, tls: port == implicitTLS}
	s.options = []smtp.Option{smtp.WithPort(port), smtp.WithTimeout(c.Timeout), smtp.WithTLSPolicy(tlsPolicy(c, host))}
	if s.tls {
		s.options = append(s.options, smtp.WithSSL())
	}
	if c.Username != "" {
		s.options = append(s.options, smtp.WithSMTPAuth(smtp.SMTPAuthAutoDiscover),
			smtp.WithUsername(c.Username), smtp.WithPassword(string(c.Password)))
	}
	_, err = smtp.NewClient(s.host, s.options...)
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	return s, nil
}

func splitServer(server string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(server)
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("mail: the server %q is not a host and a port, such as localhost:1025", server)
	}
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil || number == 0 {
		return "", 0, fmt.Errorf("mail: the server %q has no port from 1 to 65535", server)
	}
	return host, int(number), nil
}

// tlsPolicy requires STARTTLS, except where nobody is between this program and the
// server.
func tlsPolicy(c Config, host string) smtp.TLSPolicy {
	addr, err := netip.ParseAddr(host)
	if c.InsecurePlaintext || host == "localhost" || err == nil && addr.IsLoopback() {
		return smtp.TLSOpportunistic
	}
	return smtp.TLSMandatory
}

// Deliver sends m if it is an e-mail message. A short message stays only in the outbox.
// Deliver is made for pool.Config.Deliver.
func (s *Sender) Deliver(ctx context.Context, m userpool.Message) error {
	if m.Medium != userpool.MediumEmail {
		return nil
	}
	msg, err := s.compose(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	line := &line{tls: s.tls}
	defer line.close()
	client, err := smtp.NewClient(s.host, append(slices.Clip(s.options), smtp.WithDialContextFunc(line.dial))...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if err != nil {
		return fmt.Errorf("mail: delivering to %s: %w", s.host, err)
	}
	return nil
}

// line is the connection of one delivery. It is always closed at the end, and no answer
// of the server is awaited longer than the delivery may take.
type line struct {
	tls  bool
	conn net.Conn
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := loopback.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.conn = conn
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	}
	if err != nil || !l.tls {
		return conn, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	secured := tls.Client(conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12})
	return secured, secured.HandshakeContext(ctx)
}

func (l *line) close() {
	if l.conn != nil {
		_ = l.conn.Close() // the server has the mail, or Deliver returned an error
	}
}

// compose writes the mail. The recipient must be a single plain address: the person who
// chose it must not add another recipient or a header.
func (s *Sender) compose(m userpool.Message) (*smtp.Msg, error) {
	to, err := netmail.ParseAddress(m.To)
	if err != nil || to.Address != m.To || to.Name != "" {
		return nil, errors.New("mail: the recipient is not a plain address")
	}
	msg := smtp.NewMsg()
	msg.FromMailAddress(s.from)
	msg.ToMailAddress(to)
	msg.Subject(m.Subject)
	msg.SetDateWithValue(m.Time)
	msg.SetMessageID()
	kind := smtp.TypeTextPlain
	if m.HTML {
		kind = smtp.TypeTextHTML
	}
	msg.SetBodyString(kind, m.Body)
	return msg, nil
}
