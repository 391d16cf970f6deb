package seal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/internal/seal"
)

func newSealer(t testing.TB, keys seal.Keys, purpose, bound string) *seal.Sealer {
	t.Helper()
	s, err := seal.New(keys, purpose, bound, 100)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSeal opens a value with what sealed it, and with what differs in one thing.
func TestSeal(t *testing.T) {
	now, before := strings.Repeat("n", 32), strings.Repeat("b", 32)
	text := newSealer(t, seal.Keys{now}, "session", "client").Seal("name", []byte("plain"))
	for _, tt := range []struct {
		what                 string
		keys                 seal.Keys
		purpose, bound, name string
		opens, current       bool
	}{
		{"the same", seal.Keys{now}, "session", "client", "name", true, true},
		{"a newer key", seal.Keys{before, now}, "session", "client", "name", true, false},
		{"another key", seal.Keys{before}, "session", "client", "name", false, false},
		{"another purpose", seal.Keys{now}, "tokens", "client", "name", false, false},
		{"another client", seal.Keys{now}, "session", "client-2", "name", false, false},
		{"another name", seal.Keys{now}, "session", "client", "name-2", false, false},
	} {
		plain, current, err := newSealer(t, tt.keys, tt.purpose, tt.bound).Open(tt.name, text)
		if (err == nil) != tt.opens || current != tt.current || tt.opens && string(plain) != "plain" {
			t.Errorf("%s: %q, current %v, error %v", tt.what, plain, current, err)
		}
		if err != nil && !errors.Is(err, seal.ErrSealed) {
			t.Errorf("%s: the error is %v, and says more than that it can't be opened", tt.what, err)
		}
	}
	s := newSealer(t, seal.Keys{now}, "session", "client")
	for _, spoiled := range []string{"", "A", text[1:], text + "A", text + "=", "%", strings.Repeat("A", 101)} {
		_, _, err := s.Open("name", spoiled)
		if !errors.Is(err, seal.ErrSealed) {
			t.Errorf("%q: error %v", spoiled, err)
		}
	}
	_, _, err := s.OpenBytes("name", s.SealBytes("name", make([]byte, 100)))
	if !errors.Is(err, seal.ErrSealed) {
		t.Errorf("beyond the limit: error %v", err)
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	type config struct{ Keys seal.Keys }
	type secret string
	const key = "a-cookie-key"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text := fmt.Sprintf(verb, config{seal.KeysOf([]secret{key})})
		if strings.Contains(text, key) || strings.Contains(text, fmt.Sprintf("%x", key)) {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func TestCodec(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	b := seal.AppendString([]byte{7}, "text")
	b = seal.AppendStrings(b, []string{"a", "", "c"})
	b = seal.AppendTime(seal.AppendTime(b, at), time.Time{})
	b = append(b, "rest"...)
	d := seal.NewDecoder(b)
	if got := d.Byte(); got != 7 {
		t.Errorf("byte %d", got)
	}
	if got := d.String(); got != "text" {
		t.Errorf("string %q", got)
	}
	if got := d.Strings(); !slices.Equal(got, []string{"a", "", "c"}) {
		t.Errorf("strings %q", got)
	}
	if got := d.Time(); !got.Equal(at) {
		t.Errorf("time %v", got)
	}
	if got := d.Time(); !got.IsZero() {
		t.Errorf("no time: %v", got)
	}
	if d.Done() || d.Bad() {
		t.Error("done before all was read, or bad")
	}
	if got := d.Rest(); string(got) != "rest" || !d.Done() {
		t.Errorf("rest %q, done %v", got, d.Done())
	}
}

// TestSpoiledFields decodes data that is not validly encoded.
func TestSpoiledFields(t *testing.T) {
	long := binary.AppendUvarint(nil, 1<<40)
	for name, read := range map[string]func(d *seal.Decoder){
		"byte of nothing":   func(d *seal.Decoder) { d.Rest(); d.Byte() },
		"number of nothing": func(d *seal.Decoder) { d.Rest(); d.Uvarint() },
		"string":            func(d *seal.Decoder) { _ = d.String() },
		"list":              func(d *seal.Decoder) { d.Strings() },
		"count":             func(d *seal.Decoder) { d.Count() },
		"time":              func(d *seal.Decoder) { d.Uvarint(); d.Time() },
	} {
		d := seal.NewDecoder(append(bytes.Clone(long), binary.AppendUvarint(nil, seal.MaxSeconds+1)...))
		read(d)
		if !d.Bad() || d.Done() || d.String() != "" {
			t.Errorf("%s: bad %v, done %v", name, d.Bad(), d.Done())
		}
	}
}

func TestRandom(t *testing.T) {
	if a, b := seal.Random(16), seal.Random(16); len(a) != 16 || a == b {
		t.Errorf("%q and then %q", a, b)
	}
}
