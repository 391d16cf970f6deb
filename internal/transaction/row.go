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
	// MaxInRow is how many sign-ins may follow each other. A page that asks for a second
	// one, to have the password typed again, makes two.
	MaxInRow = 3
	// rowTime is how soon after the end of a sign-in the next one is taken to follow it: a
	// browser needs one round trip, and a person more.
	rowTime = 20 * time.Second
)

// A Row is sign-ins that followed each other.
type Row struct {
	// Count is how many there were.
	Count int
	// Size is that of the cookies which the last one set, in bytes.
	Size int

	at time.Time // when the last one ended
}

// Row returns the sign-ins in a row that a request comes right after. The cookie is not
// sealed, so that processes whose keys differ understand each other: who changes it cheats
// nobody but themselves. Of several of one name the highest counts.
func (m *Transactions) Row(r *http.Request) (best Row) {
	m.eachLost(r, func(_ string, lost Row) { best = m.later(best, lost) })
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
		ended := time.Unix(int64(v[1]), 0)                                                     //nolint:gosec // 32 bits
		best = m.later(best, Row{Count: int(min(v[0], MaxInRow)), Size: int(v[2]), at: ended}) //nolint:gosec // 32 bits
		return true
	})
	return best
}

// later is the row that counts: got, if it is longer and not long ago. Another process, with
// another clock, may have written it.
func (m *Transactions) later(best, got Row) Row {
	if cache.Within(m.now(), got.at.Add(-m.skew), rowTime+2*m.skew) && got.Count > best.Count {
		return got
	}
	return best
}

// eachLost calls visit for each cookie of a sign-in that ended well here.
func (m *Transactions) eachLost(r *http.Request, visit func(name string, lost Row)) {
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

// Ended writes down that a sign-in has ended well, with the cookies that w sets.
func (m *Transactions) Ended(w http.ResponseWriter, t *Transaction) {
	size := 0
	for _, line := range w.Header()["Set-Cookie"] {
		size += len(line)
	}
	now := Row{Count: min(t.InRow+1, MaxInRow), at: m.now(), Size: size}
	m.rows.Put(t.proof, now)
	m.cookie.Set(w, m.names.row, fmt.Sprintf("%d.%d.%d", now.Count, now.at.Unix(), now.Size), rowTime)
}

// Arrived removes the cookie of Ended: the session came back, so it is not lost. One of
// several sign-ins in a row stays, because a page may ask for one more although somebody is
// signed in. The session is known by its ID and when its sign-in ended. It is done once for
// each: later requests cost nothing.
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

// FollowsSession makes t the next sign-in in a row if the session that the browser brings is of
// moments ago: Arrived has removed the cookie that says so.
func (m *Transactions) FollowsSession(t *Transaction, created, now time.Time) {
	if t.InRow == 0 && m.follows(created, now) {
		t.InRow = 1
		t.State = m.seal(t)
	}
}

// ForgetRow lets a browser try again from the beginning.
func (m *Transactions) ForgetRow(w http.ResponseWriter, r *http.Request) {
	m.cookie.Remove(w, m.names.row)
	m.eachLost(r, func(name string, _ Row) { m.cookie.Remove(w, name) })
}
