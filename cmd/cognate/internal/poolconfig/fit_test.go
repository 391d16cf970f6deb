package poolconfig_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/internal/cases"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/google/go-cmp/cmp"
)

// caseFiles returns a Loader for these files of the repository's cases.
func caseFiles(t testing.TB, names ...string) poolconfig.Loader {
	t.Helper()
	files := map[string]string{}
	for _, name := range names {
		files[name] = string(cases.Read(t, name))
	}
	return loader(files)
}

// TestAWSCases converts real output of AWS, and starts the pool.
func TestAWSCases(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files []string
		notes []string
		check func(userpool.Settings, []userpool.Client) bool
	}{
		{"a mark and CRLF", []string{"describe-user-pool-bom.json"}, nil,
			func(s userpool.Settings, _ []userpool.Client) bool { return s.Name == "shop" && len(s.Schema) == 1 }},
		{"a scope of a resource server", []string{"describe-user-pool.json", "client-custom-scope.json"}, []string{
			"client-custom-scope.json: added: the scope https://api.example.com/orders.read of a resource server, " +
				"which describe-user-pool does not list; its description is not known",
		}, func(s userpool.Settings, c []userpool.Client) bool {
			return s.ResourceServers[0].Identifier == "https://api.example.com" &&
				s.ResourceServers[0].Scopes[0].Name == "orders.read" &&
				slices.Contains(c[0].AllowedOAuthScopes, "https://api.example.com/orders.read")
		}},
		{"old flows", []string{"client-legacy-flows.json", "describe-user-pool.json"}, nil,
			func(_ userpool.Settings, c []userpool.Client) bool {
				return slices.Equal(c[0].ExplicitAuthFlows,
					[]string{"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_PASSWORD_AUTH"})
			}},
		{"a dot in an attribute", []string{"pool-attribute-dot.json"}, nil,
			func(s userpool.Settings, _ []userpool.Client) bool { return s.Schema[1].Name == "custom:tenant.id" }},
		{"an attribute of developers", []string{"pool-developer-only-immutable.json"}, []string{
			"pool-developer-only-immutable.json: left out: UserPool.SchemaAttributes dev:custom:isAdmin: " +
				"only a program with AWS credentials writes a developer-only attribute, " +
				"which a local pool does not have",
		}, func(s userpool.Settings, _ []userpool.Client) bool { return len(s.Schema) == 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := caseFiles(t, tt.files...)
			f, err := l.FromAWS(tt.files...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.notes, f.Notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
			p := f.Pools[0]
			if !tt.check(p.Settings, p.Clients) {
				t.Errorf("got %+v\n%+v", p.Settings, p.Clients)
			}
			usable(t, l, tt.files)
		})
	}
}

// TestWordsOfLater uses words that the pool does not know for AWS's enumerations: each
// is left out and named, and the rest is converted.
func TestWordsOfLater(t *testing.T) {
	t.Parallel()
	list := []string{"LATER", "LATER"}
	up := map[string]any{
		"Id": "eu-west-1_Example01", "Name": "two\twords", "MfaConfiguration": "LATER", "AutoVerifiedAttributes": list,
		"UsernameAttributes": []string{"email", "email"},
		"Policies": map[string]any{"SignInPolicy": map[string]any{
			"AllowedFirstAuthFactors": []string{"PASSWORD", "SOFTWARE_TOKEN", "LATER"},
		}},
		"AccountRecoverySetting": map[string]any{
			"RecoveryMechanisms": []any{map[string]any{"Priority": 1, "Name": "LATER"}},
		},
		"VerificationMessageTemplate": map[string]any{"DefaultEmailOption": "LATER"},
		"SchemaAttributes":            []any{map[string]any{"Name": "custom:a", "AttributeDataType": "LATER"}},
	}
	client := map[string]any{
		"UserPoolId": "eu-west-1_Example01", "ClientId": "4exampleclientid0123456789", "AllowedOAuthFlows": list,
		"PreventUserExistenceErrors": "LATER", "RefreshTokenRotation": map[string]any{"Feature": "LATER"},
		"AccessTokenValidity": 5, "TokenValidityUnits": map[string]any{"AccessToken": "LATER"},
	}
	l := loader(map[string]string{
		"p.json": encode(t, map[string]any{"UserPool": up}),
		"c.json": encode(t, map[string]any{"UserPoolClient": client}),
	})
	f, err := l.FromAWS("p.json", "c.json")
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(f.Notes, "\n")
	for _, member := range []string{
		"UserPool.MfaConfiguration LATER", "UserPool.AutoVerifiedAttributes LATER",
		"AllowedFirstAuthFactors SOFTWARE_TOKEN", "AllowedFirstAuthFactors LATER",
		"UserPool.AccountRecoverySetting LATER", "DefaultEmailOption LATER", "UserPool.SchemaAttributes custom:a",
		"UserPoolClient.AllowedOAuthFlows LATER", "PreventUserExistenceErrors LATER",
		"RefreshTokenRotation.Feature LATER",
		"TokenValidityUnits.AccessToken LATER",
	} {
		if strings.Count(notes, member+":") != 1 {
			t.Errorf("%s is not named once in\n%s", member, notes)
		}
	}
	if p := f.Pools[0]; p.Settings.Name != "two words" || len(p.Clients) != 1 {
		t.Errorf("got %+v", p)
	}
	usable(t, l, []string{"p.json", "c.json"})
}

// TestFullOfScopes has as many scopes as are allowed, so that openid can't be added.
func TestFullOfScopes(t *testing.T) {
	t.Parallel()
	scopes := []string{"email"}
	for i := range 49 {
		scopes = append(scopes, fmt.Sprintf("orders/%d", i))
	}
	l := loader(map[string]string{
		"p.json": encode(t, map[string]any{"UserPool": map[string]any{"Id": "eu-west-1_Example01"}}),
		"c.json": encode(t, map[string]any{"UserPoolClient": map[string]any{
			"UserPoolId": "eu-west-1_Example01", "ClientId": "4exampleclientid0123456789", "AllowedOAuthScopes": scopes,
		}}),
	})
	usable(t, l, []string{"p.json", "c.json"})
}

// TestConvertUTF16 reads the same output in the encoding that PowerShell's > writes.
func TestConvertUTF16(t *testing.T) {
	t.Parallel()
	good := string(cases.Read(t, "describe-user-pool.json"))
	l := loader(map[string]string{"good.json": good, "wide.json": wide(strings.ReplaceAll(good, "\n", "\r\n"))})
	want, err := l.FromAWS("good.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.FromAWS("wide.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Pools, got.Pools); diff != "" {
		t.Errorf("pools (-UTF-8 +UTF-16):\n%s", diff)
	}
}

// wide returns the text in UTF-16 with a byte order mark.
func wide(text string) string {
	out := "\xFF\xFE"
	for _, r := range text {
		out += string([]byte{byte(r), byte(r >> 8)})
	}
	return out
}

// usable converts files, reads the result as cognate pool does, and creates the pool
// with its clients.
func usable(t testing.TB, l poolconfig.Loader, files []string) {
	t.Helper()
	direct, err := l.FromAWS(files...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := l.Convert(files...)
	if err != nil {
		t.Fatal(err)
	}
	converted, err := l.Parse("c.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, f := range []*poolconfig.File{direct, converted} {
		for _, p := range f.Pools {
			store := memstore.New()
			up, err := pool.New(t.Context(), pool.Config{
				ID: p.ID, Issuer: "http://localhost/", Store: store, Settings: p.Settings, Keys: pair,
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = poolconfig.Apply(t.Context(), store, up, p)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
		}
	}
}

// TestCustomAttributeNames checks every kind of name that the API accepts: the
// attribute is in the schema, can be set, and a client may read it.
func TestCustomAttributeNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"tenant.id", "a:b", "a/b", "größe", "国", "e\u0301", "€", "№5", "#", "'", `"`, "{}", "&x", "*x",
		"!x", "%", "@", "`",
		strings.Repeat("é", 20), "-", "?", "|", "custom:x",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			custom := "custom:" + name
			p := map[string]any{"UserPool": map[string]any{"Id": "local_A1",
				"SchemaAttributes": []any{map[string]any{
					"Name": custom, "AttributeDataType": "String", "Mutable": true,
				}}}}
			client := map[string]any{"UserPoolClient": map[string]any{
				"UserPoolId": "local_A1", "ClientId": "c", "ReadAttributes": []string{custom},
				"WriteAttributes": []string{custom},
			}}
			l := loader(map[string]string{"p.json": encode(t, p), "c.json": encode(t, client)})
			usable(t, l, []string{"p.json", "c.json"})
			f, err := l.FromAWS("p.json", "c.json")
			if err != nil || len(f.Pools[0].Clients[0].ReadAttributes) != 1 {
				t.Fatalf("the client reads nothing of it (%v)", err)
			}
			err = accounts.CheckUser(f.Pools[0].Settings, userpool.NewUser{
				Username: "ann", Password: "x", Attributes: map[string]string{custom: "v"},
			})
			if err != nil {
				t.Errorf("it can't be set: %v", err)
			}
		})
	}
	for _, name := range []string{"", "a b", "a\tb", strings.Repeat("é", 21), "a\u00a0b", "a\x00"} {
		err := userpool.CheckSettings(userpool.Settings{Schema: []userpool.Attribute{{Name: "custom:" + name}}})
		if err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func encode(t testing.TB, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "    ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// some returns a few of the words in any order, or none.
func some(r *rand.Rand, words ...string) []string {
	out := slices.Clone(words)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:r.IntN(len(out)+1)]
}

func oneOf[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// TestWhatAWSCanSay draws pools and clients from the enumerations and bounds of the
// API's model: the pool must accept the conversion of each.
func TestWhatAWSCanSay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 7)) // the same ones in every run
		p, client := randomPool(r), randomClient(r)
		files := map[string]string{
			"p.json": encode(t, map[string]any{"UserPool": p}),
			"c.json": encode(t, map[string]any{"UserPoolClient": client}),
		}
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { usable(t, loader(files), []string{"p.json", "c.json"}) }) {
			t.Fatalf("the files:\n%s\n%s", files["p.json"], files["c.json"])
		}
	}
}

func randomPool(r *rand.Rand) map[string]any {
	p := map[string]any{
		"Domain": oneOf(r, "", "shop", "my-cognito"), "CustomDomain": oneOf(r, "", "auth.shop.example"),
		"Id": "eu-west-1_Example01", "Name": oneOf(r, "shop", "a=b,c.d@e-f", "Two words"),
		"AutoVerifiedAttributes": some(r, "email", "phone_number"),
		"MfaConfiguration":       oneOf(r, "OFF", "ON", "OPTIONAL"),
		"DeletionProtection":     oneOf(r, "ACTIVE", "INACTIVE"),
		"UsernameConfiguration":  map[string]any{"CaseSensitive": oneOf(r, true, false)},
		"Policies": map[string]any{
			"PasswordPolicy": map[string]any{
				"MinimumLength": oneOf(r, 6, 8, 99), "RequireSymbols": true, "PasswordHistorySize": oneOf(r, 0, 24),
				"TemporaryPasswordValidityDays": oneOf(r, 0, 7, 365),
			},
			"SignInPolicy": map[string]any{
				"AllowedFirstAuthFactors": some(r, "PASSWORD", "EMAIL_OTP", "SMS_OTP", "WEB_AUTHN", "SOFTWARE_TOKEN"),
			},
		},
		"VerificationMessageTemplate": map[string]any{
			"DefaultEmailOption": oneOf(r, "CONFIRM_WITH_LINK", "CONFIRM_WITH_CODE"),
			"EmailMessageByLink": oneOf(r, "", "Press {##here##}", "no link"),
			"SmsMessage":         oneOf(r, "{####}", "no code", ""),
		},
		"AdminCreateUserConfig": map[string]any{
			"AllowAdminCreateUserOnly": oneOf(r, true, false),
			"InviteMessageTemplate":    map[string]any{"EmailMessage": oneOf(r, "{username} {####}", "hello")},
		},
	}
	if r.IntN(2) == 0 {
		p["UsernameAttributes"] = some(r, "email", "phone_number")
	} else {
		p["AliasAttributes"] = some(r, "email", "phone_number", "preferred_username")
	}
	var mechanisms []any
	for i, name := range some(r, "verified_email", "verified_phone_number", "admin_only") {
		mechanisms = append(mechanisms, map[string]any{"Priority": 2 - i, "Name": name})
	}
	p["AccountRecoverySetting"] = map[string]any{"RecoveryMechanisms": mechanisms}
	var schema []any
	for _, name := range some(r, "sub", "identities", "email", "email_verified", "updated_at", "birthdate", "address",
		"custom:plan", "custom:tenant.id", "custom:größe", "dev:custom:isAdmin", "dev:custom:other",
		"custom:"+strings.Repeat("x", 20),
		"something_new") {
		schema = append(schema, map[string]any{
			"Name": name, "AttributeDataType": oneOf(r, "String", "Number", "DateTime", "Boolean"),
			"DeveloperOnlyAttribute": strings.HasPrefix(name, "dev:"), "Mutable": oneOf(r, true, false),
			"Required": oneOf(r, true, false),
			"StringAttributeConstraints": map[string]any{"MinLength": oneOf(r, "0", "1", "3000"),
				"MaxLength": oneOf(r, "0", "2048", "131072")},
			"NumberAttributeConstraints": map[string]any{"MinValue": oneOf(r, "-5", "0.5", ""),
				"MaxValue": oneOf(r, "1e9", "10", "")},
		})
	}
	p["SchemaAttributes"] = schema
	return p
}

func randomClient(r *rand.Rand) map[string]any {
	unit := func() string { return oneOf(r, "seconds", "minutes", "hours", "days") }
	c := map[string]any{
		"UserPoolId": "eu-west-1_Example01", "ClientId": "4exampleclientid0123456789",
		"ClientName": oneOf(r, "web", "two\twords", "a=b,c.d@e-f"),
		"CallbackURLs": some(r, "https://a.example/cb", "http://localhost:3000/", "myapp://x",
			"https://a.example/*", "http://a.example/", "https://a.example/ü"),
		"LogoutURLs":                      some(r, "https://a.example/", "https://*.example/"),
		"DefaultRedirectURI":              oneOf(r, "", "https://a.example/cb", "https://a.example/*"),
		"AllowedOAuthFlowsUserPoolClient": oneOf(r, true, false),
		"AllowedOAuthFlows":               some(r, "code", "implicit", "client_credentials"),
		"AllowedOAuthScopes": some(r, "openid", "email", "phone", "profile", "aws.cognito.signin.user.admin",
			"https://api.example.com/orders.read", "https://api.example.com/orders.write", "a/b/c", "odd", "x/"),
		"SupportedIdentityProviders": some(r, "COGNITO", "Facebook", "Google", "LoginWithAmazon",
			"SignInWithApple", "Corp SAML"),
		"ExplicitAuthFlows": some(r, "ADMIN_NO_SRP_AUTH", "CUSTOM_AUTH_FLOW_ONLY", "USER_PASSWORD_AUTH",
			"ALLOW_ADMIN_USER_PASSWORD_AUTH",
			"ALLOW_CUSTOM_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH",
			"ALLOW_USER_AUTH", "ALLOW_SOMETHING_NEW"),
		"ReadAttributes": some(r, "email", "email_verified", "identities", "custom:plan",
			"custom:tenant.id", "dev:custom:isAdmin", "something_new"),
		"WriteAttributes": some(r, "email", "email_verified", "custom:plan",
			"dev:custom:isAdmin", "birthdate"),
		"PreventUserExistenceErrors": oneOf(r, "LEGACY", "ENABLED"),
		"EnableTokenRevocation":      oneOf(r, true, false),
		"AccessTokenValidity":        oneOf(r, 0, 1, 60, 86400), "IdTokenValidity": oneOf(r, 0, 1, 60, 86400),
		"RefreshTokenValidity": oneOf(r, 0, 1, 30, 315360000), "AuthSessionValidity": 3,
		"TokenValidityUnits": map[string]any{"AccessToken": unit(), "IdToken": unit(), "RefreshToken": unit()},
		"RefreshTokenRotation": map[string]any{"Feature": oneOf(r, "ENABLED", "DISABLED"),
			"RetryGracePeriodSeconds": oneOf(r, 0, 60, 61)},
	}
	if r.IntN(2) == 0 {
		c["ClientSecret"] = "abcdefghijklmnopqrstuvwxyz0123456789"
	}
	return c
}
