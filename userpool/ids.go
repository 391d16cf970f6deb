package userpool

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// NewUUID returns a random (version 4) UUID.
func NewUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime ends the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// NewSecret returns 256 random bits in unpadded base64url.
func NewSecret() Secret {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return Secret(base64.RawURLEncoding.EncodeToString(b[:]))
}

// newClientID returns 26 lower-case alphanumerics, as Cognito generates them.
func newClientID() string { return strings.ToLower(rand.Text()) }

var poolID = regexp.MustCompile(`^[\w-]+_[0-9a-zA-Z]+$`)

// CheckPoolID checks the form of a pool id (API reference, UserPoolType).
func CheckPoolID(id string) error {
	if len(id) > 55 || !poolID.MatchString(id) {
		return fmt.Errorf("%q is not of the form <region>_<alphanumerics>, with at most 55 characters", text.Clip(id))
	}
	return nil
}

// CheckIssuer checks the issuer of the pool with this id. It holds it to OpenID
// Connect Discovery section 3 (a URL without query and fragment) and to
// Cognito's form, which ends in the pool id.
func CheckIssuer(issuer, id string) error {
	if issuer == "" {
		return errors.New("it is required")
	}
	u, err := url.Parse(issuer)
	if err != nil {
		return errors.New("it is not a URL")
	}
	web := u.Scheme == "https" || u.Scheme == "http"
	if !web || u.Host == "" || u.User != nil || strings.ContainsAny(issuer, "?#") {
		return fmt.Errorf("%q is not an http or https URL without query and fragment", text.Clip(issuer))
	}
	if !strings.HasSuffix(u.EscapedPath(), "/"+id) {
		return fmt.Errorf("%q does not end in /%s, the pool id", text.Clip(issuer), id)
	}
	return nil
}
