package cognate_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

func goodConfig() cognate.Config {
	return cognate.Config{
		Issuer: "https://provider.test", ClientID: "c", ClientSecret: "s",
		RedirectURL: "https://app.test/oidc_callback",
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*cognate.Config)
		want   []string // none: accepted
	}{
		{"good", func(*cognate.Config) {}, nil},
		{"nothing at all", func(c *cognate.Config) { *c = cognate.Config{} },
			[]string{"ClientID is missing", "Issuer", "RedirectURL is missing"}},
		{"no issuer", func(c *cognate.Config) { c.Issuer = "" }, []string{"Issuer is missing"}},
		{"password in a URL", func(c *cognate.Config) { c.Issuer = "https://ann:verysecret@provider.test" },
			[]string{"user name", "xxxxx"}},
		{"cookie name with a prefix", func(c *cognate.Config) { c.CookieName = "__Host-x" }, []string{"CookieName"}},
		{"dialect without logout",
			func(c *cognate.Config) { c.Dialect = &cognate.Dialect{ClientAuth: cognate.ClientSecretPost} },
			[]string{"LogoutParam"}},
		{"scopes without openid", func(c *cognate.Config) { c.Scopes = []string{"email"} }, []string{"openid"}},
		{"issuer in the clear", func(c *cognate.Config) { c.Issuer = "http://provider.test" },
			[]string{"Issuer", "https"}},
		{"issuer in the clear, on purpose",
			func(c *cognate.Config) { c.Issuer, c.InsecureHTTP = "http://provider.test", true }, nil},
		{"issuer on this machine", func(c *cognate.Config) { c.Issuer = "http://localhost:9229/local_abc" }, nil},
		{"issuer on a subdomain of localhost",
			func(c *cognate.Config) { c.Issuer = "http://shop.localhost:9229/local_abc" }, nil},
		{"issuer that looks like localhost", func(c *cognate.Config) { c.Issuer = "http://localhost.evil.test/x" },
			[]string{"Issuer"}},
		{"issuer with a space", func(c *cognate.Config) { c.Issuer = "https://provider.test/p " },
			[]string{"Issuer", "ends with a space"}},
		{"issuer without a scheme", func(c *cognate.Config) { c.Issuer = "provider.test" }, []string{"Issuer"}},
		{"issuer with a user", func(c *cognate.Config) { c.Issuer = "https://a@provider.test" }, []string{"user name"}},
		{"endpoint in the clear", func(c *cognate.Config) { c.Endpoints.Token = "http://provider.test/token" },
			[]string{"Token endpoint", "https"}},
		{"redirect URL in the clear", func(c *cognate.Config) { c.RedirectURL = "http://app.test/cb" },
			[]string{"RedirectURL"}},
		{"redirect URL on this machine", func(c *cognate.Config) { c.RedirectURL = "http://127.0.0.1:5000/cb" }, nil},
		{"redirect URL with a fragment", func(c *cognate.Config) { c.RedirectURL = "https://app.test/cb#x" },
			[]string{"fragment"}},
		{"redirect URL without a path", func(c *cognate.Config) { c.RedirectURL = "https://app.test" },
			[]string{"path of RedirectURL"}},
		{"redirect URL at the root", func(c *cognate.Config) { c.RedirectURL = "https://app.test/" }, []string{"both"}},
		{"redirect URL with dots", func(c *cognate.Config) { c.RedirectURL = "https://app.test/a/../cb" },
			[]string{"path of RedirectURL"}},
		{"login path elsewhere", func(c *cognate.Config) { c.LoginPath = "https://evil.test" }, []string{"LoginPath"}},
		{"one path twice", func(c *cognate.Config) { c.LoginPath = "/logout" }, []string{"both", "/logout"}},
		{"logout return address", func(c *cognate.Config) { c.LogoutRedirectURL = "/bye" },
			[]string{"LogoutRedirectURL"}},
		{"short key", func(c *cognate.Config) { c.Keys = []cognate.Secret{"short-key"} },
			[]string{"Keys[0]", "32", "openssl"}},
		{"many keys", func(c *cognate.Config) {
			c.Keys = slices.Repeat([]cognate.Secret{cognate.Secret(strings.Repeat("k", 32))}, 17)
		}, []string{"17 Keys"}},
		{"HMAC", func(c *cognate.Config) { c.SigningAlgorithms = []string{"HS256"} }, []string{"HS256"}},
		{"none", func(c *cognate.Config) { c.SigningAlgorithms = []string{"none"} }, []string{"none"}},
		{"large skew", func(c *cognate.Config) { c.ClockSkew = time.Hour }, []string{"ClockSkew"}},
		{"negative skew", func(c *cognate.Config) { c.ClockSkew = -time.Second }, []string{"ClockSkew"}},
		{"short lifetime", func(c *cognate.Config) { c.Session.Lifetime = time.Second }, []string{"Lifetime"}},
		{"negative lifetime", func(c *cognate.Config) { c.Session.Lifetime = -time.Hour }, []string{"Lifetime"}},
		{"idle longer than life", func(c *cognate.Config) { c.Session.IdleTimeout = 9 * time.Hour },
			[]string{"IdleTimeout"}},
		{"cookie name", func(c *cognate.Config) { c.CookieName = "a=b; Domain=x" }, []string{"CookieName"}},
		{"client authentication", func(c *cognate.Config) { c.ClientAuth = "guess" }, []string{"ClientAuth", "guess"}},
		{"client authentication without a secret",
			func(c *cognate.Config) { c.ClientAuth, c.ClientSecret = cognate.ClientSecretPost, "" },
			[]string{"needs a ClientSecret"}},
		{"secret and no client authentication", func(c *cognate.Config) { c.ClientAuth = cognate.ClientAuthNone },
			[]string{"contradicts"}},
		{"claims with a star", func(c *cognate.Config) { c.Claims = []string{"locale", "custom:*"} }, nil},
		{"all claims", func(c *cognate.Config) { c.Claims = []string{"locale", "*"} }, []string{"Claims", "custom:*"}},
		{"unknown mode", func(c *cognate.Config) { c.UserInfo = 7 }, []string{"UserInfo"}},
		{"client secrets twice",
			func(c *cognate.Config) { c.ClientSecretsFile, c.ClientSecrets = "x", &cognate.ClientSecrets{} },
			[]string{"both set"}},
		{"redirect URL that is not registered", func(c *cognate.Config) {
			c.ClientSecrets = &cognate.ClientSecrets{RedirectURIs: []string{"https://app.test/other"}}
		}, []string{"redirect_uris", "exactly"}},
		{"Cognito's issuer with a slash", func(c *cognate.Config) {
			c.Issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc/"
		}, []string{"slash too many", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc"}},
		{"a local pool's issuer with a slash",
			func(c *cognate.Config) { c.Issuer = "http://localhost:9229/local_abc/" }, []string{"slash too many"}},
		{"two slashes",
			func(c *cognate.Config) { c.Issuer = "https://cognito-idp.eu-west-1.amazonaws.com//eu-west-1_abc" },
			[]string{"slash too many"}},
		{"another provider's issuer with a slash",
			func(c *cognate.Config) { c.Issuer = "https://tenant.provider.test/" }, nil},
		{"a path on this machine that ends in a slash", func(c *cognate.Config) {
			c.Issuer, c.Dialect = "http://localhost:8080/my_app/", cognate.StandardDialect()
		}, nil},
		{"Cognito's issuer without a pool",
			func(c *cognate.Config) { c.Issuer = "https://cognito-idp.eu-west-1.amazonaws.com" },
			[]string{"not the issuer of a user pool", "<pool id>"}},
		{"Cognito's issuer with a port",
			func(c *cognate.Config) { c.Issuer = "https://cognito-idp.eu-west-1.amazonaws.com:443/eu-west-1_abc" },
			[]string{"not the issuer of a user pool"}},
		{"Cognito's issuer in capitals",
			func(c *cognate.Config) { c.Issuer = "https://Cognito-IDP.eu-west-1.amazonaws.com/eu-west-1_abc" },
			[]string{"expected exactly"}},
		{"the pool's domain", func(c *cognate.Config) { c.Issuer = "https://shop.auth.eu-west-1.amazoncognito.com" },
			[]string{"domain of a pool's sign-in pages", "https://cognito-idp.<region>"}},
		{"the pool's domain, FIPS",
			func(c *cognate.Config) { c.Issuer = "https://shop.auth-fips.us-gov-west-1.amazoncognito.com/" },
			[]string{"sign-in pages"}},
		{"the pool's domain in Europe",
			func(c *cognate.Config) { c.Issuer = "https://shop.auth.eusc-de-east-1.amazoncognito.eu" },
			[]string{"sign-in pages"}},
		{"the discovery document",
			func(c *cognate.Config) { c.Issuer = "https://provider.test/x/.well-known/openid-configuration" },
			[]string{"address of a discovery document", "https://provider.test/x"}},
		{"issuer with a query",
			func(c *cognate.Config) { c.Issuer = "https://provider.test/?tenant=1" }, []string{"query"}},
		{"scopes in one text", func(c *cognate.Config) { c.Scopes = []string{"openid", "email profile"} },
			[]string{"email profile", "of its own"}},
		{"trusted audience without a name", func(c *cognate.Config) { c.TrustedAudiences = []string{""} },
			[]string{"TrustedAudiences"}},
		{"secret of the documentation", func(c *cognate.Config) { c.ClientSecret = "…" },
			[]string{"not filled in", "…"}},
		{"secret with a line end", func(c *cognate.Config) { c.ClientSecret = "secret\r\n" },
			[]string{"ClientSecret", "line break"}},
		{"secret with a mark", func(c *cognate.Config) { c.ClientSecret = "\ufeffsecret" },
			[]string{"byte order mark"}},
		{"secret of blanks", func(c *cognate.Config) { c.ClientSecret = " " }, []string{"ClientSecret"}},
		{"client ID with a line end", func(c *cognate.Config) { c.ClientID = "c\n" }, []string{"ClientID"}},
		{"no secret where one is named",
			func(c *cognate.Config) { c.ClientAuth, c.ClientSecret = cognate.ClientSecretPost, "" },
			[]string{"needs a ClientSecret"}},
		{"client key without a key",
			func(c *cognate.Config) { c.ClientSecret, c.ClientKey = "", cognate.ClientKey{ID: "k1"} },
			[]string{"neither a Signer nor a PEM"}},
		{"placeholders in the fields", func(c *cognate.Config) { c.Endpoints.Token = "https://{{DOMAIN}}.test/token" },
			[]string{"{{DOMAIN}}", "not filled in"}},
		{"placeholder of a manual", func(c *cognate.Config) { c.ClientID = "<client ID>" },
			[]string{"<client ID>", "not filled in"}},
		{"placeholder of a manual in a URL", func(c *cognate.Config) {
			c.Issuer = "https://cognito-idp.eu-west-1.amazonaws.com/<user pool ID>"
		}, []string{"/<user pool ID>", "not filled in"}},
		{"placeholder of a shell", func(c *cognate.Config) { c.ClientSecret = "${CLIENT_SECRET}" },
			[]string{"${CLIENT_SECRET}", "not filled in"}},
		{"host with a wildcard", func(c *cognate.Config) { c.RedirectURL = "https://*.shop.test/cb" },
			[]string{"no wildcard", "such as https://shop.example.com/oidc_callback"}},
		{"placeholders in memory",
			func(c *cognate.Config) { c.ClientSecrets = &cognate.ClientSecrets{ClientID: "{{ID}}"} },
			[]string{"{{ID}}"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := goodConfig()
			tt.change(&c)
			_, err := cognate.New(c)
			wantProblems(t, err, tt.want)
		})
	}
}

// wantProblems checks that an error has all of the parts, or that there is no error if parts is
// nil.
func wantProblems(t *testing.T, err error, parts []string) {
	t.Helper()
	if (err == nil) != (parts == nil) {
		t.Fatalf("error %v", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

// TestConfigWarnings: what may be a mistake is told, and starts.
func TestConfigWarnings(t *testing.T) {
	const example, taken = "an example value of the documentation", "set Dialect to cognate.CognitoDialect()"
	for _, tt := range []struct {
		name     string
		issuer   string
		clientID string
		dialect  *cognate.Dialect
		want     []string
	}{
		{"nothing", "https://provider.test", "c", nil, nil},
		{"examples", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01", "4exampleclientid0123456789",
			nil, []string{example, example}},
		{"a pool under a name of one's own", "https://id.shop.test/eu-west-1_AbCdEf123", "c", nil, []string{taken}},
		{"a local pool under a name of one's own", "https://id.shop.test/local_Shop01", "c", nil, []string{taken}},
		{"the same with a dialect", "https://id.shop.test/eu-west-1_AbCdEf123", "c", cognate.CognitoDialect(), nil},
		{"the same as another provider", "https://id.shop.test/eu-west-1_AbCdEf123", "c",
			cognate.StandardDialect(), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var app, api strings.Builder
			cfg := goodConfig()
			cfg.Keys = []cognate.Secret{cognate.Secret(strings.Repeat("k", 32))}
			cfg.Issuer, cfg.ClientID, cfg.Dialect = tt.issuer, tt.clientID, tt.dialect
			cfg.Logger = slog.New(slog.NewTextHandler(&app, nil))
			_, err := cognate.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			_, err = cognate.NewBearer(cognate.BearerConfig{
				Issuers: []cognate.BearerIssuer{{Issuer: tt.issuer, Clients: []string{tt.clientID},
					Audiences: []string{"a"}, Dialect: tt.dialect}},
				Logger: slog.New(slog.NewTextHandler(&api, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, log := range []string{app.String(), api.String()} {
				if strings.Count(log, "\n") != len(tt.want) {
					t.Errorf("log %s; want %q", log, tt.want)
				}
				for _, want := range tt.want {
					if !strings.Contains(log, want) {
						t.Errorf("log %s; want %q", log, want)
					}
				}
			}
		})
	}
}

// TestDiscoveryLooksLikeCognito tells a pool by the endpoints that it announces.
func TestDiscoveryLooksLikeCognito(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) {
		d["authorization_endpoint"] = "https://shop.auth.eu-west-1.amazoncognito.com/oauth2/authorize"
	}
	x := newApp(t, p, nil)
	x.browser(t).get("/private/")
	if !strings.Contains(x.log.String(), "set Dialect to cognate.CognitoDialect()") {
		t.Errorf("nobody is told: %s", x.log)
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
	err := json.NewEncoder(&b).Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString(s.S.String() + s.S.GoString())
	if strings.Contains(b.String(), value) || strings.Contains(b.String(), fmt.Sprintf("%x", value)) {
		t.Errorf("printed: %s", b.String())
	}
}

func TestBearerConfigErrors(t *testing.T) {
	type config = cognate.BearerConfig
	introspect := func(in cognate.Introspection) func(*config) {
		return func(c *config) { c.Issuers[0].Introspection = &in }
	}
	for _, tt := range []struct {
		name   string
		change func(*config)
		want   []string // none: accepted
	}{
		{"good", func(*config) {}, nil},
		{"nothing at all", func(c *config) { *c = config{} }, []string{"Issuers is empty"}},
		{"several things", func(c *config) { c.CacheSize, c.ClockSkew, c.Issuers[0].Audiences = -1, time.Hour, nil },
			[]string{"CacheSize", "ClockSkew", "Audiences is missing"}},
		{"no issuer", func(c *config) { c.Issuers[0].Issuer = "" }, []string{"not an absolute URL"}},
		{"issuer in the clear", func(c *config) { c.Issuers[0].Issuer = "http://issuer.test" }, []string{"https"}},
		{"issuer in the clear, on purpose",
			func(c *config) { c.Issuers[0].Issuer, c.InsecureHTTP = "http://issuer.test", true }, nil},
		{"issuer with a slash too many", func(c *config) {
			c.Issuers[0] = cognate.BearerIssuer{
				Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc/", Clients: []string{"a"},
			}
		}, []string{"slash too many"}},
		{"a pool's domain", func(c *config) {
			c.Issuers[0] = cognate.BearerIssuer{
				Issuer: "https://shop.auth.eu-west-1.amazoncognito.com", Audiences: []string{"a"},
				Clients: []string{"a"},
			}
		}, []string{"sign-in pages"}},
		{"introspection's secret with a line end",
			introspect(cognate.Introspection{ClientID: "a", ClientSecret: "b\n"}), []string{"line break"}},
		{"issuer twice", func(c *config) { c.Issuers = append(c.Issuers, c.Issuers[0]) }, []string{"listed twice"}},
		{"keys in the clear", func(c *config) { c.Issuers[0].JWKS = "http://issuer.test/keys" },
			[]string{"JWKS", "https"}},
		{"HMAC", func(c *config) { c.Issuers[0].SigningAlgorithms = []string{"HS256"} }, []string{"HS256"}},
		{"none", func(c *config) { c.Issuers[0].SigningAlgorithms = []string{"none"} }, []string{"none"}},
		{"no audience", func(c *config) { c.Issuers[0].Audiences = nil }, []string{"Audiences is missing"}},
		{"no audience, but for all issuers",
			func(c *config) { c.Issuers[0].Audiences, c.Audiences = nil, []string{"x"} }, nil},
		{"no audience, but clients", func(c *config) { c.Issuers[0].Audiences, c.Clients = nil, []string{"x"} },
			[]string{"Audiences is missing"}},
		{"empty audience", func(c *config) { c.Issuers[0].Audiences = []string{""} }, []string{"empty name"}},
		{"empty client", func(c *config) { c.Issuers[0].Clients = []string{"a", ""} }, []string{"empty name"}},
		{"Cognito without clients",
			func(c *config) { c.Issuers[0].Issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc" },
			[]string{"Clients is missing"}},
		{"Cognito with clients", func(c *config) {
			c.Issuers[0] = cognate.BearerIssuer{
				Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc", Clients: []string{"a"},
			}
		}, nil},
		{"realm with a quote", func(c *config) { c.Realm = `a"b` }, []string{"Realm"}},
		{"realm with a line", func(c *config) { c.Realm = "a\r\nSet-Cookie: x" }, []string{"Realm"}},
		{"metadata in the clear", func(c *config) { c.ResourceMetadata = "http://api.test/x" },
			[]string{"ResourceMetadata"}},
		{"metadata with a quote", func(c *config) { c.ResourceMetadata = `https://api.test/"x` },
			[]string{"ResourceMetadata"}},
		{"negative skew", func(c *config) { c.ClockSkew = -1 }, []string{"ClockSkew"}},

		{"introspection", introspect(post), nil},
		{"introspection for anybody", func(c *config) { introspect(post)(c); c.Issuers[0].Audiences = nil },
			[]string{"Audiences and Clients are missing"}},
		{"introspection by client",
			func(c *config) { introspect(post)(c); c.Issuers[0].Audiences, c.Clients = nil, []string{"a"} }, nil},
		{"introspection without a secret", introspect(cognate.Introspection{ClientID: "a"}),
			[]string{"client_secret_post needs"}},
		{"basic without a client",
			introspect(cognate.Introspection{Auth: cognate.ClientSecretBasic, ClientSecret: "hidden-secret"}),
			[]string{"client_secret_basic needs"}},
		{"bearer without a token", introspect(cognate.Introspection{Auth: cognate.BearerAuth}),
			[]string{"needs a Token"}},
		{"unknown authentication", introspect(cognate.Introspection{Auth: "guess"}), []string{"guess"}},
		{"no authentication", introspect(cognate.Introspection{Auth: cognate.ClientAuthNone}), []string{`"none"`}},
		{"endpoint in the clear",
			introspect(cognate.Introspection{Endpoint: "http://issuer.test/i", ClientID: "a", ClientSecret: "b"}),
			[]string{"Endpoint", "https"}},
		{"long memory", introspect(cognate.Introspection{ClientID: "a", ClientSecret: "b", CacheFor: 2 * time.Hour}),
			[]string{"CacheFor"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config{Issuers: []cognate.BearerIssuer{{Issuer: bearerIssuer, Audiences: []string{bearerAudience}}}}
			tt.change(&c)
			_, err := cognate.NewBearer(c)
			wantProblems(t, err, tt.want)
			if err != nil && strings.Contains(err.Error(), "hidden-secret") {
				t.Error("the error holds the secret")
			}
		})
	}
}

// TestConfigBearerErrors is about bearer tokens of an app that signs people in, too.
func TestConfigBearerErrors(t *testing.T) {
	all := cognate.Endpoints{
		Authorization: "https://provider.test/a", Token: "https://provider.test/t", JWKS: "https://provider.test/k",
	}
	own := func(i cognate.BearerIssuer) []cognate.BearerIssuer { return []cognate.BearerIssuer{i} }
	for _, tt := range []struct {
		name   string
		change func(*cognate.Config)
		want   []string
	}{
		{"own provider, by name",
			func(c *cognate.Config) { c.Bearer.Issuers = own(cognate.BearerIssuer{Issuer: c.Issuer}) }, nil},
		{"own provider twice", func(c *cognate.Config) {
			c.Bearer.Issuers = []cognate.BearerIssuer{{}, {Issuer: c.Issuer, Audiences: []string{"x"}}}
		}, []string{"listed twice"}},
		{"another without an audience",
			func(c *cognate.Config) { c.Bearer.Issuers = own(cognate.BearerIssuer{Issuer: "https://b.test"}) },
			[]string{"https://b.test", "Audiences is missing"}},
		{"introspection without an endpoint", func(c *cognate.Config) {
			c.Endpoints, c.Bearer.Issuers = all, own(cognate.BearerIssuer{Introspection: &cognate.Introspection{}})
		}, []string{"Endpoint is missing", "discovery document is not read"}},
		{"introspection with an endpoint", func(c *cognate.Config) {
			c.Endpoints, c.Bearer.Issuers = all,
				own(cognate.BearerIssuer{Introspection: &cognate.Introspection{Endpoint: "https://provider.test/i"}})
		}, nil},
		{"introspection by discovery", func(c *cognate.Config) {
			c.Bearer.Issuers = own(cognate.BearerIssuer{Introspection: &cognate.Introspection{}})
		}, nil},
		{"introspection by a public client", func(c *cognate.Config) {
			c.ClientSecret, c.Bearer.Issuers = "", own(cognate.BearerIssuer{Introspection: &cognate.Introspection{}})
		}, []string{"needs a ClientID and a ClientSecret"}},
		{"beside other mistakes", func(c *cognate.Config) { c.RedirectURL, c.Bearer.CacheSize = "", -1 },
			[]string{"RedirectURL", "CacheSize"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := goodConfig()
			tt.change(&c)
			before := len(c.Bearer.Issuers)
			_, err := cognate.New(c)
			wantProblems(t, err, tt.want)
			if len(c.Bearer.Issuers) != before || before > 0 && c.Bearer.Issuers[0].Dialect != nil {
				t.Error("the caller's configuration was changed")
			}
		})
	}
	c := goodConfig()
	c.Issuer, c.ClockSkew = "http://provider.test", time.Hour
	_, err := cognate.New(c)
	if n := strings.Count(err.Error(), "\n"); n != 1 {
		t.Errorf("want each of two mistakes once:\n%v", err)
	}
}

// TestOneMistakeIsToldOnce leaves the path out of RedirectURL, which is also what the paths for
// signing in and out are made of: nobody is told of those.
func TestOneMistakeIsToldOnce(t *testing.T) {
	t.Parallel()
	_, err := cognate.New(cognate.Config{
		Issuer: "https://provider.test", ClientID: "app", RedirectURL: "https://app.test",
	})
	if err == nil || !strings.Contains(err.Error(), "path of RedirectURL") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one problem, about the path of RedirectURL", err)
	}
}
