package clients

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedVersions compares the versions in the documentation with those of the
// tests.
func TestDocumentedVersions(t *testing.T) {
	t.Parallel()
	page := read(t, "../../docs/clients.md")
	var npm struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	err := json.Unmarshal([]byte(read(t, "node/package.json")), &npm)
	if err != nil {
		t.Fatal(err)
	}
	modules, packages := read(t, "../go.mod"), read(t, "python/requirements.txt")
	for client, version := range map[string]string{
		"go-oidc with x/oauth2": find(t, modules, `coreos/go-oidc/v3 (\S+)`) + ", " +
			find(t, modules, `x/oauth2 (\S+)`),
		"zitadel/oidc":  find(t, modules, `zitadel/oidc/v3 (\S+)`),
		"flask-oidc":    find(t, packages, `flask-oidc==(\S+)`),
		"openid-client": npm.Dependencies["openid-client"], "aws-jwt-verify": npm.Dependencies["aws-jwt-verify"],
		"express-openid-connect": npm.Dependencies["express-openid-connect"],
		"Amplify":                npm.Dependencies["aws-amplify"], "oidc-client-ts": npm.Dependencies["oidc-client-ts"],
		"next-auth": npm.Dependencies["next-auth"], "@auth/express": npm.Dependencies["@auth/express"],
		"django-allauth, `openid_connect`":  find(t, packages, `django-allauth==(\S+)`),
		"django-allauth, `amazon_cognito`":  find(t, packages, `django-allauth==(\S+)`),
		"social-auth-app-django, `oidc`":    find(t, packages, `social-auth-app-django==(\S+)`),
		"social-auth-app-django, `cognito`": find(t, packages, `social-auth-app-django==(\S+)`),
	} {
		row := find(t, page, `(?m)^\| (`+client+`[ ,].*)$`)
		if !strings.Contains(row, "| "+version+" |") {
			t.Errorf("%s is %s; the page says %s", client, version, row)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func find(t *testing.T, text, expression string) string {
	t.Helper()
	m := regexp.MustCompile(expression).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("nothing is like %s", expression)
	}
	return m[1]
}
