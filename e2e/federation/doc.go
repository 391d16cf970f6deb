// Package federation signs people in to a local pool through other people's identity
// providers in their published versions. It has only tests.
package federation
