package cognatetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

// visit signs in with a new browser and returns the app's answer, and the reason if the
// app refused the sign-in.
func visit(t *testing.T, pool *cognatetest.Pool, client userpool.Client) (status int, reason cognate.Reason) {
	t.Helper()
	cfg := pool.AppConfig(client)
	cfg.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, e *cognate.Error) {
		reason = e.Reason
		w.WriteHeader(e.Status)
	}
	_, app := newApp(t, cfg)
	return pool.Visit(t, cognatetest.NewBrowser(t, appURL, app), appURL+"/hello", "ann", password).StatusCode, reason
}

// TestAppMeetsFaults signs in while something is broken, and again after the repair.
func TestAppMeetsFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		damage func(p *cognatetest.Pool)
		want   cognate.Reason
	}{
		"token endpoint refuses": {func(p *cognatetest.Pool) {
			p.Break(cognatetest.TokenEndpoint, cognatetest.Fault{Status: 400, Error: "invalid_grant"})
		}, cognate.ReasonCodeRefused},
		"token endpoint fails": {func(p *cognatetest.Pool) {
			p.Break(cognatetest.CodeGrant, cognatetest.Fault{Status: 500})
		}, cognate.ReasonTokenEndpoint},
		"token endpoint hangs up": {func(p *cognatetest.Pool) {
			p.Break(cognatetest.CodeGrant, cognatetest.Fault{Drop: true})
		}, cognate.ReasonTokenEndpoint},
		"answer is lost": {func(p *cognatetest.Pool) {
			p.Break(cognatetest.CodeGrant, cognatetest.Fault{DropAnswer: true})
		}, cognate.ReasonTokenEndpoint},
		"pool is down": {func(p *cognatetest.Pool) {
			p.Break(cognatetest.Everything, cognatetest.Fault{Drop: true})
		}, cognate.ReasonProviderDown},
		"no keys": {func(p *cognatetest.Pool) {
			p.Break(cognatetest.KeySet, cognatetest.Fault{Status: 404})
		}, cognate.ReasonProviderDown},
		"wrong nonce":     {(*cognatetest.Pool).WrongNonce, cognate.ReasonTokenNonce},
		"forged ID token": {(*cognatetest.Pool).ForgeIDToken, cognate.ReasonTokenSignature},
		"another audience": {func(p *cognatetest.Pool) {
			p.ChangeIDToken(func(c map[string]any) { c["aud"] = "somebody else" })
		}, cognate.ReasonTokenAudience},
		"no subject": {func(p *cognatetest.Pool) {
			p.ChangeIDToken(func(c map[string]any) { delete(c, "sub") })
		}, cognate.ReasonTokenMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, client := poolFor(t, appURL)
			tt.damage(pool)
			if status, reason := visit(t, pool, client); status < 400 || reason != tt.want {
				t.Errorf("got %d for reason %q, want %q", status, reason, tt.want)
			}
			pool.Repair()
			if status, reason := visit(t, pool, client); status != http.StatusOK {
				t.Errorf("repaired: got %d for reason %q", status, reason)
			}
		})
	}
}

// api calls the token endpoint as an app would.
type api struct {
	*cognatetest.Pool

	client userpool.Client
}

func newAPI(t *testing.T, rotation userpool.RefreshTokenRotation, options ...cognatetest.Options) *api {
	t.Helper()
	pool := cognatetest.New(t, options...)
	pool.AddUser(userpool.NewUser{Username: "ann", Password: password})
	client := pool.AddClient(userpool.Client{CallbackURLs: []string{callback}, RefreshTokenRotation: rotation})
	return &api{pool, client}
}

// tokens is a token response.
type tokens struct {
	Status  int    `json:"-"`
	Error   string `json:"error"`
	ID      string `json:"id_token"`
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// post calls the token endpoint.
func (a *api) post(ctx context.Context, form url.Values) (out tokens, err error) {
	form.Set("client_id", a.client.ID)
	form.Set("client_secret", string(a.client.Secret))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return out, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&out)
	if errors.Is(err, io.EOF) {
		err = nil // there is no body
	}
	out.Status = resp.StatusCode
	return out, err
}

func (a *api) refresh(ctx context.Context, token string) (tokens, error) {
	return a.post(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// code signs in and returns the form that redeems the code.
func (a *api) code(t *testing.T) url.Values {
	t.Helper()
	browser := cognatetest.NewBrowser(t, callback, nil)
	q := url.Values{"client_id": {a.client.ID}, "response_type": {"code"}, "nonce": {"N"}, "redirect_uri": {callback}}
	back := a.Authorize(t, browser, a.URL+"/oauth2/authorize?"+q.Encode(), "ann", password)
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {callback},
	}
}

// signIn returns the tokens of a new sign-in.
func (a *api) signIn(t *testing.T) tokens {
	t.Helper()
	out, err := a.post(t.Context(), a.code(t))
	if err != nil || out.Status != http.StatusOK || out.Refresh == "" {
		t.Fatalf("signing in: %d %s, %v", out.Status, out.Error, err)
	}
	return out
}

// want checks the status of the token endpoint. Zero means no answer.
func want(t *testing.T, what string, status int, got tokens, err error) {
	t.Helper()
	if got.Status != status || (err != nil) != (status == 0) {
		t.Errorf("%s: got %d %s, %v; want %d", what, got.Status, got.Error, err, status)
	}
}

// TestFaultsInTurn has faults that apply one after another, and faults of a single
// grant.
func TestFaultsInTurn(t *testing.T) {
	t.Parallel()
	a := newAPI(t, userpool.RefreshTokenRotation{})
	token := a.signIn(t).Refresh
	a.Break(cognatetest.RefreshGrant, cognatetest.Fault{Status: 503, RetryAfter: 7 * time.Second, Times: 2})
	a.Break(cognatetest.RefreshGrant, cognatetest.Fault{Drop: true, Times: 1})
	a.Break(cognatetest.RefreshGrant, cognatetest.Fault{Status: 400, Error: "invalid_grant", Times: 1})
	a.signIn(t) // it uses another grant
	for i, status := range []int{503, 503, 0, 400, 200} {
		got, err := a.refresh(t.Context(), token)
		want(t, "refresh "+string(rune('1'+i)), status, got, err)
		if status == 400 && got.Error != "invalid_grant" {
			t.Errorf("got error %q, want invalid_grant", got.Error)
		}
	}
	for e, n := range map[cognatetest.Endpoint]int{
		cognatetest.RefreshGrant: 5, cognatetest.CodeGrant: 2, cognatetest.TokenEndpoint: 7,
		cognatetest.KeySet: 0, cognatetest.AuthorizationEndpoint: 2,
	} {
		if got := a.Requests(e); got != n {
			t.Errorf("%q had %d requests, want %d", e, got, n)
		}
	}
	if got := a.Requests(cognatetest.Everything); got < 11 {
		t.Errorf("everything had %d requests, want 11 and the pages", got)
	}
}

// TestNarrowFaultsComeFirst gives one request three faults.
func TestNarrowFaultsComeFirst(t *testing.T) {
	t.Parallel()
	a := newAPI(t, userpool.RefreshTokenRotation{})
	token := a.signIn(t).Refresh
	a.Break(cognatetest.Everything, cognatetest.Fault{Status: 501})
	a.Break(cognatetest.TokenEndpoint, cognatetest.Fault{Status: 502, Times: 1})
	a.Break(cognatetest.RefreshGrant, cognatetest.Fault{Status: 503, Times: 1})
	for _, status := range []int{503, 502, 501, 501} {
		got, err := a.refresh(t.Context(), token)
		want(t, "refresh", status, got, err)
	}
	resp, err := http.Get(a.Issuer + string(cognatetest.Discovery))
	if err != nil || resp.StatusCode != 501 {
		t.Errorf("discovery: got %v, %v; want 501", resp, err)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	pool := cognatetest.New(t)
	pool.Break(cognatetest.Discovery, cognatetest.Fault{Status: 503, RetryAfter: 7 * time.Second})
	resp, err := http.Get(pool.Issuer + string(cognatetest.Discovery))
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "7" {
		t.Errorf("got %v, %v; want 503 and Retry-After: 7", resp, err)
	}
	if got := pool.Requests(cognatetest.Discovery); got != 1 {
		t.Errorf("discovery had %d requests, want 1", got)
	}
}

// TestFaultsOfScripts breaks an endpoint that a script calls: the script can read the
// error, and its CORS preflight does not fail.
func TestFaultsOfScripts(t *testing.T) {
	t.Parallel()
	pool := cognatetest.New(t)
	pool.Break(cognatetest.TokenEndpoint, cognatetest.Fault{Status: 429, RetryAfter: time.Second})
	for _, tt := range []struct {
		method string
		want   int
	}{{http.MethodOptions, 204}, {http.MethodPost, 429}} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, pool.URL+"/oauth2/token", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Access-Control-Request-Method", "POST")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tt.want || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: got %d %v", tt.method, resp.StatusCode, resp.Header)
		}
	}
	if got := pool.Requests(cognatetest.TokenEndpoint); got != 1 {
		t.Errorf("%d requests were counted, want that of the script", got)
	}
}

// TestDropAnswer uses a code without the app receiving the answer.
func TestDropAnswer(t *testing.T) {
	t.Parallel()
	a := newAPI(t, userpool.RefreshTokenRotation{})
	form := a.code(t)
	a.Break(cognatetest.CodeGrant, cognatetest.Fault{DropAnswer: true, Times: 1})
	got, err := a.post(t.Context(), form)
	want(t, "lost", 0, got, err)
	got, err = a.post(t.Context(), form)
	want(t, "again", http.StatusBadRequest, got, err)

	form = a.code(t)
	a.Break(cognatetest.CodeGrant, cognatetest.Fault{Drop: true, Times: 1})
	got, err = a.post(t.Context(), form)
	want(t, "never came", 0, got, err)
	got, err = a.post(t.Context(), form)
	want(t, "came", http.StatusOK, got, err)
}

// TestRotationReuse loses the answer to a refresh with rotation, and uses the rotated
// token within its grace period and after it.
func TestRotationReuse(t *testing.T) {
	t.Parallel()
	clock := cognatetest.NewClock(t)
	rotation := userpool.RefreshTokenRotation{Enabled: true, RetryGracePeriod: 10 * time.Second}
	a := newAPI(t, rotation, cognatetest.Options{Now: clock.Now})
	token := a.signIn(t).Refresh
	a.Break(cognatetest.RefreshGrant, cognatetest.Fault{DropAnswer: true, Times: 1})
	got, err := a.refresh(t.Context(), token)
	want(t, "lost", 0, got, err)
	clock.Advance(9 * time.Second)
	got, err = a.refresh(t.Context(), token)
	want(t, "in its grace", http.StatusOK, got, err)
	clock.Advance(time.Second)
	got, err = a.refresh(t.Context(), token)
	want(t, "after its grace", http.StatusBadRequest, got, err)
}

// TestHold has three requests under way at the same time.
func TestHold(t *testing.T) {
	t.Parallel()
	a := newAPI(t, userpool.RefreshTokenRotation{})
	token := a.signIn(t).Refresh
	release := make(chan struct{})
	a.Break(cognatetest.RefreshGrant, cognatetest.Fault{Hold: release})
	var wg sync.WaitGroup
	ended := make(chan struct{}, 3)
	for range 3 {
		wg.Go(func() {
			got, err := a.refresh(t.Context(), token)
			want(t, "held", http.StatusOK, got, err)
			ended <- struct{}{}
		})
	}
	for a.Requests(cognatetest.RefreshGrant) < 3 {
		time.Sleep(time.Millisecond)
	}
	if len(ended) != 0 {
		t.Error("a request was not held")
	}
	close(release)
	wg.Wait()
}

// TestDelay has a client that gives up, and one that waits.
func TestDelay(t *testing.T) {
	t.Parallel()
	a := newAPI(t, userpool.RefreshTokenRotation{})
	token := a.signIn(t).Refresh
	a.Break(cognatetest.RefreshGrant, cognatetest.Fault{Delay: time.Hour, Times: 1})
	a.Break(cognatetest.RefreshGrant, cognatetest.Fault{Delay: 50 * time.Millisecond, Times: 1})
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	go func() {
		for a.Requests(cognatetest.RefreshGrant) == 0 { // otherwise the second request would be delayed by an hour
			time.Sleep(time.Millisecond)
		}
		giveUp()
	}()
	_, err := a.refresh(ctx, token)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that of the client that gave up", err)
	}
	start := time.Now()
	got, err := a.refresh(t.Context(), token)
	want(t, "delayed", http.StatusOK, got, err)
	if d := time.Since(start); d < 50*time.Millisecond {
		t.Errorf("answered after %v, want 50 ms", d)
	}
}

// TestHeldRequestsEndWithTheTest ends a test while a request is held.
func TestHeldRequestsEndWithTheTest(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	t.Run("inner", func(t *testing.T) {
		pool := cognatetest.New(t)
		pool.Break(cognatetest.KeySet, cognatetest.Fault{Hold: make(chan struct{})})
		go func() {
			_, err := http.Get(pool.Issuer + string(cognatetest.KeySet))
			ended <- err
		}()
		for pool.Requests(cognatetest.KeySet) == 0 {
			time.Sleep(time.Millisecond)
		}
	})
	select {
	case <-ended:
	case <-time.After(time.Minute): // a thousand times longer than needed
		t.Error("a held request outlives its pool")
	}
}

// TestNoFault checks that a Fault which breaks nothing is refused, so that no test
// passes because of one.
func TestNoFault(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]cognatetest.Fault{
		"nothing": {}, "times alone": {Times: 2}, "error without status": {Error: "invalid_grant"},
		"a success": {Status: 200}, "negative": {Drop: true, Times: -1}, "no status": {Status: 1000},
	} {
		checkFatal(t, name, "is not a fault", func(tb testing.TB) {
			cognatetest.New(tb).Break(cognatetest.TokenEndpoint, f)
		})
	}
}
