package pooltest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

// Passkeys are passkeys with a shared key in the place of a key pair, so that
// the pool's own rules can be tested without a browser. They check what real
// ones check: challenge, user and sign count.
type Passkeys struct{}

var _ userpool.Passkeys = Passkeys{}

// ceremony is what goes out as options and stays as state.
type ceremony struct {
	Challenge string `json:"challenge"`
	User      string `json:"user,omitempty"`
	Verify    bool   `json:"verify"`
}

// answer is what an authenticator says.
type answer struct {
	RawID      string `json:"rawId"`
	Challenge  string `json:"challenge"`
	UserHandle string `json:"userHandle"`
	Key        []byte `json:"key,omitempty"` // of a new passkey
	Count      uint32 `json:"count"`
	Verified   bool   `json:"verified"`
	Platform   bool   `json:"platform"`
	MAC        []byte `json:"mac"`
}

func (a answer) mac(key []byte) []byte {
	a.MAC, a.Key = nil, nil
	body, _ := json.Marshal(a)
	m := hmac.New(sha256.New, key)
	m.Write(body)
	return m.Sum(nil)
}

func begin(user string, verify bool) (options, state []byte, err error) {
	options, err = json.Marshal(ceremony{Challenge: rand.Text(), User: user, Verify: verify})
	return options, options, err
}

// BeginRegistration implements userpool.Passkeys.
func (Passkeys) BeginRegistration(r userpool.PasskeyRegistration) (options, state []byte, err error) {
	return begin(r.Sub, r.VerifyUser)
}

// BeginAssertion implements userpool.Passkeys.
func (Passkeys) BeginAssertion(rp userpool.RelyingParty) (options, state []byte, err error) {
	return begin("", rp.VerifyUser)
}

var errCeremony = errors.New("the answer is not of this ceremony")

func read(state, response []byte) (c ceremony, a answer, err error) {
	err = errors.Join(json.Unmarshal(state, &c), json.Unmarshal(response, &a))
	if err == nil && (c.Challenge == "" || a.Challenge != c.Challenge || c.Verify && !a.Verified) {
		err = errCeremony
	}
	return c, a, err
}

// FinishRegistration implements userpool.Passkeys.
func (Passkeys) FinishRegistration(
	r userpool.PasskeyRegistration, state, response []byte,
) (userpool.Passkey, error) {
	c, a, err := read(state, response)
	if err == nil && (c.User != r.Sub || a.UserHandle != r.Sub) {
		err = errCeremony
	}
	return userpool.Passkey{
		ID: a.RawID, Platform: a.Platform, Verified: a.Verified, SignCount: a.Count, Credential: a.Key,
	}, err
}

// FinishAssertion implements userpool.Passkeys.
func (Passkeys) FinishAssertion(
	_ userpool.RelyingParty, state, response []byte, k userpool.Passkey,
) (userpool.Passkey, error) {
	_, a, err := read(state, response)
	switch {
	case err != nil:
		return k, err
	case a.RawID != k.ID, a.UserHandle != k.Sub, !hmac.Equal(a.MAC, a.mac(k.Credential)):
		return k, errCeremony
	case (a.Count > 0 || k.SignCount > 0) && a.Count <= k.SignCount:
		return k, errors.New("there are two copies")
	}
	k.SignCount, k.Verified = a.Count, a.Verified
	return k, nil
}

// Authenticator holds one passkey.
type Authenticator struct {
	ID, Sub            string
	Key                []byte
	Count              uint32 // zero after the first use: it does not count
	Verifies, Platform bool
}

// NewAuthenticator returns one that verifies its user and counts.
func NewAuthenticator() *Authenticator {
	id, key := make([]byte, 16), make([]byte, 32)
	_, _ = rand.Read(id)
	_, _ = rand.Read(key)
	return &Authenticator{
		ID: base64.RawURLEncoding.EncodeToString(id), Key: key, Count: 1, Verifies: true, Platform: true,
	}
}

// Create answers the options of a registration.
func (k *Authenticator) Create(t testing.TB, options string) string {
	t.Helper()
	var c ceremony
	check(t, json.Unmarshal([]byte(options), &c))
	k.Sub = c.User
	return k.answer(t, c, k.Key)
}

// Get answers the options of a sign-in.
func (k *Authenticator) Get(t testing.TB, options string) string {
	t.Helper()
	var c ceremony
	check(t, json.Unmarshal([]byte(options), &c))
	if k.Count > 0 {
		k.Count++
	}
	return k.answer(t, c, nil)
}

func (k *Authenticator) answer(t testing.TB, c ceremony, key []byte) string {
	t.Helper()
	a := answer{
		RawID: k.ID, Challenge: c.Challenge, UserHandle: k.Sub, Count: k.Count, Verified: k.Verifies,
		Platform: k.Platform,
	}
	a.MAC, a.Key = a.mac(k.Key), key
	body, err := json.Marshal(a)
	check(t, err)
	return string(body)
}

// TOTP returns what an authenticator app with this secret, in base32, shows.
func TOTP(t testing.TB, secret string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(secret, " ", ""))
	check(t, err)
	m := hmac.New(sha1.New, key)
	check(t, binary.Write(m, binary.BigEndian, at.Unix()/30))
	sum := m.Sum(nil)
	from := sum[19] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[from:])&(1<<31-1)%1_000_000)
}
