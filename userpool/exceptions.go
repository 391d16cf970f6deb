package userpool

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

// The sentences of sign-up and recovery, as Cognito words them.
const (
	TextCodeMismatch      = "Invalid verification code provided, please try again."
	TextCodeExpired       = "Invalid code provided, please request a code again."
	TextLimitExceeded     = "Attempt limit exceeded, please try after some time."
	TextUserExists        = "User already exists"
	TextEmailExists       = "An account with the given email already exists."
	TextPhoneExists       = "An account with the given phone_number already exists."
	TextEmailAlias        = "An account with the email already exists."
	TextPhoneAlias        = "An account with the phone_number already exists."
	TextNameAlias         = "An account with the preferred_username already exists."
	TextDisabled          = "User is disabled."
	TextNotConfirmed      = "User is not confirmed."
	TextResendConfirmed   = "User is already confirmed."
	TextNoAutoVerify      = "Cannot resend codes. Auto verification not turned on."
	TextResetRequired     = "Password reset required for the user"
	TextNoSuchUser        = "User does not exist."
	TextNoSuchCombination = "Username/client id combination not found."
	TextNoRecovery        = "Cannot reset password for the user as there is no registered/verified email or phone_number"
	TextNoReset           = "User password cannot be reset in the current state."
	TextAdminReset        = "Contact administrator to reset password."
	TextNoSignUp          = "SignUp is not permitted for this user pool"
	TextUsedPassword      = "Password has previously been used"
	TextUnauthorized      = "A client attempted to write unauthorized attribute"
	TextTemporaryExpired  = "Temporary password has expired and must be reset by an administrator."
)

// Our own sentences of the same pages.
const (
	TextFollowLink  = "Please follow the link in the email first."
	TextConfirmed   = "Your account is confirmed. Please sign in."
	TextPasswordSet = "Your password is changed. Please sign in."
	TextNewCode     = "We have sent you a new code. The earlier one no longer works."
	TextNewLink     = "We have sent you a new link. The earlier one no longer works."
	TextNotRepeated = "The passwords are not the same. Please type the new password twice."
	TextNotAtSignUp = "preferred_username cannot be chosen before the account is confirmed."
)

var (
	errCodeMismatch  = &Error{Code: CodeMismatch, Description: TextCodeMismatch}
	errCodeExpired   = &Error{Code: CodeExpired, Description: TextCodeExpired}
	errCodeSpent     = &Error{Code: CodeExpired, Description: TextCodeExpired} // it was the right one
	errLimitExceeded = &Error{Code: CodeLimitExceeded, Description: TextLimitExceeded}
)
