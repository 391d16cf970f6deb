package saml_test

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/saml"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
	idp "github.com/crewjam/saml"
	"github.com/crewjam/saml/logger"
	dsig "github.com/russellhaering/goxmldsig"
)

const callback = "https://app.test/callback"

// keyPair is a key with its certificate. Generating one takes long.
type keyPair struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
}

var (
	ownPair   = sync.OnceValue(func() keyPair { return readPair("idp") })
	otherPair = sync.OnceValue(func() keyPair { return readPair("other") })
)

// readPair reads a pair that is only for tests. It is always the same, so that all
// processes of a fuzz test have it.
func readPair(name string) keyPair {
	pair, err := tls.LoadX509KeyPair("testdata/"+name+".pem", "testdata/"+name+".pem")
	if err != nil {
		panic(err)
	}
	return keyPair{pair.PrivateKey.(*rsa.PrivateKey), pair.Leaf}
}

// corp is another project's identity provider, at which everybody is signed in as Ann.
type corp struct {
	t    *testing.T
	idp  *idp.IdentityProvider
	sp   *idp.EntityDescriptor // the pool's own description
	name string                // Ann's name
	url  string
	seen *http.Request // the last request
}

func newCorp(t *testing.T) *corp {
	t.Helper()
	c := &corp{t: t, name: "Ann@Example.com"}
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	c.url = srv.URL
	at := func(path string) url.URL {
		u, err := url.Parse(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		return *u
	}
	c.idp = &idp.IdentityProvider{
		Key: ownPair().key, Certificate: ownPair().cert, Logger: logger.DefaultLogger,
		MetadataURL: at("/metadata"), SSOURL: at("/sso"), LogoutURL: at("/slo"),
		ServiceProviderProvider: c, SessionProvider: c, SignatureMethod: dsig.RSASHA256SignatureMethod,
	}
	mux.HandleFunc("/sso", func(w http.ResponseWriter, r *http.Request) { c.seen = r; c.idp.ServeSSO(w, r) })
	mux.HandleFunc("/slo", func(_ http.ResponseWriter, r *http.Request) { c.seen = r })
	return c
}

func (c *corp) GetServiceProvider(*http.Request, string) (*idp.EntityDescriptor, error) {
	if c.sp == nil {
		return nil, os.ErrNotExist
	}
	return c.sp, nil
}

func (c *corp) GetSession(http.ResponseWriter, *http.Request, *idp.IdpAuthnRequest) *idp.Session {
	return &idp.Session{
		ID: "s1", Index: "index-1", CreateTime: time.Now(), ExpireTime: time.Now().Add(time.Hour),
		NameID: c.name, NameIDFormat: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
		UserEmail: "ann@example.com", UserCommonName: "Ann Ü", Groups: []string{"a,b", "c"},
	}
}

func (c *corp) provider(changes ...func(*userpool.IdentityProvider)) userpool.IdentityProvider {
	c.t.Helper()
	description := c.idp.Metadata()
	description.IDPSSODescriptors[0].SingleLogoutServices = []idp.Endpoint{
		{Binding: idp.HTTPRedirectBinding, Location: c.url + "/slo"},
	}
	metadata, err := xml.Marshal(description)
	if err != nil {
		c.t.Fatal(err)
	}
	ip := userpool.IdentityProvider{
		Name: "Corp", Type: userpool.ProviderSAML, Metadata: string(metadata),
		AttributeMapping: map[string]string{
			"username": "NameID", "email": "urn:oid:0.9.2342.19200300.100.1.3",
			"name":        "urn:oid:2.5.4.3",
			"custom:dept": "urn:oid:1.3.6.1.4.1.5923.1.1.1.1",
		},
	}
	for _, change := range changes {
		change(&ip)
	}
	return ip
}

// poolOnPort is a user pool with the provider, listening on a port.
type poolOnPort struct {
	*pool.Pool
	url string
	app userpool.Client
}

func newPool(t *testing.T, c *corp, changes ...func(*userpool.IdentityProvider)) *poolOnPort {
	t.Helper()
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	rules, err := pool.New(t.Context(), pool.Config{
		ID: "local_saml1", Issuer: srv.URL + "/local_saml1", Store: memstore.New(),
		Settings: userpool.Settings{IdentityProviders: []userpool.IdentityProvider{c.provider(changes...)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := saml.New(otherPair().key)
	if err != nil {
		t.Fatal(err)
	}
	handler, err = server.New(server.Config{Pool: rules, BaseURL: srv.URL, SAML: sp})
	if err != nil {
		t.Fatal(err)
	}
	app, err := rules.Clients.Create(t.Context(), userpool.Client{
		ID: "app", CallbackURLs: []string{callback}, LogoutURLs: []string{"https://app.test/bye"},
		SupportedIdentityProviders: []string{"Corp"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &poolOnPort{rules, srv.URL, app}
	c.sp = &idp.EntityDescriptor{}
	err = xml.Unmarshal([]byte(body(t, get(t, http.DefaultClient, srv.URL+"/saml2/metadata"))), c.sp)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *poolOnPort) authorize() string {
	return p.url + "/oauth2/authorize?client_id=app&response_type=code&identity_provider=Corp&state=S&redirect_uri=" +
		url.QueryEscape(callback)
}

// newBrowser returns a client that follows redirects until one leads to the app.
func newBrowser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "app.test" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

func get(t *testing.T, b *http.Client, address string) *http.Response {
	t.Helper()
	resp, err := b.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var hidden = regexp.MustCompile(`name="(SAMLResponse|RelayState)" value="([^"]*)"`)

// form reads the form with which the provider answers.
func form(page string) url.Values {
	out := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		out.Set(m[1], html.UnescapeString(m[2]))
	}
	return out
}

// postFromAfar posts a form as a browser does from another site: without the cookies,
// which are SameSite=Lax, but with them on the redirect that follows.
func (p *poolOnPort) postFromAfar(t *testing.T, b *http.Client, path string, f url.Values) *http.Response {
	t.Helper()
	bare := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := bare.PostForm(p.url+path, f)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		t.Fatalf("got %d without a Location", resp.StatusCode)
	}
	if resp.StatusCode != http.StatusSeeOther && to.Host != "app.test" && to.Path != "/error" {
		t.Fatalf("got %d to %s", resp.StatusCode, to)
	}
	if to.Host == "app.test" {
		return resp
	}
	return get(t, b, to.String())
}

func location(t *testing.T, resp *http.Response) *url.URL {
	t.Helper()
	resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		t.Fatalf("got %d at %s", resp.StatusCode, resp.Request.URL)
	}
	return to
}

// TestProvider signs in at another project's identity provider, signs in again, and
// signs out.
func TestProvider(t *testing.T) {
	t.Parallel()
	c := newCorp(t)
	p := newPool(t, c, func(ip *userpool.IdentityProvider) { ip.SignOut, ip.SignRequests = true, true })
	b := newBrowser()
	answer := form(body(t, get(t, b, p.authorize())))
	to := location(t, p.postFromAfar(t, b, "/saml2/idpresponse", answer))
	if !strings.HasPrefix(to.String(), callback+"?code=") || to.Query().Get("state") != "S" {
		t.Fatalf("the browser is sent to %s", to)
	}
	u, ok, err := p.Users.Find(t.Context(), "corp_ann@example.com")
	if err != nil || !ok {
		t.Fatalf("the user is not there: %v", err)
	}
	for name, want := range map[string]string{
		"email": "ann@example.com", "email_verified": "false", "name": "Ann Ü", "custom:dept": "[a%2Cb,c]",
	} {
		if u.Attributes[name] != want {
			t.Errorf("%s: got %q, want %q", name, u.Attributes[name], want)
		}
	}
	id := u.Identities[0]
	if id.UserID != "Ann@Example.com" || id.ProviderType != "SAML" || id.Issuer != c.url+"/metadata" {
		t.Errorf("got identity %+v", id)
	}

	// With a session the provider is not needed, and a logout ends both sessions.
	c.seen = nil
	if to := location(t, get(t, b, p.authorize())); !strings.HasPrefix(to.String(), callback+"?code=") ||
		c.seen != nil {
		t.Errorf("the second request led to %s", to)
	}
	bye := get(t, b, p.url+"/logout?client_id=app&logout_uri="+url.QueryEscape("https://app.test/bye"))
	bye.Body.Close()
	q := bye.Request.URL.Query()
	if bye.Request.URL.Path != "/slo" || q.Get("SAMLRequest") == "" || q.Get("Signature") == "" {
		t.Fatalf("the logout led to %s", bye.Request.URL)
	}
	back := url.Values{"RelayState": {q.Get("RelayState")}, "SAMLResponse": {"PHg+"}}
	if to := location(t, p.postFromAfar(t, b, "/saml2/logout", back)); to.String() != "https://app.test/bye" {
		t.Errorf("the logout ended at %s", to)
	}
	if again := p.postFromAfar(t, b, "/saml2/logout", back); again.StatusCode != http.StatusBadRequest {
		t.Errorf("the answer to the logout counted twice: %d", again.StatusCode)
	}
}

// TestUnasked sends a response that nobody requested (IdP-initiated sign-in).
func TestUnasked(t *testing.T) {
	t.Parallel()
	relay := url.Values{
		"client_id": {"app"}, "redirect_uri": {callback}, "response_type": {"code"}, "identity_provider": {"Corp"},
	}
	for name, tt := range map[string]struct {
		allowed bool
		relay   url.Values
		want    string
	}{
		"allowed":          {true, relay, callback + "?code="},
		"without its name": {true, without(relay, "identity_provider"), callback + "?code="},
		"not allowed":      {false, relay, callback + "?error_description=Invalid+samlResponse+or+relayState"},
		"unknown client":   {true, url.Values{"client_id": {"nobody"}}, "/error?error=Client+does+not+exist"},
		"no redirect match": {true, url.Values{"client_id": {"app"}, "redirect_uri": {"https://evil.test/"}},
			"/error?error=redirect_mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCorp(t)
			p := newPool(t, c, func(ip *userpool.IdentityProvider) { ip.IDPInitiated = tt.allowed })
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/start", nil)
			c.idp.ServeIDPInitiated(w, r, "any", tt.relay.Encode())
			f := form(w.Body.String())
			resp, err := newBrowser().PostForm(p.url+"/saml2/idpresponse", f)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if to := resp.Header.Get("Location"); !strings.HasPrefix(to, tt.want) &&
				!strings.Contains(resp.Request.URL.String(), tt.want) {
				t.Fatalf("got %d, %s to %s, want %s", resp.StatusCode, resp.Request.URL, to, tt.want)
			}
			if name == "allowed" {
				again, _ := newBrowser().PostForm(p.url+"/saml2/idpresponse", f)
				if to := again.Header.Get("Location"); strings.Contains(to, "code=") {
					t.Error("the assertion counted twice")
				}
			}
		})
	}
}

func without(v url.Values, name string) url.Values {
	out := url.Values{}
	for n, values := range v {
		if n != name {
			out[n] = values
		}
	}
	return out
}

// TestForeignBrowser sends the provider's answer for one browser from another browser:
// the person there must not be signed in as somebody else (login CSRF).
func TestForeignBrowser(t *testing.T) {
	t.Parallel()
	c := newCorp(t)
	p := newPool(t, c)
	mallory, victim := newBrowser(), newBrowser()
	answer := form(body(t, get(t, mallory, p.authorize())))
	for _, b := range []*http.Client{victim, newBrowser()} {
		resp := p.postFromAfar(t, b, "/saml2/idpresponse", answer)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || resp.Request.URL.Query().Get("error") != "Invalid state" {
			t.Errorf("got %d at %s", resp.StatusCode, resp.Request.URL)
		}
	}
}

// TestSAMLForm sends posts that are refused before a message is read.
func TestSAMLForm(t *testing.T) {
	t.Parallel()
	p := newPool(t, newCorp(t))
	for name, f := range map[string]url.Values{
		"nothing":       {},
		"no state":      {"SAMLResponse": {"PHg+"}},
		"unknown state": {"SAMLResponse": {"PHg+"}, "RelayState": {"abc"}},
		"repeated":      {"SAMLResponse": {"PHg+", "PHg+"}, "RelayState": {"abc"}},
		"too long":      {"SAMLResponse": {strings.Repeat("A", 100_001)}, "RelayState": {"abc"}},
		"a megabyte":    {"SAMLResponse": {strings.Repeat("A", 1<<20)}, "RelayState": {"abc"}},
		"long state":    {"SAMLResponse": {"PHg+"}, "RelayState": {strings.Repeat("A", 20_000)}},
	} {
		for _, path := range []string{"/saml2/idpresponse", "/saml2/logout"} {
			resp, err := newBrowser().PostForm(p.url+path, f)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest || resp.Request.URL.Path != "/error" {
				t.Errorf("%s %s: got %d at %s", path, name, resp.StatusCode, resp.Request.URL)
			}
		}
	}
}
