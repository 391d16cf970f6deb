package trigger_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/trigger"
)

func invoke(t *testing.T, handler http.HandlerFunc) ([]byte, error) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return trigger.HTTP(nil)(t.Context(), userpool.Trigger{URL: s.URL + "/x?key=hush"}, []byte(`{"version":"1"}`))
}

func TestAnswer(t *testing.T) {
	answer, err := invoke(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.URL.Path != "/x" {
			t.Errorf("got %s %s of %q", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
		}
		_, _ = w.Write(body)
	})
	if err != nil || string(answer) != `{"version":"1"}` {
		t.Errorf("got %s, %v", answer, err)
	}
}

// TestBelowLocalhost calls an endpoint of this machine by a name that not every
// resolver knows.
func TestBelowLocalhost(t *testing.T) {
	s := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }),
	)
	t.Cleanup(s.Close)
	address := strings.Replace(s.URL, "127.0.0.1", "hooks.localhost", 1)
	answer, err := trigger.HTTP(nil)(t.Context(), userpool.Trigger{URL: address}, []byte(`{}`))
	if err != nil || string(answer) != `{}` {
		t.Errorf("got %s, %v", answer, err)
	}
}

func TestRefusal(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		status     int
		want       string // message; empty: a failure
	}{
		{"status and message", `{"errorMessage":"not you"}`, 400, "not you"},
		{"server error and message", `{"errorMessage":"not you","errorType":"Error"}`, 500, "not you"},
		{"the emulator's way", `{"errorMessage":"not you","errorType":"Error"}`, 200, "not you"},
		{"no message", `{}`, 400, ""},
		{"a page", `<html>`, 502, ""},
		{"a redirect", `{}`, 302, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := invoke(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/x" {
					t.Error("the redirect was followed")
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			refusal, ok := errors.AsType[*userpool.TriggerRefusal](err)
			if err == nil || ok != (tt.want != "") || ok && refusal.Message != tt.want {
				t.Errorf("got %v, want a refusal %q", err, tt.want)
			}
		})
	}
}

func TestAnswerIsBounded(t *testing.T) {
	_, err := invoke(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"x":"`+strings.Repeat("a", 1<<20)+`"}`)
	})
	if err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("got %v", err)
	}
}

// silent never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := trigger.HTTP(silent{})(t.Context(), userpool.Trigger{URL: "http://x.test/?key=hush"}, nil)
		if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "hush") {
			t.Errorf("got %v", err)
		}
		if got := time.Since(start); got != trigger.Timeout {
			t.Errorf("it took %v, want %v", got, trigger.Timeout)
		}
	})
}

func TestAddressStaysOutOfErrors(t *testing.T) {
	for _, address := range []string{"http://127.0.0.1:1/?key=hush", "http://%zz/?key=hush"} {
		_, err := trigger.HTTP(nil)(t.Context(), userpool.Trigger{URL: address}, nil)
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("got %v", err)
		}
	}
}
