module github.com/cognate-auth/cognate/cmd/cognate

go 1.26.0

require (
	github.com/alecthomas/kong v1.17.0
	github.com/cognate-auth/cognate v0.0.0
	github.com/rogpeppe/go-internal v1.16.0
)

require (
	github.com/beevik/etree v1.7.0 // indirect
	github.com/crewjam/saml v0.5.1 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/jonboulle/clockwork v0.5.0 // indirect
	github.com/mattermost/xml-roundtrip-validator v0.1.0 // indirect
	github.com/russellhaering/goxmldsig v1.6.1 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/tools v0.26.0 // indirect
	rsc.io/qr v0.2.0 // indirect
)

replace github.com/cognate-auth/cognate => ../..
