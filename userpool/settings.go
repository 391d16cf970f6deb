package userpool

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// Settings are what a pool is told about how people sign up and in. The fields
// have the names of the API reference (CreateUserPool) where it has one. The
// zero value is a pool whose users are made by the administrator and sign in
// with a name and a password of 1 to 256 bytes.
type Settings struct {
	// Name is the pool's, for people.
	Name string

	// UsernameAttributes are "email", "phone_number" or both: people sign in
	// with that, and the user name is the user's sub. AliasAttributes are
	// "email", "phone_number" and "preferred_username": people may sign in with
	// that as well as with the user name, once it is verified. Not both; they
	// cannot change once users exist.
	UsernameAttributes, AliasAttributes []string

	// SelfSignUp lets people register (AdminCreateUserConfig, inverted).
	SelfSignUp bool
	// AutoVerifiedAttributes are "email", "phone_number" or both: where the
	// code that confirms a sign-up goes.
	AutoVerifiedAttributes []string
	// ConfirmByLink sends a link instead of a code (DefaultEmailOption
	// CONFIRM_WITH_LINK).
	ConfirmByLink bool
	// Schema says what is known of attributes. Standard ones that it does not
	// list are optional and mutable; custom ones ("custom:plan") must be listed
	// once any is.
	Schema []Attribute
	// Passwords is the policy for passwords that people choose.
	Passwords PasswordPolicy

	// MFA is off, optional or on.
	MFA MFA
	// MFATypes are the second factors on offer: FactorTOTP, FactorSMS,
	// FactorEmail.
	MFATypes []string
	// FirstFactors are what may come first at clients with ALLOW_USER_AUTH:
	// FactorPassword, FactorPasskey, FactorEmail, FactorSMS
	// (AllowedFirstAuthFactors). Empty: the password alone.
	FirstFactors []string
	// PasskeyDomain is the WebAuthn relying party ID; empty: the domain's host.
	PasskeyDomain string
	// PasskeysVerifyUser demands user verification (UserVerification required);
	// otherwise it is preferred.
	PasskeysVerifyUser bool

	// PasskeysAreMFA lets a passkey stand for two factors, with the user verified
	// (FactorConfiguration MULTI_FACTOR_WITH_USER_VERIFICATION). Otherwise who
	// has a second factor begins with the password.
	PasskeysAreMFA bool

	// Recovery is where a code for a forgotten password goes, in order of
	// preference: "verified_email", "verified_phone_number", or "admin_only"
	// alone. Empty: e-mail, then phone.
	Recovery []string

	Groups            []Group
	ResourceServers   []ResourceServer
	IdentityProviders []IdentityProvider
	// IgnoreUnknownScopes lets a client_credentials request name scopes that its
	// client may not have, and gives it the others; otherwise that is
	// invalid_scope. Cognito's documentation says both.
	IgnoreUnknownScopes bool
	// Triggers are called at the points of a sign-up and sign-in that their
	// names say, such as TriggerPreSignUp.
	Triggers map[string]Trigger

	// Messages are the templates of mails and short messages. Empty: our own.
	Messages Messages
	// FixedCode is what every code that would be sent is, six digits, for tests;
	// empty: codes are random. It is no protection at all.
	FixedCode string
}

// MFA says whether a second factor is asked for (MfaConfiguration).
type MFA string

// The values of MFA. The zero value is MFAOff.
const (
	MFAOff      MFA = "OFF"
	MFAOptional MFA = "OPTIONAL" // of those who have set one up
	MFAOn       MFA = "ON"       // of everyone
)

// The factors, in Cognito's words (InitiateAuth, challenge names). FactorEmail
// and FactorSMS are what a second factor is called; as a first one the same
// codes are EMAIL_OTP and SMS_OTP.
const (
	FactorPassword = "PASSWORD"
	FactorPasskey  = "WEB_AUTHN"
	FactorTOTP     = "SOFTWARE_TOKEN_MFA"
	FactorSMS      = "SMS_MFA"
	FactorEmail    = "EMAIL_OTP"
)

// Attribute is what the pool knows of one attribute (SchemaAttributeType).
type Attribute struct {
	Name      string // such as email or custom:plan
	Type      string // String, Number, DateTime or Boolean; empty: String
	Required  bool   // asked for at sign-up; never of a custom attribute
	Immutable bool   // it cannot change once it is set (Mutable false)
	// Min and Max bound the length of a String or the value of a Number;
	// Max zero: 2048, or none.
	Min, Max int64
}

// PasswordPolicy is what a password must have (PasswordPolicyType). The zero
// value asks for nothing but 1 to 256 bytes.
type PasswordPolicy struct {
	MinimumLength                                                      int // 6 to 99; zero: 1
	RequireUppercase, RequireLowercase, RequireNumbers, RequireSymbols bool
	// History is how many passwords before may not be used again, at most 24.
	History int
	// TemporaryValidity is how long a temporary password works, at most 365
	// days. Zero: 7 days.
	TemporaryValidity time.Duration
}

// Group is a group of users (GroupType).
type Group struct {
	Name, Description string
	RoleARN           string // becomes one of cognito:roles
	// Precedence orders the groups: the least is first and gives
	// cognito:preferred_role. Nil: after all others.
	Precedence *int
}

// ResourceServer is an API and its scopes (ResourceServerType).
type ResourceServer struct {
	Identifier, Name string // a scope is Identifier, a slash and its name
	Scopes           []ResourceServerScope
}

// ResourceServerScope is one scope of a [ResourceServer].
type ResourceServerScope struct{ Name, Description string }

// The types of identity providers.
const (
	ProviderOIDC = "OIDC"
	ProviderSAML = "SAML"
)

// IdentityProvider is another service that signs people in (IdentityProviderType).
type IdentityProvider struct {
	Name        string   // 1 to 32 characters, without spaces and underscore at the start
	Type        string   // ProviderOIDC or ProviderSAML
	Identifiers []string // idp_identifier values, at most 50
	// AttributeMapping names, for an attribute of the pool, the claim it comes
	// from; "username" is mapped from sub or NameID and cannot change.
	AttributeMapping map[string]string

	// Of an OIDC provider.
	ClientID     string
	ClientSecret Secret
	Issuer       string
	Scopes       string // space separated; empty: openid
	// The endpoints, where the provider has no discovery document.
	AuthorizeURL, TokenURL, UserInfoURL, JWKSURL string
	// UserInfoByPost sends the access token by POST (attributes_request_method).
	UserInfoByPost bool

	// Of a SAML provider: its metadata, as XML, and whether signing out here
	// signs out there, requests are signed, and a response may come unasked.
	Metadata                            string
	SignOut, SignRequests, IDPInitiated bool
}

// Trigger is an HTTP endpoint that is called with the event that Cognito's
// Lambda trigger of the same name would get.
type Trigger struct {
	URL     string // http or https
	Version string // of the event of TriggerPreToken: V1_0 (the default), V2_0 or V3_0
}

// Messages are templates, in which {####} is the code, {username} the user name
// and {##text##} the link.
type Messages struct {
	VerificationSubject, VerificationEmail, VerificationSMS string
	LinkSubject, LinkEmail                                  string
	InvitationSubject, InvitationEmail, InvitationSMS       string // {####} is the temporary password
	CodeSubject, CodeEmail, CodeSMS                         string // of a second factor
}

// WithDefaults returns the settings with what is empty filled in, and the groups in
// their order.
func (s Settings) WithDefaults() Settings {
	if s.MFA == "" {
		s.MFA = MFAOff
	}
	if len(s.FirstFactors) == 0 {
		s.FirstFactors = []string{FactorPassword}
	}
	if len(s.Recovery) == 0 {
		s.Recovery = []string{"verified_email", "verified_phone_number"}
	}
	if s.Passwords.TemporaryValidity == 0 {
		s.Passwords.TemporaryValidity = 7 * 24 * time.Hour
	}
	s.Groups = sortedGroups(s.Groups)
	return s
}

// CheckSettings checks s as pool.New and Pool.Configure do. The error names the
// field and says what was expected.
func CheckSettings(s Settings) error {
	s = s.WithDefaults()
	for _, check := range []func(Settings) error{
		checkSignInNames,
		checkAddresses,
		checkFactors,
		checkPolicy,
		checkTriggers,
		checkMessages,
		checkSchema,
		checkProviders,
		checkGroups,
		checkResourceServers,
	} {
		err := check(s)
		if err != nil {
			return fmt.Errorf("userpool: Settings.%w", err)
		}
	}
	return nil
}

// subset holds a list to known words, each at most once.
func subset(field string, list []string, known ...string) error {
	for i, v := range list {
		if !slices.Contains(known, v) || slices.Contains(list[:i], v) {
			return fmt.Errorf("%s: %q is unknown or repeated; known are %q", field, text.Clip(v), known)
		}
	}
	return nil
}

func checkSignInNames(s Settings) error {
	if len(s.UsernameAttributes) > 0 && len(s.AliasAttributes) > 0 {
		return errors.New("AliasAttributes: not together with UsernameAttributes")
	}
	err := subset("UsernameAttributes", s.UsernameAttributes, "email", "phone_number")
	if err != nil {
		return err
	}
	return subset("AliasAttributes", s.AliasAttributes, "email", "phone_number", "preferred_username")
}

func checkAddresses(s Settings) error {
	err := subset("AutoVerifiedAttributes", s.AutoVerifiedAttributes, "email", "phone_number")
	if err != nil {
		return err
	}
	if slices.Contains(s.Recovery, "admin_only") && len(s.Recovery) > 1 {
		return errors.New("Recovery: admin_only stands alone") //nolint:staticcheck // the name of a field
	}
	return subset("Recovery", s.Recovery, "verified_email", "verified_phone_number", "admin_only")
}

func checkFactors(s Settings) error {
	err := subset("MFA", []string{string(s.MFA)}, string(MFAOff), string(MFAOptional), string(MFAOn))
	if err != nil {
		return err
	}
	err = subset("MFATypes", s.MFATypes, FactorTOTP, FactorSMS, FactorEmail)
	if err != nil {
		return err
	}
	if s.MFA != MFAOff && len(s.MFATypes) == 0 {
		return fmt.Errorf("MFATypes: MFA %s needs at least one", s.MFA)
	}
	return subset("FirstFactors", s.FirstFactors, FactorPassword, FactorPasskey, FactorEmail, FactorSMS)
}

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

func checkPolicy(s Settings) error {
	p := s.Passwords
	switch {
	case p.MinimumLength != 0 && (p.MinimumLength < 6 || p.MinimumLength > 99):
		return errors.New("Passwords.MinimumLength: expected 6 to 99")
	case p.History < 0 || p.History > 24:
		return errors.New("Passwords.History: expected 0 to 24")
	case p.TemporaryValidity < 0 || p.TemporaryValidity > MaxTemporary:
		return errors.New("Passwords.TemporaryValidity: expected at most 365 days")
	}
	if s.FixedCode != "" && !sixDigits.MatchString(s.FixedCode) {
		return errors.New("FixedCode: expected six digits")
	}
	return nil
}

// SignInNames says what people type to sign in: some of "username", "email" and
// "phone_number".
func (s *Settings) SignInNames() []string {
	out := []string{}
	if len(s.UsernameAttributes) == 0 {
		out = append(out, "username")
	}
	for _, name := range []string{"email", "phone_number"} {
		if slices.Contains(s.UsernameAttributes, name) || slices.Contains(s.AliasAttributes, name) {
			out = append(out, name)
		}
	}
	return out
}

// CanRecover reports whether people who forgot their password can help
// themselves; otherwise only an administrator resets passwords.
func (s *Settings) CanRecover() bool { return !slices.Contains(s.Recovery, "admin_only") }

// MaxTemporary is how long a temporary password can work (API reference,
// PasswordPolicyType).
const MaxTemporary = 365 * 24 * time.Hour

// SignUpAttributes returns the attributes that the sign-up page asks for beside
// name and password: the required ones, and the address that the code goes to.
func (s *Settings) SignUpAttributes() []string {
	asked := s.Required()
	reachable := slices.ContainsFunc(s.AutoVerifiedAttributes, func(name string) bool {
		return slices.Contains(asked, name) || slices.Contains(s.UsernameAttributes, name)
	})
	if !reachable && len(s.AutoVerifiedAttributes) > 0 {
		asked = append(asked, s.AutoVerifiedAttributes[0])
	}
	return slices.DeleteFunc(asked, func(name string) bool {
		onlyName := len(s.UsernameAttributes) == 1 && s.UsernameAttributes[0] == name
		return onlyName || name == "preferred_username" && slices.Contains(s.AliasAttributes, name)
	})
}

// ByLink reports whether the flow waits for a link to be followed, instead of a
// code to be typed.
func (s *Settings) ByLink(f *Flow) bool {
	return f.Step == StepConfirm && f.Factor == FactorEmail && s.ConfirmByLink
}
