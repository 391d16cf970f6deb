package poolconfig

import "time"

// The types below are the file as it is written. A key is the yaml tag;
// docs/local-pool.md says what it means, and a test compares the page with these types.
// If the Terraform provider for AWS has a name for something, that name is the key: it
// is the API's own name in snake_case, and people who configure Cognito have probably
// seen it.

type fileModel struct {
	Pools []poolModel `yaml:"pools"`
}

type poolModel struct {
	ID           string `yaml:"id"`
	Name         string `yaml:"name,omitempty"`
	Domain       string `yaml:"domain,omitempty"`
	CustomDomain string `yaml:"custom_domain,omitempty"`
	Issuer       string `yaml:"issuer,omitempty"`

	UsernameAttributes     []string         `yaml:"username_attributes,omitempty"`
	AliasAttributes        []string         `yaml:"alias_attributes,omitempty"`
	SelfSignUp             bool             `yaml:"self_sign_up,omitempty"`
	AutoVerifiedAttributes []string         `yaml:"auto_verified_attributes,omitempty"`
	ConfirmByLink          bool             `yaml:"confirm_by_link,omitempty"`
	Schema                 []attributeModel `yaml:"schema,omitempty"`
	PasswordPolicy         *policyModel     `yaml:"password_policy,omitempty"`

	MFAConfiguration string        `yaml:"mfa_configuration,omitempty"`
	MFATypes         []string      `yaml:"mfa_types,omitempty"`
	FirstFactors     []string      `yaml:"allowed_first_auth_factors,omitempty"`
	WebAuthn         *passkeyModel `yaml:"web_authn_configuration,omitempty"`
	Recovery         []string      `yaml:"account_recovery,omitempty"`

	Groups            []groupModel          `yaml:"groups,omitempty"`
	ResourceServers   []resourceServerModel `yaml:"resource_servers,omitempty"`
	IdentityProviders []providerModel       `yaml:"identity_providers,omitempty"`
	Triggers          *triggersModel        `yaml:"triggers,omitempty"`
	Messages          *messagesModel        `yaml:"messages,omitempty"`
	FixedCode         string                `yaml:"fixed_code,omitempty"`

	IgnoreUnknownScopes bool `yaml:"ignore_unknown_scopes,omitempty"`

	Clients  []clientModel `yaml:"clients,omitempty"`
	Users    []userModel   `yaml:"users,omitempty"`
	UsersCSV string        `yaml:"users_csv,omitempty"`
}

type attributeModel struct {
	Name     string `yaml:"name"`
	Type     string `yaml:"type,omitempty"`
	Required bool   `yaml:"required,omitempty"`
	Mutable  *bool  `yaml:"mutable,omitempty"`
	Min      int64  `yaml:"min,omitempty"`
	Max      int64  `yaml:"max,omitempty"`
}

type policyModel struct {
	MinimumLength     int           `yaml:"minimum_length,omitempty"`
	RequireUppercase  bool          `yaml:"require_uppercase,omitempty"`
	RequireLowercase  bool          `yaml:"require_lowercase,omitempty"`
	RequireNumbers    bool          `yaml:"require_numbers,omitempty"`
	RequireSymbols    bool          `yaml:"require_symbols,omitempty"`
	History           int           `yaml:"password_history_size,omitempty"`
	TemporaryValidity time.Duration `yaml:"temporary_password_validity,omitempty"`
}

type passkeyModel struct {
	RelyingPartyID   string `yaml:"relying_party_id,omitempty"`
	UserVerification string `yaml:"user_verification,omitempty"`
	Factors          string `yaml:"factor_configuration,omitempty"`
}

type groupModel struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description,omitempty"`
	RoleARN     string `yaml:"role_arn,omitempty"`
	Precedence  *int   `yaml:"precedence,omitempty"`
}

type resourceServerModel struct {
	Identifier string       `yaml:"identifier"`
	Name       string       `yaml:"name,omitempty"`
	Scopes     []scopeModel `yaml:"scopes,omitempty"`
}

type scopeModel struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description,omitempty"`
}

type providerModel struct {
	Name             string            `yaml:"name"`
	Type             string            `yaml:"type"`
	Identifiers      []string          `yaml:"idp_identifiers,omitempty"`
	AttributeMapping map[string]string `yaml:"attribute_mapping,omitempty"`

	ClientID     string `yaml:"client_id,omitempty"`
	ClientSecret secret `yaml:"client_secret,omitempty"`
	Issuer       string `yaml:"oidc_issuer,omitempty"`
	Scopes       string `yaml:"authorize_scopes,omitempty"`
	AuthorizeURL string `yaml:"authorize_url,omitempty"`
	TokenURL     string `yaml:"token_url,omitempty"`
	UserInfoURL  string `yaml:"attributes_url,omitempty"`
	JWKSURL      string `yaml:"jwks_uri,omitempty"`
	Method       string `yaml:"attributes_request_method,omitempty"`

	MetadataFile string `yaml:"metadata_file,omitempty"`
	SignOut      bool   `yaml:"idp_signout,omitempty"`
	SignRequests bool   `yaml:"sign_requests,omitempty"`
	IDPInitiated bool   `yaml:"idp_init,omitempty"`
}

type triggersModel struct {
	PreSignUp          *triggerModel `yaml:"pre_sign_up,omitempty"`
	PostConfirmation   *triggerModel `yaml:"post_confirmation,omitempty"`
	PreAuthentication  *triggerModel `yaml:"pre_authentication,omitempty"`
	PostAuthentication *triggerModel `yaml:"post_authentication,omitempty"`
	CustomMessage      *triggerModel `yaml:"custom_message,omitempty"`
	PreToken           *triggerModel `yaml:"pre_token_generation,omitempty"`
}

type triggerModel struct {
	URL     string `yaml:"url"`
	Version string `yaml:"version,omitempty"`
}

type messagesModel struct {
	VerificationSubject string `yaml:"verification_subject,omitempty"`
	VerificationEmail   string `yaml:"verification_email,omitempty"`
	VerificationSMS     string `yaml:"verification_sms,omitempty"`
	LinkSubject         string `yaml:"link_subject,omitempty"`
	LinkEmail           string `yaml:"link_email,omitempty"`
	InvitationSubject   string `yaml:"invitation_subject,omitempty"`
	InvitationEmail     string `yaml:"invitation_email,omitempty"`
	InvitationSMS       string `yaml:"invitation_sms,omitempty"`
	CodeSubject         string `yaml:"code_subject,omitempty"`
	CodeEmail           string `yaml:"code_email,omitempty"`
	CodeSMS             string `yaml:"code_sms,omitempty"`
}

type clientModel struct {
	ID           string `yaml:"id"`
	Name         string `yaml:"name,omitempty"`
	Secret       secret `yaml:"secret,omitempty"`
	SecondSecret secret `yaml:"second_secret,omitempty"`

	CallbackURLs       []string `yaml:"callback_urls,omitempty"`
	LogoutURLs         []string `yaml:"logout_urls,omitempty"`
	DefaultRedirectURI string   `yaml:"default_redirect_uri,omitempty"`
	Scopes             []string `yaml:"allowed_oauth_scopes,omitempty"`
	Flows              []string `yaml:"allowed_oauth_flows,omitempty"`
	Providers          []string `yaml:"supported_identity_providers,omitempty"`
	ExplicitAuthFlows  []string `yaml:"explicit_auth_flows,omitempty"`
	ReadAttributes     []string `yaml:"read_attributes,omitempty"`
	WriteAttributes    []string `yaml:"write_attributes,omitempty"`
	UserExistence      string   `yaml:"prevent_user_existence_errors,omitempty"`
	Revocation         *bool    `yaml:"enable_token_revocation,omitempty"`

	AccessTokenValidity  time.Duration  `yaml:"access_token_validity,omitempty"`
	IDTokenValidity      time.Duration  `yaml:"id_token_validity,omitempty"`
	RefreshTokenValidity time.Duration  `yaml:"refresh_token_validity,omitempty"`
	Rotation             *rotationModel `yaml:"refresh_token_rotation,omitempty"`
	Branding             *brandingModel `yaml:"branding,omitempty"`
}

type rotationModel struct {
	Enabled     bool          `yaml:"enabled"`
	RetryPeriod time.Duration `yaml:"retry_grace_period,omitempty"`
}

type brandingModel struct {
	LogoFile       string `yaml:"logo_file,omitempty"`
	LogoAlt        string `yaml:"logo_alt,omitempty"`
	Primary        string `yaml:"primary,omitempty"`
	Background     string `yaml:"background,omitempty"`
	DarkPrimary    string `yaml:"dark_primary,omitempty"`
	DarkBackground string `yaml:"dark_background,omitempty"`
	CSSFile        string `yaml:"css_file,omitempty"`
}

type userModel struct {
	Username     string            `yaml:"username,omitempty"`
	Email        string            `yaml:"email,omitempty"`
	Sub          string            `yaml:"sub,omitempty"`
	Password     secret            `yaml:"password,omitempty"`
	Temporary    bool              `yaml:"temporary,omitempty"`
	Status       string            `yaml:"status,omitempty"`
	Disabled     bool              `yaml:"disabled,omitempty"`
	Attributes   map[string]string `yaml:"attributes,omitempty"`
	Groups       []string          `yaml:"groups,omitempty"`
	TOTPSecret   secret            `yaml:"totp_secret,omitempty"`
	MFA          []string          `yaml:"mfa,omitempty"`
	PreferredMFA string            `yaml:"preferred_mfa,omitempty"`
}

// secret is a value that may come from the environment, written ${NAME}. No error
// repeats it. MarshalYAML writes it in plain text.
type secret string

// String returns "[redacted]".
func (secret) String() string { return "[redacted]" }

// GoString returns "[redacted]".
func (secret) GoString() string { return "[redacted]" }

// MarshalYAML returns the secret in plain text, for a file.
func (s secret) MarshalYAML() (any, error) { return string(s), nil }
