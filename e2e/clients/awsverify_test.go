package clients

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
)

const (
	awsPool   = "eu-central-1_Example01"
	awsIssuer = "https://cognito-idp.eu-central-1.amazonaws.com/" + awsPool
)

// TestAWSJWTVerify verifies tokens with aws-jwt-verify. The pool's issuer has AWS's
// form, because CognitoJwtVerifier accepts no other.
func TestAWSJWTVerify(t *testing.T) {
	t.Parallel()
	p := newAWSPool(t)
	p.late.Store(int64(2 * time.Hour))
	old := p.signIn(t)
	p.late.Store(0)
	fresh := p.signIn(t)
	part := func(token string, i int) string { return strings.Split(token, ".")[i] }
	got := p.verify(t, map[string]string{
		"id": fresh.id, "access": fresh.access, "expired": old.id,
		"forged":   part(fresh.id, 0) + "." + part(old.id, 1) + "." + part(fresh.id, 2),
		"unsigned": withoutAlgorithm(t, part(fresh.id, 0)) + "." + part(fresh.id, 1) + "." + part(fresh.id, 2),
	})

	const (
		issuer, audience, scope = "JwtInvalidIssuerError", "JwtInvalidAudienceError", "JwtInvalidScopeError"
		client, groups          = "CognitoJwtInvalidClientIdError", "CognitoJwtInvalidGroupError"
		use, expired            = "CognitoJwtInvalidTokenUseError", "JwtExpiredError"
		forged, unsigned        = "JwtInvalidSignatureError", "JwtInvalidSignatureAlgorithmError"
		unknown                 = "ParameterValidationError" // no pool has this issuer
	)
	is := func(id, access, expired, forged, unsigned string) map[string]string {
		return map[string]string{"id": id, "access": access, "expired": expired, "forged": forged, "unsigned": unsigned}
	}
	want := map[string]map[string]string{
		"jwt":                   is("ok", "ok", expired, forged, unsigned),
		"jwt, audience":         is("ok", audience, expired, forged, unsigned),
		"jwt, another audience": is(audience, audience, expired, forged, unsigned),
		"jwt, another issuer":   is(issuer, issuer, expired, forged, unsigned),
		"id token":              is("ok", use, expired, forged, unsigned),
		"access token":          is(scope, "ok", expired, forged, unsigned),
		"another client":        is(client, client, expired, forged, unsigned),
		"another group":         is(groups, groups, expired, forged, unsigned),
		"another scope":         is(scope, scope, expired, forged, unsigned),
		"another pool":          is(unknown, unknown, unknown, unknown, unknown),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// withoutAlgorithm is a token's header for an unsigned token.
func withoutAlgorithm(t *testing.T, header string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil || !bytes.Contains(text, []byte(`"RS256"`)) {
		t.Fatalf("header %s: %v", text, err)
	}
	return base64.RawURLEncoding.EncodeToString(bytes.Replace(text, []byte("RS256"), []byte("none"), 1))
}

// awsTest is a pool with TLS whose issuer is not its real address.
type awsTest struct {
	srv    *httptest.Server
	client userpool.Client
	late   atomic.Int64 // how far the pool's clock is behind
}

func newAWSPool(t *testing.T) *awsTest {
	t.Helper()
	p := &awsTest{srv: httptest.NewUnstartedServer(nil)}
	base := "https://" + p.srv.Listener.Addr().String()
	up, err := pool.New(t.Context(), pool.Config{
		ID: awsPool, Issuer: awsIssuer, Store: memstore.New(),
		Hashing: userpool.HashCost{MemoryKiB: 8, Passes: 1, Lanes: 1}, HashWait: time.Minute,
		Now: func() time.Time { return time.Now().Add(-time.Duration(p.late.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	client := userpool.Client{CallbackURLs: []string{base + "/callback"}, GenerateSecret: true}
	p.client, err = up.Clients.Create(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	_, err = up.Users.Create(t.Context(), userpool.NewUser{Username: name, Password: password, Groups: []string{group}})
	if err != nil {
		t.Fatal(err)
	}
	p.srv.Config.Handler, err = server.New(server.Config{Pool: up, BaseURL: base})
	if err != nil {
		t.Fatal(err)
	}
	p.srv.StartTLS()
	t.Cleanup(p.srv.Close)
	return p
}

type awsTokens struct{ id, access string }

// signIn fills in the pool's form and exchanges the code.
func (p *awsTest) signIn(t *testing.T) awsTokens {
	t.Helper()
	b := newBrowser(t)
	config := oauth2.Config{
		ClientID: p.client.ID, ClientSecret: string(p.client.Secret),
		RedirectURL: p.srv.URL + "/callback", Scopes: []string{"openid"},
		Endpoint: oauth2.Endpoint{AuthURL: p.srv.URL + "/oauth2/authorize", TokenURL: p.srv.URL + "/oauth2/token"},
	}
	verifier := oauth2.GenerateVerifier()
	form := b.get(t, config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
	answer := b.submit(t, form, url.Values{"username": {name}, "password": {password}})
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, p.srv.Client())
	got, err := config.Exchange(ctx, answer.at.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatalf("%v, after %s", err, answer)
	}
	id, _ := got.Extra("id_token").(string)
	return awsTokens{id, got.AccessToken}
}

var (
	action = regexp.MustCompile(`<form name="cognitoSignInForm"[^>]* action="([^"]*)"`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// submit sends the sign-in form of a page, and returns at the app.
func (b *browser) submit(t *testing.T, p page, form url.Values) page {
	t.Helper()
	to := action.FindStringSubmatch(p.body)
	if to == nil {
		t.Fatalf("no sign-in form at %s: %s", p.at.Path, p)
	}
	for _, input := range hidden.FindAllStringSubmatch(p.body, -1) {
		form.Set(input[1], html.UnescapeString(input[2]))
	}
	address, err := p.at.Parse(html.UnescapeString(to[1]))
	if err != nil {
		t.Fatal(err)
	}
	body := strings.NewReader(form.Encode())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address.String(), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", address.Scheme+"://"+address.Host)
	return b.do(t, req)
}

// verify runs aws-jwt-verify. JwtVerifier fetches the keys itself.
func (p *awsTest) verify(t *testing.T, tokens map[string]string) (results map[string]map[string]string) {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.srv.Certificate().Raw})))
	jwksURI := p.srv.URL + "/" + awsPool + "/.well-known/jwks.json"
	input, err := json.Marshal(map[string]any{
		"issuer": awsIssuer, "jwksUri": jwksURI, "jwks": json.RawMessage(p.keys(t, jwksURI)),
		"userPoolId": awsPool, "clientId": p.client.ID, "group": group, "tokens": tokens,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := node(t, "aws-jwt-verify.mjs")
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+ca)
	cmd.Stdin = bytes.NewReader(input)
	complaints := &output{}
	cmd.Stderr = complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("aws-jwt-verify.mjs: %v\n%s", err, complaints)
	}
	err = json.Unmarshal(out, &results)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return results
}

func (p *awsTest) keys(t *testing.T, address string) []byte {
	t.Helper()
	resp, err := p.srv.Client().Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	keys, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
