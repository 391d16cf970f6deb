// Package pages holds the tests of the local pool's pages in a real browser: every way
// through them with a mouse and scripts, without scripts, and with the keyboard alone on
// a phone; and the checks of axe-core on every page, in light and dark.
package pages
