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
