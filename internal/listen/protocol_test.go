package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/devtls"
)

// TestWrongProtocol asks each of two services with the other's protocol. Whoever opens a
// page of the one with TLS arrives; of the one without TLS, the first such client is
// told of, and no other.
func TestWrongProtocol(t *testing.T) {
	config, err := devtls.Config()
	if err != nil {
		t.Fatal(err)
	}
	secure, plain := newAddress(t), newAddress(t)
	secureListeners, plainListeners := listenOn(t, &secure), listenOn(t, &plain)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "served") })
	noticed := make(chan bool, 10)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, slog.New(slog.DiscardHandler),
			Service{secureListeners.WithTLS(config), handler},
			Service{plainListeners.NoticeTLS(func() { noticed <- true }), handler})
	}()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	get := func(url string) (string, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		resp, err := client.Do(r)
		if err != nil {
			return "", err
		}
		defer func() { _ = resp.Body.Close() }() // only read
		body, err := io.ReadAll(resp.Body)
		return resp.Request.URL.Scheme + ": " + string(body), err
	}
	for url, want := range map[string]string{
		secure.URL("https"): "https: served", secure.URL("http"): "https: served", plain.URL("http"): "http: served",
	} {
		got, err := get(url)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", url, got, err)
		}
	}
	if len(noticed) > 0 {
		t.Error("a client without TLS was noticed")
	}
	for range 3 {
		_, err = get(plain.URL("https"))
		if err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "HTTP") {
			t.Errorf("https at the plain port: %v", err)
		}
	}
	stop()
	err = <-served
	if err != nil || len(noticed) != 1 {
		t.Errorf("it was noticed %d times, want once; %v", len(noticed), err)
	}
}

func newAddress(t *testing.T) Address {
	t.Helper()
	a, err := Parse("--addr", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func listenOn(t *testing.T, a *Address) Listeners {
	t.Helper()
	l, err := a.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}
