package cognate

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/session"
)

// While the provider's own session is open, a sign-in needs nobody: a browser that loses what
// a sign-in gave it is sent round and round. What survives then is told by a small cookie of
// its own: how many sign-ins ended right after one another. Each sign-in takes the number
// along in its state when it begins, and leaves it one higher when it ends. So it counts only
// those that began after another had ended, and not the many tabs of a browser that begin at
// once; and no process has to know of another.
//
// Something on the way may take every cookie out of the answer that ends a sign-in, this one
// too. The one of the sign-in itself then comes back, which that answer removed: so the number
// is kept for it in this process as well.
const (
	// maxInRow is how many sign-ins may follow each other. A page that asks for a second
	// one, to have the password typed again, makes two.
	maxInRow = 3
	// rowTime is how soon after the end of a sign-in the next one is taken to follow it: a
	// browser needs one round trip, and a person more.
	rowTime = 20 * time.Second
)

// A row is sign-ins that followed each other.
type row struct {
	count int
	at    time.Time // when the last one ended
	size  int       // of the cookies it set, in bytes
}

// row returns the sign-ins in a row that a request comes right after. The cookie is not
// sealed, so that processes whose keys differ understand each other: who changes it cheats
// nobody but themselves. Of several of one name the highest counts.
func (m *transactions) row(r *http.Request) (best row) {
	m.eachLost(r, func(_ string, lost row) { best = m.later(best, lost) })
	cookie.Each(r.Header, func(name, value string) bool {
		var v [3]uint64
		if name != m.names.row || strings.Count(value, ".") != len(v)-1 {
			return true
		}
		for i, part := range strings.Split(value, ".") {
			var err error
			v[i], err = strconv.ParseUint(part, 10, 32)
			if err != nil {
				return true
			}
		}
		got := row{int(min(v[0], maxInRow)), time.Unix(int64(v[1]), 0), int(v[2])} //nolint:gosec // 32 bits
		best = m.later(best, got)
		return true
	})
	return best
}

// later is the row that counts: got, if it is longer and not long ago. Another process, with
// another clock, may have written it.
func (m *transactions) later(best, got row) row {
	if cache.Within(m.now(), got.at.Add(-m.skew), rowTime+2*m.skew) && got.count > best.count {
		return got
	}
	return best
}

// eachLost calls visit for each cookie of a sign-in that ended well here.
func (m *transactions) eachLost(r *http.Request, visit func(name string, lost row)) {
	left := 2 * maxSlots // no browser of ours has more
	cookie.Each(r.Header, func(name, value string) bool {
		if name != m.names.row && strings.HasPrefix(name, m.names.prefix) {
			if lost, ok := m.rows.Get(value); ok {
				visit(name, lost)
			}
			left--
		}
		return left > 0
	})
}

// ended writes down that a sign-in has ended well, with the cookies that w sets.
func (m *transactions) ended(w http.ResponseWriter, t *transaction) {
	size := 0
	for _, line := range w.Header()["Set-Cookie"] {
		size += len(line)
	}
	now := row{min(t.inRow+1, maxInRow), m.now(), size}
	m.rows.Put(t.proof, now)
	m.cookie.Set(w, m.names.row, fmt.Sprintf("%d.%d.%d", now.count, now.at.Unix(), now.size), rowTime)
}

// arrived removes the cookie of ended: the session came back, so it is not lost. One of
// several sign-ins in a row stays, because a page may ask for one more although somebody is
// signed in. It is done once for each session: later requests cost nothing.
func (m *transactions) arrived(w http.ResponseWriter, r *http.Request, s *session.Session, now time.Time) {
	if !m.follows(s, now) || m.arrivals.Has(s.ID, now) {
		return
	}
	m.arrivals.Add(s.ID, s.Created.Add(rowTime+2*m.skew), now)
	if m.row(r).count == 1 {
		m.cookie.Remove(w, m.names.row)
	}
}

// follows reports whether the sign-in of a session was moments ago.
func (m *transactions) follows(s *session.Session, now time.Time) bool {
	return cache.Within(now, s.Created.Add(-m.skew), rowTime+m.skew)
}

// loop returns why no further sign-in may begin, or nil: too many in a row have gone well
// without an effect.
func (a *Auth) loop(w http.ResponseWriter, r *http.Request, t *transaction) *Error {
	now := a.now()
	s, present, err := a.sessions.Read(r, now)
	if t.inRow == 0 && s != nil && a.transactions.follows(s, now) {
		t.inRow = 1 // arrived has removed the cookie that says so
		t.state = a.transactions.seal(t)
	}
	if t.inRow < maxInRow || err != nil {
		return nil
	}
	last := a.transactions.row(r)
	// Whoever mends it may try again.
	a.transactions.cookie.Remove(w, a.transactions.names.row)
	a.transactions.eachLost(r, func(name string, _ row) { a.transactions.cookie.Remove(w, name) })
	count, whole := a.sessions.CountCookies(r.Header)
	said := fmt.Sprintf("%d sign-ins in a row went well", t.inRow)
	switch {
	case s != nil:
		return refuse(ReasonLoginLoop, "%s and somebody is signed in, but one more begins: a page or a rule asks for what no sign-in brings", said)
	case count > 1:
		return refuse(ReasonCookieTwice, "%s, but the browser sends two cookies of one name, %q among them", said, a.sessions.CookieName())
	case !whole && last.size > cookie.ChunkSize:
		return refuse(ReasonSessionTooLarge, "%s, but the browser does not send the session's cookies back, which take %d bytes: "+
			"they may be too large for it, or for something on the way; keep fewer claims, or use a Session.Store", said, last.size)
	case !present || !whole:
		return refuse(ReasonCookieBlocked, "%s, but the browser does not send the session's cookie %q back: it is blocked, or "+
			"something on the way removes it", said, a.sessions.CookieName())
	}
	return refuse(ReasonCookieUnknown, "%s, but the session's cookie that the browser sends is of no use here: do all processes "+
		"have the same Config.Keys, share one Session.Store and have the right time, and does no other app of this host "+
		"use the same Config.CookieName?", said)
}
