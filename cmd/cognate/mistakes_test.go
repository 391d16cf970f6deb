package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/devtls"
	"github.com/cognate-auth/cognate/examples/hello/app"
)

// made makes the mistakes of docs/troubleshooting.md, by the names of their rows: each for
// real, and so that the browser ends on the page that a person sees.
var made = map[string]func(*desk){
	// The file, and the configuration.
	"file-missing": func(d *desk) {
		d.start(cognate.Config{ClientSecretsFile: filepath.Join(d.TempDir(), "client_secrets.json")})
	},
	"file-folder":      func(d *desk) { d.start(cognate.Config{ClientSecretsFile: d.TempDir()}) },
	"file-broken":      func(d *desk) { d.file("{\n  \"web\": {\n    \"client_id\": \"a\",\n  }\n}") },
	"file-placeholder": func(d *desk) { d.file(`{"web": {"client_id": "<client id>", "client_secret": "…"}}`) },
	"file-example":     func(d *desk) { d.withClient("4exampleclientid0123456789") },
	"secret-empty": func(d *desk) {
		d.file(`{"web": {"issuer": "http://localhost:9229/local_One", "client_id": "a", "client_secret": ""}}`)
	},
	"redirect-missing": func(d *desk) {
		d.file(`{"web": {"issuer": "http://localhost:9229/local_One", "client_id": "a"}}`)
	},
	"redirect-outside": func(d *desk) { d.withCallback("http://shop.example.com/oidc_callback") },
	"redirect-list": func(d *desk) {
		d.begin(func(c *cognate.Config) { c.RedirectURL = appAddress + "/callback" })
	},
	"key-short":    func(d *desk) { d.begin(func(c *cognate.Config) { c.Keys = []cognate.Secret{"hunter2"} }) },
	"key-none":     func(d *desk) { d.begin(func(c *cognate.Config) { c.Keys = nil }) },
	"scope-openid": func(d *desk) { d.begin(func(c *cognate.Config) { c.Scopes = []string{"email"} }) },
	"app-port":     (*desk).takenPort,

	// The issuer.
	"issuer-domain":  func(d *desk) { d.withIssuer("https://shop.auth.eu-west-1.amazoncognito.com") },
	"issuer-slash":   func(d *desk) { d.withIssuer(d.pool.client.Issuer + "/") },
	"issuer-outside": func(d *desk) { d.withIssuer("http://pool:9229/local_Mistakes") },
	"issuer-pool":    func(d *desk) { d.withIssuer(d.pool.url + "/local_Another") },
	"issuer-127": func(d *desk) {
		d.withIssuer(strings.Replace(d.pool.client.Issuer, "localhost", "127.0.0.1", 1))
	},
	"issuer-host": func(d *desk) {
		d.withIssuer(strings.Replace(d.pool.client.Issuer, "localhost", "shop.localhost", 1))
	},
	"issuer-https": func(d *desk) {
		d.another(func(p *poolProgram) {
			d.withIssuer(strings.Replace(p.url, "http:", "https:", 1) + "/local_Cognate01")
		})
	},
	"issuer-http": func(d *desk) {
		p := startPool(d.T, "--tls")
		d.withIssuer(strings.Replace(p.url, "https:", "http:", 1) + "/local_Cognate01")
	},
	"certificate": func(d *desk) { d.withIssuer(startPool(d.T, "--tls").url + "/local_Cognate01") },
	"pool-stopped": func(d *desk) {
		srv := httptest.NewServer(http.NotFoundHandler())
		srv.Close()
		d.withIssuer(srv.URL + "/local_Mistakes")
	},

	// Addresses.
	"redirect-path":      func(d *desk) { d.withCallback(appAddress + "/callback") },
	"redirect-port":      func(d *desk) { d.withCallback("https://127.0.0.1:5001/oidc_callback") },
	"redirect-slash":     func(d *desk) { d.withCallback(callbackURL + "/") },
	"redirect-localhost": func(d *desk) { d.withCallback("https://localhost:5000/oidc_callback") },
	"redirect-http":      func(d *desk) { d.withCallback("http://127.0.0.1:5000/oidc_callback") },
	"logout-url":         (*desk).unregisteredLogout,
	"opened-localhost": func(d *desk) {
		d.apps["https://localhost:5000"] = app.New(d.begin(asIs))
		d.signIn("https://localhost:5000/hello")
	},
	"app-http": (*desk).httpForApp,
	"pool-host": func(d *desk) {
		d.open(strings.Replace(d.pool.url, "localhost", "shop.localhost", 1) + "/login")
	},
	"pool-https": func(d *desk) {
		d.another(func(p *poolProgram) { d.open(strings.Replace(p.url, "http:", "https:", 1) + "/login") })
	},
	"pool-http": func(d *desk) {
		d.open(strings.Replace(startPool(d.T, "--tls").url, "https:", "http:", 1) + "/")
	},

	// The app client.
	"client-id":      func(d *desk) { d.withClient("anotherclient") },
	"scope-wrong":    (*desk).unknownScope,
	"secret-wrong":   func(d *desk) { d.withSecret("web", "the_secret_of_another_app_client") },
	"secret-missing": func(d *desk) { d.withSecret("web", "") },
	"secret-public":  func(d *desk) { d.withSecret("public", "only_for_the_pool_on_this_machine") },

	// People.
	"password-wrong": func(d *desk) {
		d.begin(asIs)
		d.fill(d.open(hello), "ann@example.com", "Wrong-Horse-7")
	},
	"user-unknown":     func(d *desk) { d.withUser("zoe@example.com") },
	"user-disabled":    func(d *desk) { d.withUser("dora@example.com") },
	"user-unconfirmed": func(d *desk) { d.withUser("uma@example.com") },
	"user-unverified":  func(d *desk) { d.withUser("bob@example.com") },
	"rule": func(d *desk) {
		d.begin(func(c *cognate.Config) { c.LoginRules = []cognate.Rule{cognate.Group("admins")} })
		d.signIn(hello)
	},

	// The browser, and time.
	"cookies-blocked": func(d *desk) {
		d.begin(asIs)
		form := d.open(hello)
		d.forget(func(string) bool { return true })
		d.follow(d.fill(form, "ann@example.com", password))
	},
	"bookmark": func(d *desk) {
		d.begin(asIs)
		bookmarked := d.open(hello).Request.URL.String()
		d.newBrowser()
		d.follow(d.fill(d.open(bookmarked), "ann@example.com", password))
	},
	"left-open":       (*desk).leftOpen,
	"back-button":     (*desk).backButton,
	"clock-ahead":     func(d *desk) { d.withClock(2 * time.Hour) },
	"clock-behind":    func(d *desk) { d.withClock(-2 * time.Hour) },
	"session-expired": (*desk).expired,
	"fetch": func(d *desk) {
		d.begin(asIs)
		d.fetch(hello)
	},

	// The session.
	"proxy-cookies": (*desk).droppedCookies,
	"cookie-twice":  (*desk).twoCookies,
	"session-large": (*desk).largeSession,
	"keys-differ":   (*desk).differentKeys,
	"keys-restart":  (*desk).restarted,
	"misplaced": func(d *desk) {
		auth := d.begin(asIs)
		d.apps[appAddress] = auth.RequireLogin(d.apps[appAddress])
		d.signIn(hello)
	},

	// The program.
	"pool-port": func(d *desk) { d.cognate("pool", "--addr", d.takenAddress()) },
	"pool-addr": func(d *desk) { d.cognate("pool", "--addr", "9229") },
	"flag":      func(d *desk) { d.cognate("pool", "--port", "9229") },
	"command":   func(d *desk) { d.cognate("pol") },
	"flag-and-file": func(d *desk) {
		d.cognate("pool", "--config", d.yaml(poolFile), "--client-id", "another")
	},
	"yaml-key": func(d *desk) {
		d.cognate("pool", "--config", d.yaml("pools:\n  - id: local_One\n    names: One\n"))
	},
	"yaml-value": func(d *desk) { d.cognate("pool", "--config", d.yaml("pools:\n  - id: One\n")) },
	"yaml-syntax": func(d *desk) {
		d.cognate("pool", "--config", d.yaml("pools:\n  - id: local_One\n\tname: One\n"))
	},
	"yaml-missing": func(d *desk) { d.cognate("pool", "--config", filepath.Join(d.TempDir(), "cognate.yaml")) },
	"view-token":   func(d *desk) { d.open(d.pool.url + "/_cognate/") },
}

// withIssuer opens the private page of an app that has another issuer.
func (d *desk) withIssuer(issuer string) {
	if d.begin(func(c *cognate.Config) { c.Issuer = issuer }) != nil {
		d.open(hello)
	}
}

// withCallback is an app whose redirect URL is not the registered one.
func (d *desk) withCallback(address string) {
	if d.begin(func(c *cognate.Config) { c.ClientSecrets.RedirectURIs = []string{address} }) != nil {
		d.open(hello)
	}
}

func (d *desk) withClient(id string) {
	d.begin(func(c *cognate.Config) { c.ClientID = id })
	d.open(hello)
}

// withSecret signs in to an app that has another secret than the client, of the pool's
// clients web and public.
func (d *desk) withSecret(client, secret string) {
	d.begin(func(c *cognate.Config) {
		c.ClientSecrets.ClientID, c.ClientSecrets.ClientSecret = "mistakes"+client, cognate.Secret(secret)
	})
	d.signIn(hello)
}

func (d *desk) withUser(name string) {
	d.begin(asIs)
	d.signInAs(hello, name)
}

// withClock signs in to an app whose clock is ahead of the pool's.
func (d *desk) withClock(ahead time.Duration) {
	d.begin(func(c *cognate.Config) { c.Now = func() time.Time { return time.Now().Add(ahead) } })
	d.signIn(hello)
}

func (d *desk) unknownScope() {
	d.begin(func(c *cognate.Config) { c.Scopes = []string{"openid", "email", "groups"} })
	d.open(hello)
}

func (d *desk) unregisteredLogout() {
	d.begin(func(c *cognate.Config) { c.LogoutRedirectURL = appAddress + "/bye" })
	d.signIn(hello)
	d.follow(d.send(http.MethodPost, appAddress+"/logout", url.Values{}, "same-origin"))
}

// leftOpen sends the pool's form when the app's sign-in is too old.
func (d *desk) leftOpen() {
	var late atomic.Int64
	d.begin(func(c *cognate.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	})
	form := d.open(hello)
	late.Store(int64(16 * time.Minute))
	d.follow(d.fill(form, "ann@example.com", password))
}

// backButton goes back to the callback of a sign-in that has ended.
func (d *desk) backButton() {
	d.begin(asIs)
	back := d.fill(d.open(hello), "ann@example.com", password)
	d.follow(back)
	d.follow(back)
}

// expired asks again with a session that is over: a script, which gets an answer that it
// can read, and not the sign-in page.
func (d *desk) expired() {
	var late atomic.Int64
	d.begin(func(c *cognate.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	})
	d.signIn(hello)
	late.Store(int64(9 * time.Hour))
	d.fetch(hello)
}

// fetch asks as a page's script does.
func (d *desk) fetch(address string) {
	r, err := http.NewRequestWithContext(d.Context(), http.MethodGet, address, nil)
	if err != nil {
		d.Fatal(err)
	}
	r.Header.Set("Accept", "*/*")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	d.do(r)
}

// droppedCookies has a proxy in front of the app that removes the session's cookie.
func (d *desk) droppedCookies() {
	d.begin(asIs)
	d.signIn(hello)
	behind := d.apps[appAddress]
	d.apps[appAddress] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept := http.Header{}
		for _, c := range r.Cookies() {
			if strings.Contains(c.Name, "-tx") {
				kept.Add("Cookie", c.Name+"="+c.Value)
			}
		}
		r.Header["Cookie"] = kept["Cookie"]
		behind.ServeHTTP(w, r)
	})
	d.open(hello)
}

// twoCookies has another app on the host that sets a cookie of the same name.
func (d *desk) twoCookies() {
	d.begin(asIs)
	d.signIn(hello)
	behind := d.apps[appAddress]
	d.apps[appAddress] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Add("Cookie", "__Host-cognate=of-another-app")
		behind.ServeHTTP(w, r)
	})
	d.open(hello)
}

// largeSession keeps a claim that does not fit into cookies.
func (d *desk) largeSession() {
	d.begin(func(c *cognate.Config) {
		c.Claims, c.Scopes = []string{"custom:*"}, []string{"openid", "profile", "email"}
	})
	d.signInAs(hello, "lou@example.com")
}

// differentKeys has two processes behind one address, each with keys of its own.
func (d *desk) differentKeys() {
	d.begin(func(c *cognate.Config) { c.Keys = keys("j") })
	another := d.apps[appAddress]
	d.begin(asIs)
	one := d.apps[appAddress]
	d.apps[appAddress] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oidc_callback" {
			another.ServeHTTP(w, r)
			return
		}
		one.ServeHTTP(w, r)
	})
	d.signIn(hello)
}

// restarted has an app without keys start again while somebody is at the sign-in page.
func (d *desk) restarted() {
	withoutKeys := func(c *cognate.Config) { c.Keys = nil }
	d.begin(withoutKeys)
	form := d.open(hello)
	d.begin(withoutKeys)
	d.follow(d.fill(form, "ann@example.com", password))
}

// takenAddress returns an address at which something listens until the test ends.
func (d *desk) takenAddress() string {
	srv := httptest.NewServer(http.NotFoundHandler())
	d.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// takenPort starts an example where another program listens.
func (d *desk) takenPort() {
	secrets := d.pool.client
	secrets.RedirectURIs = []string{"https://" + d.takenAddress() + "/oidc_callback"}
	var text strings.Builder
	err := secrets.Encode(&text)
	if err != nil {
		d.Fatal(err)
	}
	cmd := exec.CommandContext(d.Context(), "go", "run", "./examples/hello", "-client-secrets",
		d.write("client_secrets.json", text.String()))
	cmd.Dir, cmd.Env, cmd.Stderr = "../..", d.env, d.app
	err = cmd.Run()
	if err == nil {
		d.Error("the example ended well")
	}
}

// another opens a pool with https that serves http, which its terminal says once.
func (d *desk) another(open func(*poolProgram)) {
	p := startPool(d.T)
	open(p)
	d.program.print(p.said.until(d.T, regexp.MustCompile(`cognate: .* https.*`))[0])
}

// httpForApp opens an app that serves https over http.
func (d *desk) httpForApp() {
	l, err := devtls.Listen("127.0.0.1:0")
	if err != nil {
		d.Fatal(err)
	}
	srv := &http.Server{Handler: app.New(d.begin(asIs)), ReadHeaderTimeout: time.Minute}
	srv.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	go func() { _ = srv.Serve(l) }()
	defer func() { _ = srv.Close() }()
	d.open("http://" + l.Addr().String() + "/")
}

// yaml writes a file that describes pools, and returns its path.
func (d *desk) yaml(text string) string { return d.write("cognate.yaml", text) }
