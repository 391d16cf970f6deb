package redisstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Config says where the server is and how to use it. Only Addresses is required.
type Config struct {
	// Addresses are the host:port of servers. With a single address, the store asks the
	// server whether it belongs to a cluster. Two or more are nodes of a cluster, which
	// name the other nodes. With SentinelMaster they are the addresses of the
	// Sentinels.
	Addresses []string
	// SentinelMaster is the Sentinels' name for the master, such as mymaster. Empty
	// means that there are no Sentinels.
	SentinelMaster string
	// SentinelUsername and SentinelPassword authenticate at the Sentinels, which have
	// their own users. Empty means no authentication.
	SentinelUsername string
	SentinelPassword Secret
	// Username and Password authenticate at the server. Empty means the default user,
	// and no password.
	Username string
	Password Secret
	// DB is the number of the database. A cluster has only 0.
	DB int
	// TLS, if not nil, encrypts the connections, including those to Sentinels. An empty
	// tls.Config is enough for a certificate of a public authority.
	TLS *tls.Config

	// KeyPrefix is the prefix of all the store's keys, so that several apps can share a
	// server. Empty means "cognate:". In a cluster, a part in braces would store
	// everything on one node.
	KeyPrefix string
	// DialTimeout limits connecting, including TLS. Zero means 5 seconds. A call waits
	// for a connection at most for its Timeout.
	DialTimeout time.Duration
	// Timeout limits each call, in addition to its context's deadline. Zero means 2
	// seconds. DeleteIndexed makes as many calls as it needs, each for up to 500
	// records.
	Timeout time.Duration
	// DisableCache makes Load ask the server every time. It is for servers and proxies
	// without CLIENT TRACKING.
	DisableCache bool
	// LocalTTL is how long Load may use a record in memory if the server's notice of a
	// change does not arrive. Zero means 10 seconds.
	LocalTTL time.Duration
	// CacheBytes limits the memory for these records, per connection: there are at most
	// 4 connections to a single server, or one to each node of a cluster. Zero means 32
	// MiB, for about 40,000 sessions.
	CacheBytes int
}

// withDefaults checks the configuration and fills in the defaults.
func (c Config) withDefaults() (Config, error) {
	for name, d := range map[string]time.Duration{
		"DialTimeout": c.DialTimeout, "Timeout": c.Timeout, "LocalTTL": c.LocalTTL,
	} {
		if d < 0 {
			return c, fmt.Errorf("redisstore: Config.%s is %v, expected 0 for the default or more", name, d)
		}
	}
	if c.DB < 0 || c.CacheBytes < 0 {
		return c, fmt.Errorf("redisstore: Config.DB is %d and CacheBytes is %d, expected 0 or more", c.DB, c.CacheBytes)
	}
	if len(c.KeyPrefix) > 128 {
		return c, fmt.Errorf("redisstore: Config.KeyPrefix has %d bytes, expected at most 128", len(c.KeyPrefix))
	}
	orDefault(&c.KeyPrefix, "cognate:")
	orDefault(&c.DialTimeout, 5*time.Second)
	orDefault(&c.Timeout, 2*time.Second)
	orDefault(&c.LocalTTL, 10*time.Second)
	orDefault(&c.CacheBytes, 32<<20)
	return c, nil
}

func orDefault[V comparable](v *V, fallback V) {
	var zero V
	if *v == zero {
		*v = fallback
	}
}

func (c Config) checkAddresses() error {
	if len(c.Addresses) == 0 {
		return errors.New("redisstore: Config.Addresses is empty, expected host:port of the server")
	}
	for i, a := range c.Addresses {
		// The address is not printed: it may be a URL with a password.
		_, _, err := net.SplitHostPort(a)
		if err != nil || strings.ContainsAny(a, "/@") {
			return fmt.Errorf("redisstore: Config.Addresses[%d] is not host:port, such as localhost:6379", i)
		}
	}
	return nil
}

// clientOption returns the configuration for the client.
func (c Config) clientOption() rueidis.ClientOption {
	dialer := net.Dialer{Timeout: c.DialTimeout, KeepAlive: time.Second}
	return rueidis.ClientOption{
		InitAddress: c.Addresses, SelectDB: c.DB, TLSConfig: c.TLS, Dialer: dialer,
		Username: c.Username, Password: string(c.Password),
		Sentinel: rueidis.SentinelOption{
			MasterSet: c.SentinelMaster, Dialer: dialer, TLSConfig: c.TLS,
			Username: c.SentinelUsername, Password: string(c.SentinelPassword),
			// If the client missed a fail-over, it would stay connected to the old
			// master.
			TopologyRefreshInterval: 5 * time.Second,
		},
		ClusterOption: rueidis.ClusterOption{ShardsRefreshInterval: 5 * time.Second, MaxMovedRedirections: 8},
		// A connection without an answer for this long is closed.
		ConnWriteTimeout:  c.Timeout,
		DisableCache:      c.DisableCache,
		CacheSizeEachConn: c.CacheBytes,
		// Otherwise a call's deadline would close the connection that it shares with
		// others.
		AlwaysPipelining: true,
	}
}

// New connects to the server, and fails if it can't. Later the store reconnects by
// itself when necessary.
func New(config Config) (*Store, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	err = config.checkAddresses()
	if err != nil {
		return nil, err
	}
	client, err := rueidis.NewClient(config.clientOption())
	if err != nil {
		if errors.Is(err, rueidis.ErrNoCache) {
			err = errors.New("it has no CLIENT TRACKING: set Config.DisableCache")
		}
		return nil, config.wrap("connecting to "+strings.Join(config.Addresses, ", "), err)
	}
	s := newStore(config, client)
	s.close = client.Close
	return s, nil
}

// NewFromClient returns a store that uses the app's own client; the app closes that
// client. The connection settings in config and CacheBytes are ignored. A client
// without client-side caching needs DisableCache.
func NewFromClient(client rueidis.Client, config Config) (*Store, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return newStore(config, client), nil
}

func newStore(config Config, client rueidis.Client) *Store {
	return &Store{config: config, client: client, written: newRecentWrites(config.LocalTTL), close: func() {}}
}

// wrap adds what failed. errors.Is and errors.As still find a context's error and the
// server's, unless the text contains a password: some servers answer an unknown command
// with its arguments.
func (c *Config) wrap(doing string, err error) error {
	for _, secret := range []Secret{c.Password, c.SentinelPassword} {
		if secret != "" && strings.Contains(err.Error(), string(secret)) {
			err = errors.New(strings.ReplaceAll(err.Error(), string(secret), secret.String()))
		}
	}
	return fmt.Errorf("redisstore: %s: %w", doing, err)
}
