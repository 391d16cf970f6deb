package devtls

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// trustedFile, beside the authority, has the fingerprint of an authority that browsers
// were told to trust.
const trustedFile = "trusted"

// UserFolder returns the folder of the user's authority: cognate in the folder of the
// user's configuration ([os.UserConfigDir]). It need not exist. The error says what is
// missing in the environment.
func UserFolder() (string, error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder for the local authority: %w", err)
	}
	return filepath.Join(folder, "cognate"), nil
}

// LocalConfig returns the server configuration that [Listen] uses for the hosts: with a
// certificate of the user's authority (in [UserFolder]) if there is one that may vouch
// for all of them, else with a [Certificate] of its own, as [Config] does. It writes
// nothing, and never makes an authority. An authority that can't be read is as good as
// none: "cognate trust" says what is wrong with it.
//
// warning is a sentence for the person who opens a page: that the browser will warn
// about the certificate, and what ends that. It is empty if cognate trust --install has
// made this machine's browsers trust the authority.
func LocalConfig(hosts ...string) (config *tls.Config, warning string, err error) {
	if len(hosts) == 0 {
		hosts = loopbackNames
	}
	a := userAuthority()
	if a != nil && a.usable(hosts) {
		return a.Config(func() []string { return hosts }), a.Warning(), nil
	}
	config, err = Config(hosts...)
	return config, "Your browser will warn; cognate trust --install ends that.", err
}

// userAuthority returns the user's authority, or nil if there is none that can be read.
func userAuthority() *Authority {
	folder, err := UserFolder()
	if err != nil {
		return nil
	}
	a, err := readAuthority(folder)
	if err != nil {
		return nil
	}
	return a
}

// usable reports whether the authority may vouch for the hosts for as long as a
// certificate is valid.
func (a *Authority) usable(hosts []string) bool {
	return a.covers(hosts) && time.Now().Before(a.cert.NotAfter.Add(-validity))
}

// Warning returns a sentence for the person who opens a page with a certificate of the
// authority: that a browser may warn, and what ends that. It is empty after
// [Authority.SetTrusted]: otherwise some browser of this machine does not trust it.
func (a *Authority) Warning() string {
	text, err := readBounded(filepath.Join(filepath.Dir(a.path), trustedFile))
	if err == nil && strings.TrimSpace(string(text)) == a.Fingerprint() {
		return ""
	}
	return "Your browser may warn; cognate trust --install ends that."
}

// SetTrusted notes, beside the authority's files, whether this machine's browsers were
// told to trust it. It changes nothing about what they trust.
func (a *Authority) SetTrusted(trusted bool) error {
	path := filepath.Join(filepath.Dir(a.path), trustedFile)
	if trusted {
		return replaceFile(path, []byte(a.Fingerprint()+"\n"))
	}
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
