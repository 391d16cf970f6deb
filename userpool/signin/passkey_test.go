package signin_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool/signin"
)

// TestCredentialID has one spelling per credential, and bounds.
func TestCredentialID(t *testing.T) {
	t.Parallel()
	long := base64.RawURLEncoding.EncodeToString(make([]byte, 1023))
	for response, want := range map[string]string{
		`{"rawId":"_-8"}`:              "_-8",
		`{"rawId":"` + long + `"}`:     long,
		`{"rawId":"` + long + `AAAA"}`: "",
		`{"rawId":"_-9"}`:              "", // the same bytes, spelt in another way
		`{"rawId":"_-8="}`:             "",
		`{"rawId":"/+8"}`:              "",
		`{"rawId":""}`:                 "",
		`{"rawId":7}`:                  "",
		`{}`:                           "",
		`null`:                         "",
		``:                             "",
		`{"rawId":"_-8"} `:             "_-8",
		`{"rawId":"_-8"}x`:             "",
		`{"rawId":"_-8","x":"` + strings.Repeat("x", 33<<10) + `"}`: "",
	} {
		if got, ok := signin.CredentialID([]byte(response)); got != want || ok != (want != "") {
			t.Errorf("%.60s: got %.60q, want %.60q", response, got, want)
		}
	}
}

// FuzzCredentialID checks that what is read is canonical and bounded.
func FuzzCredentialID(f *testing.F) {
	f.Add([]byte(`{"rawId":"AAAA"}`))
	f.Fuzz(func(t *testing.T, response []byte) {
		id, ok := signin.CredentialID(response)
		if !ok {
			return
		}
		raw, err := base64.RawURLEncoding.Strict().DecodeString(id)
		if err != nil || len(raw) == 0 || len(raw) > 1023 || base64.RawURLEncoding.EncodeToString(raw) != id {
			t.Errorf("%q is not canonical: %v", id, err)
		}
	})
}
