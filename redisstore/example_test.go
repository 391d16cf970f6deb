package redisstore_test

import (
	"crypto/tls"
	"log"
	"os"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/redisstore"
)

func Example() {
	store, err := redisstore.New(redisstore.Config{
		Addresses: []string{"redis.internal:6379"},
		Password:  redisstore.Secret(os.Getenv("REDIS_PASSWORD")),
		TLS:       &tls.Config{},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	config := cognate.Config{}
	config.Session.Store = store
	_ = config // with the rest of the configuration, for cognate.New
}
