package redisstore_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/redisstore"
	"github.com/cognate-auth/cognate/redisstore/redistest"
	"github.com/cognate-auth/cognate/storetest"
)

// patient is for machines that are busy with other tests as well.
const patient = 10 * time.Second

func open(tb testing.TB, config redisstore.Config) *redisstore.Store {
	tb.Helper()
	s, err := redisstore.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// conform runs the suite; each of its tests has a prefix of its own on one server.
func conform(t *testing.T, config redisstore.Config) {
	t.Helper()
	var count atomic.Int64
	var configs sync.Map
	config.Timeout = patient
	storetest.Run(t, func(t *testing.T) cognate.SessionStore {
		own := config
		own.KeyPrefix = fmt.Sprint("app", count.Add(1), ":")
		s := open(t, own)
		configs.Store(s, own)
		return s
	}, storetest.Second(func(t *testing.T, s cognate.SessionStore) cognate.SessionStore {
		own, _ := configs.Load(s)
		return open(t, own.(redisstore.Config))
	}))
}

func TestSingle(t *testing.T) {
	t.Parallel()
	conform(t, redisstore.Config{Addresses: []string{redistest.Start(t).Addr}})
}

func TestWithoutCache(t *testing.T) {
	t.Parallel()
	conform(t, redisstore.Config{Addresses: []string{redistest.Start(t).Addr}, DisableCache: true})
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t)
	conform(t, redisstore.Config{Addresses: g.Addrs, SentinelMaster: g.MasterName})
}

func TestCluster(t *testing.T) {
	t.Parallel()
	conform(t, redisstore.Config{Addresses: redistest.StartCluster(t).Addrs})
}
