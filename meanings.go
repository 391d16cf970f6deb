package cognate

import "net/http"

// A meaning is what follows from a reason: the status of the answer, the page for a
// person (what happened, and what to do), and whether the session continues. The text
// never says which check failed: that would help only an attacker.
type meaning struct {
	status      int
	title, text string
	// showCode shows the provider's error code. It is not set where anybody could have
	// sent the code.
	showCode bool
	// switchUser offers to sign out and use another account: with the provider's
	// session still open, trying again would be refused in the same way.
	switchUser bool
	// noRetry offers no other try: it would fail in the same way.
	noRetry bool
	// hint tells the people who build or run the app what to do. It is for the log, and for
	// the developer; see answerer.developer. The cause of the error says what happened.
	hint string
	// sessionStays says that the session continues if a refresh of its tokens fails for
	// this reason: the cause is the network, the provider's state or this app client.
	// An unknown key may be one that can't be fetched at the moment.
	sessionStays bool
}

// endsSession reports whether a refresh that failed for this reason ends the session. A
// reason that is not in the table, such as a hook's own, does.
func (r Reason) endsSession() bool { return !reasons[r].sessionStays }

const (
	titleFailed      = "Sign-in didn’t work"
	titleUnavailable = "Sign-in is not available"
	titleUnfinished  = "This sign-in can’t be finished"
	textInvalid      = "The sign-in service sent an answer that this site could not verify, so nobody was signed in."
	textSetup        = "This site and its sign-in service don’t understand each other. " + textOperator
	textOperator     = "Someone who runs the site needs to look at it."
	textLate         = "It took too long. Please start again from here."
	textStart        = "It was already used, or was started in another browser. Please start again from here."
	textNoCookie     = "Your browser has no cookie of it: it was started in another browser or long ago, " +
		"or your browser blocks this site’s cookies. Allow them, and start again from here."
	titleDenied = "This page isn’t for you"
	textDenied  = "You are signed in, but this account may not do this."
	titleAgain  = "Please try again"
	textBusy    = "Something this site depends on can’t be reached right now. " +
		"Nothing is lost; please try again in a moment."
	textBearer = "This address is for programs that send an access token."
	textDown   = "The sign-in service can’t be reached right now. Please try again in a moment."
	titlePage  = "This page doesn’t work right now"
	textPage   = "It lacks something that this site needs for it. " + textOperator
	titleRound = "Sign-in goes round and round"
)

// outsideSignIn returns the meaning to use when a reason of failed sign-ins occurs
// outside of a sign-in, usually for somebody who is already signed in.
func (m meaning) outsideSignIn() meaning {
	switch m.title {
	case titleFailed:
		return meaning{status: m.status, title: titlePage, text: textPage, showCode: m.showCode, noRetry: m.noRetry}
	case titleUnavailable:
		return meaning{status: m.status, title: titleAgain, text: textBusy}
	}
	return m
}

// invalidToken and invalidBearer return the meanings of most checks of tokens: naming the
// failed check to visitors would help only an attacker.
func invalidToken(hint string) meaning {
	return meaning{status: http.StatusUnauthorized, title: titleFailed, text: textInvalid, hint: hint}
}

func invalidBearer(hint string) meaning {
	return meaning{status: http.StatusUnauthorized, title: "Please sign in", text: textBearer, hint: hint}
}

// reasons has one row for each reason, and is the only place that says what follows
// from it.
var reasons = map[Reason]meaning{
	ReasonMalformedCallback: {
		status: http.StatusBadRequest, title: titleFailed, text: textStart,
		hint: "The callback is for the provider's answer alone: begin at a page of the app. If the provider " +
			"sent this, something between them changed it.",
	},
	ReasonState: {
		status: http.StatusBadRequest, title: titleUnfinished, text: textNoCookie,
		hint: "Open the app at RedirectURL's address and let the browser keep cookies. A sign-in can't end " +
			"from the history, a bookmark or another browser, nor after Config.Keys changed or, without " +
			"Keys, the app was started again.",
	},
	ReasonReplay: {
		status: http.StatusBadRequest, title: titleUnfinished, text: textStart,
		hint: "Open a page of the app: a callback works once. If this happens at the first try, something " +
			"requests it twice: a prefetch, or a proxy that tries again.",
	},
	ReasonExpired: {
		status: http.StatusBadRequest, title: titleUnfinished, text: textLate,
		hint: "Begin again at the app: a sign-in may take 15 minutes. If it did not, compare the clocks of " +
			"the app's processes.",
	},
	ReasonResponseIssuer: {
		status: http.StatusBadRequest, title: titleFailed, text: textInvalid,
		hint: "Set Issuer to exactly what the provider sends as iss. If that is another provider, it may be " +
			"an attack (RFC 9207).",
	},
	ReasonProviderError: {
		status: http.StatusForbidden, title: titleFailed, text: "The sign-in service refused the request.",
		showCode: true, switchUser: true,
		hint: "The provider says why, in its code and description. Compare the app client's settings there: " +
			"scopes, callback URLs, flows.",
	},
	ReasonProviderDown: {
		status: http.StatusServiceUnavailable, title: titleUnavailable, text: textDown, sessionStays: true,
		hint: "Is the provider running, and does this machine reach it at Issuer? For a local pool, run " +
			"cognate pool and copy the issuer that it prints.",
	},
	ReasonProviderIssuer: {
		status: http.StatusBadGateway, title: titleFailed, text: textSetup, sessionStays: true, noRetry: true,
		hint: "Set Issuer to the issuer of the discovery document, to the letter: scheme, name (localhost " +
			"is not 127.0.0.1), port and pool ID.",
	},
	ReasonTokenEndpoint: {
		status: http.StatusBadGateway, title: titleUnavailable, text: textDown, sessionStays: true,
		hint: "Does this machine reach the provider's token endpoint? A proxy, a firewall or a certificate " +
			"may be in the way.",
	},
	ReasonCodeRefused: {
		status: http.StatusBadRequest, title: titleFailed, showCode: true, text: textStart,
		hint: "Begin again: a code works once, for a few minutes, at the provider that issued it, and with " +
			"the same RedirectURL. If it is refused each time, something requests the callback twice.",
	},
	ReasonClientRefused: {
		status: http.StatusBadGateway, title: titleFailed, showCode: true, text: textSetup, sessionStays: true,
		hint: "Compare ClientID, ClientSecret and RedirectURL with the app client at the provider. Common: " +
			"a secret that was replaced, a line break at its end, or a secret for a client that has none.",
	},
	ReasonNoIDToken: {
		status: http.StatusBadGateway, title: titleFailed, text: textInvalid,
		hint: "Add openid to Scopes, and allow it to the app client.",
	},
	ReasonTokenMalformed: invalidToken(
		"The provider's token does not follow OpenID Connect. Is Issuer an OpenID provider, and does " +
			"nothing between change its answers?",
	),
	ReasonTokenAlgorithm: invalidToken(
		"Have the provider sign with an algorithm of SigningAlgorithms, or add its algorithm there.",
	),
	ReasonTokenKey: {
		status: http.StatusUnauthorized, title: titleFailed, text: textInvalid, sessionStays: true,
		hint: "The keys are not of the provider that signed the token: compare Issuer and Endpoints.JWKS. A " +
			"pool that was started again with new keys is asked once more within 30 seconds.",
	},
	ReasonTokenSignature: invalidToken(
		"The keys are not of the provider that signed the token, or somebody changed it: compare " +
			"Issuer, Endpoints.JWKS and Endpoints.Token.",
	),
	ReasonTokenIssuer: invalidToken(
		"Set Issuer to the iss of the provider's tokens, to the letter. If they are of another " +
			"provider, refuse them: nothing is wrong here.",
	),
	ReasonTokenAudience: invalidToken(
		"Set ClientID to the app client that asked for the token; at an API, Audiences or Clients to " +
			"those that may call it.",
	),
	ReasonTokenAuthorizedParty: invalidToken(
		"The token was issued to another client: compare ClientID with the azp of the token.",
	),
	ReasonTokenUse: invalidToken(
		"Send an ID token where one is expected, and an access token at an API. The token's typ and " +
			"token_use tell which it is.",
	),
	ReasonTokenExpired: invalidToken(
		"If the token was only just issued, this machine's clock is ahead of the provider's: set it " +
			"right (NTP). Otherwise get a new token.",
	),
	ReasonTokenNotYetValid: invalidToken(
		"This machine's clock is behind the provider's: set it right (NTP). ClockSkew is for seconds " +
			"and not for hours.",
	),
	ReasonTokenNonce: invalidToken(
		"The ID token belongs to another sign-in. If nobody attacks, the provider does not copy " +
			"nonce, or a cache answers its token endpoint.",
	),
	ReasonTokenAccessHash: invalidToken(
		"The ID token and the access token are not of one answer. Does something between the app and " +
			"the provider change its answers?",
	),
	ReasonUserInfo: {
		status: http.StatusBadGateway, title: titleUnavailable, text: textDown, sessionStays: true,
		hint: "Does this machine reach the provider's userInfo endpoint, and does the access token have the " +
			"scope openid? UserInfoNever does without it.",
	},
	ReasonUserInfoSubject: invalidToken(
		"userInfo answered for somebody else. Does a cache stand in front of it, or does " +
			"Endpoints.UserInfo name another provider?",
	),
	ReasonEmailNotVerified: {
		status: http.StatusForbidden, title: "Your email address isn’t verified", switchUser: true,
		text: "This site asks for a verified email address, and your account has none yet. " +
			"Verify it, or use another account.",
		hint: "Verify the address: at a local pool with email_verified: \"true\" among the user's attributes " +
			"in its file, at AWS with aws cognito-idp admin-update-user-attributes. Or leave " +
			"RequireVerifiedEmail out.",
	},
	ReasonTokenAuthTime: invalidToken(
		"The provider did not ask the person again although MaxAge wants it. Does it support max_age, " +
			"and are the clocks right?",
	),
	ReasonTokenACR: invalidToken(
		"The provider signs in at another level than ACR asks for. Does it support acr_values, and " +
			"has the person such a factor?",
	),
	ReasonTokenSubject: invalidToken(
		"The provider answered a refresh with somebody else's tokens. Sign in again; if it comes " +
			"back, ask who runs the provider.",
	),
	ReasonDenied: {
		status: http.StatusForbidden, title: titleDenied, text: textDenied, switchUser: true,
		hint: "The error names the rule. Give the person what it asks for (a group, a claim, a scope) and " +
			"let them sign in again, or change the rule.",
	},
	ReasonRuleFailed: {
		status: http.StatusServiceUnavailable, title: titleAgain, text: textBusy, sessionStays: true,
		hint: "What the rule asks, such as a database, failed or took too long: look at the error.",
	},
	ReasonVetoed: {
		status: http.StatusForbidden, title: titleDenied, text: textDenied, switchUser: true,
		hint: "A hook of the app (Config.Hooks) returned this error.",
	},
	ReasonStoreDown: {
		status: http.StatusServiceUnavailable, title: titleAgain, text: textBusy, sessionStays: true,
		hint: "Is the session store running, and does this machine reach it?",
	},
	ReasonNotSignedIn: {
		status: http.StatusUnauthorized, title: "Please sign in", text: "This page is for people who are signed in.",
		hint: "Protect the route with RequireLogin, or send the cookie of somebody who is signed in.",
	},
	ReasonNoTokens: {
		status: http.StatusInternalServerError, title: titlePage,
		text: "You are signed in, but this site lacks what the page needs from the sign-in service. " +
			"If trying again doesn’t help, someone who runs the site needs to look at it.",
		hint: "Set Session.Store, or Session.TokensInCookie for small tokens, and sign in again.",
	},
	ReasonRefreshRefused: {
		status: http.StatusUnauthorized, title: "Please sign in again",
		text: "Your sign-in has ended. Please sign in once more.",
		hint: "The refresh token has expired, was revoked or was used before: sign in again. If it comes at " +
			"once, two processes may refresh without a shared Session.Store.",
	},
	ReasonRefreshFailed: {
		status: http.StatusServiceUnavailable, title: titleAgain, text: textDown, sessionStays: true,
		hint: "Does this machine reach the provider's token endpoint? The session stays, and the next " +
			"request tries again.",
	},
	ReasonResponseStarted: {
		status: http.StatusInternalServerError, title: titlePage, text: textPage,
		hint: "Ask for the access token before the handler writes, or wrap the route in RequireAccessToken.",
	},
	ReasonInternal: {
		status: http.StatusInternalServerError, title: titlePage, text: textPage,
		hint: "The app called Fail with an error of its own: look at the error.",
	},
	ReasonLogoutToken: {
		status: http.StatusBadRequest, title: titleFailed, text: textInvalid,
		hint: "If the provider sent it, compare Issuer and ClientID with its iss and aud, and the clocks.",
	},
	ReasonBearerMissing: invalidBearer(
		"Send the access token in the header: Authorization: Bearer, a space, and the token.",
	),
	ReasonBearerMalformed: {
		status: http.StatusBadRequest, title: "Please sign in", text: textBearer,
		hint: "Send one access token, in one Authorization header, without quotes or line breaks.",
	},
	ReasonTokenClient: invalidBearer(
		"Add the client to Clients of this issuer, or get the token with one that is there.",
	),
	ReasonTokenInactive: invalidBearer(
		"The token has expired or was revoked, or the introspection endpoint is another provider's: " +
			"get a new token.",
	),
	ReasonInsufficientScope: {
		status: http.StatusForbidden, title: titleDenied, text: textDenied,
		hint: "Ask for the scope when the sign-in begins (Config.Scopes), and allow it to the app client.",
	},
	ReasonIntrospection: {
		status: http.StatusServiceUnavailable, title: titleAgain, text: textDown,
		hint: "Does this machine reach the introspection endpoint, and are the client ID and secret for it " +
			"right?",
	},
	ReasonSessionTooLarge: {
		status: http.StatusInternalServerError, title: titleFailed,
		text: "Your account has more to it than this site can keep in cookies of your browser. " + textOperator,
		hint: "Keep fewer Claims, or set Session.Store: the cookie then holds only a random ID.",
	},
	ReasonLoginOption: {
		status: http.StatusInternalServerError, title: titleFailed, text: textSetup,
		hint: "Correct the option in the program: the error says which and why.",
	},
	ReasonPushedRequest: {
		status: http.StatusBadGateway, title: titleUnavailable, text: textDown,
		hint: "Does this machine reach the provider's endpoint for pushed requests? PushedAuthorization: " +
			"false does without it.",
	},
	ReasonMisplaced: {
		status: http.StatusInternalServerError, title: titleFailed, text: textSetup,
		hint: "Wrap the whole app in Auth.Handler, and only the private routes in RequireLogin.",
	},
	ReasonOtherAddress: {
		status: http.StatusBadRequest, title: titleUnfinished,
		text: "It was started at another address of this site than this one: with another name, or with http " +
			"in place of https. Your browser keeps separate cookies for each. Please start again from here.",
		hint: "Use one address for all: open the app at the scheme, name and port of RedirectURL, or change " +
			"RedirectURL and register it at the provider. Cookies of localhost are not sent to 127.0.0.1.",
	},
	ReasonCookieBlocked: {
		status: http.StatusBadRequest, title: titleRound,
		text: "You were signed in several times, but your browser doesn’t send this site’s cookie back, " +
			"and without it the site can’t know you. Allow cookies for this site, or turn off what removes them, " +
			"and try again.",
		hint: "Let the browser keep this site's cookies. Behind a proxy: does it pass Set-Cookie on? Over " +
			"plain http, RedirectURL must say http, or the cookie is Secure and never sent.",
	},
	ReasonCookieTwice: {
		status: http.StatusBadRequest, title: "Two cookies where one should be",
		text: "Your browser sends two cookies with the same name, and this site can’t tell which one is its own. " +
			"Delete the cookies of this site in your browser’s settings, and try again.",
		hint: "Delete the cookies of this host in the browser. Another app on it, or on a parent domain, " +
			"uses the same name: give this one its own CookieName.",
	},
	ReasonCookieUnknown: {
		status: http.StatusBadRequest, title: titleRound,
		text: "You were signed in several times, but this site doesn’t recognise the cookie " +
			"that it gave your browser. " +
			"If trying again doesn’t help, delete the cookies of this site; if that doesn’t help either, " +
			"someone who runs the site needs to look at it.",
		hint: "Give all processes the same Keys and one Session.Store, compare their clocks, and give " +
			"another app on this host another CookieName.",
	},
	ReasonLoginLoop: {
		status: http.StatusBadRequest, title: titleRound,
		text: "You are signed in, but this page asks you to sign in again and again. Another account may help; " +
			"otherwise, someone who runs the site needs to look at it.",
		switchUser: true,
		hint: "The page begins a sign-in although somebody is signed in. Use Require with a Rule, which " +
			"answers 403, in place of Login.",
	},
	ReasonCrossOrigin: {
		status: http.StatusForbidden, title: "You are still signed in",
		text: "The request to sign out came from another site, so it was not followed.",
		hint: "Let the sign-out's form be on a page of this site, at RedirectURL's address.",
	},
}

// codeHints take the place of a reason's hint where the provider's error code says more (RFC
// 6749, 4.1.2.1 and 5.2; OpenID Connect Core 1.0, 3.1.2.6).
var codeHints = map[string]string{
	"access_denied": "Somebody refused at the provider: the person, its administrator, or a trigger of the pool. " +
		"The description says more.",
	"invalid_client": "Compare ClientID and ClientSecret with the app client at the provider. Common: a secret " +
		"that was replaced, a line break at its end, or a secret for a client that has none.",
	"invalid_scope": "Allow the scopes that Scopes asks for to the app client at the provider, or ask for fewer.",
	"login_required": "Nobody is signed in at the provider, which was asked to show no page (Silent): " +
		"begin a sign-in without it.",
	"unauthorized_client": "Allow the app client the authorization code flow at the provider, and check that " +
		"RedirectURL is among its callback URLs.",
}
