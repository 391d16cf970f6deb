// Spa is a single-page app: static HTML and JavaScript, and a JSON API behind a cookie. No
// token ever reaches the browser, so no script, not even an injected one, can take it away.
//
//   - A fetch without a session gets 401 with login_url; the script sends the person there,
//     and the sign-in returns to the page.
//   - Requests that change something are taken from this site only
//     (http.CrossOriginProtection): the cookie alone proves nothing about who asked.
//   - The Content-Security-Policy allows nothing but the app's own three files.
//
// To run it against a pool on this machine:
//
//	cognate pool                                    (in another terminal)
//	cognate client-secrets > client_secrets.json
//	go run ./examples/spa
//
// Against Amazon Cognito nothing changes but that file.
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
