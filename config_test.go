package cognate_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
)

func goodConfig() cognate.Config {
	return cognate.Config{Issuer: "https://provider.test", ClientID: "c", ClientSecret: "s", RedirectURL: "https://app.test/oidc_callback"}
}

func TestConfigErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*cognate.Config)
		want   []string // none: accepted
	}{
		{"good", func(*cognate.Config) {}, nil},
		{"nothing at all", func(c *cognate.Config) { *c = cognate.Config{} }, []string{"ClientID is missing", "Issuer", "RedirectURL is missing"}},
		{"no issuer", func(c *cognate.Config) { c.Issuer = "" }, []string{"Issuer is missing"}},
		{"password in a URL", func(c *cognate.Config) { c.Issuer = "https://ann:verysecret@provider.test" }, []string{"user name", "xxxxx"}},
		{"cookie name with a prefix", func(c *cognate.Config) { c.CookieName = "__Host-x" }, []string{"CookieName"}},
		{"dialect without logout", func(c *cognate.Config) { c.Dialect = &cognate.Dialect{ClientAuth: cognate.ClientSecretPost} }, []string{"LogoutParam"}},
		{"scopes without openid", func(c *cognate.Config) { c.Scopes = []string{"email"} }, []string{"openid"}},
		{"issuer in the clear", func(c *cognate.Config) { c.Issuer = "http://provider.test" }, []string{"Issuer", "https"}},
		{"issuer in the clear, on purpose", func(c *cognate.Config) { c.Issuer, c.InsecureHTTP = "http://provider.test", true }, nil},
		{"issuer on this machine", func(c *cognate.Config) { c.Issuer = "http://localhost:9229/local_abc" }, nil},
		{"issuer on a subdomain of localhost", func(c *cognate.Config) { c.Issuer = "http://shop.localhost:9229/local_abc" }, nil},
		{"issuer that looks like localhost", func(c *cognate.Config) { c.Issuer = "http://localhost.evil.test/x" }, []string{"Issuer"}},
		{"issuer without a scheme", func(c *cognate.Config) { c.Issuer = "provider.test" }, []string{"Issuer"}},
		{"issuer with a user", func(c *cognate.Config) { c.Issuer = "https://a@provider.test" }, []string{"user name"}},
		{"endpoint in the clear", func(c *cognate.Config) { c.Endpoints.Token = "http://provider.test/token" }, []string{"Token endpoint", "https"}},
		{"redirect URL in the clear", func(c *cognate.Config) { c.RedirectURL = "http://app.test/cb" }, []string{"RedirectURL"}},
		{"redirect URL on this machine", func(c *cognate.Config) { c.RedirectURL = "http://127.0.0.1:5000/cb" }, nil},
		{"redirect URL with a fragment", func(c *cognate.Config) { c.RedirectURL = "https://app.test/cb#x" }, []string{"fragment"}},
		{"redirect URL without a path", func(c *cognate.Config) { c.RedirectURL = "https://app.test" }, []string{"path of RedirectURL"}},
		{"redirect URL at the root", func(c *cognate.Config) { c.RedirectURL = "https://app.test/" }, []string{"both"}},
		{"redirect URL with dots", func(c *cognate.Config) { c.RedirectURL = "https://app.test/a/../cb" }, []string{"path of RedirectURL"}},
		{"login path elsewhere", func(c *cognate.Config) { c.LoginPath = "https://evil.test" }, []string{"LoginPath"}},
		{"one path twice", func(c *cognate.Config) { c.LoginPath = "/logout" }, []string{"both", "/logout"}},
		{"logout return address", func(c *cognate.Config) { c.LogoutRedirectURL = "/bye" }, []string{"LogoutRedirectURL"}},
		{"short key", func(c *cognate.Config) { c.Keys = []cognate.Secret{"short-key"} }, []string{"Keys[0]", "32", "openssl"}},
		{"many keys", func(c *cognate.Config) {
			c.Keys = slices.Repeat([]cognate.Secret{cognate.Secret(strings.Repeat("k", 32))}, 17)
		}, []string{"17 Keys"}},
		{"HMAC", func(c *cognate.Config) { c.SigningAlgorithms = []string{"HS256"} }, []string{"HS256"}},
		{"none", func(c *cognate.Config) { c.SigningAlgorithms = []string{"none"} }, []string{"none"}},
		{"large skew", func(c *cognate.Config) { c.ClockSkew = time.Hour }, []string{"ClockSkew"}},
		{"negative skew", func(c *cognate.Config) { c.ClockSkew = -time.Second }, []string{"ClockSkew"}},
		{"short lifetime", func(c *cognate.Config) { c.Session.Lifetime = time.Second }, []string{"Lifetime"}},
		{"negative lifetime", func(c *cognate.Config) { c.Session.Lifetime = -time.Hour }, []string{"Lifetime"}},
		{"idle longer than life", func(c *cognate.Config) { c.Session.IdleTimeout = 9 * time.Hour }, []string{"IdleTimeout"}},
		{"cookie name", func(c *cognate.Config) { c.CookieName = "a=b; Domain=x" }, []string{"CookieName"}},
		{"client authentication", func(c *cognate.Config) { c.ClientAuth = "guess" }, []string{"ClientAuth", "guess"}},
		{"client authentication without a secret", func(c *cognate.Config) { c.ClientAuth, c.ClientSecret = cognate.ClientSecretPost, "" }, []string{"needs a ClientSecret"}},
		{"secret and no client authentication", func(c *cognate.Config) { c.ClientAuth = cognate.ClientAuthNone }, []string{"contradicts"}},
		{"claims with a star", func(c *cognate.Config) { c.Claims = []string{"locale", "custom:*"} }, nil},
		{"all claims", func(c *cognate.Config) { c.Claims = []string{"locale", "*"} }, []string{"Claims", "custom:*"}},
		{"unknown mode", func(c *cognate.Config) { c.UserInfo = 7 }, []string{"UserInfo"}},
		{"client secrets twice", func(c *cognate.Config) { c.ClientSecretsFile, c.ClientSecrets = "x", &cognate.ClientSecrets{} }, []string{"both set"}},
		{"redirect URL that is not registered", func(c *cognate.Config) {
			c.ClientSecrets = &cognate.ClientSecrets{RedirectURIs: []string{"https://app.test/other"}}
		}, []string{"redirect_uris", "to the letter"}},
		{"placeholders in memory", func(c *cognate.Config) { c.ClientSecrets = &cognate.ClientSecrets{ClientID: "{{ID}}"} }, []string{"{{ID}}"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := goodConfig()
			tt.change(&c)
			_, err := cognate.New(c)
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("error %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	const value = "top-secret-value"
	s := struct{ S cognate.Secret }{value}
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%10s", "%z"} {
		fmt.Fprintf(&b, verb+verb, s, s.S)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "s", s.S, "struct", s)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "s", s.S, "struct", s)
	if err := json.NewEncoder(&b).Encode(s); err != nil {
		t.Fatal(err)
	}
	b.WriteString(s.S.String() + s.S.GoString())
	if strings.Contains(b.String(), value) || strings.Contains(b.String(), fmt.Sprintf("%x", value)) {
		t.Errorf("printed: %s", b.String())
	}
}

// TestDependencies pins what a program that imports the library gets with it.
func TestDependencies(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	want := []string{
		"github.com/cognate-auth/cognate",
		"github.com/cognate-auth/cognate/internal/testhook",
		"golang.org/x/oauth2",
		"golang.org/x/oauth2/internal",
		"golang.org/x/sync/singleflight",
	}
	if !slices.Equal(got, want) {
		t.Errorf("dependencies\n%q, want\n%q", got, want)
	}
}
