package cognate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/seal"
)

const (
	// transactionLifetime is how long a person may take to sign in. Cognito's pages
	// give a prompt 5 minutes; signing up, with a code by e-mail, takes longer.
	transactionLifetime = 15 * time.Minute
	// maxSlots bounds the sign-ins under way in one browser: so many that began on this
	// site, and as many that another site's link or page began, which so can't throw out
	// the first. All their cookies together take at most maxTransactionBytes of the
	// request header: servers and proxies refuse one that grows beyond 8 KiB, and the
	// session takes up to half of that.
	maxSlots            = 24
	maxTransactionBytes = 4 << 10
	// maxForgotten bounds how many cookies one answer removes: proxies refuse answers
	// with some 4 KiB of headers.
	maxForgotten = 32

	transactionFormat = 3
	// maxState bounds the state, in characters: servers refuse request lines beyond 8 KiB.
	// That of a page with an address of 60 bytes has 180. Cognito puts it into a state of its
	// own where it sends people on to another provider.
	maxState = 3200
	// secretSize is the entropy of a code verifier (RFC 7636, 7.1), in bytes; nonceSize
	// and proofSize are those of what is made of it.
	secretSize, nonceSize, proofSize = 32, 16, 12
)

// A transaction is one sign-in under way. What it takes to end it travels in its state,
// sealed: so it is of the same use however long the person takes and whatever became of the
// cookie, if only to say which page was asked for. The cookie is the proof that this browser
// began it, and is small, so that a browser may begin many.
type transaction struct {
	state string // what follows, sealed

	secret   string // what the next three are made of
	nonce    string
	verifier string // code verifier (RFC 7636, 4.1)
	proof    string // the cookie's value

	slot     int // which cookie
	returnTo string
	appState string
	started  time.Time
	maxAge   int64    // seconds, or noMaxAge
	acr      []string // any, or one of these
	silent   bool
	inRow    int     // how many sign-ins came right before this one; see row
	began    address // where
}

// An address is what a browser tells one cookie jar from another by, as far as a request
// shows it: a hash of the host, and whether the connection is one that browsers trust.
type address struct {
	host   string
	secure bool
}

// addressOf is where the browser sees this app. Browsers send Fetch Metadata over https and
// on loopback alone (Fetch Metadata, 2), also through a proxy that ends TLS.
func addressOf(r *http.Request) address {
	sum := sha256.Sum256([]byte(strings.ToLower(r.Host)))
	return address{string(sum[:4]), r.TLS != nil || r.Header.Get("Sec-Fetch-Site") != ""}
}

// derive makes the values of the secret that others see. None tells anything of another.
func (t *transaction) derive() {
	of := func(purpose string, n int) []byte {
		mac := hmac.New(sha256.New, []byte(t.secret))
		mac.Write([]byte(purpose))
		return mac.Sum(nil)[:n]
	}
	t.nonce = base64.RawURLEncoding.EncodeToString(of("nonce", nonceSize))
	t.verifier = base64.RawURLEncoding.EncodeToString(of("code verifier", sha256.Size))
	t.proof = base64.RawURLEncoding.EncodeToString(append(stamp(t.started), of("cookie", proofSize)...))
}

// stamp is a time as proofs begin with it, so that the oldest cookie gives way.
func stamp(at time.Time) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(min(max(at.Unix(), 0), 1<<32-1)))
}

const (
	flagSilent = 1 << 0
	flagSecure = 1 << 1
)

func (t *transaction) encode() []byte {
	flags := byte(0)
	if t.silent {
		flags |= flagSilent
	}
	if t.began.secure {
		flags |= flagSecure
	}
	b := []byte{transactionFormat, flags, byte(t.slot), byte(t.inRow)} //nolint:gosec // both are small
	for _, f := range []string{t.secret, t.began.host, t.returnTo, t.appState} {
		b = seal.AppendString(b, f)
	}
	b = seal.AppendTime(b, t.started)
	b = binary.AppendUvarint(b, uint64(max(t.maxAge-noMaxAge, 0)))
	b = binary.AppendUvarint(b, uint64(len(t.acr)))
	for _, v := range t.acr {
		b = seal.AppendString(b, v)
	}
	return b
}

var errTransaction = errors.New("not an encoded transaction")

func decodeTransaction(data []byte) (*transaction, error) {
	d := seal.NewDecoder(data)
	if d.Byte() != transactionFormat {
		return nil, errTransaction
	}
	flags := d.Byte()
	t := &transaction{silent: flags&flagSilent != 0, slot: int(d.Byte()), inRow: int(d.Byte())}
	t.began.secure = flags&flagSecure != 0
	for _, f := range []*string{&t.secret, &t.began.host, &t.returnTo, &t.appState} {
		*f = d.String()
	}
	t.started = d.Time()
	age := d.Uvarint()
	t.maxAge = int64(min(age, seal.MaxSeconds)) + noMaxAge
	t.acr = d.Strings()
	if !d.Done() || flags > flagSilent|flagSecure || age > seal.MaxSeconds || len(t.secret) != secretSize {
		return nil, errTransaction
	}
	t.derive()
	return t, nil
}

// transactions keeps sign-ins under way in the browser. It is safe for concurrent use.
type transactions struct {
	cookie cookie.Spec
	names  transactionNames
	sealer *seal.Sealer
	skew   time.Duration
	now    func() time.Time
	// next is the slot that is tried first: tabs that are opened at once bring no cookie
	// along, and get one each.
	next atomic.Uint32
	used *usedCallbacks
	// abandoned holds, by the cookie's value, the sign-ins during which the browser signed
	// out. Their callbacks may be under way.
	abandoned *cache.Set
	// arrivals holds the sessions, by their IDs, whose first request has come; see arrived.
	arrivals *cache.Set
	// rows holds, by the cookie's value, the sign-ins that ended well here.
	rows *cache.Cache[row]
}

// transactionNames are what the names of the cookies begin with, and the name of row's.
type transactionNames struct{ prefix, row string }

func newTransactionNames(spec cookie.Spec) transactionNames {
	prefix := spec.Name + "-tx-"
	return transactionNames{prefix, prefix + "row"}
}

// slots is how many sign-ins of one kind there is room for.
func (m *transactions) slots() int {
	size := len(m.name(0)) + len("=; ") + base64.RawURLEncoding.EncodedLen(len(stamp(time.Time{}))+proofSize)
	return min(maxSlots, maxTransactionBytes/size/2)
}

// name is the name of a slot's cookie. There are few names: however many sign-ins begin at
// the same moment, none of which knows of another, their answers write over each other.
func (m *transactions) name(slot int) string { return fmt.Sprintf("%s%02d", m.names.prefix, slot) }

// start makes a sign-in that has not begun yet.
func (m *transactions) start(r *http.Request, l *loginRequest, foreign bool) *transaction {
	t := &transaction{
		secret: seal.Random(secretSize), slot: m.room(r, foreign), started: m.now().Truncate(time.Second), began: addressOf(r),
		returnTo: l.returnTo, appState: l.appState, maxAge: l.maxAge, acr: l.acr, silent: l.silent(), inRow: m.row(r).count,
	}
	t.derive()
	t.state = m.seal(t)
	if path, _, long := strings.Cut(t.returnTo, "?"); len(t.state) > maxState && long {
		t.returnTo = path
		t.state = m.seal(t)
	}
	if len(t.state) > maxState {
		t.returnTo = "" // all else is bounded, and fits
		t.state = m.seal(t)
	}
	return t
}

// stateName is what states are sealed under. The cookie's name is in it: a sign-in that one
// Auth began does not end at another of the same client that asks more of it, although the
// visitor can give the cookie any name.
func (m *transactions) stateName() string { return m.names.prefix + "state" }

// seal makes a state: base64url, because Cognito does not bring other characters back
// unchanged.
func (m *transactions) seal(t *transaction) string { return m.sealer.Seal(m.stateName(), t.encode()) }

// open returns what a state of ours holds, or nil.
func (m *transactions) open(state string) *transaction {
	plaintext, _, err := m.sealer.Open(m.stateName(), state)
	if err != nil {
		return nil
	}
	t, err := decodeTransaction(plaintext)
	if err != nil {
		return nil
	}
	t.state = state
	return t
}

// room is the slot for one more sign-in: one that is free, or the oldest.
func (m *transactions) room(r *http.Request, foreign bool) int {
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

// begin gives the browser the cookie of a sign-in.
func (m *transactions) begin(w http.ResponseWriter, t *transaction) {
	m.cookie.Set(w, m.name(t.slot), t.proof, transactionLifetime)
}

// live reports whether a sign-in that began then is still under way.
func (m *transactions) live(started time.Time) bool {
	return cache.Within(m.now(), started.Add(-m.skew), transactionLifetime+m.skew)
}

// over reports whether a transaction's time has passed.
func (t *transaction) over(now time.Time) bool {
	return !now.Before(t.started.Add(transactionLifetime))
}

// early reports whether it begins in the future: this machine's clock, or that of the process
// that began it, is wrong by more than the skew.
func (t *transaction) early(now time.Time, skew time.Duration) bool {
	return t.started.After(now.Add(skew))
}

// finish takes the sign-in that a callback's state belongs to out of the browser. Each can
// be had once. With an error, the transaction says what the sign-in was for, or is nil.
func (m *transactions) finish(w http.ResponseWriter, r *http.Request, state string) (*transaction, error) {
	t := m.open(state)
	if t == nil {
		return nil, refusal.New(refusal.State, "state is missing or not one of ours")
	}
	now := m.now()
	if t.early(now, m.skew) { // the cookie is good as soon as the clock is
		return t, refusal.New(refusal.Expired, "the sign-in begins in %s; compare this machine's clock with those of other processes",
			t.started.Sub(now).Round(time.Second))
	}
	value, count := cookie.Find(r.Header, m.name(t.slot))
	mine := count == 1 && equal(value, t.proof)
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
		return t, refusal.New(refusal.Expired, "the sign-in began %s ago", now.Sub(t.started).Round(time.Second))
	case count > 1:
		return t, refusal.New(refusal.CookieTwice, "%d cookies hold the sign-in", count)
	case !mine && m.elsewhere(r, t):
		return t, refusal.New(refusal.OtherAddress, "the sign-in began under another host than %.200q, or over plain http", r.Host)
	case !mine:
		return t, refusal.New(refusal.State, "this browser has no cookie of the sign-in: it began in another browser, "+
			"was thrown out by later ones, or cookies are blocked")
	}
	return t, err
}

// elsewhere reports whether a sign-in began at another address of this app than the one where
// it ends, so that its cookie stayed there. A proxy may change what is seen here, but does
// so for both.
func (m *transactions) elsewhere(r *http.Request, t *transaction) bool {
	here := addressOf(r)
	return t.began.host != here.host || m.cookie.Secure() && here.secure && !t.began.secure
}

// awaits reports whether a state is of a sign-in whose cookie did not come along: browsers
// keep a cookie that is SameSite=Lax from a form that another site sends (RFC 6265bis,
// 5.7.3).
func (m *transactions) awaits(r *http.Request, state string) bool {
	t := m.open(state)
	if t == nil || !m.live(t.started) {
		return false
	}
	_, count := cookie.Find(r.Header, m.name(t.slot))
	return count == 0
}

// forget removes all transactions from the browser, as signing out does, and abandons those
// whose callback has come already.
func (m *transactions) forget(w http.ResponseWriter, r *http.Request) {
	room, now := maxForgotten, m.now()
	cookie.Each(r.Header, func(name, value string) bool {
		if strings.HasPrefix(name, m.names.prefix) {
			m.cookie.Remove(w, name)
			if at := proofTime(value); m.live(at) {
				m.abandoned.Add(strings.Clone(value), at.Add(transactionLifetime+m.skew), now)
			}
			room--
		}
		return room > 0
	})
}
