// Package pages tests the local pool's pages in a real browser: every way through them
// with a mouse and scripts, without scripts, and with only the keyboard on a phone; and
// every page with the checks of axe-core, in light and dark.
package pages
