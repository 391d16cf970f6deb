package utf8text_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/internal/utf8text"
)

func encode(order binary.AppendByteOrder, text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

func TestDecode(t *testing.T) {
	const text = "{\"name\": \"Jörg 日本 🙂\"}\r\n"
	for _, tt := range []struct {
		name, in, want, wantErr string
	}{
		{"empty", "", "", ""},
		{"one byte", "1", "1", ""},
		{"UTF-8", text, text, ""},
		{"UTF-8 with a mark", "\xEF\xBB\xBF" + text, text, ""},
		{"UTF-8 with two marks", "\xEF\xBB\xBF\uFEFF1", "\uFEFF1", ""},
		{"a mark alone", "\xEF\xBB\xBF", "", ""},
		{"a mark in the middle", "1\uFEFF", "1\uFEFF", ""},
		{"half a mark", "\xEF\xBB", "\xEF\xBB", ""},
		{"UTF-16, little end first", "\xFF\xFE" + encode(binary.LittleEndian, text), text, ""},
		{"UTF-16, big end first", "\xFE\xFF" + encode(binary.BigEndian, text), text, ""},
		{"UTF-16 without a mark, little end first", encode(binary.LittleEndian, text), text, ""},
		{"UTF-16 without a mark, big end first", encode(binary.BigEndian, text), text, ""},
		{"a mark of UTF-16 alone", "\xFF\xFE", "", ""},
		{"half a unit", "\xFF\xFE{\x00\"", "", "broken; save it as UTF-8"},
		{"a surrogate at the end", "\xFF\xFE\x3D\xD8", "", "broken"},
		{"two high surrogates", "\xFF\xFE\x3D\xD8\x3D\xD8", "", "broken"},
		{"a low surrogate first", "\xFE\xFF\xDE\x42\xD8\x3D", "", "broken"},
		{"UTF-32, little end first", "\xFF\xFE\x00\x00{\x00\x00\x00", "", "UTF-32; save it as UTF-8"},
		{"UTF-32, big end first", "\x00\x00\xFE\xFF\x00\x00\x00{", "", "UTF-32"},
		{"two NULs", "\x00\x00", "\x00\x00", ""},
		{"another encoding is the parser's to refuse", "J\xF6rg", "J\xF6rg", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := utf8text.Decode([]byte(tt.in))
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || string(got) != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// FuzzDecode writes every valid text in each encoding and wants it back.
func FuzzDecode(f *testing.F) {
	f.Add("{}")
	f.Add("\uFEFFé")
	f.Add("\xFF\xFE{\x00")
	f.Fuzz(func(t *testing.T, text string) {
		out, err := utf8text.Decode([]byte(text))
		if err == nil && utf8.ValidString(text) && !utf8.Valid(out) {
			t.Errorf("%q became %q, which is not UTF-8", text, out)
		}
		if !utf8.ValidString(text) {
			return
		}
		for _, in := range []string{
			"\xEF\xBB\xBF" + text,
			"\xFF\xFE" + encode(binary.LittleEndian, text),
			"\xFE\xFF" + encode(binary.BigEndian, text),
		} {
			if strings.HasPrefix(in, "\xFF\xFE\x00\x00") {
				continue // nobody can tell it from UTF-32
			}
			out, err := utf8text.Decode([]byte(in))
			if err != nil || string(out) != text {
				t.Errorf("%q: %q, %v; want %q", in, out, err, text)
			}
		}
	})
}
