// Package echo is the app with github.com/labstack/echo, which can adapt middleware of
// net/http itself.
package echo

import (
	"net/http"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/routers/internal/pages"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// New returns the app.
func New(auth *cognate.Auth) http.Handler {
	e := echo.New()
	e.Use(middleware.Recover())
	e.GET("/", func(c echo.Context) error {
		pages.Home(c.Response(), "echo", auth.User(c.Request()))
		return nil
	})
	requireLogin := echo.WrapMiddleware(auth.RequireLogin)
	e.GET("/hello/:name", func(c echo.Context) error {
		pages.Hello(c.Response(), c.Param("name"), cognate.UserFrom(c.Request().Context()))
		return nil
	}, requireLogin)
	requireAdmin := echo.WrapMiddleware(auth.Require(cognate.Group("admins")))
	e.GET("/admin", func(c echo.Context) error {
		pages.Admin(c.Response(), cognate.UserFrom(c.Request().Context()))
		return nil
	}, requireAdmin)
	return auth.Handler(e) // answers /oidc_callback, /login and /logout
}
