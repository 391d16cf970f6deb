// Package sqlstore implements [store.Store] in a database: in a SQLite file, which
// needs no server, or in PostgreSQL, which several processes on several machines can
// share. It knows the contract of package store and nothing of what the records mean.
//
// Both engines use the same SQL text. It is written for PostgreSQL, with $1 for
// parameters. SQLite gets ?1 instead, and the text between /* and */.
package sqlstore
