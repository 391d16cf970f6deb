package accounts_test

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// TestUpdateClient checks that a client is replaced as a whole, and only by who
// knows what is there.
func TestUpdateClient(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	c := e.App
	c.Name, c.CallbackURLs = "Renamed", []string{"https://new.test/"}
	updated, err := e.Pool.Clients.Update(t.Context(), c)
	if err != nil || updated.Version != c.Version+1 {
		t.Fatalf("got version %d, %v", updated.Version, err)
	}
	got, ok, err := e.Pool.Clients.Get(t.Context(), "app")
	if !reflect.DeepEqual(updated, got) || !ok || err != nil {
		t.Errorf("%t, %v; stored %+v, want %+v", ok, err, got, updated)
	}
	if got.Name != "Renamed" || !got.Secret.Equal(e.App.Secret) {
		t.Errorf("got %+v", got)
	}
	for name, stale := range map[string]userpool.Client{
		"stale": c, "never stored": {ID: "app"}, "gone": {ID: "x", Version: 1},
	} {
		_, err = e.Pool.Clients.Update(t.Context(), stale)
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: got %v, want a conflict", name, err)
		}
	}
	got.Name = "\n"
	_, err = e.Pool.Clients.Update(t.Context(), got)
	if _, refused := errors.AsType[*userpool.Error](err); !refused {
		t.Errorf("a bad name: got %v", err)
	}
}

// TestPutClient checks that a file which lists clients can be read again and
// again.
func TestPutClient(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	listed := userpool.Client{ID: "listed", GenerateSecret: true, CallbackURLs: []string{"https://a.test/"}}
	first, err := e.Pool.Clients.Put(t.Context(), listed)
	if err != nil || first.Secret == "" || first.Version != 1 {
		t.Fatalf("got %+v, %v", first, err)
	}
	listed.CallbackURLs = []string{"https://b.test/"}
	second, err := e.Pool.Clients.Put(t.Context(), listed)
	if err != nil || !second.Secret.Equal(first.Secret) || second.CallbackURLs[0] != "https://b.test/" ||
		second.Version != 2 {
		t.Errorf("again: got %+v, %v", second, err)
	}
	listed.Secret, listed.GenerateSecret = "0123456789abcdef01234567", false
	third, err := e.Pool.Clients.Put(t.Context(), listed)
	if err != nil || !third.Secret.Equal(listed.Secret) {
		t.Errorf("with another secret: got %+v, %v", third, err)
	}
	listed.Secret = ""
	fourth, err := e.Pool.Clients.Put(t.Context(), listed)
	if err != nil || fourth.Secret != "" {
		t.Errorf("without a secret: got %+v, %v", fourth, err)
	}
	_, err = e.Pool.Clients.Put(t.Context(), userpool.Client{})
	if _, refused := errors.AsType[*userpool.Error](err); !refused {
		t.Errorf("without an ID: got %v", err)
	}
}

// TestClients lists and deletes.
func TestClients(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	ids := func(after string, limit int) string {
		list, err := e.Pool.Clients.List(t.Context(), after, limit)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range list {
			out = append(out, c.ID)
		}
		return strings.Join(out, " ")
	}
	if ids("", 10) != "app other public" || ids("app", 1) != "other" {
		t.Errorf("got %s and %s", ids("", 10), ids("app", 1))
	}
	for range 2 {
		err := e.Pool.Clients.Delete(t.Context(), "other")
		if err != nil {
			t.Fatal(err)
		}
	}
	_, ok, err := e.Pool.Clients.Get(t.Context(), "other")
	if ok || err != nil || ids("", 10) != "app public" {
		t.Errorf("after deleting: %t, %v, %s", ok, err, ids("", 10))
	}
}

// TestClientAttributes holds a client's attributes to the pool's schema.
func TestClientAttributes(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t, func(cfg *pool.Config) {
		cfg.Settings.Schema = []userpool.Attribute{{Name: "email", Required: true}, {Name: "custom:plan"}}
	})
	for _, tt := range []struct {
		name        string
		read, write []string
		want        string
	}{
		{"all", nil, nil, ""},
		{"listed", []string{"custom:plan", "email_verified", "identities"}, []string{"email", "custom:plan"}, ""},
		{"not listed", []string{"custom:size"}, nil, "custom:size"},
		{"required", nil, []string{"name"}, "email"},
	} {
		err := e.Pool.Clients.Check(userpool.Client{ReadAttributes: tt.read, WriteAttributes: tt.write})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	c := userpool.Client{WriteAttributes: []string{"email"}}
	if !c.CanWrite("email") || c.CanWrite("name") || !(userpool.Client{}).CanWrite("name") ||
		(userpool.Client{}).CanWrite("email_verified") {
		t.Error("CanWrite is wrong")
	}
}

// TestResourceServerSettings has what a resource server and a group may be.
func TestResourceServerSettings(t *testing.T) {
	t.Parallel()
	server := func(id string, scopes ...string) userpool.Settings {
		r := userpool.ResourceServer{Identifier: id}
		for _, s := range scopes {
			r.Scopes = append(r.Scopes, userpool.ResourceServerScope{Name: s})
		}
		return userpool.Settings{ResourceServers: []userpool.ResourceServer{r}}
	}
	twice := server("api")
	twice.ResourceServers = append(twice.ResourceServers, twice.ResourceServers[0])
	negative := -1
	group := func(g ...userpool.Group) userpool.Settings { return userpool.Settings{Groups: g} }
	for _, tt := range []struct {
		name     string
		settings userpool.Settings
		want     string // part of the error; empty: none
	}{
		{"a word", server("api", "read", "write:all"), ""},
		{"a URL", server("https://api.test/v1", "read"), ""},
		{"no identifier", server("", "read"), "ResourceServers[0].Identifier"},
		{"space in identifier", server("a b"), "ResourceServers[0].Identifier"},
		{"long identifier", server(strings.Repeat("a", 257)), "ResourceServers[0].Identifier"},
		{"identifier twice", twice, "ResourceServers[1].Identifier"},
		{"odd name", userpool.Settings{ResourceServers: []userpool.ResourceServer{{Identifier: "a", Name: "<b>"}}},
			"ResourceServers[0].Name"},
		{"slash in scope", server("api", "a/b"), "Scopes[0].Name"},
		{"empty scope", server("api", ""), "Scopes[0].Name"},
		{"scope twice", server("api", "a", "a"), "Scopes[1].Name"},
		{"long together", server(strings.Repeat("a", 250), "abcdef"), "256"},
		{"many scopes", server("api", strings.Split(strings.Repeat("x", 101), "")...), "at most 100"},
		{
			"group",
			group(userpool.Group{Name: "b", RoleARN: "arn:aws:iam::123456789012:role/a"}, userpool.Group{Name: "a"}),
			"",
		},
		{
			"group twice", group(userpool.Group{Name: "a"}, userpool.Group{Name: "b"}, userpool.Group{Name: "a"}),
			"repeated",
		},
		{"group without name", group(userpool.Group{}), "name"},
		{"odd role", group(userpool.Group{Name: "a", RoleARN: "admin"}), "RoleARN"},
		{"negative precedence", group(userpool.Group{Name: "a", Precedence: &negative}), "Precedence"},
	} {
		err := userpool.CheckSettings(tt.settings)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestCreateClient has the defaults, and what is refused.
func TestCreateClient(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	c := e.AddClient(t, userpool.Client{GenerateSecret: true})
	if !regexp.MustCompile(`^[a-z0-9]{26}$`).MatchString(c.ID) ||
		!regexp.MustCompile(`^[a-z0-9]{52}$`).MatchString(string(c.Secret)) || c.GenerateSecret {
		t.Errorf("got ID %s and a secret of %d characters", c.ID, len(c.Secret))
	}
	if c.AccessTokenValidity != time.Hour || c.IDTokenValidity != time.Hour ||
		c.RefreshTokenValidity != 720*time.Hour || strings.Join(c.AllowedOAuthFlows, " ") != "code" ||
		strings.Join(c.AllowedOAuthScopes, " ") != "openid email phone profile" {
		t.Errorf("got defaults %+v", c)
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("https://app.test/%d", i)
	}
	for name, c := range map[string]userpool.Client{
		"bad ID": {ID: "a-b"}, "line break in ID": {ID: "a\n"}, "long ID": {ID: strings.Repeat("a", 129)},
		"long name": {Name: strings.Repeat("n", 129)}, "control in name": {Name: "a\nb"},
		"short secret": {Secret: "short"}, "odd secret": {Secret: "0123456789abcdef01234567-"},
		"two secrets":    {Secret: "0123456789abcdef01234567", GenerateSecret: true},
		"bad callback":   {CallbackURLs: []string{"http://app.test/"}},
		"bad logout":     {LogoutURLs: []string{"https://app.test/#"}},
		"many callbacks": {CallbackURLs: many}, "many logouts": {LogoutURLs: many},
		"foreign default": {CallbackURLs: []string{"https://a.test/"}, DefaultRedirectURI: "https://b.test/"},
		"unknown scope":   {AllowedOAuthScopes: []string{"openid", "offline_access"}},
		"space in scope":  {AllowedOAuthScopes: []string{"api/a b"}},
		"scope twice":     {AllowedOAuthScopes: []string{"openid", "openid"}},
		"no openid":       {AllowedOAuthScopes: []string{"email"}},
		"unknown flow":    {AllowedOAuthFlows: []string{"code", "hybrid"}},
		"flow twice":      {AllowedOAuthFlows: []string{"code", "code"}},
		"public machine": {AllowedOAuthFlows: []string{"client_credentials"},
			AllowedOAuthScopes: []string{"https://api.test/read"}},
		"machine and person": {GenerateSecret: true, AllowedOAuthFlows: []string{"code", "client_credentials"},
			AllowedOAuthScopes: []string{"https://api.test/read"}},
		"machine without scopes": {GenerateSecret: true, AllowedOAuthFlows: []string{"client_credentials"}},
		"machine with openid": {GenerateSecret: true, AllowedOAuthFlows: []string{"client_credentials"},
			AllowedOAuthScopes: []string{"openid", "https://api.test/read"}},
		"no such scope":           {AllowedOAuthScopes: []string{"https://api.test/delete"}},
		"no such server":          {AllowedOAuthScopes: []string{"https://api.test/v2/read"}},
		"no such provider":        {SupportedIdentityProviders: []string{"COGNITO", "Corp"}},
		"provider twice":          {SupportedIdentityProviders: []string{"COGNITO", "COGNITO"}},
		"unknown auth flow":       {ExplicitAuthFlows: []string{"USER_AUTH"}},
		"second secret alone":     {SecondSecret: "0123456789abcdef01234567"},
		"one secret twice":        {Secret: "0123456789abcdef01234567", SecondSecret: "0123456789abcdef01234567"},
		"odd second secret":       {Secret: "0123456789abcdef01234567", SecondSecret: "x"},
		"unknown attribute":       {ReadAttributes: []string{"shoe_size"}},
		"attribute twice":         {WriteAttributes: []string{"name", "name"}},
		"writes what is verified": {WriteAttributes: []string{"email", "email_verified"}},
		"access too short":        {AccessTokenValidity: 299 * time.Second},
		"access too long":         {AccessTokenValidity: 25 * time.Hour},
		"ID too short":            {IDTokenValidity: time.Minute},
		"ID too long":             {IDTokenValidity: 86401 * time.Second},
		"refresh too short":       {RefreshTokenValidity: 59 * time.Minute},
		"negative":                {AccessTokenValidity: -time.Hour},
		"refresh too long":        {RefreshTokenValidity: 3651 * 24 * time.Hour},
		"fraction":                {IDTokenValidity: time.Hour + 1},
		"long grace": {
			RefreshTokenRotation: userpool.RefreshTokenRotation{RetryGracePeriod: 61 * time.Second},
		},
		"negative grace":    {RefreshTokenRotation: userpool.RefreshTokenRotation{RetryGracePeriod: -time.Second}},
		"fraction of grace": {RefreshTokenRotation: userpool.RefreshTokenRotation{RetryGracePeriod: time.Millisecond}},
	} {
		_, err := e.Pool.Clients.Create(t.Context(), c)
		if _, ok := errors.AsType[*userpool.Error](err); !ok {
			t.Errorf("%s: got error %v, want an *Error", name, err)
		}
	}
	_, err := e.Pool.Clients.Create(t.Context(), userpool.Client{ID: "app"})
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("same ID: got error %v, want ErrExists", err)
	}
}
