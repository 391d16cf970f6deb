package cognate_test

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/cognate-auth/cognate"
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
		fmt.Fprintf(w, "Logged in as: %s", user.Email)
	})))
	log.Fatal(http.ListenAndServeTLS("127.0.0.1:5000", "cert.pem", "key.pem", auth.Handler(mux)))
}

// A page of the app's own in the place of the built-in one.
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

// A button of the app's own that begins a sign-in and comes back to another page.
func ExampleAuth_Login() {
	var auth *cognate.Auth // from cognate.New
	http.HandleFunc("GET /join", func(w http.ResponseWriter, r *http.Request) {
		auth.Login(w, r, cognate.ReturnTo("/welcome"))
	})
}

// A public page that greets who is signed in elsewhere already, without asking anybody for
// a password. It asks the provider once per visit: the page with ?asked asks no more.
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

// A page for which the password must have been typed within the last five minutes.
func ExampleMaxAge() {
	var auth *cognate.Auth // from cognate.New
	transfer := func(w http.ResponseWriter, r *http.Request) {
		if time.Since(cognate.UserFrom(r.Context()).AuthTime) > 5*time.Minute {
			auth.Login(w, r, cognate.MaxAge(0), cognate.ReturnTo("/transfer"))
			return
		}
		fmt.Fprint(w, "How much, and to whom?")
	}
	http.Handle("GET /transfer", auth.RequireLogin(http.HandlerFunc(transfer)))
}

// Customers sign in with one user pool and staff with another.
func ExampleNewSeveral() {
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
	several, err := cognate.NewSeveral(customers, staff)
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("GET /orders", several.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := cognate.UserFrom(r.Context())
		fmt.Fprintf(w, "Logged in as %s of %s", user.Email, user.Issuer)
	})))
	mux.Handle("GET /stock", staff.RequireLogin(http.NotFoundHandler())) // staff only
	log.Fatal(http.ListenAndServe(":8080", several.Handler(mux)))
}
