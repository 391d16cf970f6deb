package load

import (
	"bytes"
	"errors"
	"strconv"
)

// maxAnswer limits an answer, head and body, in bytes.
const maxAnswer = 64 << 10

var (
	errHead    = errors.New("the answer is not HTTP/1.1")
	errLength  = errors.New("the answer has no valid Content-Length")
	errChunk   = errors.New("the answer has a malformed chunk")
	headEnd    = []byte("\r\n\r\n")
	protocol   = []byte("HTTP/1.1 ")
	lengthName = []byte("content-length")
	codingName = []byte("transfer-encoding")
)

// parseAnswer parses the beginning of an answer. ok is false while the head is
// incomplete; size is the size of head and body.
func parseAnswer(b []byte) (status, size int, ok bool, err error) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return 0, 0, false, nil
	}
	line, fields, _ := bytes.Cut(b[:end], []byte("\r\n"))
	if !bytes.HasPrefix(line, protocol) || len(line) < len(protocol)+3 {
		return 0, 0, false, errHead
	}
	status, err = strconv.Atoi(string(line[len(protocol) : len(protocol)+3]))
	if err != nil || status < 100 {
		return 0, 0, false, errHead
	}
	if _, chunked := field(fields, codingName); chunked {
		size, ok, err = chunks(b[end+len(headEnd):])
		return status, end + len(headEnd) + size, ok, err
	}
	length, err := contentLength(fields)
	if err != nil {
		return 0, 0, false, err
	}
	return status, end + len(headEnd) + length, true, nil
}

// chunks returns the size of a chunked body (RFC 9112 section 7.1) when all of it has
// arrived. It accepts no trailers.
func chunks(b []byte) (size int, ok bool, err error) {
	for {
		line, _, found := bytes.Cut(b[size:], []byte("\r\n"))
		if !found {
			return 0, false, nil
		}
		n, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return 0, false, errChunk
		}
		size += len(line) + 2 + int(n) + 2
		if size > len(b) {
			return 0, false, nil
		}
		if n == 0 {
			return size, true, nil
		}
	}
}

func contentLength(fields []byte) (int, error) {
	value, ok := field(fields, lengthName)
	n, err := strconv.ParseUint(string(value), 10, 31)
	if err != nil || !ok {
		return 0, errLength
	}
	return int(n), nil
}

// field returns the value of the first header field with this name.
func field(fields, wanted []byte) (value []byte, ok bool) {
	for len(fields) > 0 {
		var line []byte
		line, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		if len(name) == len(wanted) && bytes.EqualFold(name, wanted) {
			return bytes.TrimSpace(value), true
		}
	}
	return nil, false
}
