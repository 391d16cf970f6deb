package accounts

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/codes"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
	"github.com/cognate-auth/cognate/userpool/store"
)

// UpdateAttributes changes attributes of a user, as AdminUpdateUserAttributes
// does; an empty value removes one. An address that changes is not verified any
// more, unless the same call says so. What breaks a rule is an [*userpool.Error].
func (a *Users) UpdateAttributes(
	ctx context.Context, name string, attributes map[string]string,
) (userpool.User, error) {
	u, err := a.Change(ctx, name, func(u *userpool.User) error { return a.Rules().mergeAttributes(u, attributes) })
	if err == nil {
		a.core.Audit(ctx, "user changed", core.SubAttr(u.Sub))
	}
	return u, err
}

// SetPassword gives a user a password, which must fit the policy: a permanent
// one, which confirms the user, or a temporary one (AdminSetUserPassword). It
// ends no session.
func (a *Users) SetPassword(ctx context.Context, name string, password userpool.Secret, permanent bool) error {
	u, err := a.Change(ctx, name, func(u *userpool.User) error {
		err := a.SetNewPassword(ctx, u, password)
		if err != nil {
			return err
		}
		a.Rules().passwordSet(u, !permanent)
		return nil
	})
	if err == nil {
		a.core.Audit(ctx, "password set", core.SubAttr(u.Sub), slog.Bool("temporary", !permanent))
	}
	return err
}

// Confirm confirms a sign-up without a code (AdminConfirmSignUp). No address
// becomes verified.
func (a *Users) Confirm(ctx context.Context, name string) error {
	u, err := a.Change(ctx, name, func(u *userpool.User) error {
		if u.Status != userpool.UserUnconfirmed {
			return cannotConfirm(*u)
		}
		u.Status = userpool.UserConfirmed
		return nil
	}, func(u userpool.User) store.Change {
		return store.Change{
			Op:     store.Delete,
			Record: store.Record{Kind: records.KindOneTime, ID: records.OneTimeID(userpool.PurposeSignUp, u.Sub)},
		}
	})
	if err != nil {
		return err
	}
	a.core.Audit(ctx, "user confirmed", core.SubAttr(u.Sub))
	return a.triggers.PostConfirmation(ctx, userpool.Client{}, triggers.SourceConfirmSignUp, u)
}

// Disable keeps a user from signing in and ends all sessions and tokens.
func (a *Users) Disable(ctx context.Context, name string) error {
	u, err := a.Change(ctx, name, func(u *userpool.User) error { u.Disabled = true; return nil }, signOut...)
	if err == nil {
		a.core.Audit(ctx, "user disabled", core.SubAttr(u.Sub))
	}
	return err
}

// Enable takes Disable back.
func (a *Users) Enable(ctx context.Context, name string) error {
	u, err := a.Change(ctx, name, func(u *userpool.User) error { u.Disabled = false; return nil })
	if err == nil {
		a.core.Audit(ctx, "user enabled", core.SubAttr(u.Sub))
	}
	return err
}

// Delete removes a user and all that is theirs.
func (a *Users) Delete(ctx context.Context, name string) error {
	u, err := a.ByName(ctx, name)
	if err != nil {
		return err
	}
	err = a.core.Records.DeleteUser(ctx, u.Sub)
	if err != nil {
		return fmt.Errorf("userpool: deleting user: %w", err)
	}
	a.core.Audit(ctx, "user deleted", core.SubAttr(u.Sub))
	return nil
}

// AddToGroup puts a user into a group, behind the user's others. It is no error if
// the user is in it.
func (a *Users) AddToGroup(ctx context.Context, name, group string) error {
	_, err := a.Change(ctx, name, func(u *userpool.User) (err error) {
		if !slices.Contains(u.Groups, group) {
			u.Groups, err = cleanGroups(append(u.Groups, group))
		}
		return err
	})
	return err
}

// RemoveFromGroup takes a user out of a group. It is no error if the user is
// not in it.
func (a *Users) RemoveFromGroup(ctx context.Context, name, group string) error {
	_, err := a.Change(ctx, name, func(u *userpool.User) error {
		u.Groups = slices.DeleteFunc(u.Groups, func(g string) bool { return g == group })
		return nil
	})
	return err
}

// invite sends a new user the temporary password.
func (a *Users) invite(ctx context.Context, u userpool.User, password userpool.Secret) error {
	r := codes.Request{
		Purpose: userpool.PurposeInvitation, User: u, Medium: userpool.MediumEmail, To: u.Attributes["email"],
		Source: triggers.SourceMessageAdminCreate,
	}
	if r.To == "" {
		r.Medium, r.To = userpool.MediumSMS, u.Attributes["phone_number"]
	}
	if r.To == "" {
		return nil // the administrator tells the user in person
	}
	m, err := a.codes.Message(ctx, r, password)
	if err != nil {
		return err
	}
	err = a.core.Records.PutMessage(ctx, m)
	if err != nil {
		return fmt.Errorf("userpool: storing a message: %w", err)
	}
	a.core.Audit(ctx, "invitation sent", slog.String("medium", r.Medium), core.SubAttr(u.Sub))
	a.codes.Deliver(ctx, m)
	return nil
}

// GlobalSignOut ends everything that was issued for a user, who is named by sub,
// user name or alias: refresh tokens, codes that are under way, and access
// tokens as far as the pool is asked. The browser's session goes on, as it does
// with AdminUserGlobalSignOut (developer guide, page
// "amazon-cognito-user-pools-using-the-refresh-token"). Nobody of that name is
// an [*userpool.Error] of [userpool.CodeUserNotFound].
func (a *Users) GlobalSignOut(ctx context.Context, name string) error {
	all := func(kind string) func(userpool.User) store.Change {
		return func(u userpool.User) store.Change {
			return store.Change{Op: store.DeleteOwned, Record: store.Record{Kind: kind, Owner: u.Sub}}
		}
	}
	u, err := a.Change(ctx, name, func(u *userpool.User) error {
		u.SignedOut = a.core.Now()
		return nil
	}, all(records.KindRefresh), all(records.KindCode))
	if err != nil {
		return err
	}
	a.core.Audit(ctx, "signed out everywhere", core.SubAttr(u.Sub))
	return nil
}
