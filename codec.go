package cognate

import (
	"encoding/binary"
	"time"
)

// What is sealed is encoded as fields of fixed order, strings with their length in
// front: a third of the size of JSON, and no name to spell.

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendTime writes seconds since 1970; the zero time, like all before, is 0.
func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(b, uint64(max(t.Unix(), 0)))
}

// A decoder reads such fields. After the first mistake it is bad and returns zeros.
type decoder struct {
	data []byte
	bad  bool
}

// done reports whether everything was read and nothing was wrong.
func (d *decoder) done() bool { return !d.bad && len(d.data) == 0 }

func (d *decoder) byte() byte {
	if len(d.data) == 0 {
		d.bad = true
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.data)
	if size <= 0 {
		d.bad, d.data = true, nil
		return 0
	}
	d.data = d.data[size:]
	return n
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(len(d.data)) {
		d.bad, d.data = true, nil
		return ""
	}
	s := string(d.data[:n])
	d.data = d.data[n:]
	return s
}

// count is the length of a list. Each element takes a byte at least, so a larger count
// than that is a mistake and makes no work.
func (d *decoder) count() uint64 {
	n := d.uvarint()
	if n > uint64(len(d.data)) {
		d.bad, d.data = true, nil
		return 0
	}
	return n
}

func (d *decoder) strings() (list []string) {
	for n := d.count(); n > 0 && !d.bad; n-- {
		list = append(list, d.string())
	}
	return list
}

func (d *decoder) time() time.Time {
	n := d.uvarint()
	if n == 0 || n > maxNumericDate {
		d.bad = d.bad || n != 0
		return time.Time{}
	}
	return time.Unix(int64(n), 0)
}
