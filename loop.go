package cognate

import (
	"fmt"
	"net/http"

	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/transaction"
)

// loop returns why no further sign-in may begin, or nil: too many in a row have gone well
// without an effect.
func (a *Auth) loop(w http.ResponseWriter, r *http.Request, t *transaction.Transaction) *Error {
	now := a.now()
	s, present, err := a.sessions.Read(r, now)
	if s != nil {
		a.transactions.FollowsSession(t, s.Created, now)
	}
	if t.InRow < transaction.MaxInRow || err != nil {
		return nil
	}
	last := a.transactions.Row(r)
	// Whoever mends it may try again.
	a.transactions.ForgetRow(w, r)
	count, whole := a.sessions.CountCookies(r.Header)
	said := fmt.Sprintf("%d sign-ins in a row went well", t.InRow)
	switch {
	case s != nil:
		return refuse(ReasonLoginLoop, "%s and somebody is signed in, but one more begins: a page or a rule asks for what no sign-in brings", said)
	case count > 1:
		return refuse(ReasonCookieTwice, "%s, but the browser sends two cookies of one name, %q among them", said, a.sessions.CookieName())
	case !whole && last.Size > cookie.ChunkSize:
		return refuse(ReasonSessionTooLarge, "%s, but the browser does not send the session's cookies back, which take %d bytes: "+
			"they may be too large for it, or for something on the way; keep fewer claims, or use a Session.Store", said, last.Size)
	case !present || !whole:
		return refuse(ReasonCookieBlocked, "%s, but the browser does not send the session's cookie %q back: it is blocked, or "+
			"something on the way removes it", said, a.sessions.CookieName())
	}
	return refuse(ReasonCookieUnknown, "%s, but the session's cookie that the browser sends is of no use here: do all processes "+
		"have the same Config.Keys, share one Session.Store and have the right time, and does no other app of this host "+
		"use the same Config.CookieName?", said)
}
