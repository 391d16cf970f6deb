package oidc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
)

// advice returns what to do about a document of the provider that can't be fetched from
// address, or "" if the error says enough. Most causes are mistakes in the configuration,
// and each looks like a provider that is down.
func advice(err error, address *url.URL) string {
	if e, ok := errors.AsType[*statusError](err); ok {
		return statusAdvice(e.status, address)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "the server speaks http and not https: compare the scheme of the Issuer with the provider's own"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "use a name that is in the server's certificate"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return "renew the server's certificate, or set this machine's clock right"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok { // the cause is the system's own on macOS
		return "this machine does not trust the authority that issued the certificate: install it, or name its " +
			"file in SSL_CERT_FILE; that of cognate pool --tls is installed by cognate trust --install"
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return "compare the host of the Issuer with the provider's own; names are not the same in a container and " +
			"outside"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return "does the provider run, and are host and port right? In a container, localhost is the container itself"
	}
	return ""
}

// statusAdvice returns what to do about an answer that is no document.
func statusAdvice(status int, address *url.URL) string {
	switch {
	case status == http.StatusNotFound:
		return "there is nothing at " + address.String() + ": compare the Issuer with the provider's own, to the " +
			"letter"
	case status == http.StatusMisdirectedRequest: // RFC 9110, 15.5.20; as a local pool answers
		return "the server does not know the host " + address.Host + ": compare that of the Issuer with the " +
			"provider's own"
	case address.Scheme == "http" && (status == http.StatusBadRequest || status/100 == 3):
		return "perhaps the server speaks https: compare the scheme of the Issuer with the provider's own"
	case status/100 == 3:
		return "redirects are not followed: the Issuer must be the provider's own, to the letter"
	}
	return ""
}
