package mail_test

import (
	"bufio"
	"io"
	"mime"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/mail"
	"github.com/cognate-auth/cognate/userpool"
)

// server is an SMTP server that keeps what it gets.
type server struct {
	address string
	refuse  string // the command that it refuses
	mute    bool   // it never says anything

	mu       sync.Mutex
	commands []string
	data     string
}

func serve(t *testing.T, s *server) *server {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				s.talk(conn)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return s
}

// talk is one connection (RFC 5321).
func (s *server) talk(conn net.Conn) {
	in := bufio.NewReader(conn)
	say := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") }
	if s.mute {
		_, _ = in.ReadString('\n')
		return
	}
	say("220 test")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, _, _ := strings.Cut(line, " ")
		s.mu.Lock()
		s.commands = append(s.commands, line)
		s.mu.Unlock()
		switch {
		case s.refuse != "" && verb == s.refuse:
			say("550 refused")
		case verb == "EHLO":
			say("250-test\r\n250 8BITMIME")
		case verb == "DATA":
			say("354 go on")
			s.read(in)
			say("250 kept")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

func (s *server) read(in *bufio.Reader) {
	var all strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		all.WriteString(strings.TrimPrefix(line, "."))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = all.String()
}

func (s *server) kept(t *testing.T) (commands []string, header netmail.Header, body string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := netmail.ReadMessage(strings.NewReader(s.data))
	if err != nil {
		t.Fatalf("%v in %q", err, s.data)
	}
	text, err := io.ReadAll(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(s.commands), m.Header, string(text)
}

func newSender(t *testing.T, c mail.Config) *mail.Sender {
	t.Helper()
	if c.From == "" {
		c.From = "The pool <pool@example.com>"
	}
	s, err := mail.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func message() userpool.Message {
	return userpool.Message{
		Time: time.Unix(1_800_000_000, 0), Medium: userpool.MediumEmail, To: "ann@example.com",
		Subject: "Your code, Ünal", Body: "Your code is 123456.\n.\nBye", Code: "123456",
	}
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	s := serve(t, &server{})
	err := newSender(t, mail.Config{Server: s.address}).Deliver(t.Context(), message())
	if err != nil {
		t.Fatal(err)
	}
	commands, header, body := s.kept(t)
	subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
	if err != nil || subject != "Your code, Ünal" || header.Get("To") != "<ann@example.com>" ||
		header.Get("From") != `"The pool" <pool@example.com>` ||
		!strings.Contains(header.Get("Content-Type"), "text/plain") {
		t.Errorf("header: %v, %v", header, err)
	}
	if !strings.Contains(body, "123456") || !strings.Contains(body, "Bye") {
		t.Errorf("body: %q", body)
	}
	if !slices.ContainsFunc(commands, func(c string) bool {
		return strings.HasPrefix(c, "RCPT TO:<ann@example.com>")
	}) {
		t.Errorf("commands: %q", commands)
	}
}

func TestDeliverHTML(t *testing.T) {
	t.Parallel()
	s := serve(t, &server{})
	m := message()
	m.HTML, m.Body = true, `<a href="http://x">y</a>`
	err := newSender(t, mail.Config{Server: s.address}).Deliver(t.Context(), m)
	_, header, _ := s.kept(t)
	if err != nil || !strings.Contains(header.Get("Content-Type"), "text/html") {
		t.Errorf("got %v, header %v", err, header)
	}
}

// TestShortMessages stay in the outbox.
func TestShortMessages(t *testing.T) {
	t.Parallel()
	m := message()
	m.Medium, m.To = userpool.MediumSMS, "+4930123456"
	err := newSender(t, mail.Config{Server: "127.0.0.1:1"}).Deliver(t.Context(), m)
	if err != nil {
		t.Error(err)
	}
}

// TestInjection has recipients and subjects that would add a header, a
// recipient or a command.
func TestInjection(t *testing.T) {
	t.Parallel()
	for _, to := range []string{
		"", "ann", "ann@example.com, eve@evil.test", "ann@example.com\r\nBcc: eve@evil.test", "Eve <eve@evil.test>",
		"<ann@example.com>", "ann@example.com>\r\nRCPT TO:<eve@evil.test", " ann@example.com", "ann@example.com (x)",
		"ann@[127.0.0.1]\n",
	} {
		s := serve(t, &server{})
		m := message()
		m.To = to
		err := newSender(t, mail.Config{Server: s.address}).Deliver(t.Context(), m)
		if err == nil || len(s.commands) > 0 {
			t.Errorf("%q: got %v and commands %q, want an error and none", to, err, s.commands)
		}
	}
	for _, subject := range []string{
		"x\r\nBcc: eve@evil.test", "x\nBcc: eve@evil.test", "x\rBcc: eve@evil.test", "x\r\n\r\nbody", "x\x00y",
	} {
		s := serve(t, &server{})
		m := message()
		m.Subject = subject
		err := newSender(t, mail.Config{Server: s.address}).Deliver(t.Context(), m)
		if err != nil {
			continue
		}
		commands, header, body := s.kept(t)
		if header.Get("Bcc") != "" || strings.HasPrefix(body, "body") ||
			strings.Contains(strings.Join(commands, " "), "evil") {
			t.Errorf("%q: header %v, commands %q", subject, header, commands)
		}
	}
	s := serve(t, &server{})
	m := message()
	m.Body = "x\r\n.\r\nMAIL FROM:<eve@evil.test>\r\n"
	err := newSender(t, mail.Config{Server: s.address}).Deliver(t.Context(), m)
	commands, _, _ := s.kept(t)
	if err != nil || strings.Contains(strings.Join(commands, " "), "evil") {
		t.Errorf("a body gave commands: %q, %v", commands, err)
	}
}

// TestFailures has servers that do not take the mail. The error is for the log.
func TestFailures(t *testing.T) {
	t.Parallel()
	const password = "s3cret-of-the-server"
	for name, tt := range map[string]struct {
		server *server
		config mail.Config
	}{
		"refused sender":    {&server{refuse: "MAIL"}, mail.Config{}},
		"refused recipient": {&server{refuse: "RCPT"}, mail.Config{}},
		"refused data":      {&server{refuse: "DATA"}, mail.Config{}},
		"mute":              {&server{mute: true}, mail.Config{Timeout: 100 * time.Millisecond}},
		"no authentication": {&server{}, mail.Config{Username: "pool", Password: password}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, tt.server)
			tt.config.Server = s.address
			err := newSender(t, tt.config).Deliver(t.Context(), message())
			if err == nil {
				t.Fatal("got no error")
			}
			text := err.Error() + strings.Join(s.commands, " ")
			if strings.Contains(text, password) || strings.Contains(err.Error(), "123456") {
				t.Errorf("a secret is in %q", text)
			}
		})
	}
}

// TestTLS does not send in the clear to another machine.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := serve(t, &server{})
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	host := "mail.localhost" // anything but a plain name of this machine stands for another one
	err = newSender(t, mail.Config{Server: host + ":" + port}).Deliver(t.Context(), message())
	if err == nil || !strings.Contains(err.Error(), "TLS") || s.data != "" {
		t.Errorf("got %v, and the server %q", err, s.data)
	}
	err = newSender(t, mail.Config{Server: host + ":" + port, InsecurePlaintext: true}).Deliver(t.Context(), message())
	if err != nil {
		t.Errorf("with InsecurePlaintext: %v", err)
	}
}

// TestConfig has what New must not accept.
func TestConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []mail.Config{
		{From: "a@b.test"}, {Server: "localhost", From: "a@b.test"}, {Server: "localhost:x", From: "a@b.test"},
		{Server: "localhost:0", From: "a@b.test"}, {Server: "localhost:70000", From: "a@b.test"},
		{Server: ":25", From: "a@b.test"},
		{Server: "localhost:25"}, {Server: "localhost:25", From: "nobody"},
		{Server: "localhost:25", From: "a@b.test\r\nBcc: c@d.test"},
	} {
		_, err := mail.New(c)
		if err == nil || !strings.HasPrefix(err.Error(), "mail: ") {
			t.Errorf("%+v: got error %v", c, err)
		}
	}
}
