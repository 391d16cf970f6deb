package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// User returns the record of the n-th of many users, about as long as a pool's.
func User(n int) store.Record {
	name, mail := fmt.Sprint("user", n), fmt.Sprintf("user%d@example.com", n)
	return store.Record{
		Kind: "user", ID: userID(n), Names: []string{name, mail},
		Terms: []string{"username:" + name, "email:" + mail, "status:CONFIRMED", fmt.Sprint("name:User ", n%1000)},
		Body:  make([]byte, 500),
	}
}

// userID spreads the users over all IDs, as random ones are.
func userID(n int) string {
	return fmt.Sprintf("%016x-ab12-4cd3", uint64(n+1)*0x9e3779b97f4a7c15) //nolint:gosec // n is not negative
}

// Operations are what a pool asks of its store, for benchmarks: each call is the
// i-th with the users 0 to users-1 of [User] stored.
var Operations = map[string]func(ctx context.Context, s store.Store, pool string, i, users int) error{
	"get": func(ctx context.Context, s store.Store, pool string, i, users int) error {
		return must(s.Get(ctx, pool, "user", userID(i*7919%users)))
	},
	"find": func(ctx context.Context, s store.Store, pool string, i, users int) error {
		return must(s.Find(ctx, pool, "user", fmt.Sprintf("user%d@example.com", i*7919%users)))
	},
	"update": func(ctx context.Context, s store.Store, pool string, i, users int) error {
		return s.Apply(ctx, pool, update(User(i*7919%users), 0))
	},
	"list": func(ctx context.Context, s store.Store, pool string, i, users int) error {
		return some(s.List(ctx, pool, "user", store.Query{After: User(i * 7919 % users).ID[:2], Limit: 10}))
	},
	"search": func(ctx context.Context, s store.Store, pool string, i, users int) error {
		return some(
			s.List(
				ctx, pool, "user", store.Query{Term: fmt.Sprintf("email:user%d@example.com", i*7919%users), Limit: 10},
			),
		)
	},
	"prefix": func(ctx context.Context, s store.Store, pool string, i, users int) error {
		return some(s.List(ctx, pool, "user", store.Query{TermPrefix: fmt.Sprint("email:user", i%9+1), Limit: 10}))
	},
	"sign-in": signIn,
}

func must(_ store.Record, ok bool, err error) error {
	if err == nil && !ok {
		return fmt.Errorf("a record is missing")
	}
	return err
}

func some(_ []store.Record, err error) error { return err }

// signIn is what a sign-in leaves behind: a code, and what the token endpoint
// makes of it.
func signIn(ctx context.Context, s store.Store, pool string, i, users int) error {
	code := Code(i * 7919 % users)
	err := s.Apply(ctx, pool, store.Change{Op: store.Create, Record: code, Keep: 1024})
	if err != nil {
		return err
	}
	return Redeem(ctx, s, pool, code)
}

// Code returns a fresh authorization code of the n-th user, as a pool keeps it.
func Code(n int) store.Record {
	expires := moment.Add(time.Duration(n) * time.Second)
	return store.Record{Kind: "code", ID: hash(), Owner: userID(n), Expires: expires, Body: make([]byte, 300)}
}

// Redeem is what the token endpoint does with a code that is stored: it takes
// it, reads the user, and keeps a refresh token.
func Redeem(ctx context.Context, s store.Store, pool string, code store.Record) error {
	err := must(s.Take(ctx, pool, "code", code.ID))
	if err != nil {
		return err
	}
	err = must(s.Get(ctx, pool, "user", code.Owner))
	if err != nil {
		return err
	}
	token := store.Record{
		Kind: "refresh", ID: hash(), Owner: code.Owner, Terms: []string{"family:" + hash()},
		Expires: code.Expires, Body: make([]byte, 400),
	}
	return s.Apply(ctx, pool, store.Change{Op: store.Create, Record: token, Keep: 4096})
}

// hash has the length of a hexadecimal SHA-256.
func hash() string { return rand.Text() + "............" + rand.Text() }
