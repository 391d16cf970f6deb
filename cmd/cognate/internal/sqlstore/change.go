package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/cognate-auth/cognate/userpool/store"
)

// table has the records of one kind and pool, in a transaction.
type table struct {
	q          querier
	pool, kind []byte
}

// errRetry says that another transaction interfered, and that the whole transaction
// should be tried again.
var errRetry = errors.New("other transactions changed the records each time")

// maxTries limits how often a statement is repeated after another transaction
// interfered.
const maxTries = 100

// apply makes one change.
func (t table) apply(ctx context.Context, c store.Change) error {
	switch c.Op {
	case store.Create:
		return t.create(ctx, c)
	case store.Update:
		return t.update(ctx, c.Record)
	case store.Delete:
		gone, err := t.remove(ctx, c.ID, c.Version)
		if err == nil && !gone && c.Version != 0 {
			return store.ErrConflict
		}
		return err
	case store.DeleteOwned:
		return t.removeAll(ctx, ownedRecords, []byte(c.Owner))
	case store.DeleteTerm:
		if len(c.Terms) != 1 {
			return fmt.Errorf("DeleteTerm with %d terms, expected one", len(c.Terms))
		}
		return t.removeAll(ctx, termRecords, indexed(c.Terms[0]))
	default:
		return fmt.Errorf("unknown change %d", c.Op)
	}
}

// maxConcurrent is how many records other transactions may create for an owner while
// one record gets its number: if its number is more than that below the limit, the
// limit can't be exceeded yet.
const maxConcurrent = 128

const nextSeq = `(SELECT COALESCE(MAX(seq), 0) + 1 FROM pool_records WHERE pool = $1 AND kind = $2 AND owner = $4)`

const (
	insertRecord = `INSERT INTO pool_records (pool, kind, id, owner, seq, names, terms, expires, version, body)
		VALUES ($1, $2, $3, $4, ` + nextSeq + `, $5, $6, $7, 1, $8)
		ON CONFLICT DO NOTHING RETURNING seq`

	recordExists = `SELECT 1 FROM pool_records WHERE pool = $1 AND kind = $2 AND id = $3`
)

func (t table) create(ctx context.Context, c store.Change) error {
	seq, err := t.insert(ctx, c.Record)
	if err != nil {
		return err
	}
	err = t.addKeys(ctx, keysOf(c.ID, c.Names), keysOf(c.ID, c.Terms))
	if err != nil || c.Keep <= 0 || c.Owner == "" || seq+maxConcurrent < c.Keep {
		return err
	}
	return t.trim(ctx, c.Owner, int64(c.Keep))
}

// insert adds the row. If a concurrent transaction took the same number for a record of
// the same owner, insert takes the next one.
func (t table) insert(ctx context.Context, r store.Record) (seq int, err error) {
	for range maxTries {
		err = t.q.QueryRowContext(ctx, insertRecord, t.row(r)...).Scan(&seq)
		if !errors.Is(err, sql.ErrNoRows) {
			return seq, err
		}
		var one int
		err = t.q.QueryRowContext(ctx, recordExists, t.pool, t.kind, []byte(r.ID)).Scan(&one)
		if err == nil {
			return 0, store.ErrExists
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
	}
	return 0, errRetry
}

// row returns the arguments $1 to $8.
func (t table) row(r store.Record) []any {
	values := valuesOf(r)
	return slices.Concat([]any{t.pool, t.kind, values[0], orNull([]byte(r.Owner))}, values[1:])
}

// valuesOf returns the ID, names, terms, end and body of a record.
func valuesOf(r store.Record) []any {
	var expires any
	if !r.Expires.IsZero() {
		expires = r.Expires.UnixMicro()
	}
	body := r.Body
	if body == nil {
		body = []byte{}
	}
	return []any{[]byte(r.ID), orNull(encodeList(r.Names)), orNull(encodeList(r.Terms)), expires, body}
}

const (
	deleteName = `DELETE FROM pool_names WHERE pool = $1 AND kind = $2 AND name = $3`
	deleteTerm = `DELETE FROM pool_terms WHERE pool = $1 AND kind = $2 AND term = $3 AND id = $4`
)

func (t table) removeKeys(ctx context.Context, id string, names, terms []string) error {
	for _, name := range distinct(names) {
		_, err := t.q.ExecContext(ctx, deleteName, t.pool, t.kind, name)
		if err != nil {
			return err
		}
	}
	for _, term := range distinct(terms) {
		_, err := t.q.ExecContext(ctx, deleteTerm, t.pool, t.kind, term, []byte(id))
		if err != nil {
			return err
		}
	}
	return nil
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

const (
	ownedRange = `SELECT
		COALESCE((SELECT MIN(seq) FROM pool_records WHERE pool = $1 AND kind = $2 AND owner = $3), 0),
		COALESCE((SELECT MAX(seq) FROM pool_records WHERE pool = $1 AND kind = $2 AND owner = $3), 0)`

	surplus = `SELECT id, version FROM pool_records WHERE pool = $1 AND kind = $2 AND owner = $3
		ORDER BY seq DESC LIMIT $4 OFFSET $5`
)

// trim removes the oldest records of an owner until keep are left. Counting takes
// longer the more records there are, so trim waits until there may be an eighth too
// many.
func (t table) trim(ctx context.Context, owner string, keep int64) error {
	var first, last int64
	err := t.q.QueryRowContext(ctx, ownedRange, t.pool, t.kind, []byte(owner)).Scan(&first, &last)
	if err != nil || last-first < keep+keep/8 {
		return err
	}
	list, err := collect(ctx, t.q, scanVersion, surplus, t.pool, t.kind, []byte(owner), maxSurplus, keep)
	if err != nil {
		return err
	}
	_, err = t.removeVersions(ctx, list)
	return err
}

// maxSurplus limits how many records one creation removes. More remain only after Keep
// was lowered.
const maxSurplus = 10_000

const (
	currentRecord = `SELECT owner, names, terms, version FROM pool_records WHERE pool = $1 AND kind = $2 AND id = $3`

	updateRecord = `UPDATE pool_records
		SET owner = $4, names = $5, terms = $6, expires = $7, body = $8, version = version + 1
		WHERE pool = $1 AND kind = $2 AND id = $3 AND version = $9`

	moveRecord = `UPDATE pool_records
		SET owner = $4, names = $5, terms = $6, expires = $7, body = $8, version = version + 1, seq = ` + nextSeq + `
		WHERE pool = $1 AND kind = $2 AND id = $3 AND version = $9`
)

func (t table) update(ctx context.Context, next store.Record) error {
	for range maxTries {
		before := store.Record{}
		var owner, names, terms []byte
		err := t.q.QueryRowContext(ctx, currentRecord, t.pool, t.kind, []byte(next.ID)).
			Scan(&owner, &names, &terms, &before.Version)
		if errors.Is(err, sql.ErrNoRows) || err == nil && next.Version != 0 && next.Version != before.Version {
			return store.ErrConflict
		}
		if err != nil {
			return err
		}
		statement := updateRecord
		if next.Owner != string(owner) {
			statement = moveRecord
		}
		n, err := affected(t.q.ExecContext(ctx, statement, append(t.row(next), before.Version)...))
		if err != nil {
			return err
		}
		if n == 1 {
			return t.updateKeys(ctx, next, names, terms)
		}
	}
	return errRetry
}

// updateKeys changes the indexes from the lists before to those of r.
func (t table) updateKeys(ctx context.Context, r store.Record, namesBefore, termsBefore []byte) error {
	names, err := decodeList(namesBefore)
	if err != nil {
		return err
	}
	terms, err := decodeList(termsBefore)
	if err != nil {
		return err
	}
	err = t.removeKeys(ctx, r.ID, without(names, r.Names), without(terms, r.Terms))
	if err != nil {
		return err
	}
	return t.addKeys(ctx, keysOf(r.ID, without(r.Names, names)), keysOf(r.ID, without(r.Terms, terms)))
}

// without returns the elements of list that are not in others.
func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(others, s) })
}

const deleteRecord = `DELETE FROM pool_records WHERE pool = $1 AND kind = $2 AND id = $3 AND (version = $4 OR $4 = 0)
	RETURNING names, terms`

// remove removes a record if it exists and has the version. Zero is any version.
func (t table) remove(ctx context.Context, id string, version int64) (gone bool, err error) {
	var encodedNames, encodedTerms []byte
	err = t.q.QueryRowContext(ctx, deleteRecord, t.pool, t.kind, []byte(id), version).Scan(&encodedNames, &encodedTerms)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	names, err := decodeList(encodedNames)
	if err != nil {
		return false, err
	}
	terms, err := decodeList(encodedTerms)
	if err != nil {
		return false, err
	}
	return true, t.removeKeys(ctx, id, names, terms)
}

// version identifies one version of a record.
type version struct {
	id      []byte
	version int64
}

func scanVersion(s scanner) (v version, err error) { return v, s.Scan(&v.id, &v.version) }

const (
	ownedRecords = `
		SELECT id, version FROM pool_records
		WHERE pool = $1 AND kind = $2 AND owner = $3 ORDER BY seq LIMIT $4`

	termRecords = `SELECT r.id, r.version FROM pool_terms t
		JOIN pool_records r ON r.pool = t.pool AND r.kind = t.kind AND r.id = t.id
		WHERE t.pool = $1 AND t.kind = $2 AND t.term = $3 ORDER BY t.id LIMIT $4`
)

// removeAll removes the records that a query lists, until it lists none. A concurrent
// transaction may be replacing one of them by another record, which becomes visible
// only when that transaction ends: a record that had to be removed must not survive in
// its successor.
func (t table) removeAll(ctx context.Context, query string, key []byte) error {
	for idle := 0; idle < maxTries; idle++ {
		list, err := collect(ctx, t.q, scanVersion, query, t.pool, t.kind, key, batchSize)
		if err != nil || len(list) == 0 {
			return err
		}
		n, err := t.removeVersions(ctx, list)
		if err != nil {
			return err
		}
		if n > 0 {
			idle = 0
		}
	}
	return errRetry
}

func (t table) removeVersions(ctx context.Context, list []version) (n int, err error) {
	for _, v := range list {
		gone, err := t.remove(ctx, string(v.id), v.version)
		if err != nil {
			return n, err
		}
		if gone {
			n++
		}
	}
	return n, nil
}
