package recorder

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool/trace"
)

// How a parameter is shown.
type showing int

const (
	hidden  showing = iota // every parameter that is not listed
	plain                  // as it is
	marked                 // by a mark, the same for the same value
	counted                // by its length
	hashed                 // a PKCE verifier: by the challenge that it belongs to
	dropped                // not at all: it says nothing
	unread                 // by its length, and that the pool does not read it
)

var showings = map[string]showing{
	"client_id": plain, "redirect_uri": plain, "logout_uri": plain, "response_type": plain, "scope": plain,
	"state": plain, "nonce": plain, "code_challenge": plain, "code_challenge_method": plain, "prompt": plain,
	"max_age": plain, "login_hint": plain, "lang": plain, "identity_provider": plain, "idp_identifier": plain,
	"resource": plain, "acr_values": plain, "grant_type": plain, "token_type_hint": plain, "error": plain,
	"error_description": plain, "expires_in": plain, "token_type": plain, "SigAlg": plain, "response_mode": plain,

	"code": marked, "token": marked, "access_token": marked, "id_token": marked, "refresh_token": marked,
	"flow":       marked,
	"RelayState": marked, "id_token_hint": marked,

	"client_secret": counted, "SAMLRequest": counted, "SAMLResponse": counted,

	"code_verifier": hashed,

	"request": unread, "request_uri": unread,

	"_csrf": dropped, "turn": dropped, "cognitoAsfData": dropped, "signInSubmitButton": dropped,
}

const (
	maxValues = 40  // of one step
	maxValue  = 600 // bytes
	maxURI    = 1100
)

// values describes parameters. Those in marks are marked, whatever their name.
func (h *recorder) values(v url.Values, marks ...string) (out []trace.Value) {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		how := showings[name]
		if slices.Contains(marks, name) {
			how = marked
		}
		for _, value := range v[name] {
			if how != dropped && len(out) < maxValues {
				out = append(out, h.value(name, value, how))
			}
		}
	}
	return out
}

func (h *recorder) value(name, value string, how showing) trace.Value {
	out := trace.Value{Name: clip(name, 60), Hidden: true}
	switch {
	case how == plain && strings.HasSuffix(name, "_uri"):
		out.Value, out.Hidden = clip(value, maxURI), false
	case how == plain:
		out.Value, out.Hidden = clip(value, maxValue), false
	case value == "":
		out.Value = "empty"
	case how == marked:
		out.Value = fmt.Sprintf("%s, %s", h.mark(value), count(value))
	case how == counted:
		out.Value = "not shown, " + count(value)
	case how == hashed:
		out.Value = "its S256 challenge is " + challenge(value)
	case how == unread:
		out.Value = "ignored: request objects (RFC 9101) are not supported; " + count(value)
	default:
		out.Value = "not shown"
	}
	return out
}

// mark stands for a secret in one process: who sees two equal marks knows that
// the values were equal, and nothing else.
func (h *recorder) mark(value string) string {
	mac := hmac.New(sha256.New, h.marks[:])
	_, _ = mac.Write([]byte(value))
	return "#" + hex.EncodeToString(mac.Sum(nil)[:4])
}

func count(value string) string { return fmt.Sprintf("%d characters", len(value)) }

// challenge is that of RFC 7636 section 4.2.
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func clip(s string, most int) string {
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
