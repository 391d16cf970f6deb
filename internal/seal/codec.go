package seal

import (
	"encoding/binary"
	"time"
)

// Sealed values are encoded as fields in a fixed order, with strings preceded by their length:
// a third of the size of JSON, and without field names.

// MaxSeconds is the end of the year 9999 in seconds since 1970. A later date is a mistake, and
// much later ones overflow the arithmetic of time.Time.
const MaxSeconds = 253402300799

// AppendString appends an encoded string.
func AppendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendStrings appends an encoded list of strings.
func AppendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = AppendString(b, s)
	}
	return b
}

// AppendTime appends a time, encoded in seconds since 1970. Earlier times, such as the zero
// time, are encoded as 0.
func AppendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(b, uint64(max(t.Unix(), 0)))
}

// A Decoder decodes fields. After the first invalid field, Bad returns true and all other
// fields are zero.
type Decoder struct {
	data []byte
	bad  bool
}

// NewDecoder returns a Decoder for data.
func NewDecoder(data []byte) *Decoder { return &Decoder{data: data} }

// Bad reports whether a field was invalid.
func (d *Decoder) Bad() bool { return d.bad }

// Done reports whether all data was decoded and every field was valid.
func (d *Decoder) Done() bool { return !d.bad && len(d.data) == 0 }

// Rest returns the data that has not been decoded yet, and leaves nothing to decode.
func (d *Decoder) Rest() []byte {
	rest := d.data
	d.data = nil
	return rest
}

// Byte decodes a byte.
func (d *Decoder) Byte() byte {
	if len(d.data) == 0 {
		d.bad = true
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

// Uvarint decodes a number that [binary.AppendUvarint] encoded.
func (d *Decoder) Uvarint() uint64 {
	n, size := binary.Uvarint(d.data)
	if size <= 0 {
		d.bad, d.data = true, nil
		return 0
	}
	d.data = d.data[size:]
	return n
}

// String decodes a string.
func (d *Decoder) String() string {
	n := d.Uvarint()
	if n > uint64(len(d.data)) {
		d.bad, d.data = true, nil
		return ""
	}
	s := string(d.data[:n])
	d.data = d.data[n:]
	return s
}

// Count decodes the length of a list. Each element takes at least one byte, so a count larger
// than the rest of the data is invalid.
func (d *Decoder) Count() uint64 {
	n := d.Uvarint()
	if n > uint64(len(d.data)) {
		d.bad, d.data = true, nil
		return 0
	}
	return n
}

// Strings decodes a list of strings.
func (d *Decoder) Strings() (list []string) {
	for n := d.Count(); n > 0 && !d.bad; n-- {
		list = append(list, d.String())
	}
	return list
}

// Time decodes a time.
func (d *Decoder) Time() time.Time {
	n := d.Uvarint()
	if n == 0 || n > MaxSeconds {
		d.bad = d.bad || n != 0
		return time.Time{}
	}
	return time.Unix(int64(n), 0)
}
