package server

import (
	"container/list"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/userpool/internal/browser"
)

// maxSources bounds how many sources are remembered; the one that was quiet the
// longest is forgotten first, which only does it a favour.
const maxSources = 10_000

// limiter bounds the requests of each source: a bucket that holds a second's
// worth and is filled at the same rate.
type limiter struct {
	rate float64 // requests per second
	now  func() time.Time

	mu      sync.Mutex
	buckets map[netip.Prefix]*list.Element // of *bucket
	recent  *list.List                     // the last used first
}

type bucket struct {
	source netip.Prefix
	left   float64
	at     time.Time // when left was right
}

func newLimiter(perSecond int, now func() time.Time) *limiter {
	return &limiter{
		rate: float64(perSecond), now: now, buckets: make(map[netip.Prefix]*list.Element), recent: list.New(),
	}
}

// LimitRequests returns next with at most perSecond requests of each source
// address (IPv6: of one /64 network) in a second; more is answered 429. What is
// behind one LimitRequests is counted together: put it around all the handlers
// of a process. perSecond must be positive.
func LimitRequests(perSecond int, next http.Handler) http.Handler {
	return newLimiter(perSecond, time.Now).wrap(next)
}

// wrap answers 429 to a source that asks too often (RFC 6585 section 4). A
// browser's question whether a script may ask does no work and is not counted:
// if it were refused, the script could not read why.
func (l *limiter) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			next.ServeHTTP(w, r)
			return
		}
		wait := l.take(sourceOf(r.RemoteAddr))
		if wait > 0 {
			browser.AllowAnyOrigin(w.Header())
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			http.Error(
				w, "Too many requests from this address. Please try again in a moment.", http.StatusTooManyRequests,
			)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// take takes one request out of the source's bucket, or says how long it would
// have to wait.
func (l *limiter) take(source netip.Prefix) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.bucket(source, now)
	if passed := now.Sub(b.at).Seconds(); passed > 0 { // a clock that jumps back fills nothing
		b.left = min(l.rate, b.left+passed*l.rate)
	}
	b.at = now
	if b.left < 1 {
		return time.Duration((1 - b.left) / l.rate * float64(time.Second))
	}
	b.left--
	return 0
}

func (l *limiter) bucket(source netip.Prefix, now time.Time) *bucket {
	if e, ok := l.buckets[source]; ok {
		l.recent.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if l.recent.Len() >= maxSources {
		oldest := l.recent.Remove(l.recent.Back()).(*bucket)
		delete(l.buckets, oldest.source)
	}
	b := &bucket{source: source, left: l.rate, at: now}
	l.buckets[source] = l.recent.PushFront(b)
	return b
}

// sourceOf is an IPv4 address, or the network of an IPv6 one: whoever has one
// of its addresses has them all. What is no address is one source.
func sourceOf(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	source, _ := addr.Prefix(bits) // the number of bits fits
	return source
}
