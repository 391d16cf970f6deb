// Package cognate signs people in to net/http web apps with Amazon Cognito, or any
// other OpenID Connect provider.
//
// # Use
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
//		fmt.Fprintf(w, "Logged in as: %s", cognate.UserFrom(r.Context()).Email)
//	}
//
// client_secrets.json holds the app client's ID and secret, the provider's issuer and
// endpoints, and the registered callback URL; see [ClientSecrets]. Everything in it can
// also be set in [Config].
//
// In production, set [Config].Keys: without them sign-ins end with the process.
//
// # Sessions
//
// Who is signed in stands in a cookie, encrypted and authenticated with AES-256-GCM,
// and nowhere else: there is nothing to run beside the app, and any number of processes
// that have the same keys serve the same sessions. The cookie holds the identity and no
// token, because a browser sends it with every request, and a long Cookie header costs
// more than all of the cryptography. Sessions that were opened are kept in a bounded
// cache, so that a signed-in request costs a look-up.
//
// A cookie can't be recalled. Signing out removes it from the browser, and the process
// that was asked remembers not to take a copy of it; another process would take one
// until the session's lifetime ends.
//
// Public pages set no cookie.
//
// # What is checked
//
// Each sign-in uses PKCE (RFC 7636) with S256, a state and a nonce; these are not
// options. A sign-in under way is a short-lived encrypted cookie of its own, so that
// tabs don't disturb each other, a callback works only in the browser that began the
// sign-in, and works once. The code is exchanged with exactly one request, with the
// client authentication that is configured.
//
// The ID token is checked in full (OpenID Connect Core 1.0, section 3.1.3.7):
// signature by key ID with an allowed algorithm (RS256 unless configured), iss to the
// letter, aud, azp, exp, iat, nbf, nonce, at_hash, and token_use for Amazon Cognito. An
// unknown key ID makes the library fetch the keys again, at most every 30 seconds; a bad
// signature never does.
//
// After signing in or out a visitor only ever lands on a path of this site, or on
// [Config].LogoutRedirectURL.
//
// # Errors
//
// A refused sign-in is an [Error] whose [Reason] names the check that failed. It goes to
// the log, and to [Config].ErrorHandler; visitors get a page that says what to do. No
// text holds a token, a code, a cookie or a secret.
//
// # Compatibility
//
// Before version 1.0 the API may change between minor versions; the changelog says how.
// Cookies of an earlier version are either still read or treated as absent.
package cognate
