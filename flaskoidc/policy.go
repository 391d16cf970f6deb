package flaskoidc

import (
	"net/url"
	"strings"
	"time"

	"github.com/cognate-auth/cognate"
)

// readPolicy reads the requirements for tokens and people.
func (l *loader) readPolicy() {
	c := &l.out.Config
	c.Scopes, _ = get(l, "OIDC_SCOPES", "scopes, as a list or separated by spaces", listOf)
	c.RequireVerifiedEmail = l.flag("OIDC_REQUIRE_VERIFIED_EMAIL", false)
	if !l.flag("OIDC_USER_INFO_ENABLED", true) {
		c.UserInfo = cognate.UserInfoNever
	}
	if domain := l.text("OIDC_GOOGLE_APPS_DOMAIN"); domain != "" {
		c.LoginRules = append(c.LoginRules, cognate.HostedDomain(domain))
		l.param("OIDC_GOOGLE_APPS_DOMAIN", "hd", domain)
	}
	skew, ok := l.seconds("OIDC_CLOCK_SKEW", 0, 5*time.Minute)
	if ok && skew == 0 { // zero would mean the default
		skew = time.Second
		l.warn("OIDC_CLOCK_SKEW", "is set to one second, the minimum")
	}
	c.ClockSkew = skew
}

// readSession reads the settings of the ID token's cookie.
func (l *loader) readSession() {
	c := &l.out.Config
	c.CookieName = l.text("OIDC_ID_TOKEN_COOKIE_NAME")
	c.Session.Lifetime, _ = l.seconds("OIDC_ID_TOKEN_COOKIE_TTL", time.Minute, maxAge)
}

// readCookieSwitches reads the two settings of the cookie's attribute Secure.
// flask-oidc sets the attribute only if both are on. Here it follows from the redirect
// URI, so the settings must agree with that.
func (l *loader) readCookieSwitches() {
	key, secure, isSet := "", true, false
	for _, k := range []string{"OIDC_COOKIE_SECURE", "OIDC_ID_TOKEN_COOKIE_SECURE"} {
		on := l.flag(k, true)
		isSet = isSet || l.settings[k] != nil
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
	case !isSet || err != nil || redirect == "": // New reports the problem with the redirect URI
	case !secure && u.Scheme == "https":
		l.warn(key, "has no effect: the redirect URI is https, so cookies are Secure")
	case secure && u.Scheme == "http":
		l.problem(key, "the cookie can't be Secure with a redirect URI of http; use https, or switch the setting "+
			"off to develop on this machine")
	}
}

// readBearer reads how access tokens are verified.
func (l *loader) readBearer() {
	l.out.ResourceServerOnly = l.flag("OIDC_RESOURCE_SERVER_ONLY", false)
	if !l.flag("OIDC_RESOURCE_CHECK_AUD", true) {
		l.warn("OIDC_RESOURCE_CHECK_AUD", "has no effect: the audience of an access token is always checked")
	}
	in := cognate.Introspection{Endpoint: l.introURI, Auth: cognate.ClientSecretPost, TokenTypeHint: "access_token"}
	const methodKey, hintKey = "OIDC_INTROSPECTION_AUTH_METHOD", "OIDC_TOKEN_TYPE_HINT"
	switch method := l.text(methodKey); method {
	case "", string(cognate.ClientSecretPost):
	case string(cognate.ClientSecretBasic):
		in.Auth = cognate.ClientSecretBasic
	case "bearer":
		l.problem(methodKey, "bearer is not supported: it needs an access token of the app's own; "+
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
		// An empty issuer means the app's own provider.
		l.out.Config.Bearer.Issuers = []cognate.BearerIssuer{{Introspection: &in}}
	}
	if c := &l.out.Config; c.ClientSecret != "" || l.file.ClientSecret != "" {
		c.ClientAuth = in.Auth // flask-oidc has one setting for both, and uses client_secret_post by default
	}
}

// readCognitoUI reads the settings with which apps build the address of Cognito's
// sign-out.
func (l *loader) readCognitoUI() {
	c := &l.out.Config
	base := l.text("COGNITO_UI_BASE_URL")
	back := l.text("COGNITO_UI_LOGOUT_REDIRECT")
	id := l.text("COGNITO_UI_CLIENT_ID")
	for _, s := range []struct{ key, value string }{
		{"COGNITO_UI_BASE_URL", base}, {"COGNITO_UI_LOGOUT_REDIRECT", back}, {"COGNITO_UI_CLIENT_ID", id},
	} {
		if strings.Contains(s.value, "{{") {
			l.problem(s.key, "it still has its placeholder; fill it in or remove it")
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
		l.problem("COGNITO_UI_CLIENT_ID", "it is not the client that people sign in with; the two must be equal")
	}
}

// refuseTestMode refuses settings that would let everybody in.
func (l *loader) refuseTestMode() {
	const instead = "sign-in can't be switched off or faked in a program; in tests use package cognatetest, which " +
		"has its own provider"
	if !l.flag("OIDC_ENABLED", true) {
		l.problem("OIDC_ENABLED", instead)
	}
	if profile, ok := get(l, "OIDC_TESTING_PROFILE", "a dictionary, or no such key", dictOf); ok &&
		len(profile) > 0 {
		l.problem("OIDC_TESTING_PROFILE", instead)
	}
}
