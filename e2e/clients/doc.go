// Package clients signs people in to a local pool with other people's client libraries,
// as they were published: Go modules, npm and PyPI packages, a Debian package and a
// module of Apache. The library and the pool of this repository could agree on a mistake;
// these could not.
//
// Each client is an app of a page or two, in the way its own documentation shows it. A
// test starts the pool and the app, and does what a person would: with a client that keeps
// cookies, see app, or in Chromium, see webApp, where scripts and forms are needed. The
// package has tests alone.
package clients
