// Spa is a single-page app: static HTML and JavaScript, and a JSON API behind a cookie. No
// token ever reaches the browser, so no script can steal one, not even an injected script.
//
//   - A fetch without a session gets 401 with login_url; the script sends the person there,
//     and the sign-in returns to the page.
//   - Requests that change something are accepted only from this site
//     (http.CrossOriginProtection): the cookie does not prove which site sent a request.
//   - The Content-Security-Policy allows only the app's own three files.
//
// To run it against a pool on this machine:
//
//	cognate pool                                    (in another terminal)
//	cognate client-secrets > client_secrets.json
//	go run ./examples/spa
//
// For Amazon Cognito only that file changes.
package main

import (
	"context"
	"net/http"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/internal/serve"
	"github.com/cognate-auth/cognate/examples/spa/app"
)

func main() {
	serve.Main(func(_ context.Context, cfg cognate.Config) (http.Handler, error) { return app.New(cfg) })
}
