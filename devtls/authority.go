package devtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/internal/utf8text"
)

const (
	// authorityValidity is long, because people must trust every new authority by hand.
	authorityValidity = 5 * 365 * 24 * time.Hour
	// renewal is how long a certificate of the authority is used before a new one is
	// issued.
	renewal = 24 * time.Hour

	authorityFile = "ca.pem"
	keyFile       = "ca-key.pem"
)

// reserved lists the domains that nobody can own: RFC 2606, RFC 6761, RFC 6762 and
// ICANN's internal. Each includes the names below it.
var reserved = []string{"localhost", "test", "example", "invalid", "internal", "home.arpa"}

// Authority is a certificate authority for this machine. A person who trusts it sees no
// warning about the certificates that it issues. It can issue certificates only for
// loopback addresses, names that nobody can own, and the names that it was made for:
// its certificate says so (RFC 5280 section 4.2.1.10), and browsers enforce that, so
// its key is useless for the rest of the web. It is safe for concurrent use.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	path string
	made bool

	mu     sync.Mutex
	leaf   *tls.Certificate
	hosts  []string
	issued time.Time
}

// OpenAuthority returns the authority whose files are in a folder. Only the owner can
// read its key there. If there is none, or if it has expired or may not issue
// certificates for one of the hosts, a new one replaces it, which people must trust
// again; see [Authority.Made].
func OpenAuthority(folder string, hosts ...string) (*Authority, error) {
	a, err := readAuthority(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the local authority: %w", err)
	}
	names := slices.Clone(hosts)
	if a != nil {
		if a.usable(hosts) {
			return a, nil
		}
		names = append(names, a.cert.PermittedDNSDomains...)
	}
	a, err = newAuthority(names)
	if err != nil {
		return nil, fmt.Errorf("making a local authority: %w", err)
	}
	err = a.write(folder)
	if err != nil {
		return nil, fmt.Errorf("keeping the local authority: %w", err)
	}
	return a, nil
}

// Path returns the file of the authority's certificate, in PEM.
func (a *Authority) Path() string { return a.path }

// Made reports whether the authority is new, so that nobody trusts it yet.
func (a *Authority) Made() bool { return a.made }

// Fingerprint returns the SHA-256 of the certificate, in hexadecimal.
func (a *Authority) Fingerprint() string {
	sum := sha256.Sum256(a.cert.Raw)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// Certificate returns the authority's certificate.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Config returns a server configuration as [Config] does, with a certificate of the
// authority for the hosts that the function returns at the time of a connection.
func (a *Authority) Config(hosts func() []string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return a.certificate(hosts())
		},
	}
}

func (a *Authority) certificate(hosts []string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.leaf != nil && slices.Equal(a.hosts, hosts) && now.Sub(a.issued) < renewal {
		return a.leaf, nil
	}
	leaf, err := a.issue(hosts, now)
	if err != nil {
		return nil, err
	}
	a.leaf, a.hosts, a.issued = leaf, slices.Clone(hosts), now
	return leaf, nil
}

// issue returns a certificate for the hosts, except those that the authority may not
// issue certificates for: one of them would make the certificate invalid for the
// others.
func (a *Authority) issue(hosts []string, now time.Time) (*tls.Certificate, error) {
	hosts = slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return !a.covers([]string{h}) })
	template, err := newTemplate(hosts, now)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}, nil
}

// covers reports whether the authority may issue certificates for the hosts.
func (a *Authority) covers(hosts []string) bool {
	return !slices.ContainsFunc(hosts, func(host string) bool {
		if ip := net.ParseIP(host); ip != nil {
			return !ip.IsLoopback()
		}
		host = strings.TrimPrefix(host, "*.")
		return !slices.ContainsFunc(a.cert.PermittedDNSDomains, func(permitted string) bool {
			return host == permitted || strings.HasSuffix(host, "."+permitted)
		})
	})
}

func newAuthority(hosts []string) (*Authority, error) {
	template, err := newTemplate(nil, time.Now())
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the key: %w", err)
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "this machine"
	}
	template.Subject = pkix.Name{CommonName: "Cognate local authority on " + machine}
	template.NotAfter = template.NotBefore.Add(authorityValidity)
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.IsCA, template.MaxPathLenZero = true, true
	template.PermittedDNSDomainsCritical = true
	template.PermittedDNSDomains = permitted(hosts)
	template.PermittedIPRanges = []*net.IPNet{
		{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
		{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate back: %w", err)
	}
	return &Authority{cert: cert, key: key, made: true}, nil
}

// permitted returns the reserved names, and the hosts that are not below one of them.
func permitted(hosts []string) []string {
	all := slices.Clone(reserved)
	for _, h := range hosts {
		h = strings.TrimPrefix(h, "*.")
		below := slices.ContainsFunc(all, func(p string) bool { return h == p || strings.HasSuffix(h, "."+p) })
		if net.ParseIP(h) == nil && !below {
			all = append(all, h)
		}
	}
	return all
}

func (a *Authority) write(folder string) error {
	err := os.MkdirAll(folder, 0o700)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return fmt.Errorf("encoding the key: %w", err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	err = replaceFile(filepath.Join(folder, keyFile), key)
	if err != nil {
		return err
	}
	a.path = filepath.Join(folder, authorityFile)
	return replaceFile(a.path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// replaceFile writes a file that only its owner can read. It writes all of it or
// nothing.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // the mode is 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error is the one to return
	}
	return err
}

func readAuthority(folder string) (*Authority, error) {
	path := filepath.Join(folder, authorityFile)
	der, err := readPEM(path, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	keyPath := filepath.Join(folder, keyFile)
	der, err = readPEM(keyPath, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s has no key in it", keyPath) // the parser's error might repeat the key
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		// A start was interrupted, or somebody mixed files of two authorities.
		return nil, fmt.Errorf("%s is not the key of %s: %w", keyPath, path, fs.ErrNotExist)
	}
	return &Authority{cert: cert, key: key, path: path}, nil
}

// maxPEM is far more than the size of a key or a certificate.
const maxPEM = 1 << 20

// readBounded reads the beginning of a regular file: opening a pipe might wait for ever.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file; remove it", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return io.ReadAll(io.LimitReader(f, maxPEM))
}

func readPEM(path, kind string) ([]byte, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	text, err = utf8text.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s is not a PEM file with a %s; remove it to get a new one", path,
			strings.ToLower(kind))
	}
	return block.Bytes, nil
}
