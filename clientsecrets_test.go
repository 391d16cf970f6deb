package cognate_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate"
)

// tutorialFile is the tutorial's file with its placeholders filled in.
const tutorialFile = `{
    "web": {
        "auth_uri": "https://shop.auth.eu-west-1.amazoncognito.com/oauth2/authorize",
        "client_id": "4exampleclientid0123456789",
        "client_secret": "verysecret",
        "redirect_uris": [
            "https://127.0.0.1:5000/oidc_callback"
        ],
        "token_uri":  "https://shop.auth.eu-west-1.amazoncognito.com/oauth2/token",
        "userinfo_uri": "https://shop.auth.eu-west-1.amazoncognito.com/oauth2/userInfo",
        "issuer": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01"
    }
}`

const tutorialTemplate = `{
    "web": {
        "auth_uri": "{{AWS_DOMAIN_PREFIX}}/oauth2/authorize",
        "client_id": "{{AWS_APP_CLIENT_ID}}",
        "client_secret": "{{AWS_APP_CLIENT_SECRET}}",
        "redirect_uris": ["https://127.0.0.1:5000/oidc_callback"],
        "token_uri":  "{{AWS_DOMAIN_PREFIX}}/oauth2/token",
        "userinfo_uri": "{{AWS_DOMAIN_PREFIX}}/oauth2/userInfo",
        "issuer": "https://cognito-idp.eu-west-1.amazonaws.com/{{AWS_POOL_ID}}"
    }
}`

func TestClientSecretsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client_secrets.json")
	err := os.WriteFile(path, []byte(tutorialFile), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	got, err := cognate.LoadClientSecrets(path)
	if err != nil {
		t.Fatal(err)
	}
	want := &cognate.ClientSecrets{
		Issuer:       "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01",
		ClientID:     "4exampleclientid0123456789",
		ClientSecret: "verysecret", AuthURI: "https://shop.auth.eu-west-1.amazoncognito.com/oauth2/authorize",
		TokenURI:     "https://shop.auth.eu-west-1.amazoncognito.com/oauth2/token",
		UserInfoURI:  "https://shop.auth.eu-west-1.amazoncognito.com/oauth2/userInfo",
		RedirectURIs: []string{"https://127.0.0.1:5000/oidc_callback"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	_, err = cognate.New(cognate.Config{ClientSecretsFile: path})
	if err != nil {
		t.Errorf("New: %v", err)
	}
	var b bytes.Buffer
	err = got.Encode(&b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := cognate.ParseClientSecrets(&b)
	if diff := cmp.Diff(want, again); err != nil || diff != "" {
		t.Errorf("after Encode: %v (-want +got)\n%s", err, diff)
	}
}

func TestClientSecretsErrors(t *testing.T) {
	inner := strings.TrimSuffix(strings.TrimPrefix(tutorialFile, `{
    "web": `), "\n}")
	without := func(member string) string {
		var lines []string
		for line := range strings.Lines(tutorialFile) {
			if !strings.Contains(line, `"`+member+`"`) {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	for _, tt := range []struct {
		name, file string
		want       []string // parts of the error; none: accepted
	}{
		{"installed", strings.Replace(tutorialFile, `"web"`, `"installed"`, 1), nil},
		{"other members are ignored",
			strings.Replace(tutorialFile, `"auth_uri"`, `"project_id": {"x": [1]}, "auth_uri"`, 1), nil},
		{"byte order mark", "\ufeff" + tutorialFile, nil},
		{"no secret", without("client_secret"), nil},
		{"secret is null", strings.Replace(tutorialFile, `"verysecret"`, `null`, 1), nil},
		{"secret is empty", strings.Replace(tutorialFile, `"verysecret"`, `""`, 1),
			[]string{"web.client_secret is empty", "public client"}},
		{"secret is blank", strings.Replace(tutorialFile, `"verysecret"`, `" "`, 1),
			[]string{"web.client_secret is empty"}},
		{"the documentation's file", strings.Replace(tutorialFile, "verysecret", "…", 1),
			[]string{"not filled in: …", "4exampleclientid0123456789", "eu-west-1_Example01"}},
		{"no userInfo", without("userinfo_uri"), nil},
		{"no endpoints", strings.Replace(without("auth_uri"), "x", "x", 1), nil},
		{"placeholders", tutorialTemplate, []string{
			"{{AWS_DOMAIN_PREFIX}}", "{{AWS_APP_CLIENT_ID}}", "{{AWS_APP_CLIENT_SECRET}}",
			"{{AWS_POOL_ID}}", "not filled in",
		}},
		{"google's placeholder",
			strings.Replace(tutorialFile, "4exampleclientid0123456789", "[[INSERT CLIENT ID HERE]]", 1),
			[]string{"[[INSERT CLIENT ID HERE]]"}},
		{"unknown outer member", strings.Replace(tutorialFile, `"web"`, `"service"`, 1),
			[]string{`"service"`, `"web"`, `"installed"`}},
		{"two outer members", `{"web": ` + inner + `, "installed": ` + inner + `}`, []string{"2 outer members"}},
		{"outer member twice", `{"web": ` + inner + `, "web": ` + inner + `}`, []string{`"web"`, "twice"}},
		{"no outer member", `{}`, []string{"0 outer members"}},
		{"member twice", strings.Replace(tutorialFile, `"auth_uri"`, `"client_id": "other", "auth_uri"`, 1),
			[]string{`"client_id"`, "twice"}},
		{"no client_id", without("client_id"), []string{"web.client_id", "missing"}},
		{"no issuer, as in Google's files", strings.Replace(without("issuer"), `userInfo",`, `userInfo"`, 1), nil},
		{"client_id is a number", strings.Replace(tutorialFile, `"4exampleclientid0123456789"`, `4`, 1),
			[]string{"web.client_id", "not a string"}},
		{"redirect_uris is a string", strings.Replace(strings.Replace(tutorialFile, "[", "", 1), "]", "", 1),
			[]string{"web.redirect_uris", "list"}},
		{"flat file", inner, []string{"outer members"}},
		{"list", `[]`, []string{"not a JSON object"}},
		{"inner list", `{"web": []}`, []string{"web", "not a JSON object"}},
		{"empty", ``, []string{"not a JSON object"}},
		{"not json", "[web]\nclient_id = x\n", []string{"not a JSON object"}},
		{"broken on line 4", strings.Replace(tutorialFile, `"client_id":`, `"client_id" `, 1),
			[]string{"broken JSON on line 4"}},
		{"a comma too many", strings.Replace(tutorialFile, `Example01"`, `Example01",`, 1),
			[]string{"line 12: remove the comma before the }"}},
		{"a comma too many in a list", strings.Replace(tutorialFile, `oidc_callback"`, `oidc_callback",`, 1),
			[]string{"line 8: remove the comma before the ]"}},
		{"cut off", tutorialFile[:200], []string{"broken JSON"}},
		{"followed by something", tutorialFile + "{}", []string{"follows"}},
		{"not text", "{\"web\": \"J\xf6rg\"}", []string{"UTF-8"}},
		{"huge", `{"web": {"x": "` + strings.Repeat("x", 70<<10) + `"}}`, []string{"larger than"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := cognate.ParseClientSecrets(strings.NewReader(tt.file))
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("error %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
			if err != nil && strings.Contains(err.Error(), "verysecret") {
				t.Errorf("error %q holds the secret", err)
			}
		})
	}
}

func TestClientSecretsMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client_secrets.json")
	_, err := cognate.New(cognate.Config{ClientSecretsFile: path})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "cognate client-secrets > "+path) {
		t.Errorf("error %v does not name the file, and what writes it", err)
	}
	folder := t.TempDir()
	t.Chdir(folder)
	_, err = cognate.LoadClientSecrets("client_secrets.json")
	if err == nil || !strings.Contains(err.Error(), "(in the folder "+folder+")") {
		t.Errorf("error %v does not name the folder that was looked in", err)
	}
	_, err = cognate.LoadClientSecrets(folder)
	if err == nil || !strings.Contains(err.Error(), folder+" is a folder; expected the file") {
		t.Errorf("error %v does not say that it is a folder", err)
	}
}

func FuzzClientSecrets(f *testing.F) {
	for _, s := range []string{
		tutorialFile, tutorialTemplate, `{"web":{}}`, `{"installed":{"client_id":"a","issuer":"b"}}`,
		`{"web":[]}`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cs, err := cognate.ParseClientSecrets(bytes.NewReader(data))
		if err != nil {
			return
		}
		if cs.ClientID == "" {
			t.Fatalf("accepted without client_id: %q", data)
		}
		var b bytes.Buffer
		err = cs.Encode(&b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := cognate.ParseClientSecrets(&b)
		if err != nil {
			t.Fatalf("%v, after writing %+v", err, cs)
		}
		if len(cs.RedirectURIs) == 0 {
			cs.RedirectURIs, again.RedirectURIs = nil, nil
		}
		if diff := cmp.Diff(cs, again); diff != "" {
			t.Fatalf("reading, writing and reading changed it (-want +got)\n%s", diff)
		}
	})
}
