package accounts

import "github.com/cognate-auth/cognate/userpool"

// The sentences of accounts, as Cognito words them; the last is our own.
const (
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
	TextNoRecovery        = "Cannot reset password for the user as there is no registered/verified " +
		"email or phone_number"
	TextNoReset          = "User password cannot be reset in the current state."
	TextAdminReset       = "Contact administrator to reset password."
	TextNoSignUp         = "SignUp is not permitted for this user pool"
	TextUsedPassword     = "Password has previously been used"
	TextUnauthorized     = "A client attempted to write unauthorized attribute"
	TextCodeUsed         = "Your software token has already been used once."
	TextTemporaryExpired = "Temporary password has expired and must be reset by an administrator."
	TextNotAtSignUp      = "preferred_username cannot be chosen before the account is confirmed."
)

func cannotConfirm(u userpool.User) error {
	return &userpool.Error{
		Code:        userpool.CodeNotAuthorized,
		Description: "User cannot be confirmed. Current status is " + string(u.Status),
	}
}
