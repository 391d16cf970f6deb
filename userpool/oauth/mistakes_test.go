package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// TestMistakesAreWarnings has apps that are not set up as their client is: the log says so
// as a warning, with what to change, and never a secret.
func TestMistakesAreWarnings(t *testing.T) {
	t.Parallel()
	const wrong = "another-secret-than-the-client-has"
	token := func(e *pooltest.Env, form url.Values, header http.Header) { e.Post(t, "/oauth2/token", form, header) }
	code := url.Values{"grant_type": {"authorization_code"}, "code": {"x"}}
	machine := url.Values{"grant_type": {"client_credentials"}, "scope": {"https://api.test/write"}}
	with := func(form url.Values, pairs ...string) url.Values {
		out := url.Values{}
		for name, values := range form {
			out[name] = values
		}
		for i := 0; i < len(pairs); i += 2 {
			out.Set(pairs[i], pairs[i+1])
		}
		return out
	}
	for name, tt := range map[string]struct {
		do   func(*pooltest.Env)
		want []string
	}{
		"a wrong secret": {
			func(e *pooltest.Env) { token(e, code, pooltest.Basic("app", wrong)) },
			[]string{"client refused", "client=app", "compare the app's client secret", "cognate client-secrets"},
		},
		"no secret": {
			func(e *pooltest.Env) { token(e, with(code, "client_id", "app"), nil) },
			[]string{"client refused", "send the client's secret in the Authorization header (Basic)"},
		},
		"a secret of a public client": {
			func(e *pooltest.Env) { token(e, with(code, "client_id", "public", "client_secret", wrong), nil) },
			[]string{"client refused", "no client_secret and no Authorization header"},
		},
		"an unknown client": {
			func(e *pooltest.Env) { token(e, code, pooltest.Basic("nobody", wrong)) },
			[]string{"client refused", "client=nobody", "pool local_test1 has no such client"},
		},
		"a scope": {
			func(e *pooltest.Env) {
				e.Get(t, "/oauth2/authorize", pooltest.Query("scope", "openid https://api.test/write"), nil)
			},
			[]string{"authorization refused",
				`scope \"https://api.test/write\" is not among the allowed_oauth_scopes of ` +
					`client \"app\"`, "https://api.test/read"},
		},
		"no openid": {
			func(e *pooltest.Env) { e.Get(t, "/oauth2/authorize", pooltest.Query("scope", "email"), nil) },
			[]string{"authorization refused", "need openid"},
		},
		"a flow": {
			func(e *pooltest.Env) { e.Get(t, "/oauth2/authorize", pooltest.Query("response_type", "token"), nil) },
			[]string{"authorization refused",
				`flow \"implicit\" is not among the allowed_oauth_flows of client \"app\": code`},
		},
		"a flow at the token endpoint": {
			func(e *pooltest.Env) { token(e, machine, pooltest.Basic("app", e.App.Secret)) },
			[]string{"grant refused", `flow \"client_credentials\" is not among`},
		},
		"a scope of a machine": {
			func(e *pooltest.Env) {
				c := e.AddClient(t, userpool.Client{
					ID: "machine", GenerateSecret: true, AllowedOAuthFlows: []string{userpool.FlowClientCredentials},
					AllowedOAuthScopes: []string{"https://api.test/read"},
				})
				token(e, machine, pooltest.Basic("machine", c.Secret))
			},
			[]string{"grant refused", `scope \"https://api.test/write\" is not among`},
		},
		"another redirect URI with the code": {
			func(e *pooltest.Env) { e.Redeem(t, e.Code(t), "redirect_uri", "https://app.test/other") },
			[]string{"grant refused", "send the redirect_uri of the authorization request"},
		},
		"a redirect URI": {
			func(e *pooltest.Env) {
				e.Get(t, "/oauth2/authorize", pooltest.Query("redirect_uri", "https://app.test/callback/"), nil)
			},
			[]string{"request refused", "redirect_mismatch", "note the trailing slash"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			tt.do(e)
			var warnings []string
			for line := range strings.Lines(e.Logs.String()) {
				if strings.Contains(line, "level=WARN") {
					warnings = append(warnings, line)
				}
			}
			if len(warnings) != 1 || !strings.Contains(warnings[0], `hint=`) {
				t.Fatalf("the warnings are %q, want one with a hint", warnings)
			}
			for _, want := range tt.want {
				if !strings.Contains(warnings[0], want) {
					t.Errorf("the warning lacks %q: %s", want, warnings[0])
				}
			}
			if log := e.Logs.String(); strings.Contains(log, wrong) || strings.Contains(log, string(e.App.Secret)) {
				t.Errorf("the log has a secret: %s", log)
			}
		})
	}
}
