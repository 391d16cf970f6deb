package cognatetest_test

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

// verified verifies a token with the keys that the pool publishes and another package's
// parser, and returns header and claims.
func verified(t *testing.T, pool *cognatetest.Pool, raw string, now func() time.Time) (header, claims map[string]any) {
	t.Helper()
	parser := jwt.NewParser(jwt.WithIssuer(pool.Issuer), jwt.WithTimeFunc(now), jwt.WithExpirationRequired())
	token, err := parser.Parse(raw, func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		return published(t, pool)[kid], nil
	})
	if err != nil {
		t.Fatalf("token: %v", err)
	}
	return token.Header, token.Claims.(jwt.MapClaims)
}

// TestChangedTokens changes both tokens: they are valid and differ only in the changes.
func TestChangedTokens(t *testing.T) {
	t.Parallel()
	a := newAPI(t, userpool.RefreshTokenRotation{})
	a.ChangeIDToken(func(c map[string]any) { c["nonce"] = c["nonce"].(string) + "!" })
	a.ChangeAccessToken(func(c map[string]any) { c["scope"] = "openid everything" })
	changed := a.signIn(t)
	_, id := verified(t, a.Pool, changed.ID, time.Now)
	_, access := verified(t, a.Pool, changed.Access, time.Now)
	if id["nonce"] != "N!" || access["scope"] != "openid everything" {
		t.Errorf("nonce %v, scope %v", id["nonce"], access["scope"])
	}
	if id["aud"] != a.client.ID || access["client_id"] != a.client.ID || id["sub"] == nil ||
		id["sub"] != access["sub"] {
		t.Errorf("other claims changed: %v, %v", id, access)
	}
	sum := sha256.Sum256([]byte(changed.Access))
	if id["at_hash"] != base64.RawURLEncoding.EncodeToString(sum[:16]) {
		t.Error("at_hash does not fit the access token")
	}
	if head, _, _ := strings.Cut(changed.ID, "."); len(head) == 0 || strings.Contains(decode(t, head), "typ") {
		t.Errorf("header %s, want only kid and alg", decode(t, head))
	}

	a.ChangeIDToken(nil)
	a.ChangeAccessToken(nil)
	if _, id := verified(t, a.Pool, a.signIn(t).ID, time.Now); id["nonce"] != "N" {
		t.Errorf("unchanged again: nonce %v", id["nonce"])
	}
	a.WrongNonce()
	if _, id := verified(t, a.Pool, a.signIn(t).ID, time.Now); id["nonce"] == "N" || id["nonce"] == nil {
		t.Errorf("wrong nonce: %v", id["nonce"])
	}
	a.Repair()
	if _, id := verified(t, a.Pool, a.signIn(t).ID, time.Now); id["nonce"] != "N" {
		t.Errorf("repaired: nonce %v", id["nonce"])
	}
}

// TestForgedIDToken checks that only the signature of a forged token is wrong.
func TestForgedIDToken(t *testing.T) {
	t.Parallel()
	a := newAPI(t, userpool.RefreshTokenRotation{})
	a.ForgeIDToken()
	forged := a.signIn(t)
	verified(t, a.Pool, forged.Access, time.Now)
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(forged.ID, claims, func(token *jwt.Token) (any, error) {
		return published(t, a.Pool)[token.Header["kid"].(string)], nil
	})
	if !errors.Is(err, jwt.ErrTokenSignatureInvalid) || claims["nonce"] != "N" {
		t.Errorf("nonce %v, %v", claims["nonce"], err)
	}
	a.Repair()
	verified(t, a.Pool, a.signIn(t).ID, time.Now)
}

// TestChangesSpareErrors checks that answers without tokens are not changed.
func TestChangesSpareErrors(t *testing.T) {
	t.Parallel()
	a := newAPI(t, userpool.RefreshTokenRotation{})
	a.WrongNonce()
	got, err := a.refresh(t.Context(), "nonsense")
	want(t, "refused", http.StatusBadRequest, got, err)
	if got.Error != "invalid_grant" {
		t.Errorf("got error %q", got.Error)
	}
}

// TestRotatedKeys signs in before and after a rotation, to the same app.
func TestRotatedKeys(t *testing.T) {
	t.Parallel()
	clock := cognatetest.NewClock(t)
	pool, client := poolFor(t, appURL, cognatetest.Options{Now: clock.Now})
	_, app := newApp(t, pool.AppConfig(client))
	signIn := func() {
		t.Helper()
		pool.SignIn(t, cognatetest.NewBrowser(t, appURL, app), appURL+"/hello", "ann", password)
	}
	signIn()
	before := published(t, pool)
	pool.RotateKeys()
	if got := len(published(t, pool)); got != 4 {
		t.Errorf("%d keys are published, want 4", got)
	}
	clock.Advance(2 * time.Minute) // an app fetches the keys again only after some time
	signIn()
	pool.WithdrawKeys()
	after := published(t, pool)
	if len(after) != 2 {
		t.Errorf("%d keys are published, want 2", len(after))
	}
	for kid := range after {
		if before[kid] != nil {
			t.Errorf("key %s is still there", kid)
		}
	}
	pool.RotateKeys()
	_, claims := verified(t, pool, pool.LogoutToken(client.ID, "ann", ""), clock.Now)
	if claims["sub"] != "ann" {
		t.Errorf("signed after two rotations: %v", claims)
	}
}

// TestConcurrentUse uses everything at the same time, for the race detector.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	a := newAPI(t, userpool.RefreshTokenRotation{})
	token := a.signIn(t).Refresh
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				_, _ = a.refresh(context.Background(), token)
			}
		})
	}
	for range 3 {
		a.RotateKeys()
		a.WrongNonce()
		a.Break(cognatetest.RefreshGrant, cognatetest.Fault{Status: 500, Times: 1})
		a.LogoutToken(a.client.ID, "x", "")
		a.WithdrawKeys()
		a.Requests(cognatetest.TokenEndpoint)
		a.Repair()
	}
	wg.Wait()
	got, err := a.refresh(t.Context(), token)
	want(t, "afterwards", http.StatusOK, got, err)
}

func TestLogoutToken(t *testing.T) {
	t.Parallel()
	clock := cognatetest.NewClock(t)
	clock.Advance(-24 * time.Hour)
	pool := cognatetest.New(t, cognatetest.Options{Now: clock.Now})
	const event = "http://schemas.openid.net/event/backchannel-logout"
	header, claims := verified(t, pool, pool.LogoutToken("app", "ann", "s1"), clock.Now)
	events, _ := claims["events"].(map[string]any)
	if _, ok := events[event].(map[string]any); !ok || len(events) != 1 {
		t.Errorf("events: %v", claims["events"])
	}
	now := float64(clock.Now().Unix())
	for name, want := range map[string]any{
		"iss": pool.Issuer, "aud": "app", "sub": "ann", "sid": "s1", "iat": now, "exp": now + 120, "nonce": nil,
	} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	if header["typ"] != "logout+jwt" {
		t.Errorf("typ: got %v", header["typ"])
	}

	_, other := verified(t, pool,
		pool.LogoutToken("app", "", "", func(c map[string]any) { c["nonce"] = "N" }), clock.Now)
	if _, ok := other["sub"]; ok || other["sid"] != nil || other["nonce"] != "N" || other["jti"] == claims["jti"] {
		t.Errorf("second token: %v", other)
	}
}

func decode(t *testing.T, part string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// published returns the pool's published keys by their IDs.
func published(t *testing.T, pool *cognatetest.Pool) map[string]*rsa.PublicKey {
	t.Helper()
	resp, err := http.Get(pool.Issuer + string(cognatetest.KeySet))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var set struct{ Keys []struct{ Kid, N string } }
	err = json.NewDecoder(resp.Body).Decode(&set)
	if err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]*rsa.PublicKey)
	for _, k := range set.Keys {
		keys[k.Kid] = &rsa.PublicKey{N: new(big.Int).SetBytes([]byte(decode(t, k.N))), E: 65537}
	}
	return keys
}
