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
	// maxSlots bounds the sign-ins under way in one browser that began on this site. As many
	// again may be begun by other sites' pages and links, which so can't replace the first
	// ones. All cookies together take at most maxCookieBytes of the request header: servers
	// and proxies refuse headers beyond 8 KiB, and the session takes up to half of that.
	maxSlots       = 24
	maxCookieBytes = 4 << 10
	// maxForgotten bounds how many cookies one answer removes: proxies refuse answers
	// with about 4 KiB of headers.
	maxForgotten = 32
	// maxState bounds the state, in characters: servers refuse request lines beyond 8 KiB.
	// With a return URL of 60 bytes the state has 180. Cognito embeds it in its own state
	// when it redirects to another provider.
	maxState = 3200
	// maxAbandoned bounds how many abandoned sign-ins are remembered.
	maxAbandoned = 100_000
)

// Config configures Transactions.
type Config struct {
	// Keys seal the states. Bound names the provider and the client they are sealed for.
	Keys  seal.Keys
	Bound string
	// Cookie has the attributes of the cookies and the prefix of their names.
	Cookie cookie.Spec
	// Store shares with all processes which callbacks were used. If it is nil, each process
	// knows only its own.
	Store *record.Store
	// Skew is how much the clocks of two machines may differ, and MaxSkew the largest Skew
	// that any process of the app may be configured with.
	Skew, MaxSkew time.Duration
	// RequestTime bounds a request to the provider.
	RequestTime time.Duration
	// ReturnTo returns its argument if it is an allowed return target, and otherwise another
	// page. What is allowed may have changed since the sign-in began.
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
	// next is the slot to try first. Tabs that open at the same time send no cookies yet, and
	// so get different slots.
	next atomic.Uint32
	used *usedCallbacks
	// abandoned holds, by cookie value, the sign-ins during which the browser signed out.
	// Their callbacks may still be under way.
	abandoned *cache.Set
	// arrivals holds the IDs of sessions whose first request has arrived; see Arrived.
	arrivals *cache.Set
	// rows holds, by cookie value, the sign-ins that succeeded in this process.
	rows *cache.Cache[Row]
}

// New returns the Transactions of an app.
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

// names has the prefix of the names of all cookies, and the name of the row cookie.
type names struct{ prefix, row string }

func newNames(spec cookie.Spec) names {
	prefix := spec.Name + "-tx-"
	return names{prefix, prefix + "row"}
}

// Names reports whether a cookie with that name would be taken for that of a sign-in.
func (m *Transactions) Names(name string) bool { return strings.HasPrefix(name, m.names.prefix) }

// slots returns the number of slots for sign-ins that this site began, or that others did.
func (m *Transactions) slots() int {
	size := len(m.name(0)) + len("=; ") + base64.RawURLEncoding.EncodedLen(len(stamp(time.Time{}))+proofSize)
	return min(maxSlots, maxCookieBytes/size/2)
}

// name returns the name of a slot's cookie. The number of names is fixed, so if very many
// sign-ins begin at the same moment they overwrite each other's cookies, and the browser
// never has too many.
func (m *Transactions) name(slot int) string { return fmt.Sprintf("%s%02d", m.names.prefix, slot) }

// Start returns a new sign-in, which [Transactions.Begin] begins. foreign says that another
// site caused it.
func (m *Transactions) Start(r *http.Request, request Request, foreign bool) *Transaction {
	t := &Transaction{
		Request: request, secret: seal.Random(secretSize), slot: m.chooseSlot(r, foreign),
		Started: m.now().Truncate(time.Second), began: addressOf(r), InRow: m.Row(r).Count,
	}
	t.derive()
	t.State = m.seal(t)
	if path, _, long := strings.Cut(t.ReturnTo, "?"); len(t.State) > maxState && long {
		t.ReturnTo = path
		t.State = m.seal(t)
	}
	if len(t.State) > maxState {
		t.ReturnTo = "" // everything else is bounded, and fits
		t.State = m.seal(t)
	}
	return t
}

// stateName returns the name that states are sealed under. It includes the cookie's name, so
// that a sign-in that one Auth began can't be finished at another Auth of the same client,
// which may require more, even if the visitor renames the cookie.
func (m *Transactions) stateName() string { return m.names.prefix + "state" }

// seal returns the state, in base64url, because Cognito does not return other characters
// unchanged.
func (m *Transactions) seal(t *Transaction) string { return m.sealer.Seal(m.stateName(), t.encode()) }

// Open returns the transaction in a state, or nil if the state is not one of ours.
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

// chooseSlot returns the slot for a new sign-in: a free one, or that of the oldest sign-in.
func (m *Transactions) chooseSlot(r *http.Request, foreign bool) int {
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
			if started := proofTime(value); m.underWay(started) {
				taken[slot] = started
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

// proofTime returns when the sign-in of a cookie began, or the zero time if the value is not
// a proof.
func proofTime(value string) time.Time {
	raw, err := seal.Encoding.DecodeString(value)
	if err != nil || len(raw) != len(stamp(time.Time{}))+proofSize {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint32(raw)), 0)
}

// Begin sets the cookie of a sign-in.
func (m *Transactions) Begin(w http.ResponseWriter, t *Transaction) {
	m.cookie.Set(w, m.name(t.slot), t.proof, lifetime)
}

// underWay reports whether a sign-in with this start may still be under way.
func (m *Transactions) underWay(started time.Time) bool {
	return cache.Within(m.now(), started.Add(-m.skew), lifetime+m.skew)
}

// Finish returns the sign-in that a callback's state belongs to, and removes its cookie. Each
// sign-in can be finished only once. With an error, Finish also returns the transaction, to
// say what the sign-in was for, unless the state is not one of ours.
func (m *Transactions) Finish(w http.ResponseWriter, r *http.Request, state string) (*Transaction, error) {
	t := m.Open(state)
	switch {
	case t == nil && state == "":
		return nil, refusal.New(refusal.State, "there is no state: this is not the end of a sign-in")
	case t == nil:
		return nil, refusal.New(refusal.State, "state was not made with this app's keys: it is forged, or it was made "+
			"by a process with other Config.Keys, or without any and before the last start")
	}
	now := m.now()
	if t.fromFuture(now, m.skew) { // keep the cookie: it is valid as soon as the clock is right
		return t, refusal.New(refusal.Expired, "the sign-in begins in %s; compare this machine's clock with "+
			"those of other processes",
			t.Started.Sub(now).Round(time.Second))
	}
	value, count := cookie.Find(r.Header, m.name(t.slot))
	proved := count == 1 && subtle.ConstantTimeCompare([]byte(value), []byte(t.proof)) == 1
	var err error
	if proved && !t.expired(now) {
		err = m.used.claim(r.Context(), t, now)
		if refusal.Of(err) == refusal.StoreDown {
			return t, err // nothing was done, so another try may succeed
		}
	}
	if proved || count > 1 { // otherwise another sign-in may have the slot by now
		m.cookie.Remove(w, m.name(t.slot))
	}
	switch {
	case t.expired(now):
		return t, refusal.New(refusal.Expired, "the sign-in began %s ago", now.Sub(t.Started).Round(time.Second))
	case count > 1:
		return t, refusal.New(refusal.CookieTwice, "the browser sent %d cookies for the sign-in, expected one", count)
	case !proved && m.otherAddress(r, t):
		return t, refusal.New(refusal.OtherAddress, "the sign-in began at %s, and ends at %.200q: the browser keeps "+
			"separate cookies for the two", t.began.describe(r.Host), r.Host)
	case !proved:
		return t, refusal.New(refusal.State, "this browser has no cookie for the sign-in: "+
			"it began in another browser, was replaced by later ones, or cookies are blocked")
	}
	return t, err
}

// otherAddress reports whether a sign-in began at another address of this app, so that the
// browser does not send its cookie here. A proxy may change the address that is seen here,
// but does so for both requests.
func (m *Transactions) otherAddress(r *http.Request, t *Transaction) bool {
	here := addressOf(r)
	return t.began.host != here.host || m.cookie.Secure() && here.secure && !t.began.secure
}

// Awaits reports whether a state belongs to a sign-in under way whose cookie is missing from
// the request: browsers do not send SameSite=Lax cookies with a form from another site (RFC
// 6265bis, 5.7.3).
func (m *Transactions) Awaits(r *http.Request, state string) bool {
	t := m.Open(state)
	if t == nil || !m.underWay(t.Started) {
		return false
	}
	_, count := cookie.Find(r.Header, m.name(t.slot))
	return count == 0
}

// Forget removes the cookies of all sign-ins, for signing out, and abandons the sign-ins:
// their callbacks may already be under way.
func (m *Transactions) Forget(w http.ResponseWriter, r *http.Request) {
	left, now := maxForgotten, m.now()
	cookie.Each(r.Header, func(name, value string) bool {
		if strings.HasPrefix(name, m.names.prefix) {
			m.cookie.Remove(w, name)
			if started := proofTime(value); m.underWay(started) {
				m.abandoned.Add(strings.Clone(value), started.Add(lifetime+m.skew), now)
			}
			left--
		}
		return left > 0
	})
}

// Abandoned reports whether the browser has signed out since the sign-in began.
func (m *Transactions) Abandoned(t *Transaction) bool { return m.abandoned.Has(t.proof, m.now()) }
