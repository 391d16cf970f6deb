package seal

import (
	"encoding/binary"
	"time"
)

// What is sealed is packed as fields of fixed order, strings with their length in front: a
// third of the size of JSON, and no name to spell.

// MaxSeconds is the year 9999 in seconds since 1970: beyond it a date is a mistake, and the
// arithmetic of time.Time begins to wrap around.
const MaxSeconds = 253402300799

// AppendString packs a string.
func AppendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendStrings packs a list of strings.
func AppendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = AppendString(b, s)
	}
	return b
}

// AppendTime packs a time in seconds since 1970; the zero time, like all before, is 0.
func AppendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(b, uint64(max(t.Unix(), 0)))
}

// A Decoder unpacks fields. After the first mistake it is bad and returns zeros.
type Decoder struct {
	data []byte
	bad  bool
}

// NewDecoder unpacks data.
func NewDecoder(data []byte) *Decoder { return &Decoder{data: data} }

// Bad reports whether something was wrong.
func (d *Decoder) Bad() bool { return d.bad }

// Done reports whether everything was read and nothing was wrong.
func (d *Decoder) Done() bool { return !d.bad && len(d.data) == 0 }

// Rest returns what has not been read yet, and leaves nothing to read.
func (d *Decoder) Rest() []byte {
	rest := d.data
	d.data = nil
	return rest
}

// Byte unpacks a byte.
func (d *Decoder) Byte() byte {
	if len(d.data) == 0 {
		d.bad = true
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

// Uvarint unpacks a number that [binary.AppendUvarint] has packed.
func (d *Decoder) Uvarint() uint64 {
	n, size := binary.Uvarint(d.data)
	if size <= 0 {
		d.bad, d.data = true, nil
		return 0
	}
	d.data = d.data[size:]
	return n
}

// String unpacks a string.
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

// Count unpacks the length of a list. Each element takes a byte at least, so a larger count
// than that is a mistake and makes no work.
func (d *Decoder) Count() uint64 {
	n := d.Uvarint()
	if n > uint64(len(d.data)) {
		d.bad, d.data = true, nil
		return 0
	}
	return n
}

// Strings unpacks a list of strings.
func (d *Decoder) Strings() (list []string) {
	for n := d.Count(); n > 0 && !d.bad; n-- {
		list = append(list, d.String())
	}
	return list
}

// Time unpacks a time.
func (d *Decoder) Time() time.Time {
	n := d.Uvarint()
	if n == 0 || n > MaxSeconds {
		d.bad = d.bad || n != 0
		return time.Time{}
	}
	return time.Unix(int64(n), 0)
}
