package userpool

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// NewPoolID returns a fresh pool id, "local_" and nine alphanumerics, which has
// the shape of Cognito's "<region>_<suffix>".
func NewPoolID() string {
	return "local_" + strings.ToLower(rand.Text()[:9])
}

// NewUUID returns a random (version 4) UUID.
func NewUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime ends the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// newOpaque returns 256 random bits in unpadded base64url.
func newOpaque() Secret {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return Secret(base64.RawURLEncoding.EncodeToString(b[:]))
}

// newClientID returns 26 lower-case alphanumerics, as Cognito generates them.
func newClientID() string { return strings.ToLower(rand.Text()) }

// newClientSecret returns 52 lower-case alphanumerics (256 random bits).
func newClientSecret() Secret { return Secret(strings.ToLower(rand.Text() + rand.Text())) }
