package devtls

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/peek"
)

const (
	// plainPatience is how long a client that speaks plain HTTP may take for its request
	// and for reading the answer.
	plainPatience = 10 * time.Second
	// maxPlainHead is how much of its request is read before it is answered, and
	// maxPlainRest how much after that, so that the answer arrives: a connection that is
	// closed with unread data is reset.
	maxPlainHead = 16 << 10
	maxPlainRest = 256 << 10
)

// errPlain is what a server logs of a client that spoke plain HTTP.
var errPlain = errors.New("the client spoke plain http, and was told that this address speaks https")

// NewListener returns a listener that serves TLS on the connections of inner, as
// [crypto/tls.NewListener] does, and answers clients that speak plain HTTP: somebody who
// opens a page is redirected to the same URL with https, and every other request gets
// status 400 and a sentence that names that URL. Nothing is redirected that a script or
// another program sends: it would repeat a password or a token that it should not have
// sent in plain text.
func NewListener(inner net.Listener, config *tls.Config) net.Listener {
	return tls.NewListener(peek.Listener(inner, answerPlain), config)
}

// answerPlain answers a client that speaks plain HTTP, and does nothing for others. A
// TLS client starts with a record of type handshake, 22 (RFC 8446 section 5.1), and an
// HTTP client with the letters of a method (RFC 9112 section 3).
func answerPlain(conn net.Conn, first []byte) error {
	if first[0] < 'A' || first[0] > 'Z' {
		return nil
	}
	err := conn.SetDeadline(time.Now().Add(plainPatience))
	if err != nil {
		return err
	}
	head := io.LimitReader(io.MultiReader(bytes.NewReader(first), conn), maxPlainHead)
	r, err := http.ReadRequest(bufio.NewReader(head))
	if err != nil {
		r = &http.Request{} // what can't be read is answered without a URL
	}
	err = plainAnswer(r).Write(conn) //nolint:bodyclose // the body is a string
	if half, ok := conn.(interface{ CloseWrite() error }); ok && err == nil {
		_ = half.CloseWrite()                                          // the connection ends anyway
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, maxPlainRest)) // until the client has read
	}
	return errPlain
}

// plainAnswer returns the answer to a request in plain HTTP.
func plainAnswer(r *http.Request) *http.Response {
	answer := &http.Response{
		StatusCode: http.StatusBadRequest, ProtoMajor: 1, ProtoMinor: 1, Close: true, Request: r,
		Header: http.Header{
			"Content-Type":           {"text/plain; charset=utf-8"},
			"X-Content-Type-Options": {"nosniff"},
			"Cache-Control":          {"no-store"},
		},
	}
	text := "This address speaks https, and was asked in plain http. Use a URL that starts with https://.\n"
	if secure := secureURL(r); secure != "" {
		text = "This address speaks https, and was asked in plain http. Open " + secure + "\n"
		if opensPage(r) {
			answer.StatusCode = http.StatusFound
			answer.Header.Set("Location", secure)
		}
	}
	answer.Body, answer.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return answer
}

// secureURL returns the URL of a request with https, or an empty string if its host or
// path can't be part of a URL.
func secureURL(r *http.Request) string {
	isPart := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune(".-_:[]", c)
	}
	if r.URL == nil || !strings.HasPrefix(r.URL.Path, "/") || r.Host == "" || strings.Trim(r.Host, ".-_:[]") == "" ||
		strings.ContainsFunc(r.Host, func(c rune) bool { return !isPart(c) }) {
		return ""
	}
	return "https://" + r.Host + r.URL.RequestURI()
}

// opensPage reports whether a person opens a page. Browsers say so (Fetch Metadata,
// section 2.2), or accept HTML when they don't.
func opensPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	mode := r.Header.Get("Sec-Fetch-Mode")
	return mode == "navigate" || mode == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}
