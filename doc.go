// Package cognate signs people in to net/http web apps with Amazon Cognito, or any
// other OpenID Connect provider, and lets programs in by their access tokens.
//
// # Sign-in
//
// Say which app client this is, protect the pages that need a sign-in, and put the
// handler around the app:
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
// also be set in [Config]. What is special about Cognito is in a [Dialect], which is
// picked by the issuer.
//
// In production, set [Config].Keys: without them sign-ins end with the process.
//
// Behind [Auth.RequireLogin] a person without a session is sent to the provider and comes
// back to the same page; a script gets 401 and the login URL. Public pages that greet
// those who are known ask [Auth.User]. A [LoginOption] changes one sign-in ([Auth.Login])
// or all of them: [Prompt], [MaxAge], [LoginHint], [Silent] and others. [Auth.Logout] ends
// the session here and at the provider. An app with several providers has [Providers].
//
// # Sessions
//
// Who is signed in stands in a cookie, encrypted and authenticated with AES-256-GCM, and
// nowhere else: there is nothing to run beside the app, and any number of processes that
// have the same keys serve the same sessions. Sessions that were opened are kept in a
// bounded cache, so that a signed-in request costs a look-up. Public pages set no cookie.
//
// A cookie can't be recalled. Signing out removes it from the browser, and the process
// that was asked remembers not to take a copy of it, nor to give it again; another process
// would, until the session's lifetime ends. With a [sessionstore.Store] in
// SessionConfig.Store the cookie holds a random id instead, and the session can be ended
// from the server: one browser's, all of a user's ([Auth.LogoutEverywhere]), or on the
// provider's word (Config.BackchannelLogoutPath). [sessionstore.Memory] is one for a single
// process; package redisstore is one for many. A store sees hashes and encrypted bytes.
//
// [SessionConfig] says how long sessions last: eight hours, unless it says otherwise.
//
// # Tokens
//
// A session in cookies holds the identity alone, because a browser sends it with every
// request. With a store, or with SessionConfig.TokensInCookie, it holds the tokens, too:
//
//	resp, err := auth.Client(r.Context()).Get("https://api.example.com/orders") // as the user
//
// [Auth.AccessToken], [Auth.TokenSource] and [Auth.Client] refresh a token shortly before
// it expires: once for all requests of the session that need it, also of other processes
// with the same store. A provider that refuses has ended the session; one that can't be
// reached has not. Hand their errors to [Auth.Fail], or put [Auth.RequireAccessToken] in
// front.
//
// # Rules
//
// A [Rule] says who may pass, at every sign-in (Config.LoginRules) or on a route:
//
//	admins := auth.Require(cognate.Group("admins"), cognate.VerifiedEmail())
//	mux.Handle("GET /admin", admins(http.HandlerFunc(admin)))
//
// There are [Group], [Claim], [ClaimPath], [ClaimValues], [Scope], [Issuer], [VerifiedEmail],
// [VerifiedEmailAddress], [VerifiedEmailDomain] and [HostedDomain], [AnyOf] and [AllOf] to
// combine them, and [RuleFunc] for what only the app knows. [UserAs] reads a user's claims
// into a struct.
//
// # Bearer tokens
//
// [Auth.RequireBearer] lets a request through by the access token in its Authorization
// header, and answers others as RFC 6750 says; [Auth.RequireLoginOrBearer] is for routes
// that people and programs share. The user is the same type, from [UserFrom]. An API
// without any sign-in of its own is a [Bearer], made by [NewBearer].
//
// A token is accepted if a configured issuer signed it, it is an access token, and it is
// for this API: by its audience, or, from Cognito, by the client it was issued to
// ([BearerIssuer]). It is remembered for up to five minutes, so a revoked one may be good
// for that long and, without [Introspection], until it expires.
//
// # Hooks, metrics and logs
//
// [Hooks] are called when a sign-in begins, succeeds or fails, when tokens are refreshed
// and when a session ends, and can veto. [Metrics] counts the same. Each sign-in, refusal
// and sign-out is a line in Config.Logger.
//
// # Errors
//
// A refusal is an [Error] whose [Reason] names the check that failed. It goes to the log,
// and to Config.ErrorHandler; visitors get a page that says what to do, with a reference
// that the log line has, too. No text holds a token, a code, a cookie or a secret.
//
// # What is checked
//
// Each sign-in uses PKCE (RFC 7636) with S256, a state and a nonce; these are not
// options. What a sign-in is for travels in its state, encrypted; a short-lived cookie of its
// own proves which browser began it. So tabs don't disturb each other, and a callback works
// only in the browser that began the sign-in, and works once. The code is exchanged with
// exactly one request, with the client authentication that is configured.
//
// The ID token is checked in full (OpenID Connect Core 1.0, section 3.1.3.7): signature
// by key ID with an allowed algorithm (RS256 unless configured), iss to the letter, aud,
// azp, exp, iat, nbf, nonce, at_hash, and token_use for Amazon Cognito. A refreshed one is
// checked like it, and has to be of the same user and sign-in. An unknown key ID makes the
// library fetch the keys again, at most every 30 seconds; a bad signature never does.
//
// After signing in or out a visitor only ever lands on a path of this site, or on one of
// the addresses in Config.LogoutRedirectURL and LogoutRedirectURLs.
//
// docs/security-model.md sets each check beside the attack it is for and the test that
// proves it.
//
// # Tests
//
// Package cognatetest makes a request somebody's in a test, and runs a whole user pool
// inside go test.
//
// # Compatibility
//
// Before version 1.0 the API may change between minor versions; the changelog says how.
// Cookies and stored sessions of an earlier version are either still read or treated as
// absent.
package cognate
