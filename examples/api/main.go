// Api is a JSON API for people and programs: a browser sends the cookie of its sign-in, and
// a program an access token in the Authorization header (RFC 6750).
//
//	GET    /api/notes   people and programs, each with their own notes
//	POST   /api/notes   the same; a browser's request must come from this site
//	GET    /api/me      programs only, with the scope email
//	DELETE /api/notes   programs only, with the scope notes/admin, for everybody's notes
//	GET    /token       a signed-in person's access token, to try the others with
//
// To run it against a pool on this machine:
//
//	cognate pool                                    (in another terminal)
//	cognate client-secrets > client_secrets.json
//	go run ./examples/api
//
// Then open https://127.0.0.1:5000/token, sign in, and in a third terminal:
//
//	TOKEN=...
//	curl -k https://127.0.0.1:5000/api/me -i                                        401
//	curl -k https://127.0.0.1:5000/api/me -H "Authorization: Bearer $TOKEN"         200
//	curl -k https://127.0.0.1:5000/api/notes -H "Authorization: Bearer $TOKEN" -d '{"text": "milk"}'
//	curl -k https://127.0.0.1:5000/api/notes -H "Authorization: Bearer $TOKEN" -X DELETE -i   403
//
// On the shared routes, a request without a token is redirected to the sign-in page, as a
// person's, unless it says that it comes from a script (as Accept: application/json does).
//
// For Amazon Cognito only that file changes. There, a resource server called notes has the
// scope admin, and a program gets a token for it with the grant client_credentials. If the
// program has its own app client, name that in Config.Bearer.
package main

import (
	"context"
	"net/http"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/api/app"
	"github.com/cognate-auth/cognate/examples/internal/serve"
)

func main() {
	serve.Main(func(_ context.Context, cfg cognate.Config) (http.Handler, error) { return app.New(cfg) })
}
