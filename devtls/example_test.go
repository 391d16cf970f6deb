package devtls_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/cognate-auth/cognate/devtls"
)

// Serve HTTPS on any free port, and visit it as a browser would after "Proceed".
func ExampleListen() {
	ln, err := devtls.Listen("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello over ", r.Proto)
	})}
	go server.Serve(ln)
	defer server.Close()

	browser := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // as a person who accepts the warning
		ForceAttemptHTTP2: true,
	}}
	resp, err := browser.Get("https://" + ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	// Output: hello over HTTP/2.0
}
