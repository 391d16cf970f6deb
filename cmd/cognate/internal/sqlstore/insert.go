package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool/store"
)

// rowsAtOnce are the numbers of rows for which there is a statement that inserts so
// many. A statement costs more than a row: on PostgreSQL it is a round trip. There are
// few numbers, because every statement is kept prepared, and none is large, because
// SQLite looks for each parameter among all.
var rowsAtOnce = [...]int{16, 4, 1}

// insert is a statement for rows of one table, in a form for each number of rowsAtOnce.
type insert struct {
	texts [len(rowsAtOnce)]string
}

// newInsert returns the statement for a table. Every row begins with the pool, the kind
// and the constants, and has the given number of values of its own.
func newInsert(into, constants string, values int) insert {
	var in insert
	for i, rows := range rowsAtOnce {
		var list []string
		for row := range rows {
			var own strings.Builder
			for value := range values {
				fmt.Fprintf(&own, ", $%d", 3+row*values+value)
			}
			list = append(list, "($1, $2"+constants+own.String()+")")
		}
		in.texts[i] = "INSERT INTO " + into + " VALUES " + strings.Join(list, ", ") + " ON CONFLICT DO NOTHING"
	}
	return in
}

var (
	insertRecords = newInsert("pool_records (pool, kind, seq, version, id, names, terms, expires, body)", ", 1, 1", 5)
	insertNames   = newInsert("pool_names (pool, kind, name, id)", "", 2)
	insertTerms   = newInsert("pool_terms (pool, kind, term, id)", "", 2)
)

// insertAll inserts rows, each a list of the values of its own, and returns how many
// there were not yet.
func (t table) insertAll(ctx context.Context, in insert, rows [][]any) (inserted int64, err error) {
	for i, most := range rowsAtOnce {
		for len(rows) >= most {
			args := append([]any{t.pool, t.kind}, slices.Concat(rows[:most]...)...)
			n, err := affected(t.q.ExecContext(ctx, in.texts[i], args...))
			if err != nil {
				return inserted, err
			}
			inserted, rows = inserted+n, rows[most:]
		}
	}
	return inserted, nil
}

// key is a name or a term of a record, as it is stored in an index.
type key struct {
	key []byte
	id  string
}

// addKeys adds names, which nobody may have, and terms. Both are sorted, so that two
// transactions lock them in the same order.
func (t table) addKeys(ctx context.Context, names, terms []key) error {
	n, err := t.insertAll(ctx, insertNames, keyRows(names))
	if err != nil {
		return err
	}
	if n < int64(len(names)) {
		return store.ErrExists
	}
	_, err = t.insertAll(ctx, insertTerms, keyRows(terms))
	return err
}

func keyRows(keys []key) [][]any {
	slices.SortFunc(keys, func(a, b key) int { return bytes.Compare(a.key, b.key) })
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{k.key, []byte(k.id)}
	}
	return rows
}

// keysOf returns the distinct keys of a record.
func keysOf(id string, keys []string) []key {
	list := distinct(keys)
	out := make([]key, len(list))
	for i, k := range list {
		out[i] = key{k, id}
	}
	return out
}

// plain returns how many of the changes, from the first on, create records of one kind
// that nobody owns. They can be made at once: none of them needs a number among its
// owner's, and none removes anything.
func plain(changes []store.Change) int {
	for i, c := range changes {
		if c.Op != store.Create || c.Owner != "" || c.Kind != changes[0].Kind {
			return i
		}
	}
	return len(changes)
}

// createAll makes changes that are plain.
func (t table) createAll(ctx context.Context, changes []store.Change) error {
	rows := make([][]any, len(changes))
	var names, terms []key
	for i, c := range changes {
		rows[i] = valuesOf(c.Record)
		names = append(names, keysOf(c.ID, c.Names)...)
		terms = append(terms, keysOf(c.ID, c.Terms)...)
	}
	n, err := t.insertAll(ctx, insertRecords, rows)
	if err != nil {
		return err
	}
	if n < int64(len(rows)) {
		return store.ErrExists
	}
	return t.addKeys(ctx, names, terms)
}
