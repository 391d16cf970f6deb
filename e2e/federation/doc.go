// Package federation signs people in to a local pool at other people's identity
// providers, as they were published. It has tests alone.
package federation
