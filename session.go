package cognate

import (
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// maxCookieValue bounds a cookie value that is looked at, in bytes. Browsers
	// keep cookies of at most 4,096 bytes, name and attributes included (RFC 6265,
	// 6.1); what this package sets stays below maxSealed.
	maxCookieValue = 4096
	maxSealed      = 3800
	// sessionFormat is the first byte of an encoded session.
	sessionFormat = 1
	// maxEnded bounds how many signed-out sessions are remembered.
	maxEnded = 100_000
)

// A session is a sign-in as the browser's cookie holds it: the identity and three
// dates, no token. It is never changed once made.
type session struct {
	id      string    // 16 random bytes
	created time.Time // sign-in
	seen    time.Time // last time the cookie was written
	expires time.Time // absolute end
	user    *User
	oldKey  bool // sealed with a key that is not the newest
}

var errSession = errors.New("not an encoded session")

// encode packs a session: a format byte, then fields of fixed order, strings with
// their length in front. A session of a Cognito user takes some 150 bytes, a third of
// its JSON. The issuer is not in it: the seal is bound to it.
func (s *session) encode() []byte {
	u := s.user
	b := make([]byte, 0, 256)
	b = append(b, sessionFormat)
	b = appendString(b, s.id)
	for _, t := range []time.Time{s.created, s.seen, s.expires, u.AuthTime} {
		b = appendTime(b, t)
	}
	for _, f := range []string{u.Subject, u.Username, u.Email, u.Name} {
		b = appendString(b, f)
	}
	b = append(b, map[bool]byte{true: 1}[u.EmailVerified])
	b = binary.AppendUvarint(b, uint64(len(u.Groups)))
	for _, g := range u.Groups {
		b = appendString(b, g)
	}
	b = binary.AppendUvarint(b, uint64(len(u.extra)))
	for _, name := range sortedNames(u.extra) {
		b = appendString(appendString(b, name), string(u.extra[name]))
	}
	return b
}

func sortedNames(c claims) []string {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendTime writes seconds since 1970; the zero time, like all before, is 0.
func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(b, uint64(max(t.Unix(), 0)))
}

// decodeSession is the inverse of encode and accepts nothing else.
func decodeSession(data []byte) (*session, error) {
	d := decoder{data: data}
	if d.byte() != sessionFormat {
		return nil, errSession
	}
	u := &User{}
	s := &session{id: d.string(), user: u}
	for _, t := range []*time.Time{&s.created, &s.seen, &s.expires, &u.AuthTime} {
		*t = d.time()
	}
	for _, f := range []*string{&u.Subject, &u.Username, &u.Email, &u.Name} {
		*f = d.string()
	}
	switch d.byte() {
	case 0:
	case 1:
		u.EmailVerified = true
	default:
		d.bad = true
	}
	for range d.count() {
		u.Groups = append(u.Groups, d.string())
	}
	for range d.count() {
		if u.extra == nil {
			u.extra = make(claims)
		}
		name := d.string()
		u.extra[name] = []byte(d.string())
	}
	if d.bad || len(d.data) != 0 || u.Subject == "" || len(s.id) != sessionIDSize {
		return nil, errSession
	}
	return s, nil
}

// A decoder reads what encode writes. After the first mistake it is bad and returns
// zeros.
type decoder struct {
	data []byte
	bad  bool
}

func (d *decoder) byte() byte {
	if len(d.data) == 0 {
		d.bad = true
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.data)
	if size <= 0 {
		d.bad, d.data = true, nil
		return 0
	}
	d.data = d.data[size:]
	return n
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(len(d.data)) {
		d.bad, d.data = true, nil
		return ""
	}
	s := string(d.data[:n])
	d.data = d.data[n:]
	return s
}

// count is the length of a list. Each element takes a byte at least, so a larger count
// than that is a mistake and makes no work.
func (d *decoder) count() uint64 {
	n := d.uvarint()
	if n > uint64(len(d.data)) {
		d.bad, d.data = true, nil
		return 0
	}
	return n
}

func (d *decoder) time() time.Time {
	n := d.uvarint()
	if n == 0 || n > maxNumericDate {
		d.bad = d.bad || n != 0
		return time.Time{}
	}
	return time.Unix(int64(n), 0)
}

// sessionIDSize is the size of a session's ID, in bytes.
const sessionIDSize = 16

// sessions reads and writes the session cookie. It is safe for concurrent use.
type sessions struct {
	issuer   string // of all users here
	cookie   cookieSpec
	sealer   *sealer
	lifetime time.Duration
	idle     time.Duration // 0: none
	skew     time.Duration
	now      func() time.Time
	// verifiedEmail is Config.RequireVerifiedEmail: it holds for sessions, too, that
	// began when it did not.
	verifiedEmail bool
	// opened holds sessions by the cookie value they came in, so that a live one
	// costs a look-up instead of a decryption.
	opened *cache[*session]
	// ended holds the IDs of sessions that signed out here. The cookie itself can't
	// be recalled; this process at least does not take it again.
	ended *expiring
}

// create makes the session of a user who has just signed in.
func (m *sessions) create(u *User) *session {
	now := m.now().Truncate(time.Second)
	return &session{id: randomBytes(sessionIDSize), created: now, seen: now, expires: now.Add(m.lifetime), user: u}
}

// read returns the session of a request, or nil; present tells whether there was a
// cookie at all, so that a useless one can be removed.
func (m *sessions) read(r *http.Request) (s *session, present bool) {
	value, count := findCookie(r.Header, m.cookie.name)
	if count != 1 || value == "" {
		// Two cookies of one name: one of them is not from here. Nobody can say which.
		return nil, count > 0
	}
	s, ok := m.opened.get(value)
	if !ok {
		s = m.open(value)
		if s == nil {
			return nil, true
		}
		m.opened.put(strings.Clone(value), s)
	}
	if !m.live(s) {
		return nil, true
	}
	return s, true
}

// open decrypts a cookie value.
func (m *sessions) open(value string) *session {
	plaintext, current, err := m.sealer.open(m.cookie.name, value)
	if err != nil {
		return nil
	}
	s, err := decodeSession(plaintext)
	if err != nil || !m.admits(s.user) {
		return nil
	}
	s.user.Issuer = m.issuer
	s.oldKey = !current
	return s
}

// admits tells whether the configuration lets this user have a session.
func (m *sessions) admits(u *User) bool { return u.EmailVerified || !m.verifiedEmail }

// live tells whether a session may still be used. A session that begins in the future
// comes from a clock that was wrong; within the skew it is forgiven.
func (m *sessions) live(s *session) bool {
	now := m.now()
	switch {
	case !now.Before(s.expires), !now.Before(s.created.Add(m.lifetime)):
		return false
	case m.idle > 0 && !now.Before(s.seen.Add(m.idle)):
		return false
	case s.created.After(now.Add(m.skew)):
		return false
	}
	return !m.ended.has(s.id, now)
}

// renew writes the cookie anew when its idle clock has run for a tenth of the idle
// time, or when an old key had sealed it. So most answers set no cookie.
func (m *sessions) renew(w http.ResponseWriter, s *session) {
	now := m.now()
	due := m.idle > 0 && now.Sub(s.seen) >= m.idle/10
	if !due && !s.oldKey {
		return
	}
	next := *s
	next.oldKey = false
	next.seen = now.Truncate(time.Second)
	_ = m.write(w, &next) // as large as before; a key is as long as the other
}

// write sets the session cookie. The size of one that is too large is in the error.
func (m *sessions) write(w http.ResponseWriter, s *session) error {
	value := m.sealer.seal(m.cookie.name, s.encode())
	if len(value) > maxSealed {
		return refuse(ReasonSessionTooLarge, "the identity takes %d bytes sealed, more than a cookie's %d; "+
			"keep fewer claims (Config.Claims) or groups", len(value), maxSealed)
	}
	m.cookie.set(w, m.cookie.name, value, s.expires.Sub(m.now()))
	m.opened.put(value, s)
	return nil
}

// end forgets the session of a request and removes the cookie. It returns the session, or
// nil if there was none.
func (m *sessions) end(w http.ResponseWriter, r *http.Request) *session {
	s, present := m.read(r)
	m.revoke(s)
	if present {
		m.cookie.remove(w, m.cookie.name)
	}
	return s
}

// revoke makes sure that this process takes no cookie of the session again. A nil session
// is none.
func (m *sessions) revoke(s *session) {
	if s != nil {
		m.ended.add(s.id, s.expires, m.now())
	}
}
