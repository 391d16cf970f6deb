package pages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/userpool"
)

// serve serves an app at http://127.0.0.1, which is not the pool's site.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return srv.URL
}

// newApp returns a pool with ann, and a client whose callback is at app.
func newApp(t *testing.T, app string, settings userpool.Settings) *site {
	t.Helper()
	s := &site{Pool: cognatetest.New(t, cognatetest.Options{Settings: settings}), app: app}
	s.client = s.AddClient(userpool.Client{Name: "Garden planner", CallbackURLs: []string{app + "/callback"}})
	s.AddUser(userpool.NewUser{
		Username: "ann", Password: password,
		Attributes: map[string]string{"email": "ann@example.com", "email_verified": "true"},
	})
	return s
}

// TestCallbackLeadsOn signs in at an app whose callback redirects to its front end at
// another origin: after the password, and after a second factor.
func TestCallbackLeadsOn(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	frontEnd := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, `<!DOCTYPE html><html lang="en"><title>Front end</title><h1>The front end</h1>`)
	})
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, frontEnd+"/", http.StatusFound)
	})
	for name, settings := range map[string]userpool.Settings{
		"password": {},
		"two factors": {
			FixedCode: "424242", MFA: userpool.MFAOn, MFATypes: []string{userpool.FactorEmail},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newApp(t, api, settings)
			tab := b.NewVisitor(t)
			tab.Visit(s.address("/oauth2/authorize"))
			tab.Fill("Username", "ann")
			tab.Fill("Password", password)
			tab.Click("Sign in")
			if settings.FixedCode != "" {
				tab.Fill("Code", settings.FixedCode)
				tab.Click("Confirm")
			}
			tab.WaitForText("The front end")
		})
	}
}

// popupPage signs in as oidc-client-ts does in a popup: it waits for a message from the
// callback in the popup, and gives up when the popup is closed.
const popupPage = `<!DOCTYPE html><html lang="en"><title>App</title><h1>The app</h1>
<button>Sign in there</button><p id="state"></p>
<script>
const state = document.getElementById("state");
document.querySelector("button").onclick = () => {
	const popup = window.open("", "signin", "width=600,height=700");
	popup.location.replace(%q);
	const timer = setInterval(() => {
		if (popup.closed) { state.textContent = "The popup is out of reach."; clearInterval(timer); }
	}, 50);
	addEventListener("message", e => {
		clearInterval(timer);
		state.textContent = "Told of a " + e.data + ".";
		popup.close();
	});
};
</script>`

const popupCallback = `<!DOCTYPE html><html lang="en"><title>Callback</title><h1>Back at the app</h1>
<script>
const code = new URLSearchParams(location.search).has("code");
if (window.opener) opener.postMessage(code ? "code" : "failure", location.origin);
</script>`

// TestPopup opens the sign-in page in a popup. The app keeps its reference to the popup
// until the callback is loaded; another site's page never has one.
func TestPopup(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	var request string // the app's request, which anybody may open
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/callback" {
			_, _ = fmt.Fprint(w, popupCallback)
			return
		}
		if r.URL.Path == "/quiet" { // many apps are advised to have such a page
			w.Header().Set("Referrer-Policy", "no-referrer")
		}
		_, _ = fmt.Fprintf(w, popupPage, request)
	}
	app, stranger := serve(t, handler), serve(t, handler)
	neighbour := strings.Replace(app, "127.0.0.1", "localhost", 1)
	s := newApp(t, app, userpool.Settings{})
	next := newApp(t, neighbour, userpool.Settings{})
	for name, tt := range map[string]struct {
		from    string
		site    *site
		reaches bool
	}{
		"the app":                         {app, s, true},
		"an app of the same site":         {neighbour, next, true},
		"one that does not say who it is": {neighbour + "/quiet", next, true},
		"a stranger":                      {stranger, s, false},
		"a stranger who hides":            {stranger + "/quiet", s, false},
	} {
		t.Run(name, func(t *testing.T) {
			request = tt.site.address("/oauth2/authorize")
			tab := b.NewVisitor(t)
			tab.Visit(tt.from)
			popup := tab.Popup(func() { tab.Click("Sign in there") })
			popup.WaitForText("Garden planner")
			if !tt.reaches {
				tab.WaitForText("The popup is out of reach.")
			}
			popup.Fill("Username", "ann")
			popup.Fill("Password", "wrong") // the form appears again
			popup.Click("Sign in")
			popup.WaitForText(userpool.TextIncorrect)
			popup.Fill("Password", password)
			popup.Click("Sign in")
			if tt.reaches {
				tab.WaitForText("Told of a code.")
			} else {
				popup.WaitForText("Back at the app")
			}
		})
	}
}

// TestLinkToDevView opens the developer's view by a link on another site's page, such
// as a terminal in the browser: the token is accepted after one more click.
func TestLinkToDevView(t *testing.T) {
	t.Parallel()
	pool := cognatetest.New(t, cognatetest.Options{DevView: true})
	address := pool.DevViewURL
	terminal := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w,
			`<!DOCTYPE html><html lang="en"><title>Terminal</title><a href="%s">Developer</a>`, address)
	})
	b := browser.Start(t)
	tab := b.NewVisitor(t)
	tab.Visit(terminal)
	tab.Click("Developer")
	tab.WaitForURL(pool.URL + "/_cognate/")
	tab.WaitForText("Nobody has signed in yet")
	for _, c := range tab.Cookies() {
		site, path := http.SameSiteStrictMode, "/_cognate/"
		if strings.HasPrefix(c.Name, "cognate-view-opened-") { // it opens nothing, and every page may know it
			site, path = http.SameSiteLaxMode, "/"
		}
		if c.SameSite != site || !c.HttpOnly || c.Path != path || c.Domain != "localhost" {
			t.Errorf("the cookie is %v", c)
		}
	}
	stranger := b.NewVisitor(t)
	stranger.Visit(pool.URL + "/_cognate/")
	stranger.WaitForText("so it wants a token")
}
