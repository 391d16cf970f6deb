package oidc_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/internal/freeport"
	"github.com/cognate-auth/cognate/internal/oidc"
)

// TestAdvice asks for discovery documents that are not there, as the usual mistakes in a
// configuration have it, and reads what to do about each.
func TestAdvice(t *testing.T) {
	t.Parallel()
	answer := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.test/")
			w.WriteHeader(status)
		})
	}
	plain := func(status int) string {
		srv := httptest.NewServer(answer(status))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	secure := httptest.NewUnstartedServer(answer(http.StatusNotFound))
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	port, err := freeport.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	free := freeport.Addr(port)
	redirecting := &http.Client{Transport: fakeprovider.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		answer(http.StatusMovedPermanently).ServeHTTP(w, r)
		return w.Result(), nil
	})}
	trusting := secure.Client()
	trusting.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, secure.Listener.Addr().String())
	}
	nowhere := &http.Client{Transport: &http.Transport{
		DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			host, _, _ := net.SplitHostPort(addr)
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: host, IsNotFound: true}}
		},
	}}
	http2https, https2http := strings.NewReplacer("https:", "http:"), strings.NewReplacer("http:", "https:")
	for name, tt := range map[string]struct {
		issuer string
		client *http.Client
		want   string
	}{
		"another path":       {plain(http.StatusNotFound) + "/p", nil, "there is nothing at http://127.0.0.1:"},
		"a redirect":         {plain(http.StatusMovedPermanently), nil, "perhaps the server speaks https"},
		"a redirect, https":  {"https://provider.test", redirecting, "redirects are not followed"},
		"another host":       {plain(http.StatusMisdirectedRequest), nil, "does not know the host 127.0.0.1:"},
		"http for https":     {http2https.Replace(secure.URL), nil, "perhaps the server speaks https"},
		"https for http":     {https2http.Replace(plain(200)), nil, "the server speaks http and not https"},
		"unknown authority":  {secure.URL, nil, "cognate trust --install"},
		"another name":       {"https://another.test", trusting, "a name that is in"},
		"nothing listens":    {"http://" + free, nil, "In a container, localhost is the container itself"},
		"no such host":       {"https://pool.test", nowhere, "names are not the same in a container and outside"},
		"the server's fault": {plain(http.StatusInternalServerError), nil, "the answer has status 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := oidc.NewProvider(oidc.ProviderConfig{
				Issuer: tt.issuer, HTTPClient: tt.client, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
			})
			_, err := p.Ready(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}
