package sqlstore

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
)

// maxIndexed is the maximum length of a name or term in an index: PostgreSQL refuses an
// index entry of more than a third of a page of 8 KiB, which includes pool, kind and
// ID.
const maxIndexed = 1000

// indexed returns a name or a term as it is stored in an index: unchanged, or, if it is
// too long, its beginning and its digest. No unchanged key is as long as a shortened
// one.
func indexed(key string) []byte {
	if len(key) < maxIndexed {
		return []byte(key)
	}
	sum := sha256.Sum256([]byte(key))
	return slices.Concat([]byte(key[:maxIndexed-len(sum)]), sum[:])
}

// distinct returns the keys as they are stored in an index, each once and sorted, so
// that two transactions lock them in the same order.
func distinct(keys []string) [][]byte {
	out := make([][]byte, 0, len(keys))
	for _, k := range keys {
		out = append(out, indexed(k))
	}
	slices.SortFunc(out, slices.Compare[[]byte])
	return slices.CompactFunc(out, slices.Equal[[]byte])
}

// encodeList writes each string after its length. A list without strings is nil.
func encodeList(list []string) []byte {
	var out []byte
	for _, s := range list {
		out = append(binary.AppendUvarint(out, uint64(len(s))), s...)
	}
	return out
}

// decodeList reads what encodeList wrote.
func decodeList(data []byte) (out []string, err error) {
	for len(data) > 0 {
		n, size := binary.Uvarint(data)
		if size <= 0 || n > uint64(len(data)-size) { //nolint:gosec // size is at most len(data)
			return nil, errors.New("a list of keys is damaged")
		}
		data = data[size:]
		out = append(out, string(data[:n]))
		data = data[n:]
	}
	return out, nil
}

// orNull returns the argument for a column that is NULL for an empty value.
func orNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}
