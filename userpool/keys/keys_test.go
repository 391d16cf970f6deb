package keys_test

import (
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"github.com/cognate-auth/cognate/userpool/keys"
)

// TestSigningKeys has keys that no pool may use.
func TestSigningKeys(t *testing.T) {
	t.Parallel()
	good, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]*rsa.PrivateKey{
		"none": {nil, nil}, "one": {good, nil}, "twice the same": {good, good}, "other size": {good, long},
	} {
		_, err := keys.New(pair[0], pair[1])
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
