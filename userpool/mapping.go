package userpool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/store"
)

// maxIdentities is how many identities a user can be linked to (developer guide,
// page "quotas").
const maxIdentities = 5

// Profile is what an identity provider said of the person whom it signed in.
type Profile struct {
	// Subject is sub or NameID: who that is, there and forever.
	Subject string
	// Claims are the rest, as text: booleans as true and false, several values
	// as of [MultiValue]. What the provider did not say is not in the map.
	Claims map[string]string
	// Issuer is a SAML provider's entity ID; empty of another.
	Issuer string
	// Session is what it takes to sign out there, see [SAML.SignOut].
	Session string
}

// MultiValue is the one text for several values, as Cognito stores it.
func MultiValue(values []string) string {
	escaped := make([]string, len(values))
	for i, v := range values {
		escaped[i] = url.QueryEscape(v)
	}
	return "[" + strings.Join(escaped, ",") + "]"
}

// FederatedSignIn returns the user who is this at the identity provider: a new
// one at the first time, whose user name is the provider's and the subject, and
// afterwards the same. The attributes are written anew from the mapping each
// time. A refusal is an [*Error] with Cognito's texts.
//
// A user is found by provider and subject alone, exactly. Nobody becomes a user
// who exists already because an address or a name is the same.
func (p *Pool) FederatedSignIn(ctx context.Context, c Client, provider string, profile Profile) (User, error) {
	u, err := p.federatedUser(ctx, c, provider, profile)
	refusal, refused := errors.AsType[*Error](err)
	who := []slog.Attr{slog.String("provider", provider), clientAttr(c.ID)}
	switch {
	case err == nil:
		p.audit(ctx, "signed in", append(who, slog.String("username", u.Username), subAttr(u.Sub))...)
		return u, nil
	case refused:
		p.audit(ctx, "sign-in refused", append(who, reasonAttr(refusal.Description))...)
		err = badRequest(refusal.Description) // whatever rule it was: the app knows but one code
	}
	return User{}, err
}

func (p *Pool) federatedUser(ctx context.Context, c Client, provider string, profile Profile) (User, error) {
	ip, ok := p.Settings().IdentityProvider(c, provider)
	if !ok {
		return User{}, badRequest(TextNoSuchLogin)
	}
	if profile.Subject == "" {
		return User{}, badRequest("username attribute mapping required")
	}
	// One at a time, so that two tabs do not both find nobody.
	leave, err := p.gate.enter(ctx, identityName(ip.Name, profile.Subject))
	if err != nil {
		return User{}, err
	}
	defer leave()
	for range 3 {
		u, known, err := p.store.UserByIdentity(ctx, ip.Name, profile.Subject)
		if err != nil {
			return User{}, fmt.Errorf("userpool: reading user: %w", err)
		}
		if known {
			u, err = p.updateFederated(ctx, c, ip, u, profile)
		} else {
			u, err = p.createFederated(ctx, c, ip, profile)
		}
		if !errors.Is(err, store.ErrConflict) {
			return u, err
		}
	}
	return User{}, fmt.Errorf("userpool: updating a federated user: %w", store.ErrConflict)
}

// createFederated makes the user of a first sign-in.
func (p *Pool) createFederated(ctx context.Context, c Client, ip IdentityProvider, profile Profile) (User, error) {
	now := p.now()
	u := User{
		// All in lower case, as Cognito does where user names have no case.
		Sub: NewUUID(), Username: strings.ToLower(ip.Name + "_" + profile.Subject), Status: UserExternal,
		Groups: []string{p.id + "_" + ip.Name}, Created: now, Modified: now,
		Identities: []Identity{{
			UserID: profile.Subject, ProviderName: ip.Name, ProviderType: ip.Type,
			Issuer: profile.Issuer, Primary: true, Created: now,
		}},
	}
	if !validName(ip.Name + "_" + profile.Subject) {
		return User{}, badRequest("the user name, " + ip.Name + "_ and the subject, has more than 128 characters or a space")
	}
	u.Logins = []string{foldLogin(u.Username)}
	err := p.applyMapping(c, ip, &u, profile.Claims)
	if err != nil {
		return User{}, err
	}
	err = p.askTrigger(ctx, c, &u)
	if err != nil {
		return User{}, err
	}
	err = p.store.CreateUser(ctx, u)
	if errors.Is(err, store.ErrExists) {
		other, known, err := p.store.UserByIdentity(ctx, ip.Name, profile.Subject)
		if err != nil {
			return User{}, fmt.Errorf("userpool: reading user: %w", err)
		}
		if known && other.Username == u.Username {
			return User{}, store.ErrConflict // another process made the same user at the same moment
		}
		// A user of that name is there and is somebody else, or a trigger has just
		// linked the person to a user, who will be found the next time.
		return User{}, badRequest("Already found an entry for username " + ip.Name + "_" + profile.Subject)
	}
	if err != nil {
		return User{}, fmt.Errorf("userpool: creating user: %w", err)
	}
	u.Version = 1
	return u, p.postConfirmation(ctx, c, sourceConfirmSignUp, u)
}

// askTrigger asks whether the person may become a user, and which addresses are
// verified because the trigger says so.
func (p *Pool) askTrigger(ctx context.Context, c Client, u *User) error {
	answer, err := p.preSignUp(ctx, c, sourceExternalProvider, *u, nil)
	for name, verified := range map[string]bool{"email": answer.AutoVerifyEmail, "phone_number": answer.AutoVerifyPhone} {
		if verified && u.Attributes[name] != "" {
			u.Attributes[name+"_verified"] = "true"
		}
	}
	return err
}

// updateFederated signs in a user who is there, with what the provider says now.
func (p *Pool) updateFederated(
	ctx context.Context, c Client, ip IdentityProvider, u User, profile Profile,
) (User, error) {
	if u.Disabled {
		return User{}, badRequest(TextDisabled)
	}
	err := p.preAuthentication(ctx, c, u)
	if err != nil {
		return User{}, err
	}
	before := u.Clone()
	err = p.applyMapping(c, ip, &u, profile.Claims)
	if err != nil {
		return User{}, err
	}
	if !maps.Equal(before.Attributes, u.Attributes) {
		err = p.storeMapped(ctx, &u)
		if err != nil {
			return User{}, err
		}
	}
	return u, p.postAuthentication(ctx, c, u)
}

func (p *Pool) storeMapped(ctx context.Context, u *User) error {
	err := p.rules().setUserNames(u) // of a linked user: a verified address may be a login
	if err != nil {
		return err
	}
	u.Modified = p.now()
	err = p.store.UpdateUser(ctx, *u)
	if errors.Is(err, store.ErrExists) {
		return badRequest(TextEmailAlias)
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
func (p *Pool) applyMapping(c Client, ip IdentityProvider, u *User, claims map[string]string) error {
	before := u.Attributes
	u.Attributes = maps.Clone(before)
	if u.Attributes == nil {
		u.Attributes = make(map[string]string)
	}
	for _, name := range slices.Sorted(maps.Keys(ip.AttributeMapping)) {
		value, said := claims[ip.AttributeMapping[name]]
		if name == "username" || !said || p.rules().isLogin(*u, name) || !namesAddress(ip, name, claims) ||
			!c.CanWrite(strings.TrimSuffix(name, "_verified")) {
			continue
		}
		err := p.mapAttribute(u, name, value)
		if err != nil {
			return err
		}
	}
	for _, name := range []string{"email", "phone_number"} {
		claim, mapped := ip.AttributeMapping[name+"_verified"]
		_, said := claims[claim]
		settleVerified(u.Attributes, name, before[name], mapped && said)
	}
	return p.checkRequired(*u)
}

// namesAddress reports whether the provider, if it says that an address is
// verified, also says which one: the one that the user has may be another.
func namesAddress(ip IdentityProvider, attribute string, claims map[string]string) bool {
	if !isBoolean(attribute) {
		return true
	}
	claim, mapped := ip.AttributeMapping[strings.TrimSuffix(attribute, "_verified")]
	return mapped && claims[claim] != ""
}

func (p *Pool) mapAttribute(u *User, name, value string) error {
	a, _ := p.Settings().attribute(name)
	if u.Version > 0 && a.Fixed {
		return badRequest("user." + name + ": Attribute cannot be updated.")
	}
	if strings.TrimSpace(value) == "" {
		delete(u.Attributes, name)
		return nil
	}
	value, err := p.Settings().cleanAttribute(name, value)
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
func (p *Pool) checkRequired(u User) error {
	missing := p.Settings().missing(u)
	if len(missing) > 0 {
		return badRequest("attributes required: [" + strings.Join(missing, ", ") + "]")
	}
	return nil
}

// isLogin reports whether a local user, who is linked to a provider, signs in
// with this attribute: then no provider may change it.
func (r rules) isLogin(u User, name string) bool {
	if u.Status == UserExternal {
		return false
	}
	n := r.names
	return n.email && (name == "email" || name == "email_verified") ||
		n.phone && (name == "phone_number" || name == "phone_number_verified")
}

// LinkProvider makes the user with this sub be somebody at an identity provider
// too, whose subject this is: who signs in as that there is this user here (API
// reference, AdminLinkProviderForUser). A user has at most five such
// identities. What breaks a rule is an [*Error].
func (p *Pool) LinkProvider(ctx context.Context, sub, provider, subject string) (User, error) {
	ip, ok := p.Settings().provider(provider)
	if !ok {
		return User{}, invalid(fmt.Sprintf("there is no identity provider %q in the pool", text.Clip(provider)))
	}
	if subject == "" || len(subject) > maxAttributeBytes {
		return User{}, invalid("the subject has 1 to 2048 bytes")
	}
	u, err := p.user(ctx, sub)
	if err != nil {
		return User{}, fmt.Errorf("userpool: linking a user: %w", err)
	}
	if len(u.Identities) >= maxIdentities {
		return User{}, invalid("a user is linked to at most 5 identities")
	}
	now := p.now()
	u.Identities = append(u.Identities, Identity{
		UserID: subject, ProviderName: ip.Name, ProviderType: ip.Type, Created: now,
	})
	u.Modified = now
	err = p.store.UpdateUser(ctx, u)
	if errors.Is(err, store.ErrExists) {
		return User{}, invalid("Merging is not currently supported, " +
			"provide a SourceUser that has not been signed up in order to link")
	}
	if err != nil {
		return User{}, fmt.Errorf("userpool: linking a user: %w", err)
	}
	p.audit(ctx, "identity linked", subAttr(sub), slog.String("provider", ip.Name))
	u.Version++
	return u, nil
}
