package poolconfig_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
)

// loader returns a Loader that reads from memory.
func loader(files map[string]string) poolconfig.Loader {
	return poolconfig.Loader{
		ReadFile: func(path string) ([]byte, error) {
			text, ok := files[path]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
			}
			return []byte(text), nil
		},
		Getenv: func(name string) (string, bool) {
			return "from_the_environment_only", name == "SET"
		},
	}
}

// TestMistakes checks the text, line and column of every kind of mistake.
func TestMistakes(t *testing.T) {
	const start = "pools:\n  - id: local_A1\n"
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{"c.yaml: the file is empty; cognate pool init writes one to start from"}},
		{"comments alone", "# soon\n",
			[]string{"c.yaml: the file is empty; cognate pool init writes one to start from"}},
		{"not UTF-8", "pools: \xff\n", []string{"c.yaml: the file is not UTF-8"}},
		{"too large", strings.Repeat("# long\n", 160_000), []string{
			"c.yaml: the file has more than 1 MB; for many users use a CSV file (users_csv)",
		}},
		{"no pool", "pools: []\n", []string{"c.yaml:1:1: expected pools, a list with at least one pool"}},
		{"a list", "- a\n", []string{"c.yaml:1:1: expected keys and values, such as pools: ..."}},
		{"a tab", "pools:\n\t- id: local_A1\n", []string{"c.yaml:2:1: a tab cannot indent YAML; use spaces"}},
		{"an open bracket", "pools: [\n", []string{"c.yaml:1:8: sequence end token ']' not found"}},
		{"a colon in a value", start + "    name: a: b\n", []string{
			"c.yaml:3:11: a value with a colon and a space in it needs quotes",
		}},
		{"a reserved character", start + "    name: @me\n", []string{
			"c.yaml:3:11: a value that begins with such a character needs quotes",
		}},
		{"two documents", start + "---\n" + start, []string{
			"c.yaml:3:1: a second document begins here; expected one document, with all pools in the list pools",
		}},
		{"misspelt", start + "    self_signup: true\n",
			[]string{`c.yaml:3:5: unknown key "self_signup"; did you mean "self_sign_up"?`}},
		{"swapped letters", start + "    gruops: x\n",
			[]string{`c.yaml:3:5: unknown key "gruops"; did you mean "groups"?`}},
		{"as in the API", start + "    MfaConfiguration: ON\n", []string{
			`c.yaml:3:5: unknown key "MfaConfiguration"; did you mean "mfa_configuration"?`,
		}},
		{"far from all", start + "    groups:\n      - colour: red\n", []string{
			`c.yaml:4:9: unknown key "colour"; known here: name, description, role_arn, precedence`,
		}},
		{"twice", start + "    name: a\n    name: b\n", []string{
			`c.yaml:4:5: the key "name" appears twice; the first is in line 3`,
		}},
		{"a merge key", start + "    <<: *x\n", []string{
			"c.yaml:3:5: merge keys (<<) are not supported; an alias may stand for a whole value",
		}},
		{"no anchor", start + "    name: *x\n", []string{"c.yaml:3:11: the alias *x has no anchor"}},
		{"a tag", start + "    name: !!str x\n",
			[]string{"c.yaml:3:11: tags such as !!str are not supported; leave it out"}},
		{"a value for a list", start + "    clients: x\n", []string{
			"c.yaml:3:14: expected a list: [one, two], or lines that begin with a dash",
		}},
		{"a list for a value", start + "    name: [x]\n", []string{"c.yaml:3:11: expected a single value"}},
		{"yes", start + "    self_sign_up: yes\n", []string{`c.yaml:3:19: expected true or false, not "yes"`}},
		{"no number", start + "    password_policy: {minimum_length: long}\n", []string{
			`c.yaml:3:39: expected a whole number, not "long"`,
		}},
		{"several", "pools:\n  - idd: local_A1\n    self_sign_up: 1\n    clients:\n      - secrt: x\n", []string{
			`c.yaml:2:5: unknown key "idd"; did you mean "id"?`,
			`c.yaml:3:19: expected true or false, not "1"`,
			`c.yaml:5:9: unknown key "secrt"; did you mean "secret"?`,
		}},

		{"no id", "pools:\n  - name: x\n",
			[]string{"c.yaml:2:5: the pool has no id; expected an id such as local_Cognate01"}},
		{"a bad id", "pools:\n  - id: x\n", []string{
			`c.yaml:2:9: the pool id "x" is not of the form <region>_<alphanumerics>, with at most 55 characters`,
		}},
		{"an id twice", start + "  - id: local_A1\n", []string{`c.yaml:3:9: the pool "local_A1" appears twice`}},
		{"a host twice", start + "    domain: a\n  - id: local_A2\n    domain: a\n", []string{
			"c.yaml:5:13: the pool local_A1 already has the host a.localhost",
		}},
		{"a URL for a domain", start + "    domain: http://a\n", []string{
			"c.yaml:3:13: a domain is a prefix of 1 to 63 of a-z, 0-9 and -, as in myapp for myapp.localhost; " +
				`for a whole name use custom_domain ("http://a")`,
		}},
		{"a word of AWS's in a domain", start + "    domain: aws-x\n", []string{
			`c.yaml:3:13: a domain must not contain the words aws, amazon, cognito, which Cognito refuses ("aws-x")`,
		}},
		{"another one", start + "    domain: my-cognito\n", []string{
			`c.yaml:3:13: a domain must not contain the words aws, amazon, cognito, ` +
				`which Cognito refuses ("my-cognito")`,
		}},
		{"a port in a domain", start + "    custom_domain: auth.example.test:9229\n", []string{
			"c.yaml:3:20: a custom domain is a host name in lower case, without scheme and port, " +
				`such as auth.example.test ("auth.example.test:9229")`,
		}},
		{"another pool's issuer", start + "    issuer: https://idp.example/local_B1\n", []string{
			`c.yaml:3:13: issuer: "https://idp.example/local_B1" does not end in /local_A1, the pool id`,
		}},
		{"an unknown name", start + "    username_attributes: [email, e-mail]\n", []string{
			`c.yaml:3:34: "e-mail" is unknown or repeated; known are ["email" "phone_number"]`,
		}},
		{"a name twice", start + "    username_attributes:\n      - email\n      - email\n", []string{
			`c.yaml:5:9: "email" is unknown or repeated; known are ["email" "phone_number"]`,
		}},
		{"a factor missing", start + "    mfa_configuration: ON\n", []string{"c.yaml:3:24: MFA ON needs at least one"}},
		{"a short password", start + "    password_policy:\n      minimum_length: 5\n", []string{
			"c.yaml:4:23: expected 6 to 99",
		}},
		{"a long wait", start + "    password_policy:\n      temporary_password_validity: 400d\n", []string{
			"c.yaml:4:36: expected at most 365 days",
		}},
		{"a word for a code", start + "    fixed_code: secret\n", []string{"c.yaml:3:17: expected six digits"}},
		{"two settings", start + "    fixed_code: '1'\n    account_recovery: [admin_only, verified_email]\n", []string{
			"c.yaml:3:17: expected six digits",
			"c.yaml:4:36: admin_only stands alone",
		}},
		{"no metadata", start + "    identity_providers:\n      - name: x\n" +
			"        type: SAML\n        metadata_file: x.xml\n", []string{
			"c.yaml:6:24: the file \"x.xml\" can't be read: file does not exist",
		}},
		{"user verification", start + "    web_authn_configuration:\n      user_verification: maybe\n", []string{
			`c.yaml:4:26: user_verification: "maybe" is unknown; expected preferred or required`,
		}},

		{"no client id", start + "    clients:\n      - name: x\n", []string{
			"c.yaml:4:9: the client has no id; expected 1 to 128 letters, digits, _ or +",
		}},
		{"a client twice", start + "    clients:\n      - id: a\n      - id: a\n", []string{
			`c.yaml:5:13: the client "a" appears twice`,
		}},
		{"a short secret", start + "    clients:\n      - id: a\n        secret: short\n", []string{
			"c.yaml:5:17: a client secret has 24 to 64 letters, digits, _ or +",
		}},
		{"an empty secret", start + "    clients:\n      - id: a\n        secret: \"\"\n", []string{
			"c.yaml:5:17: this secret is empty; give it a value, or leave out its key",
		}},
		{"no secret", start + "    clients:\n      - id: a\n        secret:\n        name: x\n", []string{
			"c.yaml:5:16: this secret is empty; give it a value, or leave out its key",
		}},
		{"an empty password",
			start + "    users:\n      - username: a\n        password: ''\n        totp_secret: ~\n", []string{
				"c.yaml:5:19: this secret is empty; give it a value, or leave out its key",
				"c.yaml:6:22: this secret is empty; give it a value, or leave out its key",
			}},
		{"a secret that is not set", start + "    clients:\n      - id: a\n        secret: ${UNSET}\n", []string{
			"c.yaml:5:17: the environment has no variable UNSET",
		}},
		{"a callback URL", start + "    clients:\n      - id: a\n        callback_urls: [https://a.example/, " +
			"http://a.example/]\n", []string{
			`c.yaml:5:45: the redirect URI "http://a.example/" uses http, ` +
				`which is for localhost, 127.0.0.1 and [::1] only`,
		}},
		{"a wildcard", start + "    clients:\n      - id: a\n        callback_urls: [https://a.example/*]\n" +
			"        logout_urls: [https://*.a.example/]\n", []string{
			`c.yaml:5:25: the redirect URI "https://a.example/*" has a *, but there are no wildcards: ` +
				"an app's address is compared to the letter, so list each one",
			`c.yaml:6:23: the redirect URI "https://*.a.example/" has a *, but there are no wildcards: ` +
				"an app's address is compared to the letter, so list each one",
		}},
		{"a scope of nobody",
			start + "    clients:\n      - id: a\n        allowed_oauth_scopes: [openid, orders/read]\n", []string{
				`c.yaml:5:40: the scope "orders/read" belongs to no resource server of the pool`,
			}},
		{"a provider of nobody",
			start + "    clients:\n      - id: a\n        supported_identity_providers: [Corp]\n", []string{
				`c.yaml:5:40: the pool has no identity provider "Corp"`,
			}},
		{"an attribute of nobody", start + "    schema: [{name: custom:a}]\n" +
			"    clients:\n      - id: a\n        read_attributes: [custom:b]\n", []string{
			`c.yaml:6:27: the pool has no attribute "custom:b"`,
		}},
		{"a file that is not below", start + "    identity_providers:\n" +
			"      - {name: x, type: SAML, metadata_file: ../x.xml}\n    users_csv: /etc/passwd\n" +
			"    clients:\n      - id: a\n        branding: {logo_file: /etc/passwd, css_file: ../a.css}\n", []string{
			`c.yaml:4:46: "../x.xml" is not below the folder of this file; put it there and name it from there`,
			`c.yaml:5:16: "/etc/passwd" is not below the folder of this file; put it there and name it from there`,
			`c.yaml:8:31: "/etc/passwd" is not below the folder of this file; put it there and name it from there`,
			`c.yaml:8:54: "../a.css" is not below the folder of this file; put it there and name it from there`,
		}},
		{"two clients",
			start + "    clients:\n      - id: a-b\n      - id: b\n        access_token_validity: 1m\n", []string{
				"c.yaml:4:13: a client ID has 1 to 128 letters, digits, _ or +",
				"c.yaml:6:32: access and ID tokens are valid for 5 minutes to 24 hours, in whole seconds",
			}},
		{"no unit", start + "    clients:\n      - id: a\n        access_token_validity: 60\n", []string{
			`c.yaml:5:32: expected a time with its unit, such as 90s, 60m, 12h or 30d, not "60"`,
		}},
		{"too long", start + "    clients:\n      - id: a\n        refresh_token_validity: 99999d\n", []string{
			`c.yaml:5:33: "99999d" is longer than a hundred years`,
		}},
		{"scopes that need openid",
			start + "    clients:\n      - id: a\n        allowed_oauth_scopes: [email, phone]\n", []string{
				"c.yaml:5:31: the scopes email, phone and profile need openid",
			}},
		{"a colour", start + "    clients:\n      - id: a\n        branding: {primary: red}\n", []string{
			"c.yaml:5:29: a colour of the branding has the form #0a6cff",
		}},
		{"no logo", start + "    clients:\n      - id: a\n        branding:\n          logo_file: text.txt\n", []string{
			"c.yaml:6:22: a logo is a PNG, JPEG or SVG image of at most 100 KB",
		}},

		{"no user name", start + "    users:\n      - password: x\n", []string{
			"c.yaml:4:9: the user has neither a username nor an email",
		}},
		{"a user twice", start + "    users:\n      - username: ann\n      - username: Ann\n", []string{
			`c.yaml:5:19: the user "Ann" appears twice`,
		}},
		{"a status", start + "    users:\n      - username: ann\n        status: confirmed\n", []string{
			`c.yaml:5:17: the status "confirmed" is unknown`,
		}},
		{"temporary nothing", start + "    users:\n      - username: ann\n        temporary: true\n", []string{
			"c.yaml:5:20: temporary: a temporary password needs a password",
		}},
		{"no CSV", start + "    users_csv: none.csv\n", []string{
			"c.yaml:3:16: the file \"none.csv\" can't be read: file does not exist",
		}},
		{"a bad CSV", start + "    users_csv: bad.csv\n", []string{
			"c.yaml:3:16: bad.csv:2: cognito:username is empty",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"text.txt": "hello", "bad.csv": "cognito:username,email\n,a@example.com\n"}
			_, err := loader(files).Parse("c.yaml", []byte(tt.text))
			e, ok := errors.AsType[*poolconfig.Error](err)
			if !ok {
				t.Fatalf("got %v, want an *Error", err)
			}
			got := strings.Split(e.Error(), "\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}
