package transaction

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/record"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/seal"
)

const (
	// maxSlots bounds the sign-ins under way in one browser: so many that began on this
	// site, and as many that another site's link or page began, which so can't throw out
	// the first. All their cookies together take at most maxCookieBytes of the request
	// header: servers and proxies refuse one that grows beyond 8 KiB, and the session takes
	// up to half of that.
	maxSlots       = 24
	maxCookieBytes = 4 << 10
	// maxForgotten bounds how many cookies one answer removes: proxies refuse answers
	// with some 4 KiB of headers.
	maxForgotten = 32
	// maxState bounds the state, in characters: servers refuse request lines beyond 8 KiB.
	// That of a page with an address of 60 bytes has 180. Cognito puts it into a state of its
	// own where it sends people on to another provider.
	maxState = 3200
	// maxAbandoned bounds how many sign-ins are remembered that must not end any more.
	maxAbandoned = 100_000
)

// Config says whose sign-ins they are.
type Config struct {
	// Keys seal the states, for what Bound names: a provider and a client.
	Keys  seal.Keys
	Bound string
	// Cookie is how their cookies look, and how their names begin.
	Cookie cookie.Spec
	// Store remembers for all processes which callbacks were used; nil is for this one alone.
	Store *record.Store
	// Skew is by how much the clocks of two machines may differ, and MaxSkew by how much at
	// most in any process of the app.
	Skew, MaxSkew time.Duration
	// RequestTime bounds a request to the provider.
	RequestTime time.Duration
	// ReturnTo makes any text a page that can be returned to. Rules may have changed since the
	// sign-in began.
	ReturnTo func(string) string
	// Now is the clock.
	Now func() time.Time
}

// Transactions are the sign-ins under way of one app, in its visitors' browsers. They are safe
// for concurrent use.
type Transactions struct {
	cookie cookie.Spec
	names  names
	sealer *seal.Sealer
	skew   time.Duration
	// returnTo is Config.ReturnTo.
	returnTo func(string) string
	now      func() time.Time
	// next is the slot that is tried first: tabs that are opened at once bring no cookie
	// along, and get one each.
	next atomic.Uint32
	used *usedCallbacks
	// abandoned holds, by the cookie's value, the sign-ins during which the browser signed
	// out. Their callbacks may be under way.
	abandoned *cache.Set
	// arrivals holds the sessions, by their IDs, whose first request has come; see Arrived.
	arrivals *cache.Set
	// rows holds, by the cookie's value, the sign-ins that ended well here.
	rows *cache.Cache[Row]
}

// New makes the sign-ins of an app.
func New(c Config) (*Transactions, error) {
	sealer, err := seal.New(c.Keys, "transaction", c.Bound, maxState)
	if err != nil {
		return nil, err
	}
	m := &Transactions{
		cookie: c.Cookie, names: newNames(c.Cookie), sealer: sealer,
		skew: c.Skew, returnTo: c.ReturnTo, now: c.Now,
		used:      newUsedCallbacks(c),
		abandoned: cache.NewSet(maxAbandoned), arrivals: cache.NewSet(maxOutcomes), rows: cache.New[Row](maxOutcomes),
	}
	m.next.Store(rand.Uint32()) //nolint:gosec // no secret: processes begin at different slots
	return m, nil
}

// names are what the names of the cookies begin with, and the name of the row's.
type names struct{ prefix, row string }

func newNames(spec cookie.Spec) names {
	prefix := spec.Name + "-tx-"
	return names{prefix, prefix + "row"}
}

// Names reports whether a cookie of that name would be taken for one of a sign-in.
func (m *Transactions) Names(name string) bool { return strings.HasPrefix(name, m.names.prefix) }

// slots is how many sign-ins of one kind there is room for.
func (m *Transactions) slots() int {
	size := len(m.name(0)) + len("=; ") + base64.RawURLEncoding.EncodedLen(len(stamp(time.Time{}))+proofSize)
	return min(maxSlots, maxCookieBytes/size/2)
}

// name is the name of a slot's cookie. There are few names: however many sign-ins begin at
// the same moment, none of which knows of another, their answers write over each other.
func (m *Transactions) name(slot int) string { return fmt.Sprintf("%s%02d", m.names.prefix, slot) }

// Start makes a sign-in that has not begun yet. foreign tells that another site caused it.
func (m *Transactions) Start(r *http.Request, asked Request, foreign bool) *Transaction {
	t := &Transaction{
		Request: asked, secret: seal.Random(secretSize), slot: m.room(r, foreign),
		Started: m.now().Truncate(time.Second), began: addressOf(r), InRow: m.Row(r).Count,
	}
	t.derive()
	t.State = m.seal(t)
	if path, _, long := strings.Cut(t.ReturnTo, "?"); len(t.State) > maxState && long {
		t.ReturnTo = path
		t.State = m.seal(t)
	}
	if len(t.State) > maxState {
		t.ReturnTo = "" // all else is bounded, and fits
		t.State = m.seal(t)
	}
	return t
}

// stateName is what states are sealed under. The cookie's name is in it: a sign-in that one
// Auth began does not end at another of the same client that asks more of it, although the
// visitor can give the cookie any name.
func (m *Transactions) stateName() string { return m.names.prefix + "state" }

// seal makes a state: base64url, because Cognito does not bring other characters back
// unchanged.
func (m *Transactions) seal(t *Transaction) string { return m.sealer.Seal(m.stateName(), t.encode()) }

// Open returns what a state of ours holds, or nil.
func (m *Transactions) Open(state string) *Transaction {
	plaintext, _, err := m.sealer.Open(m.stateName(), state)
	if err != nil {
		return nil
	}
	t, err := decode(plaintext)
	if err != nil {
		return nil
	}
	t.State, t.ReturnTo = state, m.returnTo(t.ReturnTo)
	return t
}

// room is the slot for one more sign-in: one that is free, or the oldest.
func (m *Transactions) room(r *http.Request, foreign bool) int {
	slots := m.slots()
	first := 0
	if foreign {
		first = slots
	}
	var taken [2 * maxSlots]time.Time
	cookie.Each(r.Header, func(name, value string) bool {
		number, ok := strings.CutPrefix(name, m.names.prefix)
		slot, err := strconv.ParseUint(number, 10, 8)
		if ok && err == nil && slot < uint64(len(taken)) {
			if at := proofTime(value); m.live(at) {
				taken[slot] = at
			}
		}
		return true
	})
	offset := int(m.next.Add(1) % uint32(slots)) //nolint:gosec // a small number
	best := first + offset
	for i := range slots {
		slot := first + (offset+i)%slots
		if taken[slot].Before(taken[best]) {
			best = slot
		}
	}
	return best
}

// proofTime is when the sign-in of a cookie began; the zero time for what is no proof.
func proofTime(value string) time.Time {
	raw, err := seal.Encoding.DecodeString(value)
	if err != nil || len(raw) != len(stamp(time.Time{}))+proofSize {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint32(raw)), 0)
}

// Begin gives the browser the cookie of a sign-in.
func (m *Transactions) Begin(w http.ResponseWriter, t *Transaction) {
	m.cookie.Set(w, m.name(t.slot), t.proof, lifetime)
}

// live reports whether a sign-in that began then is still under way.
func (m *Transactions) live(started time.Time) bool {
	return cache.Within(m.now(), started.Add(-m.skew), lifetime+m.skew)
}

// Finish takes the sign-in that a callback's state belongs to out of the browser. Each can
// be had once. With an error, the transaction says what the sign-in was for, or is nil.
func (m *Transactions) Finish(w http.ResponseWriter, r *http.Request, state string) (*Transaction, error) {
	t := m.Open(state)
	if t == nil {
		return nil, refusal.New(refusal.State, "state is missing or not one of ours")
	}
	now := m.now()
	if t.early(now, m.skew) { // the cookie is good as soon as the clock is
		return t, refusal.New(refusal.Expired, "the sign-in begins in %s; compare this machine's clock with "+
			"those of other processes",
			t.Started.Sub(now).Round(time.Second))
	}
	value, count := cookie.Find(r.Header, m.name(t.slot))
	mine := count == 1 && subtle.ConstantTimeCompare([]byte(value), []byte(t.proof)) == 1
	var err error
	if mine && !t.over(now) {
		err = m.used.take(r.Context(), t, now)
		if refusal.Of(err) == refusal.StoreDown {
			return t, err // nothing was done: another try may go well
		}
	}
	if mine || count > 1 { // another sign-in may have the slot by now
		m.cookie.Remove(w, m.name(t.slot))
	}
	switch {
	case t.over(now):
		return t, refusal.New(refusal.Expired, "the sign-in began %s ago", now.Sub(t.Started).Round(time.Second))
	case count > 1:
		return t, refusal.New(refusal.CookieTwice, "%d cookies hold the sign-in", count)
	case !mine && m.elsewhere(r, t):
		return t, refusal.New(refusal.OtherAddress, "the sign-in began under another host than %.200q, "+
			"or over plain http", r.Host)
	case !mine:
		return t, refusal.New(refusal.State, "this browser has no cookie of the sign-in: it began in another browser, "+
			"was thrown out by later ones, or cookies are blocked")
	}
	return t, err
}

// elsewhere reports whether a sign-in began at another address of this app than the one where
// it ends, so that its cookie stayed there. A proxy may change what is seen here, but does
// so for both.
func (m *Transactions) elsewhere(r *http.Request, t *Transaction) bool {
	here := addressOf(r)
	return t.began.host != here.host || m.cookie.Secure() && here.secure && !t.began.secure
}

// Awaits reports whether a state is of a sign-in whose cookie did not come along: browsers
// keep a cookie that is SameSite=Lax from a form that another site sends (RFC 6265bis,
// 5.7.3).
func (m *Transactions) Awaits(r *http.Request, state string) bool {
	t := m.Open(state)
	if t == nil || !m.live(t.Started) {
		return false
	}
	_, count := cookie.Find(r.Header, m.name(t.slot))
	return count == 0
}

// Forget removes all transactions from the browser, as signing out does, and abandons those
// whose callback has come already.
func (m *Transactions) Forget(w http.ResponseWriter, r *http.Request) {
	room, now := maxForgotten, m.now()
	cookie.Each(r.Header, func(name, value string) bool {
		if strings.HasPrefix(name, m.names.prefix) {
			m.cookie.Remove(w, name)
			if at := proofTime(value); m.live(at) {
				m.abandoned.Add(strings.Clone(value), at.Add(lifetime+m.skew), now)
			}
			room--
		}
		return room > 0
	})
}

// Abandoned reports whether the browser has signed out since the sign-in began.
func (m *Transactions) Abandoned(t *Transaction) bool { return m.abandoned.Has(t.proof, m.now()) }
