package cognate_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// newECKey makes an ECDSA key.
func newECKey(t *testing.T, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemOf(t *testing.T, kind string, der []byte, err error) cognate.Secret {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return cognate.Secret(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// withKey makes the client one that has a key.
func withKey(key cognate.ClientKey) func(*cognate.Config) {
	return func(c *cognate.Config) { c.ClientSecret, c.ClientKey = "", key }
}

// TestClientAssertion signs in with every kind of key and checks the assertion as a
// provider would, with another implementation.
func TestClientAssertion(t *testing.T) {
	rsaKey, ecKey := fakeprovider.Keys()[1], newECKey(t, elliptic.P256())
	pkcs8, err8 := x509.MarshalPKCS8PrivateKey(rsaKey)
	sec1, err1 := x509.MarshalECPrivateKey(ecKey)
	for _, tt := range []struct {
		name     string
		key      cognate.ClientKey
		alg      string
		audience string
		public   crypto.PublicKey
	}{
		{"RSA", cognate.ClientKey{Signer: rsaKey, ID: "kid-1"}, "RS256", "", &rsaKey.PublicKey},
		{"RSA-PSS", cognate.ClientKey{Signer: rsaKey, Algorithm: "PS256"}, "PS256", "", &rsaKey.PublicKey},
		{"ECDSA", cognate.ClientKey{Signer: ecKey, ID: "kid-2"}, "ES256", "", &ecKey.PublicKey},
		{"behind an interface", cognate.ClientKey{Signer: hardware{ecKey}}, "ES256", "", &ecKey.PublicKey},
		{"PKCS #8", cognate.ClientKey{PEM: pemOf(t, "PRIVATE KEY", pkcs8, err8)}, "RS256", "", &rsaKey.PublicKey},
		{"PKCS #1", cognate.ClientKey{PEM: pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil)},
			"RS256", "", &rsaKey.PublicKey},
		{"SEC 1", cognate.ClientKey{PEM: pemOf(t, "EC PRIVATE KEY", sec1, err1)}, "ES256", "", &ecKey.PublicKey},
		{"for the endpoint", cognate.ClientKey{Signer: ecKey, Audience: "https://provider.test/token"}, "ES256",
			"https://provider.test/token", &ecKey.PublicKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := fakeprovider.NewClock()
			p := fakeprovider.New(t)
			p.Now = c.Now
			x := newApp(t, p, withKey(tt.key))
			seen := map[string]bool{}
			for i := range 20 { // an ECDSA signature has short numbers now and then
				b := x.browser(t)
				b.signIn(p)
				if !b.signedIn() {
					t.Fatalf("not signed in:\n%s", x.log)
				}
				r := p.TokenRequests()[i]
				if r.Header.Get("Authorization") != "" || r.PostForm.Has("client_secret") ||
					r.PostForm.Get("client_id") != clientID ||
					r.PostForm.Get("client_assertion_type") !=
						"urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
					t.Fatalf("request with %v", r.PostForm)
				}
				tok, err := jwt.NewParser(jwt.WithTimeFunc(c.Now), jwt.WithValidMethods([]string{tt.alg}),
					jwt.WithStrictDecoding()).
					Parse(r.PostForm.Get("client_assertion"), func(*jwt.Token) (any, error) { return tt.public, nil })
				if err != nil {
					t.Fatal(err)
				}
				if tt.alg == "PS256" { // the other implementation takes salts of any length; RFC 7518, 3.5 does not
					input := r.PostForm.Get("client_assertion")
					digest := sha256.Sum256([]byte(input[:strings.LastIndex(input, ".")]))
					err := rsa.VerifyPSS(&rsaKey.PublicKey, crypto.SHA256, digest[:], tok.Signature,
						&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
					if err != nil {
						t.Errorf("the salt: %v", err)
					}
				}
				claims := tok.Claims.(jwt.MapClaims)
				audience := tt.audience
				if audience == "" {
					audience = p.Issuer
				}
				jti, _ := claims["jti"].(string)
				if claims["iss"] != clientID || claims["sub"] != clientID || claims["aud"] != audience ||
					len(jti) < 20 || seen[jti] ||
					claims["iat"] != float64(c.Now().Unix()) ||
					claims["exp"] != float64(c.Now().Add(2*time.Minute).Unix()) {
					t.Errorf("claims %v", claims)
				}
				seen[jti] = true
				if kid, _ := tok.Header["kid"].(string); kid != tt.key.ID {
					t.Errorf("kid %q, want %q", kid, tt.key.ID)
				}
			}
		})
	}
}

// hardware is a signer that shows no more of itself than it has to.
type hardware struct{ crypto.Signer }

// brokenSigner fails, and says too much.
type brokenSigner struct{ crypto.Signer }

func (brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("PIN SECRET is wrong")
}

// oddSigner makes what is no signature.
type oddSigner struct{ crypto.Signer }

func (oddSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return []byte("x"), nil }

func TestSignerFails(t *testing.T) {
	key := newECKey(t, elliptic.P256())
	for _, signer := range []crypto.Signer{brokenSigner{key}, oddSigner{key}} {
		p := fakeprovider.New(t)
		b := newApp(t, p, withKey(cognate.ClientKey{Signer: signer})).browser(t)
		resp := b.signIn(p)
		if resp.StatusCode != http.StatusBadGateway || len(p.TokenRequests()) != 0 ||
			strings.Contains(b.app.log.String(), "SECRET") {
			t.Errorf("status %d, %d token requests, log:\n%s", resp.StatusCode, len(p.TokenRequests()), b.app.log)
		}
	}
}

func TestClientKeyErrors(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024) // too small on purpose
	if err != nil {
		t.Fatal(err)
	}
	ec := newECKey(t, elliptic.P256())
	for _, tt := range []struct {
		name   string
		change func(*cognate.Config)
		want   string
	}{
		{"small key", withKey(cognate.ClientKey{Signer: small}), "2048 bits"},
		{"other curve", withKey(cognate.ClientKey{Signer: newECKey(t, elliptic.P384())}), "P-256"},
		{"other algorithm", withKey(cognate.ClientKey{Signer: ec, Algorithm: "RS256"}), "Algorithm"},
		{"HMAC", withKey(cognate.ClientKey{Signer: ec, Algorithm: "HS256"}), "Algorithm"},
		{"none", withKey(cognate.ClientKey{Signer: fakeprovider.Keys()[1], Algorithm: "none"}), "Algorithm"},
		{"two keys", withKey(cognate.ClientKey{Signer: ec, PEM: "x"}), "both"},
		{"no PEM", withKey(cognate.ClientKey{PEM: "SECRET"}), "no PEM block"},
		{"no private key",
			withKey(cognate.ClientKey{PEM: pemOf(t, "PRIVATE KEY", []byte("SECRET"), nil)}), "not a private key"},
		{"key and secret", func(c *cognate.Config) { c.ClientKey.Signer = ec }, "contradicts a ClientSecret"},
		{"key and another method",
			func(c *cognate.Config) { c.ClientKey.Signer, c.ClientAuth = ec, cognate.ClientSecretPost },
			"contradicts a ClientKey"},
		{"method without key", func(c *cognate.Config) { c.ClientSecret, c.ClientAuth = "", cognate.PrivateKeyJWT },
			"needs a ClientKey"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := goodConfig()
			tt.change(&c)
			_, err := cognate.New(c)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestClientKeyIsNeverPrinted(t *testing.T) {
	k := cognate.ClientKey{Signer: fakeprovider.Keys()[1], PEM: "top-secret-value", ID: "kid"}
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		fmt.Fprintf(&b, verb, k)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "k", k)
	if strings.Contains(b.String(), "top-secret") || strings.Contains(b.String(), "kid") ||
		strings.Contains(b.String(), fakeprovider.Keys()[1].D.String()[:20]) {
		t.Errorf("printed %s", b.String())
	}
}

// TestAnnouncedMethods compares how the client authenticates with what discovery says.
func TestAnnouncedMethods(t *testing.T) {
	key := cognate.ClientKey{Signer: newECKey(t, elliptic.P256())}
	for _, tt := range []struct {
		name      string
		announced map[string]any
		change    func(*cognate.Config)
		ok        bool
	}{
		{"nothing said", nil, nil, true},
		{"among them",
			map[string]any{"token_endpoint_auth_methods_supported": []string{"private_key_jwt", "client_secret_basic"}},
			nil, true},
		{"the other one among them",
			map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}}, nil, true},
		{"neither among them",
			map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_jwt"}}, nil, false},
		{"configured and not among them",
			map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}},
			func(c *cognate.Config) { c.ClientAuth = cognate.ClientSecretBasic }, false},
		{"public client", map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}},
			func(c *cognate.Config) { c.ClientSecret = "" }, true},
		{"key not among them", map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_basic"}},
			withKey(key), false},
		{"algorithm among them",
			map[string]any{"token_endpoint_auth_methods_supported": []string{"private_key_jwt"},
				"token_endpoint_auth_signing_alg_values_supported": []string{"ES256"}}, withKey(key), true},
		{"algorithm not among them",
			map[string]any{"token_endpoint_auth_methods_supported": []string{"private_key_jwt"},
				"token_endpoint_auth_signing_alg_values_supported": []string{"RS256"}}, withKey(key), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.EditDiscovery = func(d map[string]any) {
				for name, v := range tt.announced {
					d[name] = v
				}
			}
			b := newApp(t, p, tt.change).browser(t)
			resp := b.get("/private/")
			if tt.ok {
				if resp.StatusCode != http.StatusFound {
					t.Errorf("status %d; log:\n%s", resp.StatusCode, b.app.log)
				}
				return
			}
			if resp.StatusCode != http.StatusBadGateway ||
				!strings.Contains(b.app.log.String(), "the provider announces") || len(b.cookies()) != 0 {
				t.Errorf("status %d; log:\n%s", resp.StatusCode, b.app.log)
			}
		})
	}
}

// pusher is a fake provider with a pushed authorization request endpoint.
type pusher struct {
	*fakeprovider.Provider
	answer   func(http.ResponseWriter, *http.Request)
	required bool

	pushMu sync.Mutex
	pushed []*http.Request // with their forms parsed
}

func (p *pusher) requests() []*http.Request {
	p.pushMu.Lock()
	defer p.pushMu.Unlock()
	return slices.Clone(p.pushed)
}

func newPusher(t *testing.T) *pusher {
	t.Helper()
	return pushTo(fakeprovider.New(t))
}

func pushTo(fake *fakeprovider.Provider) *pusher {
	p := &pusher{Provider: fake, required: true}
	p.answer = answerWith(http.StatusCreated,
		`{"request_uri":"urn:ietf:params:oauth:request_uri:a+b&c","expires_in":60}`)
	p.EditDiscovery = func(d map[string]any) {
		d["pushed_authorization_request_endpoint"] = p.URL + "/par"
		d["require_pushed_authorization_requests"] = p.required
	}
	inner := p.Config.Handler
	p.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/par" {
			inner.ServeHTTP(w, r)
			return
		}
		_ = r.ParseForm()
		p.pushMu.Lock()
		p.pushed = append(p.pushed, r)
		p.pushMu.Unlock()
		p.answer(w, r)
	})
	return p
}

func TestPushedAuthorization(t *testing.T) {
	for _, tt := range []struct {
		name     string
		required bool
		change   func(*cognate.Config)
		pushes   bool
	}{
		{"demanded", true, nil, true},
		{"only offered", false, nil, false},
		{"wanted", false, func(c *cognate.Config) { c.PushedAuthorization = true }, true},
		{"with a key", true, withKey(cognate.ClientKey{Signer: newECKey(t, elliptic.P256())}), true},
		{"public client", true, func(c *cognate.Config) { c.ClientSecret = "" }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPusher(t)
			p.required = tt.required
			b := loginApp(t, p.Provider, tt.change, cognate.Prompt("login"))
			location := mustURL(t, b.get("/signin").Header.Get("Location"))
			q := location.Query()
			if !tt.pushes {
				if len(p.requests()) != 0 || q.Get("state") == "" {
					t.Errorf("%d pushed, redirected to %s", len(p.requests()), location)
				}
				return
			}
			want := url.Values{"client_id": {clientID}, "request_uri": {"urn:ietf:params:oauth:request_uri:a+b&c"}}
			if q.Encode() != want.Encode() || len(p.requests()) != 1 {
				t.Fatalf("%d pushed, redirected to %s", len(p.requests()), location)
			}
			form := p.requests()[0].PostForm
			for _, name := range []string{
				"client_id", "state", "nonce", "code_challenge", "redirect_uri", "response_type", "scope", "prompt",
			} {
				if form.Get(name) == "" {
					t.Errorf("pushed without %s", name)
				}
			}
			_, secret, _ := p.requests()[0].BasicAuth()
			if form.Get("client_assertion") == "" && secret == "" && tt.name != "public client" {
				t.Errorf("pushed without authentication: %v", p.requests()[0])
			}
			// The person signs in to what was pushed.
			b.get("/oidc_callback?" + p.SignIn(t, p.URL+"/authorize?"+form.Encode()).Encode())
			if !b.signedIn() {
				t.Errorf("not signed in:\n%s", b.app.log)
			}
		})
	}
}

// TestPushFails has the endpoint fail in every way: one request, an error page, no loop.
func TestPushFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		reason string
	}{
		{"500", answerWith(500, `{"error":"invalid_request"}`), "pushed_request"},
		{"client refused",
			answerWith(401, `{"error":"invalid_client","error_description":"SECRET"}`), "client_refused"},
		{"request refused", answerWith(400, `{"error":"invalid_request"}`), "client_refused"},
		{"too many", answerWith(429, ``), "pushed_request"},
		{"html", answerWith(201, `<h1>SECRET</h1>`), "pushed_request"},
		{"other JSON", answerWith(201, `["urn:x"]`), "pushed_request"},
		{"no reference", answerWith(201, `{"expires_in":60}`), "pushed_request"},
		{"reference that is a number", answerWith(201, `{"request_uri":7}`), "pushed_request"},
		{"two references", answerWith(201, `{"request_uri":"urn:a","request_uri":"urn:b"}`), "pushed_request"},
		{"reference with a break", answerWith(201, `{"request_uri":"urn:a\r\nSet-Cookie: x=y"}`), "pushed_request"},
		{"long reference", answerWith(201, `{"request_uri":"urn:`+strings.Repeat("a", 1024)+`"}`), "pushed_request"},
		{"huge", answerWith(201, `{"request_uri":"urn:a"}`+strings.Repeat(" ", 1<<20)), "pushed_request"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/par", http.StatusTemporaryRedirect)
		}, "pushed_request"},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "pushed_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPusher(t)
			p.answer = tt.answer
			b := newApp(t, p.Provider, nil).browser(t)
			resp := b.get("/private/")
			if resp.StatusCode != http.StatusBadGateway || resp.Header.Get("Location") != "" || len(b.cookies()) != 0 ||
				len(p.requests()) != 1 {
				t.Errorf("status %d to %q, cookies %q, %d requests", resp.StatusCode, resp.Header.Get("Location"),
					b.cookies(), len(p.requests()))
			}
			log := b.app.log.String()
			if !strings.Contains(log, "reason="+tt.reason+" ") || strings.Contains(log, "SECRET") ||
				strings.Contains(log, clientSecret) {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

func TestPushWithoutEndpoint(t *testing.T) {
	b := newApp(t, fakeprovider.New(t), func(c *cognate.Config) { c.PushedAuthorization = true }).browser(t)
	if resp := b.get("/private/"); resp.StatusCode != http.StatusBadGateway ||
		!strings.Contains(b.app.log.String(), "endpoint for that is not known") {
		t.Errorf("status %d; log:\n%s", resp.StatusCode, b.app.log)
	}
}

// TestSilentPush is a silent sign-in that can't even be asked for.
func TestSilentPush(t *testing.T) {
	p := newPusher(t)
	p.answer = answerWith(503, ``)
	b := loginApp(t, p.Provider, nil, cognate.Silent())
	if resp := b.get("/signin"); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/" {
		t.Errorf("status %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}
