package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"encoding/json"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/server"
)

const base = "http://localhost:9333"

func must[T any](v T, err error) T {
	if err != nil { log.Fatal(err) }
	return v
}

var callback = "https://127.0.0.1:5000/oidc_callback"

func main() {
	ctx := context.Background()
	trace := userpool.NewTrace(nil)
	pool := must(userpool.New(ctx, userpool.Config{ID: "local_Cognate01", Issuer: base + "/", Store: memstore.New(), Trace: trace,
		Hashing: userpool.HashCost{MemoryKiB: 19 << 10, Passes: 2, Lanes: 1},
		Settings: userpool.Settings{Name: "Shop", UsernameAttributes: []string{"email"}, SelfSignUp: true, MFA: userpool.MFAOptional, MFATypes: []string{userpool.FactorTOTP},
			Groups: []userpool.Group{{Name: "admins", Description: "People who may do everything"}},
			ResourceServers: []userpool.ResourceServer{{Identifier: "https://api.shop.test", Name: "Orders", Scopes: []userpool.ResourceServerScope{{Name: "read", Description: "Read orders"}}}},
		}}))
	c := must(pool.CreateClient(ctx, userpool.Client{ID: "cognatelocalclient00000001", Name: "Local app", Secret: "only_for_the_pool_on_this_machine", CallbackURLs: []string{callback, "http://localhost:3000/api/auth/callback/cognito"}, LogoutURLs: []string{"https://127.0.0.1:5000/"}}))
	must(pool.CreateClient(ctx, userpool.Client{ID: "single_page_app", Name: "Single-page app", CallbackURLs: []string{"http://localhost:5173/"}}))
	for _, n := range []string{"ann", "bob", "cem"} {
		must(pool.CreateUser(ctx, userpool.NewUser{Username: n + "@example.com", Password: "Correct-Horse-7", Groups: []string{"admins"}, Attributes: map[string]string{"email": n+"@example.com", "email_verified": "true", "name": strings.ToUpper(n[:1]) + n[1:]}}))
	}
	h := must(server.New(server.Config{Pool: pool, BaseURL: base, DevView: true, Logger: slog.Default()}))
	go func() { log.Fatal((&http.Server{Addr: "127.0.0.1:9333", Handler: h}).ListenAndServe()) }()
	time.Sleep(200 * time.Millisecond)
	if len(os.Args) > 1 {
		select {}
	}
	_ = slog.Default()
	signIn(c, "ann@example.com", "Correct-Horse-7", callback, "code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method", "S256", "nonce", "n-0S6_WzA2Mj", "state", "af0ifjsldkj")
	signIn(c, "bob@example.com", "wrong", callback, "state", "x1")
	get(client(), "/oauth2/authorize?"+q("redirect_uri", "https://localhost:5000/oidc_callback", "state", "s2").Encode())
	get(client(), "/oauth2/authorize?"+q("scope", "openid orders/write", "state", "s3").Encode())
	http.DefaultClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	signInWrongVerifier(c)
	get(client(), "/logout?"+url.Values{"client_id": {c.ID}, "logout_uri": {"https://127.0.0.1:5000"}}.Encode())
	fmt.Println("ready")
	select {}
}

func q(pairs ...string) url.Values {
	v := url.Values{"client_id": {"cognatelocalclient00000001"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid email profile"}}
	for i := 0; i < len(pairs); i += 2 { v.Set(pairs[i], pairs[i+1]) }
	return v
}

func client() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), base) { return http.ErrUseLastResponse }
		return nil
	}}
}

func get(c *http.Client, path string) (*http.Response, string) {
	r := must(c.Get(base + path))
	b, _ := io.ReadAll(r.Body)
	return r, string(b)
}

var csrf = regexp.MustCompile(`name="_csrf" value="([^"]+)"`)

func code(user, password string, pairs ...string) string {
	c := client()
	query := q(pairs...)
	_, page := get(c, "/oauth2/authorize?"+query.Encode())
	time.Sleep(1300 * time.Millisecond)
	m := csrf.FindStringSubmatch(page)
	post := func(pw string) *http.Response {
		return must(c.PostForm(base+"/login?"+query.Encode(), url.Values{"_csrf": {m[1]}, "username": {user}, "password": {pw}}))
	}
	if user == "ann@example.com" { post("Wrong-1"); time.Sleep(700*time.Millisecond) }
	r := post(password)
	u := must(url.Parse(r.Header.Get("Location")))
	return u.Query().Get("code")
}

func token(c userpool.Client, form url.Values) map[string]any {
	r, _ := http.NewRequest("POST", base+"/oauth2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.ID, string(c.Secret))
	a := must(http.DefaultClient.Do(r))
	var v map[string]any
	_ = json.NewDecoder(a.Body).Decode(&v)
	return v
}

func signIn(c userpool.Client, user, pw, cb string, pairs ...string) {
	cd := code(user, pw, pairs...)
	if cd == "" { return }
	v := token(c, url.Values{"grant_type": {"authorization_code"}, "code": {cd}, "redirect_uri": {cb}, "code_verifier": {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}})
	r, _ := http.NewRequest("GET", base+"/oauth2/userInfo", nil)
	r.Header.Set("Authorization", "Bearer "+v["access_token"].(string))
	must(http.DefaultClient.Do(r))
}

func signInWrongVerifier(c userpool.Client) {
	cd := code("cem@example.com", "Correct-Horse-7", "code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method", "S256", "state", "s9")
	token(c, url.Values{"grant_type": {"authorization_code"}, "code": {cd}, "redirect_uri": {callback}, "code_verifier": {"xBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}})
}
