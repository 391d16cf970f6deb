// Package redisstore keeps sessions in Redis or Valkey, for apps that run as several
// processes, that must be able to end a session from the server, or whose sessions must
// outlive the process:
//
//	store, err := redisstore.New(redisstore.Config{Addresses: []string{"redis.internal:6379"}})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer store.Close()
//	config.Session.Store = store
//
// It needs Redis 6.2 or Valkey 7.2, or newer: one server, servers watched by Sentinel,
// or a cluster.
//
// # What is fast, and what is certain
//
// Load answers from this process's memory where it can, kept right by the server, which
// sends word of every change (client-side caching, CLIENT TRACKING). What this process
// changed its Load sees at once; what another one changed it sees as soon as that word
// arrives, usually within a millisecond. If it doesn't arrive, because a network hangs,
// what is in memory is used for [Config.LocalTTL] at most. All other methods always ask
// the server. Set [Config.DisableCache] for a server or proxy without CLIENT TRACKING.
//
// Every change of a record is one command or script on one key, which the server runs
// as a whole; so no update is lost and none brings a deleted record back.
//
// # Indexes
//
// Per index there is a sorted set of the records that have it. Create adds a record to
// its sets after it has saved it and before it returns, so DeleteIndexed finds every
// record whose Create has returned. One whose Create fails in between is removed again,
// or, if the server can't be reached for that, ends when it expires; nobody knows its key.
// The sets and the records expire by themselves. Dead members are removed by later
// Creates.
//
// # What others wrote
//
// What has the name of a record and is none, of whatever kind of value, counts as no record:
// Create takes its place and Delete removes it. What stands in the place of an index becomes
// one with the next Create. DeleteIndexed removes it and returns an error, once: the records
// that it named can't be found.
//
// # What can be lost
//
// Redis tells of a write before its replicas have it. When a master dies, the last
// moments of writes (about a second at most, as a rule) may be gone after the fail-over:
// a new session, whose owner signs in again; an update, so that a refresh token is old;
// a deletion, so that an ended session lives on until it expires; or a record's place
// in an index that lies on another node of a cluster. A master that is cut off from the
// others goes on answering for its cluster-node-timeout. The settings min-replicas-to-write
// and, for the last moments before a power cut, appendfsync always narrow this down.
//
// Set maxmemory-policy to noeviction, the server's default. Any other lets a full server
// drop sessions, or worse, the sets that tell which sessions to end.
//
// # Clocks
//
// The server ends records by its clock, and Load refuses what is over by this
// process's clock. Both should be kept by NTP; a difference moves the ends of sessions
// by as much, and breaks nothing else.
//
// # Security
//
// Records are encrypted and named by hashes; see sessionstore.Store. Whoever can
// write to the server can still delete sessions and bring back old states of one. Let
// only the apps reach it, with a password and, across machines, TLS.
package redisstore
