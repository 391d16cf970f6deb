package session_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/gate"
	"github.com/cognate-auth/cognate/internal/record"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/seal"
	"github.com/cognate-auth/cognate/internal/session"
	"github.com/cognate-auth/cognate/sessionstore"
)

type person string

func (p person) Subject() string   { return string(p) }
func (person) AuthTime() time.Time { return time.Time{} }
func (person) Encode(dropped bool) []byte {
	if dropped {
		return []byte{1}
	}
	return []byte{0}
}

func decodePerson(subject string, _ time.Time, data []byte) (session.Identity, bool, error) {
	if len(data) != 1 {
		return nil, false, errors.New("no person")
	}
	return person(subject), data[0] == 1, nil
}

// A site has sessions, the time, and a browser's cookies.
type site struct {
	*session.Sessions

	now     time.Time
	expired int
	jar     map[string]string
}

// places are where sessions are kept.
var places = map[string]func(*session.Config){
	"cookies": func(c *session.Config) { c.TokensInCookie = true },
	"store": func(c *session.Config) {
		memory := sessionstore.NewMemory(0)
		memory.Now = c.Now
		c.Store = record.NewStore(memory, c.Bound)
	},
}

func newSite(t *testing.T, place string) *site {
	t.Helper()
	x := &site{now: time.Unix(1_800_000_000, 0), jar: map[string]string{}}
	now := func() time.Time { return x.now }
	c := session.Config{
		Keys: seal.Keys{strings.Repeat("k", 32)}, Bound: "provider and client", Cookie: cookie.NewSpec("s", true),
		Lifetime: 8 * time.Hour, IdleTime: time.Hour, Skew: time.Minute, CacheSize: 100, RequestTime: 10 * time.Second,
		Gate: gate.New(now), Decode: decodePerson, Log: slog.New(slog.DiscardHandler), Now: now,
		Admits:  func(who session.Identity) bool { return who.Subject() != "banned" },
		Expired: func(context.Context, *session.Session) { x.expired++ },
	}
	places[place](&c)
	var err error
	x.Sessions, err = session.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *site) request(t *testing.T) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	for name, value := range x.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// takes has the browser store the cookies of an answer.
func (x *site) takes(h http.Header) {
	for _, c := range (&http.Response{Header: h}).Cookies() {
		x.jar[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(x.jar, c.Name)
		}
	}
}

func (x *site) signIn(t *testing.T, who person, tokens *session.Tokens) {
	t.Helper()
	w := httptest.NewRecorder()
	err := x.Begin(w, x.request(t), x.Create(who, "sid-1"), tokens)
	if err != nil {
		t.Fatal(err)
	}
	x.takes(w.Header())
}

// who returns the session of the browser's next request, or nil.
func (x *site) who(t *testing.T) *session.Session {
	t.Helper()
	s, _, err := x.Read(x.request(t), x.now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func inBothPlaces(t *testing.T, test func(t *testing.T, x *site)) {
	t.Helper()
	for place := range places {
		t.Run(place, func(t *testing.T) { test(t, newSite(t, place)) })
	}
}

func TestSessionEnds(t *testing.T) {
	inBothPlaces(t, func(t *testing.T, x *site) {
		x.signIn(t, "ann", &session.Tokens{Access: "a"})
		s := x.who(t)
		if s == nil || s.Identity.Subject() != "ann" || x.Tokens(x.request(t), s).Access != "a" || !x.KeepTokens() {
			t.Fatalf("session %v", s)
		}
		copied := map[string]string{}
		for name, value := range x.jar {
			copied[name] = value
		}
		for _, want := range []bool{true, false} {
			first, err := x.Close(t.Context(), s)
			if first != want || err != nil {
				t.Errorf("closed: first %v, error %v; want %v", first, err, want)
			}
		}
		w := httptest.NewRecorder()
		x.Forget(w, x.request(t))
		x.takes(w.Header())
		if len(x.jar) != 0 || !x.Ended(s) {
			t.Errorf("the browser still has %v", x.jar)
		}
		x.jar = copied
		if x.who(t) != nil {
			t.Error("a copy of the cookie is taken")
		}
	})
}

func TestIdleTime(t *testing.T) {
	inBothPlaces(t, func(t *testing.T, x *site) {
		x.signIn(t, "ann", nil)
		for range 3 {
			x.now = x.now.Add(50 * time.Minute)
			s := x.who(t)
			if s == nil {
				t.Fatal("the session ended although it was used")
			}
			w := httptest.NewRecorder()
			if x.Roll(w, x.request(t), s, x.now) == nil {
				t.Fatal("the session is gone")
			}
			x.takes(w.Header())
		}
		x.now = x.now.Add(time.Hour)
		for range 2 {
			if x.who(t) != nil {
				t.Error("the session goes on unused")
			}
		}
		if x.expired != 1 {
			t.Errorf("told %d times that it expired, want once", x.expired)
		}
	})
}

// TestWhoIsNotAdmitted sends a session to a process whose rules refuse its user.
func TestWhoIsNotAdmitted(t *testing.T) {
	inStore := newSite(t, "store")
	inStore.signIn(t, "banned", nil)
	began, later := newSite(t, "cookies"), newSite(t, "cookies")
	began.signIn(t, "banned", nil)
	later.jar = began.jar
	if inStore.who(t) != nil || later.who(t) != nil {
		t.Error("somebody has a session who may have none")
	}
}

func TestEndAll(t *testing.T) {
	x := newSite(t, "store")
	x.signIn(t, "ann", nil)
	n, err := x.EndAll(t.Context(), session.BySubject, "bob")
	if n != 0 || err != nil {
		t.Errorf("ended %d of nobody's, error %v", n, err)
	}
	n, err = x.EndAll(t.Context(), session.BySID, "sid-1")
	if n != 1 || err != nil || x.who(t) != nil {
		t.Errorf("ended %d, error %v; want 1 session", n, err)
	}
	_, err = newSite(t, "cookies").EndAll(t.Context(), session.BySubject, "ann")
	if err == nil {
		t.Error("no error for sessions in cookies")
	}
}

// TestRefresh has a visit get new tokens, and the next one with the old cookies, too.
func TestRefresh(t *testing.T) {
	inBothPlaces(t, func(t *testing.T, x *site) {
		given := session.Tokens{Access: "a-1", Refresh: "r-1", Expires: x.now.Add(time.Hour)}
		old := session.NewTokens(given, nil, x.now)
		x.signIn(t, "ann", old)
		x.now = x.now.Add(time.Hour - time.Second)
		x.Roll(httptest.NewRecorder(), x.request(t), x.who(t), x.now)
		asked := 0
		ask := func(_ context.Context, s *session.Session, old *session.Tokens) (*session.Refreshed, error) {
			asked++
			given := session.Tokens{Access: "a-2", Refresh: "r-2", Expires: x.now.Add(time.Hour)}
			return &session.Refreshed{Identity: s.Identity, Tokens: session.NewTokens(given, old, x.now)}, nil
		}
		before := x.request(t)
		for range 2 {
			var v session.Visit
			answer := httptest.NewRecorder()
			s, _, err := x.Read(before, x.now)
			if s == nil || err != nil {
				t.Fatalf("session %v, error %v", s, err)
			}
			w := v.Begin(x.Sessions, answer, before, s, x.now)
			for range 2 {
				tokens, err := v.Tokens(t.Context(), ask)
				if err != nil || tokens.Access != "a-2" {
					t.Fatalf("not the new tokens, error %v", err)
				}
			}
			if x.Latest(old).Refresh == "" || v.JustBegun() != x.JustBegun(s) {
				t.Error("the visit does not have its session")
			}
			_, _ = w.Write(nil)
			v.End()
			x.takes(answer.Header())
		}
		if asked != 1 {
			t.Errorf("asked %d times, want once", asked)
		}
		if got := x.Tokens(x.request(t), x.who(t)); got == nil || got.Access != "a-2" {
			t.Error("the next request does not have the new tokens")
		}
	})
}

// TestRefreshTooLate asks for new tokens when their cookies can't be set any more.
func TestRefreshTooLate(t *testing.T) {
	x := newSite(t, "cookies")
	x.signIn(t, "ann", session.NewTokens(session.Tokens{Access: "a", Refresh: "r", Expires: x.now}, nil, x.now))
	var v session.Visit
	w := v.Begin(x.Sessions, httptest.NewRecorder(), x.request(t), x.who(t), x.now)
	w.WriteHeader(http.StatusEarlyHints)
	w.WriteHeader(http.StatusOK)
	ask := func(context.Context, *session.Session, *session.Tokens) (*session.Refreshed, error) {
		t.Error("the refresh token is spent for nothing")
		return nil, session.ErrEndedElsewhere
	}
	_, err := v.Tokens(t.Context(), ask)
	if refusal.Of(err) != refusal.ResponseStarted {
		t.Errorf("error %v", err)
	}
}

// TestPausedRefreshes checks that no refresh follows a failed one for a moment, and that an old
// access token is used until it expires.
func TestPausedRefreshes(t *testing.T) {
	x := newSite(t, "store")
	given := session.Tokens{Access: "a", Refresh: "r", Expires: x.now.Add(time.Minute)}
	x.signIn(t, "ann", session.NewTokens(given, nil, x.now))
	asked := 0
	ask := func(_ context.Context, s *session.Session, _ *session.Tokens) (*session.Refreshed, error) {
		asked++
		x.PauseRefreshes(s)
		return nil, refusal.New(refusal.ProviderDown, "nobody answers")
	}
	tokens := func() (*session.Tokens, error) {
		var v session.Visit
		v.Begin(x.Sessions, httptest.NewRecorder(), x.request(t), x.who(t), x.now)
		return v.Tokens(t.Context(), ask)
	}
	for _, tt := range []struct {
		passes time.Duration
		works  bool
		asked  int
	}{{55 * time.Second, true, 1}, {time.Second, true, 1}, {3 * time.Second, true, 2}, {2 * time.Second, false, 2}} {
		x.now = x.now.Add(tt.passes)
		got, err := tokens()
		if (err == nil) != tt.works || tt.works && got.Access != "a" || asked != tt.asked {
			t.Errorf("asked %d times, error %v; want %+v", asked, err, tt)
		}
		e, ok := errors.AsType[*refusal.Error](err)
		if !tt.works && (!ok || e.RetryAfter <= 0) {
			t.Errorf("error %v, which does not say when to try again", err)
		}
	}
}

// TestNoTokens is about visits that have none, and what is done with their sessions.
func TestNoTokens(t *testing.T) {
	ended := 0
	ask := func(context.Context, *session.Session, *session.Tokens) (*session.Refreshed, error) {
		ended++
		return nil, session.ErrEndedElsewhere
	}
	var none *session.Visit
	for _, v := range []*session.Visit{none, {}} {
		_, err := v.Tokens(t.Context(), ask)
		if refusal.Of(err) != refusal.NotSignedIn {
			t.Errorf("error %v of no session", err)
		}
	}
	x := newSite(t, "store")
	expired := &session.Tokens{Access: "a", Expires: x.now, RefreshAt: x.now}
	for want, tokens := range []*session.Tokens{{Access: "a"}, expired, nil} {
		x.signIn(t, "ann", tokens)
		var v session.Visit
		v.Begin(x.Sessions, httptest.NewRecorder(), x.request(t), x.who(t), x.now)
		_, err := v.Tokens(t.Context(), ask)
		if errors.Is(err, session.ErrEnded) != (want > 0) || ended != want {
			t.Errorf("%d sessions ended, error %v; want %d", ended, err, want)
		}
	}
}

func TestDiscard(t *testing.T) {
	inBothPlaces(t, func(t *testing.T, x *site) {
		x.signIn(t, "ann", nil)
		if most, whole := x.CountCookies(x.request(t).Header); most != 1 || !whole || x.CookieName() != "__Host-s" {
			t.Errorf("%d cookies, whole %v", most, whole)
		}
		err := x.Discard(x.request(t))
		if err != nil || x.who(t) != nil {
			t.Errorf("error %v, or the session is still good", err)
		}
	})
}
