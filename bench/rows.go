package main

import (
	"fmt"

	"github.com/cognate-auth/cognate/bench/report"
)

// A row is a page of a server requested with a cookie; it becomes a row of the table.
type row struct {
	key, label string
	kind       report.Kind
	server     string // its name in specs
	path       string // empty: /hello
	status     int    // 0: 200
	cookiesOf  string // the server whose cookies are sent; empty: its own
	tokens     bool   // the cookie must contain the tokens
}

// bareKey is the key of the row that all others are compared with.
const bareKey = "bare"

// specs are the servers of the first table.
func specs() map[string]spec {
	bare := goServer("bare", false, 0)
	bare.signIn = ""
	return map[string]spec{
		"bare":            bare,
		"cognate":         goServer("cognate", false, 0),
		"cognate-tokens":  goServer("cognate-tokens", false, 0),
		"cognate-memory":  goServer("cognate-memory", false, 0),
		"cognate-redis":   goServer("cognate-redis", true, 0),
		"cognate-redis-c": goServer("cognate-redis-c", true, 0),
		"gorilla":         goServer("gorilla", false, 0),
		"scs":             goServer("scs", false, 0),
		"express":         express(),
		"apache-shm":      apache("server-cache"),
		"apache-cookie":   apache("client-cookie"),
		"oauth2-proxy":    oauth2Proxy(),
	}
}

// requestRows are the rows of the first table.
func requestRows() []row {
	return []row{
		{key: bareKey, label: "bare handler", kind: report.Limit, server: "bare"},
		{key: "bare-cookie", label: "bare handler, small cookie unread", kind: report.Limit, server: "bare",
			cookiesOf: "cognate"},
		{key: "bare-tokens", label: "bare handler, all tokens unread", kind: report.Limit, server: "bare",
			cookiesOf: "cognate-tokens", tokens: true},
		{key: "cognate", label: "Cognate, small cookie", kind: report.Ours, server: "cognate"},
		{key: "cognate-tokens", label: "Cognate, all tokens in the cookie", kind: report.Ours,
			server: "cognate-tokens", tokens: true},
		{key: "cognate-memory", label: "Cognate, memory store", kind: report.Ours, server: "cognate-memory"},
		{key: "cognate-redis", label: "Cognate, Redis", kind: report.Ours, server: "cognate-redis"},
		{key: "cognate-redis-c", label: "Cognate, Redis, client-side caching", kind: report.Ours,
			server: "cognate-redis-c"},
		{key: "scs", label: "go-oidc + scs, in memory", kind: report.Peer, server: "scs"},
		{key: "gorilla", label: "go-oidc + gorilla/sessions", kind: report.Peer, server: "gorilla"},
		{key: "oauth2-proxy", label: "oauth2-proxy, forward auth", kind: report.Peer, server: "oauth2-proxy",
			path: "/oauth2/auth", status: 202},
		{key: "apache-bare", label: "Apache without sign-in", kind: report.Limit, server: "apache-shm",
			path: "/public", cookiesOf: "none"},
		{key: "apache-shm", label: "Apache mod_auth_openidc, shm", kind: report.Peer, server: "apache-shm"},
		{key: "apache-cookie", label: "Apache mod_auth_openidc, cookie", kind: report.Peer, server: "apache-cookie"},
		{key: "express-bare", label: "Express without sign-in", kind: report.Limit, server: "express",
			path: "/public", cookiesOf: "none"},
		{key: "express", label: "express-openid-connect", kind: report.Peer, server: "express"},
	}
}

// growthSizes are the numbers of sessions in a store, by kind of server.
var growthSizes = []struct {
	kind, label string
	redis       bool
	sizes       []int
}{
	{"cognate-memory", "memory store", false, []int{10, 1_000, 1_000_000}},
	{"cognate-redis", "Redis", true, []int{10, 100_000}},
	{"cognate-redis-c", "Redis, client-side caching", true, []int{10, 100_000}},
}

// mostSignedIn limits how many of a store's sessions are used in turn, because each
// needs a sign-in.
const mostSignedIn = 200

// growth returns the servers and rows of the second table, with at most the given
// number of sessions.
func growth(most int) (map[string]spec, []row) {
	all := map[string]spec{}
	var rows []row
	for _, g := range growthSizes {
		for _, n := range g.sizes {
			n = min(n, most)
			key := fmt.Sprintf("%s-%d", g.kind, n)
			if _, ok := all[key]; ok {
				continue
			}
			signedIn := min(n, mostSignedIn)
			s := goServer(g.kind, g.redis, n-signedIn)
			s.sessions = signedIn
			all[key] = s
			label := fmt.Sprintf("%s, %s sessions", g.label, report.Whole(float64(n)))
			rows = append(rows, row{key: key, label: label, kind: report.Ours, server: key})
		}
	}
	return all, rows
}
