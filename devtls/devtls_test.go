package devtls_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/devtls"
)

func TestCertificateHosts(t *testing.T) {
	tests := []struct {
		name   string
		hosts  []string
		valid  []string
		others []string
	}{
		{
			name:   "loopback by default",
			valid:  []string{"localhost", "127.0.0.1", "::1"},
			others: []string{"app.localhost", "127.0.0.2", "example.com"},
		},
		{
			name:   "names and addresses",
			hosts:  []string{"app.test", "192.0.2.7", "*.sites.test"},
			valid:  []string{"app.test", "192.0.2.7", "one.sites.test"},
			others: []string{"localhost", "127.0.0.1", "sites.test", "a.b.sites.test"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cert, err := devtls.Certificate(tt.hosts...)
			if err != nil {
				t.Fatal(err)
			}
			for _, host := range tt.valid {
				err := cert.Leaf.VerifyHostname(host)
				if err != nil {
					t.Errorf("the certificate is not valid for %s: %v", host, err)
				}
			}
			for _, host := range tt.others {
				err := cert.Leaf.VerifyHostname(host)
				if err == nil {
					t.Errorf("the certificate is valid for %s, too", host)
				}
			}
		})
	}
}

func TestCertificateContents(t *testing.T) {
	cert, err := devtls.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	now := time.Now()
	for _, at := range []time.Time{now.Add(-59 * time.Minute), now, now.Add(29 * 24 * time.Hour)} {
		opts := x509.VerifyOptions{DNSName: "localhost", Roots: roots, CurrentTime: at}
		_, err := cert.Leaf.Verify(opts)
		if err != nil {
			t.Errorf("not valid at %v: %v", at, err)
		}
	}
	for _, at := range []time.Time{now.Add(-61 * time.Minute), now.Add(31 * 24 * time.Hour)} {
		opts := x509.VerifyOptions{DNSName: "localhost", Roots: roots, CurrentTime: at}
		_, err := cert.Leaf.Verify(opts)
		if err == nil {
			t.Errorf("still valid at %v", at)
		}
	}
	if key, ok := cert.PrivateKey.(*ecdsa.PrivateKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("private key is a %T, want ECDSA P-256", cert.PrivateKey)
	}
	if cert.Leaf.IsCA {
		t.Error("the certificate may sign others")
	}
}

func TestCertificateIsNew(t *testing.T) {
	first, err := devtls.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	second, err := devtls.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if first.Leaf.SerialNumber.Cmp(second.Leaf.SerialNumber) == 0 {
		t.Error("two certificates share a serial number")
	}
	if first.PrivateKey.(*ecdsa.PrivateKey).Equal(second.PrivateKey) {
		t.Error("two certificates share a key")
	}
}

func TestCertificateRefusesEmptyHost(t *testing.T) {
	_, err := devtls.Certificate("localhost", "")
	if err == nil {
		t.Error("no error for an empty host")
	}
}

func TestListen(t *testing.T) {
	tests := []struct {
		name, addr string
		serverName string // the server name that the client asks for
	}{
		{"IPv4", "127.0.0.1:0", "127.0.0.1"},
		{"another loopback address", "127.0.0.2:0", "127.0.0.2"},
		{"localhost", "localhost:0", "localhost"},
		{"localhost in capitals", "LOCALHOST:0", "localhost"},
		{"a name under localhost", "app.localhost:0", "app.localhost"},
		{"IPv6", "[::1]:0", "::1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := devtls.Listen(tt.addr)
			if !hasAddress(t, tt.serverName) {
				if err == nil {
					t.Error("listening on an address that this machine does not have")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			state := handshake(t, ln, tt.serverName)
			if got, want := state.NegotiatedProtocol, "h2"; got != want {
				t.Errorf("negotiated protocol = %q, want %q", got, want)
			}
			err = state.PeerCertificates[0].VerifyHostname("localhost")
			if err != nil {
				t.Errorf("not valid for localhost: %v", err)
			}
		})
	}
}

// handshake connects to ln and checks that the server sends its certificate.
func handshake(t *testing.T, ln net.Listener, serverName string) tls.ConnectionState {
	t.Helper()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return // the client reports the failure
		}
		defer conn.Close()
		_ = conn.(*tls.Conn).HandshakeContext(t.Context())
	}()
	dialer := &tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, // no authority has signed it; the name is checked below
		NextProtos:         []string{"h2"},
	}}
	conn, err := dialer.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	err = state.PeerCertificates[0].VerifyHostname(serverName)
	if err != nil {
		t.Error(err)
	}
	return state
}

func TestListenRefuses(t *testing.T) {
	tests := []struct{ name, addr, says string }{
		{"every interface", ":5000", "not a loopback address"},
		{"every interface, IPv4", "0.0.0.0:5000", "not a loopback address"},
		{"every interface, IPv6", "[::]:5000", "not a loopback address"},
		{"a private network", "192.168.1.4:5000", "not a loopback address"},
		{"a host name", "example.com:5000", "not a loopback address"},
		{"a name that only looks like localhost", "localhost.example.com:5000", "not a loopback address"},
		{"a name that ends in localhost", "notlocalhost:5000", "not a loopback address"},
		{"no port", "127.0.0.1", "missing port"},
		{"an impossible port", "127.0.0.1:99999", "invalid port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := devtls.Listen(tt.addr)
			if err == nil {
				ln.Close()
				t.Fatalf("Listen(%q) succeeded", tt.addr)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error = %q, want it to say %q", err, tt.says)
			}
		})
	}
}

// hasAddress reports whether this machine has the loopback address: some machines have
// no IPv6, or only one loopback address of IPv4.
func hasAddress(t *testing.T, host string) bool {
	t.Helper()
	if net.ParseIP(host) == nil {
		return true // names mean 127.0.0.1
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

func TestLoopback(t *testing.T) {
	both := []string{"127.0.0.1", "::1"}
	for _, tt := range []struct {
		host, name string
		addrs      []string
		ok         bool
	}{
		{"127.0.0.1", "127.0.0.1", []string{"127.0.0.1"}, true},
		{"0:0:0:0:0:0:0:1", "::1", []string{"::1"}, true},
		{"::ffff:127.0.0.1", "127.0.0.1", []string{"127.0.0.1"}, true},
		{"LocalHost.", "localhost", both, true},
		{"app.localhost", "app.localhost", both, true},
		{"", "", nil, false},
		{"localhost.example.com", "localhost.example.com", nil, false},
		{"notlocalhost", "notlocalhost", nil, false},
		{"0.0.0.0", "0.0.0.0", []string{"0.0.0.0"}, false},
		{"192.168.0.1", "192.168.0.1", []string{"192.168.0.1"}, false},
	} {
		name, addrs, ok := devtls.Loopback(tt.host)
		if name != tt.name || !slices.Equal(addrs, tt.addrs) || ok != tt.ok {
			t.Errorf("%q: got %q, %q, %v; want %q, %q, %v", tt.host, name, addrs, ok, tt.name, tt.addrs, tt.ok)
		}
	}
}
