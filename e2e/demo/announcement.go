package demo

import (
	"regexp"
	"strings"
)

// Announcement is what `cognate demo` prints for the person who started it.
type Announcement struct {
	// AppURL and PoolURL are the addresses of the app (https) and of the local pool
	// (http), without a slash at the end.
	AppURL, PoolURL string

	// Users are the users who can sign in, in the order they are listed.
	Users []User
}

// User is someone who can sign in at the local pool.
type User struct {
	Username, Password string
}

var (
	appURL  = regexp.MustCompile(`https://[^\s/]+:\d+`)
	poolURL = regexp.MustCompile(`http://[^\s/]+:\d+`)

	// This matches a line with an address and a password, and perhaps other words.
	userLine = regexp.MustCompile(`(?m)^\s*(\S+@\S+)\s+(\S+)`)
)

// parse reads an announcement. It is complete if it says how to stop, which is its last
// line.
func parse(text string) (Announcement, bool) {
	_, rest, found := strings.Cut(text, "Ctrl-C")
	if !found || !strings.Contains(rest, "\n") {
		return Announcement{}, false
	}
	a := Announcement{AppURL: appURL.FindString(text), PoolURL: poolURL.FindString(text)}
	for _, match := range userLine.FindAllStringSubmatch(text, -1) {
		a.Users = append(a.Users, User{Username: match[1], Password: match[2]})
	}
	return a, a.AppURL != "" && a.PoolURL != ""
}
