package servers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/redisstore"
	"github.com/cognate-auth/cognate/sessionstore"
	"golang.org/x/sync/errgroup"
)

// stores opens the stores for sessions.
var stores = map[string]func(Config) (sessionstore.Store, error){
	"cognate-memory":  memoryStore,
	"cognate-redis":   func(cfg Config) (sessionstore.Store, error) { return redisStore(cfg, true) },
	"cognate-redis-c": func(cfg Config) (sessionstore.Store, error) { return redisStore(cfg, false) },
}

// signIns is the room for sessions of people who sign in to be measured.
const signIns = 10_000

func memoryStore(cfg Config) (sessionstore.Store, error) {
	return sessionstore.NewMemory(cfg.Records + signIns), nil
}

func redisStore(cfg Config, disableCache bool) (sessionstore.Store, error) {
	return redisstore.New(redisstore.Config{
		Addresses: []string{cfg.RedisAddr}, KeyPrefix: cfg.ClientID + ":", DisableCache: disableCache,
	})
}

// cognateServer is an app as in the README.
func cognateServer(ctx context.Context, cfg Config) (http.Handler, error) {
	conf := cognate.Config{
		Issuer: cfg.Issuer, ClientID: cfg.ClientID, ClientSecret: cognate.Secret(cfg.ClientSecret),
		RedirectURL: cfg.RedirectURL, Logger: slog.New(slog.DiscardHandler),
	}
	conf.Session.TokensInCookie = cfg.Kind == "cognate-tokens"
	if open, ok := stores[cfg.Kind]; ok {
		store, err := open(cfg)
		if err != nil {
			return nil, err
		}
		err = fill(ctx, store, cfg.Records)
		if err != nil {
			return nil, fmt.Errorf("filling the store: %w", err)
		}
		conf.Session.Store = store
	}
	auth, err := cognate.New(conf)
	if err != nil {
		return nil, err
	}
	return auth.Handler(app(auth.RequireLogin)), nil
}

// recordSize is the size of a record that fills a store: that of a session without
// tokens.
const recordSize = 400

// fill adds sessions to the store that are never requested.
func fill(ctx context.Context, store sessionstore.Store, records int) error {
	const workers = 16
	g, ctx := errgroup.WithContext(ctx)
	for w := range workers {
		g.Go(func() error {
			for i := w; i < records; i += workers {
				err := store.Create(ctx, sessionstore.Record{
					Key: randomName(), Value: make([]byte, recordSize), Indexes: []string{randomName(), randomName()},
					Expires: time.Now().Add(8 * time.Hour),
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// randomName has the form of a record's key.
func randomName() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it does not fail
	return base64.RawURLEncoding.EncodeToString(b)
}
