package devview_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/devview"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/trace"
)

// env is a pool that remembers, and its developer's view.
type env struct {
	*pooltest.Env

	view http.Handler
}

func newEnv(t *testing.T, changes ...func(*pool.Config)) *env {
	t.Helper()
	remember := func(c *pool.Config) { c.Trace = trace.New(c.Now) }
	e := &env{Env: pooltest.New(t, append(changes, remember)...)}
	e.view = e.newView(false)
	return e
}

func (e *env) newView(insecure bool) http.Handler {
	mux := http.NewServeMux()
	(&devview.Handler{
		Access: devview.Access{BaseURL: pooltest.BaseURL, Token: viewToken, InsecureAnywhere: insecure},
		Pool:   e.Pool, Logger: slog.New(slog.DiscardHandler),
	}).Mount(mux)
	return mux
}

// viewToken lets in whoever has it.
const viewToken = "the-token_of.this~view"

// request is one with the token.
func request(t *testing.T, method, target string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost:9229"+target, nil)
	r.Header.Set("Authorization", "Bearer "+viewToken)
	return r
}

// look opens a page of the view.
func (e *env) look(t *testing.T, target string) string {
	t.Helper()
	w := httptest.NewRecorder()
	e.view.ServeHTTP(w, request(t, http.MethodGet, target))
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: got %d %s", target, w.Code, w.Body)
	}
	return w.Body.String()
}

// signInJSON is what a test reads of flows.json.
type signInJSON struct {
	ID, State, Outcome, Username, ClientID string
	Failed                                 bool
	Steps                                  []struct {
		Path, Error, Hint string
		Status            int
		Decisions         []struct{ Event string }
		Tokens            []struct{ Kind, Header, Claims string }
		Took              time.Duration
	}
}

func (e *env) flows(t *testing.T, query string) []signInJSON {
	t.Helper()
	var out struct{ SignIns []signInJSON }
	err := json.Unmarshal([]byte(e.look(t, "/_cognate/flows.json"+query)), &out)
	if err != nil {
		t.Fatal(err)
	}
	return out.SignIns
}

var hiddenField = regexp.MustCompile(`name="_csrf" value="([^"]+)"`)

// signIn signs Ann in through the pages. It returns the browser's cookies and
// the code.
func (e *env) signIn(t *testing.T, password string, q url.Values) (cookies http.Header, code string) {
	t.Helper()
	e.Get(t, "/oauth2/authorize", q, nil)
	page := e.Get(t, "/login", q, nil)
	form := url.Values{"username": {"ann"}, "password": {password}}
	if m := hiddenField.FindStringSubmatch(page.Body); m != nil {
		form.Set("_csrf", m[1])
	}
	cookies = http.Header{"Cookie": {strings.Split(page.Header.Get("Set-Cookie"), ";")[0]}}
	a := e.Post(t, "/login?"+q.Encode(), form, cookies)
	for _, c := range a.Cookies() {
		cookies.Set("Cookie", cookies.Get("Cookie")+"; "+c.Name+"="+c.Value)
	}
	return cookies, a.Target(t).Query().Get("code")
}

// TestSignIn takes one sign-in from its beginning to the sign-out and looks at
// it: everything is there, in one place, and nothing secret.
func TestSignIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	q := pooltest.Query("state", "state-of-the-app", "nonce", "n1", "scope", "openid email",
		"code_challenge", pooltest.Challenge, "code_challenge_method", "S256")
	cookies, code := e.signIn(t, pooltest.Password, q)
	tokens := e.Redeem(t, code, "code_verifier", pooltest.Verifier).JSON(t)
	e.UserInfo(t, tokens["access_token"])
	e.Refresh(t, tokens["refresh_token"])
	e.Get(t, "/logout", url.Values{"client_id": {"app"}, "logout_uri": {pooltest.Bye}}, cookies)

	flows := e.flows(t, "")
	if len(flows) != 1 {
		t.Fatalf("%d sign-ins, want one: %+v", len(flows), flows)
	}
	s := flows[0]
	var paths []string
	for _, step := range s.Steps {
		paths = append(paths, step.Path)
	}
	want := "/oauth2/authorize /login /login /oauth2/token /oauth2/userInfo /oauth2/token /logout"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("steps %s\nwant  %s", got, want)
	}
	if s.Failed || s.State != "done" || s.Username != "Ann" || s.ClientID != "app" {
		t.Errorf("sign-in: %+v", s)
	}
	if got := s.Steps[3].Tokens; len(got) != 2 || !strings.Contains(got[0].Claims, `"nonce":"n1"`) ||
		!strings.Contains(got[0].Header, "RS256") {
		t.Errorf("tokens: %+v", got)
	}
	page := e.look(t, "/_cognate/flows/"+s.ID)
	for _, want := range []string{
		"code redeemed", "signed in", "302 to /login", "200 tokens", "The App", "state-of-the-app",
		"ann@example.com", "cognito:groups",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	everything := page + e.look(t, "/_cognate/flows.json") + e.look(t, "/_cognate/") +
		e.look(t, "/_cognate/users/"+e.Ann.Sub) + e.look(t, "/_cognate/clients/app")
	for name, secret := range map[string]string{
		"password": pooltest.Password, "code": code, "verifier": pooltest.Verifier,
		"client secret": string(e.App.Secret),
		"hash":          string(e.Ann.PasswordHash), "cookies": strings.Split(cookies.Get("Cookie"), "=")[1],
	} {
		if secret == "" || strings.Contains(everything, secret) {
			t.Errorf("the %s %q is shown", name, secret)
		}
	}
	for kind, token := range tokens {
		if text, ok := token.(string); ok && len(text) > 20 && strings.Contains(everything, text[len(text)-20:]) {
			t.Errorf("the %s is shown", kind)
		}
	}
	for pair := range strings.SplitSeq(cookies.Get("Cookie"), "; ") {
		if _, value, _ := strings.Cut(pair, "="); strings.Contains(everything, value) {
			t.Errorf("the cookie %s is shown", pair)
		}
	}
}

// TestTwoBrowsers has two sign-ins at the same time, which must not mix.
func TestTwoBrowsers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, first := e.signIn(t, pooltest.Password, pooltest.Query("state", "one"))
	_, second := e.signIn(t, pooltest.Password, pooltest.Query("state", "two"))
	e.Redeem(t, second)
	e.Redeem(t, first)
	flows := e.flows(t, "")
	if len(flows) != 2 || len(flows[0].Steps) != 4 || len(flows[1].Steps) != 4 {
		t.Errorf("sign-ins: %+v", flows)
	}
}

// TestFilter chooses sign-ins.
func TestFilter(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, code := e.signIn(t, pooltest.Password, pooltest.Query())
	e.Redeem(t, code)
	e.signIn(t, "wrong", pooltest.Query("client_id", "public", "state", "x"))
	e.Get(t, "/oauth2/authorize", pooltest.Query("client_id", "nobody"), nil)
	for query, want := range map[string]int{
		"": 3, "?failed=1": 2, "?client=app": 1, "?client=public": 1, "?failed=1&client=app": 0, "?user=an": 2,
		"?user=an&failed=1": 1, "?user=zoe": 0, "?id=1": 1,
	} {
		if got := len(e.flows(t, query)); got != want {
			t.Errorf("%q: %d sign-ins, want %d", query, got, want)
		}
		if query != "?id=1" {
			page := e.look(t, "/_cognate/"+query)
			if got := strings.Count(page, `<li class="line`); got != want {
				t.Errorf("%q: %d sign-ins on the page, want %d", query, got, want)
			}
		}
	}
}

// TestLive waits for what is new.
func TestLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		if got := e.look(t, "/_cognate/live?version=-1"); got != "0" {
			t.Errorf("got %q at once, want 0", got)
		}
		done := make(chan string)
		go func() {
			w := httptest.NewRecorder()
			e.view.ServeHTTP(w, request(t, http.MethodGet, "/_cognate/live?version=0"))
			done <- w.Body.String()
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Error("it did not wait")
		default:
		}
		e.Get(t, "/oauth2/authorize", pooltest.Query(), nil)
		if got := <-done; got != "1" {
			t.Errorf("got %q, want 1", got)
		}
		w := httptest.NewRecorder()
		e.view.ServeHTTP(w, request(t, http.MethodGet, "/_cognate/live"))
		if w.Code != http.StatusBadRequest {
			t.Errorf("without a version: got %d, want 400", w.Code)
		}
	})
}

// TestPages opens the other pages.
func TestPages(t *testing.T) {
	t.Parallel()
	precedence := 1
	e := newEnv(t, func(c *pool.Config) {
		c.Settings.Groups = []userpool.Group{{Name: "zebra", Precedence: &precedence}}
		c.Settings.IdentityProviders = []userpool.IdentityProvider{{
			Name: "Upstream", Type: userpool.ProviderOIDC, ClientID: "upstream_client", ClientSecret: "upstream-s3cret",
			Issuer: "https://idp.test", AttributeMapping: map[string]string{"email": "mail"},
		}}
		c.Settings.Triggers = map[string]userpool.Trigger{"PreSignUp": {URL: "https://hook.test/x?key=s3cret"}}
		c.Invoke = func(context.Context, userpool.Trigger, []byte) ([]byte, error) { return nil, nil }
	})
	for target, want := range map[string][]string{
		"/_cognate/":                          {"Nobody has signed in yet", `href="https://app.test/"`},
		"/_cognate/users":                     {"Ann", "CONFIRMED", "zebra, admins"},
		"/_cognate/users?text=EXAMPLE":        {"Ann"},
		"/_cognate/users?text=nobody%40":      {"Nobody is found"},
		"/_cognate/users?by=group&text=zebra": {"Ann"},
		"/_cognate/users?by=status&text=conf": {"Ann"},
		"/_cognate/users?by=group&text=zeb":   {"Nobody is found"},
		"/_cognate/users/" + e.Ann.Sub:        {"custom:plan", "Password", "set"},
		"/_cognate/clients":                   {"The App", "confidential", "public", pooltest.Callback},
		"/_cognate/clients/app": {
			"confidential", "30 days", "client_secrets.json",
			`<a class="button" href="https://app.test/">Open the app at`,
		},
		"/_cognate/clients/public":                  {"public: it has no secret"},
		"/_cognate/clients/app/client_secrets.json": {`"client_id": "app"`, `"issuer": "http://pool.test/local_test1"`},
		"/_cognate/pool": {
			"zebra", "Upstream", "email from mail", "https://hook.test/x", "https://api.test/read",
		},
		"/_cognate/outbox": {"No message yet"},
	} {
		page := e.look(t, target)
		for _, text := range want {
			if !strings.Contains(strings.ReplaceAll(page, "&amp;", "&"), text) {
				t.Errorf("%s lacks %q", target, text)
			}
		}
		if strings.Contains(page, "s3cret") || strings.Contains(page, string(e.App.Secret)) ||
			strings.Contains(page, "argon2") {
			t.Errorf("%s shows a secret", target)
		}
	}
	for _, target := range []string{
		"/_cognate/nothing", "/_cognate/users/nobody", "/_cognate/clients/nobody", "/_cognate/flows/9",
		"/_cognate/clients/x/client_secrets.json",
	} {
		w := httptest.NewRecorder()
		e.view.ServeHTTP(w, request(t, http.MethodGet, target))
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "nothing at this address") {
			t.Errorf("%s: got %d, want 404", target, w.Code)
		}
	}
}

// TestUsersByPage has more users than a page shows.
func TestUsersByPage(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for i := range 60 {
		_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{Username: "user" + string(rune('a'+i%26)) +
			string(rune('a'+i/26)), Password: "x"})
		if err != nil {
			t.Fatal(err)
		}
	}
	first := e.look(t, "/_cognate/users?text=SER")
	next := regexp.MustCompile(`href="(/_cognate/users\?after=[^"]+)"`).FindStringSubmatch(first)
	if next == nil || strings.Count(first, "CONFIRMED</span>") != 50 {
		t.Fatalf("the first page has %d users", strings.Count(first, "CONFIRMED</span>"))
	}
	second := e.look(t, strings.ReplaceAll(next[1], "&amp;", "&"))
	if got := strings.Count(second, "CONFIRMED</span>"); got != 10 || strings.Contains(second, "?after=") {
		t.Errorf("the second page has %d users, want 10 and no next page", got)
	}
}

// TestSignInsBeginAtTheApp has a client with several callback URLs: each origin has one
// link, and none leads to the sign-in page.
func TestSignInsBeginAtTheApp(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.AddClient(t, userpool.Client{ID: "many", CallbackURLs: []string{
		"http://localhost:3000/cb", "http://localhost:3000/other", "myapp://cb", "https://a.test/cb?x=1",
	}})
	page := e.look(t, "/_cognate/clients/many")
	var got []string
	for _, m := range regexp.MustCompile(`class="button" href="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		got = append(got, m[1])
	}
	if want := []string{"http://localhost:3000/", "https://a.test/"}; !slices.Equal(got, want) {
		t.Errorf("the page leads to %q, want %q", got, want)
	}
}
