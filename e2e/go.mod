module github.com/cognate-auth/cognate/e2e

go 1.26.0

require (
	github.com/chromedp/cdproto v0.159.0
	// Pinned: its API still changes between minor versions.
	github.com/chromedp/chromedp v0.23.0
)

require github.com/google/go-cmp v0.7.0

require (
	github.com/coreos/go-oidc/v3 v3.21.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/zitadel/oidc/v3 v3.51.17 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
)
