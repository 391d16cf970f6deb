package signin

import (
	"context"
	"errors"
	"slices"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/store"
)

// MissingAttributes are the required attributes that the flow's user does not
// have: they are asked for together with the new password.
func (s *Steps) MissingAttributes(ctx context.Context, f *userpool.Flow) ([]string, error) {
	who, err := s.accountOf(ctx, f)
	if err != nil {
		return nil, err
	}
	return s.core.Settings().Missing(who.User), nil
}

// NewPassword is the password that takes the place of a temporary one, and
// the attributes that were missing; others are ignored (NEW_PASSWORD_REQUIRED).
func (s *Steps) NewPassword(
	ctx context.Context, req Request, f *userpool.Flow, password userpool.Secret, attributes map[string]string,
) error {
	who, err := s.accountOf(ctx, f)
	if err != nil {
		return err
	}
	if !who.Known || who.Status != userpool.UserForceChange || !slices.Contains(f.Methods, methodPassword) {
		return errNoSuchLogin
	}
	err = s.users.Rules().Admit(who.User)
	if err != nil {
		return err
	}
	u := who.Clone()
	err = s.fillIn(&u, attributes)
	if err != nil {
		return err
	}
	same, _, err := s.core.Hasher.Verify(ctx, u.PasswordHash, password)
	if err == nil && same {
		err = &userpool.Error{Code: userpool.CodePasswordHistory, Description: accounts.TextUsedPassword}
	}
	if err == nil {
		err = s.users.SetNewPassword(ctx, &u, password)
	}
	if err != nil {
		return err
	}
	u.Status = userpool.UserConfirmed
	err = s.users.Store(ctx, &u)
	if errors.Is(err, store.ErrConflict) {
		return ErrStale // somebody else changed the user, perhaps the password
	}
	if err != nil {
		return err
	}
	s.core.Audit(ctx, "temporary password replaced", core.SubAttr(u.Sub))
	return s.recordProof(ctx, req, f, u)
}

// fillIn gives u the required attributes that it lacks.
func (s *Steps) fillIn(u *userpool.User, attributes map[string]string) error {
	settings := s.core.Settings()
	given := map[string]string{}
	for _, name := range settings.Missing(*u) {
		if attributes[name] == "" {
			return &userpool.Error{Code: userpool.CodeInvalidParameter, Description: TextAttributeMissing}
		}
		given[name] = attributes[name]
	}
	clean, err := settings.CleanAttributes(given)
	if err != nil {
		return err
	}
	for name, value := range clean {
		u.Attributes[name] = value
	}
	return s.users.Rules().SetNames(u)
}
