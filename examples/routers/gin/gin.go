// Package gin is the app with github.com/gin-gonic/gin. gin's middleware has its own
// form; adapt converts middleware of net/http to it.
package gin

import (
	"net/http"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/routers/internal/pages"
	"github.com/gin-gonic/gin"
)

// New returns the app.
func New(auth *cognate.Auth) http.Handler {
	r := gin.New()
	r.Use(gin.Recovery())
	r.GET("/", func(c *gin.Context) {
		pages.Home(c.Writer, "gin", auth.User(c.Request))
	})
	private := r.Group("/", adapt(auth.RequireLogin))
	private.GET("/hello/:name", func(c *gin.Context) {
		pages.Hello(c.Writer, c.Param("name"), cognate.UserFrom(c.Request.Context()))
	})
	r.GET("/admin", adapt(auth.Require(cognate.Group("admins"))), func(c *gin.Context) {
		pages.Admin(c.Writer, cognate.UserFrom(c.Request.Context()))
	})
	return auth.Handler(r) // answers /oidc_callback, /login and /logout
}

// adapt converts middleware of net/http to gin's. The handlers behind it get the
// request with the user in its context. If the middleware answers itself, for example
// with a redirect to the sign-in, they are not called. The writer is still gin's own.
func adapt(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}
