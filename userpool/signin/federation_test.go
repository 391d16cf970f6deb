package signin_test

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
)

func corp() userpool.IdentityProvider {
	return userpool.IdentityProvider{
		Name: "Corp", Type: userpool.ProviderOIDC, Identifiers: []string{"corp.example"},
		ClientID: "c", ClientSecret: "s", Issuer: "https://corp.test",
		AttributeMapping: map[string]string{
			"username": "sub", "email": "email", "phone_number": "phone", "name": "name", "custom:plan": "plan",
		},
	}
}

// federated is a pool with Corp, and a request of a client that has it.
type federated struct {
	*pooltest.Env
	client userpool.Client
}

func newFederated(t *testing.T, changes ...func(*userpool.Settings, *userpool.Client)) *federated {
	t.Helper()
	settings := userpool.Settings{IdentityProviders: []userpool.IdentityProvider{corp()}}
	client := userpool.Client{
		ID: "fed", CallbackURLs: []string{pooltest.Callback}, SupportedIdentityProviders: []string{"COGNITO", "Corp"},
	}
	for _, change := range changes {
		change(&settings, &client)
	}
	e := pooltest.New(t)
	err := e.Pool.Configure(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	return &federated{e, e.AddClient(t, client)}
}

func (f *federated) signIn(t *testing.T, subject string, claims map[string]string) (userpool.User, error) {
	t.Helper()
	a, err := f.Pool.Grants.ParseAuthorization(t.Context(), url.Values{
		"client_id": {"fed"}, "redirect_uri": {pooltest.Callback}, "response_type": {"code"},
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := f.Pool.Federation.SignIn(
		t.Context(), a.Client, "Corp", userpool.Profile{Subject: subject, Claims: claims},
	)
	return u, a.Refusal(err)
}

func (f *federated) must(t *testing.T, subject string, claims map[string]string) userpool.User {
	t.Helper()
	u, err := f.signIn(t, subject, claims)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func refusalText(err error) string {
	app, ok := errors.AsType[*userpool.RedirectError](err)
	if !ok || app.Err.Code != userpool.CodeInvalidRequest {
		return "not for the app"
	}
	return app.Err.Description
}

// TestMapping pins what becomes of attributes at the second sign-in.
func TestMapping(t *testing.T) {
	t.Parallel()
	before := map[string]string{"email": "ann@example.com", "name": "Ann", "plan": "7"}
	for name, tt := range map[string]struct {
		change func(*userpool.Settings, *userpool.Client)
		claims map[string]string
		want   map[string]string
		err    string
	}{
		"the same": {
			nil, before,
			map[string]string{
				"email": "ann@example.com", "email_verified": "false", "name": "Ann", "custom:plan": "7",
			}, "",
		},
		"changed": {nil, map[string]string{"name": "Anna", "plan": "8"},
			map[string]string{
				"email": "ann@example.com", "email_verified": "false", "name": "Anna", "custom:plan": "8",
			}, ""},
		"nothing said": {
			nil, nil,
			map[string]string{
				"email": "ann@example.com", "email_verified": "false", "name": "Ann", "custom:plan": "7",
			}, "",
		},
		"blank": {nil, map[string]string{"name": " ", "email": ""}, map[string]string{"custom:plan": "7"}, ""},
		"not mapped": {nil, map[string]string{"custom:role": "admin", "email_verified": "true", "": "x"},
			map[string]string{
				"email": "ann@example.com", "email_verified": "false", "name": "Ann", "custom:plan": "7",
			}, ""},
		"bad address": {nil, map[string]string{"email": "x"}, nil, "Invalid email address format."},
		"too long": {
			nil, map[string]string{"name": strings.Repeat("a", 2049)}, nil,
			"Attributes did not conform to the schema: name: expected UTF-8 of at most 2048 bytes",
		},
		"required": {func(s *userpool.Settings, _ *userpool.Client) {
			s.Schema = []userpool.Attribute{
				{Name: "email", Required: true}, {Name: "name", Required: true}, {Name: "custom:plan"},
			}
		}, map[string]string{"email": "", "name": ""}, nil, "attributes required: [email, name]"},
		"fixed": {func(s *userpool.Settings, _ *userpool.Client) {
			s.Schema = []userpool.Attribute{{Name: "name", Immutable: true}, {Name: "custom:plan"}}
		}, map[string]string{"name": "Ann"}, nil, "user.name: Attribute cannot be updated."},
		"fixed and not said": {func(s *userpool.Settings, _ *userpool.Client) {
			s.Schema = []userpool.Attribute{{Name: "name", Immutable: true}, {Name: "custom:plan"}}
		}, map[string]string{"plan": "8"},
			map[string]string{
				"email": "ann@example.com", "email_verified": "false", "name": "Ann", "custom:plan": "8",
			}, ""},
		"mapped and verified": {func(s *userpool.Settings, _ *userpool.Client) {
			s.IdentityProviders[0].AttributeMapping["email_verified"] = "ev"
		}, map[string]string{"email": "a@example.com", "ev": "true"},
			map[string]string{"email": "a@example.com", "email_verified": "true", "name": "Ann", "custom:plan": "7"},
			""},
		"mapped and not said": {func(s *userpool.Settings, _ *userpool.Client) {
			s.IdentityProviders[0].AttributeMapping["email_verified"] = "ev"
		}, map[string]string{"email": "a@example.com"},
			map[string]string{"email": "a@example.com", "email_verified": "false", "name": "Ann", "custom:plan": "7"},
			""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var changes []func(*userpool.Settings, *userpool.Client)
			if tt.change != nil {
				changes = append(changes, tt.change)
			}
			f := newFederated(t, changes...)
			first := f.must(t, "ann", before)
			if first.Attributes["email_verified"] != "false" || first.Attributes["custom:plan"] != "7" {
				t.Fatalf("the first sign-in gives %v", first.Attributes)
			}
			got, err := f.signIn(t, "ann", tt.claims)
			if tt.err != "" {
				stored, _, _ := f.Pool.Users.Get(t.Context(), first.Sub)
				if refusalText(err) != tt.err || !maps.Equal(stored.Attributes, first.Attributes) {
					t.Errorf("got %v, want %q; stored are %v", err, tt.err, stored.Attributes)
				}
				return
			}
			stored, _, _ := f.Pool.Users.Get(t.Context(), first.Sub)
			if err != nil || got.Sub != first.Sub || !maps.Equal(got.Attributes, tt.want) ||
				!maps.Equal(stored.Attributes, tt.want) {
				t.Errorf("got %v, %v; stored %v, want %v", got.Attributes, err, stored.Attributes, tt.want)
			}
		})
	}
}

// TestVerifiedStays pins that an address which was verified here, and is the
// same, stays so, and that another one is not verified for it.
func TestVerifiedStays(t *testing.T) {
	t.Parallel()
	f := newFederated(t)
	u := f.must(t, "ann", map[string]string{"email": "ann@example.com"})
	_, err := f.Pool.Users.UpdateAttributes(t.Context(), u.Username, map[string]string{"email_verified": "true"})
	if err != nil {
		t.Fatal(err)
	}
	u = f.must(t, "ann", map[string]string{"email": "ann@example.com"})
	if u.Attributes["email_verified"] != "true" {
		t.Error("the same address is not verified any more")
	}
	u = f.must(t, "ann", map[string]string{"email": "eve@example.com"})
	if u.Attributes["email_verified"] != "false" {
		t.Error("another address is verified")
	}
}

// TestVerifiedWithoutAddress pins that a provider verifies the address that it
// names, and not the one that the user has got from somewhere else.
func TestVerifiedWithoutAddress(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mapping, claims map[string]string
	}{
		"not said": {map[string]string{"email": "email", "email_verified": "ok"}, map[string]string{"ok": "true"}},
		"not mapped": {
			map[string]string{"email_verified": "ok"}, map[string]string{"email": "eve@example.com", "ok": "true"},
		},
	} {
		f := newFederated(t, func(s *userpool.Settings, _ *userpool.Client) {
			s.IdentityProviders[0].AttributeMapping = tt.mapping
		})
		u := f.must(t, "eve", nil)
		_, err := f.Pool.Users.UpdateAttributes(t.Context(), u.Username, map[string]string{"email": "ann@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.must(t, "eve", tt.claims); got.Attributes["email_verified"] == "true" {
			t.Errorf("%s: %v", name, got.Attributes)
		}
	}
}

// TestMappedWriteAttributes pins that what a client may not write is left out.
func TestMappedWriteAttributes(t *testing.T) {
	t.Parallel()
	f := newFederated(t, func(_ *userpool.Settings, c *userpool.Client) { c.WriteAttributes = []string{"email"} })
	got := f.must(t, "ann", map[string]string{"email": "ann@example.com", "name": "Ann"})
	if got.Attributes["email"] != "ann@example.com" || got.Attributes["name"] != "" {
		t.Errorf("got %v", got.Attributes)
	}
}

// TestFirstFederatedSignIn pins who somebody becomes.
func TestFirstFederatedSignIn(t *testing.T) {
	t.Parallel()
	f := newFederated(t)
	u := f.must(t, "aB", nil)
	want := userpool.Identity{
		UserID: "aB", ProviderName: "Corp", ProviderType: "OIDC", Primary: true, Created: f.Clock.Now(),
	}
	if u.Username != "corp_ab" || u.Status != userpool.UserExternal ||
		!slices.Equal(u.Groups, []string{pooltest.PoolID + "_Corp"}) ||
		len(u.Identities) != 1 || u.Identities[0] != want {
		t.Errorf("got %+v", u)
	}
	// Another subject, which the user name cannot tell from the first, is not the
	// same person.
	_, err := f.signIn(t, "Ab", nil)
	if refusalText(err) != "Already found an entry for username Corp_Ab" {
		t.Errorf("got %v", err)
	}
	// Nobody signs in to it with a password, or by what identities are found by.
	for _, name := range []string{"corp_ab", "Corp_aB", " identity:" + u.Sub} {
		_, err := f.Pool.Users.SignIn(t.Context(), name, "")
		if !isRefusal(err) {
			t.Errorf("%q without a password: %v", name, err)
		}
	}
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*userpool.Error](err)
	return ok
}

// TestHijack pins that nobody becomes somebody else by a name or an address that
// is the same: not who registered it before, nor who comes from a provider.
func TestHijack(t *testing.T) {
	t.Parallel()
	f := newFederated(t)
	_, err := f.Pool.Users.Create(t.Context(), userpool.NewUser{Username: "Corp_ann", Password: pooltest.Password})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.signIn(t, "ann", nil)
	if refusalText(err) != "Already found an entry for username Corp_ann" {
		t.Errorf("a name registered before: %v", err)
	}
	u := f.must(t, "eve", map[string]string{"email": f.Ann.Attributes["email"]})
	if u.Sub == f.Ann.Sub {
		t.Error("the same address made somebody Ann")
	}
}

// TestFederatedNames are subjects that cannot be part of a user name.
func TestFederatedNames(t *testing.T) {
	t.Parallel()
	f := newFederated(t)
	const long = "the user name, Corp_ and the subject, has more than 128 characters or a space"
	for subject, want := range map[string]string{
		"": "username attribute mapping required", "a b": long, "a\x00b": long, "a\nb": long, "\xff": long,
		strings.Repeat("a", 124): long,
	} {
		_, err := f.signIn(t, subject, nil)
		if refusalText(err) != want {
			t.Errorf("%q: got %v, want %q", subject, err, want)
		}
	}
	f.must(t, strings.Repeat("a", 123), nil)
}

// TestDisabledThere pins that a disabled user stays out.
func TestDisabledThere(t *testing.T) {
	t.Parallel()
	f := newFederated(t)
	u := f.must(t, "ann", nil)
	err := f.Pool.Users.Disable(t.Context(), u.Username)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.signIn(t, "ann", nil)
	if refusalText(err) != "User is disabled." {
		t.Errorf("got %v", err)
	}
}

// TestConcurrentFirstSignIns makes one user of many first sign-ins at once.
func TestConcurrentFirstSignIns(t *testing.T) {
	t.Parallel()
	f := newFederated(t)
	a, err := f.Pool.Grants.ParseAuthorization(t.Context(), url.Values{
		"client_id": {"fed"}, "redirect_uri": {pooltest.Callback}, "response_type": {"code"},
	})
	if err != nil {
		t.Fatal(err)
	}
	subs := make([]string, 8)
	var wg sync.WaitGroup
	for i := range subs {
		wg.Go(func() {
			u, err := f.Pool.Federation.SignIn(t.Context(), a.Client, "Corp", userpool.Profile{Subject: "ann"})
			if err != nil {
				t.Error(err)
			}
			subs[i] = u.Sub
		})
	}
	wg.Wait()
	if len(slices.Compact(subs)) != 1 {
		t.Errorf("got users %q", subs)
	}
}

// TestLinkProvider pins that a linked sign-in signs the local user in, whose
// names no provider can change.
func TestLinkProvider(t *testing.T) {
	t.Parallel()
	f := newFederated(t)
	linked, err := f.Pool.Users.LinkProvider(t.Context(), f.Ann.Sub, "Corp", "ann-at-corp")
	if err != nil {
		t.Fatal(err)
	}
	if i := linked.Identities; len(i) != 1 || i[0].Primary || i[0].UserID != "ann-at-corp" {
		t.Errorf("got identities %+v", i)
	}
	u := f.must(t, "ann-at-corp", map[string]string{"name": "Ann of Corp"})
	if u.Sub != f.Ann.Sub || u.Username != "Ann" || u.Status != userpool.UserConfirmed ||
		u.Attributes["name"] != "Ann of Corp" {
		t.Errorf("got %+v", u)
	}
	_, err = f.Pool.Users.SignIn(t.Context(), "ann", pooltest.Password)
	if err != nil {
		t.Errorf("the password of a linked user: %v", err)
	}

	other := f.must(t, "somebody", nil)
	for name, tt := range map[string]struct{ sub, provider, subject, want string }{
		"linked already":    {other.Sub, "Corp", "ann-at-corp", "Merging is not currently supported"},
		"signed in already": {f.Ann.Sub, "Corp", "somebody", "Merging is not currently supported"},
		"unknown provider":  {f.Ann.Sub, "Nobody", "x", "no identity provider"},
		"no subject":        {f.Ann.Sub, "Corp", "", "subject"},
	} {
		_, err := f.Pool.Users.LinkProvider(t.Context(), tt.sub, tt.provider, tt.subject)
		if !isRefusal(err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
	_, err = f.Pool.Users.LinkProvider(t.Context(), "nobody", "Corp", "x")
	if err == nil {
		t.Error("a user who is not there is linked")
	}
	for i := range 4 {
		_, err = f.Pool.Users.LinkProvider(t.Context(), f.Ann.Sub, "Corp", string(rune('a'+i)))
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = f.Pool.Users.LinkProvider(t.Context(), f.Ann.Sub, "Corp", "sixth")
	if !isRefusal(err) {
		t.Errorf("a sixth identity: %v", err)
	}
}

// TestLinkedLogin pins that a provider cannot change what a linked user signs in
// with.
func TestLinkedLogin(t *testing.T) {
	t.Parallel()
	settings := userpool.Settings{
		UsernameAttributes: []string{"email"}, IdentityProviders: []userpool.IdentityProvider{corp()},
	}
	settings.IdentityProviders[0].AttributeMapping["email_verified"] = "ev"
	keys, err := pooltest.Keys()
	if err != nil {
		t.Fatal(err)
	}
	p, err := pool.New(t.Context(), pool.Config{
		ID: "local_mail1", Issuer: "http://pool.test/", Store: memstore.New(), Keys: keys, Settings: settings,
		Hashing: pooltest.Cheap,
	})
	if err != nil {
		t.Fatal(err)
	}
	e := &pooltest.Env{Pool: p}
	f := &federated{e, e.AddClient(t, userpool.Client{
		ID: "fed", CallbackURLs: []string{pooltest.Callback}, SupportedIdentityProviders: []string{"Corp"},
	})}
	bob, err := e.Pool.Users.Create(
		t.Context(), userpool.NewUser{Username: "bob@example.com", Password: pooltest.Password},
	)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Pool.Users.LinkProvider(t.Context(), bob.Sub, "Corp", "bob")
	if err != nil {
		t.Fatal(err)
	}
	u := f.must(t, "bob", map[string]string{"email": "ceo@example.com", "ev": "true", "name": "Bob"})
	if u.Attributes["email"] != "bob@example.com" || u.Attributes["email_verified"] == "true" ||
		u.Attributes["name"] != "Bob" {
		t.Errorf("got %v", u.Attributes)
	}
	if _, ok, _ := f.Pool.Users.Find(t.Context(), "ceo@example.com"); ok {
		t.Error("the provider made a login")
	}
}

// TestFederationTriggers pins which triggers are called, and what their refusals
// lead to.
func TestFederationTriggers(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var called []string
	refuse := ""
	invoke := func(_ context.Context, tr userpool.Trigger, _ []byte) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		called = append(called, tr.URL)
		if tr.URL == refuse {
			return nil, &userpool.TriggerRefusal{Message: "no, thank you"}
		}
		return []byte(`{"response":{"autoVerifyEmail":true}}`), nil
	}
	e := pooltest.New(t, func(c *pool.Config) { c.Invoke = invoke })
	triggers := map[string]userpool.Trigger{}
	for _, name := range []string{
		userpool.TriggerPreSignUp, userpool.TriggerPostConfirmation, userpool.TriggerPreAuthentication,
		userpool.TriggerPostAuthentication,
	} {
		triggers[name] = userpool.Trigger{URL: "http://" + name + ".test"}
	}
	err := e.Pool.Configure(
		t.Context(), userpool.Settings{IdentityProviders: []userpool.IdentityProvider{corp()}, Triggers: triggers},
	)
	if err != nil {
		t.Fatal(err)
	}
	f := &federated{e, e.AddClient(t, userpool.Client{
		ID: "fed", CallbackURLs: []string{pooltest.Callback}, SupportedIdentityProviders: []string{"Corp"},
	})}
	url := func(name string) string { return triggers[name].URL }

	refuse = url(userpool.TriggerPreSignUp)
	_, err = f.signIn(t, "ann", nil)
	if !strings.HasPrefix(refusalText(err), "PreSignUp failed with error") {
		t.Errorf("refused: %v", err)
	}
	if _, ok, _ := f.Pool.Users.Find(t.Context(), "corp_ann"); ok {
		t.Error("the user is there although the trigger refused")
	}
	refuse, called = "", nil
	u := f.must(t, "ann", map[string]string{"email": "ann@example.com"})
	if u.Attributes["email_verified"] != "true" {
		t.Error("the trigger's word on the address does not count")
	}
	f.must(t, "ann", nil)
	want := []string{
		url(userpool.TriggerPreSignUp), url(userpool.TriggerPostConfirmation),
		url(userpool.TriggerPreAuthentication), url(userpool.TriggerPostAuthentication),
	}
	if !slices.Equal(called, want) {
		t.Errorf("called %q, want %q", called, want)
	}
	refuse = url(userpool.TriggerPreAuthentication)
	_, err = f.signIn(t, "ann", nil)
	if !strings.HasPrefix(refusalText(err), "PreAuthentication failed") {
		t.Errorf("refused: %v", err)
	}
}

// TestCheckProviders are settings of identity providers, good ones and bad.
func TestCheckProviders(t *testing.T) {
	t.Parallel()
	saml := userpool.IdentityProvider{Name: "Idp", Type: userpool.ProviderSAML, Metadata: "<x/>"}
	one := func(change func(*userpool.IdentityProvider)) []userpool.IdentityProvider {
		ip := corp()
		change(&ip)
		return []userpool.IdentityProvider{ip, saml}
	}
	for name, tt := range map[string]struct {
		list []userpool.IdentityProvider
		want string // part of the error; empty: none
	}{
		"as it is": {one(func(*userpool.IdentityProvider) {}), ""},
		"own endpoints": {one(func(p *userpool.IdentityProvider) {
			p.AuthorizeURL, p.TokenURL = "https://a.test/?x=1", "https://a.test"
			p.UserInfoURL, p.JWKSURL = "https://a.test", "http://a.test"
		}), ""},
		"no name":    {one(func(p *userpool.IdentityProvider) { p.Name = "" }), "1 to 32 characters"},
		"space":      {one(func(p *userpool.IdentityProvider) { p.Name = "a b" }), "1 to 32 characters"},
		"underscore": {one(func(p *userpool.IdentityProvider) { p.Name = "_a" }), "1 to 32 characters"},
		"long": {
			one(func(p *userpool.IdentityProvider) { p.Name = strings.Repeat("a", 33) }), "1 to 32 characters",
		},
		"reserved": {one(func(p *userpool.IdentityProvider) { p.Name = "Cognito" }), "the pool itself"},
		"twice":    {one(func(p *userpool.IdentityProvider) { p.Name = "iDP" }), "repeated"},
		"type":     {one(func(p *userpool.IdentityProvider) { p.Type = "LDAP" }), `expected "OIDC" or "SAML"`},
		"identifiers": {one(func(p *userpool.IdentityProvider) { p.Identifiers = []string{"x", "x"} }),
			"repeated"},
		"identifier": {one(func(p *userpool.IdentityProvider) { p.Identifiers = []string{"a/b"} }), "1 to 40"},
		"51 identifiers": {
			one(func(p *userpool.IdentityProvider) { p.Identifiers = make([]string, 51) }), "at most 50",
		},
		"client ID": {one(func(p *userpool.IdentityProvider) { p.ClientID = "" }), "ClientID is missing"},
		"secret":    {one(func(p *userpool.IdentityProvider) { p.ClientSecret = "" }), "ClientSecret is missing"},
		"scopes": {
			one(func(p *userpool.IdentityProvider) { p.Scopes = "email" }), "openid is missing in Scopes",
		},
		"scopes, a tab": {
			one(func(p *userpool.IdentityProvider) { p.Scopes = "openid\temail" }), "openid is missing in Scopes",
		},
		"issuer":          {one(func(p *userpool.IdentityProvider) { p.Issuer = "" }), "Issuer"},
		"issuer's scheme": {one(func(p *userpool.IdentityProvider) { p.Issuer = "ftp://x.test" }), "Issuer"},
		"issuer's user": {
			one(func(p *userpool.IdentityProvider) { p.Issuer = "https://a:hunter2@x.test" }), "Issuer has a user name",
		},
		"some endpoints": {
			one(func(p *userpool.IdentityProvider) { p.TokenURL = "https://x.test" }),
			"AuthorizeURL is missing: give all four",
		},
		"bad endpoint": {one(func(p *userpool.IdentityProvider) {
			p.AuthorizeURL, p.TokenURL, p.UserInfoURL, p.JWKSURL = "x", "x", "x", "x"
		}), "AuthorizeURL"},
		"attribute": {
			one(func(p *userpool.IdentityProvider) { p.AttributeMapping = map[string]string{"shoe": "x"} }),
			`no attribute "shoe"`,
		},
		"sub": {
			one(func(p *userpool.IdentityProvider) { p.AttributeMapping = map[string]string{"sub": "sub"} }),
			`no attribute "sub"`,
		},
		"claim": {
			one(func(p *userpool.IdentityProvider) { p.AttributeMapping = map[string]string{"name": ""} }),
			"name of a claim",
		},
		"user name": {
			one(func(p *userpool.IdentityProvider) { p.AttributeMapping = map[string]string{"username": "email"} }),
			"username comes from sub",
		},
		"no metadata": {[]userpool.IdentityProvider{{Name: "I", Type: userpool.ProviderSAML}}, "needs Metadata"},
		"too many":    {make([]userpool.IdentityProvider, 301), "at most 300"},
	} {
		schema := []userpool.Attribute{{Name: "sub"}} // as AWS describes pools
		err := userpool.CheckSettings(userpool.Settings{IdentityProviders: tt.list, Schema: schema})
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error holds a password: %v", name, err)
		}
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// TestUseOnce pins that an assertion counts once, until it would not count anyway.
func TestUseOnce(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	until := e.Clock.Now().Add(time.Minute)
	for i, want := range []bool{true, false, false} {
		got, err := e.Pool.Federation.UseOnce(t.Context(), "a", until)
		if got != want || err != nil {
			t.Errorf("use %d: got %v, %v", i+1, got, err)
		}
	}
}
