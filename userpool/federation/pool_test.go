package federation_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

const (
	callback = "https://app.test/callback"
	password = "correct horse"
)

// jars keeps the cookies of each port by themselves. Browsers do not, but two
// pools in one test are as good as two hosts.
type jars struct {
	mu   sync.Mutex
	jars map[string]http.CookieJar
}

func (j *jars) of(u *url.URL) http.CookieJar {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.jars[u.Host] == nil {
		j.jars[u.Host], _ = cookiejar.New(nil)
	}
	return j.jars[u.Host]
}

func (j *jars) SetCookies(u *url.URL, c []*http.Cookie) { j.of(u).SetCookies(u, c) }
func (j *jars) Cookies(u *url.URL) []*http.Cookie       { return j.of(u).Cookies(u) }

// start is what the clock of a test shows at first.
var start = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

// newClock returns a clock that stands at start.
func newClock(t *testing.T) *cognatetest.Clock {
	t.Helper()
	c := cognatetest.NewClock(t)
	c.Set(start)
	return c
}

// two are two pools, one of which is the other's identity provider.
type two struct {
	up, down *cognatetest.Pool
	app      userpool.Client // of down
	clock    *cognatetest.Clock
	ann      userpool.User // of up
}

// corp is the provider as down knows it.
func corp(issuer string, c userpool.Client) userpool.IdentityProvider {
	return userpool.IdentityProvider{
		Name: "Corp", Type: userpool.ProviderOIDC, Identifiers: []string{"corp.example"},
		ClientID: c.ID, ClientSecret: c.Secret, Issuer: issuer, Scopes: "openid email profile phone",
		AttributeMapping: map[string]string{
			"username": "sub", "email": "email", "name": "name", "custom:plan": "custom:plan",
		},
	}
}

// newTwo starts both; change may alter the provider and the settings.
func newTwo(t *testing.T, changes ...func(*userpool.Settings)) *two {
	t.Helper()
	w := &two{clock: newClock(t)}
	opts := cognatetest.Options{Now: w.clock.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	w.up, w.down = cognatetest.New(t, opts), cognatetest.New(t, opts)
	there := w.up.AddClient(userpool.Client{CallbackURLs: []string{w.down.URL + "/oauth2/idpresponse"}})
	settings := userpool.Settings{IdentityProviders: []userpool.IdentityProvider{corp(w.up.Issuer, there)}}
	for _, change := range changes {
		change(&settings)
	}
	err := w.down.UserPool().Configure(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	w.app = w.down.AddClient(userpool.Client{
		Name: "App", CallbackURLs: []string{callback}, LogoutURLs: []string{"https://app.test/bye"},
		SupportedIdentityProviders: []string{"COGNITO", "Corp"},
	})
	w.ann = w.up.AddUser(userpool.NewUser{Username: "ann", Password: password, Attributes: map[string]string{
		"email": "ann@example.com", "email_verified": "true", "name": "Ann Ü", "custom:plan": "7",
	}})
	return w
}

// browser is a browser in which the app answers everything with 200.
func browser(t *testing.T) *http.Client {
	t.Helper()
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	b := cognatetest.NewBrowser(t, callback, app)
	b.Jar = &jars{jars: map[string]http.CookieJar{}}
	return b
}

// authorize is an authorization request to down; pairs change it.
func (w *two) authorize(pairs ...string) string {
	q := url.Values{
		"client_id": {w.app.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {"S"},
		"identity_provider": {"Corp"},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return w.down.URL + "/oauth2/authorize?" + q.Encode()
}

// at is where a browser ends up that opens the address.
func at(t *testing.T, b *http.Client, address string) *url.URL {
	t.Helper()
	resp, err := b.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.Request.URL
}

// claims redeems the code of the app's address and returns the ID token's claims.
func (w *two) claims(t *testing.T, app *url.URL) map[string]any {
	t.Helper()
	if !strings.HasPrefix(app.String(), callback) || app.Query().Get("state") != "S" {
		t.Fatalf("the browser is at %s", app)
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {app.Query().Get("code")}, "redirect_uri": {callback},
		"client_id": {w.app.ID}, "client_secret": {string(w.app.Secret)},
	}
	resp, err := http.PostForm(w.down.URL+"/oauth2/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct {
		ID string `json:"id_token"`
	}
	err = json.NewDecoder(resp.Body).Decode(&body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("token endpoint: %d, %v", resp.StatusCode, err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(body.ID, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	err = json.Unmarshal(raw, &claims)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// signIn signs ann in at up on the way from down to the app.
func (w *two) signIn(t *testing.T, b *http.Client, address string) *url.URL {
	t.Helper()
	return w.up.Visit(t, b, address, "ann", password).Request.URL
}

// TestSecondPool signs in at a pool whose identity provider is another pool.
func TestSecondPool(t *testing.T) {
	t.Parallel()
	w, b := newTwo(t), browser(t)
	got := w.claims(t, w.signIn(t, b, w.authorize("scope", "openid")))
	username := "corp_" + w.ann.Sub
	for name, want := range map[string]any{
		"cognito:username": username, "email": "ann@example.com", "email_verified": false,
		"name": "Ann Ü", "custom:plan": "7",
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	group := w.down.UserPool().ID() + "_Corp"
	if groups, _ := got["cognito:groups"].([]any); len(groups) != 1 || groups[0] != group {
		t.Errorf("got groups %v, want %s", got["cognito:groups"], group)
	}
	u, ok, err := w.down.UserPool().Users.Find(t.Context(), username)
	if err != nil || !ok || u.Status != userpool.UserExternal || u.Sub != got["sub"] || len(u.Identities) != 1 {
		t.Fatalf("got user %+v, %v, %v", u, ok, err)
	}
	id := u.Identities[0]
	if id.UserID != w.ann.Sub || id.ProviderName != "Corp" || id.ProviderType != "OIDC" || !id.Primary ||
		id.Issuer != "" {
		t.Errorf("got identity %+v", id)
	}

	// Another browser is the same user again.
	w.clock.Advance(time.Minute)
	again := w.claims(t, w.signIn(t, browser(t), w.authorize()))
	if again["sub"] != got["sub"] {
		t.Errorf("the second sign-in is another user: %v", again["sub"])
	}
}

// TestSession pins that a federated session is one like any other: the provider
// is not visited again, prompt=none works, and leaving ends it here alone.
func TestSession(t *testing.T) {
	t.Parallel()
	w, b := newTwo(t), browser(t)
	first := w.claims(t, w.signIn(t, b, w.authorize()))
	before := w.up.Requests(cognatetest.AuthorizationEndpoint)
	for _, pairs := range [][]string{
		{}, {"identity_provider", ""}, {"prompt", "none"}, {"prompt", "none", "identity_provider", ""},
	} {
		w.clock.Advance(time.Minute)
		got := w.claims(t, at(t, b, w.authorize(pairs...)))
		if got["sub"] != first["sub"] || got["auth_time"] != first["auth_time"] {
			t.Errorf("%q: got sub %v and auth_time %v", pairs, got["sub"], got["auth_time"])
		}
	}
	if n := w.up.Requests(cognatetest.AuthorizationEndpoint) - before; n != 0 {
		t.Errorf("the provider was visited %d more times", n)
	}
	bye := at(t, b, w.down.URL+"/logout?client_id="+w.app.ID+"&logout_uri="+url.QueryEscape("https://app.test/bye"))
	if bye.String() != "https://app.test/bye" {
		t.Errorf("logout ends at %s", bye)
	}
	if u := at(t, b, w.authorize("prompt", "none")); u.Query().Get("error") != "login_required" {
		t.Errorf("after the logout prompt=none gives %s", u)
	}
	// The provider's own session lives on, so that this asks for no password.
	if got := w.claims(t, at(t, b, w.authorize())); got["sub"] != first["sub"] {
		t.Errorf("got sub %v, want %v", got["sub"], first["sub"])
	}
}
