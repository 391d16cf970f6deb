package passkeys_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/passkeys"
	"github.com/cognate-auth/cognate/userpool"
)

const (
	origin = "http://localhost:9229"
	sub    = "11111111-2222-4333-8444-555555555555"
)

// The flags of authenticator data (Web Authentication section 6.1).
const (
	present, verified, eligible, attested = 1, 4, 8, 64
)

// authenticator is a security key in software: ES256, no attestation.
type authenticator struct {
	key    *ecdsa.PrivateKey
	id     []byte
	handle string
	origin string
	rp     string
	flags  byte
	count  uint32
}

func newAuthenticator(t *testing.T) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	id := make([]byte, 32)
	_, _ = rand.Read(id)
	return &authenticator{
		key: key, id: id, handle: sub, origin: origin, rp: "localhost", flags: present | verified, count: 1,
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// data returns authenticator data, with the credential if there is one.
func (a *authenticator) data(flags byte, credential []byte) []byte {
	rp := sha256.Sum256([]byte(a.rp))
	out := append(rp[:], a.flags|flags)
	out = binary.BigEndian.AppendUint32(out, a.count)
	return append(out, credential...)
}

// credential returns attested credential data (section 6.5.1).
func (a *authenticator) credential(t testing.TB) []byte {
	t.Helper()
	public, err := a.key.PublicKey.Bytes() // 4, X, Y
	must(t, err)
	cose, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: public[1:33], -3: public[33:]})
	must(t, err)
	out := make([]byte, 16) // the AAGUID
	out = binary.BigEndian.AppendUint16(out, uint16(len(a.id)))
	return append(append(out, a.id...), cose...)
}

func challengeOf(t testing.TB, options []byte) string {
	t.Helper()
	var o struct{ Challenge string }
	must(t, json.Unmarshal(options, &o))
	return o.Challenge
}

func (a *authenticator) clientData(t testing.TB, kind string, options []byte) []byte {
	t.Helper()
	out, err := json.Marshal(map[string]any{
		"type": kind, "challenge": challengeOf(t, options), "origin": a.origin, "crossOrigin": false,
	})
	must(t, err)
	return out
}

// create answers the options of a registration in the form that the page's script
// sends.
func (a *authenticator) create(t testing.TB, options []byte) []byte {
	t.Helper()
	object, err := cbor.Marshal(map[string]any{
		"fmt": "none", "attStmt": map[string]any{}, "authData": a.data(attested, a.credential(t)),
	})
	must(t, err)
	return a.answer(t, map[string]any{
		"clientDataJSON":    encoded(a.clientData(t, "webauthn.create", options)),
		"attestationObject": encoded(object), "transports": []string{"internal", "made-up"},
	})
}

// get answers the options of a sign-in.
func (a *authenticator) get(t testing.TB, options []byte) []byte {
	t.Helper()
	if a.count > 0 {
		a.count++
	}
	client, data := a.clientData(t, "webauthn.get", options), a.data(0, nil)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	must(t, err)
	return a.answer(t, map[string]any{
		"clientDataJSON": encoded(client), "authenticatorData": encoded(data), "signature": encoded(signature),
		"userHandle": encoded([]byte(a.handle)),
	})
}

func (a *authenticator) answer(t testing.TB, response map[string]any) []byte {
	t.Helper()
	out, err := json.Marshal(map[string]any{
		"id": encoded(a.id), "rawId": encoded(a.id), "type": "public-key", "response": response,
		"authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{},
	})
	must(t, err)
	return out
}

func newChecker(t testing.TB) *passkeys.Checker {
	t.Helper()
	c, err := passkeys.New(origin)
	must(t, err)
	return c
}

func registration(rp userpool.RelyingParty) userpool.PasskeyRegistration {
	return userpool.PasskeyRegistration{RelyingParty: rp, Sub: sub, Username: "ann"}
}

var party = userpool.RelyingParty{Name: "Pool"}

// register registers a passkey of the authenticator.
func register(t testing.TB, c *passkeys.Checker, a *authenticator) userpool.Passkey {
	t.Helper()
	options, state, err := c.BeginRegistration(registration(party))
	must(t, err)
	k, err := c.FinishRegistration(registration(party), state, a.create(t, options))
	must(t, err)
	k.Sub = sub
	return k
}

// TestOptions checks the options that browsers receive.
func TestOptions(t *testing.T) {
	t.Parallel()
	c, a := newChecker(t), newAuthenticator(t)
	k := register(t, c, a)
	r := registration(userpool.RelyingParty{ID: "example.test", Name: "Pool", VerifyUser: true})
	r.Have = []userpool.Passkey{k}
	options, _, err := c.BeginRegistration(r)
	must(t, err)
	for _, want := range []string{
		`"rp":{"name":"Pool","id":"example.test"}`, `"alg":-7`, `"alg":-257`, `"userVerification":"required"`,
		`"residentKey":"required"`, `"id":"` + encoded([]byte(sub)) + `"`,
		`"excludeCredentials":[{"type":"public-key","id":"` + k.ID,
		`"attestation":"none"`,
	} {
		if !strings.Contains(string(options), want) {
			t.Errorf("a registration lacks %s: %s", want, options)
		}
	}
	options, _, err = c.BeginAssertion(party)
	must(t, err)
	for _, want := range []string{`"rpId":"localhost"`, `"userVerification":"preferred"`, `"timeout":300000`} {
		if !strings.Contains(string(options), want) {
			t.Errorf("a sign-in lacks %s: %s", want, options)
		}
	}
	if strings.Contains(string(options), k.ID) {
		t.Error("a sign-in names a passkey")
	}
}

// TestRegistration checks which registrations are accepted, and what is stored.
func TestRegistration(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	k := register(t, c, newAuthenticator(t))
	if !k.Platform || !k.Verified || k.SignCount != 1 || len(k.Transports) != 1 ||
		k.Transports[0] != "internal" || k.AAGUID != "" {
		t.Errorf("got %+v", k)
	}
	if strings.Contains(string(k.Credential), "clientDataJSON") {
		t.Errorf("the ceremony itself is kept: %s", k.Credential)
	}
	for name, change := range map[string]func(*authenticator){
		"another origin":        func(a *authenticator) { a.origin = "http://localhost:9230" },
		"another site":          func(a *authenticator) { a.origin = "https://evil.test" },
		"another relying party": func(a *authenticator) { a.rp = "evil.test" },
		"nobody present":        func(a *authenticator) { a.flags = verified },
		"nobody verified":       func(a *authenticator) { a.flags = present },
	} {
		a := newAuthenticator(t)
		change(a)
		r := registration(userpool.RelyingParty{Name: "Pool", VerifyUser: true})
		options, state, err := c.BeginRegistration(r)
		must(t, err)
		_, err = c.FinishRegistration(r, state, a.create(t, options))
		if err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	options, state, err := c.BeginRegistration(registration(party))
	must(t, err)
	other := registration(party)
	other.Sub = "somebody-else"
	_, err = c.FinishRegistration(other, state, newAuthenticator(t).create(t, options))
	if err == nil {
		t.Error("the registration of one user was taken for another")
	}
	_, fresh, err := c.BeginRegistration(registration(party))
	must(t, err)
	_, err = c.FinishRegistration(registration(party), fresh, newAuthenticator(t).create(t, options))
	if err == nil {
		t.Error("the answer to another challenge was taken")
	}
}

// TestAssertion checks which assertions are accepted.
func TestAssertion(t *testing.T) {
	t.Parallel()
	strict := userpool.RelyingParty{Name: "Pool", VerifyUser: true}
	tests := map[string]struct {
		rp     userpool.RelyingParty
		change func(*authenticator)
		ok     bool
	}{
		"good":                        {party, func(*authenticator) {}, true},
		"not verified, preferred":     {party, func(a *authenticator) { a.flags = present }, true},
		"not verified, required":      {strict, func(a *authenticator) { a.flags = present }, false},
		"verified, required":          {strict, func(*authenticator) {}, true},
		"nobody present":              {party, func(a *authenticator) { a.flags = verified }, false},
		"another origin":              {party, func(a *authenticator) { a.origin = "http://127.0.0.1:9229" }, false},
		"another relying party":       {party, func(a *authenticator) { a.rp = "127.0.0.1" }, false},
		"another user":                {party, func(a *authenticator) { a.handle = "bob" }, false},
		"no user":                     {party, func(a *authenticator) { a.handle = "" }, false},
		"another credential":          {party, func(a *authenticator) { a.id = append([]byte{1}, a.id[1:]...) }, false},
		"another key":                 {party, func(a *authenticator) { a.key = newAuthenticator(t).key }, false},
		"a cloned authenticator":      {party, func(a *authenticator) { a.count = 0 }, false},
		"backup eligible all at once": {party, func(a *authenticator) { a.flags |= eligible }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, a := newChecker(t), newAuthenticator(t)
			k := register(t, c, a)
			options, state, err := c.BeginAssertion(tt.rp)
			must(t, err)
			tt.change(a)
			used, err := c.FinishAssertion(tt.rp, state, a.get(t, options), k)
			if (err == nil) != tt.ok {
				t.Fatalf("got error %v, want ok %t", err, tt.ok)
			}
			if tt.ok && (used.SignCount != 2 || used.Verified != (a.flags&verified != 0) || used.Sub != sub) {
				t.Errorf("got %+v", used)
			}
		})
	}
}

// TestCounts checks the sign count over several sign-ins.
func TestCounts(t *testing.T) {
	t.Parallel()
	c, a := newChecker(t), newAuthenticator(t)
	k := register(t, c, a)
	copied := *a
	sign := func(a *authenticator) error {
		options, state, err := c.BeginAssertion(party)
		must(t, err)
		used, err := c.FinishAssertion(party, state, a.get(t, options), k)
		if err == nil {
			k = used
		}
		return err
	}
	must(t, sign(a))
	must(t, sign(a))
	if sign(&copied) == nil {
		t.Error("a copy whose count is behind was taken")
	}
	must(t, sign(a))

	silent := newAuthenticator(t) // as platforms' are
	silent.count = 0
	k = register(t, c, silent)
	must(t, sign(silent))
	must(t, sign(silent))
}

// TestNew checks base URLs.
func TestNew(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "localhost", "://", "/x"} {
		_, err := passkeys.New(bad)
		if err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// FuzzAnswers sends anything as a browser's answer: it is refused.
func FuzzAnswers(f *testing.F) {
	c := newChecker(f)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(f, err)
	a := &authenticator{
		key: key, id: []byte("0123456789abcdef"), handle: sub, origin: origin, rp: "localhost",
		flags: present, count: 1,
	}
	k := register(f, c, a)
	options, _, err := c.BeginAssertion(party)
	must(f, err)
	f.Add(a.get(f, options))
	f.Add(a.create(f, options))
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{}}`))
	_, begun, err := c.BeginRegistration(registration(party))
	must(f, err)
	_, state, err := c.BeginAssertion(party) // another challenge than that of the seeds
	must(f, err)
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, err := c.FinishAssertion(party, state, answer, k)
		if err == nil {
			t.Error("an assertion was taken")
		}
		_, err = c.FinishRegistration(registration(party), begun, answer)
		if err == nil {
			t.Error("a registration was taken")
		}
	})
}
