package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// TestRepeatedParameters sends every known parameter twice: no reader may have
// to choose (RFC 6749 sections 3.1 and 3.2).
func TestRepeatedParameters(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	session := e.Session(t)
	for _, name := range []string{
		"response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "prompt", "max_age",
		"login_hint", "lang", "identity_provider", "idp_identifier", "resource", "acr_values",
	} {
		q := pooltest.Query()
		q[name] = []string{q.Get(name), q.Get(name)}
		if got := outcome(t, e.Get(t, "/oauth2/authorize", q, session)); got != "invalid_request" {
			t.Errorf("authorize, %s: got %s, want invalid_request", name, got)
		}
	}
	for _, name := range []string{
		"grant_type", "client_id", "client_secret", "code", "redirect_uri", "code_verifier", "refresh_token", "scope",
		"aws_client_metadata",
	} {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}
		form[name] = []string{form.Get(name), form.Get(name)}
		a := e.Post(t, "/oauth2/token", form, pooltest.Basic("app", e.App.Secret))
		checkRefused(t, a, "invalid_request:"+name+" is repeated")
	}
}

// TestOversized sends more than there is room for.
func TestOversized(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	big := strings.Repeat("a", 70<<10)
	app := pooltest.Basic("app", e.App.Secret)
	for _, path := range []string{"/oauth2/token", "/oauth2/revoke"} {
		a := e.Post(t, path, url.Values{"grant_type": {"refresh_token"}, "token": {big}}, app)
		checkRefused(t, a, "invalid_request:the body is too large")
	}
	for _, name := range []string{"resource", "acr_values", "idp_identifier", "identity_provider", "prompt", "lang"} {
		a := e.Get(t, "/oauth2/authorize", pooltest.Query(name, strings.Repeat("a", 2000)), e.Session(t))
		if got := outcome(t, a); got != "invalid_request" {
			t.Errorf("%s: got %s, want invalid_request", name, got)
		}
	}
	a := e.Do(t, http.MethodGet, "/oauth2/userInfo", "", http.Header{"Authorization": {"Bearer " + big}})
	checkBearerError(t, a, 401, "invalid_token", textToken)
}

// TestTokensOfManyGroups checks that a token with as many groups as there can be
// is still taken back.
func TestTokensOfManyGroups(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	edit(t, e, func(body map[string]any) {
		groups := make([]string, 100)
		for i := range groups {
			groups[i] = strings.Repeat("g", 125) + string(rune('a'+i/26)) + string(rune('a'+i%26))
		}
		body["Groups"] = groups
	})
	if a := e.UserInfo(t, e.Tokens(t)["access_token"]); a.StatusCode != http.StatusOK {
		t.Errorf("got %d %s", a.StatusCode, a.Body)
	}
}

// FuzzAuthorize checks where a browser is sent, whatever a link says: to the
// pool's own pages, or to an address that the client has registered.
func FuzzAuthorize(f *testing.F) {
	for _, q := range []url.Values{
		pooltest.Query(), implicitQuery("nonce", "n"), pooltest.Query("resource", "https://api.test/#"),
		pooltest.Query("acr_values", "urn:cognito:loa:4 x"), pooltest.Query("prompt", "none"),
		pooltest.Query("identity_provider", "Corp", "idp_identifier", "x"), pooltest.Query("redirect_uri", "//evil"),
	} {
		f.Add(q.Encode())
	}
	e := pooltest.New(f)
	e.AddClient(f, userpool.Client{
		ID: "spa", CallbackURLs: []string{pooltest.Callback}, AllowedOAuthFlows: []string{"implicit"},
	})
	session := e.Session(f)
	f.Fuzz(func(t *testing.T, query string) {
		if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r == '#' || r > '~' }) {
			return // no server gets such a request line
		}
		a := e.Do(t, http.MethodGet, "/oauth2/authorize?"+query, "", session)
		to := a.Header.Get("Location")
		ok := slices.ContainsFunc([]string{pooltest.BaseURL + "/error?", loginPage + "?", pooltest.Callback + "?",
			pooltest.Callback + "#"}, func(prefix string) bool { return strings.HasPrefix(to, prefix) })
		if a.StatusCode != http.StatusFound || !ok || strings.ContainsAny(to, "\r\n") {
			t.Errorf("%q: got %d to %q", query, a.StatusCode, to)
		}
	})
}

// FuzzClientMetadata checks that what is accepted is an object of strings, and
// says the same when it is written again.
func FuzzClientMetadata(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"a":"b"}`, `{"a":1}`, `null`, `[]`, `{"a":"b"}{}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := grants.ParseClientMetadata(s)
		if err != nil || s == "" {
			return
		}
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := grants.ParseClientMetadata(string(text))
		if err != nil || len(again) != len(got) {
			t.Errorf("%q became %s: %v", s, text, err)
		}
	})
}
