// Package sqlstore keeps a user pool's data in a database: in a SQLite file,
// which needs nothing beside it, or in PostgreSQL, which several processes on
// several machines can share.
//
// Both engines get one SQL text. It is written for PostgreSQL, with $1 for
// parameters; SQLite gets ?1 instead, and what stands between /* and */.
package sqlstore
