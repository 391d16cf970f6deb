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
// # What is cached, and what is atomic
//
// Load answers from this process's memory if it can. The server notifies the process of
// every change (client-side caching, CLIENT TRACKING). Load sees a change that its own
// process made at once, and a change of another process as soon as the notice arrives,
// usually within a millisecond. If the notice does not arrive, as when a network hangs,
// the record in memory is used for at most [Config.LocalTTL]. All other methods always
// ask the server. Set [Config.DisableCache] for a server or proxy without CLIENT TRACKING.
//
// Every change of a record is one command or script on one key, which the server runs
// atomically. So no update is lost, and no update restores a deleted record.
//
// # Indexes
//
// Each index is a sorted set of the records that have it. Create first saves a record and
// then adds it to its sets, so DeleteIndexed finds every record whose Create has returned.
// If Create fails in between, it removes the record again. If it can't reach the server
// for that, the record remains until it expires; nobody knows its key. The sets and the
// records expire by themselves. Later calls of Create remove the members whose records
// are gone.
//
// # Foreign values
//
// If another program wrote a value under a record's key, the store treats it as a missing
// record: Create replaces it, and Delete removes it. The next Create replaces a value under
// an index's key. DeleteIndexed removes such a value and returns an error, once, because
// it can't find the records that the overwritten index named.
//
// # What can be lost
//
// Redis acknowledges a write before its replicas have it. When a master dies, the latest
// writes (usually at most those of the last second) may be lost in the fail-over: a new
// session, whose owner must sign in again; an update, so that the refresh token is an old
// one; a deletion, so that an ended session remains until it expires; or a record's entry
// in an index on another node of a cluster. A master that is cut off from the other nodes
// continues to answer for its cluster-node-timeout. The setting min-replicas-to-write
// reduces these losses, and appendfsync always reduces those of a power cut.
//
// Set maxmemory-policy to noeviction, the server's default. With any other policy a full
// server drops sessions or, worse, the indexes of the sessions to end.
//
// # Clocks
//
// Records expire by the server's clock, and Load refuses records that have expired by this
// process's clock. Synchronize both with NTP; a difference changes the end of sessions by
// that much, and has no other effect.
//
// # Security
//
// Records are encrypted, and their keys are hashes; see sessionstore.Store. A person who
// can write to the server can still delete sessions and restore an old state of one. Only
// the apps should be able to reach the server, with a password and, between machines, TLS.
//
// The package knows the contract, [sessionstore.Store], and not what the records mean.
package redisstore
