// Package cognate signs people in to net/http web apps with Amazon Cognito or any other
// OpenID Connect provider, and lets programs in by their access tokens.
//
// # Sign-in
//
// Name the app client, protect the pages that need a sign-in, and put the handler
// around the app:
//
//	auth, err := cognate.New(cognate.Config{ClientSecretsFile: "client_secrets.json"})
//	if err != nil {
//		log.Fatal(err)
//	}
//	mux := http.NewServeMux()
//	mux.HandleFunc("GET /{$}", index)                                    // public
//	mux.Handle("GET /hello", auth.RequireLogin(http.HandlerFunc(hello))) // private
//	http.ListenAndServeTLS(addr, cert, key, auth.Handler(mux)) // adds /oidc_callback, /login and /logout
//
//	func hello(w http.ResponseWriter, r *http.Request) {
//		fmt.Fprintf(w, "Signed in as %s", cognate.UserFrom(r.Context()).Email)
//	}
//
// client_secrets.json holds the app client's ID and secret, the provider's issuer and
// endpoints, and the registered callback URL; see [ClientSecrets]. Everything in it can
// also be set in [Config]. Where Cognito differs from other providers is described by a
// [Dialect], which New picks by the issuer.
//
// In production, set [Config].Keys: without them all sessions end when the process
// ends.
//
// Behind [Auth.RequireLogin] a person without a session is sent to the provider and
// comes back to the same page; a script gets 401 and the login URL. Public pages that
// greet a signed-in user call [Auth.User]. A [LoginOption] changes one sign-in
// ([Auth.Login]) or all of them: [Prompt], [MaxAge], [LoginHint], [Silent] and others.
// [Auth.Logout] ends the session here and at the provider. An app with several
// providers uses [Providers].
//
// # Sessions
//
// A session is stored only in a cookie, encrypted and authenticated with AES-256-GCM:
// there is nothing to run beside the app, and any number of processes with the same
// keys serve the same sessions. Decrypted sessions are kept in a bounded cache, so that
// a signed-in request costs one look-up. Public pages set no cookie.
//
// A cookie can't be revoked. Signing out removes it from the browser, and the process
// that handled the sign-out refuses copies of it and does not renew it; other processes
// accept a copy until the session's lifetime ends. With a [sessionstore.Store] in
// SessionConfig.Store the cookie holds a random ID instead, and the server can end
// sessions: one browser's, all of a user's ([Auth.LogoutEverywhere]), or those that the
// provider names (Config.BackchannelLogoutPath). [sessionstore.Memory] is a store for a
// single process; package redisstore has one for many. A store sees only hashes and
// encrypted bytes.
//
// [SessionConfig] says how long sessions last: eight hours by default.
//
// # Tokens
//
// A session in a cookie holds only the identity, because the browser sends it with
// every request. With a store, or with SessionConfig.TokensInCookie, it holds the
// tokens, too:
//
//	resp, err := auth.Client(r.Context()).Get("https://api.example.com/orders") // as the user
//
// [Auth.AccessToken], [Auth.TokenSource] and [Auth.Client] refresh a token shortly
// before it expires: once for all requests of the session that need it, including those
// of other processes with the same store. If the provider refuses to refresh, the
// session ends; if it can't be reached, the session stays. Pass the errors of these
// methods to [Auth.Fail], or put [Auth.RequireAccessToken] in front of the handler.
//
// # Rules
//
// A [Rule] says who may pass, at every sign-in (Config.LoginRules) or on a route:
//
//	admins := auth.Require(cognate.Group("admins"), cognate.VerifiedEmail())
//	mux.Handle("GET /admin", admins(http.HandlerFunc(admin)))
//
// There are [Group], [Claim], [ClaimPath], [ClaimValues], [Scope], [Issuer],
// [VerifiedEmail], [VerifiedEmailAddress], [VerifiedEmailDomain] and [HostedDomain];
// [AnyOf] and [AllOf] combine them, and [RuleFunc] is for checks that only the app can
// make. [UserAs] reads a user's claims into a struct.
//
// # Bearer tokens
//
// [Auth.RequireBearer] lets a request through by the access token in its Authorization
// header, and answers others as RFC 6750 says; [Auth.RequireLoginOrBearer] is for routes
// that people and programs share. The user is the same type, from [UserFrom]. An API
// without any sign-in of its own is a [Bearer], made by [NewBearer].
//
// A token is accepted if a configured issuer signed it, it is an access token, and it
// is for this API: by its audience, or, from Cognito, by the client it was issued to
// ([BearerIssuer]). Without [Introspection] a revoked token is accepted until it
// expires; with it, for as long as an answer is remembered (Introspection.CacheFor, a
// minute by default).
//
// # Hooks, metrics and logs
//
// [Hooks] are called when a sign-in begins, succeeds or fails, when tokens are
// refreshed and when a session ends; most can veto. [Metrics] counts the same events.
// Each sign-in, refusal and sign-out is one line in Config.Logger.
//
// # Errors
//
// A refusal is an [Error] whose [Reason] names the check that failed. It goes to the
// log, and to Config.ErrorHandler; visitors get a page that says what to do, with a
// reference that is also in the log line. No text holds a token, a code, a cookie or a
// secret.
//
// # What is checked
//
// Each sign-in uses PKCE (RFC 7636) with S256, a state and a nonce; these can't be
// switched off. The details of a sign-in travel encrypted in its state; a short-lived
// cookie for each sign-in proves which browser began it. So tabs don't disturb each
// other, and a callback works only in the browser that began the sign-in, and only
// once. The code is exchanged with exactly one request, with the client authentication
// that is configured.
//
// The ID token is checked in full (OpenID Connect Core 1.0, section 3.1.3.7): signature
// by key ID with an allowed algorithm (RS256 unless configured), iss as an exact match,
// aud, azp, exp, iat, nbf, nonce, at_hash, and token_use for Amazon Cognito. A
// refreshed ID token is checked in the same way, and must be for the same user and
// sign-in. An unknown key ID makes the library fetch the keys again, at most every 30
// seconds; a bad signature never does.
//
// After signing in or out a visitor only ever lands on a path of this site, or on one of
// the addresses in Config.LogoutRedirectURL and LogoutRedirectURLs.
//
// docs/security-model.md lists each check with the attack it stops and the test that
// proves it.
//
// # Tests
//
// Package cognatetest signs in a test's requests as a user of your choice, and runs a
// whole user pool inside go test.
//
// # Compatibility
//
// Before version 1.0 the API may change between minor versions; the changelog says how.
// Cookies and stored sessions of an earlier version are either still read or treated as
// absent.
package cognate
