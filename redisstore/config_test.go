package redisstore_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/redisstore"
	"github.com/cognate-auth/cognate/redisstore/redistest"
	"github.com/redis/rueidis"
)

func TestNewRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		config redisstore.Config
		want   string
	}{
		"nothing": {redisstore.Config{}, "Config.Addresses is empty"},
		"no port": {redisstore.Config{Addresses: []string{"localhost"}}, "Config.Addresses[0] is not host:port"},
		"a URL": {redisstore.Config{Addresses: []string{"h:1", "redis://u:hunter2@h:1"}},
			"Config.Addresses[1] is not host:port"},
		"negative time": {redisstore.Config{Timeout: -1}, "Config.Timeout is -1ns"},
		"negative DB":   {redisstore.Config{DB: -1}, "Config.DB is -1"},
		"long prefix":   {redisstore.Config{KeyPrefix: strings.Repeat("p", 129)}, "Config.KeyPrefix has 129 bytes"},
		"nobody there": {redisstore.Config{Addresses: []string{"127.0.0.1:1"}},
			"redisstore: connecting to 127.0.0.1:1: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := redisstore.New(row.config)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got error %v, want one with %q", err, row.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

// roundTrip checks that the store works.
func roundTrip(t *testing.T, s *redisstore.Store) {
	t.Helper()
	must(t, s.Ping(t.Context()))
	r := record(t.Name(), "x")
	must(t, s.Create(t.Context(), r))
	_, err := s.Load(t.Context(), r.Key)
	must(t, err)
	must(t, s.Update(t.Context(), r))
	n, err := s.DeleteIndexed(t.Context(), name("x"))
	if n != 1 || err != nil {
		t.Errorf("deleted %d records, error %v, want 1", n, err)
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	const password = "correct-horse-battery"
	server := redistest.Start(t, "requirepass "+password,
		// These are all commands that the store needs.
		"user app on >"+password+" ~cognate:* resetchannels -@all +@connection +cluster|slots +get +getrange +set"+
			" +del +zadd +zrem +zrange +zremrangebyscore +pexpireat +pttl +time +eval +evalsha +multi +exec +hello")
	for name, row := range map[string]struct {
		user     string
		password redisstore.Secret
		works    bool
	}{
		"default user":   {"", password, true},
		"user of an app": {"app", password, true},
		"wrong password": {"app", password + "x", false},
		"unknown user":   {"nobody", password, false},
		"no password":    {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := redisstore.New(redisstore.Config{
				Addresses: []string{server.Addr}, Username: row.user, Password: row.password, Timeout: patient,
			})
			if row.works {
				must(t, err)
				defer s.Close()
				roundTrip(t, s)
				return
			}
			if err == nil {
				s.Close()
				t.Fatal("connected")
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

// TestErrorsHoldNoPassword has a server that answers with what it was sent, as some
// servers do for an unknown command.
func TestErrorsHoldNoPassword(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				lines := bufio.NewScanner(conn)
				for lines.Scan() { // *3, and then twice as many lines
					var n int
					fmt.Sscanf(lines.Text(), "*%d", &n)
					seen := ""
					for range 2 * n {
						lines.Scan()
						seen += " " + lines.Text()
					}
					fmt.Fprintf(conn, "-ERR did not like%s\r\n", seen)
				}
			}()
		}
	}()
	_, err = redisstore.New(redisstore.Config{
		Addresses: []string{ln.Addr().String()}, Username: "app", Password: "hunter2-hunter2", DialTimeout: time.Second,
	})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got error %v, want one without the password", err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pool := writeCertificate(t, dir)
	server := redistest.Start(t, "port 0", "tls-port $PORT", "tls-cert-file "+dir+"/cert.pem",
		"tls-key-file "+dir+"/key.pem",
		"tls-auth-clients no")
	config := redisstore.Config{Addresses: []string{server.Addr}, TLS: &tls.Config{RootCAs: pool}, Timeout: patient}
	roundTrip(t, open(t, config))
	for name, insecure := range map[string]*tls.Config{"unknown authority": {}, "plain": nil} {
		config.TLS, config.DialTimeout = insecure, time.Second
		_, err := redisstore.New(config)
		if err == nil {
			t.Errorf("%s: connected", name)
		}
	}
}

func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	for file, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		must(t, os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600))
	}
	parsed, err := x509.ParseCertificate(cert)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

func TestNewFromClient(t *testing.T) {
	t.Parallel()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{redistest.Start(t).Addr}})
	must(t, err)
	defer client.Close()
	s, err := redisstore.NewFromClient(client, redisstore.Config{KeyPrefix: "mine:"})
	must(t, err)
	roundTrip(t, s)
	must(t, s.Create(t.Context(), record("ann")))
	s.Close()
	got, err := client.Do(t.Context(), client.B().Exists().Key("mine:r:"+name("ann")).Build()).AsInt64()
	if got != 1 || err != nil {
		t.Errorf("the app's client after Close: got %d keys and error %v, want 1", got, err)
	}
	_, err = redisstore.NewFromClient(client, redisstore.Config{Timeout: -1})
	if err == nil {
		t.Error("a negative timeout was accepted")
	}
}

func TestDatabasesAndPrefixesAreApart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := record("ann", "x")
	for _, config := range []redisstore.Config{{}, {DB: 1}, {KeyPrefix: "other:"}} {
		config.Addresses = []string{server.Addr}
		config.Timeout = patient
		must(t, open(t, config).Create(t.Context(), r))
	}
}
