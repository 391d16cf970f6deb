package userpool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/store"
)

var errNoSuchUser = &Error{Code: CodeUserNotFound, Description: TextNoSuchUser}

// named returns the user whom an administrator means: by sub, or by whatever
// signs the user in. The sub comes first, because nobody can choose it.
func (p *Pool) named(ctx context.Context, name string) (User, error) {
	u, err := p.user(ctx, name)
	if !errors.Is(err, errGone) {
		return u, err
	}
	u, ok, err := p.FindUser(ctx, name)
	if err == nil && !ok {
		err = errNoSuchUser
	}
	return u, err
}

// change does something to a user, who may be named by sub, user name or alias,
// and stores it with the changes that go with it. It begins anew when somebody
// else changed the user meanwhile.
func (p *Pool) change(
	ctx context.Context, name string, edit func(*User) error, more ...func(User) store.Change,
) (User, error) {
	for range 10 {
		u, err := p.named(ctx, name)
		if err != nil {
			return User{}, err
		}
		u = u.Clone()
		err = edit(&u)
		if err != nil {
			return User{}, err
		}
		err = p.storeUser(ctx, &u, more...)
		if !errors.Is(err, store.ErrConflict) {
			return u, err
		}
	}
	return User{}, fmt.Errorf("userpool: changing user: %w", store.ErrConflict)
}

// storeUser stores a changed user, and counts up u.Version. ErrConflict: somebody
// was faster. An alias that is taken is AliasExistsException.
func (p *Pool) storeUser(ctx context.Context, u *User, more ...func(User) store.Change) error {
	u.Modified = p.now()
	changes := []store.Change{{Op: store.Update, Record: userRecord(*u)}}
	for _, m := range more {
		changes = append(changes, m(*u))
	}
	err := p.store.Apply(ctx, changes...)
	switch {
	case err == nil:
		u.Version++
		return nil
	case errors.Is(err, store.ErrExists):
		return p.aliasTaken(ctx, *u)
	case errors.Is(err, store.ErrConflict):
		return err
	default:
		return fmt.Errorf("userpool: storing user: %w", err)
	}
}

// aliasTaken says which of the user's names is somebody else's.
func (p *Pool) aliasTaken(ctx context.Context, u User) error {
	text := TextNameAlias
	for _, login := range u.Logins {
		other, ok, err := p.store.UserByLogin(ctx, login)
		if err != nil {
			return fmt.Errorf("userpool: reading user: %w", err)
		}
		if !ok || other.Sub == u.Sub {
			continue
		}
		switch login {
		case foldLogin(u.Attributes["email"]):
			text = TextEmailAlias
		case foldLogin(u.Attributes["phone_number"]):
			text = TextPhoneAlias
		}
		break
	}
	return &Error{Code: CodeAliasExists, Description: text}
}

// signOut is what ends all that a user has under way: sessions, tokens, codes.
var signOut = func() (out []func(User) store.Change) {
	for _, kind := range []string{kindSession, kindCode, kindRefresh, kindOneTime} {
		out = append(out, func(u User) store.Change {
			return store.Change{Op: store.DeleteOwned, Record: store.Record{Kind: kind, Owner: u.Sub}}
		})
	}
	return out
}()

// UpdateUserAttributes changes attributes of a user, as AdminUpdateUserAttributes
// does; an empty value removes one. An address that changes is not verified any
// more, unless the same call says so. What breaks a rule is an [*Error].
func (p *Pool) UpdateUserAttributes(ctx context.Context, name string, attributes map[string]string) (User, error) {
	u, err := p.change(ctx, name, func(u *User) error { return p.rules().mergeAttributes(u, attributes) })
	if err == nil {
		p.audit(ctx, "user changed", subAttr(u.Sub))
	}
	return u, err
}

// mergeAttributes changes u alone, names included. What stays as it is, is not
// looked at: the schema may have changed since.
func (r rules) mergeAttributes(u *User, attributes map[string]string) error {
	if u.Attributes == nil {
		u.Attributes = map[string]string{}
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if attributes[name] == u.Attributes[name] {
			continue
		}
		_, said := attributes[name+"_verified"]
		err := r.settings.setAttribute(u, name, attributes[name], said)
		if err != nil {
			return err
		}
	}
	err := checkVerified(u.Attributes)
	if err != nil {
		return err
	}
	return r.setUserNames(u)
}

// setAttribute changes one attribute; an empty value removes it. An address that
// changes is not verified any more, unless something is said about that.
func (s *Settings) setAttribute(u *User, name, value string, said bool) error {
	a, known := s.attribute(name)
	switch {
	case !known || name == "sub":
		return unfit(text.Clip(strconv.QuoteToGraphic(name)), "Attribute does not exist in the schema.")
	case a.Fixed && u.Attributes[name] != "":
		return invalid("Cannot modify the non-mutable attribute " + name)
	}
	verified := name + "_verified"
	if value == "" {
		delete(u.Attributes, name)
		if !said {
			delete(u.Attributes, verified)
		}
		return nil
	}
	value, err := s.cleanAttribute(name, value)
	if err != nil {
		return err
	}
	u.Attributes[name] = value
	if u.Attributes[verified] != "" && !said {
		u.Attributes[verified] = "false"
	}
	return nil
}

// SetPassword gives a user a password, which must fit the policy: a permanent
// one, which confirms the user, or a temporary one (AdminSetUserPassword). It
// ends no session.
func (p *Pool) SetPassword(ctx context.Context, name string, password Secret, permanent bool) error {
	u, err := p.change(ctx, name, func(u *User) error {
		err := p.newPassword(ctx, u, password)
		if err != nil {
			return err
		}
		p.rules().passwordSet(u, !permanent)
		return nil
	})
	if err == nil {
		p.audit(ctx, "password set", subAttr(u.Sub), slog.Bool("temporary", !permanent))
	}
	return err
}

// passwordSet says how far a user is who was given a password.
func (r rules) passwordSet(u *User, temporary bool) {
	switch {
	case temporary:
		u.Status, u.TemporaryUntil = UserForceChange, r.now().Add(r.settings.Passwords.TemporaryValidity)
	case u.Status != UserExternal:
		u.Status = UserConfirmed
	}
}

// AdminConfirm confirms a sign-up without a code (AdminConfirmSignUp). No address
// becomes verified.
func (p *Pool) AdminConfirm(ctx context.Context, name string) error {
	u, err := p.change(ctx, name, func(u *User) error {
		if u.Status != UserUnconfirmed {
			return cannotConfirm(*u)
		}
		u.Status = UserConfirmed
		return nil
	}, func(u User) store.Change {
		return store.Change{Op: store.Delete, Record: store.Record{Kind: kindOneTime, ID: oneTimeID(PurposeSignUp, u.Sub)}}
	})
	if err != nil {
		return err
	}
	p.audit(ctx, "user confirmed", subAttr(u.Sub))
	return p.postConfirmation(ctx, Client{}, sourceConfirmSignUp, u)
}

func cannotConfirm(u User) error {
	return &Error{Code: CodeNotAuthorized, Description: "User cannot be confirmed. Current status is " + string(u.Status)}
}

// DisableUser keeps a user from signing in and ends all sessions and tokens.
func (p *Pool) DisableUser(ctx context.Context, name string) error {
	u, err := p.change(ctx, name, func(u *User) error { u.Disabled = true; return nil }, signOut...)
	if err == nil {
		p.audit(ctx, "user disabled", subAttr(u.Sub))
	}
	return err
}

// EnableUser takes DisableUser back.
func (p *Pool) EnableUser(ctx context.Context, name string) error {
	u, err := p.change(ctx, name, func(u *User) error { u.Disabled = false; return nil })
	if err == nil {
		p.audit(ctx, "user enabled", subAttr(u.Sub))
	}
	return err
}

// DeleteUser removes a user and all that is his.
func (p *Pool) DeleteUser(ctx context.Context, name string) error {
	u, err := p.named(ctx, name)
	if err != nil {
		return err
	}
	err = p.store.DeleteUser(ctx, u.Sub)
	if err != nil {
		return fmt.Errorf("userpool: deleting user: %w", err)
	}
	p.audit(ctx, "user deleted", subAttr(u.Sub))
	return nil
}

// AddToGroup puts a user into a group, behind those he is in. It is no error if
// he is in it.
func (p *Pool) AddToGroup(ctx context.Context, name, group string) error {
	_, err := p.change(ctx, name, func(u *User) (err error) {
		if !slices.Contains(u.Groups, group) {
			u.Groups, err = cleanGroups(append(u.Groups, group))
		}
		return err
	})
	return err
}

// RemoveFromGroup takes a user out of a group. It is no error if he is not in it.
func (p *Pool) RemoveFromGroup(ctx context.Context, name, group string) error {
	_, err := p.change(ctx, name, func(u *User) error {
		u.Groups = slices.DeleteFunc(u.Groups, func(g string) bool { return g == group })
		return nil
	})
	return err
}

// UserQuery says which users [Pool.Users] returns; at most one of Attribute and
// Group may be set.
type UserQuery struct {
	// Attribute is username, status, email, phone_number, name, given_name,
	// family_name or preferred_username, and Value what it must be, exactly or,
	// with Prefix, begin with.
	Attribute, Value string
	Prefix           bool
	Group            string // only its members
	After            string // the sub of the last user of the page before
	Limit            int    // at most 1000; zero: 60
}

// Users returns users by sub, a page at a time: as long as a page is full there
// may be another.
func (p *Pool) Users(ctx context.Context, q UserQuery) ([]User, error) {
	query := store.Query{After: q.After, Limit: q.Limit}
	if query.Limit <= 0 {
		query.Limit = 60
	}
	query.Limit = min(query.Limit, maxListed)
	switch {
	case q.Group != "" && q.Attribute != "":
		return nil, invalid("a list of users is by an attribute or by a group, not both")
	case q.Group != "":
		query.Term = "group:" + q.Group
	case q.Attribute != "" && !searchable(q.Attribute):
		return nil, invalid("Invalid search attribute: " + text.Clip(q.Attribute))
	case q.Attribute != "" && q.Prefix:
		query.TermPrefix = q.Attribute + ":" + q.Value
	case q.Attribute != "":
		query.Term = q.Attribute + ":" + q.Value
	}
	users, err := p.store.Users(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("userpool: listing users: %w", err)
	}
	return users, nil
}

func searchable(attribute string) bool {
	return attribute == "username" || attribute == "status" || slices.Contains(searchedAttributes, attribute)
}

// PutUser creates a user or makes the one with this name as n says, for a file
// that lists users: attributes that n names, groups unless nil, whether he is
// disabled, and the password, whose hash stays when it is the same. A temporary
// password that was changed stays changed, and so does the status. created
// reports which it was; of several that create the same user at once, as
// processes do that start on one file, one does and the others find it done.
func (p *Pool) PutUser(ctx context.Context, n NewUser) (u User, created bool, err error) {
	u, did, err := p.placeUser(ctx, n, nil)
	return u, did == userCreated, err
}

// FollowUser is [Pool.PutUser] for a file that is read again and again: before is
// what it said of this user the last time. Attributes, groups and second factors
// that it named then and does not name any more are taken away; status and
// password count if they differ from what it said, and otherwise stay as they
// have become since. Values of attributes in before are not looked at. created
// and changed report what was stored.
func (p *Pool) FollowUser(ctx context.Context, before, n NewUser) (u User, created, changed bool, err error) {
	u, did, err := p.placeUser(ctx, n, &before)
	return u, did == userCreated, did == userChanged, err
}

// CheckFollow tells why [Pool.FollowUser] of a user who is there would be refused
// in a pool with settings s, as far as that can be told without the password. A
// user who is not there is not looked at.
func (p *Pool) CheckFollow(ctx context.Context, s Settings, before, n NewUser) error {
	s = withSettingsDefaults(s)
	u, ok, err := p.FindUser(ctx, n.Username)
	if err != nil || !ok {
		return err
	}
	if n.Sub != "" && n.Sub != u.Sub {
		return anotherSub(n.Username)
	}
	next := u.Clone()
	n.Password, before.Password = "", ""
	err = p.merge(ctx, rules{&s, p.usernames, p.now}, &next, n, &before)
	if err != nil {
		return err
	}
	for _, login := range next.Logins {
		other, taken, err := p.FindUser(ctx, login)
		if err != nil {
			return err
		}
		if taken && other.Sub != u.Sub {
			return p.aliasTaken(ctx, next)
		}
	}
	return nil
}

func anotherSub(name string) error {
	return invalid("the user " + text.Clip(name) + " has another sub already")
}

// What placeUser did.
const (
	userKept = iota
	userCreated
	userChanged
)

// placeUser begins anew when another process creates the user at the same time.
func (p *Pool) placeUser(ctx context.Context, n NewUser, before *NewUser) (u User, did int, err error) {
	const tries = 3
	for range tries {
		u, did, err = p.placeUserOnce(ctx, n, before)
		if did != userCreated || !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return u, did, err
}

func (p *Pool) placeUserOnce(ctx context.Context, n NewUser, before *NewUser) (u User, did int, err error) {
	name := n.Username
	for _, address := range []string{"email", "phone_number"} {
		if name == "" && p.usernames.replaced() {
			name = n.Attributes[address]
		}
	}
	u, ok, err := p.FindUser(ctx, name)
	if err != nil {
		return User{}, userKept, err
	}
	if !ok {
		u, err = p.CreateUser(ctx, n)
		return u, userCreated, err
	}
	if !p.usernames.replaced() && foldLogin(u.Username) != foldLogin(name) {
		return User{}, userKept, fmt.Errorf("userpool: putting user: the name is another's alias: %w", store.ErrExists)
	}
	if n.Sub != "" && n.Sub != u.Sub {
		return User{}, userKept, anotherSub(name)
	}
	return p.putUser(ctx, u, n, before)
}

func (p *Pool) putUser(ctx context.Context, u User, n NewUser, before *NewUser) (User, int, error) {
	for range 10 {
		next := u.Clone()
		err := p.merge(ctx, p.rules(), &next, n, before)
		if err != nil {
			return User{}, userKept, err
		}
		if sameUser(u, next) {
			return u, userKept, nil
		}
		var more []func(User) store.Change
		if next.Disabled && !u.Disabled {
			more = signOut
		}
		err = p.storeUser(ctx, &next, more...)
		if !errors.Is(err, store.ErrConflict) {
			return next, userChanged, err
		}
		u, err = p.user(ctx, u.Sub)
		if err != nil {
			return User{}, userKept, err
		}
	}
	return User{}, userKept, fmt.Errorf("userpool: changing user: %w", store.ErrConflict)
}

// sameUser compares what a store keeps.
func sameUser(a, b User) bool {
	before, after := userRecord(a), userRecord(b)
	return string(before.Body) == string(after.Body) && slices.Equal(before.Names, after.Names)
}

// merge applies what n says to a user who is there; before is what was said the
// last time, or nil.
func (p *Pool) merge(ctx context.Context, r rules, u *User, n NewUser, before *NewUser) error {
	attributes := withoutName(n.Attributes)
	if before != nil {
		r.takeBack(u, attributes, n, *before)
	}
	err := r.mergeAttributes(u, attributes)
	if err != nil {
		return err
	}
	u.Disabled = n.Disabled
	if n.Groups != nil {
		u.Groups, err = cleanGroups(n.Groups)
		if err != nil {
			return err
		}
	}
	err = setFactors(u, n)
	if err != nil {
		return err
	}
	news := before != nil && saysOtherwise(*before, n)
	hash := u.PasswordHash
	if n.Password != "" && (!n.Temporary || u.Status == UserForceChange || news) {
		err = p.mergePassword(ctx, r, u, n)
	}
	// What is as it should be stays, the end of a temporary password too: another
	// process may have done it a moment ago.
	if err == nil && news && (string(hash) != string(u.PasswordHash) || u.Status != n.Status) {
		r.setStatus(u, n)
	}
	return err
}

// saysOtherwise reports whether a file says something new about how far a user
// is.
func saysOtherwise(before, n NewUser) bool {
	return before.Status != n.Status || before.Temporary != n.Temporary || before.Password != n.Password
}

// setStatus makes a user as far as a file says.
func (r rules) setStatus(u *User, n NewUser) {
	u.TemporaryUntil = time.Time{}
	switch {
	case n.Temporary || n.Status == UserForceChange:
		r.passwordSet(u, true)
	case n.Status == "":
		u.Status = UserConfirmed
	default:
		u.Status = n.Status
	}
}

// takeBack takes from u what before says and n does not; attributes gets the
// names to remove. The address that stands for the user name stays.
func (r rules) takeBack(u *User, attributes map[string]string, n, before NewUser) {
	for name := range before.Attributes {
		isName := r.names.replaced() && foldLogin(u.Attributes[name]) == foldLogin(n.Username)
		if n.Attributes[name] == "" && !strings.EqualFold(name, "sub") && !isName {
			attributes[name] = ""
		}
	}
	if n.Groups == nil {
		u.Groups = without(u.Groups, before.Groups...)
	}
	if before.TOTPSecret != "" && n.TOTPSecret == "" {
		u.TOTPSecret, u.TOTPStep, u.TOTPBefore = "", 0, nil
		u.MFA = without(u.MFA, FactorTOTP)
	}
	if n.MFA == nil {
		u.MFA = without(u.MFA, before.MFA...)
	}
	switch {
	case n.PreferredMFA == "" && u.PreferredMFA == before.PreferredMFA,
		n.MFA == nil && !slices.Contains(u.MFA, u.PreferredMFA):
		u.PreferredMFA = ""
	}
}

func without(list []string, taken ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return slices.Contains(taken, s) })
}

// withoutName leaves out what no file can mean to change.
func withoutName(attributes map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range attributes {
		if value != "" && !strings.EqualFold(name, "sub") {
			out[name] = value
		}
	}
	return out
}

func (p *Pool) mergePassword(ctx context.Context, r rules, u *User, n NewUser) error {
	same := false
	if u.PasswordHash != "" {
		var err error
		same, _, err = p.hasher.verify(ctx, u.PasswordHash, n.Password)
		if err != nil {
			return err
		}
	}
	if same {
		return nil
	}
	if len(n.Password) > maxPassword {
		return invalid("a password has 1 to 256 bytes")
	}
	hash, err := p.hasher.hash(ctx, n.Password)
	if err != nil {
		return err
	}
	u.PasswordHash, u.TemporaryUntil = hash, time.Time{}
	r.passwordSet(u, n.Temporary)
	return nil
}

// invite sends a new user the temporary password.
func (p *Pool) invite(ctx context.Context, u User, password Secret) error {
	r := codeRequest{Purpose: PurposeInvitation, User: u, Medium: MediumEmail, To: u.Attributes["email"],
		Source: sourceMessageAdminCreate}
	if r.To == "" {
		r.Medium, r.To = MediumSMS, u.Attributes["phone_number"]
	}
	if r.To == "" {
		return nil // the administrator tells the user in person
	}
	m, err := p.codeMessage(ctx, r, password)
	if err != nil {
		return err
	}
	err = p.store.PutMessage(ctx, m)
	if err != nil {
		return fmt.Errorf("userpool: storing a message: %w", err)
	}
	p.audit(ctx, "invitation sent", slog.String("medium", r.Medium), subAttr(u.Sub))
	p.deliver(ctx, m)
	return nil
}
