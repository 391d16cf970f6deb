package load

import "testing"

// FuzzParseAnswer checks that an accepted answer contains the head, and that more bytes
// after the head don't change the result.
func FuzzParseAnswer(f *testing.F) {
	for _, s := range []string{
		"", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n", "HTTP/1.1 200\r\ncontent-length:0\r\n\r\n",
		"HTTP/1.1 202 Accepted\r\nDate: x\r\nContent-Length: 99999999999\r\n\r\n", "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		status, size, ok, err := parseAnswer(b)
		if !ok {
			return
		}
		if err != nil || status < 100 || status > 999 || size < len("HTTP/1.1 200\r\n\r\n") {
			t.Fatalf("accepted with status %d, size %d, error %v", status, size, err)
		}
		status2, size2, ok2, _ := parseAnswer(append(b, "\r\n\r\n"...))
		if status2 != status || size2 != size || !ok2 {
			t.Fatalf("with more bytes: status %d, size %d; before %d, %d", status2, size2, status, size)
		}
	})
}
