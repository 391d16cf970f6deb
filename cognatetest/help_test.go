package cognatetest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

const (
	appURL   = "https://app.example"
	password = "correct horse"
)

// newApp returns an app as its authors would write it, with a public page, and a
// private one at /hello.
func newApp(tb testing.TB, cfg cognate.Config) (*cognate.Auth, http.Handler) {
	tb.Helper()
	auth, err := cognate.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if u := auth.User(r); u != nil {
			fmt.Fprintf(w, "public, %s", u.Email)
			return
		}
		fmt.Fprint(w, "public")
	})
	mux.Handle("GET /hello", auth.RequireLogin(http.HandlerFunc(hello)))
	return auth, auth.Handler(mux)
}

func hello(w http.ResponseWriter, r *http.Request) {
	u := cognate.UserFrom(r.Context())
	fmt.Fprintf(w, "hello, %s (%v)", u.Email, u.Claim("custom:plan"))
}

// poolFor returns a pool with a client for the app at origin, and the users Ann and
// Bob; Bob's address is not verified.
func poolFor(tb testing.TB, origin string, options ...cognatetest.Options) (*cognatetest.Pool, userpool.Client) {
	tb.Helper()
	pool := cognatetest.New(tb, options...)
	client := pool.AddClient(userpool.Client{
		CallbackURLs: []string{origin + "/oidc_callback"}, LogoutURLs: []string{origin + "/"},
	})
	for name, verified := range map[string]string{"ann": "true", "bob": "false"} {
		pool.AddUser(userpool.NewUser{
			Username: name, Password: password,
			Attributes: map[string]string{"email": name + "@example.com", "email_verified": verified},
		})
	}
	return pool, client
}

// get calls the handler as a script does: it gets 401 if nobody is signed in.
func get(tb testing.TB, app http.Handler, r *http.Request) (status int, body string) {
	tb.Helper()
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func request(path string) *http.Request {
	return httptest.NewRequest(http.MethodGet, appURL+path, nil)
}

// read requests an address and returns the answer.
func read(tb testing.TB, client *http.Client, address string) (status int, body string) {
	tb.Helper()
	resp, err := client.Get(address)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// checkFatal calls use with a test that may fail, and checks its failure message.
func checkFatal(t *testing.T, name, want string, use func(tb testing.TB)) {
	t.Helper()
	tb := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		use(tb)
	}()
	<-done
	if !strings.Contains(tb.text, want) || tb.text == "" {
		t.Errorf("%s: the test failed with %q, want %q", name, tb.text, want)
	}
}

// failing is a test whose failure is examined.
type failing struct {
	testing.TB

	text string
}

func (f *failing) Helper() {}

func (f *failing) Fatal(args ...any) {
	f.text = fmt.Sprint(args...)
	runtime.Goexit()
}

func (f *failing) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
