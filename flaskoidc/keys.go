package flaskoidc

import (
	"maps"
	"slices"
	"strings"
)

// obsolete has the keys that have lost their purpose, and the warning for each.
var obsolete = map[string]string{
	"OIDC_ACCESS_TOKEN_PARAMS":    "is not sent: a token request has only the parameters of the standard",
	"OIDC_API_BASE_URL":           "is not needed: give Auth.Client whole URLs",
	"OIDC_CLIENT_KWARGS":          "is not needed: PKCE is always on, and flask-oidc never read it",
	"OIDC_CREDENTIALS_STORE":      "can't be taken over: to keep tokens on the server, set Config.Session.Store",
	"OIDC_ID_TOKEN_COOKIE_PATH":   "is not needed: the cookie's path is /, which its __Host- prefix requires",
	"OIDC_OPENID_REALM":           "is not sent: it was for the migration from OpenID 2.0, which is over",
	"OIDC_PRESERVE_NEXT_ON_ERROR": "is not needed: after signing in again, people return to the page they were on",
	"OIDC_REFRESH_TOKEN_PARAMS":   "is not sent: a token request has only the parameters of the standard",
	"OIDC_REQUEST_TOKEN_PARAMS":   "is not needed: it is for OAuth 1",
	"OIDC_REQUEST_TOKEN_URL":      "is not needed: it is for OAuth 1",
	"OIDC_REQUEST_URL_ON_LOGOUT":  "is not needed: after signing in again, people return to the page they were on",
	"OIDC_USER_CLASS":             "is not needed: cognate.UserAs decodes a user's claims into a type of yours",
}

// meaningful lists the keys that have a meaning.
var meaningful = []string{
	"COGNITO_UI_BASE_URL",
	"COGNITO_UI_CLIENT_ID",
	"COGNITO_UI_LOGOUT_REDIRECT",
	"OIDC_ACCESS_TOKEN_URL",
	"OIDC_AUTHORIZE_PARAMS",
	"OIDC_AUTHORIZE_URL",
	"OIDC_CALLBACK_ROUTE",
	"OIDC_CLIENT_ID",
	"OIDC_CLIENT_SECRET",
	"OIDC_CLIENT_SECRETS",
	"OIDC_CLOCK_SKEW",
	"OIDC_COOKIE_SECURE",
	"OIDC_ENABLED",
	"OIDC_EXTRA_REQUEST_AUTH_PARAMS",
	"OIDC_GOOGLE_APPS_DOMAIN",
	"OIDC_ID_TOKEN_COOKIE_NAME",
	"OIDC_ID_TOKEN_COOKIE_SECURE",
	"OIDC_ID_TOKEN_COOKIE_TTL",
	"OIDC_INTROSPECTION_AUTH_METHOD",
	"OIDC_OVERWRITE_REDIRECT_URI",
	"OIDC_REFRESH_TOKEN_URL",
	"OIDC_REQUIRE_VERIFIED_EMAIL",
	"OIDC_RESOURCE_CHECK_AUD",
	"OIDC_RESOURCE_SERVER_ONLY",
	"OIDC_SCOPES",
	"OIDC_SERVER_METADATA_URL",
	"OIDC_TESTING_PROFILE",
	"OIDC_TOKEN_TYPE_HINT",
	"OIDC_USERINFO_URL",
	"OIDC_USER_INFO_ENABLED",
	"OIDC_VALID_ISSUERS",
	"OVERWRITE_REDIRECT_URI",
	"SECRET_KEY",
}

// known lists all keys, sorted.
var known = slices.Sorted(slices.Values(slices.Concat(meaningful, slices.Collect(maps.Keys(obsolete)))))

// maxName is the maximum length in bytes of a name for which a similar key is searched.
// The longest known key has 30.
const maxName = 64

// misspelt reports whether a name looks like one of flask-oidc's keys and is not one.
func misspelt(name string) bool {
	if slices.Contains(known, name) {
		return false
	}
	upper := strings.ToUpper(name)
	if strings.HasPrefix(upper, "OIDC_") {
		return true
	}
	return slices.ContainsFunc(known, func(k string) bool {
		near := len(name)-len(k) <= 2 && len(k)-len(name) <= 2 && strings.Contains(k, "OIDC_")
		return k == upper || near && distance(upper, k) <= 2
	})
}

// nearest returns the known key with the smallest distance from name.
func nearest(name string) string {
	if len(name) > maxName {
		return ""
	}
	upper := strings.ToUpper(name)
	return slices.MinFunc(known, func(a, b string) int { return distance(upper, a) - distance(upper, b) })
}

// distance counts the bytes to insert, remove, change, or swap with their neighbour to
// turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
