package devtls_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/devtls"
)

func openAuthority(t *testing.T, folder string, hosts ...string) *devtls.Authority {
	t.Helper()
	a, err := devtls.OpenAuthority(folder, hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// issued returns the certificate chain of a server with this configuration.
func issued(t *testing.T, config *tls.Config) []*x509.Certificate {
	t.Helper()
	cert, err := config.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	var chain []*x509.Certificate
	for _, der := range cert.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, c)
	}
	return chain
}

// TestAuthority connects to a server with a certificate of the authority, as a client
// that trusts the authority.
func TestAuthority(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "cognate")
	hosts := []string{"localhost", "*.localhost", "127.0.0.1", "::1", "auth.example.com"}
	a := openAuthority(t, folder, hosts...)
	if !a.Made() {
		t.Error("a new authority is not said to be new")
	}
	chain := issued(t, a.Config(func() []string { return hosts }))
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	for _, host := range []string{"localhost", "myapp.localhost", "127.0.0.1", "::1", "auth.example.com"} {
		_, err := chain[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots})
		if err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: "other.example.com", Roots: roots})
	if err == nil {
		t.Error("the certificate is valid for other.example.com, too")
	}
	if chain[0].IsCA {
		t.Error("the server's certificate may sign others")
	}
}

// TestAuthorityIsLimited signs certificates for other hosts with the authority's key,
// as a thief would: no client may accept them.
func TestAuthorityIsLimited(t *testing.T) {
	folder := t.TempDir()
	a := openAuthority(t, folder, "auth.example.com")
	pair, err := tls.LoadX509KeyPair(a.Path(), filepath.Join(folder, "ca-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	for host, want := range map[string]bool{
		"x.localhost": true, "auth.example.com": true, "below.auth.example.com": true, "127.8.0.1": true,
		"example.com": false, "bank.example.com": false, "notlocalhost": false,
		"xauth.example.com": false, "192.0.2.1": false,
	} {
		template := &x509.Certificate{
			SerialNumber: a.Certificate().SerialNumber, NotBefore: a.Certificate().NotBefore,
			NotAfter:    a.Certificate().NotAfter,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = []net.IP{ip}
		} else {
			template.DNSNames = []string{host}
		}
		leaf, err := devtls.Certificate("x")
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate(), leaf.Leaf.PublicKey, pair.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		_, err = cert.Verify(x509.VerifyOptions{DNSName: host, Roots: roots})
		if (err == nil) != want {
			t.Errorf("%s: %v, want it accepted: %v", host, err, want)
		}
	}
}

// TestAuthorityLeavesOut checks that a host which the authority may not issue a
// certificate for is left out, and the others are not.
func TestAuthorityLeavesOut(t *testing.T) {
	a := openAuthority(t, t.TempDir())
	chain := issued(t, a.Config(func() []string { return []string{"localhost", "late.example.com"} }))
	if got := chain[0].DNSNames; !slices.Equal(got, []string{"localhost"}) {
		t.Errorf("names = %q", got)
	}
}

// TestAuthorityStays checks that the authority is kept between starts, until it may not
// issue a certificate for a host.
func TestAuthorityStays(t *testing.T) {
	folder := t.TempDir()
	first := openAuthority(t, folder, "auth.example.com")
	again := openAuthority(t, folder, "localhost")
	if again.Made() || again.Fingerprint() != first.Fingerprint() {
		t.Error("there is a new authority without need")
	}
	other := openAuthority(t, folder, "auth.example.net")
	if !other.Made() || other.Fingerprint() == first.Fingerprint() {
		t.Error("there is no new authority for a host that the old one may not vouch for")
	}
	if !slices.Contains(other.Certificate().PermittedDNSDomains, "auth.example.com") {
		t.Errorf("the new one forgot a host: %q", other.Certificate().PermittedDNSDomains)
	}
}

// TestAuthorityMark opens files that an editor saved with a byte order mark.
func TestAuthorityMark(t *testing.T) {
	folder := t.TempDir()
	first := openAuthority(t, folder)
	for _, name := range []string{"ca.pem", "ca-key.pem"} {
		path := filepath.Join(folder, name)
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, append([]byte("\uFEFF"), text...), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if again := openAuthority(t, folder); again.Made() || again.Fingerprint() != first.Fingerprint() {
		t.Error("there is a new authority without need")
	}
}

// TestAuthorityFollowsHosts adds hosts while the server runs.
func TestAuthorityFollowsHosts(t *testing.T) {
	a := openAuthority(t, t.TempDir())
	hosts := []string{"localhost"}
	config := a.Config(func() []string { return hosts })
	first := issued(t, config)[0]
	if same := issued(t, config)[0]; !same.Equal(first) {
		t.Error("every connection has a certificate of its own")
	}
	hosts = []string{"localhost", "auth.one.test"}
	err := issued(t, config)[0].VerifyHostname("auth.one.test")
	if err != nil {
		t.Error(err)
	}
}

// TestAuthorityFiles checks that only the owner can read the files, and that truncated
// files are replaced or reported.
func TestAuthorityFiles(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "folder")
	a := openAuthority(t, folder)
	key := filepath.Join(folder, "ca-key.pem")
	info, err := os.Stat(key)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key = %v", info.Mode())
	}
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	err = os.WriteFile(key, []byte("nonsense "+string(text)[40:80]), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = devtls.OpenAuthority(folder)
	if err == nil || !strings.Contains(err.Error(), "remove it to get a new one") ||
		strings.Contains(err.Error(), string(text)[40:80]) {
		t.Errorf("error = %v", err)
	}
	err = os.Remove(key)
	if err != nil {
		t.Fatal(err)
	}
	if b := openAuthority(t, folder); !b.Made() || b.Fingerprint() == a.Fingerprint() {
		t.Error("an authority without its key is still used")
	}
}
