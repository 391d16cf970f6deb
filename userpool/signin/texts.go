package signin

// The sentences of the steps, in our own words.
const (
	TextAttributeMissing = "Please fill in everything that is required."
	TextBadAddress       = "We cannot send codes to that address."
	TextFollowLink       = "Please follow the link in the email first."
	TextNewCode          = "We have sent you a new code. The earlier one no longer works."
	TextNewLink          = "We have sent you a new link. The earlier one no longer works."
	TextNotRepeated      = "The passwords are not the same. Please type the new password twice."
	TextPasskeyLimit     = "You have as many passkeys as one account can have."
	TextPasswordSet      = "Your password is changed. Please sign in."
	TextRegistered       = "You have set up a second factor in the meantime. Please use it."

	textPasskeyFailed = "That passkey did not work. Try again, or sign in another way."
)
