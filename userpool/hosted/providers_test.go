package hosted_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
)

var providerLink = regexp.MustCompile(`<a class="button plain" href="([^"]*)">Continue with ([^<]*)</a>`)

// TestProviderLinks pins the links to other identity providers: each has the
// whole request, and where the pool itself is none of the client's providers
// there is no form, and none that is sent all the same counts.
func TestProviderLinks(t *testing.T) {
	t.Parallel()
	provider := func(name string) userpool.IdentityProvider {
		return userpool.IdentityProvider{
			Name: name, Type: userpool.ProviderOIDC, ClientID: "c", ClientSecret: "s",
			Issuer: "https://" + name + ".test",
		}
	}
	for name, tt := range map[string]struct {
		supported, links []string
		form             bool
	}{
		"the pool alone":   {nil, nil, true},
		"the pool and A":   {[]string{"COGNITO", "A"}, []string{"A"}, true},
		"A and B":          {[]string{"B", "A"}, []string{"B", "A"}, false},
		"a name to mangle": {[]string{"COGNITO", "A&<b>"}, []string{"A&<b>"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t, func(c *pool.Config) {
				c.Settings.SelfSignUp = true
				c.Settings.IdentityProviders = []userpool.IdentityProvider{provider("A"), provider("B"), {
					Name: "A&<b>", Type: userpool.ProviderSAML, Metadata: "<x/>",
				}}
			})
			c := e.App
			c.ID, c.SupportedIdentityProviders = "fed", tt.supported
			e.AddClient(t, c)
			q := pooltest.Query("client_id", "fed", "nonce", "a&b", "idp_identifier", "x")
			page := e.Get(t, "/login", q, http.Header{})
			links := providerLink.FindAllStringSubmatch(page.Body, -1)
			if len(links) != len(tt.links) {
				t.Fatalf("got links %q, want %q", links, tt.links)
			}
			for i, want := range tt.links {
				to, err := url.Parse(html.UnescapeString(links[i][1]))
				if err != nil || !strings.HasPrefix(to.String(), pooltest.BaseURL+"/oauth2/authorize?") {
					t.Fatalf("got %q", links[i][1])
				}
				got := to.Query()
				if html.UnescapeString(links[i][2]) != want || got.Get("identity_provider") != want ||
					got.Has("idp_identifier") ||
					got.Get("nonce") != "a&b" || got.Get("state") != "S" || got.Get("client_id") != "fed" {
					t.Errorf("got %q to %s", links[i][2], to)
				}
			}
			if form := strings.Contains(page.Body, "cognitoSignInForm"); form != tt.form {
				t.Errorf("there is a form: %v, want %v", form, tt.form)
			}
			q.Del("idp_identifier")
			answer := e.Post(t, "/login?"+q.Encode(), credentials("ann", pooltest.Password), fromPage())
			if signedIn := sessionCookie(answer) != nil; signedIn != tt.form {
				t.Errorf("a form gives %d, signed in: %v", answer.StatusCode, signedIn)
			}
			for _, path := range []string{"/signup", "/forgotPassword"} {
				a := e.Get(t, path, q, http.Header{})
				if away := strings.HasPrefix(a.Header.Get("Location"), pooltest.BaseURL+"/login?"); away == tt.form {
					t.Errorf("%s gives %d to %q", path, a.StatusCode, a.Header.Get("Location"))
				}
			}
			if !tt.form && !strings.Contains(answer.Body, userpool.TextNoSuchLogin) {
				t.Error("the page does not say why")
			}
		})
	}
}
