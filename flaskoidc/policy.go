package flaskoidc

import (
	"net/url"
	"strings"
	"time"

	"github.com/cognate-auth/cognate"
)

// readPolicy reads what is asked of tokens and of people.
func (l *loader) readPolicy() {
	c := &l.out.Config
	c.Scopes, _ = get(l, "OIDC_SCOPES", "scopes, as a list or with blanks between them", listOf)
	c.RequireVerifiedEmail = l.flag("OIDC_REQUIRE_VERIFIED_EMAIL", false)
	if !l.flag("OIDC_USER_INFO_ENABLED", true) {
		c.UserInfo = cognate.UserInfoNever
	}
	if domain := l.text("OIDC_GOOGLE_APPS_DOMAIN"); domain != "" {
		c.LoginRules = append(c.LoginRules, cognate.HostedDomain(domain))
		l.param("OIDC_GOOGLE_APPS_DOMAIN", "hd", domain)
	}
	skew, ok := l.seconds("OIDC_CLOCK_SKEW", 0, 5*time.Minute)
	if ok && skew == 0 { // which would mean the default
		skew = time.Second
		l.warn("OIDC_CLOCK_SKEW", "is taken for one second, the least there is")
	}
	c.ClockSkew = skew
}

// readSession reads what was the ID token's cookie.
func (l *loader) readSession() {
	c := &l.out.Config
	c.CookieName = l.text("OIDC_ID_TOKEN_COOKIE_NAME")
	c.Session.Lifetime, _ = l.seconds("OIDC_ID_TOKEN_COOKIE_TTL", time.Minute, maxAge)
}

// readCookieSwitches reads the two switches of the cookie's attribute Secure, which it has
// only if both are on. Here it follows from the redirect URI, so that has to agree.
func (l *loader) readCookieSwitches() {
	key, secure, said := "", true, false
	for _, k := range []string{"OIDC_COOKIE_SECURE", "OIDC_ID_TOKEN_COOKIE_SECURE"} {
		on := l.flag(k, true)
		said = said || l.settings[k] != nil
		if !on || key == "" && l.settings[k] != nil {
			key = k
		}
		secure = secure && on
	}
	redirect := l.out.Config.RedirectURL
	if redirect == "" && len(l.file.RedirectURIs) > 0 {
		redirect = l.file.RedirectURIs[0]
	}
	u, err := url.Parse(redirect)
	switch {
	case !said || err != nil || redirect == "": // New complains about the redirect URI
	case !secure && u.Scheme == "https":
		l.warn(key, "has no effect: the redirect URI is https, so cookies are Secure")
	case secure && u.Scheme == "http":
		l.problem(key, "the cookie can't be Secure with a redirect URI of http; use https, or switch it off to "+
			"develop on this machine")
	}
}

// readBearer reads how access tokens are checked.
func (l *loader) readBearer() {
	l.out.ResourceServerOnly = l.flag("OIDC_RESOURCE_SERVER_ONLY", false)
	if !l.flag("OIDC_RESOURCE_CHECK_AUD", true) {
		l.warn("OIDC_RESOURCE_CHECK_AUD", "has no effect: whom an access token is for is always checked")
	}
	in := cognate.Introspection{Endpoint: l.introURI, Auth: cognate.ClientSecretPost, TokenTypeHint: "access_token"}
	const methodKey, hintKey = "OIDC_INTROSPECTION_AUTH_METHOD", "OIDC_TOKEN_TYPE_HINT"
	switch method := l.text(methodKey); method {
	case "", string(cognate.ClientSecretPost):
	case string(cognate.ClientSecretBasic):
		in.Auth = cognate.ClientSecretBasic
	case "bearer":
		l.problem(methodKey, "bearer can't be taken over: it needs an access token of the app's own; "+
			"use client_secret_post or client_secret_basic, or set up introspection in Go")
	default:
		l.problem(methodKey, "expected client_secret_post or client_secret_basic")
	}
	if hint := l.text(hintKey); hint != "" {
		in.TokenTypeHint = hint
		if strings.EqualFold(hint, "none") {
			in.TokenTypeHint = ""
		}
		if in.Endpoint == "" {
			l.warn(hintKey, "has no effect: the client secrets have no token_introspection_uri, so tokens are "+
				"verified by their signature")
		}
	}
	if in.Endpoint != "" {
		// Without an issuer's name it is the app's own provider.
		l.out.Config.Bearer.Issuers = []cognate.BearerIssuer{{Introspection: &in}}
	}
	if c := &l.out.Config; c.ClientSecret != "" || l.file.ClientSecret != "" {
		c.ClientAuth = in.Auth // flask-oidc has one setting for both, and posts without it
	}
}

// readCognitoUI reads what apps build the address of Cognito's sign-out of.
func (l *loader) readCognitoUI() {
	c := &l.out.Config
	base := l.text("COGNITO_UI_BASE_URL")
	back := l.text("COGNITO_UI_LOGOUT_REDIRECT")
	id := l.text("COGNITO_UI_CLIENT_ID")
	for _, s := range []struct{ key, value string }{
		{"COGNITO_UI_BASE_URL", base}, {"COGNITO_UI_LOGOUT_REDIRECT", back}, {"COGNITO_UI_CLIENT_ID", id},
	} {
		if strings.Contains(s.value, "{{") {
			l.problem(s.key, "it was never filled in")
		}
	}
	if base != "" {
		c.Endpoints.EndSession = strings.TrimSuffix(base, "/") + "/logout"
	}
	c.LogoutRedirectURL = back
	client := c.ClientID
	if client == "" {
		client = l.file.ClientID
	}
	if id != "" && id != client {
		l.problem("COGNITO_UI_CLIENT_ID", "it is not the client that people sign in with; the two have to be the same")
	}
}

// refuseTestMode refuses what would let everybody in.
func (l *loader) refuseTestMode() {
	const instead = "sign-in can't be switched off or faked in a program; in tests use package cognatetest, which " +
		"brings a provider of its own"
	if !l.flag("OIDC_ENABLED", true) {
		l.problem("OIDC_ENABLED", instead)
	}
	if profile, ok := get(l, "OIDC_TESTING_PROFILE", "a dictionary, or that it is not there", dictOf); ok &&
		len(profile) > 0 {
		l.problem("OIDC_TESTING_PROFILE", instead)
	}
}
