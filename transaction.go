package cognate

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// transactionLifetime is how long a person may take to sign in. Cognito's pages
	// give a prompt 5 minutes; signing up, with a code by e-mail, takes longer.
	transactionLifetime = 15 * time.Minute
	// transactionKept is how long the browser keeps it: who comes too late is led back to
	// the page that was asked for.
	transactionKept = time.Hour
	// A browser holds at most maxTransactions sign-ins that were begun and not
	// finished, of at most maxTransactionBytes in all: servers and proxies refuse
	// requests whose header grows beyond 8 KiB, and the session takes up to half of
	// that. The oldest give way.
	maxTransactions     = 8
	maxTransactionBytes = 7 << 9
	// maxForeign bounds how many cookies with a transaction's name are looked at.
	maxForeign = 50

	transactionFormat = 2
	// state, nonce and the transaction's part of the cookie name, in random bytes.
	stateSize, nonceSize = 24, 16
	transactionIDLength  = 11 // characters of the state, base64url: 66 bits
)

// A transaction is one sign-in under way, kept by the browser that began it: the
// values that tie the callback to it, and where to go afterwards. Each has a cookie of
// its own, so that tabs don't disturb each other.
type transaction struct {
	state    string
	nonce    string
	verifier string // code verifier (RFC 7636, 4.1)
	returnTo string
	appState string
	started  time.Time
	maxAge   int64    // seconds, or noMaxAge
	acr      []string // any, or one of these
	silent   bool
}

// newTransaction makes the random values. state and nonce are base64url: Cognito does
// not bring other characters back unchanged.
func newTransaction(l *loginRequest, now time.Time) *transaction {
	random := func(n int) string { return base64.RawURLEncoding.EncodeToString([]byte(randomBytes(n))) }
	return &transaction{
		state: random(stateSize), nonce: random(nonceSize), verifier: random(32), started: now.Truncate(time.Second),
		returnTo: l.returnTo, appState: l.appState, maxAge: l.maxAge, acr: l.acr, silent: l.silent(),
	}
}

func (t *transaction) encode() []byte {
	b := []byte{transactionFormat, map[bool]byte{true: 1}[t.silent]}
	for _, f := range []string{t.state, t.nonce, t.verifier, t.returnTo, t.appState} {
		b = appendString(b, f)
	}
	b = appendTime(b, t.started)
	b = binary.AppendUvarint(b, uint64(max(t.maxAge-noMaxAge, 0)))
	b = binary.AppendUvarint(b, uint64(len(t.acr)))
	for _, v := range t.acr {
		b = appendString(b, v)
	}
	return b
}

var errTransaction = errors.New("not an encoded transaction")

func decodeTransaction(data []byte) (*transaction, error) {
	d := decoder{data: data}
	if d.byte() != transactionFormat {
		return nil, errTransaction
	}
	silent := d.byte()
	t := &transaction{silent: silent == 1}
	for _, f := range []*string{&t.state, &t.nonce, &t.verifier, &t.returnTo, &t.appState} {
		*f = d.string()
	}
	t.started = d.time()
	age := d.uvarint()
	t.maxAge = int64(min(age, maxNumericDate)) + noMaxAge
	t.acr = d.strings()
	if !d.done() || silent > 1 || age > maxNumericDate || t.state == "" || t.nonce == "" || t.verifier == "" {
		return nil, errTransaction
	}
	return t, nil
}

// check refuses the claims of an ID token that say less than this sign-in asked for
// (OpenID Connect Core 1.0, 3.1.3.7, 12 and 13).
func (t *transaction) check(c claims, skew time.Duration) error {
	if t.maxAge != noMaxAge {
		at, ok, err := c.date("auth_time")
		oldest := t.started.Add(-time.Duration(t.maxAge)*time.Second - skew)
		if err != nil || !ok || at.Before(oldest) {
			return refuse(ReasonTokenAuthTime, "auth_time is missing, or more than max_age, %d seconds, before the sign-in",
				t.maxAge)
		}
	}
	acr, err := c.str("acr")
	if len(t.acr) > 0 && (err != nil || !slices.Contains(t.acr, acr)) {
		return refuse(ReasonTokenACR, "acr is %.100q, expected one of %q", acr, t.acr)
	}
	return nil
}

// transactions keeps sign-ins under way in the browser's cookies. It is safe for
// concurrent use.
type transactions struct {
	cookie cookieSpec
	sealer *sealer
	skew   time.Duration
	now    func() time.Time
	used   *usedCallbacks
}

func (m *transactions) prefix() string { return m.cookie.name + "-tx-" }

// name is the cookie name of the transaction with this state, or "" if state has not
// the form of one.
func (m *transactions) name(state string) string {
	raw, err := cookieEncoding.DecodeString(state)
	if err != nil || len(raw) != stateSize {
		return ""
	}
	return m.prefix() + state[:transactionIDLength]
}

// begin puts a transaction into the browser, and removes those that it has no room
// for. What the app wants back takes precedence over a page to return to that is so long
// that both don't fit; all else is bounded to less than half of maxTransactionBytes.
func (m *transactions) begin(w http.ResponseWriter, r *http.Request, t *transaction) {
	name := m.name(t.state)
	value := m.sealer.seal(name, t.encode())
	if len(value) > maxTransactionBytes {
		t.returnTo = ""
		value = m.sealer.seal(name, t.encode())
	}
	m.prune(w, r, len(value))
	m.cookie.set(w, name, value, transactionKept)
}

// prune removes cookies that hold no transaction or an old one, and then the oldest,
// until one more of the given size fits.
func (m *transactions) prune(w http.ResponseWriter, r *http.Request, size int) {
	type held struct {
		name    string
		size    int
		started time.Time
	}
	var kept []held
	room, now := maxForeign, m.now()
	eachCookie(r.Header, func(name, value string) bool {
		if !strings.HasPrefix(name, m.prefix()) {
			return true
		}
		room--
		if t := m.open(name, value); t != nil && !t.over(now) {
			started := t.started
			if t.early(now, m.skew) {
				started = time.Time{} // of no use for now: it gives way first
			}
			kept = append(kept, held{name, len(value), started})
			size += len(value)
		} else {
			m.cookie.remove(w, name)
		}
		return room > 0
	})
	slices.SortStableFunc(kept, func(a, b held) int { return a.started.Compare(b.started) })
	for len(kept) > 0 && (len(kept) >= maxTransactions || size > maxTransactionBytes) {
		m.cookie.remove(w, kept[0].name)
		size -= kept[0].size
		kept = kept[1:]
	}
}

// open returns what a transaction's cookie holds, or nil.
func (m *transactions) open(name, value string) *transaction {
	plaintext, _, err := m.sealer.open(name, value)
	if err != nil {
		return nil
	}
	t, err := decodeTransaction(plaintext)
	if err != nil {
		return nil
	}
	return t
}

// over tells whether a transaction's time has passed.
func (t *transaction) over(now time.Time) bool {
	return !now.Before(t.started.Add(transactionLifetime))
}

// early tells whether it begins in the future: this machine's clock, or that of the process
// that began it, is wrong by more than the skew.
func (t *transaction) early(now time.Time, skew time.Duration) bool {
	return t.started.After(now.Add(skew))
}

// find returns the transaction with this state, if the browser of r has it and nobody knows
// better; the name of its cookie, or "" if state has not the form of one; and how many there
// are of that name.
func (m *transactions) find(r *http.Request, state string) (name string, count int, t *transaction) {
	name = m.name(state)
	if name == "" {
		return "", 0, nil
	}
	value, count := findCookie(r.Header, name)
	if count == 1 {
		t = m.open(name, value)
	}
	if t != nil && !equal(t.state, state) {
		t = nil
	}
	return name, count, t
}

// finish takes the transaction that a callback's state belongs to out of the browser.
// Each can be had once. With an error it returns the transaction, too, if it is this
// browser's and this state's: it says which page was asked for.
func (m *transactions) finish(w http.ResponseWriter, r *http.Request, state string) (*transaction, error) {
	name, count, t := m.find(r, state)
	switch {
	case name == "":
		return nil, refuse(ReasonState, "state is missing or not one of ours")
	case count == 0:
		return nil, refuse(ReasonState, "this browser began no sign-in with this state")
	}
	now := m.now()
	if t != nil && t.early(now, m.skew) { // the cookie is good as soon as the clock is
		return t, refuse(ReasonExpired, "the sign-in begins in %s; compare this machine's clock with those of other processes",
			t.started.Sub(now).Round(time.Second))
	}
	var err error
	if t != nil && !t.over(now) {
		err = m.used.take(r.Context(), t, now)
		if e, ok := errors.AsType[*Error](err); ok && e.Reason == ReasonStoreDown {
			return t, err // nothing was done: another try may go well
		}
	}
	m.cookie.remove(w, name)
	switch {
	case count > 1:
		return nil, refuse(ReasonState, "%d cookies hold the sign-in", count)
	case t == nil:
		return nil, refuse(ReasonState, "the sign-in's cookie does not belong to this state")
	case t.over(now):
		return t, refuse(ReasonExpired, "the sign-in began %s ago", now.Sub(t.started).Round(time.Second))
	}
	return t, err
}

// forget removes all transactions from the browser, as signing out does.
func (m *transactions) forget(w http.ResponseWriter, r *http.Request) {
	room := maxForeign
	eachCookie(r.Header, func(name, _ string) bool {
		if strings.HasPrefix(name, m.prefix()) {
			m.cookie.remove(w, name)
			room--
		}
		return room > 0
	})
}
