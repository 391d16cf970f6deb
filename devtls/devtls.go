// Package devtls makes TLS certificates for this machine, so that a web app can be
// served over HTTPS on a developer's own machine with nothing to set up.
//
//	ln, err := devtls.Listen("127.0.0.1:5000")
//	if err != nil {
//		log.Fatal(err)
//	}
//	log.Fatal(http.Serve(ln, handler))
//
// A sign-in needs HTTPS even there: its cookies are Secure and have the __Host- prefix,
// and some browsers refuse such a cookie over plain HTTP. The package knows nothing of
// sign-ins or of package cognate.
//
// # The browser's warning
//
// Unless there is a local authority, nobody has signed the certificate: every browser
// shows a warning page before the first visit, and again after each restart, because
// each start makes a new certificate. "Advanced" and then "Proceed" lead to the app.
//
// The command "cognate trust --install" makes an authority of the user's own, in the
// folder of their configuration, and has this machine's browsers trust it. From then on
// [Listen] serves certificates of the authority, and no browser warns. [Listen] never
// makes an authority, so that a test run on another machine leaves nothing behind; a
// program makes one with [OpenAuthority]. A certificate of another tool can be served
// with [net/http.Server.ListenAndServeTLS].
//
// # Plain HTTP
//
// A page that is opened with http at an address of [Listen] or [NewListener] is
// redirected to https; every other request in plain HTTP is answered with a sentence
// that says so.
//
// # Security
//
// A visitor who accepts a warning has no protection against someone in the middle.
// On the loopback interface there is no middle, and so [Listen] refuses every other
// address. The private key of a certificate exists in memory only. That of an authority
// is in a file that only its user can read, and can't vouch for names on the web; see
// [Authority].
package devtls

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"
)

const (
	// validity is longer than a machine is suspended over a holiday, and short enough
	// that nobody relies on the certificate.
	validity = 30 * 24 * time.Hour

	// backdating makes the certificate valid for a client in a container or a virtual
	// machine whose clock is slow.
	backdating = time.Hour
)

// loopbackNames are the hosts of a certificate if the caller names none.
var loopbackNames = []string{"localhost", "127.0.0.1", "::1"}

// Certificate returns a new self-signed server certificate with a new ECDSA P-256 key,
// valid from one hour ago for 30 days. The hosts are DNS names, which may start with
// "*.", and IP addresses without a port. Without hosts it is valid for localhost,
// 127.0.0.1 and ::1. An empty host is an error.
func Certificate(hosts ...string) (tls.Certificate, error) {
	if len(hosts) == 0 {
		hosts = loopbackNames
	}
	template, err := newTemplate(hosts, time.Now())
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("generating the key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("signing the certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate back: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// newTemplate returns the template of a certificate for the hosts.
func newTemplate(hosts []string, now time.Time) (*x509.Certificate, error) {
	// RFC 5280 section 4.1.2.2: at most 20 octets. Firefox refuses two certificates
	// of one issuer with the same number, so it is random.
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("choosing a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "cognate local development"},
		NotBefore:    now.Add(-backdating),
		NotAfter:     now.Add(validity),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// It can't sign other certificates: a person who trusts it trusts only this
		// server.
		BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if host == "" {
			return nil, errors.New("making a certificate: a host is empty")
		}
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return template, nil
}

// Config returns a server configuration with a new [Certificate] for the hosts, TLS
// 1.2 or newer, and HTTP/2 offered before HTTP/1.1.
func Config(hosts ...string) (*tls.Config, error) {
	cert, err := Certificate(hosts...)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS12,
		// An http.Server on one of our own listeners uses the protocol that is
		// negotiated here.
		NextProtos: []string{"h2", "http/1.1"},
	}, nil
}

// Listen listens on a TCP address of the loopback interface, such as "127.0.0.1:5000"
// or "localhost:0", and serves TLS with a certificate for localhost, 127.0.0.1, ::1 and
// the host of the address: one of the user's authority if there is one, else a new one
// ([LocalConfig]). Port 0 means any free port; the listener's Addr has its number.
// Clients that speak plain HTTP are told to use https; see [NewListener].
//
// The host must be localhost, a name under .localhost or a loopback IP address. An
// empty host would mean every interface of the machine; it is refused like any other
// address. To serve other addresses, pass [Config] to [NewListener].
func Listen(addr string) (*Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listening with a development certificate: %w", err)
	}
	name, addrs, ok := Loopback(host)
	if !ok {
		return nil, fmt.Errorf("a development certificate is only for this machine, and %q is not a loopback "+
			"address; use 127.0.0.1, [::1] or localhost", host)
	}
	config, warning, err := LocalConfig(certificateHosts(name)...)
	if err != nil {
		return nil, err
	}
	inner, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(addrs[0], port))
	if err != nil {
		return nil, err
	}
	return &Listener{NewListener(inner, config), warning}, nil
}

// A Listener is what [Listen] returns.
type Listener struct {
	net.Listener
	warning string
}

// Warning returns a sentence for the person who opens a page of the listener: that the
// browser will warn about the certificate, and what ends that. It is empty if this
// machine's browsers trust the certificate.
func (l *Listener) Warning() string { return l.warning }

// certificateHosts adds the host to the loopback names.
func certificateHosts(host string) []string {
	if slices.Contains(loopbackNames, host) {
		return loopbackNames
	}
	return append(slices.Clone(loopbackNames), host)
}
