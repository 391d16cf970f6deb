package userpool

import (
	"context"
	"errors"
	"slices"

	"github.com/cognate-auth/cognate/userpool/store"
)

// TextAttributeMissing is followed by the names of attributes.
const TextAttributeMissing = "Please fill in everything that is required."

// MissingAttributes are the required attributes that the flow's user does not
// have: they are asked for together with the new password.
func (p *Pool) MissingAttributes(ctx context.Context, f *Flow) ([]string, error) {
	who, err := p.accountOf(ctx, f)
	if err != nil {
		return nil, err
	}
	return p.Settings().missing(who.User), nil
}

func (s *Settings) missing(u User) []string {
	return slices.DeleteFunc(s.required(), func(name string) bool { return u.Attributes[name] != "" })
}

// NewPasswordStep is the password that takes the place of a temporary one, and
// the attributes that were missing; others are ignored (NEW_PASSWORD_REQUIRED).
func (p *Pool) NewPasswordStep(
	ctx context.Context, req Request, f *Flow, password Secret, attributes map[string]string,
) error {
	who, err := p.accountOf(ctx, f)
	if err != nil {
		return err
	}
	if !who.known || who.Status != UserForceChange || !slices.Contains(f.Methods, methodPassword) {
		return errNoSuchLogin
	}
	err = p.rules().admit(who.User)
	if err != nil {
		return err
	}
	u := who.Clone()
	err = p.fillIn(&u, attributes)
	if err != nil {
		return err
	}
	same, _, err := p.hasher.verify(ctx, u.PasswordHash, password)
	if err == nil && same {
		err = &Error{Code: CodePasswordHistory, Description: TextUsedPassword}
	}
	if err == nil {
		err = p.newPassword(ctx, &u, password)
	}
	if err != nil {
		return err
	}
	u.Status = UserConfirmed
	err = p.storeUser(ctx, &u)
	if errors.Is(err, store.ErrConflict) {
		return ErrStale // somebody else changed the user, perhaps the password
	}
	if err != nil {
		return err
	}
	p.audit(ctx, "temporary password replaced", subAttr(u.Sub))
	return p.proved(ctx, req, f, u)
}

// fillIn gives u the required attributes that it lacks.
func (p *Pool) fillIn(u *User, attributes map[string]string) error {
	settings := p.Settings()
	given := map[string]string{}
	for _, name := range settings.missing(*u) {
		if attributes[name] == "" {
			return &Error{Code: CodeInvalidParameter, Description: TextAttributeMissing}
		}
		given[name] = attributes[name]
	}
	clean, err := settings.cleanAttributes(given)
	if err != nil {
		return err
	}
	for name, value := range clean {
		u.Attributes[name] = value
	}
	return p.rules().setUserNames(u)
}
