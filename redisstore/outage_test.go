package redisstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/redisstore"
	"github.com/cognate-auth/cognate/redisstore/redistest"
	"github.com/cognate-auth/cognate/sessionstore"
)

// calls has every method, on a record that exists.
func calls(t *testing.T, s *redisstore.Store, r sessionstore.Record) map[string]func() error {
	ctx := t.Context()
	return map[string]func() error{
		"Create":        func() error { return s.Create(ctx, record(fmt.Sprint(time.Now().UnixNano()), "new")) },
		"Load":          func() error { _, err := s.Load(ctx, r.Key); return err },
		"LoadLatest":    func() error { _, err := s.LoadLatest(ctx, r.Key); return err },
		"Update":        func() error { return s.Update(ctx, r) },
		"Delete":        func() error { return s.Delete(ctx, name("nobody")) },
		"DeleteIndexed": func() error { _, err := s.DeleteIndexed(ctx, name("new")); return err },
		"Ping":          func() error { return s.Ping(ctx) },
	}
}

// outage limits how long a call may wait during an outage of the server. The stores'
// own limits are at most a fiftieth of it; a busy machine needs more.
const outage = time.Minute

// down checks that all calls fail within the limit, and say nothing about the record.
func down(t *testing.T, s *redisstore.Store, r sessionstore.Record) {
	t.Helper()
	var wg sync.WaitGroup
	for name, call := range calls(t, s, r) {
		wg.Go(func() {
			start := time.Now()
			err := call()
			if err == nil || errors.Is(err, sessionstore.ErrNoRecord) || errors.Is(err, sessionstore.ErrRecordChanged) {
				t.Errorf("%s: got error %v, want one about the server", name, err)
			}
			if took := time.Since(start); took > outage {
				t.Errorf("%s took %v, want at most %v", name, took, outage)
			}
		})
	}
	wg.Wait()
}

// up waits until all calls work, and checks that the record still exists.
func up(t *testing.T, s *redisstore.Store, r sessionstore.Record) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		got, err := s.LoadLatest(t.Context(), r.Key)
		if err == nil || time.Since(start) > outage {
			must(t, err)
			r.Version = got.Version
			break
		}
		if errors.Is(err, sessionstore.ErrNoRecord) {
			t.Fatal("the record is lost")
		}
	}
	for name, call := range calls(t, s, r) {
		err := call()
		for start := time.Now(); err != nil && time.Since(start) < outage; time.Sleep(10 * time.Millisecond) {
			err = call() // the first call may use a connection that is just breaking
		}
		if err != nil {
			t.Errorf("%s after the outage: %v", name, err)
		}
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "appendonly yes", "appendfsync always")
	s := open(t, redisstore.Config{Addresses: []string{server.Addr}, Timeout: time.Second})
	r := record("ann", "x")
	must(t, s.Create(t.Context(), r))
	for _, end := range []func(){server.Stop, server.Kill} {
		_, err := s.Load(t.Context(), r.Key)
		must(t, err)
		end()
		// Until the client notices that the connection is closed, Load may answer from
		// memory.
		for start := time.Now(); err == nil && time.Since(start) < outage; {
			_, err = s.Load(t.Context(), r.Key)
		}
		down(t, s, r)
		server.Start()
		up(t, s, r)
		latest, err := s.LoadLatest(t.Context(), r.Key)
		must(t, err)
		r.Version = latest.Version
	}
}

// TestBrokenConnections checks that memory is not used after the connection has broken
// on which the server would send its notices.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := redisstore.Config{Addresses: []string{server.Addr}, Timeout: patient, LocalTTL: time.Hour}
	s, other := open(t, config), open(t, config)
	r := record("ann")
	must(t, s.Create(t.Context(), r))
	for range 20 {
		_, err := s.Load(t.Context(), r.Key)
		must(t, err)
		_, err = server.Do("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "yes")
		must(t, err)
		for err = errors.New("not yet"); err != nil; r.Version++ {
			err = other.Update(t.Context(), r)
			if errors.Is(err, sessionstore.ErrRecordChanged) {
				t.Fatal("an update failed, and was done nevertheless")
			}
			if err != nil {
				r.Version-- // this connection was killed as well
			}
		}
		deadline := time.Now().Add(outage)
		for {
			got, err := s.Load(t.Context(), r.Key)
			if err == nil && got.Version == r.Version {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("got version %d and error %v, want %d", got.Version, err, r.Version)
			}
		}
	}
}

func TestScriptFlush(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, redisstore.Config{Addresses: []string{server.Addr}, Timeout: patient})
	r := record("ann", "x")
	must(t, s.Create(t.Context(), r))
	for _, call := range []func() error{
		func() error { return s.Update(t.Context(), r) },
		func() error { return s.Create(t.Context(), record("bob", "x")) },
		func() error { return s.Delete(t.Context(), name("bob")) },
		func() error { _, err := s.DeleteIndexed(t.Context(), name("x")); return err },
	} {
		_, err := server.Do("SCRIPT", "FLUSH")
		must(t, err)
		must(t, call())
	}
}

// replicated waits until a server's replica has all writes.
func replicated(t *testing.T, server *redistest.Server) {
	t.Helper()
	_, err := server.Do("WAIT", "1", "10000")
	must(t, err)
}

func TestSentinelFailOver(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t)
	s := open(t, redisstore.Config{Addresses: g.Addrs, SentinelMaster: g.MasterName, Timeout: patient})
	r := record("ann", "x")
	must(t, s.Create(t.Context(), r))
	replicated(t, g.Master)
	g.FailOver()
	up(t, s, r)
	n, err := s.DeleteIndexed(t.Context(), name("x"))
	if n != 1 || err != nil {
		t.Errorf("deleted %d records, error %v, want 1", n, err)
	}
}

func TestClusterFailOver(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	s := open(t, redisstore.Config{Addresses: c.Addrs[:3], Timeout: patient})
	var records []sessionstore.Record
	for i := range 60 {
		r := record(fmt.Sprint("ann", i), "x")
		must(t, s.Create(t.Context(), r))
		_, err := s.Load(t.Context(), r.Key)
		must(t, err)
		records = append(records, r)
	}
	replicated(t, c.Masters[0])
	c.FailOver(0)
	for _, r := range records {
		up(t, s, r)
	}
	n, err := s.DeleteIndexed(t.Context(), name("x"))
	if n != len(records) || err != nil {
		t.Errorf("deleted %d records, error %v, want %d", n, err, len(records))
	}
}
