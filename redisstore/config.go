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
	// Addresses are host:port of the server. With one, the server is asked whether it is
	// part of a cluster; two or more are nodes of a cluster, from which the others are
	// learned. With SentinelMaster they are those of the Sentinels.
	Addresses []string
	// SentinelMaster is the name by which the Sentinels know the master, such as
	// mymaster. Empty means that there are no Sentinels.
	SentinelMaster string
	// SentinelUsername and SentinelPassword sign in to the Sentinels, which have users of
	// their own. Empty means without.
	SentinelUsername string
	SentinelPassword Secret
	// Username and Password sign in to the server. Empty means the default user, and no
	// password.
	Username string
	Password Secret
	// DB is the number of the database; a cluster has only 0.
	DB int
	// TLS, if not nil, encrypts the connections, those to Sentinels too. An empty
	// tls.Config is fine for a certificate of a public authority.
	TLS *tls.Config

	// KeyPrefix begins the name of everything the store keeps, so that several apps can
	// share a server. Empty means "cognate:". In a cluster, a part in braces would put
	// everything on one node.
	KeyPrefix string
	// DialTimeout bounds connecting, TLS included. Zero means 5 seconds. A call doesn't
	// wait longer than its Timeout for that.
	DialTimeout time.Duration
	// Timeout bounds each call, on top of its context's deadline. Zero means 2 seconds.
	// DeleteIndexed takes as many as it needs, each of up to 500 records.
	Timeout time.Duration
	// DisableCache makes Load ask the server every time, for servers and proxies without
	// CLIENT TRACKING.
	DisableCache bool
	// LocalTTL is how long Load may use what it has in memory if the server, against its
	// promise, sends no word of a change. Zero means 10 seconds.
	LocalTTL time.Duration
	// CacheBytes bounds the memory for that, per connection: at most 4 to one server, or
	// one to each node of a cluster. Zero means 32 MiB, for about 40,000 sessions.
	CacheBytes int
}

// withDefaults checks the configuration and fills in what was left out.
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
		// Not printed: somebody may have put a URL with a password here.
		_, _, err := net.SplitHostPort(a)
		if err != nil || strings.ContainsAny(a, "/@") {
			return fmt.Errorf("redisstore: Config.Addresses[%d] is not host:port, such as localhost:6379", i)
		}
	}
	return nil
}

// clientOption is the configuration in the client's words.
func (c Config) clientOption() rueidis.ClientOption {
	dialer := net.Dialer{Timeout: c.DialTimeout, KeepAlive: time.Second}
	return rueidis.ClientOption{
		InitAddress: c.Addresses, SelectDB: c.DB, TLSConfig: c.TLS, Dialer: dialer,
		Username: c.Username, Password: string(c.Password),
		Sentinel: rueidis.SentinelOption{
			MasterSet: c.SentinelMaster, Dialer: dialer, TLSConfig: c.TLS,
			Username: c.SentinelUsername, Password: string(c.SentinelPassword),
			// A switch that was missed would leave the client with the old master.
			TopologyRefreshInterval: 5 * time.Second,
		},
		ClusterOption: rueidis.ClusterOption{ShardsRefreshInterval: 5 * time.Second, MaxMovedRedirections: 8},
		// A connection on which nothing comes back for this long is given up.
		ConnWriteTimeout:  c.Timeout,
		DisableCache:      c.DisableCache,
		CacheSizeEachConn: c.CacheBytes,
		// Otherwise a call's deadline would end the connection that it shares with others.
		AlwaysPipelining: true,
	}
}

// New connects to the server, and fails if it can't. From then on the store connects
// anew by itself, whenever it has to.
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

// NewFromClient makes a store on a client of the app's own, which stays the app's to
// close. What config says about connecting means nothing then, nor does CacheBytes. A
// client without client-side caching needs DisableCache.
func NewFromClient(client rueidis.Client, config Config) (*Store, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return newStore(config, client), nil
}

func newStore(config Config, client rueidis.Client) *Store {
	return &Store{config: config, client: client, written: newWritten(config.LocalTTL), close: func() {}}
}

// wrap says what failed. A context's error and the server's stay visible to errors.Is
// and errors.As, unless the text holds a password: some servers answer a command that
// they don't know with its arguments.
func (c *Config) wrap(doing string, err error) error {
	for _, secret := range []Secret{c.Password, c.SentinelPassword} {
		if secret != "" && strings.Contains(err.Error(), string(secret)) {
			err = errors.New(strings.ReplaceAll(err.Error(), string(secret), secret.String()))
		}
	}
	return fmt.Errorf("redisstore: %s: %w", doing, err)
}
