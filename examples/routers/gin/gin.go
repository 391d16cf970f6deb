// Package gin is the app with github.com/gin-gonic/gin. Its middleware has a form of its
// own; adapt turns that of net/http into it.
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

// adapt makes gin's middleware of net/http's. The handlers behind it get the request with
// the user in its context; if the middleware answered by itself, as with a redirect to sign
// in, they are not called. The writer stays gin's own.
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
