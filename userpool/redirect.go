package userpool

import (
	"fmt"
	"strings"

	"github.com/cognate-auth/cognate/userpool/internal/redirect"
	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// CheckRedirectURI reports why uri cannot be registered as a callback or logout
// URL, as an [*Error], or nil. It must be an absolute URI of 1 to 1024
// characters without fragment and user info, and either https, or http on
// localhost, 127.0.0.1 or [::1], or an app's own scheme such as myapp://signin
// (Cognito API reference, CreateUserPoolClient; RFC 8252 section 7). A * is
// refused: RFC 3986 has it, but whoever registers it means a wildcard.
func CheckRedirectURI(uri string) error {
	problem := redirect.Problem(uri)
	if strings.Contains(uri, "*") {
		problem = "has a *, but there are no wildcards: an app's address is compared to the letter, so list each one"
	}
	if problem == "" {
		return nil
	}
	return InvalidParameter(fmt.Sprintf("the redirect URI %q %s", text.Clip(uri), problem))
}
