// Routers is one app with three routers: chi, gin and echo. The code for each is in its own
// file, chi/chi.go, gin/gin.go or echo/echo.go, and all give the same answers.
//
// To run it against a pool on this machine:
//
//	cognate pool                                    (in another terminal)
//	cognate client-secrets > client_secrets.json
//	go run ./examples/routers -router gin
//
// For Amazon Cognito only that file changes. People in the group admins see /admin.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/internal/serve"
	"github.com/cognate-auth/cognate/examples/routers/chi"
	"github.com/cognate-auth/cognate/examples/routers/echo"
	"github.com/cognate-auth/cognate/examples/routers/gin"
)

var router = flag.String("router", "chi", "the `name` of the router: chi, gin or echo")

func main() {
	serve.Main(func(_ context.Context, cfg cognate.Config) (http.Handler, error) {
		auth, err := cognate.New(cfg)
		if err != nil {
			return nil, err
		}
		switch *router {
		case "chi":
			return chi.New(auth), nil
		case "gin":
			return gin.New(auth), nil
		case "echo":
			return echo.New(auth), nil
		}
		return nil, fmt.Errorf("-router %q is unknown; expected chi, gin or echo", *router)
	})
}
