package federation_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// TestTextOfWindows has a provider write everything with a byte order mark, or in UTF-16.
func TestTextOfWindows(t *testing.T) {
	t.Parallel()
	for name, encode := range map[string]func([]byte) []byte{
		"mark": func(b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) },
		"UTF-16": func(b []byte) []byte {
			out := []byte{0xff, 0xfe}
			for _, unit := range utf16.Encode([]rune(string(b))) {
				out = append(out, byte(unit), byte(unit>>8))
			}
			return out
		},
	} {
		e := newEnv(t)
		for path, h := range maps.Clone(e.up.mux) {
			e.up.mux[path] = func(w http.ResponseWriter, r *http.Request) {
				plain := httptest.NewRecorder()
				h(plain, r)
				w.WriteHeader(plain.Code)
				_, _ = w.Write(encode(bytes.ReplaceAll(plain.Body.Bytes(), []byte("\n"), []byte("\r\n"))))
			}
		}
		if to := e.signIn(t); !isCode(to) {
			t.Errorf("%s: got %s\n%s", name, to, e.logs)
		}
	}
}

// TestKeysAsTheyAre has key sets as providers write them, good ones and bad ones.
func TestKeysAsTheyAre(t *testing.T) {
	t.Parallel()
	with := func(pairs ...any) map[string]any {
		j := jwkOf("r", &rsaKey().PublicKey)
		for i := 0; i < len(pairs); i += 2 {
			j[pairs[i].(string)] = pairs[i+1]
		}
		return j
	}
	another := func(add int64) map[string]any { // a number that is nobody's key
		n := new(big.Int).Add(rsaKey().N, big.NewInt(2*add))
		return with("n", base64.RawURLEncoding.EncodeToString(n.Bytes()))
	}
	n := rsaKey().N.Bytes()
	for name, tt := range map[string]struct {
		keys []any
		good bool
	}{
		"one twice":                   {[]any{with(), with()}, true},
		"one twice, without a kid":    {[]any{with("kid", ""), with("kid", "r")}, true},
		"two of one kid":              {[]any{another(1), with()}, true},
		"many of one kid":             {[]any{with(), another(1), another(2), another(3), another(4)}, false},
		"padding":                     {[]any{with("n", base64.URLEncoding.EncodeToString(n))}, true},
		"standard base64":             {[]any{with("n", base64.StdEncoding.EncodeToString(n))}, true},
		"for verifying":               {[]any{with("key_ops", []string{"verify"})}, true},
		"members that say nothing":    {[]any{with("key_ops", []string{}, "d", nil, "p", "")}, true},
		"for signing":                 {[]any{with("key_ops", []string{"sign"})}, false},
		"for encryption":              {[]any{with("use", "enc")}, false},
		"with its private half":       {[]any{with("d", "AQAB")}, false},
		"with a prime of its private": {[]any{with("q", "AQAB")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.up.mux["/keys"] = func(w http.ResponseWriter, _ *http.Request) {
				answer(
					w, map[string]any{"keys": tt.keys},
				)
			}
			if to := e.signIn(t); isCode(to) != tt.good {
				t.Errorf("got %s, want a sign-in: %v\n%s", to, tt.good, e.logs)
			}
		})
	}
}

// TestLineEndInTheToken pins that a token has one spelling.
func TestLineEndInTheToken(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n", "\r\n"} {
		e := newEnv(t)
		e.up.mux["/token"] = func(w http.ResponseWriter, _ *http.Request) {
			token := e.up.idToken()
			answer(w, map[string]any{"id_token": token[:len(token)-9] + end +
				token[len(token)-9:], "access_token": "at"})
		}
		if to := e.signIn(t); to.Query().Get("error_description") != "Bad id_token form" {
			t.Errorf("got %s", to)
		}
	}
}

// TestSecretsDontComeBack has a provider repeat what it was sent: the app's URL and the log
// must not have it.
func TestSecretsDontComeBack(t *testing.T) {
	t.Parallel()
	for _, param := range []string{"client_secret", "code_verifier", "code"} {
		for _, member := range []string{"error", "error_description"} {
			e := newEnv(t)
			said := ""
			e.up.mux["/token"] = func(w http.ResponseWriter, r *http.Request) {
				said = r.PostForm.Get(param)
				body, _ := json.Marshal(map[string]string{"error": "invalid_grant", member: "it was " +
					strings.ToUpper(said)})
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write(body)
			}
			to := e.back(t, "state", e.start(t).Get("state"), "code", "a-code-of-some-length")
			for _, text := range []string{to.Query().Get("error_description"), e.logs.String()} {
				if said == "" || strings.Contains(strings.ToLower(text), strings.ToLower(said)) {
					t.Errorf("%s as %s: %s", param, member, text)
				}
			}
		}
	}
}

// TestPublishedKey: a key whose private half is in the set is nobody's, also where it is
// listed a second time without.
func TestPublishedKey(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	open := jwkOf("open", &rsaKey().PublicKey)
	open["d"] = "AQAB"
	e.up.mux["/keys"] = func(w http.ResponseWriter, _ *http.Request) {
		answer(
			w,
			map[string]any{
				"keys": []any{
					jwkOf("r", &rsaKey().PublicKey), open, map[string]any{"kty": "RSA", "kid": "odd", "n": "%"},
				},
			},
		)
	}
	for range 2 {
		if to := e.signIn(t); isCode(to) {
			t.Errorf("signed in: %s", to)
		}
		e.clock.Advance(time.Minute)
	}
	log := e.logs.String()
	n := strings.Count(log, "are passed over")
	if n != 1 || !strings.Contains(log, "open") || !strings.Contains(log, "odd") {
		t.Errorf("%d lines on the keys, want one that names both:\n%s", n, log)
	}
}

// TestAnswerThatIsNoHTTP has a provider repeat the request where HTTP should begin: net/http
// quotes that in its error.
func TestAnswerThatIsNoHTTP(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	said := ""
	e.up.mux["/token"] = func(w http.ResponseWriter, r *http.Request) {
		said = r.PostForm.Get("code")
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte(said + "\r\n\r\n"))
		_ = conn.Close()
	}
	to := e.back(t, "state", e.start(t).Get("state"), "code", "a-code-of-some-length")
	log := e.logs.String()
	if isCode(to) || !strings.Contains(log, "identity provider failed") {
		t.Errorf("to %s, and the log says:\n%s", to, log)
	}
	if said == "" || strings.Contains(log, said) {
		t.Errorf("the provider repeated %q, and the log says:\n%s", said, log)
	}
}
