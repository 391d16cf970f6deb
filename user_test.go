package cognate_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

type customer struct {
	Subject  string   `json:"sub"`
	Issuer   string   `json:"iss"`
	Email    string   `json:"email"`
	Verified bool     `json:"email_verified"`
	Name     string   `json:"name"`
	Username string   `json:"username"`
	Groups   []string `json:"groups"`
	Tier     string   `json:"custom:tier"`
	Seats    int      `json:"custom:seats,string"`
	Address  struct {
		City string `json:"locality"`
	} `json:"address"`
	Plan string `json:"plan"`
}

func TestUserAs(t *testing.T) {
	u := cognate.User{
		Issuer: "https://provider.test", Subject: "s-1", Username: "ann", Email: "ann@example.com", EmailVerified: true,
		Name: "Ann", Groups: []string{"ops"},
	}.WithClaims(map[string]string{
		"custom:tier": `"gold"`, "custom:seats": `"12"`, "address": `{"locality": "Köln"}`,
		"sub": `"somebody else"`, "email": `"else@example.com"`, "email_verified": `"false"`,
		"iss": `7`, "name": `"Else"`,
		"Plan": `"stands in for plan"`, "CUSTOM:TIER": `"stands in"`, "unused": `[1`,
	})
	got, err := cognate.UserAs[customer](u)
	if err != nil {
		t.Fatal(err)
	}
	want := customer{
		Subject: "s-1", Issuer: "https://provider.test", Email: "ann@example.com", Verified: true,
		Name: "Ann", Username: "ann",
		Groups: []string{"ops"}, Tier: "gold", Seats: 12,
	}
	want.Address.City = "Köln"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	byPointer, err := cognate.UserAs[*customer](u)
	if err != nil || byPointer == nil || byPointer.Plan != "" || byPointer.Tier != "gold" {
		t.Errorf("as a pointer: %+v, %v", byPointer, err)
	}
}

func TestUserAsMap(t *testing.T) {
	u := cognate.User{Subject: "s-1"}.WithClaims(map[string]string{"groups": `["kept"]`, "email": `"x"`, "age": `42`})
	got, err := cognate.UserAs[map[string]any](u)
	want := map[string]any{"sub": "s-1", "email_verified": false, "groups": []any{"kept"}, "age": 42.0}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got)\n%s", err, diff)
	}
}

// own reads claims in its own way.
type own struct{ names int }

func (o *own) UnmarshalJSON(data []byte) error {
	m := map[string]json.RawMessage{}
	err := json.Unmarshal(data, &m)
	o.names = len(m)
	return err
}

func TestUserAsUnmarshaler(t *testing.T) {
	got, err := cognate.UserAs[own](cognate.User{Subject: "s-1", Email: "e"}.WithClaims(map[string]string{"a": "1"}))
	if err != nil || got.names != 4 { // sub, email, email_verified, a
		t.Errorf("%d names, %v", got.names, err)
	}
}

func TestUserAsEmbedded(t *testing.T) {
	type base struct {
		Tier string `json:"custom:tier"`
	}
	type whole struct {
		base
		Age int
	}
	got, err := cognate.UserAs[whole](cognate.User{}.WithClaims(map[string]string{"custom:tier": `"gold"`,
		"Age": "3", "age": "4"}))
	if err != nil || got.Tier != "gold" || got.Age != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestUserAsErrors(t *testing.T) {
	type number struct {
		Address any  `json:"address"` // fits
		Seats   int8 `json:"custom:seats"`
	}
	type quoted struct {
		Seats int `json:"custom:seats,string"`
	}
	type date struct {
		Seats time.Time `json:"custom:seats"`
	}
	for name, raw := range map[string]string{
		"text": `"verysecret"`, "large": `31337`, "list": `["verysecret"]`, "object": `{"verysecret": 1}`,
	} {
		u := cognate.User{Subject: "s-1"}.WithClaims(map[string]string{"custom:seats": raw, "address": `"x"`})
		for _, err := range []error{
			errorOf(cognate.UserAs[number](u)), errorOf(cognate.UserAs[quoted](u)), errorOf(cognate.UserAs[date](u)),
		} {
			if err == nil || !strings.Contains(err.Error(), "custom:seats") {
				t.Errorf("%s: error %v does not name the claim", name, err)
				continue
			}
			if strings.Contains(err.Error(), "verysecret") || strings.Contains(err.Error(), "31337") {
				t.Errorf("%s: error %q holds the value", name, err)
			}
		}
	}
	_, err := cognate.UserAs[customer](nil)
	if err == nil {
		t.Error("nobody's claims are decoded")
	}
	u := cognate.User{Subject: "s-1"}.WithClaims(map[string]string{"custom:seats": `"x"`})
	got, _ := cognate.UserAs[customer](u)
	if got.Subject != "" {
		t.Errorf("half a value with the error: %+v", got)
	}
}

func errorOf[T any](_ T, err error) error { return err }

func TestTextListTruth(t *testing.T) {
	u := ruleUser()
	for _, tt := range []struct {
		claim, text string
		list        []string
		truth       bool
	}{
		{"custom:tier", "gold", []string{"gold"}, false},
		{"age", "42", []string{"42"}, false},
		{"adult", "true", []string{"true"}, true},
		{"nothing", "", nil, false},
		{"empty", "", []string{""}, false},
		{"list", "", []string{"a", "7", "true"}, false},
		{"object", "", nil, false},
		{"absent", "", nil, false},
		{"email", "ann@example.com", []string{"ann@example.com"}, false},
		{"email_verified", "true", []string{"true"}, true},
		{"groups", "", []string{"staff", "ops"}, false},
		{"username", "ann", []string{"ann"}, false},
	} {
		if got := u.Text(tt.claim); got != tt.text {
			t.Errorf("Text(%s) = %q, want %q", tt.claim, got, tt.text)
		}
		if got := u.List(tt.claim); !slices.Equal(got, tt.list) {
			t.Errorf("List(%s) = %q, want %q", tt.claim, got, tt.list)
		}
		if got := u.Truth(tt.claim); got != tt.truth {
			t.Errorf("Truth(%s) = %v", tt.claim, got)
		}
	}
	for raw, want := range map[string]bool{
		`"true"`: true, `"false"`: false, `"TRUE"`: false, `1`: false, `[true]`: false,
	} {
		if got := (cognate.User{}).WithClaims(map[string]string{"x": raw}).Truth("x"); got != want {
			t.Errorf("Truth of %s = %v", raw, got)
		}
	}
	var nobody *cognate.User
	if nobody.Text("sub") != "" || nobody.List("groups") != nil || nobody.Truth("email_verified") ||
		nobody.Identities() != nil {
		t.Error("nobody has claims")
	}
	if got := (&cognate.User{}).List("groups"); got != nil {
		t.Errorf("groups of a user without = %q", got)
	}
}

const cognitoIdentities = `[{"userId": "1234", "providerName": "Google", "providerType": "Google", "issuer": null,
	"primary": "true", "dateCreated": "1735787045123"},
	{"userId": 99, "providerName": "corp", "providerType": "SAML", "issuer": "urn:corp",
	 "primary": false, "dateCreated": 1735787045123}]`

func TestIdentities(t *testing.T) {
	quoted, _ := json.Marshal(cognitoIdentities)
	when := time.UnixMilli(1735787045123)
	both := []cognate.Identity{
		{UserID: "1234", Provider: "Google", Type: "Google", Primary: true, Created: when},
		{UserID: "99", Provider: "corp", Type: "SAML", Issuer: "urn:corp", Created: when},
	}
	for _, tt := range []struct {
		name, raw string
		want      []cognate.Identity
	}{
		{"list, as in the ID token", cognitoIdentities, both},
		{"string, as in userInfo", string(quoted), both},
		{"absent", "", nil},
		{"null", "null", nil},
		{"empty", "[]", nil},
		{"number", "7", nil},
		{"object", "{}", nil},
		{"text", `"hello"`, nil},
		{"cut off", `"[{"`, nil},
		{"members of other kinds", `[1, null, "x", [], {"userId": "a"}]`, []cognate.Identity{{UserID: "a"}}},
		{"member twice", `[{"userId": "a", "userId": "b"}, {"userId": "c"}]`, []cognate.Identity{{UserID: "c"}}},
		{"wrong dates",
			`[{"userId": "a", "dateCreated": "soon"}, {"dateCreated": -1}, {"dateCreated": 9e99},
			 {"dateCreated": "9223372036854775807"}]`,
			[]cognate.Identity{{UserID: "a"}, {}, {}, {}}},
		{"primary of another kind", `[{"primary": 1}, {"primary": "TRUE"}]`, []cognate.Identity{{}, {}}},
		{"many", "[" + strings.Repeat(`{"userId": "a"},`, 999) + "{}]",
			slices.Repeat([]cognate.Identity{{UserID: "a"}}, 32)},
	} {
		kept := map[string]string{"identities": tt.raw}
		if tt.raw == "" {
			kept = nil
		}
		if diff := cmp.Diff(tt.want, cognate.User{}.WithClaims(kept).Identities()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}

func TestKeeps(t *testing.T) {
	for _, tt := range []struct {
		patterns []string
		name     string
		want     bool
	}{
		{[]string{"locale"}, "locale", true},
		{[]string{"locale"}, "locales", false},
		{[]string{"locale"}, "Locale", false},
		{[]string{"a", "custom:*"}, "custom:tier", true},
		{[]string{"custom:*"}, "custom:", true},
		{[]string{"custom:*"}, "custom", false},
		{[]string{"custom:*"}, "CUSTOM:tier", false},
		{[]string{"*"}, "locale", false},
		{[]string{"a*", "n*", "s*"}, "aud", false},
		{[]string{"a*", "n*", "s*"}, "nonce", false},
		{[]string{"a*", "n*", "s*"}, "address", true},
		{[]string{"acr"}, "acr", true},
		{nil, "locale", false},
	} {
		if got := cognate.Keeps(tt.patterns, tt.name); got != tt.want {
			t.Errorf("%q keeps %s: %v, want %v", tt.patterns, tt.name, got, tt.want)
		}
	}
}

func TestClaimNames(t *testing.T) {
	if p := cognate.ClaimNameProblems([]string{"locale", "custom:*", "https://example.com/roles", "a*"}); p != nil {
		t.Error(p)
	}
	for name, patterns := range map[string][]string{
		"empty": {""}, "everything": {"*"}, "star inside": {"cus*tom"}, "two stars": {"custom:**"},
		"star first": {"*:tier"},
		"long":       {strings.Repeat("x", 300)}, "many": slices.Repeat([]string{"a"}, 101),
	} {
		if p := cognate.ClaimNameProblems(append([]string{"fine"}, patterns...)); len(p) != 1 {
			t.Errorf("%s: problems %v, want one", name, p)
		}
	}
}

// TestClaimsWithAStar signs in and reads what a pattern kept.
func TestClaimsWithAStar(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditClaims = func(c map[string]any) {
		c["custom:tier"], c["custom:seats"], c["customer"], c["locale"] = "gold", "12", "x", "de"
	}
	x := newApp(t, p, func(c *cognate.Config) { c.Claims = []string{"custom:*"} })
	b := x.browser(t)
	b.signIn(p)
	u := b.user()
	if u == nil || u.Text("custom:tier") != "gold" || u.Text("custom:seats") != "12" ||
		u.Text("customer")+u.Text("locale") != "" {
		t.Errorf("user = %+v\n%s", u, x.log)
	}
}

func FuzzIdentities(f *testing.F) {
	f.Add(cognitoIdentities)
	f.Add(`"[{\"userId\":\"a\"}]"`)
	f.Fuzz(func(t *testing.T, raw string) {
		list := cognate.User{}.WithClaims(map[string]string{"identities": raw}).Identities()
		if len(list) > 32 {
			t.Errorf("%d identities", len(list))
		}
	})
}

func FuzzUserAs(f *testing.F) {
	f.Add("custom:tier", `"gold"`)
	f.Add("Sub", `"else"`)
	f.Add("groups", `["a", {"b": 1}]`)
	f.Add("address", `{"locality": "x", "locality": "y"}`)
	f.Fuzz(func(t *testing.T, name, raw string) {
		u := cognate.User{Subject: "s-1", Email: "a@example.com"}.WithClaims(map[string]string{name: raw})
		got, err := cognate.UserAs[customer](u)
		if err == nil && (got.Subject != "s-1" || got.Email != "a@example.com" || got.Verified) {
			t.Errorf("%q: %s changed a checked field: %+v", name, raw, got)
		}
		_, _, _ = u.Text(name), u.List(name), u.Truth(name)
		cognate.CheckRules(t.Context(), u, cognate.Claim(name, raw), cognate.ClaimPath([]string{name, name}, raw))
	})
}

func TestVerifiedEmail(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value any
		want  bool
	}{
		{"true", true, true}, {"string true", "true", true}, {"false", false, false},
		{"string false", "false", false}, {"absent", nil, false}, {"number", 1, false}, {"string True", "True", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.ServeUserInfo = func(w http.ResponseWriter, _ *http.Request) {
				fakeprovider.ServeJSON(w, 200, map[string]any{"sub": "user-1", "email": "ann@example.com"})
			}
			p.EditClaims = func(c map[string]any) {
				if c["email_verified"] = tt.value; tt.value == nil {
					delete(c, "email_verified")
				}
			}
			b := newApp(t, p, func(c *cognate.Config) { c.RequireVerifiedEmail = true }).browser(t)
			resp := b.signIn(p)
			if got := b.signedIn(); got != tt.want {
				t.Errorf("signed in: %v, want %v", got, tt.want)
			}
			if !tt.want && (resp.StatusCode != http.StatusForbidden || !strings.Contains(body(t, resp), "verified")) {
				t.Errorf("status %d, want 403 and a page that says why", resp.StatusCode)
			}
		})
	}
}

func TestUserInfo(t *testing.T) {
	noEmail := func(c map[string]any) { delete(c, "email"); delete(c, "email_verified") }
	info := func(v map[string]any) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { fakeprovider.ServeJSON(w, 200, v) }
	}
	for _, tt := range []struct {
		name     string
		mode     cognate.UserInfoMode
		claims   func(map[string]any)
		answer   func(http.ResponseWriter, *http.Request)
		calls    int
		email    string // "" means no session
		verified bool
	}{
		{"not needed", cognate.UserInfoIfNeeded, nil, nil, 0, "ann@example.com", true},
		{"needed", cognate.UserInfoIfNeeded, noEmail, nil, 1, "ann@example.com", true},
		{"never", cognate.UserInfoNever, nil, nil, 0, "ann@example.com", true},
		{"always, string false", cognate.UserInfoAlways, nil,
			info(map[string]any{"sub": "user-1", "email": "b@example.com", "email_verified": "false"}), 1,
			"b@example.com", false},
		{"other address without a word on it", cognate.UserInfoAlways, nil,
			info(map[string]any{"sub": "user-1", "email": "b@example.com"}), 1, "b@example.com", false},
		{"verified without an address", cognate.UserInfoAlways, func(c map[string]any) { c["email_verified"] = false },
			info(map[string]any{"sub": "user-1", "email_verified": true}), 1, "ann@example.com", false},
		{"other subject", cognate.UserInfoAlways, nil,
			info(map[string]any{"sub": "user-2", "email": "eve@example.com"}), 1, "", false},
		{"no subject", cognate.UserInfoAlways, nil, info(map[string]any{"email": "eve@example.com"}), 1, "", false},
		{"protocol claims", cognate.UserInfoAlways, nil,
			info(map[string]any{"sub": "user-1", "email": "ann@example.com", "email_verified": true, "auth_time": 1}),
			1, "ann@example.com", true},
		{"subject twice", cognate.UserInfoAlways, nil, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"sub":"user-1","sub":"user-2","email":"eve@example.com"}`)
		}, 1, "", false},
		{"html", cognate.UserInfoAlways, nil,
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, 1, "", false},
		{"500", cognate.UserInfoAlways, nil,
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 1, "", false},
		{"null", cognate.UserInfoAlways, nil,
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "null") }, 1, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.ServeUserInfo = tt.answer
			if tt.claims != nil {
				p.EditClaims = func(c map[string]any) { tt.claims(c) }
			}
			x := newApp(t, p, func(c *cognate.Config) { c.UserInfo = tt.mode })
			b := x.browser(t)
			b.signIn(p)
			if p.UserInfoRequests() != tt.calls {
				t.Errorf("%d userInfo requests, want %d", p.UserInfoRequests(), tt.calls)
			}
			u := b.user()
			if tt.email == "" && u != nil {
				t.Errorf("signed in as %v", u)
			}
			if u != nil && u.AuthTime.Unix() == 1 {
				t.Error("userInfo changed when the user signed in")
			}
			if tt.email != "" && (u == nil || u.Email != tt.email || u.EmailVerified != tt.verified) {
				t.Errorf("user %+v, want %s, verified %v", u, tt.email, tt.verified)
			}
		})
	}
}

// TestVerifiedOnlyInUserInfo asks userInfo for what the ID token does not say and the
// app insists on.
func TestVerifiedOnlyInUserInfo(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditClaims = func(c map[string]any) { delete(c, "email_verified") }
	b := newApp(t, p, func(c *cognate.Config) { c.RequireVerifiedEmail = true }).browser(t)
	b.signIn(p)
	if u := b.user(); u == nil || !u.EmailVerified || p.UserInfoRequests() != 1 {
		t.Errorf("user %+v after %d userInfo requests", u, p.UserInfoRequests())
	}
}

// TestUserInfoOfToken asks about a token that came from elsewhere.
func TestUserInfoOfToken(t *testing.T) {
	p := fakeprovider.New(t)
	var asked string
	answer := map[string]any{"sub": "user-9", "email": "eve@example.com", "email_verified": "false", "shoe": 43}
	p.ServeUserInfo = func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Authorization")
		fakeprovider.ServeJSON(w, http.StatusOK, answer)
	}
	x := newApp(t, p, nil)
	u, err := x.auth.UserInfo(t.Context(), "t0ken")
	if err != nil || asked != "Bearer t0ken" || u.Subject != "user-9" || u.Issuer != p.Issuer || u.EmailVerified ||
		u.Claim("shoe") != 43.0 {
		t.Errorf("user %+v, %v; asked with %q", u, err, asked)
	}
	_, err = x.auth.UserInfo(t.Context(), "")
	expectError(t, err, cognate.ReasonBearerMissing)
	delete(answer, "sub")
	_, err = x.auth.UserInfo(t.Context(), "t0ken")
	expectError(t, err, cognate.ReasonTokenMalformed)
	p.ServeUserInfo = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	_, err = x.auth.UserInfo(t.Context(), "t0ken")
	expectError(t, err, cognate.ReasonUserInfo)
}

func TestUserFields(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	u := b.user()
	if u == nil {
		t.Fatal("not signed in")
	}
	if u.Issuer != p.Issuer || u.Subject != "user-1" || u.Username != "ann" || u.Name != "Ann Example" ||
		strings.Join(u.Groups, " ") != "staff admins" || u.AuthTime.IsZero() {
		t.Errorf("user = %+v", u)
	}
	if got := u.Claim("custom:tier"); got != "gold" {
		t.Errorf("custom:tier = %v, want gold", got)
	}
	if got := u.Claim("nonce"); got != nil {
		t.Errorf("a claim that was not asked for is %v, want nil", got)
	}
}
