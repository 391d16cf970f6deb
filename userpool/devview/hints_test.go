package devview_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool/devview"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// lastFailure is the last failed step of the newest sign-in.
func (e *env) lastFailure(t *testing.T) (hint, page string) {
	t.Helper()
	flows := e.flows(t, "?failed=1")
	if len(flows) == 0 {
		t.Fatal("nothing failed")
	}
	for _, step := range slices.Backward(flows[0].Steps) {
		if step.Hint != "" && step.Path != "/error" {
			return step.Hint, e.look(t, "/_cognate/flows/"+flows[0].ID)
		}
	}
	return "", ""
}

// TestParametersWithoutEffect names parameters that are ignored, on a request that
// passes and on one that lacks what may be in them, and on no page that follows.
func TestParametersWithoutEffect(t *testing.T) {
	t.Parallel()
	const note = "parameters without effect"
	for name, more := range map[string][]string{
		"passes": {"request", "eyJ.x.y", "response_mode", "form_post"},
		"fails":  {"request_uri", "https://app.test/request.jwt", "response_type", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.Get(t, "/oauth2/authorize", pooltest.Query(more...), nil)
			e.Get(t, "/login", pooltest.Query(more...), nil)
			flows := e.flows(t, "")
			page := e.look(t, "/_cognate/flows/"+flows[len(flows)-1].ID)
			for i := 0; i < len(more); i += 2 {
				if ignored := more[i] != "response_type"; ignored && !strings.Contains(page, more[i]) {
					t.Errorf("the view does not name %s", more[i])
				}
			}
			noted := 0
			for _, f := range flows {
				for _, step := range f.Steps {
					for _, d := range step.Decisions {
						if d.Event == note {
							noted++
						}
					}
				}
			}
			if want := map[string]int{"passes": 1, "fails": 2}[name]; noted != want {
				t.Errorf("noted %d times, want %d", noted, want)
			}
		})
	}
	e := newEnv(t)
	e.Get(t, "/oauth2/authorize", pooltest.Query("display", "page"), nil)
	if page := e.look(t, "/_cognate/flows/"+e.flows(t, "")[0].ID); strings.Contains(page, note) {
		t.Error("a request without such parameters is noted")
	}
}

// TestHints makes what goes wrong most often, and reads what to do about it.
func TestHints(t *testing.T) {
	t.Parallel()
	authorize := func(pairs ...string) func(*testing.T, *env) {
		return func(t *testing.T, e *env) { e.Get(t, "/oauth2/authorize", pooltest.Query(pairs...), nil) }
	}
	redeem := func(pairs ...string) func(*testing.T, *env) {
		return func(t *testing.T, e *env) {
			_, code := e.signIn(
				t, pooltest.Password,
				pooltest.Query("code_challenge", pooltest.Challenge, "code_challenge_method", "S256"),
			)
			e.Redeem(t, code, pairs...)
		}
	}
	token := func(form url.Values, header http.Header) func(*testing.T, *env) {
		return func(t *testing.T, e *env) { e.Post(t, "/oauth2/token", form, header) }
	}
	grant := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {"app"}}
	tests := map[string]struct {
		do   func(*testing.T, *env)
		want []string
	}{
		"redirect_mismatch": {authorize("redirect_uri", pooltest.Callback+"/"), []string{
			"Register the address", "https://app.test/callback<mark>/</mark>", "Note the trailing slash",
			"callback_urls:", "aws cognito-idp update-user-pool-client", "&#39;https://app.test/callback/&#39;",
		}},
		"redirect_mismatch that nobody can register": {authorize(
			"redirect_uri", "https://app.test/'; rm -rf ~ #",
		), []string{
			"Register the address", "cannot be registered",
		}},
		"logout_uri": {func(t *testing.T, e *env) {
			e.Get(t, "/logout", url.Values{"client_id": {"app"}, "logout_uri": {pooltest.Bye + "/"}}, nil)
		}, []string{"Register the address", "logout_urls:", "https://app.test/bye<mark>/</mark>"}},
		"unknown client": {
			authorize("client_id", "apq"), []string{"does not have", "ap<mark>q</mark>", "ap<mark>p</mark>"},
		},
		"invalid_scope": {authorize("scope", "openid orders/write"), []string{
			"may not ask for all of these scopes", "Not allowed: orders/write.", "allowed_oauth_scopes:",
		}},
		"prompt=none": {authorize("prompt", "none"), []string{"begin again without prompt=none"}},
		"plain PKCE": {
			authorize("code_challenge", pooltest.Challenge, "code_challenge_method", "plain"),
			[]string{"code_challenge_method must be S256"},
		},
		"unknown provider": {
			func(t *testing.T, e *env) { e.Get(t, "/login", pooltest.Query("identity_provider", "Nobody"), nil) },
			[]string{"identity provider"},
		},
		"wrong password": {func(t *testing.T, e *env) { e.signIn(t, "wrong", pooltest.Query()) }, []string{
			"The user exists: the password was wrong.", "one of the users",
		}},
		"disabled": {func(t *testing.T, e *env) {
			err := e.Pool.Users.Disable(t.Context(), "ann")
			if err != nil {
				t.Fatal(err)
			}
			e.signIn(t, pooltest.Password, pooltest.Query())
		}, []string{"User is disabled.", "Enable the user"}},
		"locked": {func(t *testing.T, e *env) {
			for range 6 {
				e.signIn(t, "wrong", pooltest.Query("state", "same"))
			}
		}, []string{"Five failures lock"}},
		"forged form": {func(t *testing.T, e *env) {
			e.Post(t, "/login?"+pooltest.Query().Encode(), url.Values{"_csrf": {"forged"}}, nil)
		}, []string{"XSRF-TOKEN"}},
		"expired flow": {func(t *testing.T, e *env) {
			e.Get(t, "/login", pooltest.Query("flow", strings.Repeat("a", 43)), nil)
		}, []string{"longer than five minutes"}},
		"PKCE mismatch": {redeem("code_verifier", strings.Repeat("a", 43)), []string{
			"The verifier must be the one", "Challenge of the verifier", "<mark>",
		}},
		"PKCE missing": {redeem(), []string{"The verifier must be the one", "(not sent)"}},
		"redirect_uri": {redeem("redirect_uri", pooltest.Callback+
			"?x=1", "code_verifier", pooltest.Verifier), []string{"to both endpoints", "<mark>?x=1</mark>"}},
		"code too late": {func(t *testing.T, e *env) {
			_, code := e.signIn(t, pooltest.Password, pooltest.Query())
			e.Clock.Advance(grants.CodeLifetime)
			e.Redeem(t, code)
		}, []string{"A code works once, for five minutes"}},
		"code twice": {func(t *testing.T, e *env) {
			_, code := e.signIn(t, pooltest.Password, pooltest.Query())
			e.Redeem(t, code)
			e.Redeem(t, code)
		}, []string{"A code works once", "The app redeems the code"}},
		"no secret": {token(grant, nil), []string{"This client has a secret. Send it"}},
		"wrong secret": {
			token(grant, pooltest.Basic("app", "wrong")), []string{"A line break or a space at its end counts"},
		},
		"public client": {
			token(url.Values{"grant_type": {"refresh_token"}}, pooltest.Basic("public", "x")),
			[]string{"This client has no secret"},
		},
		"wrong grant": {func(t *testing.T, e *env) {
			e.Post(t, "/oauth2/token", url.Values{"grant_type": {"password"}}, pooltest.Basic("app", e.App.Secret))
		}, []string{"grant_type must be"}},
		"userInfo without openid": {func(t *testing.T, e *env) {
			e.UserInfo(t, e.Tokens(t, "scope", "https://api.test/read")["access_token"])
		}, []string{"Ask for the scope openid"}},
		"userInfo without a token": {
			func(t *testing.T, e *env) { e.Get(t, "/oauth2/userInfo", nil, nil) }, []string{"Authorization: Bearer"},
		},
		"userInfo too late": {func(t *testing.T, e *env) {
			token := e.Tokens(t)["access_token"]
			e.Clock.Advance(2 * time.Hour)
			e.UserInfo(t, token)
		}, []string{"expired, revoked"}},
		"no such endpoint": {
			func(t *testing.T, e *env) { e.Get(t, "/oauth2/userinfo", nil, nil) }, []string{"with a capital I"},
		},
		"wrong method": {func(t *testing.T, e *env) { e.Get(t, "/oauth2/token", nil, nil) }, []string{"take POST"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			tt.do(t, e)
			hint, page := e.lastFailure(t)
			for _, want := range tt.want {
				if !strings.Contains(page, want) && !strings.Contains(hint, want) {
					t.Errorf("neither the hint nor the page has %q; the hint is %q", want, hint)
				}
			}
			if strings.Contains(page, "rm -rf ~ #&#39;") {
				t.Error("a command holds what somebody sent")
			}
			if !strings.Contains(page, "What to do:") {
				t.Error("the page gives no hint")
			}
		})
	}
}

// TestMarkup sends what a page must not run, and a command not either.
func TestMarkup(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, evil := range []string{
		`"><script>alert(1)</script>`, "https://a.test/'$(reboot)'", "\x00\xff<b>", "https://a.test/\u202e",
	} {
		e.Get(t, "/oauth2/authorize", pooltest.Query("redirect_uri", evil, "state", evil, "scope", "a"+evil), nil)
		e.Get(t, "/oauth2/authorize", pooltest.Query("client_id", evil), nil)
		e.Get(t, "/login/"+url.PathEscape(evil), nil, nil)
	}
	for _, s := range e.flows(t, "") {
		page := e.look(t, "/_cognate/flows/"+s.ID)
		if strings.Contains(page, "<script>alert") || strings.Contains(page, "<b>") ||
			strings.Contains(page, " &#39;https://a.test/&#39;$(reboot)") {
			t.Errorf("the page runs what was sent:\n%s", page)
		}
	}
}

// TestEveryReasonHasAHint reads the pool's source: whoever adds a reason to refuse, or a
// code that an app or a person is refused with, adds what to do about it. A reason is a
// constant of package decision; none is written where the pool decides.
func TestEveryReasonHasAHint(t *testing.T) {
	t.Parallel()
	found := 0
	for _, dir := range []string{
		"..", "../accounts", "../signin", "../grants", "../internal/codes", "../internal/triggers",
		"../internal/decision",
		"../hosted", "../oauth", "../federation", "../internal/browser",
	} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no source in %s: %v", dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			codes, literals := reasonsIn(t, name)
			for _, code := range codes {
				found++
				if !devview.HasHint(code) {
					t.Errorf("%s: %q has no hint; add one to hints.go", name, code)
				}
			}
			for _, literal := range literals {
				t.Errorf("%s: %s is no constant of package decision", name, literal)
			}
		}
	}
	if found < 60 {
		t.Errorf("found %d reasons, want more: does the test still look in the right places?", found)
	}
}

// reasonsIn finds the constants of a file that say why something is refused, and the
// literals that do.
func reasonsIn(t *testing.T, name string) (codes, literals []string) {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	literal := func(e ast.Expr) {
		lit, ok := e.(*ast.BasicLit)
		if ok && lit.Kind == token.STRING && lit.Value != `""` {
			literals = append(literals, lit.Value)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if id, ok := n.Lhs[0].(*ast.Ident); ok && id.Name == "reason" {
				literal(n.Rhs[0])
			}
		case *ast.FuncDecl:
			inReturns(n, literal)
		case *ast.CallExpr:
			inCall(n, literal)
		case *ast.ValueSpec:
			codes = append(codes, codesOf(file.Name.Name, n)...)
		}
		return true
	})
	return codes, literals
}

// codesOf are the constants that are codes of errors or reasons.
func codesOf(pkg string, spec *ast.ValueSpec) (codes []string) {
	for i, id := range spec.Names {
		named := strings.HasPrefix(id.Name, "Code") && id.Name != "CodeLifetime" || strings.HasPrefix(id.Name, "Page")
		if !named && pkg != "decision" || i >= len(spec.Values) {
			continue
		}
		lit, ok := spec.Values[i].(*ast.BasicLit)
		if !ok {
			continue
		}
		text, err := strconv.Unquote(lit.Value)
		if err == nil {
			codes = append(codes, text)
		}
	}
	return codes
}

// inReturns looks at what functions return as a reason.
func inReturns(f *ast.FuncDecl, literal func(ast.Expr)) {
	results := f.Type.Results
	if results == nil || f.Body == nil {
		return
	}
	first := results.List[0]
	named := len(first.Names) > 0 && first.Names[0].Name == "reason"
	if !named && f.Name.Name != "tokenRefusal" {
		return
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) > 0 {
			literal(r.Results[0])
		}
		return true
	})
}

// inCall looks at what is passed on as a reason, and at the names of events that are
// refusals.
func inCall(c *ast.CallExpr, literal func(ast.Expr)) {
	name := ""
	switch f := c.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	switch name {
	case "ReasonAttr", "refuseGrant", "refuseForm":
		for _, arg := range c.Args {
			literal(arg)
		}
	case "Audit", "log", "InfoContext", "WarnContext":
		for _, arg := range c.Args {
			lit, ok := arg.(*ast.BasicLit)
			if ok && slices.ContainsFunc([]string{"refused", "withheld", "did not"}, func(s string) bool {
				return strings.Contains(lit.Value, s)
			}) {
				literal(arg)
			}
		}
	}
}

// TestSlipIsThereWhereItIsKnown refuses requests with a slip that the pool recognised and
// without: the log and the view name none where there is none.
func TestSlipIsThereWhereItIsKnown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, parameter, value, inLog, inView string
	}{
		{"recognised", "redirect_uri", pooltest.Callback + "/", `slip="the trailing slash"`, ">slip</th>"},
		{"unknown", "client_id", "unknown", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.Get(t, "/oauth2/authorize", pooltest.Query(tt.parameter, tt.value), nil)
			_, page := e.lastFailure(t)
			if tt.inLog == "" && strings.Contains(e.Logs.String(), "slip") ||
				!strings.Contains(e.Logs.String(), tt.inLog) {
				t.Errorf("want %q of the slip in the log, got\n%s", tt.inLog, e.Logs)
			}
			if tt.inView == "" && strings.Contains(page, ">slip</th>") || !strings.Contains(page, tt.inView) {
				t.Errorf("want %q of the slip in the view", tt.inView)
			}
		})
	}
}
