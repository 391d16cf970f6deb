package cognate_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/cognate-auth/cognate"
)

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

// One route for people with a browser and for programs with a token.
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
