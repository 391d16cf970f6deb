package transaction

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/cookie"
)

// While the user has a session at the provider, a sign-in needs no interaction. A browser
// that then loses the cookies of a sign-in would be redirected in a loop. To stop it, a small
// cookie of its own counts the sign-ins in a row. Each sign-in puts the number into its state
// when it begins, and sets it one higher when it ends. So it counts only sign-ins that began
// after another had ended, not those of many tabs that begin at the same time; and processes
// need not share anything.
//
// Something between the app and the browser may remove all cookies from the answer that ends
// a sign-in, even this one. The browser then still sends the sign-in's own cookie, which that
// answer should have removed: so this process also remembers the number by that cookie.
const (
	// MaxInRow is how many sign-ins may follow each other. A page that asks for a second
	// one, to have the password entered again, makes two.
	MaxInRow = 3
	// rowTime is how soon after the end of a sign-in another one has to begin to count as
	// following it: a browser needs one round trip, and a person longer.
	rowTime = 20 * time.Second
)

// A Row is a number of sign-ins that followed each other.
type Row struct {
	// Count is how many there were.
	Count int
	// Size is the size of the cookies that the last one set, in bytes.
	Size int

	ended time.Time // when the last one ended
}

// Row returns the sign-ins in a row that a request directly follows. The cookie is not
// sealed, so that processes with different keys can read it: visitors who change it cheat
// only themselves. If there are several such cookies, the highest count is used.
func (m *Transactions) Row(r *http.Request) (best Row) {
	m.eachLost(r, func(_ string, lost Row) { best = m.longer(best, lost) })
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
		ended := time.Unix(int64(v[1]), 0)                                         //nolint:gosec // 32 bits
		got := Row{Count: int(min(v[0], MaxInRow)), Size: int(v[2]), ended: ended} //nolint:gosec // 32 bits
		best = m.longer(best, got)
		return true
	})
	return best
}

// longer returns got if it is longer than best and recent, and best otherwise. Another
// process, with another clock, may have written got.
func (m *Transactions) longer(best, got Row) Row {
	if cache.Within(m.now(), got.ended.Add(-m.skew), rowTime+2*m.skew) && got.Count > best.Count {
		return got
	}
	return best
}

// eachLost calls visit for each cookie in r of a sign-in that succeeded in this process, and
// whose answer should have removed the cookie.
func (m *Transactions) eachLost(r *http.Request, visit func(name string, lost Row)) {
	left := 2 * maxSlots // we never set more
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

// Ended records that a sign-in has succeeded, with the cookies that w sets.
func (m *Transactions) Ended(w http.ResponseWriter, t *Transaction) {
	size := 0
	for _, line := range w.Header()["Set-Cookie"] {
		size += len(line)
	}
	row := Row{Count: min(t.InRow+1, MaxInRow), ended: m.now(), Size: size}
	m.rows.Put(t.proof, row)
	m.cookie.Set(w, m.names.row, fmt.Sprintf("%d.%d.%d", row.Count, row.ended.Unix(), row.Size), rowTime)
}

// Arrived removes the cookie that Ended has set: the browser sent the session, so it was not
// lost. The cookie stays if it counts several sign-ins, because a page may ask for one more
// although the user is signed in. id is the session's ID, and created when its sign-in ended.
// This is done once for each session, so later requests cost nothing.
func (m *Transactions) Arrived(w http.ResponseWriter, r *http.Request, id string, created, now time.Time) {
	if !m.follows(created, now) || m.arrivals.Has(id, now) {
		return
	}
	m.arrivals.Add(id, created.Add(rowTime+2*m.skew), now)
	if m.Row(r).Count == 1 {
		m.cookie.Remove(w, m.names.row)
	}
}

// follows reports whether the sign-in of a session was moments ago.
func (m *Transactions) follows(created, now time.Time) bool {
	return cache.Within(now, created.Add(-m.skew), rowTime+m.skew)
}

// FollowsSession counts the sign-in of the browser's current session as one before t, if it
// was moments ago: Arrived has removed the cookie that counted it.
func (m *Transactions) FollowsSession(t *Transaction, created, now time.Time) {
	if t.InRow == 0 && m.follows(created, now) {
		t.InRow = 1
		t.State = m.seal(t)
	}
}

// ForgetRow resets the count, so that a browser may try again.
func (m *Transactions) ForgetRow(w http.ResponseWriter, r *http.Request) {
	m.cookie.Remove(w, m.names.row)
	m.eachLost(r, func(name string, _ Row) { m.cookie.Remove(w, name) })
}
