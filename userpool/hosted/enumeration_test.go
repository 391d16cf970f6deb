package hosted_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

var hintText = regexp.MustCompile(`[a-z]\*\*\*@[a-z]\*\*\*|\+\*{7}[0-9]{4}`)

// TestUserEnumeration goes through every page that takes a name, as somebody who
// knows no secret: for a user and for a name that nobody has, the pages, the
// headers and what is asked of the store are the same.
func TestUserEnumeration(t *testing.T) {
	t.Parallel()
	type seen struct{ page, calls string }
	for name, walk := range map[string]func(*testing.T, *pooltest.Env, string, func(*pooltest.Visitor)){
		"sign-in": func(t *testing.T, e *pooltest.Env, name string, look func(*pooltest.Visitor)) {
			t.Helper()
			v := e.NewVisitor().SignIn(t)
			for range 8 {
				look(v.Submit(t, "username", name, "password", "wrong"))
			}
		},
		"forgot": func(t *testing.T, e *pooltest.Env, name string, look func(*pooltest.Visitor)) {
			t.Helper()
			v := e.NewVisitor().Open(t, "/forgotPassword?"+pooltest.Query().Encode())
			look(v.Submit(t, "username", name))
			for range 8 {
				look(v.Submit(t, "code", "999999", "password", newPassword, "confirm_password", newPassword))
			}
			look(v.Submit(t, "resend", "1"))
		},
		"many resets": func(t *testing.T, e *pooltest.Env, name string, look func(*pooltest.Visitor)) {
			t.Helper()
			for range 22 {
				look(e.NewVisitor().Open(t, "/forgotPassword?"+pooltest.Query().Encode()).Submit(t, "username", name))
			}
		},
		"link": func(t *testing.T, e *pooltest.Env, name string, look func(*pooltest.Visitor)) {
			t.Helper()
			for range 3 {
				look(e.NewVisitor().Open(t, "/confirmUser?client_id=app&confirmation_code=999999&user_name="+name))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &pooltest.Spy{Store: memstore.New()}
			e := accountsOn(t, s)
			_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{
				Username: "disabled7", Password: pooltest.Password, Disabled: true,
				Attributes: verifiedEmail("off@example.com"),
			})
			must(t, err)
			_, err = e.Pool.Users.Create(t.Context(), userpool.NewUser{
				Username: "invited7", Password: pooltest.Password, Temporary: true,
				Attributes: verifiedEmail("new@example.com"),
			})
			must(t, err)
			_, err = e.Pool.Users.Create(
				t.Context(), userpool.NewUser{Username: "foreign7", Status: userpool.UserExternal},
			)
			must(t, err)
			walk(t, e, "nobody0", func(*pooltest.Visitor) {}) // what is made once, and collected now and then
			visit := func(name string) (out []seen) {
				s.Calls()
				walk(t, e, name, func(v *pooltest.Visitor) {
					page := strings.ReplaceAll(looks(v, name), "&#42;", "*")
					page = hintText.ReplaceAllString(page, "HINT")
					out = append(out, seen{page, strings.Join(s.Calls(), "\n")})
				})
				return out
			}
			want := visit("nobody")
			for _, user := range []string{"ann", "disabled7", "invited7", "foreign7", "Nobody2"} {
				for i, got := range visit(user) {
					if got.page != want[i].page {
						t.Errorf("%s, page %d: got %s\nwant %s", user, i, got.page, want[i].page)
					}
					if got.calls != want[i].calls {
						t.Errorf("%s, page %d: got %s\nwant %s", user, i, got.calls, want[i].calls)
					}
				}
			}
		})
	}
}

func verifiedEmail(address string) map[string]string {
	return map[string]string{"email": address, "email_verified": "true"}
}

// accountsOn is accounts with another store.
func accountsOn(t *testing.T, s store.Store) *pooltest.Env {
	t.Helper()
	return pooltest.New(t, func(c *pool.Config) {
		c.Store = s
		c.Settings = userpool.Settings{
			SelfSignUp: true, AutoVerifiedAttributes: []string{"email"}, FixedCode: "424242", ConfirmByLink: true,
			Schema: []userpool.Attribute{{Name: "email", Required: true}},
		}
	})
}
