package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/internal/terminal"
)

const (
	oldSecret = "the_old_secret_of_the_client_0"
	newSecret = "the_new_secret_of_the_client_1"
)

// TestSecretIsReplaced follows docs/production.md: processes with the old and with the new
// secret sign people in at every step, and sessions outlive the secret that they began with.
func TestSecretIsReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cognate.yaml")
	write := func(secrets string) {
		t.Helper()
		text := strings.Replace(poolFile, "secret: only_for_the_pool_on_this_machine", secrets, 1)
		err := os.WriteFile(file, []byte(strings.Split(text, "      - email: lou")[0]), 0o600)
		if err != nil {
			t.Fatal(err)
		}
	}
	load := func() (*poolconfig.File, error) { return poolconfig.Loader{}.Load(file) }
	write("secret: " + oldSecret)
	f, err := load()
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, f.Pools...)
	var said strings.Builder
	w := newWatcher(s, terminal.Streams{Out: &said, Err: &said}, f, load)
	change := func(secrets string) {
		t.Helper()
		write(secrets)
		w.poll(t.Context())
		if !strings.Contains(said.String(), "changed") {
			t.Fatalf("the pool did not follow the file:\n%s", said.String())
		}
		said.Reset()
	}

	before := signedIn(t, s, oldSecret)
	change("secret: " + oldSecret + "\n        second_secret: " + newSecret)
	between := signedIn(t, s, oldSecret)
	signedIn(t, s, newSecret)
	before.refresh(t, newSecret)
	change("secret: " + newSecret)
	signedIn(t, s, newSecret)
	between.refresh(t, newSecret)

	forgotten := newProcess(t, s, oldSecret)
	forgotten.signIn(hello)
	if !strings.Contains(forgotten.app.String(), "reason=client_refused") {
		t.Errorf("a process that was forgotten says\n%s", forgotten.app)
	}
}

// A process is an app that keeps tokens, and the browser that is signed in to it.
type process struct {
	*desk
	age *atomic.Int64 // of the session, so that its tokens are refreshed
}

// newProcess starts an app with a secret.
func newProcess(t *testing.T, s *site, secret cognate.Secret) *process {
	t.Helper()
	d := &desk{T: t, app: &lines{}, apps: map[string]http.Handler{"http://localhost:9229": s}}
	d.newBrowser()
	p := &process{d, &atomic.Int64{}}
	p.run(secret)
	return p
}

// run starts the app again, with another secret.
func (p *process) run(secret cognate.Secret) {
	cfg := p.config(cognate.ClientSecrets{
		Issuer: "http://localhost:9229/local_Mistakes", ClientID: "mistakesweb", ClientSecret: secret,
		RedirectURIs: []string{callbackURL},
	})
	cfg.Session.TokensInCookie = true
	cfg.HTTPClient = &http.Client{Transport: p.desk}
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(p.age.Load())) }
	auth, err := cognate.New(cfg)
	if err != nil {
		p.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/hello", auth.RequireAccessToken(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := auth.AccessToken(r.Context())
		if err != nil {
			auth.Fail(w, r, err)
			return
		}
		_, _ = w.Write([]byte("token " + token))
	})))
	p.apps[appAddress] = auth.Handler(mux)
}

// signedIn signs ann in to a process with a secret.
func signedIn(t *testing.T, s *site, secret cognate.Secret) *process {
	t.Helper()
	p := newProcess(t, s, secret)
	p.signIn(hello)
	if !strings.HasPrefix(p.page, "token ") {
		t.Fatalf("nobody is signed in: %s\n%s", p.page, p.app)
	}
	return p
}

// refresh has a process with a secret refresh the session's tokens.
func (p *process) refresh(t *testing.T, secret cognate.Secret) {
	t.Helper()
	p.run(secret)
	p.open(hello)
	token := p.page
	p.age.Store(int64(59*time.Minute + 30*time.Second)) // they live an hour
	p.open(hello)
	if !strings.HasPrefix(p.page, "token ") || p.page == token {
		t.Errorf("the tokens are not refreshed: %s\n%s", p.page, p.app)
	}
}
