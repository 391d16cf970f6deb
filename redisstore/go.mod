module github.com/cognate-auth/cognate/redisstore

go 1.26.0

require (
	github.com/cognate-auth/cognate v0.0.0
	github.com/redis/rueidis v1.0.79
)

require (
	golang.org/x/oauth2 v0.37.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/cognate-auth/cognate => ..
