package transaction

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/seal"
)

// FuzzReadTransaction decodes the contents of a sealed state: only what the library encoded may
// decode, and only in one encoding.
func FuzzReadTransaction(f *testing.F) {
	f.Add([]byte("\x03\x02\x07\x01\x20secretsecretsecretsecretsecretse\x04host\x01/\x00\x01\x00\x01\x01a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		one, err := decode(data)
		if err != nil {
			return
		}
		again := one.encode()
		one, err = decode(again)
		if err != nil || !bytes.Equal(one.encode(), again) {
			t.Fatalf("%q became %q, which is another sign-in; error %v", data, again, err)
		}
	})
}

// FuzzOpenState opens states that were not sealed with the key.
func FuzzOpenState(f *testing.F) {
	keys := seal.Keys{strings.Repeat("k", 32), strings.Repeat("n", 32)}
	m, err := New(Config{Keys: keys, Cookie: cookie.NewSpec("n", true)})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		"", "A", "AAAA", strings.Repeat("A", 60), strings.Repeat("_-", 200), "%%%", strings.Repeat("A", 5000),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, state string) {
		if m.Open(state) != nil {
			t.Fatalf("%q opened without the key", state)
		}
	})
}

func TestTransactionDoesNotPrint(t *testing.T) {
	one := Transaction{secret: strings.Repeat("s", secretSize), State: "a-sealed-state"}
	one.derive()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{one, &one, struct{ T Transaction }{one}} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{one.secret, one.State, one.Nonce, one.Verifier, one.proof} {
				if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
					t.Errorf("%s of %T prints %s", verb, v, text)
				}
			}
		}
	}
}
