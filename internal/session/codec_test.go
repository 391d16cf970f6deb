package session

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// person is an identity that is no more than its subject.
type person struct {
	subject  string
	authTime time.Time
	note     string
}

func (p *person) Subject() string     { return p.subject }
func (p *person) AuthTime() time.Time { return p.authTime }

func (p *person) Encode(tokensDropped bool) []byte {
	b := []byte{0}
	if tokensDropped {
		b[0] = 1
	}
	return append(b, p.note...)
}

func decodePerson(subject string, authTime time.Time, data []byte) (Identity, bool, error) {
	if len(data) == 0 || data[0] > 1 {
		return nil, false, errors.New("no person")
	}
	return &person{subject, authTime, string(data[1:])}, data[0] == 1, nil
}

// FuzzReadSession decodes the contents of a sealed cookie: only what the library encoded may
// decode, and only in one encoding.
func FuzzReadSession(f *testing.F) {
	f.Add([]byte("\x02\x10idididididididid\x01\x02\x03\x04\x00\x03sub\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeSession(data, decodePerson)
		if err != nil {
			return
		}
		again := s.encode()
		s, err = decodeSession(again, decodePerson)
		if err != nil || !bytes.Equal(s.encode(), again) {
			t.Fatalf("%q became %q, which is another session; error %v", data, again, err)
		}
	})
}

// FuzzReadStored decodes what a process with the right keys may have written to a store, such
// as an older or newer version of this package.
func FuzzReadStored(f *testing.F) {
	day := time.Unix(86400, 0)
	s := &Session{
		ID: strings.Repeat("i", idSize), Created: day, lastSeen: day, expires: day, sid: "s", TokensDropped: true,
		Identity: &person{"sub", day, "note"},
	}
	t := &Tokens{Access: "a", Refresh: "r", ID: "i", Nonce: "n", Expires: day, RefreshAt: day}
	f.Add(encodeStored(s, t, lease{"h", day}))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeStored(data, decodePerson)
		if err != nil {
			return
		}
		again := encodeStored(s, s.stored.tokens, s.stored.lease)
		s, err = decodeStored(again, decodePerson)
		if err != nil || !bytes.Equal(encodeStored(s, s.stored.tokens, s.stored.lease), again) {
			t.Fatalf("%q became %q, which is another session; error %v", data, again, err)
		}
	})
}

func TestTokensDoNotPrint(t *testing.T) {
	const secret = "an-access-token"
	tokens := Tokens{Access: secret, Refresh: secret, ID: secret, Nonce: secret}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{tokens, &tokens, Refreshed{Tokens: &tokens}, struct{ Tokens Tokens }{tokens}} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of %T prints %s", verb, v, text)
			}
		}
	}
}

// TestDatesOfTokens is about when an access token is refreshed, and what a refresh leaves out.
func TestDatesOfTokens(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, tt := range []struct{ life, ahead time.Duration }{
		{time.Hour, time.Minute}, {5 * time.Minute, 30 * time.Second}, {0, 0}, {-time.Hour, 0},
	} {
		got := NewTokens(Tokens{Access: "a", Expires: now.Add(tt.life)}, nil, now)
		if ahead := got.Expires.Sub(got.RefreshAt); ahead != tt.ahead || !got.Expires.Equal(now.Add(tt.life)) {
			t.Errorf("life %s: expires %s, %s before it refreshed, want %s", tt.life, got.Expires, ahead, tt.ahead)
		}
		if got.Fresh(got.RefreshAt) || !got.Fresh(got.RefreshAt.Add(-1)) {
			t.Errorf("life %s: fresh at the wrong time", tt.life)
		}
		if got.Usable(got.Expires) || !got.Usable(got.Expires.Add(-1)) {
			t.Errorf("life %s: usable at the wrong time", tt.life)
		}
	}
	old := &Tokens{Access: "a", Refresh: "r", ID: "i", Expires: now}
	got := NewTokens(Tokens{Access: "b", Nonce: "n"}, old, now)
	if got.Access != "b" || got.Refresh != "r" || got.ID != "i" ||
		!got.Expires.IsZero() || !got.Fresh(now) || !got.Usable(now) {
		t.Error("what the provider left out is not as it was")
	}
	got = NewTokens(Tokens{Access: "b", Refresh: "s", ID: "j"}, old, now)
	if got.Refresh != "s" || got.ID != "j" {
		t.Error("what the provider gave is not there")
	}
}
