package cognate

// Reason names the check that failed. The values are stable: compare them, count
// them, log them.
type Reason string

// Why a sign-in, or a step of one, was refused.
const (
	// ReasonMalformedCallback: the callback's parameters can't be read, or one appears
	// twice.
	ReasonMalformedCallback Reason = "malformed_callback"
	// ReasonState: the callback's state is missing or was not made here, or this
	// browser has no cookie of that sign-in. The callback is forged or another
	// browser's, later sign-ins replaced the cookie, or the browser blocks cookies.
	ReasonState Reason = "state"
	// ReasonReplay: the callback was used before.
	ReasonReplay Reason = "replay"
	// ReasonExpired: the sign-in took longer than 15 minutes.
	ReasonExpired Reason = "expired"
	// ReasonResponseIssuer: the callback's iss is another provider's, or missing
	// although the provider announced it (RFC 9207).
	ReasonResponseIssuer Reason = "response_issuer"
	// ReasonProviderError: the provider answered with an error; its code is in
	// Error.ProviderCode.
	ReasonProviderError Reason = "provider_error"
	// ReasonProviderDown: the provider's discovery document or keys can't be fetched,
	// or the keys are a day old and can't be fetched again.
	ReasonProviderDown Reason = "provider_down"
	// ReasonProviderIssuer: the provider's discovery document names another issuer than
	// the configured one. The configuration is wrong; trying again does not help.
	ReasonProviderIssuer Reason = "provider_issuer"
	// ReasonTokenEndpoint: the token endpoint can't be reached, or its answer is not a
	// token response.
	ReasonTokenEndpoint Reason = "token_endpoint"
	// ReasonCodeRefused: the token endpoint refused the authorization code.
	ReasonCodeRefused Reason = "code_refused"
	// ReasonClientRefused: the token endpoint refused this app client itself. The
	// configuration is wrong: client ID, secret, redirect URL or grant.
	ReasonClientRefused Reason = "client_refused"
	// ReasonNoIDToken: the token response holds no ID token.
	ReasonNoIDToken Reason = "no_id_token"
	// ReasonTokenMalformed: the ID token can't be read, or a claim has a wrong type.
	ReasonTokenMalformed Reason = "token_malformed"
	// ReasonTokenAlgorithm: the ID token is signed with an algorithm that is not
	// allowed, such as "none".
	ReasonTokenAlgorithm Reason = "token_algorithm"
	// ReasonTokenKey: the provider has no key with the ID token's kid.
	ReasonTokenKey Reason = "token_key"
	// ReasonTokenSignature: the ID token's signature is wrong.
	ReasonTokenSignature Reason = "token_signature"
	// ReasonTokenIssuer: iss is not exactly the configured issuer.
	ReasonTokenIssuer Reason = "token_issuer"
	// ReasonTokenAudience: aud does not name this client, or, in an access token, this
	// API.
	ReasonTokenAudience Reason = "token_audience"
	// ReasonTokenAuthorizedParty: azp names another client, or is missing although
	// there are several audiences.
	ReasonTokenAuthorizedParty Reason = "token_authorized_party"
	// ReasonTokenUse: the token is of another kind, such as an access token instead of
	// an ID token, or the reverse.
	ReasonTokenUse Reason = "token_use"
	// ReasonTokenExpired: exp has passed.
	ReasonTokenExpired Reason = "token_expired"
	// ReasonTokenNotYetValid: iat or nbf lies in the future.
	ReasonTokenNotYetValid Reason = "token_not_yet_valid"
	// ReasonTokenNonce: nonce is not that of this sign-in.
	ReasonTokenNonce Reason = "token_nonce"
	// ReasonTokenAccessHash: at_hash does not match the access token.
	ReasonTokenAccessHash Reason = "token_access_hash"
	// ReasonUserInfo: the userInfo endpoint gave no usable answer.
	ReasonUserInfo Reason = "userinfo"
	// ReasonUserInfoSubject: userInfo names another subject than the ID token.
	ReasonUserInfoSubject Reason = "userinfo_subject"
	// ReasonEmailNotVerified: Config.RequireVerifiedEmail is set and the address is
	// missing or not verified according to the provider.
	ReasonEmailNotVerified Reason = "email_not_verified"
	// ReasonSessionTooLarge: the identity does not fit into cookies, or takes several
	// that the browser does not send back.
	ReasonSessionTooLarge Reason = "session_too_large"
	// ReasonCrossOrigin: another site asked for the sign-out.
	ReasonCrossOrigin Reason = "cross_origin"
	// ReasonTokenAuthTime: auth_time is missing or older than the requested max_age
	// allows.
	ReasonTokenAuthTime Reason = "token_auth_time"
	// ReasonTokenACR: acr is not among the requested values.
	ReasonTokenACR Reason = "token_acr"
	// ReasonTokenSubject: a refreshed ID token names another subject.
	ReasonTokenSubject Reason = "token_subject"
	// ReasonDenied: a [Rule] refused the user.
	ReasonDenied Reason = "denied"
	// ReasonRuleFailed: a [Rule] could not decide. Rules may return it.
	ReasonRuleFailed Reason = "rule_failed"
	// ReasonVetoed: a hook refused.
	ReasonVetoed Reason = "vetoed"
	// ReasonStoreDown: the [sessionstore.Store] failed or can't be reached.
	ReasonStoreDown Reason = "store_down"
	// ReasonNotSignedIn: a session is needed and there is none.
	ReasonNotSignedIn Reason = "not_signed_in"
	// ReasonNoTokens: the session holds no tokens: neither a Store nor TokensInCookie
	// is configured, the tokens were too large to keep, or the session has just begun
	// and they are lost or can't be refreshed.
	ReasonNoTokens Reason = "no_tokens"
	// ReasonRefreshRefused: the provider refused to refresh the tokens. The session has
	// ended.
	ReasonRefreshRefused Reason = "refresh_refused"
	// ReasonRefreshFailed: the tokens could not be refreshed: the provider can't be
	// reached, or its answer is unusable. The session stays.
	ReasonRefreshFailed Reason = "refresh_failed"
	// ReasonResponseStarted: new tokens need a cookie, but the answer's header has
	// already been sent.
	ReasonResponseStarted Reason = "response_started"
	// ReasonLogoutToken: a back-channel logout request has no valid logout token.
	ReasonLogoutToken Reason = "logout_token"
	// ReasonBearerMissing: the request has no bearer token.
	ReasonBearerMissing Reason = "bearer_missing"
	// ReasonBearerMalformed: the request's token can't be read, appears more than once,
	// or is too large.
	ReasonBearerMalformed Reason = "bearer_malformed"
	// ReasonTokenClient: the access token was issued to a client that is not accepted.
	ReasonTokenClient Reason = "token_client"
	// ReasonTokenInactive: introspection says that the token is not active.
	ReasonTokenInactive Reason = "token_inactive"
	// ReasonInsufficientScope: the token lacks a scope.
	ReasonInsufficientScope Reason = "insufficient_scope"
	// ReasonIntrospection: the introspection endpoint can't be reached, or its answer
	// is unusable.
	ReasonIntrospection Reason = "introspection"
	// ReasonInternal: [Auth.Fail] was given an error without a Reason.
	ReasonInternal Reason = "internal"
	// ReasonLoginOption: a [LoginOption] can't be used; the program must be corrected.
	ReasonLoginOption Reason = "login_option"
	// ReasonPushedRequest: the provider refused a pushed authorization request, or
	// can't be reached for it.
	ReasonPushedRequest Reason = "pushed_request"
	// ReasonMisplaced: RequireLogin was put around Handler instead of inside it.
	ReasonMisplaced Reason = "misplaced"
	// ReasonOtherAddress: the sign-in began at another address of this app than
	// RedirectURL's, so the browser does not send its cookie here. Examples are
	// localhost and 127.0.0.1, a name with and without www, and http and https.
	ReasonOtherAddress Reason = "other_address"
	// ReasonCookieBlocked: several sign-ins in a row succeeded, but the browser does
	// not send the session cookie back.
	ReasonCookieBlocked Reason = "cookie_blocked"
	// ReasonCookieTwice: the browser sends two cookies with the name of one of ours,
	// and nothing shows which of them is ours.
	ReasonCookieTwice Reason = "cookie_twice"
	// ReasonCookieUnknown: several sign-ins in a row succeeded, but the session cookie
	// that the browser sends is not recognised: the processes have different keys,
	// stores or clocks, or another app on the host uses the same cookie name.
	ReasonCookieUnknown Reason = "cookie_unknown"
	// ReasonLoginLoop: several sign-ins in a row succeeded, but a page begins another
	// one although somebody is signed in: it demands something that a sign-in can't
	// give.
	ReasonLoginLoop Reason = "login_loop"
)
