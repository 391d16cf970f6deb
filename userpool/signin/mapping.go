package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
	"github.com/cognate-auth/cognate/userpool/store"
)

// SignIn returns the user who is this at the identity provider: a new
// one at the first time, whose user name is the provider's and the subject, and
// afterwards the same. The attributes are written anew from the mapping each
// time. A refusal is an [*userpool.Error] with Cognito's texts.
//
// A user is found by provider and subject alone, exactly. Nobody becomes a user
// who exists already because an address or a name is the same.
func (f *Federation) SignIn(
	ctx context.Context, c userpool.Client, provider string, profile userpool.Profile,
) (userpool.User, error) {
	u, err := f.user(ctx, c, provider, profile)
	refusal, refused := errors.AsType[*userpool.Error](err)
	who := []slog.Attr{slog.String("provider", provider), core.ClientAttr(c.ID)}
	switch {
	case err == nil:
		f.core.Audit(ctx, "signed in", append(who, slog.String("username", u.Username), core.SubAttr(u.Sub))...)
		return u, nil
	case refused:
		f.core.Audit(ctx, decision.SignInRefused, append(who, core.RefusalAttrs(refusal)...)...)
		err = userpool.InvalidRequest(refusal.Description) // whatever rule it was: the app knows but one code
	}
	return userpool.User{}, err
}

func (f *Federation) user(
	ctx context.Context, c userpool.Client, provider string, profile userpool.Profile,
) (userpool.User, error) {
	ip, ok := f.core.Settings().IdentityProvider(c, provider)
	if !ok {
		return userpool.User{}, userpool.InvalidRequest(userpool.TextNoSuchLogin)
	}
	if profile.Subject == "" {
		return userpool.User{}, userpool.InvalidRequest("username attribute mapping required")
	}
	// One at a time, so that two tabs do not both find nobody.
	leave, err := f.core.Gate.Enter(ctx, records.IdentityName(ip.Name, profile.Subject))
	if err != nil {
		return userpool.User{}, err
	}
	defer leave()
	for range 3 {
		u, known, err := f.core.Records.UserByIdentity(ctx, ip.Name, profile.Subject)
		if err != nil {
			return userpool.User{}, fmt.Errorf("userpool: reading user: %w", err)
		}
		if known {
			u, err = f.update(ctx, c, ip, u, profile)
		} else {
			u, err = f.create(ctx, c, ip, profile)
		}
		if !errors.Is(err, store.ErrConflict) {
			return u, err
		}
	}
	return userpool.User{}, fmt.Errorf("userpool: updating a federated user: %w", store.ErrConflict)
}

// create makes the user of a first sign-in.
func (f *Federation) create(
	ctx context.Context, c userpool.Client, ip userpool.IdentityProvider, profile userpool.Profile,
) (userpool.User, error) {
	now := f.core.Now()
	u := userpool.User{
		// All in lower case, as Cognito does where user names have no case.
		Sub: userpool.NewUUID(), Username: strings.ToLower(ip.Name + "_" + profile.Subject),
		Status: userpool.UserExternal,
		Groups: []string{f.core.ID + "_" + ip.Name}, Created: now, Modified: now,
		Identities: []userpool.Identity{{
			UserID: profile.Subject, ProviderName: ip.Name, ProviderType: ip.Type,
			Issuer: profile.Issuer, Primary: true, Created: now,
		}},
	}
	if !naming.ValidName(ip.Name + "_" + profile.Subject) {
		return userpool.User{}, userpool.InvalidRequest("the user name, " + ip.Name +
			"_ and the subject, has more than 128 characters or a space")
	}
	u.Logins = []string{naming.Fold(u.Username)}
	err := f.applyMapping(c, ip, &u, profile.Claims)
	if err != nil {
		return userpool.User{}, err
	}
	err = f.askTrigger(ctx, c, &u)
	if err != nil {
		return userpool.User{}, err
	}
	err = f.core.Records.CreateUser(ctx, u)
	if errors.Is(err, store.ErrExists) {
		other, known, err := f.core.Records.UserByIdentity(ctx, ip.Name, profile.Subject)
		if err != nil {
			return userpool.User{}, fmt.Errorf("userpool: reading user: %w", err)
		}
		if known && other.Username == u.Username {
			return userpool.User{}, store.ErrConflict // another process made the same user at the same moment
		}
		// A user of that name is there and is somebody else, or a trigger has just
		// linked the person to a user, who will be found the next time.
		return userpool.User{}, userpool.InvalidRequest("Already found an entry for username " + ip.Name + "_" +
			profile.Subject)
	}
	if err != nil {
		return userpool.User{}, fmt.Errorf("userpool: creating user: %w", err)
	}
	u.Version = 1
	return u, f.triggers.PostConfirmation(ctx, c, triggers.SourceConfirmSignUp, u)
}

// askTrigger asks whether the person may become a user, and which addresses are
// verified because the trigger says so.
func (f *Federation) askTrigger(ctx context.Context, c userpool.Client, u *userpool.User) error {
	answer, err := f.triggers.PreSignUp(ctx, c, triggers.SourceExternalProvider, *u, nil)
	for name, verified := range map[string]bool{
		"email": answer.AutoVerifyEmail, "phone_number": answer.AutoVerifyPhone,
	} {
		if verified && u.Attributes[name] != "" {
			u.Attributes[name+"_verified"] = "true"
		}
	}
	return err
}

// update signs in a user who is there, with what the provider says now.
func (f *Federation) update(
	ctx context.Context, c userpool.Client, ip userpool.IdentityProvider, u userpool.User, profile userpool.Profile,
) (userpool.User, error) {
	if u.Disabled {
		return userpool.User{}, userpool.InvalidRequest(accounts.TextDisabled)
	}
	err := f.triggers.PreAuthentication(ctx, c, u)
	if err != nil {
		return userpool.User{}, err
	}
	before := u.Clone()
	err = f.applyMapping(c, ip, &u, profile.Claims)
	if err != nil {
		return userpool.User{}, err
	}
	if !maps.Equal(before.Attributes, u.Attributes) {
		err = f.storeMapped(ctx, &u)
		if err != nil {
			return userpool.User{}, err
		}
	}
	return u, f.triggers.PostAuthentication(ctx, c, u)
}

func (f *Federation) storeMapped(ctx context.Context, u *userpool.User) error {
	err := f.users.Rules().SetNames(u) // of a linked user: a verified address may be a login
	if err != nil {
		return err
	}
	u.Modified = f.core.Now()
	err = f.core.Records.UpdateUser(ctx, *u)
	if errors.Is(err, store.ErrExists) {
		return userpool.InvalidRequest(accounts.TextEmailAlias)
	}
	if err != nil {
		return fmt.Errorf("userpool: updating user: %w", err)
	}
	u.Version++
	return nil
}

// applyMapping writes the attributes that the provider has claims for: what it
// does not say stays, what it says is blank goes; an address that the client may
// write brings its verified flag (developer guide, page
// "cognito-user-pools-specifying-attribute-mapping").
func (f *Federation) applyMapping(
	c userpool.Client, ip userpool.IdentityProvider, u *userpool.User, claims map[string]string,
) error {
	before := u.Attributes
	u.Attributes = maps.Clone(before)
	if u.Attributes == nil {
		u.Attributes = make(map[string]string)
	}
	for _, name := range slices.Sorted(maps.Keys(ip.AttributeMapping)) {
		value, said := claims[ip.AttributeMapping[name]]
		if name == "username" || !said || f.users.Rules().IsLogin(*u, name) || !namesAddress(ip, name, claims) ||
			!c.CanWrite(strings.TrimSuffix(name, "_verified")) {
			continue
		}
		err := f.mapAttribute(u, name, value)
		if err != nil {
			return err
		}
	}
	for _, name := range []string{"email", "phone_number"} {
		claim, mapped := ip.AttributeMapping[name+"_verified"]
		_, said := claims[claim]
		settleVerified(u.Attributes, name, before[name], mapped && said)
	}
	return f.checkRequired(*u)
}

// namesAddress reports whether the provider, if it says that an address is
// verified, also says which one: the one that the user has may be another.
func namesAddress(ip userpool.IdentityProvider, attribute string, claims map[string]string) bool {
	if !userpool.IsVerifiedFlag(attribute) {
		return true
	}
	claim, mapped := ip.AttributeMapping[strings.TrimSuffix(attribute, "_verified")]
	return mapped && claims[claim] != ""
}

func (f *Federation) mapAttribute(u *userpool.User, name, value string) error {
	a, _ := f.core.Settings().Attribute(name)
	if u.Version > 0 && a.Immutable {
		return userpool.InvalidRequest("user." + name + ": Attribute cannot be updated.")
	}
	if strings.TrimSpace(value) == "" {
		delete(u.Attributes, name)
		return nil
	}
	value, err := f.core.Settings().CleanAttribute(name, value)
	if err == nil {
		u.Attributes[name] = value
	}
	return err
}

// settleVerified keeps an address from being taken for verified that is not
// there any more, or that has changed while the provider says nothing about it.
func settleVerified(attributes map[string]string, name, before string, said bool) {
	switch verified := name + "_verified"; {
	case attributes[name] == "":
		delete(attributes, verified)
	case attributes[name] != before && (!said || attributes[verified] == ""):
		attributes[verified] = "false"
	}
}

// checkRequired holds the user to the required attributes of the schema.
func (f *Federation) checkRequired(u userpool.User) error {
	missing := f.core.Settings().Missing(u)
	if len(missing) > 0 {
		return userpool.InvalidRequest("attributes required: [" + strings.Join(missing, ", ") + "]")
	}
	return nil
}
