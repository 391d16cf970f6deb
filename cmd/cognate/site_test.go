package main

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/internal/listen"
	"github.com/cognate-auth/cognate/internal/localpool"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/devview"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// newSite starts pools as cognate pool does, at http://localhost:9229.
func newSite(t *testing.T, pools ...poolconfig.Pool) *site {
	t.Helper()
	a, err := listen.Parse("--addr", "127.0.0.1:9229")
	if err != nil {
		t.Fatal(err)
	}
	s := newTestSite(a, memstore.New())
	err = s.start(t.Context(), &poolconfig.File{Pools: pools})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newTestSite returns a site that is not started.
func newTestSite(a listen.Address, st store.Store) *site {
	return &site{
		addr: a.AsLocalhost(), scheme: "http", store: st, log: slog.New(slog.DiscardHandler),
		view: localpool.View{Token: devview.NewToken()},
	}
}

// get asks the site for a path under a Host header.
func get(t *testing.T, s *site, host, path string) (status int, body string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(text)
}

// twoPools returns one pool with a custom domain, and one with an issuer as AWS has.
func twoPools() []poolconfig.Pool {
	return []poolconfig.Pool{
		{ID: "local_One", Domain: "one", CustomDomain: "auth.one.test"},
		{ID: "eu-central-1_Two", Issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Two"},
	}
}

// TestHosts checks that requests reach the pool of their host, and that a host of no
// pool is refused: another site may have pointed its name at this address.
func TestHosts(t *testing.T) {
	s := newSite(t, twoPools()...)
	for _, tt := range []struct {
		host, issuer, authorize string // issuer empty: refused
		id                      string
	}{
		{"localhost:9229", "http://localhost:9229/local_One",
			"http://auth.one.test:9229/oauth2/authorize", "local_One"},
		{"LOCALHOST.:9229", "http://localhost:9229/local_One",
			"http://auth.one.test:9229/oauth2/authorize", "local_One"},
		{"127.0.0.1:9229", "http://localhost:9229/local_One",
			"http://auth.one.test:9229/oauth2/authorize", "local_One"},
		{"[::1]:9229", "http://localhost:9229/local_One", "http://auth.one.test:9229/oauth2/authorize", "local_One"},
		{"one.localhost:9229", "http://localhost:9229/local_One",
			"http://auth.one.test:9229/oauth2/authorize", "local_One"},
		{"auth.one.test", "http://localhost:9229/local_One", "http://auth.one.test:9229/oauth2/authorize", "local_One"},
		{"localhost:9229", "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Two",
			"http://eu-central-1-two.localhost:9229/oauth2/authorize", "eu-central-1_Two"},
		{"eu-central-1-two.localhost:9229", "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Two",
			"http://eu-central-1-two.localhost:9229/oauth2/authorize", "eu-central-1_Two"},
		{"evil.example", "", "", "local_One"},
		{"two.localhost", "", "", "local_One"},
		{"localhost.evil.example:9229", "", "", "local_One"},
		{"", "", "", "local_One"},
		{"localhost:9229@evil.example", "", "", "local_One"},
	} {
		t.Run(tt.host+" "+tt.id, func(t *testing.T) {
			status, body := get(t, s, tt.host, "/"+tt.id+"/.well-known/openid-configuration")
			if tt.issuer == "" {
				if status != http.StatusMisdirectedRequest {
					t.Errorf("status = %d, want 421", status)
				}
				if strings.Contains(body, "evil") || !strings.Contains(body, "http://one.localhost:9229  local_One\n") {
					t.Errorf("the answer repeats the host, or does not name those there are:\n%s", body)
				}
				return
			}
			var d struct {
				Issuer    string `json:"issuer"`
				Authorize string `json:"authorization_endpoint"`
				Keys      string `json:"jwks_uri"`
			}
			err := json.Unmarshal([]byte(body), &d)
			if err != nil || d.Issuer != tt.issuer || d.Authorize != tt.authorize {
				t.Errorf("status %d, issuer %q, authorize %q (%v); want %q and %q",
					status, d.Issuer, d.Authorize, err, tt.issuer, tt.authorize)
			}
			if want := "http://localhost:9229/" + tt.id + "/.well-known/jwks.json"; d.Keys != want {
				t.Errorf("jwks_uri = %q, want %q, which can be reached", d.Keys, want)
			}
		})
	}
}

// TestOneHostTwoPools checks that two pools with the same host are refused at the
// start.
func TestOneHostTwoPools(t *testing.T) {
	a, _ := listen.Parse("--addr", "127.0.0.1:9229")
	s := newTestSite(a, memstore.New())
	err := s.start(t.Context(), &poolconfig.File{Pools: []poolconfig.Pool{
		{ID: "local_One"}, {ID: "local_Two", Domain: "same"}, {ID: "local_Three", CustomDomain: "same.localhost"},
	}})
	if err == nil || !strings.Contains(err.Error(), "two pools have the host same.localhost") {
		t.Errorf("error = %v", err)
	}
}

// TestRequestsPerSecond sends too many requests, each to another pool under another
// name.
func TestRequestsPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, twoPools()...)
		s.limit = 3
		err := s.start(t.Context(), &poolconfig.File{Pools: twoPools()})
		if err != nil {
			t.Fatal(err)
		}
		for i, tt := range []struct {
			host, path string
			want       int
		}{
			{"localhost:9229", "/", 200},
			{"one.localhost", "/", 200},
			{"eu-central-1-two.localhost:9229", "/eu-central-1_Two/.well-known/jwks.json", 200},
			{"auth.one.test", "/", 429},
			{"localhost:9229", "/eu-central-1_Two/.well-known/jwks.json", 429},
			{"nobody.test", "/", 429},
		} {
			if got, _ := get(t, s, tt.host, tt.path); got != tt.want {
				t.Errorf("request %d, to %s: got %d, want %d", i, tt.host, got, tt.want)
			}
		}
		time.Sleep(time.Second)
		if got, _ := get(t, s, "auth.one.test", "/"); got != http.StatusOK {
			t.Errorf("a second later: got %d", got)
		}
	})
}

// watched is a site whose file is watched.
type watched struct {
	*watcher
	path     string
	out, err strings.Builder
	edits    int
}

func watch(t *testing.T, text string) *watched {
	t.Helper()
	w := &watched{path: filepath.Join(t.TempDir(), "cognate.yaml")}
	w.write(t, text)
	load := func() (*poolconfig.File, error) { return poolconfig.Loader{}.Load(w.path) }
	f, err := load()
	if err != nil {
		t.Fatal(err)
	}
	w.watcher = newWatcher(newSite(t, f.Pools...), terminal.Streams{Out: &w.out, Err: &w.err}, f, load)
	return w
}

// write changes the file and gives it a new modification time: two edits may have the
// same size and the same time in the file system.
func (w *watched) write(t *testing.T, text string) {
	t.Helper()
	err := os.WriteFile(w.path, []byte(text), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	w.edits++
	at := time.Now().Add(time.Duration(w.edits) * time.Second)
	err = os.Chtimes(w.path, at, at)
	if err != nil {
		t.Fatal(err)
	}
}

// change changes the file, polls, and returns the output.
func (w *watched) change(t *testing.T, text string) (out, wrong string) {
	t.Helper()
	w.write(t, text)
	w.out.Reset()
	w.err.Reset()
	w.poll(t.Context())
	return w.out.String(), w.err.String()
}

func (w *watched) pool() *pool.Pool { return w.site.table.Load().pools[0].pool }

const aPool = `pools:
  - id: local_A1
    clients:
      - id: one
        callback_urls: [https://app.example/cb]
    users:
      - username: ann
        password: Correct-Horse-7
`

// TestReloadWaits checks that a file which is still being written is not read.
func TestReloadWaits(t *testing.T) {
	w := watch(t, aPool)
	for i, step := range []struct {
		text string // empty: nothing is written
		want bool
	}{{"", true}, {aPool + "\n", false}, {aPool + "\n\n", false}, {"", true}, {aPool, false}} {
		if step.text != "" {
			w.write(t, step.text)
		}
		if got := w.settled(); got != step.want {
			t.Errorf("look %d: settled %v, want %v", i, got, step.want)
		}
	}
}

// TestReload changes the file while the pools run.
func TestReload(t *testing.T) {
	w := watch(t, aPool)
	if w.poll(t.Context()); w.out.Len()+w.err.Len() > 0 {
		t.Errorf("an unchanged file makes it say %q%q", w.out.String(), w.err.String())
	}

	out, _ := w.change(t, strings.Replace(aPool, "id: one", "id: two", 1))
	if !strings.Contains(out, "1 client added, 1 client removed") {
		t.Errorf("it says %q", out)
	}
	for id, want := range map[string]bool{"one": false, "two": true} {
		_, ok, err := w.pool().Clients.Get(t.Context(), id)
		if err != nil || ok != want {
			t.Errorf("client %s: there %v (%v), want %v", id, ok, err, want)
		}
	}

	out, _ = w.change(t, strings.Replace(aPool, "clients:", "name: New name\n    clients:", 1))
	if got := w.pool().Settings().Name; got != "New name" ||
		!strings.Contains(out, "the pool local_A1: settings changed") {
		t.Errorf("name = %q after %q", got, out)
	}

	out, _ = w.change(t, aPool+"  - id: local_A2\n    domain: second\n")
	if !strings.Contains(out, "the pool local_A2 is new: nothing") {
		t.Errorf("it says %q", out)
	}
	if status, _ := get(t, w.site, "second.localhost", "/local_A2/.well-known/jwks.json"); status != http.StatusOK {
		t.Errorf("the new pool answers %d", status)
	}
	out, _ = w.change(t, aPool)
	if !strings.Contains(out, "the pool local_A2 was removed") {
		t.Errorf("it says %q", out)
	}
	if status, _ := get(t, w.site, "second.localhost", "/"); status != http.StatusMisdirectedRequest {
		t.Errorf("the pool that is gone answers %d", status)
	}
	out, _ = w.change(t, strings.Replace(aPool, "clients:", "domain: other\n    clients:", 1))
	if !strings.Contains(out, "keeps its domain and issuer until the next start") {
		t.Errorf("it says %q", out)
	}
}

// TestReloadWithoutTheFirst removes the pool that had the site's own address: the
// issuers of the other pools are at that address, so their keys must still be found.
func TestReloadWithoutTheFirst(t *testing.T) {
	const second = "  - id: local_A2\n    domain: second\n"
	w := watch(t, aPool+second)
	w.change(t, "pools:\n"+second)
	for _, host := range []string{"localhost:9229", "127.0.0.1:9229", "second.localhost:9229"} {
		status, body := get(t, w.site, host, "/local_A2/.well-known/openid-configuration")
		if status != http.StatusOK || !strings.Contains(body, `"issuer":"http://localhost:9229/local_A2"`) {
			t.Errorf("%s: status %d: %s", host, status, body)
		}
		if status, _ := get(t, w.site, host, "/"); status != http.StatusOK {
			t.Errorf("%s: / answers %d", host, status)
		}
	}
}

// samlMetadata returns metadata of a provider that wants signed requests, or does not.
func samlMetadata(t *testing.T, wants string) string {
	t.Helper()
	text, err := os.ReadFile("internal/saml/testdata/idp.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(text)
	for block != nil && block.Type != "CERTIFICATE" {
		block, rest = pem.Decode(rest)
	}
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:corp">` +
		`<IDPSSODescriptor WantAuthnRequestsSigned="` + wants +
		`"><KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#">` +
		`<X509Data><X509Certificate>` + base64.StdEncoding.EncodeToString(block.Bytes) +
		`</X509Certificate></X509Data></KeyInfo>` +
		`</KeyDescriptor><SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"` +
		` Location="https://corp.test/sso"/></IDPSSODescriptor></EntityDescriptor>`
}

// TestSAMLKey checks that requests are signed for providers that want it, even for one
// added by a reload, and that unusable metadata is reported before anything changes.
func TestSAMLKey(t *testing.T) {
	const request = "/oauth2/authorize?client_id=one&redirect_uri=https://app.example/cb&response_type=code&" +
		"identity_provider=Corp"
	w := watch(t, aPool)
	withCorp := func(wants, more string) string {
		err := os.WriteFile(filepath.Join(filepath.Dir(w.path), "corp.xml"), []byte(samlMetadata(t, wants)), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return strings.NewReplacer("id: one\n", "id: one\n        supported_identity_providers: [Corp]\n",
			"    clients:", "    identity_providers:\n      - name: Corp\n        type: SAML\n"+
				"        metadata_file: corp.xml\n"+more+"    clients:").Replace(aPool)
	}
	for _, tt := range []struct {
		wants, more string
		signed      bool
	}{
		{"false", "", false}, {"true", "", true}, {"false", "", false},
		{"false", "        sign_requests: true\n", true},
	} {
		_, wrong := w.change(t, withCorp(tt.wants, tt.more))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, request, nil)
		r.Host = "localhost:9229"
		a := httptest.NewRecorder()
		w.site.ServeHTTP(a, r)
		to := a.Header().Get("Location")
		if !strings.HasPrefix(to, "https://corp.test/sso?") || strings.Contains(to, "&Signature=") != tt.signed {
			t.Errorf("wants %s, %q: the way to the provider is %s; it said %q", tt.wants, tt.more, to, wrong)
		}
	}
	text := withCorp("maybe", "")
	err := os.WriteFile(filepath.Join(filepath.Dir(w.path), "corp.xml"), []byte("<x/>"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, wrong := w.change(t, text)
	if !strings.Contains(wrong, "the identity provider Corp can't be used: the metadata is not an EntityDescriptor") {
		t.Errorf("it says %q", wrong)
	}
}

// TestReloadKeepsTheOld checks that a wrong file changes nothing and is reported once,
// and that a corrected file is reported too.
func TestReloadKeepsTheOld(t *testing.T) {
	w := watch(t, aPool)
	for name, tt := range map[string]struct{ text, says string }{
		"a mistake": {
			strings.Replace(aPool, "username: ann", "usernme: ann", 1),
			`cognate.yaml:7:9: unknown key "usernme"; did you mean "username"?`,
		},
		"sign-in names": {
			strings.NewReplacer("clients:", "username_attributes: [email]\n    clients:",
				"username: ann", "email: ann@example.com").Replace(aPool),
			"of local_A1 cannot change",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, wrong := w.change(t, tt.text)
			if !strings.Contains(wrong, "nothing was changed") || !strings.Contains(wrong, tt.says) {
				t.Errorf("it says %q", wrong)
			}
			w.err.Reset()
			if w.poll(t.Context()); w.err.Len() > 0 {
				t.Errorf("it says it again: %q", w.err.String())
			}
			_, ok, err := w.pool().Clients.Get(t.Context(), "one")
			if err != nil || !ok {
				t.Errorf("the client is gone (%v)", err)
			}
			out, _ := w.change(t, aPool)
			if !strings.Contains(out, "was read again.") {
				t.Errorf("right again, it says %q", out)
			}
		})
	}
}

// TestReloadKeepsPasswords checks that a password changed in the app remains until the
// file names another one.
func TestReloadKeepsPasswords(t *testing.T) {
	w := watch(t, aPool)
	hash := func() userpool.Secret {
		u, ok, err := w.pool().Users.Find(t.Context(), "ann")
		if err != nil || !ok {
			t.Fatalf("no user ann (%v)", err)
		}
		return u.PasswordHash
	}
	first := hash()
	err := w.pool().Users.SetPassword(t.Context(), "ann", "Changed-In-The-App-7", false)
	if err != nil {
		t.Fatal(err)
	}
	changed := hash()
	if changed.Equal(first) {
		t.Fatal("the password did not change")
	}
	w.change(t, strings.Replace(aPool, "clients:", "name: Other\n    clients:", 1))
	if !hash().Equal(changed) {
		t.Error("a change of something else took the password back")
	}
	out, _ := w.change(t, strings.Replace(aPool, "Correct-Horse-7", "Correct-Horse-8", 1))
	if hash().Equal(changed) || !strings.Contains(out, "1 user changed") {
		t.Errorf("the file's new password does not count; it says %q", out)
	}
	w.change(t, strings.Split(aPool, "    users:")[0])
	hash() // a user who is no longer in the file is still in the pool
}

// TestMessagesAreAnnounced has a pool with a domain of its own send a message, which the
// terminal says where to find.
func TestMessagesAreAnnounced(t *testing.T) {
	a, err := listen.Parse("--addr", "127.0.0.1:9229")
	if err != nil {
		t.Fatal(err)
	}
	s := newTestSite(a, memstore.New())
	var out strings.Builder
	s.messages = localpool.NewMessages(&out, "")
	err = s.start(t.Context(), &poolconfig.File{Pools: []poolconfig.Pool{{
		ID: "local_Mine", CustomDomain: "auth.localhost", Settings: userpool.Settings{FixedCode: "424242"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.table.Load().pools[0].pool.Users.Create(t.Context(), userpool.NewUser{
		Username: "eve", Invite: true, Attributes: map[string]string{"email": "eve@example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "  Mail to eve@example.com, a temporary password: http://auth.localhost:9229/_cognate/outbox\n"
	if out.String() != want {
		t.Errorf("the terminal has %q, want %q", out.String(), want)
	}
}
