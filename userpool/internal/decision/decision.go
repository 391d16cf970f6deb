// Package decision has the words in which a pool writes down that it refused something,
// and why. They are constants, so that the developer's view can say what to do about
// each, without knowing the package that decides: one name stands for one reason, in the
// log, in the trace and among the hints of devview.
//
// It imports the standard library alone.
package decision

// What happened: the message of a log line. What is in order is not among them.
const (
	GrantRefused          = "grant refused"
	ClientRefused         = "client refused"
	SignInRefused         = "sign-in refused"
	SignInFailed          = "sign-in failed"
	CodeRefused           = "code refused"
	CodeWithheld          = "code withheld"
	FederationRefused     = "federation refused"
	PasskeyRefused        = "passkey refused"
	PasskeyInvalid        = "passkey did not verify"
	NewPasskeyRefused     = "new passkey refused"
	NewPasskeyInvalid     = "new passkey did not verify"
	TriggerFailed         = "trigger failed"
	NothingToRevoke       = "nothing to revoke"
	AuthorizationRefused  = "authorization refused"
	RequestRefused        = "request refused"
	RequestFailed         = "request failed"
	FormRefused           = "form refused"
	PageFailed            = "writing a page failed"
	ProviderFailed        = "identity provider failed"
	ProviderSignOutFailed = "signing out at an identity provider failed"
)

// Why: the reason of a line about a client (RFC 6749 section 2.3).
const (
	UnknownClient    = "unknown client"
	SecretUnexpected = "a public client sent a secret or a Basic header"
	SecretMissing    = "the client secret is missing"
	SecretWrong      = "the client secret is wrong"
)

// Why: the reason of a line about a grant.
const (
	CodesNotAllowed        = "the client may not use codes"
	MachineNotAllowed      = "the client may not have tokens of its own"
	ScopeNotAllowed        = "a scope that the client may not have"
	CodeUnknown            = "unknown or used code"
	CodeOfAnotherClient    = "the code was issued to another client"
	CodeExpired            = "the code is expired"
	RedirectURIMissing     = "redirect_uri is missing"
	RedirectURIDiffers     = "redirect_uri differs from the authorization request"
	VerifierWrong          = "code_verifier does not match"
	RefreshUnknown         = "unknown, revoked or rotated refresh token"
	RefreshOfAnotherClient = "the refresh token is another client's"
	RefreshExpired         = "the refresh token is expired"
	RefreshRotated         = "the refresh token was rotated, and its grace period is over"
	AttributeUnreadable    = "a scope asks for an attribute that the client may not read"
	UserGone               = "the user is gone"
	UserSignedOut          = "the user was signed out meanwhile"
	UserDisabled           = "the user is disabled"
	UserNotConfirmed       = "the user is not confirmed"
	UserMustChangePassword = "the user must change the password first"
)

// Why: the reason of a line about the way back from an identity provider.
const (
	StateUnknown          = "the state is unknown or was used"
	StateOfAnotherKind    = "the state is of another kind of round trip"
	StateExpired          = "the round trip took more than five minutes"
	StateOfAnotherBrowser = "another browser began the round trip"
)

// Why: the reason of a line about a request of a browser.
const (
	FormFromElsewhere    = "the form came from another origin"
	FormTooLarge         = "the form is too large"
	FormOfNoDeveloper    = "the browser has not opened the developer's view"
	FormOfAnotherBrowser = "the form's token is not the browser's"
	FlowOver             = "the flow is over, or another browser's"
	BodyMalformed        = "the body is not a well-formed form"
	BodyTooLarge         = "the body is too large"
	QueryMalformed       = "the query is malformed or too long"
)
