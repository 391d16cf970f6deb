// Package clients signs people in to a local pool with other people's client libraries
// in their published versions: Go modules, npm and PyPI packages, a Debian package and
// an Apache module. The library and the pool of this repository might share a mistake;
// these clients don't.
//
// Each client is an app of a page or two, written as its own documentation shows. A
// test starts the pool and the app, and does what a person would: with a client that
// keeps cookies, see app, or in Chromium, see webApp, if scripts and forms are needed.
// The package has only tests.
package clients
