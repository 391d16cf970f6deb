package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cognate-auth/cognate/internal/freeport"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cognate": main, "importer": importer})
}

// TestScripts runs the program as a terminal does; each script shows one behaviour.
// $TAKEN is an address on which another listener waits. $TAKEN6 is one too, over IPv6
// only if the machine has it. Nothing listens at $FREE. $OTHER is no pool, and $SICK one whose
// store does not answer.
func TestScripts(t *testing.T) {
	taken, err := take(t, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken6, err := take(t, "[::1]:0")
	if err != nil {
		taken6 = taken
	}
	_, port, err := net.SplitHostPort(taken6)
	if err != nil {
		t.Fatal(err)
	}
	free, err := freeport.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := answering(t, http.StatusOK, "<h1>It works!</h1>")
	sick := answering(t, http.StatusServiceUnavailable, `{"status":"unavailable"}`)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TAKEN", taken)
			env.Setenv("TAKEN6", "localhost:"+port)
			env.Setenv("FREE", freeport.Addr(free))
			env.Setenv("OTHER", other)
			env.Setenv("SICK", sick)
			return nil
		},
	})
}

// take takes an address until the test ends.
func take(t *testing.T, addr string) (string, error) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String(), nil
}

// answering returns the address of a server that answers everything alike.
func answering(t *testing.T, status int, body string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}
