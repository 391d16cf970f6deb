package userpool_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// FuzzPHC checks that a hash has one spelling: what is accepted is written
// again as it was read.
func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b27zQ")
	f.Add("$argon2id$v=19$m=019456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b27zQ")
	f.Add("$argon2i$v=16$m=1,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		again, err := userpool.ParsePHC(s)
		if err == nil && again != s {
			t.Errorf("%q was read as %q", s, again)
		}
	})
}

// FuzzRedirectURI checks what every registered URI must be, whichever way it
// is looked at.
func FuzzRedirectURI(f *testing.F) {
	for _, s := range []string{
		"https://app.test/cb?x=1", "http://localhost:3000", "http://[::1]/", "myapp://", "javascript://%0a",
		"https://a@b/", "https://a\\b/", "http://localhost:80:80/", "com.example:/cb",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if userpool.CheckRedirectURI(s) != nil {
			return
		}
		u, err := url.Parse(s)
		if err != nil || !u.IsAbs() || u.User != nil || u.Fragment != "" || u.Opaque != "" {
			t.Fatalf("%q was accepted: %+v, %v", s, u, err)
		}
		if u.Scheme == "http" && u.Hostname() != "::1" && u.Hostname() != "127.0.0.1" &&
			!strings.EqualFold(u.Hostname(), "localhost") {
			t.Errorf("%q: plain http to %s", s, u.Hostname())
		}
		notPrintable := func(r rune) bool { return r <= ' ' || r > '~' }
		if strings.ContainsFunc(s, notPrintable) || strings.ContainsAny(s, `\"<>`) {
			t.Errorf("%q holds a character that no URI has", s)
		}
	})
}

// FuzzAuthorize checks that an answer goes to the registered address or not to
// the app at all, and that the state comes back as it was.
func FuzzAuthorize(f *testing.F) {
	e := pooltest.New(f)
	f.Add(pooltest.Query("state", "a+b", "scope", "openid").Encode())
	f.Add(pooltest.Query("response_type", "token").Encode())
	f.Add(pooltest.Query("redirect_uri", "https://evil.test").Encode() + "&redirect_uri=x")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		a, err := e.Pool.ParseAuthorization(t.Context(), q)
		if err == nil {
			checkAddress(t, q, a.RedirectURI, a.LoginRequired().Location())
			return
		}
		app, ok := errors.AsType[*userpool.RedirectError](err)
		if ok {
			checkAddress(t, q, app.RedirectURI, app.Location())
			return
		}
		page, ok := errors.AsType[*userpool.PageError](err)
		if !ok || !strings.HasPrefix(page.Location(""), "/error?error=") {
			t.Errorf("got error %v", err)
		}
	})
}

func checkAddress(t *testing.T, q url.Values, uri, location string) {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, uri) || u.Scheme+"://"+u.Host+u.Path != pooltest.Callback {
		t.Fatalf("the answer goes to %q, %v", location, err)
	}
	params, err := url.ParseQuery(u.RawQuery)
	if u.EscapedFragment() != "" {
		params, err = url.ParseQuery(u.EscapedFragment())
	}
	if err != nil || len(params["error"]) != 1 || len(params["state"]) > 1 {
		t.Errorf("parameters of %q: %v", location, err)
	}
	if state := params.Get("state"); state != "" && state != q.Get("state") {
		t.Errorf("state %q came back as %q", q.Get("state"), state)
	}
}

// FuzzPreToken checks that no answer of a trigger changes what is protected, and
// that what it leaves can be a token.
func FuzzPreToken(f *testing.F) {
	for _, s := range []string{
		`{"response":{"claimsAndScopeOverrideDetails":{"idTokenGeneration":{"claimsToAddOrOverride":{"sub":1,"a":[{}]}}}}}`,
		`{"response":{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"scopesToAdd":["a"],"claimsToSuppress":["sub"]}}}}`,
		`{"response":{"claimsAndScopeOverrideDetails":{"groupOverrideDetails":{"groupsToOverride":null,"preferredRole":""}}}}`,
		`{"response":{"claimsOverrideDetails":{"claimsToAddOrOverride":{"aud":"x"},"claimsToSuppress":["aud"]}}}`,
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, first bool) {
		id := map[string]any{"sub": "s", "aud": "app", "token_use": "id", "exp": 1, "cognito:username": "ann"}
		access := map[string]any{"sub": "s", "client_id": "app", "token_use": "access", "exp": 1, "username": "ann"}
		before, beforeAccess := maps.Clone(id), maps.Clone(access)
		err := userpool.ApplyPreToken([]byte(s), first, id, access)
		if _, refused := errors.AsType[*userpool.Error](err); err != nil && !refused {
			t.Errorf("%s: got %v", s, err)
		}
		for name, want := range before {
			if id[name] != want {
				t.Errorf("%s: %s of the ID token became %v", s, name, id[name])
			}
		}
		for name, want := range beforeAccess {
			if access[name] != want {
				t.Errorf("%s: %s of the access token became %v", s, name, access[name])
			}
		}
		_, err = json.Marshal([]any{id, access})
		if err != nil {
			t.Errorf("%s: %v", s, err)
		}
	})
}
