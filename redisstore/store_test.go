package redisstore_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/redisstore"
	"github.com/cognate-auth/cognate/redisstore/redistest"
	"github.com/cognate-auth/cognate/sessionstore"
	"github.com/cognate-auth/cognate/sessionstore/storetest"
	"github.com/redis/rueidis"
)

// patient is for machines that are busy with other tests.
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

// conform runs the suite. Each of its tests has its own prefix on one server.
func conform(t *testing.T, config redisstore.Config) {
	t.Helper()
	var count atomic.Int64
	var configs sync.Map
	config.Timeout = patient
	storetest.Run(t, func(t *testing.T) sessionstore.Store {
		own := config
		own.KeyPrefix = fmt.Sprint("app", count.Add(1), ":")
		s := open(t, own)
		configs.Store(s, own)
		return s
	}, storetest.Second(func(t *testing.T, s sessionstore.Store) sessionstore.Store {
		own, _ := configs.Load(s)
		return open(t, own.(redisstore.Config))
	}), storetest.Unreadable(unreadable(&configs)), storetest.Staleness(patient))
}

// unreadable are values that another program may have written under a record's key.
func unreadable(configs *sync.Map) map[string]func(*testing.T, sessionstore.Store, string) {
	ways := map[string]func(*testing.T, sessionstore.Store, string){}
	for name, command := range map[string][]string{
		"empty":          {"SET", ""},
		"a byte":         {"SET", "\x01"},
		"text":           {"SET", strings.Repeat("text ", 100)},
		"a later format": {"SET", "\x02" + string(stored(1, "", "value", 0)[1:])},
		"cut":            {"SET", string(stored(1, "", "", 0)[:41])},
		"indexes cut":    {"SET", string(stored(1, "", "value", 4))},
		"many indexes":   {"SET", string(stored(1, strings.Repeat(name("x"), 255), "", 255))},
		"no number":      {"SET", strings.Replace(string(stored(1, "", "", 0)), "0001900", "+001900", 1)},
		"version 0":      {"SET", string(stored(0, "", "value", 0))},
		"beyond dates": {"SET",
			strings.Replace(string(stored(1, "", "", 0)), "\x00\x00\x01\x9c", "\xff\xff\xff\xff", 1)},
		"a list":       {"RPUSH", "a"},
		"a hash":       {"HSET", "a", "b"},
		"a set":        {"SADD", "a"},
		"a sorted set": {"ZADD", "1", "a"},
		"a stream":     {"XADD", "*", "a", "b"},
	} {
		ways[name] = func(t *testing.T, s sessionstore.Store, key string) {
			t.Helper()
			own, _ := configs.Load(s)
			config := own.(redisstore.Config)
			client := redisClient(t, config)
			do := func(command ...string) {
				must(t,
					client.Do(t.Context(),
						client.B().Arbitrary(command[0]).Keys(config.KeyPrefix+"r:"+
							key).Args(command[1:]...).Build()).Error())
			}
			do("DEL")
			do(command...)
		}
	}
	return ways
}

// redisClient is a plain client of the store's server.
func redisClient(t *testing.T, config redisstore.Config) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: config.Addresses,
		Sentinel:    rueidis.SentinelOption{MasterSet: config.SentinelMaster}, DisableCache: true,
	})
	must(t, err)
	t.Cleanup(client.Close)
	return client
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
