package hosted_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// TestErrorPageNamesTheMend opens the error page for every code that the pool sends
// there, and for one that somebody else has written into a link.
func TestErrorPageNamesTheMend(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for code, want := range map[string]string{
		userpool.PageRedirectMismatch:   "have the app send a registered one",
		userpool.PageClientIDMissing:    "Open a page of the app",
		userpool.PageUnknownClient:      "cognate client-secrets",
		userpool.PageRedirectURIMissing: "default_redirect_uri",
		userpool.PageInvalidState:       "localhost and 127.0.0.1",
		userpool.CodeInvalidRequest:     "developer’s view say which",
		userpool.CodeServerError:        "Its terminal says why",
		userpool.PageCannotConfirm:      "auto_verified_attributes",
		userpool.PageNoSignUp:           "self_sign_up",
		userpool.PageNoRecovery:         "account_recovery",
		userpool.PageForgedForm:         "Allow cookies",
		userpool.PageFlowOver:           "Begin again at the app",
		"anything else":                 "",
	} {
		page := e.Get(t, "/error", url.Values{"error": {code}}, nil).Body
		_, mend, found := strings.Cut(page, `<div class="mend" lang="en">`)
		if found != (want != "") || !strings.Contains(mend, want) {
			t.Errorf("%s: the page does not say %q to a developer:\n%s", code, want, page)
		}
	}
}
