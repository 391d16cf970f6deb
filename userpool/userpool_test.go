package userpool_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/store"
)

// TestSecretNeverPrints tries every way of printing.
func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	const value = "hunter2-value"
	s := userpool.Secret(value)
	client := userpool.Client{ID: "app", Secret: s}
	var out bytes.Buffer
	for verb := range strings.SplitSeq("%v %+v %#v %s %q %x %X %d %t %T %10.3s %U %e", " ") {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", s, &s, client)
	}
	fmt.Fprintln(&out, s, []userpool.Secret{s}, map[string]userpool.Secret{"k": s}, errors.New(s.String()))
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "secret", s, "client", client)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "secret", s, "client", client)
	encoded, err := json.Marshal(map[string]any{"secret": s, "pointer": &s, "client": client})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(encoded)
	for _, bad := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), "104 117"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("%q got out:\n%s", bad, out.String())
		}
	}
}

// TestSecretEqual checks that what is missing equals nothing.
func TestSecretEqual(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b userpool.Secret
		want bool
	}{{"a", "a", true}, {"a", "b", false}, {"a", "", false}, {"", "a", false}, {"", "", false},
		{"a", "aa", false}} {
		if got := tt.a.Equal(tt.b); got != tt.want {
			t.Errorf("%q and %q: got %t", string(tt.a), string(tt.b), got)
		}
	}
}

// TestNewRefuses has configurations that New must not accept, and the field it
// must name.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	email := []string{"email"}
	dear := userpool.HashCost{MemoryKiB: 1 << 30, Passes: 1, Lanes: 1}
	good := userpool.Config{ID: "local_a1", Issuer: "http://localhost/local_a1", Store: memstore.New()}
	for name, tt := range map[string]struct {
		change func(*userpool.Config)
		field  string
	}{
		"no store":           {func(c *userpool.Config) { c.Store = nil }, "Config.Store"},
		"bad id":             {func(c *userpool.Config) { c.ID = "a b_c" }, "Config.ID"},
		"no underscore":      {func(c *userpool.Config) { c.ID = "abc" }, "Config.ID"},
		"line break in id":   {func(c *userpool.Config) { c.ID = "local_a1\n" }, "Config.ID"},
		"long id":            {func(c *userpool.Config) { c.ID = "local_" + strings.Repeat("a", 50) }, "Config.ID"},
		"no issuer":          {func(c *userpool.Config) { c.Issuer = "" }, "Config.Issuer"},
		"other pool":         {func(c *userpool.Config) { c.Issuer = "http://localhost/local_b2" }, "Config.Issuer"},
		"no scheme":          {func(c *userpool.Config) { c.Issuer = "localhost/local_a1" }, "Config.Issuer"},
		"query":              {func(c *userpool.Config) { c.Issuer = "http://localhost/?/local_a1" }, "Config.Issuer"},
		"phone":              {func(c *userpool.Config) { c.Settings.AliasAttributes = []string{"phone"} }, "Settings.Alias"},
		"unknown user names": {func(c *userpool.Config) { c.Settings.UsernameAttributes = []string{"x"} }, "Settings.Username"},
		"both kinds": {func(c *userpool.Config) { c.Settings.UsernameAttributes, c.Settings.AliasAttributes = email, email },
			"Settings.AliasAttributes"},
		"too much memory": {func(c *userpool.Config) { c.Hashing = dear },
			"Config.Hashing"},
	} {
		cfg := good
		tt.change(&cfg)
		_, err := userpool.New(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%s: got error %v, want one about %s", name, err, tt.field)
		}
	}
}

// TestNewPicksAnID checks the id of a pool that was given none.
func TestNewPicksAnID(t *testing.T) {
	t.Parallel()
	keys, err := pooltest.Keys()
	if err != nil {
		t.Fatal(err)
	}
	p, err := userpool.New(t.Context(), userpool.Config{
		Issuer: "http://localhost:1/", Store: memstore.New(), Keys: keys,
	})
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^local_[a-z0-9]{9}$`)
	if !form.MatchString(p.ID()) || p.Issuer() != "http://localhost:1/"+p.ID() {
		t.Errorf("got id %s, issuer %s", p.ID(), p.Issuer())
	}
}

// TestSigningKeys has keys that no pool may use.
func TestSigningKeys(t *testing.T) {
	t.Parallel()
	good, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]*rsa.PrivateKey{
		"none": {nil, nil}, "one": {good, nil}, "twice the same": {good, good}, "other size": {good, long},
	} {
		_, err := userpool.NewSigningKeys(pair[0], pair[1])
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestCheckRedirectURI is the table of what may be registered.
func TestCheckRedirectURI(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]bool{
		"https://app.test": true, "https://app.test/": true, "https://app.test:8443/cb?x=1&y=%20": true,
		"http://localhost": true, "http://localhost:3000/cb": true, "http://127.0.0.1:5000/oidc_callback": true,
		"http://[::1]:8080/": true, "https://127.0.0.1:5000/": true, "https://[2001:db8::1]/": true,
		"myapp://signin": true, "myapp://": true, "com.example.app:/cb": true,
		"https://xn--bcher-kva.example/":         true,
		"https://a/" + strings.Repeat("a", 1014): true, "https://a/" + strings.Repeat("a", 1015): false,
		"": false, "/callback": false, "//app.test/": false, "app.test/cb": false, "https:": false,
		"https://":    false,
		"https:///cb": false, "https:cb": false, "https:/app.test": false, "http://app.test/": false,
		"http://localhost.evil.test/": false, "http://127.0.0.1.evil.test/": false, "http://127.0.0.2/": false,
		"http://0.0.0.0/": false, "http://[::2]/": false, "http://localhost@evil.test/": false,
		"https://user@app.test/": false, "https://user:pw@app.test/": false, "https://app.test/#": false,
		"https://app.test/#x": false, "https://app.test/ x": false, "https://app.test/\n": false,
		"https://app.test\\@evil.test": false, "https://app.test/\x00": false, "https://bücher.example/": false,
		"https://app.test/ü": false, "https://app.test/%": false, "https://app.test/%zz": false,
		"https://app.test/<x>": false, `https://app.test/"`: false, "https://app.test:0/": false,
		"https://app.test:65536/": false, "https://app.test:x/": false, "https://app.test:/": false,
		"https://app.test;evil.test/": false, "https://app.test,evil.test/": false, "https://*.test/": false,
		"https://-app.test/": false, "javascript:alert(1)": false, "javascript://x/%0aalert(1)": false,
		"JavaScript://x": false, "data:text/html,x": false, "vbscript://x": false, "file:///etc/passwd": false,
		"blob:https://app.test/x": false, "view-source://x": false, "about:blank": false, "ftp://app.test/": false,
		"mailto:a@b.test": false, "myapp:cb": false, "1app://x": false, " https://app.test/": false,
	} {
		err := userpool.CheckRedirectURI(uri)
		if (err == nil) != want {
			t.Errorf("%.60q: got error %v, want allowed %t", uri, err, want)
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
		"ID too short":            {IDTokenValidity: time.Minute}, "ID too long": {IDTokenValidity: 86401 * time.Second},
		"refresh too short": {RefreshTokenValidity: 59 * time.Minute},
		"negative":          {AccessTokenValidity: -time.Hour},
		"refresh too long":  {RefreshTokenValidity: 3651 * 24 * time.Hour},
		"fraction":          {IDTokenValidity: time.Hour + 1},
		"long grace":        {RefreshTokenRotation: userpool.RefreshTokenRotation{RetryGracePeriod: 61 * time.Second}},
		"negative grace":    {RefreshTokenRotation: userpool.RefreshTokenRotation{RetryGracePeriod: -time.Second}},
		"fraction of grace": {RefreshTokenRotation: userpool.RefreshTokenRotation{RetryGracePeriod: time.Millisecond}},
	} {
		_, err := e.Pool.CreateClient(t.Context(), c)
		if _, ok := errors.AsType[*userpool.Error](err); !ok {
			t.Errorf("%s: got error %v, want an *Error", name, err)
		}
	}
	_, err := e.Pool.CreateClient(t.Context(), userpool.Client{ID: "app"})
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("same ID: got error %v, want ErrExists", err)
	}
}

// TestCreateUser has what is refused.
func TestCreateUser(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	groups := make([]string, 101)
	for i := range groups {
		groups[i] = fmt.Sprint("g", i)
	}
	attribute := func(name, value string) userpool.NewUser {
		return userpool.NewUser{Username: "bob", Password: "x", Attributes: map[string]string{name: value}}
	}
	for name, u := range map[string]userpool.NewUser{
		"no name": {Password: "x"}, "space": {Username: "a b", Password: "x"},
		"long name":         {Username: strings.Repeat("a", 129), Password: "x"},
		"not UTF-8":         {Username: "\xff", Password: "x"},
		"no password":       {Username: "bob"},
		"long password":     {Username: "bob", Password: userpool.Secret(strings.Repeat("p", 257))},
		"unknown attribute": attribute("admin", "true"), "sub": attribute("sub", "x"),
		"no custom name": attribute("custom:", "x"),
		"claim":          attribute("cognito:groups", "x"), "bad e-mail": attribute("email", "bob"),
		"two at":     attribute("email", "a@b@c"),
		"long value": attribute("name", strings.Repeat("n", 2049)), "odd value": attribute("name", "\xff"),
		"verified what": attribute("email_verified", "true"),
		"groups":        {Username: "bob", Password: "x", Groups: groups},
		"group twice":   {Username: "bob", Password: "x", Groups: []string{"a", "a"}},
		"odd group":     {Username: "bob", Password: "x", Groups: []string{"a b"}},
		"odd boolean": {Username: "bob", Password: "x",
			Attributes: map[string]string{"email": "b@c.test", "email_verified": "yes"}},
	} {
		_, err := e.Pool.CreateUser(t.Context(), u)
		if _, ok := errors.AsType[*userpool.Error](err); !ok {
			t.Errorf("%s: got error %v, want an *Error", name, err)
		}
	}
	_, err := e.Pool.CreateUser(t.Context(), userpool.NewUser{Username: "ANN", Password: "x"})
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("name in upper case: got error %v, want ErrExists", err)
	}
}

// TestEmailAsUsername checks the pools whose user name is the address.
func TestEmailAsUsername(t *testing.T) {
	t.Parallel()
	e := newEmailPool(t)
	u, err := e.CreateUser(t.Context(), userpool.NewUser{Username: "Bob@Example.com", Password: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if u.Username != u.Sub || u.Attributes["email"] != "Bob@Example.com" {
		t.Errorf("got user name %s, sub %s, e-mail %s", u.Username, u.Sub, u.Attributes["email"])
	}
	for _, name := range []string{"bob@example.com", "BOB@EXAMPLE.COM"} {
		got, err := e.SignIn(t.Context(), name, "x")
		if err != nil || got.Sub != u.Sub {
			t.Errorf("%s: got %s, %v", name, got.Sub, err)
		}
	}
	for name, n := range map[string]userpool.NewUser{
		"no address": {Username: "bob", Password: "x"},
		"differ":     {Username: "a@b.test", Password: "x", Attributes: map[string]string{"email": "c@d.test"}},
	} {
		_, err := e.CreateUser(t.Context(), n)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	_, err = e.SignIn(t.Context(), u.Sub, "x")
	if err == nil {
		t.Error("signed in with the sub")
	}
}

func newEmailPool(t *testing.T) *userpool.Pool {
	t.Helper()
	keys, err := pooltest.Keys()
	if err != nil {
		t.Fatal(err)
	}
	p, err := userpool.New(t.Context(), userpool.Config{
		Issuer: "http://localhost/", Store: memstore.New(), Keys: keys, Hashing: pooltest.Cheap,
		Settings: userpool.Settings{UsernameAttributes: []string{"email"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAlias checks that only a verified address signs in, and only one person.
func TestAlias(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t, func(c *userpool.Config) { c.Settings.AliasAttributes = []string{"email"} })
	add := func(name, email, verified string) error {
		_, err := e.Pool.CreateUser(t.Context(), userpool.NewUser{Username: name, Password: "x",
			Attributes: map[string]string{"email": email, "email_verified": verified}})
		return err
	}
	if err := add("bob", "bob@example.com", "false"); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, "not verified", signIn(t, e, "bob@example.com", "x"), userpool.TextIncorrect)
	if err := add("carl", "Bob@example.com", "True"); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, "verified", signIn(t, e, "bob@example.com", "x"), "ok")
	if err := add("dora", "bob@example.com", "true"); !errors.Is(err, store.ErrExists) {
		t.Errorf("second owner: got error %v, want ErrExists", err)
	}
	if err := add("ann@evil.test", "x@y.test", "false"); err == nil {
		t.Error("accepted a user name that looks like an address")
	}
}

// TestExpiredIsCollected checks that the pool tidies up behind itself.
func TestExpiredIsCollected(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	e.Session(t)
	signIn(t, e, "nobody", "x")
	e.Code(t)
	e.Clock.Advance(2 * time.Hour)
	e.Session(t) // any write will do
	n, err := e.Store.DeleteExpired(t.Context(), e.Clock.Now(), 100)
	if err != nil || n != 0 {
		t.Errorf("%d expired records were left, error %v", n, err)
	}
}

// TestSessionsPerUser checks that the number of sessions is bounded.
func TestSessionsPerUser(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	first := e.Session(t)
	for range 256 {
		e.Session(t)
	}
	if to := e.Get(t, "/oauth2/authorize", pooltest.Query(), first).Target(t); to.Query().Get("code") != "" {
		t.Error("the oldest of 257 sessions is alive")
	}
}
