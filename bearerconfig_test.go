package cognate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
)

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
		{"several things", func(c *config) { c.CacheSize, c.ClockSkew, c.Issuers[0].Audiences = -1, time.Hour, nil }, []string{"CacheSize", "ClockSkew", "Audiences is missing"}},
		{"no issuer", func(c *config) { c.Issuers[0].Issuer = "" }, []string{"not an absolute URL"}},
		{"issuer in the clear", func(c *config) { c.Issuers[0].Issuer = "http://issuer.test" }, []string{"https"}},
		{"issuer in the clear, on purpose", func(c *config) { c.Issuers[0].Issuer, c.InsecureHTTP = "http://issuer.test", true }, nil},
		{"issuer with a slash too many", func(c *config) {
			c.Issuers[0] = cognate.BearerIssuer{Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc/", Clients: []string{"a"}}
		}, []string{"slash too many"}},
		{"a pool's domain", func(c *config) {
			c.Issuers[0] = cognate.BearerIssuer{Issuer: "https://shop.auth.eu-west-1.amazoncognito.com", Audiences: []string{"a"}, Clients: []string{"a"}}
		}, []string{"sign-in pages"}},
		{"introspection's secret with a line end", introspect(cognate.Introspection{ClientID: "a", ClientSecret: "b\n"}), []string{"line end"}},
		{"issuer twice", func(c *config) { c.Issuers = append(c.Issuers, c.Issuers[0]) }, []string{"there twice"}},
		{"keys in the clear", func(c *config) { c.Issuers[0].JWKS = "http://issuer.test/keys" }, []string{"JWKS", "https"}},
		{"HMAC", func(c *config) { c.Issuers[0].SigningAlgorithms = []string{"HS256"} }, []string{"HS256"}},
		{"none", func(c *config) { c.Issuers[0].SigningAlgorithms = []string{"none"} }, []string{"none"}},
		{"no audience", func(c *config) { c.Issuers[0].Audiences = nil }, []string{"Audiences is missing"}},
		{"no audience, but for all issuers", func(c *config) { c.Issuers[0].Audiences, c.Audiences = nil, []string{"x"} }, nil},
		{"no audience, but clients", func(c *config) { c.Issuers[0].Audiences, c.Clients = nil, []string{"x"} }, []string{"Audiences is missing"}},
		{"empty audience", func(c *config) { c.Issuers[0].Audiences = []string{""} }, []string{"empty name"}},
		{"empty client", func(c *config) { c.Issuers[0].Clients = []string{"a", ""} }, []string{"empty name"}},
		{"Cognito without clients", func(c *config) { c.Issuers[0].Issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc" }, []string{"Clients is missing"}},
		{"Cognito with clients", func(c *config) {
			c.Issuers[0] = cognate.BearerIssuer{Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc", Clients: []string{"a"}}
		}, nil},
		{"realm with a quote", func(c *config) { c.Realm = `a"b` }, []string{"Realm"}},
		{"realm with a line", func(c *config) { c.Realm = "a\r\nSet-Cookie: x" }, []string{"Realm"}},
		{"metadata in the clear", func(c *config) { c.ResourceMetadata = "http://api.test/x" }, []string{"ResourceMetadata"}},
		{"metadata with a quote", func(c *config) { c.ResourceMetadata = `https://api.test/"x` }, []string{"ResourceMetadata"}},
		{"negative skew", func(c *config) { c.ClockSkew = -1 }, []string{"ClockSkew"}},

		{"introspection", introspect(post), nil},
		{"introspection for anybody", func(c *config) { introspect(post)(c); c.Issuers[0].Audiences = nil }, []string{"Audiences and Clients are missing"}},
		{"introspection by client", func(c *config) { introspect(post)(c); c.Issuers[0].Audiences, c.Clients = nil, []string{"a"} }, nil},
		{"introspection without a secret", introspect(cognate.Introspection{ClientID: "a"}), []string{"client_secret_post needs"}},
		{"basic without a client", introspect(cognate.Introspection{Auth: cognate.ClientSecretBasic, ClientSecret: "hidden-secret"}), []string{"client_secret_basic needs"}},
		{"bearer without a token", introspect(cognate.Introspection{Auth: cognate.BearerAuth}), []string{"needs a Token"}},
		{"unknown authentication", introspect(cognate.Introspection{Auth: "guess"}), []string{"guess"}},
		{"no authentication", introspect(cognate.Introspection{Auth: cognate.ClientAuthNone}), []string{`"none"`}},
		{"endpoint in the clear", introspect(cognate.Introspection{Endpoint: "http://issuer.test/i", ClientID: "a", ClientSecret: "b"}), []string{"Endpoint", "https"}},
		{"long memory", introspect(cognate.Introspection{ClientID: "a", ClientSecret: "b", CacheFor: 2 * time.Hour}), []string{"CacheFor"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config{Issuers: []cognate.BearerIssuer{{Issuer: bearerIssuer, Audiences: []string{bearerAudience}}}}
			tt.change(&c)
			_, err := cognate.NewBearer(c)
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("error %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
			if err != nil && strings.Contains(err.Error(), "hidden-secret") {
				t.Error("the error holds the secret")
			}
		})
	}
}

// TestConfigBearerErrors is about bearer tokens of an app that signs people in, too.
func TestConfigBearerErrors(t *testing.T) {
	all := cognate.Endpoints{Authorization: "https://provider.test/a", Token: "https://provider.test/t", JWKS: "https://provider.test/k"}
	own := func(i cognate.BearerIssuer) []cognate.BearerIssuer { return []cognate.BearerIssuer{i} }
	for _, tt := range []struct {
		name   string
		change func(*cognate.Config)
		want   []string
	}{
		{"own provider, by name", func(c *cognate.Config) { c.Bearer.Issuers = own(cognate.BearerIssuer{Issuer: c.Issuer}) }, nil},
		{"own provider twice", func(c *cognate.Config) {
			c.Bearer.Issuers = []cognate.BearerIssuer{{}, {Issuer: c.Issuer, Audiences: []string{"x"}}}
		}, []string{"there twice"}},
		{"another without an audience", func(c *cognate.Config) { c.Bearer.Issuers = own(cognate.BearerIssuer{Issuer: "https://b.test"}) }, []string{"https://b.test", "Audiences is missing"}},
		{"introspection without an endpoint", func(c *cognate.Config) {
			c.Endpoints, c.Bearer.Issuers = all, own(cognate.BearerIssuer{Introspection: &cognate.Introspection{}})
		}, []string{"Endpoint is missing", "discovery document is not read"}},
		{"introspection with an endpoint", func(c *cognate.Config) {
			c.Endpoints, c.Bearer.Issuers = all, own(cognate.BearerIssuer{Introspection: &cognate.Introspection{Endpoint: "https://provider.test/i"}})
		}, nil},
		{"introspection by discovery", func(c *cognate.Config) {
			c.Bearer.Issuers = own(cognate.BearerIssuer{Introspection: &cognate.Introspection{}})
		}, nil},
		{"introspection by a public client", func(c *cognate.Config) {
			c.ClientSecret, c.Bearer.Issuers = "", own(cognate.BearerIssuer{Introspection: &cognate.Introspection{}})
		}, []string{"needs a ClientID and a ClientSecret"}},
		{"beside other mistakes", func(c *cognate.Config) { c.RedirectURL, c.Bearer.CacheSize = "", -1 }, []string{"RedirectURL", "CacheSize"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := goodConfig()
			tt.change(&c)
			before := len(c.Bearer.Issuers)
			_, err := cognate.New(c)
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("error %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
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
