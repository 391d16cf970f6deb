-- Keys are bytes and not text: every engine sorts them as bytes, whatever its
-- collation, and refuses none for its encoding. Names and terms are stored twice: in
-- their record, so that it is read and removed as one row, and in their own tables,
-- which are used to find the record.
CREATE TABLE pool_records (
	pool    BYTEA  NOT NULL,
	kind    BYTEA  NOT NULL,
	id      BYTEA  NOT NULL,
	owner   BYTEA,           -- NULL: no owner
	seq     BIGINT NOT NULL, -- counts the records of one owner
	names   BYTEA,           -- as a list; NULL: none
	terms   BYTEA,
	expires BIGINT,          -- microseconds of Unix time; NULL: never
	version BIGINT NOT NULL,
	body    BYTEA  NOT NULL,
	PRIMARY KEY (pool, kind, id)
);

-- Unique, so that two transactions that add records of one owner wait for each other.
CREATE UNIQUE INDEX pool_records_owner ON pool_records (pool, kind, owner, seq) WHERE owner IS NOT NULL;

CREATE INDEX pool_records_expires ON pool_records (expires) WHERE expires IS NOT NULL;

CREATE TABLE pool_names (
	pool BYTEA NOT NULL,
	kind BYTEA NOT NULL,
	name BYTEA NOT NULL,
	id   BYTEA NOT NULL,
	PRIMARY KEY (pool, kind, name)
) /* WITHOUT ROWID */;

CREATE TABLE pool_terms (
	pool BYTEA NOT NULL,
	kind BYTEA NOT NULL,
	term BYTEA NOT NULL,
	id   BYTEA NOT NULL,
	PRIMARY KEY (pool, kind, term, id)
) /* WITHOUT ROWID */;
