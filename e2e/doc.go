// Package e2e holds the tests that do what a person does: they start the program and
// use it in a browser.
package e2e
