// Package devview serves the developer's view of a user pool at /_cognate/:
// every sign-in as a sequence diagram with what came, what was decided and why,
// and what to mend; the messages that the pool sent or would have sent; users,
// app clients and settings.
package devview
