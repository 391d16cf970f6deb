package grants_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

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
		a, err := e.Pool.Grants.ParseAuthorization(t.Context(), q)
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
		`{"response":{"claimsAndScopeOverrideDetails":{
			"idTokenGeneration":{"claimsToAddOrOverride":{"sub":1,"a":[{}]}}}}}`,
		`{"response":{"claimsAndScopeOverrideDetails":{
			"accessTokenGeneration":{"scopesToAdd":["a"],"claimsToSuppress":["sub"]}}}}`,
		`{"response":{"claimsAndScopeOverrideDetails":{
			"groupOverrideDetails":{"groupsToOverride":null,"preferredRole":""}}}}`,
		`{"response":{"claimsOverrideDetails":{"claimsToAddOrOverride":{"aud":"x"},"claimsToSuppress":["aud"]}}}`,
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, first bool) {
		id := map[string]any{"sub": "s", "aud": "app", "token_use": "id", "exp": 1, "cognito:username": "ann"}
		access := map[string]any{"sub": "s", "client_id": "app", "token_use": "access", "exp": 1, "username": "ann"}
		before, beforeAccess := maps.Clone(id), maps.Clone(access)
		err := grants.ApplyPreToken([]byte(s), first, id, access)
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
