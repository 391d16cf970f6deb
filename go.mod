module github.com/cognate-auth/cognate

go 1.26.0

require (
	github.com/golang-jwt/jwt/v5 v5.3.1
	golang.org/x/crypto v0.58.0
	golang.org/x/oauth2 v0.37.0
	golang.org/x/sync v0.24.0
	rsc.io/qr v0.2.0
)

require golang.org/x/sys v0.49.0 // indirect

// Test dependencies.
require github.com/google/go-cmp v0.7.0
