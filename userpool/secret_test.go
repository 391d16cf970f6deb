package userpool_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
)

// TestSecretNeverPrints tries every way of printing.
func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	const value = "hunter2-value"
	s := userpool.Secret(value)
	client := userpool.Client{ID: "app", Secret: s}
	var out bytes.Buffer
	for verb := range strings.SplitSeq("%v %+v %#v %s %q %x %X %d %t %T %10.3s %U %e", " ") {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", s, &s, client)
	}
	fmt.Fprintln(&out, s, []userpool.Secret{s}, map[string]userpool.Secret{"k": s}, errors.New(s.String()))
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "secret", s, "client", client)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "secret", s, "client", client)
	encoded, err := json.Marshal(map[string]any{"secret": s, "pointer": &s, "client": client})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(encoded)
	for _, bad := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), "104 117"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("%q got out:\n%s", bad, out.String())
		}
	}
}

// TestSecretEqual checks that what is missing equals nothing.
func TestSecretEqual(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b userpool.Secret
		want bool
	}{{"a", "a", true}, {"a", "b", false}, {"a", "", false}, {"", "a", false}, {"", "", false},
		{"a", "aa", false}} {
		if got := tt.a.Equal(tt.b); got != tt.want {
			t.Errorf("%q and %q: got %t", string(tt.a), string(tt.b), got)
		}
	}
}
