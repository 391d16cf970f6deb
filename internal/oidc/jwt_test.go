package oidc_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/internal/oidc"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestSplitObject(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     map[string]string // nil: refused
	}{
		{"empty", `{}`, map[string]string{}},
		{"blanks", " \n{ \"a\" :\t1 , \"b\":2\r}\n ", map[string]string{"a": "1", "b": "2"}},
		{"every kind", `{"s":"x","n":-1e5,"t":true,"z":null,"o":{"a":[1]},"l":[{},[]]}`,
			map[string]string{"s": `"x"`, "n": "-1e5", "t": "true", "z": "null", "o": `{"a":[1]}`, "l": "[{},[]]"}},
		{
			"brackets in strings", `{"a":"}]\"\\","b":["{\"",{"x":"]"}]}`,
			map[string]string{"a": `"}]\"\\"`, "b": `["{\"",{"x":"]"}]`},
		},
		{"escapes in a name", `{"\u0069ss":"x","a\"b":1}`, map[string]string{"iss": `"x"`, `a"b`: "1"}},
		{"empty name", `{"":1}`, map[string]string{"": "1"}},
		{"names in two cases", `{"iss":1,"ISS":2}`, map[string]string{"iss": "1", "ISS": "2"}},
		{"nested to the limit", `{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`,
			map[string]string{"a": strings.Repeat("[", 32) + strings.Repeat("]", 32)}},
		{"nested deeper", `{"a":` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + `}`, nil},
		{"nested very deep", `{"a":` + strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20001), nil},
		{"name twice", `{"a":1,"b":2,"a":1}`, nil},
		{"name twice, once escaped", `{"iss":1,"\u0069ss":2}`, nil},
		{"names alike after decoding", `{"\ud800":1,"\ufffd":2}`, nil},
		{"not UTF-8", "{\"a\":\"\xff\"}", nil},
		{"byte order mark", "\xef\xbb\xbf{}", nil},
		{"NaN", `{"a":NaN}`, nil},
		{"comma at the end", `{"a":1,}`, nil},
		{"more after it", `{"a":1}{}`, nil},
		{"cut off", `{"a":1`, nil},
		{"cut off in a string", `{"a":"\`, nil},
		{"control character", "{\"a\":\"\x01\"}", nil},
		{"list", `[]`, nil},
		{"null", `null`, nil},
		{"string", `"{}"`, nil},
		{"nothing", ``, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := oidc.SplitObject([]byte(tt.in))
			if (err == nil) != (tt.want != nil) {
				t.Fatalf("members %q, error %v", got, err)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("members %q, want %q", got, tt.want)
			}
			for name, value := range tt.want {
				if string(got[name]) != value {
					t.Errorf("member %q is %q, want %q", name, got[name], value)
				}
			}
		})
	}
}

func TestReadToken(t *testing.T) {
	const header = `{"alg":"RS256","kid":"k"}`
	for _, tt := range []struct {
		name, raw string
		ok        bool
	}{
		{"good", b64(header) + "." + b64(`{}`) + "." + b64("sig"), true},
		{"no signature", b64(header) + "." + b64(`{}`) + ".", true}, // verifying it fails
		{"media type", b64(`{"alg":"RS256","kid":"k","typ":"application/AT+JWT"}`) + "." + b64(`{}`) + ".", true},
		{"two parts", b64(header) + "." + b64(`{}`), false},
		{"four parts", b64(header) + "." + b64(`{}`) + ".a.b", false},
		{"five parts", b64(header) + "." + b64(`{}`) + ".a.b.c", false},
		{"nothing", "", false},
		{"dots", "..", false},
		{"padding", b64(header) + "." + base64.URLEncoding.EncodeToString([]byte(`{"a":1}`)) + ".", false},
		{"standard alphabet", b64(header) + "." + b64(`{}`) + ".+/+/", false},
		{"line end in the signature", b64(header) + "." + b64(`{}`) + ".AA\nAA", false},
		{"carriage return in the payload", b64(header) + ".e3\r0." + b64("sig"), false},
		{"stray bits", b64(header) + ".e31.", false},
		{"critical", b64(`{"alg":"RS256","crit":[]}`) + "." + b64(`{}`) + ".", false},
		{"unencoded payload", b64(`{"alg":"RS256","b64":false}`) + "." + b64(`{}`) + ".", false},
		{"compressed", b64(`{"alg":"RS256","zip":"DEF"}`) + "." + b64(`{}`) + ".", false},
		{"header name twice", b64(`{"alg":"RS256","alg":"none"}`) + "." + b64(`{}`) + ".", false},
		{"alg is a list", b64(`{"alg":["RS256"]}`) + "." + b64(`{}`) + ".", false},
		{"kid is a number", b64(`{"alg":"RS256","kid":1}`) + "." + b64(`{}`) + ".", false},
		{"header is a list", b64(`[]`) + "." + b64(`{}`) + ".", false},
		{"payload is text", b64(header) + "." + b64(`hello`) + ".", false},
		{"too large", b64(header) + "." + b64(`{}`) + "." + strings.Repeat("A", 64<<10), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			alg, _, typ, _, err := oidc.ReadToken(tt.raw)
			if (err == nil) != tt.ok {
				t.Fatalf("error %v", err)
			}
			if tt.ok && alg != "RS256" {
				t.Errorf("alg %q", alg)
			}
			if tt.name == "media type" && typ != "at+jwt" {
				t.Errorf("typ %q, want at+jwt", typ)
			}
		})
	}
}

// TestSignatureAlgorithms has another implementation sign with each algorithm. Each token
// passes only under its own algorithm and key.
func TestSignatureAlgorithms(t *testing.T) {
	methods := []jwt.SigningMethod{
		jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512,
		jwt.SigningMethodPS256, jwt.SigningMethodPS384, jwt.SigningMethodPS512,
		jwt.SigningMethodES256, jwt.SigningMethodES384, jwt.SigningMethodES512,
	}
	keys := fakeprovider.SigningKeys()
	var set []any
	for name, key := range keys {
		set = append(set, fakeprovider.BareJWK(t, key, name))
	}
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": issuer, "sub": "s", "aud": audience, "scope": "read", "iat": now.Unix(),
		"exp": now.Add(time.Hour).Unix(),
	}
	for _, allowed := range methods {
		tokens := newAccessTokens(time.Now, allowed.Alg(), set...)
		for _, method := range methods {
			raw := fakeprovider.SignWith(method, keys[method.Alg()], method.Alg(), claims)
			_, err := tokens.Verify(t.Context(), raw, "")
			if (err == nil) != (method == allowed) {
				t.Errorf("%s allowed, signed with %s: error %v", allowed.Alg(), method.Alg(), err)
			}
			parts := strings.Split(raw, ".")
			signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
			zeros := make([]byte, len(signature))
			for i, bad := range [][]byte{nil, signature[1:], append(signature, 0), zeros, flipBit(signature)} {
				_, err := tokens.Verify(t.Context(), parts[0]+"."+parts[1]+"."+b64(string(bad)), "")
				if err == nil {
					t.Errorf("%s: bad signature %d passed", method.Alg(), i)
				}
			}
		}
	}
}

func flipBit(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

// FuzzJWT compares the reader of tokens with encoding/json: what it accepts is what
// json.Unmarshal sees, in every member, and the same for its header.
func FuzzJWT(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1}`, `{"a":"\"}","b":[{"c":"]"}]}`, `{"\u0061":1,"a":2}`, ` { "a" : null } `, `{"a":1}x`, `{"a"`,
		`[1]`, `null`,
		`{"a":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}`, "{\"\xff\":1}",
		`{"":"","é":-0.0e+1}`,
	} {
		f.Add([]byte(s), `{"alg":"RS256","kid":"k"}`)
		f.Add([]byte(`{"sub":"x"}`), s)
	}
	f.Fuzz(func(t *testing.T, payload []byte, header string) {
		got, err := oidc.SplitObject(bytes.Clone(payload))
		if err == nil {
			sameMembers(t, payload, got)
		}
		raw := b64(header) + "." + b64(string(payload)) + ".c2ln"
		alg, kid, _, members, tokenErr := oidc.ReadToken(raw)
		if tokenErr != nil {
			return
		}
		if err != nil {
			t.Fatalf("the token is read and its payload alone is not: %v", err)
		}
		sameMembers(t, payload, members)
		var h map[string]any
		err = json.Unmarshal([]byte(header), &h)
		if err != nil {
			t.Fatalf("the header is read, and json says %v", err)
		}
		wantAlg, _ := h["alg"].(string)
		wantKID, _ := h["kid"].(string)
		if alg != wantAlg || kid != wantKID {
			t.Fatalf("alg %q, kid %q; want %q, %q", alg, kid, wantAlg, wantKID)
		}
	})
}

func sameMembers(t *testing.T, payload []byte, got map[string]json.RawMessage) {
	t.Helper()
	if !utf8.Valid(payload) {
		t.Fatalf("%q is not UTF-8 and was accepted", payload)
	}
	var want map[string]json.RawMessage
	err := json.Unmarshal(payload, &want)
	if err != nil || want == nil {
		t.Fatalf("%q was accepted; json says %v, %v", payload, want, err)
	}
	if len(got) != len(want) {
		t.Fatalf("%q: members %q, want %q", payload, got, want)
	}
	for name, value := range want {
		if !bytes.Equal(got[name], value) {
			t.Fatalf("%q: member %q is %q, want %q", payload, name, got[name], value)
		}
	}
}
