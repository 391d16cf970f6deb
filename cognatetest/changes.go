package cognatetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate/userpool"
)

// A change alters the claims of a token before it is signed.
type change = func(claims map[string]any)

// changes is in front of the token endpoint. It applies the test's changes to the
// tokens and signs them again with the pool's keys. The pool itself never issues wrong
// tokens.
type changes struct {
	next http.Handler
	keys *signingKeys

	mu         sync.Mutex
	id, access change
	forged     bool // ID tokens are signed with the wrong key
}

func (c *changes) set(id, access change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.id, c.access, c.forged = id, access, false
}

// ChangeIDToken lets change alter the claims of every ID token from now on, until
// another call or [Pool.Repair]. Nil ends it. The token is signed with the pool's key
// and is valid except for what change did: another nonce, audience or subject, or a
// time in the past. change is called in the pool's goroutines. Numbers are float64.
func (p *Pool) ChangeIDToken(change func(claims map[string]any)) {
	p.changes.mu.Lock()
	defer p.changes.mu.Unlock()
	p.changes.id = change
}

// ChangeAccessToken is [Pool.ChangeIDToken] for access tokens. The at_hash of the ID
// token matches the changed access token.
func (p *Pool) ChangeAccessToken(change func(claims map[string]any)) {
	p.changes.mu.Lock()
	defer p.changes.mu.Unlock()
	p.changes.access = change
}

// WrongNonce gives every ID token a nonce that no app sent, until [Pool.Repair].
func (p *Pool) WrongNonce() {
	p.ChangeIDToken(func(claims map[string]any) { claims["nonce"] = userpool.NewUUID() })
}

// ForgeIDToken signs every ID token, from now on until [Pool.Repair], with another key
// than the one that its header names, as an attacker without the key would.
func (p *Pool) ForgeIDToken() {
	p.changes.mu.Lock()
	defer p.changes.mu.Unlock()
	p.changes.forged = true
}

func (c *changes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	id, access, forged := c.id, c.access, c.forged
	c.mu.Unlock()
	if r.URL.Path != string(TokenEndpoint) || id == nil && access == nil && !forged {
		c.next.ServeHTTP(w, r)
		return
	}
	recorder := httptest.NewRecorder()
	c.next.ServeHTTP(recorder, r)
	body := recorder.Body.Bytes()
	if recorder.Code == http.StatusOK {
		var err error
		body, err = c.rewrite(body, id, access, forged)
		if err != nil {
			http.Error(w, "cognatetest: changing tokens: "+err.Error(), http.StatusInternalServerError)
			return
		}
	}
	for name, values := range recorder.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(recorder.Code)
	_, _ = w.Write(body)
}

// rewrite changes the tokens of a token response.
func (c *changes) rewrite(body []byte, id, access change, forged bool) ([]byte, error) {
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	err := decoder.Decode(&members)
	if err != nil {
		return nil, err
	}
	if access != nil {
		err = c.resign(members, "access_token", access, false)
		if err != nil {
			return nil, err
		}
	}
	err = c.resign(members, "id_token", func(claims map[string]any) {
		if token, _ := members["access_token"].(string); access != nil {
			claims["at_hash"] = accessHash(token)
		}
		if id != nil {
			id(claims)
		}
	}, forged)
	if err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

// accessHash returns the at_hash of an access token (OpenID Connect Core section
// 3.1.3.6).
func accessHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// resign changes the claims of a token, if the response has it, and signs it again. It
// keeps the header and, unless forged is true, the key.
func (c *changes) resign(members map[string]any, name string, change change, forged bool) error {
	raw, ok := members[name].(string)
	if !ok {
		return nil
	}
	claims := jwt.MapClaims{}
	token, _, err := jwt.NewParser().ParseUnverified(raw, claims)
	if err != nil {
		return fmt.Errorf("reading the %s: %w", name, err)
	}
	kid, _ := token.Header["kid"].(string)
	key, ok := c.keys.find(kid)
	if !ok {
		return fmt.Errorf("the %s is signed with a key that this package did not generate", name)
	}
	change(claims)
	if forged {
		key = c.keys.wrongKey()
	}
	signed, err := sign(claims, signer{kid, key}, "")
	if err != nil {
		return err
	}
	members[name] = signed
	return nil
}

// sign returns a JWT whose header has kid, alg and, if it is not empty, typ.
func sign(claims map[string]any, key signer, typ string) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(claims))
	token.Header["kid"] = key.kid
	delete(token.Header, "typ")
	if typ != "" {
		token.Header["typ"] = typ
	}
	return token.SignedString(key.key)
}

// LogoutToken returns a logout token (OpenID Connect Back-Channel Logout 1.0, section
// 2.4) of the pool's issuer for an app client, signed with the pool's key and valid for
// two minutes: a provider would post it to the app as logout_token. subject or session
// may be empty. change, if there is one, alters the claims before they are signed, to
// test what the app must refuse.
//
// Amazon Cognito sends no logout tokens, and neither does the pool. LogoutToken is for
// tests of an app that may use another provider.
func (p *Pool) LogoutToken(clientID, subject, session string, change ...func(claims map[string]any)) string {
	p.tb.Helper()
	now := p.now()
	claims := map[string]any{
		"iss": p.Issuer, "aud": clientID, "jti": userpool.NewUUID(),
		"iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if subject != "" {
		claims["sub"] = subject
	}
	if session != "" {
		claims["sid"] = session
	}
	for _, c := range change {
		c(claims)
	}
	token, err := sign(claims, p.keys.forID(), "logout+jwt")
	if err != nil {
		p.tb.Fatalf("cognatetest: signing a logout token: %v", err)
	}
	return token
}
