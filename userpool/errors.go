package userpool

import (
	"errors"
	"strings"

	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// Protocol error codes: RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core
// section 3.1.2.6, RFC 6750 section 3.1, and Cognito's own.
const (
	CodeInvalidRequest       = "invalid_request"
	CodeInvalidClient        = "invalid_client"
	CodeInvalidGrant         = "invalid_grant"
	CodeInvalidToken         = "invalid_token"
	CodeInvalidScope         = "invalid_scope"
	CodeUnauthorizedClient   = "unauthorized_client"
	CodeUnsupportedGrantType = "unsupported_grant_type"
	CodeUnsupportedTokenType = "unsupported_token_type"
	CodeLoginRequired        = "login_required"
	CodeServerError          = "server_error"
	CodeNotAuthorized        = "NotAuthorizedException"
	CodeInvalidParameter     = "InvalidParameterException"

	CodeUserLambda            = "UserLambdaValidationException"
	CodeUnexpectedLambda      = "UnexpectedLambdaException"
	CodeInvalidLambdaResponse = "InvalidLambdaResponseException"
)

// The values of the error parameter of the page /error, as Cognito words them.
const (
	PageRedirectMismatch   = "redirect_mismatch"
	PageClientIDMissing    = "Required String parameter 'client_id' is not present"
	PageRedirectURIMissing = "Required String parameter 'redirect_uri' is not present"
	PageUnknownClient      = "Client does not exist"
	PageCannotConfirm      = "User is not confirmed."
	PageNoSignUp           = "SignUp is not permitted for this user pool"
	PageNoRecovery         = "Contact administrator to reset password."
	PageForgedForm         = "invalid_csrf_token" // our own, as the next
	PageFlowOver           = "expired_session"
)

// The sentences a person reads when a sign-in is refused.
const (
	TextIncorrect     = "Incorrect username or password."
	TextLocked        = "Password attempts exceeded"
	TextNoSuchLogin   = "Login option is not available. Please try another one"
	TextCodeMismatch  = "Invalid verification code provided, please try again."
	TextCodeExpired   = "Invalid code provided, please request a code again."
	TextLimitExceeded = "Attempt limit exceeded, please try after some time."
)

// ErrBusy says that more sign-ins are under way than the pool hashes passwords
// for, and that the wait for a turn was too long. Try again in a moment.
var ErrBusy = errors.New("userpool: too many sign-ins at once")

// An Error is a failure that the client, or the person at the sign-in page, is
// meant to see. Any other error is reported to them as server_error, and its
// text goes to the log alone.
type Error struct {
	Code        string // one of the Code constants
	Description string // shown as it is; may be empty; never holds internal detail
	Hint        string // for the log: what a developer should change; empty: nothing to say
}

// Error returns code and description.
func (e *Error) Error() string {
	if e.Description == "" {
		return "userpool: " + e.Code
	}
	return "userpool: " + e.Code + ": " + e.Description
}

// A PageError refuses a request of a browser that must not be redirected to an
// app, because the app is unknown or the address was not registered (RFC 6749
// section 4.1.2.1). The browser is sent to the page /error.
type PageError struct {
	Code     string // a Page or Code constant: the error parameter of /error
	ClientID string // as the request named it, possibly empty or unknown
	Hint     string // for the log: what a developer should change; not for the page
	Slip     string // for the log: how an address differs from a registered one; empty: not known
}

// Error returns the code and the hint.
func (e *PageError) Error() string { return "userpool: " + e.Code + ": " + e.Hint }

// Location returns the address of the error page below the domain's base URL.
func (e *PageError) Location(base string) string {
	query := text.Query("error", e.Code, "client_id", e.ClientID)
	if e.Code == PageInvalidState {
		query = strings.ReplaceAll(query, "+", "%20") // as Cognito was seen to write this one
	}
	return base + "/error?" + query
}

// A RedirectError refuses an authorization request and tells the app, at a
// redirect URI that was checked before.
type RedirectError struct {
	Err         Error
	RedirectURI string
	State       string // empty: not sent
	Fragment    bool   // answer in the fragment: response_type was token
}

// Error returns the text of the protocol error.
func (e *RedirectError) Error() string { return e.Err.Error() }

// Location returns where to send the browser. The order of the parameters is
// the one Cognito was seen to use; clients must not depend on it.
func (e *RedirectError) Location() string {
	params := text.Query("error_description", e.Err.Description, "state", e.State, "error", e.Err.Code)
	if e.Fragment {
		return e.RedirectURI + "#" + params
	}
	return text.AppendQuery(e.RedirectURI, params)
}

// Error codes of the user pools API (API reference, "Common error types" and the
// operations' own) that the pages share with it.
const (
	CodeMismatch              = "CodeMismatchException"
	CodeExpired               = "ExpiredCodeException"
	CodeLimitExceeded         = "LimitExceededException"
	CodeUsernameExists        = "UsernameExistsException"
	CodeAliasExists           = "AliasExistsException"
	CodeInvalidPassword       = "InvalidPasswordException"
	CodePasswordHistory       = "PasswordHistoryPolicyViolationException"
	CodeUserNotFound          = "UserNotFoundException"
	CodeUserNotConfirmed      = "UserNotConfirmedException"
	CodePasswordResetRequired = "PasswordResetRequiredException"
)

// ForApp replaces the codes of the user-pools API, which mean nothing in OAuth.
func (e *Error) ForApp() Error {
	if strings.HasSuffix(e.Code, "Exception") {
		return Error{Code: CodeInvalidRequest, Description: e.Description}
	}
	return *e
}

// InvalidRequest is invalid_request, with this description.
func InvalidRequest(description string) error {
	return &Error{Code: CodeInvalidRequest, Description: description}
}

// InvalidParameter is InvalidParameterException, with this description.
func InvalidParameter(description string) error {
	return &Error{Code: CodeInvalidParameter, Description: description}
}
