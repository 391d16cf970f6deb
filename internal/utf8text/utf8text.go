// Package utf8text converts text from other programs, such as metadata, key sets and settings,
// to UTF-8 without a byte order mark. Programs on Windows may write the mark, or UTF-16, and
// Go's parsers accept neither (RFC 8259, 8.1 lets a JSON parser ignore the mark). All text
// from outside passes through this package once, before it is parsed. It knows no file
// format, and imports nothing else of this module.
package utf8text

import (
	"bytes"
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// The byte order marks (Unicode 23.8).
var (
	markUTF8    = []byte{0xEF, 0xBB, 0xBF}
	markUTF16LE = []byte{0xFF, 0xFE}
	markUTF16BE = []byte{0xFE, 0xFF}
	markUTF32LE = []byte{0xFF, 0xFE, 0, 0}
	markUTF32BE = []byte{0, 0, 0xFE, 0xFF}
)

// Decode returns text without its byte order mark, converted to UTF-8 if it is in UTF-16. Text
// without a mark is returned unchanged and not copied, unless exactly one of its first two
// bytes is NUL, which happens only in UTF-16. Decode does not check that other text is valid
// UTF-8; the parser does that. It returns an error that says what to do for text in UTF-32,
// and for invalid UTF-16.
func Decode(text []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(text, markUTF8):
		return text[len(markUTF8):], nil
	case bytes.HasPrefix(text, markUTF32LE), bytes.HasPrefix(text, markUTF32BE):
		return nil, errors.New("the text is in UTF-32; save it as UTF-8")
	case bytes.HasPrefix(text, markUTF16LE):
		return fromUTF16(text[len(markUTF16LE):], binary.LittleEndian)
	case bytes.HasPrefix(text, markUTF16BE):
		return fromUTF16(text[len(markUTF16BE):], binary.BigEndian)
	case len(text) >= 2 && text[0] != 0 && text[1] == 0:
		return fromUTF16(text, binary.LittleEndian)
	case len(text) >= 2 && text[0] == 0 && text[1] != 0:
		return fromUTF16(text, binary.BigEndian)
	}
	return text, nil
}

// fromUTF16 converts UTF-16 to UTF-8. It rejects invalid text: replacing the invalid parts
// would change the text.
func fromUTF16(text []byte, order binary.ByteOrder) ([]byte, error) {
	broken := errors.New("the text is in UTF-16 and broken; save it as UTF-8")
	if len(text)%2 != 0 {
		return nil, broken
	}
	out := make([]byte, 0, len(text))
	for ; len(text) > 0; text = text[2:] {
		r := rune(order.Uint16(text))
		if r >= 0xD800 && r < 0xE000 {
			if r >= 0xDC00 || len(text) < 4 {
				return nil, broken
			}
			low := rune(order.Uint16(text[2:]))
			if low < 0xDC00 || low >= 0xE000 {
				return nil, broken
			}
			r = (r-0xD800)<<10 + (low - 0xDC00) + 0x10000
			text = text[2:]
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}
