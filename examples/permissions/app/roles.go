package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate"
	_ "modernc.org/sqlite" // the driver
)

// The roles.
const (
	Reader = "reader"
	Admin  = "admin"
)

// maxPeople limits the admins' list.
const maxPeople = 500

// schema uses the subject as key. Here a single provider signs people in; with several,
// the key must include the issuer.
const schema = `
CREATE TABLE IF NOT EXISTS people (
	subject TEXT PRIMARY KEY,
	email   TEXT NOT NULL,
	seen    INTEGER NOT NULL -- Unix seconds of the last sign-in
) STRICT;
CREATE TABLE IF NOT EXISTS roles (
	subject TEXT NOT NULL REFERENCES people,
	role    TEXT NOT NULL CHECK (role IN ('reader', 'admin')),
	granted_by TEXT NOT NULL, -- a subject
	PRIMARY KEY (subject, role)
) STRICT, WITHOUT ROWID;`

// Roles says who may do what. It is safe for concurrent use, even by several processes.
type Roles struct{ db *sql.DB }

// Open opens the database in a file, or creates it.
func Open(ctx context.Context, file string) (*Roles, error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: url.Values{
		"_pragma": {"journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(5000)", "foreign_keys(1)"},
		"_txlock": {"immediate"}, // otherwise a transaction that reads and then writes would fail at once
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, schema)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database %s: %w", file, err), db.Close())
	}
	return &Roles{db}, nil
}

// Close closes the database.
func (s *Roles) Close() error { return s.db.Close() }

// Has reports whether a subject has one of the roles.
func (s *Roles) Has(ctx context.Context, subject string, oneOf ...string) (bool, error) {
	held, err := s.of(ctx, subject)
	return slices.ContainsFunc(oneOf, func(role string) bool { return slices.Contains(held, role) }), err
}

func (s *Roles) of(ctx context.Context, subject string) ([]string, error) {
	var list string
	err := s.db.QueryRowContext(ctx,
		`SELECT coalesce(group_concat(role, ' '), '') FROM roles WHERE subject = ?`, subject).Scan(&list)
	return strings.Fields(list), err
}

// SignedIn stores who signed in, so that admins can find them. If first is true and
// there is no admin, it makes them admin.
func (s *Roles) SignedIn(ctx context.Context, user *cognate.User, first bool) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	_, err = tx.ExecContext(ctx, `INSERT INTO people (subject, email, seen) VALUES (?, ?, ?)
		ON CONFLICT (subject) DO UPDATE SET email = excluded.email, seen = excluded.seen`,
		user.Subject, user.Email, time.Now().Unix())
	if err != nil {
		return err
	}
	if first {
		_, err = tx.ExecContext(ctx, `INSERT INTO roles (subject, role, granted_by)
			SELECT ?, 'admin', 'the command line' WHERE NOT EXISTS (SELECT 1 FROM roles WHERE role = 'admin')`,
			user.Subject)
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

// A Person has signed in at least once.
type Person struct {
	Subject, Email string
	Roles          []string
}

// People returns the people who have signed in, the latest first; at most 500.
func (s *Roles) People(ctx context.Context) ([]Person, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT subject, email, coalesce(group_concat(role, ' '), '')
		FROM people LEFT JOIN roles USING (subject) GROUP BY subject ORDER BY seen DESC, subject LIMIT ?`, maxPeople)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var people []Person
	for rows.Next() {
		var p Person
		var list string
		err := rows.Scan(&p.Subject, &p.Email, &list)
		if err != nil {
			return nil, err
		}
		p.Roles = strings.Fields(list)
		people = append(people, p)
	}
	return people, rows.Err()
}

// A Mistake says why an admin's request can't be done. Its text is for the admin.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// Grant gives a role to the person with a subject or with an e-mail address that only
// one person has. The role is stored by the subject.
func (s *Roles) Grant(ctx context.Context, who, role, by string) error {
	if role != Reader && role != Admin {
		return Mistake("There is no such role.")
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	var count int
	var subject string
	err = tx.QueryRowContext(ctx, `SELECT count(*), coalesce(max(subject), '') FROM people
		WHERE subject = ?1 OR lower(email) = lower(?1)`, who).Scan(&count, &subject)
	switch {
	case err != nil:
		return err
	case count == 0:
		return Mistake("Nobody with this address or subject has signed in yet.")
	case count > 1:
		return Mistake("Several accounts have this address. Give the subject of the one you mean.")
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO roles (subject, role, granted_by) VALUES (?, ?, ?)
		ON CONFLICT DO NOTHING`, subject, role, by)
	if err != nil {
		return err
	}
	return tx.Commit()
}

// Revoke takes a role from a subject. The last admin can't be removed.
func (s *Roles) Revoke(ctx context.Context, subject, role string) error {
	result, err := s.db.ExecContext(ctx, `DELETE FROM roles WHERE subject = ? AND role = ?
		AND (role <> 'admin' OR (SELECT count(*) FROM roles WHERE role = 'admin') > 1)`, subject, role)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return Mistake("This person does not have the role, or is the last admin.")
	}
	return err
}
