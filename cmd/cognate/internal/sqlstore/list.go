package sqlstore

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/cognate-auth/cognate/userpool/store"
)

// List implements store.Store.
func (s *Store) List(ctx context.Context, pool, kind string, q store.Query) (out []store.Record, err error) {
	if q.Limit <= 0 {
		return nil, nil
	}
	err = s.engine.read(ctx, func(ctx context.Context, db querier) error {
		l := lister{db, pool, kind}
		dense, err := l.dense(ctx, q)
		if err != nil {
			return err
		}
		if dense {
			out, err = l.filter(ctx, q)
		} else {
			out, err = l.list(ctx, q)
		}
		return err
	})
	return out, describe("listing "+kind+" records", err)
}

type lister struct {
	querier
	pool, kind string
}

// list runs one query for q.
func (l lister) list(ctx context.Context, q store.Query) ([]store.Record, error) {
	text, args := listQuery(l.pool, l.kind, q)
	scan := func(row scanner) (store.Record, error) { return scanRecord(row, l.kind) }
	return collect(ctx, l.querier, scan, text, args...)
}

// condition collects the parts of a query and its arguments.
type condition struct {
	strings.Builder

	args []any
}

// arg adds an argument and returns how the query refers to it.
func (c *condition) arg(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

// listQuery has few forms, so that each is prepared once. An owner has few records, so
// they are sorted; all other lists are read in the order of an index.
func listQuery(pool, kind string, q store.Query) (text string, args []any) {
	var c condition
	p, k := c.arg([]byte(pool)), c.arg([]byte(kind))
	from, order := "pool_records", "r.id"
	if q.Owner != "" {
		from = "owned"
		c.WriteString("WITH owned AS MATERIALIZED (SELECT * FROM pool_records WHERE pool = " + p + " AND kind = " + k +
			" AND owner = " + c.arg([]byte(q.Owner)) + ") ")
	}
	c.WriteString("SELECT " + columns + " FROM " + from + " r")
	if q.Term != "" {
		c.WriteString(" JOIN pool_terms t ON t.pool = r.pool AND t.kind = r.kind AND t.id = r.id")
		order = "t.id"
	}
	c.WriteString(" WHERE r.pool = " + p + " AND r.kind = " + k)
	if q.Term != "" {
		c.WriteString(" AND t.pool = " + p + " AND t.kind = " + k + " AND t.term = " + c.arg(indexed(q.Term)))
	}
	if q.TermPrefix != "" {
		c.WriteString(" AND r.id IN (SELECT id FROM pool_terms WHERE pool = " + p + " AND kind = " + k +
			" AND term >= " + c.arg([]byte(q.TermPrefix)) + " AND term <= " + c.arg(lastWith(q.TermPrefix)) + ")")
	}
	comparison, direction := " > ", ""
	if q.Descending {
		comparison, direction = " < ", " DESC"
	}
	if q.After != "" {
		c.WriteString(" AND " + order + comparison + c.arg([]byte(q.After)))
	}
	c.WriteString(" ORDER BY " + order + direction + " LIMIT " + c.arg(q.Limit))
	return c.String(), c.args
}

// lastWith returns a key that is greater than every index entry with the prefix, and
// less than all entries after those.
func lastWith(prefix string) []byte {
	return append([]byte(prefix), strings.Repeat("\xff", maxIndexed+1)...)
}

// maxFew is how many terms with a prefix are sorted by their records. If there are
// more, a scan of all records soon finds the next one.
const maxFew = 4096

const countTerms = `SELECT COUNT(*) FROM (
	SELECT 1 FROM pool_terms WHERE pool = $1 AND kind = $2 AND term >= $3 AND term <= $4 LIMIT $5) AS t`

// dense reports whether q has a prefix that very many records have.
func (l lister) dense(ctx context.Context, q store.Query) (bool, error) {
	if q.TermPrefix == "" || q.Owner != "" {
		return false, nil
	}
	var n int
	err := l.QueryRowContext(ctx, countTerms, []byte(l.pool), []byte(l.kind), []byte(q.TermPrefix),
		lastWith(q.TermPrefix), maxFew+1).Scan(&n)
	return n > maxFew, err
}

// maxRead is how many records filter reads at once.
const maxRead = 250

// filter reads all records, page by page, and returns those with the prefix.
func (l lister) filter(ctx context.Context, q store.Query) (out []store.Record, err error) {
	prefix, limit := q.TermPrefix, q.Limit
	q.TermPrefix, q.Limit = "", min(4*limit, maxRead)
	for {
		list, err := l.list(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			if !slices.ContainsFunc(r.Terms, func(t string) bool { return strings.HasPrefix(t, prefix) }) {
				continue
			}
			out = append(out, r)
			if len(out) == limit {
				return out, nil
			}
		}
		if len(list) < q.Limit {
			return out, nil
		}
		q.After = list[len(list)-1].ID
	}
}
