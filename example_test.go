package cognate_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/sessionstore"
)

func Example() {
	auth, err := cognate.New(cognate.Config{
		ClientSecretsFile:    "client_secrets.json",
		Keys:                 []cognate.Secret{cognate.Secret(os.Getenv("COOKIE_KEY"))},
		RequireVerifiedEmail: true,
	})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "Everybody sees this.")
	})
	mux.Handle("GET /hello", auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := cognate.UserFrom(r.Context())
		fmt.Fprintf(w, "Signed in as %s", user.Email)
	})))
	log.Fatal(http.ListenAndServeTLS("127.0.0.1:5000", "cert.pem", "key.pem", auth.Handler(mux)))
}

// exampleConfig is an app client. New uses no network, so the examples run anywhere.
var exampleConfig = cognate.Config{
	Issuer:      "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01",
	ClientID:    "4exampleclientid0123456789",
	RedirectURL: "https://shop.example.com/oidc_callback",
	Keys:        []cognate.Secret{"an example, and no key for anything else"},
}

func hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "hello, %s", cognate.UserFrom(r.Context()).Name)
}

// New refuses a configuration that can't work, and lists everything that is wrong with
// it.
func ExampleNew() {
	_, err := cognate.New(cognate.Config{
		ClientID:    "4exampleclientid0123456789",
		Issuer:      "http://provider.example.com",
		RedirectURL: "https://shop.example.com/oidc_callback",
		Keys:        []cognate.Secret{"too short"},
	})
	fmt.Println(err)
	// Output:
	// cognate: configuration: the Issuer "http://provider.example.com" is not https; plain http is for loopback addresses, or with InsecureHTTP
	// the secret Keys[0] has 9 bytes; expected at least 32 random ones, as from: openssl rand -base64 32
}

// If nobody is signed in, a script gets the login URL; a person would be redirected.
func ExampleAuth_RequireLogin() {
	auth, err := cognate.New(exampleConfig)
	if err != nil {
		log.Fatal(err)
	}
	app := auth.Handler(auth.RequireLogin(http.HandlerFunc(hello)))

	r := httptest.NewRequest(http.MethodGet, "https://shop.example.com/orders.json", nil)
	r.Header.Set("Sec-Fetch-Mode", "cors") // as fetch says
	r.Header.Set("Referer", "https://shop.example.com/orders?page=2")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 401 {"error":"login_required","login_url":"/login?return_to=%2Forders%3Fpage%3D2"}
}

// Routes that only some of the users may open.
func ExampleAuth_Require() {
	auth, err := cognate.New(exampleConfig)
	if err != nil {
		log.Fatal(err)
	}
	staff := auth.Require(cognate.AnyOf(cognate.Group("staff", "admins"), cognate.Claim("custom:tier", "gold")))
	admins := auth.Require(cognate.Group("admins"), cognate.VerifiedEmail())

	mux := http.NewServeMux()
	mux.Handle("GET /reports", staff(http.HandlerFunc(hello)))
	mux.Handle("GET /admin", admins(http.HandlerFunc(hello)))
}

// A public page that greets a signed-in user.
func ExampleAuth_User() {
	var auth *cognate.Auth // from cognate.New
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, no-cache") // the page depends on who asks
		if user := auth.User(r); user != nil {
			fmt.Fprintf(w, "Welcome back, %s.", user.Name)
			return
		}
		fmt.Fprintln(w, "Welcome.")
	})
}

// A handler that calls an API as the user who is signed in.
func ExampleAuth_Client() {
	var auth *cognate.Auth // from cognate.New, with a Session.Store
	orders := func(w http.ResponseWriter, r *http.Request) {
		resp, err := auth.Client(r.Context()).Get("https://api.example.com/orders")
		if err != nil {
			auth.Fail(w, r, err)
			return
		}
		defer resp.Body.Close()
		fmt.Fprintln(w, resp.Status)
	}
	http.Handle("GET /orders", auth.RequireLogin(http.HandlerFunc(orders)))
}

// The token itself, for a client that does not use net/http.
func ExampleAuth_AccessToken() {
	var auth *cognate.Auth // from cognate.New, with a Session.Store
	token := func(w http.ResponseWriter, r *http.Request) {
		accessToken, err := auth.AccessToken(r.Context())
		if err != nil {
			auth.Fail(w, r, err) // begins a sign-in, or says to try again
			return
		}
		_ = accessToken // for example for the metadata of a call; never log it
	}
	http.Handle("GET /token", auth.RequireLogin(http.HandlerFunc(token)))
}

// An API for programs, and its answer to a request without a token.
func ExampleAuth_RequireBearer() {
	auth, err := cognate.New(exampleConfig)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /api/orders", auth.RequireBearer("shop/orders.read")(http.HandlerFunc(hello)))

	w := httptest.NewRecorder()
	auth.Handler(mux).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/orders", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	fmt.Print(w.Body)
	// Output:
	// 401 Bearer
	// {"error":"missing_authorization","error_description":"Send an access token in the Authorization header."}
}

// A token that was not received by HTTP, from a user pool or from another provider.
func ExampleBearer_Verify() {
	bearer, err := cognate.NewBearer(cognate.BearerConfig{Issuers: []cognate.BearerIssuer{
		{
			Issuer:  "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01",
			Clients: []string{"4exampleclientid0123456789"},
		},
		{Issuer: "https://login.example.com", Audiences: []string{"https://api.example.com"}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	_, err = bearer.Verify(context.Background(), "no.such.token")
	e, ok := errors.AsType[*cognate.Error](err)
	fmt.Println(ok, e.Reason)
	// Output:
	// true token_malformed
}

// The claims of a user in a struct that the app defines.
func ExampleUserAs() {
	type customer struct {
		Email string   `json:"email"`
		Roles []string `json:"groups"`
	}
	user := &cognate.User{Subject: "1", Email: "ann@example.com", Groups: []string{"staff"}}
	c, err := cognate.UserAs[customer](user)
	fmt.Printf("%+v %v\n", c, err)
	// Output:
	// {Email:ann@example.com Roles:[staff]} <nil>
}

// Sessions that the server can end, in one process.
func ExampleAuth_LogoutEverywhere() {
	cfg := exampleConfig
	cfg.Session.Store = sessionstore.NewMemory(0)
	auth, err := cognate.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	n, err := auth.LogoutEverywhere(context.Background(), "subject of a user")
	fmt.Println(n, err)
	// Output:
	// 0 <nil>
}

// A rule that asks a database. A failure of the database is not a denial.
func ExampleRuleFunc() {
	var db *sql.DB
	mayEdit := cognate.RuleFunc(func(ctx context.Context, u *cognate.User) error {
		var ok bool
		err := db.QueryRowContext(ctx, "SELECT may_edit FROM staff WHERE issuer = $1 AND subject = $2", u.Issuer,
			u.Subject).Scan(&ok)
		switch {
		case errors.Is(err, sql.ErrNoRows) || err == nil && !ok:
			return errors.New("not an editor")
		case err != nil:
			return &cognate.Error{Reason: cognate.ReasonRuleFailed, Err: err}
		}
		return nil
	})
	var auth *cognate.Auth // from cognate.New
	http.Handle("POST /edit", auth.Require(mayEdit)(http.HandlerFunc(hello)))
}

// An audit log, and a check at sign-in that the user has an account in the app.
func ExampleHooks() {
	known := func(context.Context, *cognate.User) bool { return true }
	_ = cognate.Config{Hooks: cognate.Hooks{
		OnLogin: func(ctx context.Context, e cognate.LoginEvent) error {
			if !known(ctx, e.User) {
				return errors.New("no account here")
			}
			slog.InfoContext(ctx, "signed in", "sub", e.User.Subject, "next", e.ReturnTo)
			return nil
		},
		OnLogout: func(ctx context.Context, e cognate.LogoutEvent) {
			slog.InfoContext(ctx, "session ended", "sub", e.Subject, "reason", e.Reason)
		},
	}}
}

// The ways to sign in, for the app's own menu.
func ExampleProviders_Choices() {
	staff, customers := exampleConfig, exampleConfig
	staff.ClientID, staff.DisplayName, staff.CookieName = "staff-client", "Staff", "staff"
	staff.RedirectURL = "https://shop.example.com/staff/oidc_callback"
	customers.DisplayName = "Customers"

	var auths []*cognate.Auth
	for _, cfg := range []cognate.Config{customers, staff} {
		auth, err := cognate.New(cfg)
		if err != nil {
			log.Fatal(err)
		}
		auths = append(auths, auth)
	}
	several, err := cognate.NewProviders(auths...)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range several.Choices("/orders") {
		fmt.Println(c.Name, c.URL)
	}
	// Output:
	// Customers /login?return_to=%2Forders
	// Staff /staff/login?return_to=%2Forders
}

// A token that is not in the Authorization header.
func ExampleAuth_Fail() {
	var auth *cognate.Auth // from cognate.New
	http.HandleFunc("GET /feed", func(w http.ResponseWriter, r *http.Request) {
		user, err := auth.VerifyAccessToken(r.Context(), r.Header.Get("X-Feed-Token"), "shop/feed")
		if err != nil {
			auth.Fail(w, r, err)
			return
		}
		fmt.Fprintf(w, "the feed of %s", user.Subject)
	})
}

// A page for people who signed in within the last ten minutes.
func ExampleMaxAge() {
	var auth *cognate.Auth // from cognate.New
	transfer := func(w http.ResponseWriter, r *http.Request) {
		if time.Since(cognate.UserFrom(r.Context()).AuthTime) > 10*time.Minute {
			auth.Login(w, r, cognate.MaxAge(0), cognate.ReturnTo("/transfer")) // asks for the password
			return
		}
		fmt.Fprintln(w, "How much?")
	}
	http.Handle("GET /transfer", auth.RequireLogin(http.HandlerFunc(transfer)))
}

// The app's own error page instead of the built-in one.
func ExampleConfig_errorHandler() {
	_ = cognate.Config{
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, e *cognate.Error) {
			w.WriteHeader(e.Status)
			if e.Reason == cognate.ReasonEmailNotVerified {
				fmt.Fprintln(w, "Please verify your e-mail address first.")
				return
			}
			fmt.Fprintf(w, "Signing in failed. Reference: %s\n", e.Reference)
		},
	}
}

// The app's own button that begins a sign-in and then leads to another page.
func ExampleAuth_Login() {
	var auth *cognate.Auth // from cognate.New
	http.HandleFunc("GET /join", func(w http.ResponseWriter, r *http.Request) {
		auth.Login(w, r, cognate.ReturnTo("/welcome"))
	})
}

// A public page that greets people who are signed in at the provider, without asking
// anybody for a password. It asks the provider once: the page with ?asked does not ask
// again.
func ExampleSilent() {
	var auth *cognate.Auth // from cognate.New
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		user := auth.User(r)
		if user == nil && !r.URL.Query().Has("asked") {
			auth.Login(w, r, cognate.Silent(), cognate.ReturnTo("/?asked"))
			return
		}
		if user != nil {
			fmt.Fprintf(w, "Good to see you, %s.", user.Name)
			return
		}
		fmt.Fprint(w, "Good to see you, whoever you are.")
	})
}

// Customers sign in with one user pool and staff with another.
func ExampleNewProviders() {
	customers, err := cognate.New(cognate.Config{
		ClientSecretsFile: "customers.json", RedirectURL: "https://example.com/customers/callback",
		CookieName: "customers", DisplayName: "Customer account",
	})
	if err != nil {
		log.Fatal(err)
	}
	staff, err := cognate.New(cognate.Config{
		ClientSecretsFile: "staff.json", RedirectURL: "https://example.com/staff/callback",
		CookieName: "staff", DisplayName: "Staff",
	})
	if err != nil {
		log.Fatal(err)
	}
	several, err := cognate.NewProviders(customers, staff)
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("GET /orders", several.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := cognate.UserFrom(r.Context())
		fmt.Fprintf(w, "Signed in as %s of %s", user.Email, user.Issuer)
	})))
	mux.Handle("GET /stock", staff.RequireLogin(http.NotFoundHandler())) // staff only
	log.Fatal(http.ListenAndServe(":8080", several.Handler(mux)))
}

// An API without sign-in: programs send access tokens of an Amazon Cognito pool.
func ExampleNewBearer() {
	bearer, err := cognate.NewBearer(cognate.BearerConfig{Issuers: []cognate.BearerIssuer{{
		Issuer:  "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example00",
		Clients: []string{"4exampleclientid0123456789"},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "orders for", cognate.UserFrom(r.Context()).Subject)
	})
	http.Handle("GET /orders", bearer.Require("orders/read")(orders))
}

// One route for people with a session and for programs with a token.
func ExampleAuth_RequireLoginOrBearer() {
	auth, err := cognate.New(cognate.Config{
		ClientSecretsFile: "client_secrets.json",
		Bearer: cognate.BearerConfig{
			Clients: []string{"the-web-app", "the-nightly-batch"}, // app clients of the same pool
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	report := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "report for", cognate.UserFrom(r.Context()).Subject)
	})
	http.Handle("GET /report", auth.RequireLoginOrBearer()(report))
}
