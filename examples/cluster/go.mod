module github.com/cognate-auth/cognate/examples/cluster

go 1.26.0

require (
	github.com/cognate-auth/cognate v0.0.0
	github.com/cognate-auth/cognate/redisstore v0.0.0
)

require (
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/redis/rueidis v1.0.79 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace (
	github.com/cognate-auth/cognate => ../..
	github.com/cognate-auth/cognate/redisstore => ../../redisstore
)
