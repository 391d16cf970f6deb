package hosted

import "net/http"

// Developer is what the pages show in the browser of whoever develops an app with the
// pool, and in no other: a line for strangers would be an invitation.
type Developer struct {
	// Here reports whether a request comes from such a browser. Nil: none does.
	Here func(*http.Request) bool
	// Outbox is the address of the messages that the pool sent. The pages that ask for
	// a code, or wait for a link, lead there.
	Outbox string
}

// here is Here, which may be nil.
func (d Developer) here(r *http.Request) bool { return d.Here != nil && d.Here(r) }
