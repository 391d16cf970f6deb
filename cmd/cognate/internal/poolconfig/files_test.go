package poolconfig_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/internal/cases"
	"github.com/cognate-auth/cognate/userpool"
)

// TestEncodings reads the configuration and the files that it names in the encodings of
// programs on Windows.
func TestEncodings(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"c.yaml": "pools:\n  - id: local_A1\n    name: Größe\n    users_csv: users.csv\n    identity_providers:\n" +
			"      - {name: Corp, type: SAML, metadata_file: corp.xml}\n    clients:\n      - id: one\n" +
			"        branding: {css_file: pages.css, logo_file: logo.svg}\n",
		"users.csv": "cognito:username,email,email_verified,name\nann,ann@example.com,TRUE,Änn\n",
		"corp.xml":  strings.Trim(string(cases.Read(t, "saml-metadata-bom.xml")), "\uFEFF\n"),
		"pages.css": "body::after{content:'é'}\n", "logo.svg": svg,
	}
	load := func(encode func(string) string) (*poolconfig.File, error) {
		dir := t.TempDir()
		for name, text := range files {
			err := os.WriteFile(filepath.Join(dir, name), []byte(encode(text)), 0o600)
			if err != nil {
				t.Fatal(err)
			}
		}
		return poolconfig.Loader{}.Load(filepath.Join(dir, "c.yaml"))
	}
	// Secrets print as [redacted], so cmp would not see a difference.
	equal := cmp.Comparer(func(a, b userpool.Secret) bool { return string(a) == string(b) })
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	want, err := load(func(s string) string { return s })
	if err != nil {
		t.Fatal(err)
	}
	for name, encode := range map[string]func(string) string{
		"a mark":       func(s string) string { return "\uFEFF" + s },
		"CRLF":         crlf,
		"mark, CRLF":   func(s string) string { return "\uFEFF" + crlf(s) },
		"UTF-16":       wide,
		"UTF-16, CRLF": func(s string) string { return wide(crlf(s)) },
	} {
		got, err := load(encode)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got.Pools[0].Clients[0].Branding.CSS = strings.ReplaceAll(got.Pools[0].Clients[0].Branding.CSS, "\r", "")
		if diff := cmp.Diff(want.Pools, got.Pools, cmp.AllowUnexported(poolconfig.User{}), equal); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		files["c.yaml"] = strings.Replace(files["c.yaml"], "css_file", "css_flie", 1)
		_, err = load(encode)
		files["c.yaml"] = strings.Replace(files["c.yaml"], "css_flie", "css_file", 1)
		if err == nil || !strings.Contains(err.Error(), `c.yaml:9:20: unknown key "css_flie"`) {
			t.Errorf("%s: a mistake is reported as %v", name, err)
		}
	}
}

// TestFilesBelow has links that lead out of the folder, and one that stays in it.
func TestFilesBelow(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "conf")
	write := func(name, text string) {
		t.Helper()
		err := os.MkdirAll(filepath.Dir(filepath.Join(top, name)), 0o700)
		if err == nil {
			err = os.WriteFile(filepath.Join(top, name), []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("secret", svg+"secret")
	write("conf/img/logo.svg", svg)
	for link, to := range map[string]string{"out": "../secret", "in": "img/logo.svg", "up": ".."} {
		err := os.Symlink(to, filepath.Join(dir, link))
		if err != nil {
			t.Fatal(err)
		}
	}
	for key, files := range map[string]map[string]bool{
		"branding: {logo_file: %}": {"in": true, "img/logo.svg": true, "out": false, "up/secret": false,
			"../secret": false},
		"branding: {css_file: %}": {"out": false, "up/secret": false, "../secret": false},
	} {
		for name, good := range files {
			write("conf/c.yaml",
				"pools:\n- id: local_A1\n  clients:\n  - id: a\n    "+strings.ReplaceAll(key, "%", name)+"\n")
			_, err := poolconfig.Loader{}.Load(filepath.Join(dir, "c.yaml"))
			if (err == nil) != good || err != nil && !strings.Contains(err.Error(), name) {
				t.Errorf("%s of %s: %v", key, name, err)
			}
		}
	}
	for _, key := range []string{"users_csv: %", "identity_providers: [{name: x, type: SAML, metadata_file: %}]"} {
		for _, name := range []string{"out", "up/secret", "../secret", filepath.Join(top, "secret")} {
			write("conf/c.yaml", "pools:\n- id: local_A1\n  "+strings.ReplaceAll(key, "%", name)+"\n")
			_, err := poolconfig.Loader{}.Load(filepath.Join(dir, "c.yaml"))
			if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "svg") {
				t.Errorf("%s of %s: %v", key, name, err)
			}
		}
	}
}
