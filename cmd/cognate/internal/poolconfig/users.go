package poolconfig

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
)

func (in *reading) users(nodes []ast.Node, p Pool) []User {
	var all []User
	names := map[string]bool{}
	for _, n := range nodes {
		if in.problems.full() {
			break
		}
		var u User
		in.check(n, nil, func(node partial) error {
			var m userModel
			node.into(&m)
			u = m.user(p)
			return u.check(p.Settings)
		})
		name := strings.ToLower(u.Username)
		if name != "" && names[name] {
			in.problemf(n, "username", "the user %q appears twice", clip(u.Username))
		}
		names[name] = true
		all = append(all, u)
	}
	return all
}

func (m userModel) user(p Pool) User {
	u := User{NewUser: userpool.NewUser{
		Sub: m.Sub, Username: m.Username, Password: userpool.Secret(m.Password), Temporary: m.Temporary,
		Status: userpool.UserStatus(m.Status), Disabled: m.Disabled, Attributes: maps.Clone(m.Attributes),
		Groups: m.Groups, TOTPSecret: userpool.Secret(m.TOTPSecret), MFA: m.MFA, PreferredMFA: m.PreferredMFA,
	}}
	if u.Attributes == nil {
		u.Attributes = map[string]string{}
	}
	if m.Email != "" {
		u.Attributes["email"] = m.Email
	}
	u.complete(p.ID)
	return u
}

// In returns u as a user of p, with the derived values filled in.
func (u User) In(p Pool) User {
	u.complete(p.ID)
	return u
}

// complete fills in the values that are derived from others.
func (u *User) complete(pool string) {
	if u.Username == "" {
		u.Username = u.Attributes["email"]
	}
	if u.Sub == "" {
		u.Sub, u.derived = subOf(pool, u.Username), true
	}
	switch {
	case u.Status != "":
	case u.Temporary:
		u.Status = userpool.UserForceChange
	case u.Password == "":
		u.Status = userpool.UserResetRequired
	default:
		u.Status = userpool.UserConfirmed
	}
}

// subOf returns the sub of a user for whom the file gives none: always the same for the
// same pool and user name, and a different one in every pool. It is a UUID of version 8
// (RFC 9562 section 5.8).
func subOf(pool, username string) string {
	sum := sha256.Sum256([]byte("cognate user\x00" + pool + "\x00" + strings.ToLower(username)))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	s := hex.EncodeToString(sum[:16])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// check checks what only a file can get wrong, and then asks userpool.
func (u User) check(s userpool.Settings) error {
	switch {
	case u.Username == "":
		return errors.New("the user has neither a username nor an email")
	case u.Temporary && u.Password == "":
		return errors.New("temporary: a temporary password needs a password")
	case u.Temporary != (u.Status == userpool.UserForceChange):
		return errors.New("temporary: a temporary password and the status FORCE_CHANGE_PASSWORD belong together")
	}
	return accounts.CheckUser(s, u.NewUser)
}

// usersCSV adds the users of the CSV file that the pool names.
func (in *reading) usersCSV(n ast.Node, p *Pool) {
	var m poolModel
	d := in.decoder(&problems{}, nil)
	d.value(n, valueOf(&m))
	if m.UsersCSV == "" {
		return
	}
	text, err := in.readNamed(m.UsersCSV, maxCSVBeside)
	if err != nil {
		in.problemf(n, "users_csv", "%v", err)
		return
	}
	before := map[string]bool{}
	for _, u := range p.Users {
		before[strings.ToLower(u.Username)] = true
	}
	err = ReadCSV(text, m.UsersCSV, *p, func(u User) error {
		if before[strings.ToLower(u.Username)] {
			return userpool.InvalidParameter(
				fmt.Sprintf("the user %q is already in the list users of the pool", clip(u.Username)))
		}
		p.Users = append(p.Users, u)
		return nil
	})
	if e, ok := errors.AsType[*Error](err); ok {
		first := e.Problems[0]
		in.problemf(n, "users_csv", "%s: %s%s", e.at(first), first.Text, more(len(e.Problems)-1))
		return
	}
	if err != nil {
		in.problemf(n, "users_csv", "%v", err)
	}
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}
