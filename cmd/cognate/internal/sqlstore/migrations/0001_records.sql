-- Keys are bytes and not text: their order is that of bytes in every engine,
-- whatever its collation, and no key is refused for its spelling. Names and
-- terms lie twice: in their record, which is thereby read and removed as one row,
-- and in a table of their own, which finds it.
CREATE TABLE pool_records (
	pool    BYTEA  NOT NULL,
	kind    BYTEA  NOT NULL,
	id      BYTEA  NOT NULL,
	owner   BYTEA,           -- NULL: nobody's
	seq     BIGINT NOT NULL, -- counts the records of one owner
	names   BYTEA,           -- as a list; NULL: none
	terms   BYTEA,
	expires BIGINT,          -- microseconds of Unix time; NULL: never
	version BIGINT NOT NULL,
	body    BYTEA  NOT NULL,
	PRIMARY KEY (pool, kind, id)
);

-- Unique, so that two transactions that add to one owner wait for each other.
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
