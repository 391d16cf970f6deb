package cognate_test

import (
	"fmt"
	"log"
	"net/http"
	"os"

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
