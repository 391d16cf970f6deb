package flaskoidc_test

import (
	"fmt"

	"github.com/cognate-auth/cognate/flaskoidc"
)

func ExampleFromEnv() {
	loaded, err := flaskoidc.FromEnv([]string{ // os.Environ()
		`OIDC_CLIENT_SECRETS={"web": {"client_id": "shop", "issuer": "https://id.example.com", ` +
			`"redirect_uris": ["https://shop.example.com/oidc_callback"]}}`,
		"OIDC_SCOPES=openid email profile",
		"OIDC_REQUIRE_VERIFIED_EMAIL=True",
		"OIDC_CREDENTIALS_STORE=redis",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(loaded.Config.Scopes, loaded.Config.RequireVerifiedEmail)
	fmt.Println(loaded.Warnings[0])
	// Output:
	// [openid email profile] true
	// flaskoidc: OIDC_CREDENTIALS_STORE can't be taken over: to keep tokens on the server, set Config.Session.Store
}

func ExampleLoad() {
	_, err := flaskoidc.Load(map[string]any{"OIDC_VALID_ISSUER": "https://id.example.com"})
	fmt.Println(err)
	// Output:
	// flaskoidc: settings: "OIDC_VALID_ISSUER" is not a key of flask-oidc; did you mean OIDC_VALID_ISSUERS?
}
