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

// invalidToken and invalidBearer are the meanings of most checks of tokens: naming the
// failed check would help only an attacker.
var (
	invalidToken  = meaning{status: http.StatusUnauthorized, title: titleFailed, text: textInvalid}
	invalidBearer = meaning{status: http.StatusUnauthorized, title: "Please sign in", text: textBearer}
)

// reasons has one row for each reason, and is the only place that says what follows
// from it.
var reasons = map[Reason]meaning{
	ReasonMalformedCallback: {status: http.StatusBadRequest, title: titleFailed, text: textStart},
	ReasonState:             {status: http.StatusBadRequest, title: titleUnfinished, text: textNoCookie},
	ReasonReplay:            {status: http.StatusBadRequest, title: titleUnfinished, text: textStart},
	ReasonExpired:           {status: http.StatusBadRequest, title: titleUnfinished, text: textLate},
	ReasonResponseIssuer:    {status: http.StatusBadRequest, title: titleFailed, text: textInvalid},
	ReasonProviderError: {
		status: http.StatusForbidden, title: titleFailed, text: "The sign-in service refused the request.",
		showCode: true, switchUser: true,
	},
	ReasonProviderDown: {
		status: http.StatusServiceUnavailable, title: titleUnavailable, text: textDown, sessionStays: true,
	},
	ReasonProviderIssuer: {
		status: http.StatusBadGateway, title: titleFailed, text: textSetup, sessionStays: true, noRetry: true,
	},
	ReasonTokenEndpoint: {
		status: http.StatusBadGateway, title: titleUnavailable, text: textDown, sessionStays: true,
	},
	ReasonCodeRefused: {status: http.StatusBadRequest, title: titleFailed, showCode: true, text: textStart},
	ReasonClientRefused: {
		status: http.StatusBadGateway, title: titleFailed, showCode: true, text: textSetup, sessionStays: true,
	},
	ReasonNoIDToken:      {status: http.StatusBadGateway, title: titleFailed, text: textInvalid},
	ReasonTokenMalformed: invalidToken,
	ReasonTokenAlgorithm: invalidToken,
	ReasonTokenKey: {
		status: http.StatusUnauthorized, title: titleFailed, text: textInvalid, sessionStays: true,
	},
	ReasonTokenSignature:       invalidToken,
	ReasonTokenIssuer:          invalidToken,
	ReasonTokenAudience:        invalidToken,
	ReasonTokenAuthorizedParty: invalidToken,
	ReasonTokenUse:             invalidToken,
	ReasonTokenExpired:         invalidToken,
	ReasonTokenNotYetValid:     invalidToken,
	ReasonTokenNonce:           invalidToken,
	ReasonTokenAccessHash:      invalidToken,
	ReasonUserInfo: {
		status: http.StatusBadGateway, title: titleUnavailable, text: textDown, sessionStays: true,
	},
	ReasonUserInfoSubject: invalidToken,
	ReasonEmailNotVerified: {
		status: http.StatusForbidden, title: "Your email address isn’t verified", switchUser: true,
		text: "This site asks for a verified email address, and your account has none yet. " +
			"Verify it, or use another account.",
	},
	ReasonTokenAuthTime: invalidToken,
	ReasonTokenACR:      invalidToken,
	ReasonTokenSubject:  invalidToken,
	ReasonDenied:        {status: http.StatusForbidden, title: titleDenied, text: textDenied, switchUser: true},
	ReasonRuleFailed: {
		status: http.StatusServiceUnavailable, title: titleAgain, text: textBusy, sessionStays: true,
	},
	ReasonVetoed: {status: http.StatusForbidden, title: titleDenied, text: textDenied, switchUser: true},
	ReasonStoreDown: {
		status: http.StatusServiceUnavailable, title: titleAgain, text: textBusy, sessionStays: true,
	},
	ReasonNotSignedIn: {
		status: http.StatusUnauthorized, title: "Please sign in", text: "This page is for people who are signed in.",
	},
	ReasonNoTokens: {
		status: http.StatusInternalServerError, title: titlePage,
		text: "You are signed in, but this site lacks what the page needs from the sign-in service. " +
			"If trying again doesn’t help, someone who runs the site needs to look at it.",
	},
	ReasonRefreshRefused: {
		status: http.StatusUnauthorized, title: "Please sign in again",
		text: "Your sign-in has ended. Please sign in once more.",
	},
	ReasonRefreshFailed: {
		status: http.StatusServiceUnavailable, title: titleAgain, text: textDown, sessionStays: true,
	},
	ReasonResponseStarted:   {status: http.StatusInternalServerError, title: titlePage, text: textPage},
	ReasonInternal:          {status: http.StatusInternalServerError, title: titlePage, text: textPage},
	ReasonLogoutToken:       {status: http.StatusBadRequest, title: titleFailed, text: textInvalid},
	ReasonBearerMissing:     invalidBearer,
	ReasonBearerMalformed:   {status: http.StatusBadRequest, title: "Please sign in", text: textBearer},
	ReasonTokenClient:       invalidBearer,
	ReasonTokenInactive:     invalidBearer,
	ReasonInsufficientScope: {status: http.StatusForbidden, title: titleDenied, text: textDenied},
	ReasonIntrospection:     {status: http.StatusServiceUnavailable, title: titleAgain, text: textDown},
	ReasonSessionTooLarge: {
		status: http.StatusInternalServerError, title: titleFailed,
		text: "Your account has more to it than this site can keep in cookies of your browser. " + textOperator,
	},
	ReasonLoginOption:   {status: http.StatusInternalServerError, title: titleFailed, text: textSetup},
	ReasonPushedRequest: {status: http.StatusBadGateway, title: titleUnavailable, text: textDown},
	ReasonMisplaced:     {status: http.StatusInternalServerError, title: titleFailed, text: textSetup},
	ReasonOtherAddress: {
		status: http.StatusBadRequest, title: titleUnfinished,
		text: "It was started at another address of this site than this one: with another name, or with http " +
			"in place of https. Your browser keeps separate cookies for each. Please start again from here.",
	},
	ReasonCookieBlocked: {
		status: http.StatusBadRequest, title: titleRound,
		text: "You were signed in several times, but your browser doesn’t send this site’s cookie back, " +
			"and without it the site can’t know you. Allow cookies for this site, or turn off what removes them, " +
			"and try again.",
	},
	ReasonCookieTwice: {
		status: http.StatusBadRequest, title: "Two cookies where one should be",
		text: "Your browser sends two cookies with the same name, and this site can’t tell which one is its own. " +
			"Delete the cookies of this site in your browser’s settings, and try again.",
	},
	ReasonCookieUnknown: {
		status: http.StatusBadRequest, title: titleRound,
		text: "You were signed in several times, but this site doesn’t recognise the cookie " +
			"that it gave your browser. " +
			"If trying again doesn’t help, delete the cookies of this site; if that doesn’t help either, " +
			"someone who runs the site needs to look at it.",
	},
	ReasonLoginLoop: {
		status: http.StatusBadRequest, title: titleRound,
		text: "You are signed in, but this page asks you to sign in again and again. Another account may help; " +
			"otherwise, someone who runs the site needs to look at it.",
		switchUser: true,
	},
	ReasonCrossOrigin: {
		status: http.StatusForbidden, title: "You are still signed in",
		text: "The request to sign out came from another site, so it was not followed.",
	},
}
