package devview

import (
	"cmp"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/trace"
)

// hints says what to do about a refusal. A key is a reason that the pool writes down
// when it decides (package decision), an error that it answers with, or the event.
var hints = map[string]string{
	// Of the authorization endpoint and the pages.
	userpool.PageRedirectMismatch: "Register the address that the app sends, to the letter, or make the " +
		"app send a registered one. Slash, port, scheme and localhost or 127.0.0.1 all count.",
	userpool.PageUnknownClient: "The app sends a client_id that this pool does not have. Compare it " +
		"with the clients of this pool; perhaps it belongs to another pool.",
	userpool.PageClientIDMissing: "The app must send client_id. Open the app and begin there, instead " +
		"of at this address.",
	userpool.PageRedirectURIMissing: "The app must send redirect_uri, or the client needs a default " +
		"one, or just one callback URL.",

	userpool.CodeInvalidRequest: "The request lacks a parameter, has one twice or has one of the wrong " +
		"form. The description says which; RFC 6749 section 4.1.1 says what belongs there.",
	userpool.CodeInvalidScope: "The client may not ask for all of these scopes. Allow the missing ones, " +
		"or ask for fewer; email, phone and profile need openid beside them.",
	userpool.CodeUnauthorizedClient: "The client is not allowed this flow, or does not send the " +
		"redirect_uri that it began with. Look at the client's allowed flows.",
	userpool.CodeLoginRequired: "The app asked with prompt=none and nobody is signed in, or not " +
		"recently enough. That is an answer, not a fault: begin again without prompt=none.",
	userpool.CodeServerError: "The pool itself failed. Its log says why, under this request id.",
	userpool.TextNoSuchLogin: "The request names an identity provider that the client does not have. " +
		"Add it to the client's supported identity providers, or leave identity_provider out.",

	// Of forms.
	userpool.PageForgedForm: "The form was not this browser's. Cookies must be on, and the page must be " +
		"opened where it is used: localhost and 127.0.0.1 have cookies of their own.",
	userpool.PageFlowOver: "The sign-in took longer than five minutes, ended, or began in another " +
		"browser. Begin again at the app.",
	decision.FormFromElsewhere: "A page elsewhere posted this form. Only the pool's own pages may; open " +
		"the sign-in page at the domain that the pool was started with.",
	decision.FormOfNoDeveloper: "Only a browser that has opened the developer's view signs in with one " +
		"click. Open the view at the address that the pool printed at its start, and repeat it.",
	decision.FormOfAnotherBrowser: "The browser did not send the XSRF-TOKEN cookie that the form " +
		"belongs to. Cookies must be on, and the page must be opened where it is used: localhost and " +
		"127.0.0.1 have cookies of their own.",
	decision.FormTooLarge:   "A form has at most 64 KiB.",
	decision.BodyTooLarge:   "A request has at most 64 KiB.",
	decision.BodyMalformed:  "Send the parameters in the body, with Content-Type: application/x-www-form-urlencoded.",
	decision.QueryMalformed: "Percent-encode the values of the query, and keep it below 32 KiB.",
	decision.FlowOver: "The sign-in took longer than five minutes, ended, or began in another browser. " +
		"Begin again at the app.",

	// Of people.
	userpool.TextIncorrect: "Type the name and the password of one of the users on the page Users.",
	userpool.TextLocked: "Five failures lock an account for a second, and each further one twice as " +
		"long, at most 15 minutes. Wait that long, then use the right password.",
	userpool.CodeNotAuthorized:    "The pool did not accept who or what this claims to be. The reason is beside it.",
	userpool.CodeInvalidParameter: "What was typed breaks a rule of the pool. The description says which.",
	userpool.CodeMismatch: "The code is not the one that was sent last. The outbox has it; a code " +
		"before it does not work any more.",
	userpool.TextCodeMismatch: "The code is not the one that was sent last. The outbox has it; a code " +
		"before it does not work any more.",
	userpool.CodeExpired: "The code is too old, was used, or was guessed at too often. Ask for another " +
		"one; the outbox has it.",
	userpool.TextCodeExpired: "The code is too old, was used, or was guessed at too often. Ask for " +
		"another one; the outbox has it.",
	userpool.CodeLimitExceeded:  "Too many codes were asked for or guessed at. Wait, or use another account.",
	userpool.TextLimitExceeded:  "Too many codes were asked for or guessed at. Wait, or use another account.",
	userpool.CodeUsernameExists: "Somebody has this name. Sign in with it, choose another one, or delete the user.",
	userpool.CodeAliasExists:    "Somebody signs in with this address or name. One account alone can have it.",
	userpool.CodeInvalidPassword: "The password does not keep the pool's password policy. The page Pool " +
		"shows the policy.",
	userpool.CodePasswordHistory: "The password was used before. Choose another one, or remember fewer " +
		"of them in the password policy.",
	userpool.CodeUserNotFound: "Nobody has this name. The users of this pool are on the page Users.",
	userpool.CodeUserNotConfirmed: "The user has registered but not confirmed the account: type the " +
		"code that is in the outbox, or follow its link.",
	accounts.TextNotConfirmed: "The user has registered but not confirmed the account: type the code " +
		"that is in the outbox, or follow its link.",
	userpool.CodePasswordResetRequired: "The user must choose a new password, by the page for a " +
		"forgotten one; the code is in the outbox.",
	accounts.TextResetRequired: "The user must choose a new password, by the page for a forgotten one; " +
		"the code is in the outbox.",
	accounts.TextDisabled: "The user is disabled. Enable the user, or sign in as somebody else.",
	accounts.TextTemporaryExpired: "The temporary password is too old. Give the user another one, or a longer " +
		"temporary_password_validity.",
	accounts.TextCodeUsed: "A code of an authenticator app works once: wait for the next one, at most 30 seconds.",
	accounts.TextNoAutoVerify: "The pool sends no codes for sign-ups: set auto_verified_attributes to " +
		"email or phone_number.",
	userpool.PageNoSignUp: "People may not register in this pool: set self_sign_up, or do not lead them to /signup.",
	userpool.PageNoRecovery: "Passwords are not recovered in this pool (account_recovery is " +
		"admin_only): do not lead people to /forgotPassword, or allow verified_email.",
	decision.CodeRefused: "The code is not the one that was sent last, or not good any more. The outbox " +
		"has the latest.",
	decision.CodeWithheld: "No code was sent, and the person is not told so: the name is unknown or has " +
		"no verified address.",
	decision.UserDisabled:     "Enable the user, or sign in as somebody else.",
	decision.UserNotConfirmed: "The user must confirm the account first: the code or link is in the outbox.",
	decision.UserMustChangePassword: "The user must sign in once with the temporary password, or " +
		"recover the password.",

	// Of clients at the token endpoint.
	userpool.CodeInvalidClient: "The client did not prove who it is. Send the client_id and its secret " +
		"in one of the two ways: the Authorization header (Basic) or the body.",
	decision.UnknownClient: "The app sends a client_id that this pool does not have. Compare it with " +
		"the clients of this pool; perhaps it belongs to another pool.",
	decision.SecretUnexpected: "This client has no secret: send client_id in the body, and neither " +
		"client_secret nor an Authorization header. Or give the client a secret.",
	decision.SecretMissing: "This client has a secret. Send it with every token request, PKCE or not: " +
		"in the Authorization header (Basic) or as client_secret in the body.",
	decision.SecretWrong: "Compare the app's secret with the client's. A line break or a space at its " +
		"end counts, and so does an environment variable that is still the old one.",

	// Of grants.
	userpool.CodeInvalidGrant: "The code or the refresh token is not good, or no longer. Begin a new sign-in.",
	decision.CodeUnknown: "A code works once, for five minutes. The app redeemed it twice (a page " +
		"loaded again, a retry, two processes), or it comes from another pool, or from before the pool was " +
		"started.",
	decision.CodeOfAnotherClient: "Redeem the code with the client_id that the sign-in began with.",
	decision.CodeExpired: "A code lives five minutes. Redeem it as soon as it comes, and compare the clocks of the " +
		"machines.",
	decision.RedirectURIMissing: "The sign-in began with a redirect_uri, so the token request must send " +
		"the same one (RFC 6749 section 4.1.3).",
	decision.RedirectURIDiffers: "Send the same redirect_uri, to the letter, to both endpoints (RFC " +
		"6749 section 4.1.3). Behind a proxy the app may think it is http or has another port.",
	decision.VerifierWrong: "The verifier must be the one whose SHA-256 was the code_challenge of this " +
		"sign-in: keep it with the state, in the same browser's session. Without a challenge, send no " +
		"verifier.",
	decision.UserGone: "The user was deleted meanwhile. Sign in as somebody else.",
	decision.UserSignedOut: "Somebody signed the user out everywhere while this code or token was being " +
		"redeemed. Begin a new sign-in.",
	decision.RefreshUnknown: "The refresh token was revoked, replaced by a newer one, or is not of this " +
		"pool. If the client rotates tokens, keep the one of the latest answer. Otherwise sign in again.",
	decision.RefreshOfAnotherClient: "Refresh with the client_id that the token was issued to.",
	decision.RefreshExpired:         "Sign in again, or give the client a longer refresh token validity.",
	decision.RefreshRotated: "Every refresh brings a new refresh token: store it, and use each once. " +
		"Two processes that refresh at once need a lock, or the client a retry grace period (at most 60 s).",
	decision.CodesNotAllowed: "Add code to the client's allowed_oauth_flows.",
	decision.MachineNotAllowed: "The client must have a secret, and client_credentials as its only flow " +
		"in allowed_oauth_flows.",
	decision.AttributeUnreadable: "Let the client read the attribute (read_attributes), or ask for fewer scopes.",
	decision.ScopeNotAllowed: "The client asks for a scope that is not in its allowed_oauth_scopes. " +
		"Scopes of programs are those of resource servers.",
	userpool.CodeUnsupportedGrantType: "grant_type must be authorization_code, refresh_token or client_credentials.",
	userpool.CodeUnsupportedTokenType: "Only refresh tokens can be revoked here: revoking one ends its " +
		"access tokens too.",

	// Of userInfo.
	userpool.CodeInvalidToken: "The access token is expired, revoked, of another pool, or no access " +
		"token at all: an ID token does not work here.",
	grants.TextTokenEnded: "The access token is expired, revoked, of another pool, or no access token " +
		"at all: an ID token does not work here. Refresh it, or sign in again.",
	grants.TextNoOpenID: "Ask for the scope openid when the sign-in begins; userInfo answers nobody else.",
	grants.TextNoToken:  "Send the access token in the header, once: Authorization: Bearer and the token.",
	decision.NothingToRevoke: "The token is unknown, revoked already, or another client's. That is no " +
		"error (RFC 7009 section 2.2).",

	// Of triggers and other services.
	decision.TriggerFailed: "The endpoint of the trigger refused, did not answer in time, or answered " +
		"something else than the event. The reason is what it said; its own log knows more.",
	userpool.CodeUserLambda: "The trigger refused. The text after “failed with error” is its own.",
	userpool.CodeUnexpectedLambda: "The trigger could not be asked, or failed. Is its address right, " +
		"and does it run?",
	userpool.CodeInvalidLambdaResponse: "The trigger must answer with the event that it got, with its " +
		"response filled in.",

	userpool.PageInvalidState: "The way back from the identity provider is good once, for five minutes, " +
		"in the browser that began it. Begin again at the app, and on one host name: localhost and 127.0.0.1 " +
		"have cookies of their own.",
	decision.StateUnknown: "The way back from the identity provider is good once. The page was loaded " +
		"again, or the provider sent people here unasked: then its idp_init must be on.",
	decision.StateOfAnotherKind: "The answer came to the wrong address: an OpenID Connect provider " +
		"answers to /oauth2/idpresponse, a SAML provider to /saml2/idpresponse.",
	decision.StateExpired: "The person took longer than five minutes at the identity provider. Begin " +
		"again at the app.",
	decision.StateOfAnotherBrowser: "The cookie of the browser that began is missing. Use one host " +
		"name: localhost and 127.0.0.1 have cookies of their own.",
	decision.FederationRefused: "The answer of the identity provider does not belong to a sign-in that " +
		"this browser began. Begin again at the app.",
	decision.ProviderFailed: "The identity provider refused, could not be reached, or said something " +
		"that cannot be trusted. The reason is beside it: compare its issuer, client and endpoints with the " +
		"page Pool.",
	decision.ProviderSignOutFailed: "The person is signed out here, but perhaps not at the identity provider.",
	decision.PasskeyRefused: "The passkey is unknown, another user's, or was made for another domain: " +
		"passkey_domain must be the host of the pages.",
	decision.PasskeyInvalid: "The passkey's answer is not good: it was made for another domain or " +
		"origin, or the question was too old.",
	decision.NewPasskeyRefused: "The passkey cannot be registered: it is one already, or the account " +
		"has as many as it can have.",
	decision.NewPasskeyInvalid: "The new passkey is not good: it was made for another domain or origin, " +
		"or the question was too old.",

	// Of events, when nothing more is known.
	decision.AuthorizationRefused: "The app is told, at its redirect URI, what is wrong: the error and " +
		"its description are here.",
	decision.RequestRefused: "The person saw the error page, since the pool may not send the browser on.",
	decision.RequestFailed:  "The pool itself failed. Its log says why, under this request id.",
	decision.FormRefused:    "The form had no effect. Open the page again and repeat it.",
	decision.SignInRefused:  "The pool refused the person. The reason is beside it.",
	decision.SignInFailed:   "The pool itself failed. Its log says why, under this request id.",
	decision.ClientRefused: "The client did not prove who it is: the wrong client_id or the wrong way " +
		"to send its secret.",
	decision.GrantRefused: "The code or the refresh token is not good, or no longer. Begin a new sign-in.",
	decision.PageFailed:   "The pool itself failed. Its log says why, under this request id.",
}

// statusHints are for answers that name no reason.
var statusHints = map[int]string{
	400: "The sign-in ended, took longer than five minutes, or began in another browser. Begin again at the app.",
	401: "The page says why. If the request names an identity provider (identity_provider, " +
		"idp_identifier), the client must have it.",
	403: "The browser may not do this from where it is.",
	404: "There is no such endpoint. Those of Cognito are /oauth2/authorize, /oauth2/token, " +
		"/oauth2/userInfo (with a capital I), /oauth2/revoke, /login and /logout.",
	405: "The method is wrong: /oauth2/token and /oauth2/revoke take POST, the other endpoints GET.",
	413: "The request is too large.",
	429: "Too many requests came from one address. Wait a moment.",
	500: "The pool itself failed. Its log says why, under this request id.",
	503: "Too many passwords are being checked at once. Try again in a moment.",
}

// appHint is for a refusal of an app that says no more.
const appHint = "The app refused for a reason of its own. Its log has the same reference."

const unknownHint = "What came and what was decided is below; the error's name says where in RFC 6749 to look."

// hintOf finds the sentence for a failed step, by the most telling of what is
// known about it.
func hintOf(step trace.Step) string {
	if step.Reported() {
		return cmp.Or(step.Param("hint"), appHint)
	}
	for _, key := range keysOf(step) {
		if text, ok := hints[key]; ok {
			return text
		}
	}
	if text, ok := statusHints[step.Status]; ok {
		return text
	}
	return unknownHint
}

// keysOf are what a hint may be found by: reasons, then descriptions, then
// codes, then events.
func keysOf(step trace.Step) []string {
	var keys []string
	for _, attr := range []string{"reason", "description", "error"} {
		for _, d := range step.Decisions {
			if value := d.Get(attr); value != "" {
				keys = append(keys, value)
			}
		}
	}
	for _, key := range []string{step.ErrorText, step.Error} {
		if key != "" {
			keys = append(keys, key)
		}
	}
	for _, d := range step.Decisions {
		keys = append(keys, d.Event)
	}
	return keys
}
