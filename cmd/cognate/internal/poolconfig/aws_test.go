package poolconfig_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/userpool"
)

func awsLoader(t *testing.T) poolconfig.Loader {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{"pool.json", "client.json"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	return loader(files)
}

// TestFromAWS reads a pool and a client as the AWS command line prints them, in either
// order.
func TestFromAWS(t *testing.T) {
	precise := userpool.Settings{
		Name:                   "shop",
		UsernameAttributes:     []string{"email"},
		SelfSignUp:             true,
		AutoVerifiedAttributes: []string{"email"},
		Schema: []userpool.Attribute{
			{Name: "email", Type: "String", Required: true, Max: 2048},
			{Name: "custom:plan", Type: "String", Immutable: true, Min: 1, Max: 20},
			{Name: "custom:seats", Type: "Number", Min: 1, Max: 500},
		},
		Passwords: userpool.PasswordPolicy{
			MinimumLength: 10, RequireUppercase: true, RequireLowercase: true, RequireNumbers: true,
			TemporaryValidity: 3 * 24 * time.Hour,
		},
		MFA: userpool.MFAOptional, MFATypes: []string{userpool.FactorTOTP},
		FirstFactors: []string{userpool.FactorPassword, userpool.FactorSMS},
		Recovery:     []string{"verified_email", "verified_phone_number"},
		Messages: userpool.Messages{
			VerificationSubject: "Your code", VerificationEmail: "Code: {####}",
			InvitationEmail: "{username}, {####}",
		},
	}
	for _, paths := range [][]string{{"pool.json", "client.json"}, {"client.json", "pool.json"}} {
		f, err := awsLoader(t).FromAWS(paths...)
		if err != nil {
			t.Fatal(err)
		}
		p := f.Pools[0]
		if diff := cmp.Diff(precise, p.Settings); diff != "" {
			t.Errorf("settings (-want +got):\n%s", diff)
		}
		const id = "eu-central-1_Example01 shop auth.shop.example"
		if got := p.ID + " " + p.Domain + " " + p.CustomDomain; got != id {
			t.Errorf("id and domains = %s, want %s", got, id)
		}
		c := p.Clients[0]
		if got, want := c.AccessTokenValidity, 30*time.Minute; got != want {
			t.Errorf("access token validity = %v, want %v", got, want)
		}
		if got, want := c.IDTokenValidity, 2*time.Hour; got != want {
			t.Errorf("id token validity = %v, want %v: hours are the default unit", got, want)
		}
		if got, want := c.RefreshTokenValidity, 5*24*time.Hour; got != want {
			t.Errorf("refresh token validity = %v, want %v: days are the default unit", got, want)
		}
		if !c.Secret.Equal("abcdefghijklmnopqrstuvwxyz0123456789") || c.DisableRevocation || c.RevealUserExistence {
			t.Error("the client is not as the file says")
		}
		if got, want := c.RefreshTokenRotation.RetryGracePeriod, 10*time.Second; got != want {
			t.Errorf("retry grace period = %v, want %v", got, want)
		}
		want := []string{
			"pool.json: left out: UserPool.UserAttributeUpdateSettings",
			"pool.json: left out: UserPool.DeviceConfiguration",
			"pool.json: left out: UserPool.LambdaConfig.PreSignUp; a local pool calls triggers by URL",
			"pool.json: mfa_types has only SOFTWARE_TOKEN_MFA: describe-user-pool does not list the factors",
			"client.json: left out: UserPoolClient.AuthSessionValidity",
		}
		if diff := cmp.Diff(want, f.Notes); diff != "" {
			t.Errorf("notes (-want +got):\n%s", diff)
		}
	}
}

// TestConvert checks that the YAML of Convert gives the same configuration when it is
// read.
func TestConvert(t *testing.T) {
	l := awsLoader(t)
	text, err := l.Convert("pool.json", "client.json")
	if err != nil {
		t.Fatal(err)
	}
	direct, err := l.FromAWS("pool.json", "client.json")
	if err != nil {
		t.Fatal(err)
	}
	converted, err := l.Parse("c.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	// Secrets print as [redacted], so cmp would not see a difference.
	equal := cmp.Comparer(func(a, b userpool.Secret) bool { return string(a) == string(b) })
	if diff := cmp.Diff(direct.Pools, converted.Pools, equal); diff != "" {
		t.Errorf("pools (-json +yaml):\n%s", diff)
	}
	for _, want := range []string{"# client.json: left out: ", "secret: abcdefghijkl", "access_token_validity: 30m"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the file does not say %q:\n%s", want, text)
		}
	}
}

func TestAWSMistakes(t *testing.T) {
	const pool = `{"UserPool":{"Id":"local_A1"}}`
	for _, tt := range []struct {
		name  string
		files []string
		want  string
	}{
		{"something else", []string{`{"Users": []}`},
			"0.json:1:1: expected the JSON of aws cognito-idp describe-user-pool " +
				"or describe-user-pool-client, with a member UserPool or UserPoolClient"},
		{"nothing", []string{""}, "0.json:1:1: expected the JSON of aws cognito-idp describe-user-pool " +
			"or describe-user-pool-client, with a member UserPool or UserPoolClient"},
		{"cut off", []string{`{"UserPool": {`}, "0.json:1:14: could not find flow mapping end token '}'"},
		{"a client alone", []string{`{"UserPoolClient": {"ClientId": "a", "UserPoolId": "local_A1"}}`},
			`0.json:1:52: no file has the pool "local_A1" of this client; ` +
				`add what aws cognito-idp describe-user-pool prints for it`},
		{"a pool twice", []string{pool, pool}, `1.json:1:19: the pool "local_A1" appears twice`},
		{"a wrong type", []string{`{"UserPool": {"Id": "local_A1", "UsernameAttributes": "email"}}`},
			"0.json:1:55: expected a list: [one, two], or lines that begin with a dash"},
		{"a bad value", []string{"{\"UserPool\": {\n  \"Id\": \"local_A1\",\n  \"UsernameAttributes\": [\"mail\"]}}"},
			`0.json:3:26: "mail" is unknown or repeated; known are ["email" "phone_number"]`},
		{"a bad client",
			[]string{pool, "{\"UserPoolClient\": {\n\"UserPoolId\": \"local_A1\",\n\"ClientId\": \"a-b\"}}"},
			"1.json:3:13: a client ID has 1 to 128 letters, digits, _ or +"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, paths := map[string]string{}, []string{}
			for i, text := range tt.files {
				paths = append(paths, string(rune('0'+i))+".json")
				files[paths[i]] = text
			}
			_, err := loader(files).FromAWS(paths...)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error:\n got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func FuzzFromAWS(f *testing.F) {
	for _, name := range []string{"pool.json", "client.json"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`{"UserPool":{"Id":"local_A1","SchemaAttributes":[` +
		`{"Name":"custom:a","NumberAttributeConstraints":{"MinValue":"1e9"}}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		l := loader(map[string]string{"a.json": text})
		text2, err := l.Convert("a.json")
		if err != nil {
			return
		}
		_, err = l.Parse("c.yaml", text2)
		if e, ok := errors.AsType[*poolconfig.Error](err); ok {
			t.Fatalf("what was converted can't be read: %v\n%s", e, text2)
		}
	})
}
