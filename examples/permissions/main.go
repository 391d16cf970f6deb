// Permissions is an app that decides by its own database who may do what: the provider says
// who somebody is, and a table says that this person is a reader, or an admin.
//
//   - /hello is for readers and admins. Whoever has no role gets a page with status 403.
//   - /admin is for admins, who give roles to people and take them away. That works with
//     the next request; nobody has to sign out for it.
//   - If the database can't be asked the answer is 503 and not 403: nothing is decided.
//
// To run it against a pool on this machine:
//
//	cognate pool                                    (in another terminal)
//	cognate client-secrets > client_secrets.json
//	cd examples/permissions
//	go run . -client-secrets ../../client_secrets.json -admin ann@example.com
//
// Against Amazon Cognito nothing changes but that file, and who the first admin is.
package main

import (
	"context"
	"flag"
	"net/http"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/internal/serve"
	"github.com/cognate-auth/cognate/examples/permissions/app"
)

var (
	database = flag.String("db", "permissions.db", "the SQLite database, a `file` that is made if it isn't there")
	admin    = flag.String("admin", "", "the e-mail `address` of who becomes admin at sign-in while there is none")
)

func main() {
	serve.Main(func(ctx context.Context, cfg cognate.Config) (http.Handler, error) {
		roles, err := app.Open(ctx, *database)
		if err != nil {
			return nil, err
		}
		return app.New(cfg, roles, *admin)
	})
}
