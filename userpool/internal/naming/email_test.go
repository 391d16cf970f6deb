package naming_test

import (
	"context"
	"net/mail"
	"strings"
	"testing"
	"unicode"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
)

// addresses says which texts are e-mail addresses.
var addresses = map[string]bool{
	"eve@example.com":                       true,
	"a@b":                                   true,
	"ann@localhost":                         true,
	"Ann.Other+news@Mail.Example.COM":       true,
	"o'brien@example.com":                   true,
	"!#$%&'*+-/=?^_`{|}~@example.com":       true,
	"ann@123.example":                       true,
	"ann@xn--bcher-kva.example":             true,
	"ann@bücher.example":                    true,
	"用户@例え.テスト":                             true,
	"josé@example.com":                      true,
	strings.Repeat("a", 64) + "@b.test":     true,
	"a@" + strings.Repeat("b", 63):          true,
	"":                                      false,
	"ann":                                   false,
	"@":                                     false,
	"@b.test":                               false,
	"a@":                                    false,
	"a@b@c":                                 false,
	"<a@b.test>":                            false,
	"a@b.test>":                             false,
	"Ann <a@b.test>":                        false,
	"Ann<a@b.test>":                         false,
	"＜a@b.test＞":                            false,
	"a@b.test,c@d.test":                     false,
	"a@b.test;c@d.test":                     false,
	"mailto:a@b.test":                       false,
	"a(comment)@b.test":                     false,
	"a@b.test(comment)":                     false,
	`"a b"@b.test`:                          false,
	`"a"@b.test`:                            false,
	`a\b@b.test`:                            false,
	"a@[192.0.2.1]":                         false,
	"a@[IPv6:2001:db8::1]":                  false,
	"a@b.test:25":                           false,
	".a@b.test":                             false,
	"a.@b.test":                             false,
	"a..b@b.test":                           false,
	"a@.b.test":                             false,
	"a@b.test.":                             false,
	"a@b..test":                             false,
	"a@-b.test":                             false,
	"a@b-.test":                             false,
	"a@b_c.test":                            false,
	"a@b/c.test":                            false,
	"a@b.test ":                             false,
	" a@b.test":                             false,
	"a b@c.test":                            false,
	"a\u00a0b@c.test":                       false,
	"a\r\nBcc: x@y.test":                    false,
	"a@b.test\r\nBcc:x@y.test":              false,
	"a\x00@b.test":                          false,
	"a@b.test\x7f":                          false,
	"a\u200b@b.test":                        false,
	"a\u202e@b.test":                        false,
	"\ufeffa@b.test":                        false,
	"a\xff@b.test":                          false,
	strings.Repeat("a", 65) + "@b.test":     false,
	"a@" + strings.Repeat("b", 64):          false,
	"a@" + strings.Repeat("b.", 63) + "ccc": false, // 129 bytes
}

// TestEmail asks at every way in: an administrator's, a file's, a sign-up, as an
// attribute and as the user name.
func TestEmail(t *testing.T) {
	t.Parallel()
	named := func(c *pool.Config) { c.Settings.UsernameAttributes = []string{"email"} }
	open := func(c *pool.Config) { c.Settings.SelfSignUp = true }
	plain, byAddress := pooltest.New(t, open), pooltest.New(t, open, named)
	type way func(ctx context.Context, address string) error
	for name, try := range map[string]way{
		"create": func(ctx context.Context, address string) error {
			_, err := plain.Pool.Users.Create(ctx, userpool.NewUser{
				Username: userpool.NewUUID(), Password: "pw", Attributes: map[string]string{"email": address},
			})
			return err
		},
		"create by name": func(ctx context.Context, address string) error {
			_, err := byAddress.Pool.Users.Create(ctx, userpool.NewUser{Username: address, Password: "pw"})
			return err
		},
		"a file": func(_ context.Context, address string) error {
			return accounts.CheckUser(*plain.Pool.Settings(), userpool.NewUser{
				Username: "x", Password: "pw", Attributes: map[string]string{"email": address},
			})
		},
		"a file, by name": func(_ context.Context, address string) error {
			return accounts.CheckUser(*byAddress.Pool.Settings(), userpool.NewUser{Username: address, Password: "pw"})
		},
		"sign-up": func(ctx context.Context, address string) error {
			_, _, err := plain.Pool.Registration.SignUp(ctx, accounts.SignUpRequest{
				Client: plain.App, Username: userpool.NewUUID(), Password: "pw",
				Attributes: map[string]string{"email": address},
			})
			return err
		},
		"change": func(ctx context.Context, address string) error {
			_, err := plain.Pool.Users.UpdateAttributes(ctx, plain.Ann.Sub, map[string]string{"email": address})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for address, want := range addresses {
				if address == "" && !strings.Contains(name, "name") {
					continue // without an address
				}
				err := try(t.Context(), address)
				if (err == nil) != want {
					t.Errorf("%q: got %v, want that it is taken: %t", address, err, want)
				}
			}
		})
	}
}

// FuzzEmail checks that an address reads as itself, alone or in the header of a
// mail.
func FuzzEmail(f *testing.F) {
	for address := range addresses {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !naming.ValidEmail(s) {
			return
		}
		if strings.Count(s, "@") != 1 || strings.ContainsAny(s, "<>()[]\\\",;: ") ||
			strings.ContainsFunc(s, unicode.IsControl) {
			t.Errorf("%q is taken", s)
		}
		for _, text := range []string{s, "<" + s + ">", "Somebody <" + s + ">"} {
			got, err := mail.ParseAddress(text)
			if err != nil || got.Address != s {
				t.Errorf("%q reads as %v, %v", text, got, err)
			}
		}
	})
}
