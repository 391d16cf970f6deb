package cognate_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
	"github.com/cognate-auth/cognate/userpool"
)

const (
	devOrigin    = "http://localhost:5000"
	devPassword  = "Correct-Horse-7"
	reportsArise = cognatetest.Endpoint("/_cognate/report")
)

// development is a developer's machine: a local pool with its view, an app that signs in
// there, and a browser.
type development struct {
	t      *testing.T
	pool   *cognatetest.Pool
	client userpool.Client
	clock  *cognatetest.Clock // the pool's
	app    *cognatetest.Clock
	log    *logBuffer
	auth   *cognate.Auth
	serve  http.Handler
	jar    *cookiejar.Jar
	now    int64 // version of the trace that was looked at
}

func newDevelopment(t *testing.T, change func(*development, *cognate.Config)) *development {
	t.Helper()
	return newDevelopmentWith(t, true, change)
}

func newDevelopmentWith(t *testing.T, view bool, change func(*development, *cognate.Config)) *development {
	t.Helper()
	d := &development{t: t, clock: cognatetest.NewClock(t), app: cognatetest.NewClock(t)}
	d.pool = cognatetest.New(t, cognatetest.Options{DevView: view, Now: d.clock.Now})
	d.client = d.pool.AddClient(userpool.Client{
		Name: "The App", CallbackURLs: []string{devOrigin + "/oidc_callback"},
	})
	for name, verified := range map[string]string{"ann": "true", "bob": "false"} {
		d.pool.AddUser(userpool.NewUser{
			Username: name, Password: devPassword,
			Attributes: map[string]string{"email": name + "@example.com", "email_verified": verified},
		})
	}
	d.start(change)
	d.forgetCookies()
	return d
}

// start starts the app, once more if it runs.
func (d *development) start(change func(*development, *cognate.Config)) {
	d.t.Helper()
	d.log = &logBuffer{}
	cfg := d.pool.AppConfig(d.client)
	cfg.Logger, cfg.Now = slog.New(slog.NewTextHandler(d.log, nil)), d.app.Now
	if change != nil {
		change(d, &cfg)
	}
	var err error
	d.auth, err = cognate.New(cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	d.serve = d.auth.Handler(d.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello "+cognate.UserFrom(r.Context()).Email)
	})))
}

func (d *development) forgetCookies() {
	d.t.Helper()
	var err error
	d.jar, err = cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
}

// open opens an address of the app in the browser.
func (d *development) open(address string, headers ...string) *http.Response {
	d.t.Helper()
	u := mustURL(d.t, address)
	r := httptest.NewRequestWithContext(d.t.Context(), http.MethodGet, address, nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range d.jar.Cookies(u) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	d.serve.ServeHTTP(w, r)
	resp := w.Result()
	d.jar.SetCookies(u, resp.Cookies())
	return resp
}

// atPool begins at a page of the app and signs in at the pool. It returns the callback, which
// nobody has opened yet.
func (d *development) atPool(page, name string) string {
	d.t.Helper()
	resp := d.open(page)
	there := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusFound || !strings.HasPrefix(there, d.pool.URL) {
		d.t.Fatalf("%s: status %d to %q\n%s", page, resp.StatusCode, there, d.log)
	}
	return d.pool.Authorize(d.t, &http.Client{Jar: d.jar}, there, name, devPassword).String()
}

// signIn is atPool and the callback.
func (d *development) signIn(name string) *http.Response {
	d.t.Helper()
	return d.open(d.atPool(devOrigin+"/page", name))
}

// look reads a page of the view.
func (d *development) look(path string) string {
	d.t.Helper()
	token := mustURL(d.t, d.pool.DevViewURL).Query().Get("token")
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.pool.URL+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text := body(d.t, resp)
	if resp.StatusCode != http.StatusOK {
		d.t.Fatalf("%s: status %d:\n%s", path, resp.StatusCode, text)
	}
	return text
}

// A told is what flows.json says of a sign-in.
type told struct {
	ID, State, Outcome string
	Failed             bool
	Steps              []struct{ Path, Error, Hint string }
}

func (d *development) flows(query string) []told {
	d.t.Helper()
	var all struct {
		Version int64
		SignIns []told
	}
	err := json.Unmarshal([]byte(d.look("/_cognate/flows.json"+query)), &all)
	if err != nil {
		d.t.Fatal(err)
	}
	d.now = all.Version
	return all.SignIns
}

func (f told) reports() (n int) {
	for _, step := range f.Steps {
		if step.Path == string(reportsArise) {
			n++
		}
	}
	return n
}

// reported waits until all sign-ins together have as many reports, and returns them. Reports
// come in the background.
func (d *development) reported(want int) []told {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	for {
		all, got := d.flows(""), 0
		for _, f := range all {
			got += f.reports()
		}
		if got >= want || ctx.Err() != nil {
			if got != want {
				d.t.Fatalf("%d reports, want %d: %+v", got, want, all)
			}
			return all
		}
		d.pool.UserPool().Trace().Wait(ctx, d.now)
	}
}

// failing is one thing that goes wrong in an app, where a pool sees nothing of it.
type failing struct {
	reason cognate.Reason
	config func(*development, *cognate.Config)
	do     func(*development) *http.Response
	view   string // what the view says besides
	before int    // reports of sign-ins that went well
}

func failures() map[string]failing {
	signIn := func(name string) func(*development) *http.Response {
		return func(d *development) *http.Response { return d.signIn(name) }
	}
	return map[string]failing{
		"clock behind": {
			reason: cognate.ReasonTokenNotYetValid, view: "The app’s clock is 2h0m0s behind this pool’s.",
			do: func(d *development) *http.Response { d.app.Advance(-2 * time.Hour); return d.signIn("ann") },
		},
		"clock ahead": {
			reason: cognate.ReasonTokenExpired, view: "The app’s clock is 2h0m0s ahead of this pool’s.",
			do: func(d *development) *http.Response { d.app.Advance(2 * time.Hour); return d.signIn("ann") },
		},
		"unverified address": {
			reason: cognate.ReasonEmailNotVerified, do: signIn("bob"), view: "email_verified: ",
			config: func(_ *development, c *cognate.Config) { c.RequireVerifiedEmail = true },
		},
		"other address": {
			reason: cognate.ReasonOtherAddress, view: `began at "127.0.0.1:5000", and ends at "localhost:5000"`,
			do: func(d *development) *http.Response { return d.open(d.atPool("http://127.0.0.1:5000/page", "ann")) },
		},
		"lost cookie": {
			reason: cognate.ReasonState, view: "let the browser keep cookies",
			do: func(d *development) *http.Response {
				back := d.atPool(devOrigin+"/page", "ann")
				d.forgetCookies()
				return d.open(back)
			},
		},
		"bookmarked callback": {
			reason: cognate.ReasonState, before: 1, view: "a bookmark",
			do: func(d *development) *http.Response {
				back := d.atPool(devOrigin+"/page", "ann")
				d.open(back)
				d.forgetCookies() // the next day
				return d.open(back)
			},
		},
		"the app was started again, without keys": {
			reason: cognate.ReasonState, view: "without Keys, the app was started again",
			do: func(d *development) *http.Response {
				back := d.atPool(devOrigin+"/page", "ann")
				d.start(func(_ *development, c *cognate.Config) {
					c.Keys = []cognate.Secret{cognate.Secret(strings.Repeat("n", 32))}
				})
				d.open(devOrigin + "/page") // it knows the pool by then
				return d.open(back)
			},
		},
		"left open": {
			reason: cognate.ReasonExpired, view: "Begin again at the app",
			do: func(d *development) *http.Response {
				back := d.atPool(devOrigin+"/page", "ann")
				d.app.Advance(16 * time.Minute)
				return d.open(back)
			},
		},
		"wrong secret": {
			reason: cognate.ReasonClientRefused, do: signIn("ann"), view: "invalid_client",
			config: func(_ *development, c *cognate.Config) { c.ClientSecret = "of-the-day-before" },
		},
		"a rule": {
			reason: cognate.ReasonDenied, do: signIn("ann"), view: `required: group "admins"`,
			config: func(_ *development, c *cognate.Config) { c.LoginRules = []cognate.Rule{cognate.Group("admins")} },
		},
		"a hook": {
			reason: cognate.ReasonVetoed, do: signIn("ann"), view: "no seat left <in> the plan",
			config: func(_ *development, c *cognate.Config) {
				c.Hooks.OnLogin = func(context.Context, cognate.LoginEvent) error {
					return errors.New("no seat left <in> the plan")
				}
			},
		},
		"userInfo down": {
			reason: cognate.ReasonUserInfo, view: "status 503",
			config: func(_ *development, c *cognate.Config) { c.UserInfo = cognate.UserInfoAlways },
			do: func(d *development) *http.Response {
				d.pool.Break(cognatetest.UserInfoEndpoint, cognatetest.Fault{Status: 503})
				return d.signIn("ann")
			},
		},
		"wrong nonce": {
			reason: cognate.ReasonTokenNonce, view: "belongs to another sign-in",
			do: func(d *development) *http.Response { d.pool.WrongNonce(); return d.signIn("ann") },
		},
		"store down": {
			reason: cognate.ReasonStoreDown, do: signIn("ann"), view: "Is the session store running",
			config: func(_ *development, c *cognate.Config) {
				c.Session.Store = brokenSessions{sessionstore.NewMemory(10)}
			},
		},
		"session cookie blocked": {
			reason: cognate.ReasonCookieBlocked, before: 3, view: "3 sign-ins in a row succeeded",
			do: func(d *development) *http.Response {
				for range 3 {
					d.signIn("ann")
					u := mustURL(d.t, devOrigin)
					d.jar.SetCookies(u, []*http.Cookie{{Name: "cognate", MaxAge: -1, Path: "/"}})
				}
				return d.open(devOrigin + "/page")
			},
		},
	}
}

// brokenSessions keeps marks, and no session.
type brokenSessions struct{ sessionstore.Store }

func (brokenSessions) Create(context.Context, sessionstore.Record) error {
	return errors.New("the disk is full")
}

// TestWhatFailsInTheAppIsTold has each of the things fail that a pool sees nothing of: the
// page, the log and the view name the reason and the mend, and the page leads to the view.
func TestWhatFailsInTheAppIsTold(t *testing.T) {
	for name, tt := range failures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDevelopment(t, tt.config)
			resp := tt.do(d)
			page := html.UnescapeString(body(t, resp))
			hint := (&cognate.Error{Reason: tt.reason, ProviderCode: "invalid_client"}).Hint()
			heading := "For the developer <code>" + string(tt.reason) + "</code>"
			if resp.StatusCode < 400 || !strings.Contains(page, heading) || !strings.Contains(page, hint) {
				t.Errorf("the page, with status %d, lacks %s or %q:\n%s", resp.StatusCode, tt.reason, hint, page)
			}
			log := strings.ReplaceAll(d.log.String(), `\"`, `"`)
			if !strings.Contains(log, "reason="+string(tt.reason)) || !strings.Contains(log, hint) {
				t.Errorf("the log lacks %s or %q:\n%s", tt.reason, hint, log)
			}

			d.reported(tt.before + 1)
			flows := d.flows("?failed=1")
			if len(flows) != 1 {
				t.Fatalf("%d sign-ins failed, want 1: %+v", len(flows), flows)
			}
			f := flows[0]
			last := f.Steps[len(f.Steps)-1]
			if f.State != "failed" || f.Outcome != "The app refused: "+string(tt.reason) ||
				last.Error != string(tt.reason) || last.Hint != hint {
				t.Errorf("flows.json: %+v", f)
			}
			shown := html.UnescapeString(d.look("/_cognate/flows/" + f.ID))
			for _, want := range []string{"The app refused the sign-in", string(tt.reason), hint, tt.view} {
				if !strings.Contains(shown, want) {
					t.Errorf("the view lacks %q:\n%s", want, shown)
				}
			}
			_, rest, linked := strings.Cut(page, `<a href="`+d.pool.URL+"/_cognate/report?sign_in=")
			digest, _, _ := strings.Cut(rest, `"`)
			if !linked || strings.Contains(page, "token=") ||
				html.UnescapeString(d.look("/_cognate/report?sign_in="+digest)) != shown {
				t.Errorf("the page does not lead to the sign-in, or with the token:\n%s", page)
			}
		})
	}
}

// TestTheAppSaysThatItSignedIn: green is what the app says, and not that there are tokens.
func TestTheAppSaysThatItSignedIn(t *testing.T) {
	d := newDevelopment(t, nil)
	if resp := d.signIn("ann"); resp.StatusCode != http.StatusFound {
		t.Fatalf("status %d:\n%s", resp.StatusCode, d.log)
	}
	f := d.reported(1)[0]
	if f.State != "done" || f.Outcome != "Signed in" || f.Failed {
		t.Errorf("flows.json: %+v", f)
	}
	if page := d.look("/_cognate/flows/" + f.ID); !strings.Contains(page, "The app signed the person in") {
		t.Errorf("the view does not say that the app signed in:\n%s", page)
	}
	// From now on the view expects a word.
	d.pool.Break(reportsArise, cognatetest.Fault{Status: http.StatusServiceUnavailable})
	d.forgetCookies()
	d.signIn("ann")
	f = d.flows("")[0]
	if f.State != "waiting" || !strings.Contains(f.Outcome, "has not said how it ended") {
		t.Errorf("without a word: %+v", f)
	}
	d.clock.Advance(4 * time.Second)
	if hint := d.flows("")[0].Steps[len(f.Steps)-1].Hint; !strings.Contains(hint, "Did it stop?") {
		t.Errorf("after a while the hint is %q", hint)
	}
}

// TestScriptsAreToldInDevelopment answers a script.
func TestScriptsAreToldInDevelopment(t *testing.T) {
	d := newDevelopment(t, func(_ *development, c *cognate.Config) { c.RequireVerifiedEmail = true })
	back := d.atPool(devOrigin+"/page", "bob")
	got := jsonBody(t, d.open(back, "Accept", "application/json", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"))
	hint := (&cognate.Error{Reason: cognate.ReasonEmailNotVerified}).Hint()
	view, _ := got["view"].(string)
	cause, _ := got["cause"].(string)
	if got["error"] != "email_not_verified" || got["hint"] != hint || !strings.Contains(cause, "not verified") ||
		!strings.HasPrefix(view, d.pool.URL+"/_cognate/report?sign_in=") {
		t.Errorf("a script gets %v", got)
	}
}

// TestOthersAreToldNothing opens an app of a developer from another machine, and under a name
// that somebody else has pointed at this one.
func TestOthersAreToldNothing(t *testing.T) {
	d := newDevelopment(t, nil)
	page := []string{"Sec-Fetch-Mode", "navigate"}
	script := []string{"Accept", "application/json", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}
	for host, told := range map[string]bool{
		"127.0.0.1:5000": true, "localhost:5000": true, "LocalHost.:5000": true, "shop.localhost": true,
		"[::1]:5000":     true,
		"192.0.2.1:5000": false, "rebound.example.test:5000": false, "localhost.example.test": false,
		"0.0.0.0:5000": false,
	} {
		for _, headers := range [][]string{page, script} {
			text := body(t, d.open("https://"+host+"/oidc_callback?code=x&state=x", headers...))
			if got := strings.Contains(text, "For the developer") || strings.Contains(text, `"hint"`); got != told {
				t.Errorf("%s with %s: the developer is spoken to: %t, want %t:\n%s", host, headers[1], got, told, text)
			}
		}
	}
}

// TestNoViewNoReport signs in at a local pool without its view.
func TestNoViewNoReport(t *testing.T) {
	d := newDevelopmentWith(t, false, func(_ *development, c *cognate.Config) { c.RequireVerifiedEmail = true })
	page := body(t, d.signIn("bob"))
	if !strings.Contains(page, "For the developer") || strings.Contains(page, "_cognate") {
		t.Errorf("the page is\n%s", page)
	}
	if n := d.pool.Requests(reportsArise); n != 0 {
		t.Errorf("%d reports were sent to a pool that takes none", n)
	}
}

// reportAddresses are members of discovery documents, and whether a report may go there.
var reportAddresses = map[string]struct {
	issuer, endpoint string
	protocol         string // origin of the other endpoints
	want             bool
}{
	"a local pool":        {"http://localhost:9/p", "http://localhost:9/report", "http://localhost:9", true},
	"https":               {"https://127.0.0.1:9/p", "https://127.0.0.1:9/report", "https://127.0.0.1:9", true},
	"a name below":        {"http://p.localhost:9/p", "http://p.localhost:9/r", "http://p.localhost:9", true},
	"production":          {"https://idp.test/p", "https://idp.test/report", "https://idp.test", false},
	"production, here":    {"https://idp.test/p", "http://localhost:9/report", "https://idp.test", false},
	"here, elsewhere":     {"http://localhost:9/p", "https://idp.test/report", "http://localhost:9", false},
	"another port":        {"http://localhost:9/p", "http://localhost:10/report", "http://localhost:9", false},
	"another name":        {"http://localhost:9/p", "http://127.0.0.1:9/report", "http://localhost:9", false},
	"another scheme":      {"http://localhost:9/p", "https://localhost:9/report", "http://localhost:9", false},
	"issuer elsewhere":    {"https://idp.test/p", "http://localhost:9/report", "http://localhost:9", false},
	"issuer here alone":   {"http://localhost:9/p", "https://idp.test/report", "https://idp.test", false},
	"endpoints elsewhere": {"http://localhost:9/p", "http://localhost:9/report", "https://idp.test", false},
	"with a name":         {"http://localhost:9/p", "http://x@localhost:9/report", "http://localhost:9", false},
	"with a query":        {"http://localhost:9/p", "http://localhost:9/report?x=y", "http://localhost:9", false},
	"with a fragment":     {"http://localhost:9/p", "http://localhost:9/report#x", "http://localhost:9", false},
	"another kind of URL": {"http://localhost:9/p", "file:///etc/passwd", "http://localhost:9", false},
	"a path":              {"http://localhost:9/p", "/report", "http://localhost:9", false},
	"a name that looks so": {"https://localhost.evil.test/p", "https://localhost.evil.test/r",
		"https://localhost.evil.test", false},
}

// TestReportsStayOnThisMachine has providers of all kinds announce that they take reports. Only
// one on this machine gets any, and only at its own origin.
func TestReportsStayOnThisMachine(t *testing.T) {
	for name, tt := range reportAddresses {
		t.Run(name, func(t *testing.T) {
			fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
				p.Issuer = tt.issuer
				p.EditDiscovery = func(doc map[string]any) {
					doc["cognate_sign_in_report_endpoint"] = tt.endpoint
					doc["authorization_endpoint"] = tt.protocol + "/authorize"
					doc["token_endpoint"] = tt.protocol + "/token"
				}
				var mu sync.Mutex
				var sent []string
				inner := p.HTTPClient.Transport
				transport := fakeprovider.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
					mu.Lock()
					defer mu.Unlock()
					if strings.Contains(r.URL.Path, "/r") {
						text, _ := io.ReadAll(r.Body)
						sent = append(sent, r.URL.String()+" "+string(text))
						return &http.Response{StatusCode: 204, Body: http.NoBody}, nil
					}
					return inner.RoundTrip(withPath(r))
				})
				x := newApp(t, p, func(c *cognate.Config) { c.HTTPClient = &http.Client{Transport: transport} })
				b := x.browser(t)
				resp := b.get("/private/")
				state := mustURL(t, resp.Header.Get("Location")).Query().Get("state")
				resp = b.get("/oidc_callback?" + url.Values{"state": {state}, "error": {"access_denied"}}.Encode())
				text := body(t, resp)
				if strings.Contains(text, "developer") || strings.Contains(text, tt.endpoint) {
					t.Errorf("an app elsewhere tells the visitor:\n%s", text)
				}
				time.Sleep(time.Hour) // of virtual time
				mu.Lock()
				defer mu.Unlock()
				if got := len(sent) == 1; got != tt.want || len(sent) > 1 {
					t.Fatalf("sent %q, want a report: %v", sent, tt.want)
				}
				if tt.want && (!strings.HasPrefix(sent[0], tt.endpoint+" ") || strings.Contains(sent[0], state) ||
					!strings.Contains(sent[0], `"reason":"provider_error"`)) {
					t.Errorf("sent %q", sent[0])
				}
			})
		})
	}
}

// withPath takes the path of the issuer out of a request for its discovery document.
func withPath(r *http.Request) *http.Request {
	r.URL.Path = strings.TrimPrefix(r.URL.Path, "/p")
	return r
}

// TestReportsDelayNobody has a pool that takes reports and never answers, or breaks off:
// sign-ins end as always, one request is under way at most, and none for long.
func TestReportsDelayNobody(t *testing.T) {
	for name, breaks := range map[string]bool{"hangs": false, "breaks": true} {
		t.Run(name, func(t *testing.T) {
			fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
				p.EditDiscovery = func(doc map[string]any) {
					doc["cognate_sign_in_report_endpoint"] = p.URL + "/_cognate/report"
				}
				var underWay, most, all atomic.Int32
				inner := p.HTTPClient.Transport
				transport := fakeprovider.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
					if r.URL.Path != string(reportsArise) {
						return inner.RoundTrip(r)
					}
					all.Add(1)
					most.Store(max(most.Load(), underWay.Add(1)))
					defer underWay.Add(-1)
					<-r.Context().Done()
					if breaks {
						panic("a transport that breaks")
					}
					return nil, r.Context().Err()
				})
				x := newApp(t, p, func(c *cognate.Config) {
					c.HTTPClient, c.Now = &http.Client{Transport: transport}, time.Now
				})
				began := time.Now()
				for range 30 {
					if resp := x.browser(t).signIn(p); resp.StatusCode != http.StatusFound {
						t.Errorf("status %d:\n%s", resp.StatusCode, x.log)
					}
				}
				if took := time.Since(began); took != 0 {
					t.Errorf("30 sign-ins took %s longer", took)
				}
				time.Sleep(cognate.ReportTime)
				synctest.Wait()
				if underWay.Load() != 0 || most.Load() != 1 || all.Load() != 1 {
					t.Errorf("%d reports are still under way, %d were at once, %d in all; want 0, 1 and 1",
						underWay.Load(), most.Load(), all.Load())
				}
				x.browser(t).signIn(p)
				time.Sleep(time.Minute) // net/http has timers of its own
				if all.Load() != 2 {
					t.Errorf("%d reports, want another one after the failure", all.Load())
				}
			})
		})
	}
}

// TestReportsKeepTheirOrder has many sign-ins end while the first report is under way: as many
// as may wait are told, in their order.
func TestReportsKeepTheirOrder(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		p.EditDiscovery = func(doc map[string]any) {
			doc["cognate_sign_in_report_endpoint"] = p.URL + "/_cognate/report"
		}
		var got []string
		inner := p.HTTPClient.Transport
		transport := fakeprovider.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != string(reportsArise) {
				return inner.RoundTrip(r)
			}
			time.Sleep(time.Second)
			var said struct {
				SignIn string `json:"sign_in"`
			}
			err := json.NewDecoder(r.Body).Decode(&said)
			got = append(got, said.SignIn)
			return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, err
		})
		x := newApp(t, p, func(c *cognate.Config) {
			c.HTTPClient, c.Now = &http.Client{Transport: transport}, time.Now
		})
		var want []string
		for range 20 {
			b := x.browser(t)
			there := b.get("/private/").Header.Get("Location")
			sum := sha256.Sum256([]byte(mustURL(t, there).Query().Get("state")))
			want = append(want, base64.RawURLEncoding.EncodeToString(sum[:]))
			b.get("/oidc_callback?" + p.SignIn(t, there).Encode())
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(got) != 9 || !slices.Equal(got, want[:9]) {
			t.Errorf("%d were told: %q, want one and the eight that waited, %q", len(got), got, want[:9])
		}
	})
}
