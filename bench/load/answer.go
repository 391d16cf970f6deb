package load

import (
	"bytes"
	"errors"
	"strconv"
)

// maxAnswer bounds an answer, head and body, in bytes.
const maxAnswer = 64 << 10

var (
	errHead    = errors.New("the answer is not HTTP/1.1")
	errLength  = errors.New("the answer has no Content-Length, or one that is no number; chunks are not understood")
	headEnd    = []byte("\r\n\r\n")
	protocol   = []byte("HTTP/1.1 ")
	lengthName = []byte("content-length")
)

// parseAnswer looks at the beginning of an answer. ok is false as long as the head is not
// complete; size is that of head and body.
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
	length, err := contentLength(fields)
	if err != nil {
		return 0, 0, false, err
	}
	return status, end + len(headEnd) + length, true, nil
}

func contentLength(fields []byte) (int, error) {
	for len(fields) > 0 {
		var line []byte
		line, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		if len(name) != len(lengthName) || !bytes.EqualFold(name, lengthName) {
			continue
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 31)
		if err != nil {
			return 0, errLength
		}
		return int(n), nil
	}
	return 0, errLength
}
