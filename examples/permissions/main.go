// Permissions is an app whose own database decides who may do what: the provider says who a
// person is, and a table says that this person is a reader or an admin.
//
//   - /hello is for readers and admins. A person without a role gets a page with status 403.
//   - /admin is for admins, who grant and revoke roles. A change applies from the next
//     request on; nobody has to sign out for it.
//   - If the database can't be asked, the answer is 503 and not 403, because nothing has
//     been decided.
//
// To run it against a pool on this machine:
//
//	cognate pool                                    (in another terminal)
//	cognate client-secrets > client_secrets.json
//	go run ./examples/permissions -admin ann@example.com
//
// For Amazon Cognito only that file and the first admin change.
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
	database = flag.String("db", "permissions.db", "the SQLite database, a `file` that is created if it does not exist")
	admin    = flag.String("admin", "", "the e-mail `address` of the first admin, used while there is none")
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
