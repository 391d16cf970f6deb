package main

import (
	"net"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cognate": main, "importer": importer})
}

// TestScripts runs the program as a terminal does; each script shows one behaviour.
// $TAKEN is an address on which another listener waits. $TAKEN6 is one too, over IPv6
// only if the machine has it.
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
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TAKEN", taken)
			env.Setenv("TAKEN6", "localhost:"+port)
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
