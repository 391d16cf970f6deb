package transaction_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/record"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/seal"
	"github.com/cognate-auth/cognate/internal/transaction"
	"github.com/cognate-auth/cognate/sessionstore"
)

// A site has sign-ins under way, the time, and a browser's cookies.
type site struct {
	*transaction.Transactions

	now time.Time
	jar map[string]string
}

func newSite(t *testing.T, store sessionstore.Store) *site {
	t.Helper()
	x := &site{now: time.Unix(1_800_000_000, 0), jar: map[string]string{}}
	var err error
	x.Transactions, err = transaction.New(transaction.Config{
		ReturnTo: func(target string) string { return target },
		Keys:     seal.Keys{strings.Repeat("k", 32)}, Bound: "provider and client", Cookie: cookie.NewSpec("s", true),
		Store: record.NewStore(store, "provider and client"), Skew: time.Minute, MaxSkew: 5 * time.Minute,
		RequestTime: 10 * time.Second, Now: func() time.Time { return x.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// visit has the browser send a request, and take the cookies of the answer.
func (x *site) visit(t *testing.T, serve func(w http.ResponseWriter, r *http.Request)) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.test/", nil)
	for name, value := range x.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	serve(w, r)
	for _, c := range w.Result().Cookies() {
		x.jar[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(x.jar, c.Name)
		}
	}
}

// begin begins a sign-in.
func (x *site) begin(t *testing.T, asked transaction.Request) (one *transaction.Transaction) {
	t.Helper()
	x.visit(t, func(w http.ResponseWriter, r *http.Request) {
		one = x.Start(r, asked, false)
		x.Begin(w, one)
	})
	return one
}

// finish comes back with a state.
func (x *site) finish(t *testing.T, state string) (one *transaction.Transaction, err error) {
	t.Helper()
	x.visit(t, func(w http.ResponseWriter, r *http.Request) { one, err = x.Finish(w, r, state) })
	return one, err
}

func TestTransaction(t *testing.T) {
	for name, store := range map[string]sessionstore.Store{"cookies": nil, "store": sessionstore.NewMemory(0)} {
		t.Run(name, func(t *testing.T) {
			x := newSite(t, store)
			x.now = time.Now() // the store's clock
			asked := transaction.Request{ReturnTo: "/page", AppState: "s", MaxAge: 60, ACR: []string{"a"}, Silent: true}
			one := x.begin(t, asked)
			copied := x.jar
			x.jar = map[string]string{}
			for key, value := range copied {
				x.jar[key] = value
			}
			got, err := x.finish(t, one.State)
			if err != nil || got.ReturnTo != "/page" || got.AppState != "s" ||
				got.MaxAge != 60 || got.ACR[0] != "a" || !got.Silent ||
				got.Nonce != one.Nonce || got.Verifier != one.Verifier || len(x.jar) != 0 {
				t.Fatalf("error %v, cookies left: %d", err, len(x.jar))
			}
			x.Settle(t.Context(), got, transaction.Outcome{SignedIn: true, LedOn: true, Spent: true})
			x.jar = copied
			got, err = x.finish(t, one.State)
			if refusal.Of(err) != refusal.Replay || !x.LedOn(t.Context(), got) {
				t.Errorf("a second time: error %v", err)
			}
		})
	}
}

func TestRefusedStates(t *testing.T) {
	x := newSite(t, nil)
	one := x.begin(t, transaction.Request{ReturnTo: "/page", MaxAge: transaction.NoMaxAge})
	_, err := x.finish(t, one.State+"A")
	if refusal.Of(err) != refusal.State {
		t.Errorf("a spoiled state: error %v", err)
	}
	_, err = newSite(t, nil).finish(t, one.State)
	if refusal.Of(err) != refusal.State {
		t.Errorf("another browser: error %v", err)
	}
	x.now = x.now.Add(-2 * time.Minute)
	_, err = x.finish(t, one.State)
	if refusal.Of(err) != refusal.Expired || len(x.jar) != 1 {
		t.Errorf("before it began: error %v, and %d cookies", err, len(x.jar))
	}
	x.now = x.now.Add(18 * time.Minute)
	got, err := x.finish(t, one.State)
	if refusal.Of(err) != refusal.Expired || got.ReturnTo != "/page" {
		t.Errorf("too late: error %v", err)
	}
}

func TestForgottenTransaction(t *testing.T) {
	x := newSite(t, nil)
	one := x.begin(t, transaction.Request{})
	if x.Abandoned(one) || !x.Names("__Host-s-tx-00") || x.Names("__Host-s") {
		t.Error("it is abandoned, or the cookies have other names")
	}
	x.visit(t, x.Forget)
	if len(x.jar) != 0 || !x.Abandoned(one) {
		t.Errorf("%d cookies are left, abandoned: %v", len(x.jar), x.Abandoned(one))
	}
	x.visit(t, func(_ http.ResponseWriter, r *http.Request) {
		if !x.Awaits(r, one.State) || x.Awaits(r, "") {
			t.Error("a state whose cookie is missing is not distinguished from an invalid one")
		}
	})
}

// TestRow counts sign-ins that follow each other, with the cookie and without it.
func TestRow(t *testing.T) {
	x := newSite(t, nil)
	for want := range transaction.MaxInRow {
		one := x.begin(t, transaction.Request{})
		if one.InRow != want {
			t.Errorf("sign-in %d comes after %d", want, one.InRow)
		}
		x.visit(t, func(w http.ResponseWriter, _ *http.Request) { x.Ended(w, one) })
		if want%2 == 1 { // something on the way takes the cookie of the row
			delete(x.jar, "__Host-s-tx-row")
		}
	}
	x.visit(t, x.ForgetRow)
	if one := x.begin(t, transaction.Request{}); one.InRow != 0 {
		t.Errorf("comes after %d that were forgotten", one.InRow)
	}
	one := x.begin(t, transaction.Request{})
	x.visit(t, func(w http.ResponseWriter, _ *http.Request) { x.Ended(w, one) })
	x.visit(t, func(w http.ResponseWriter, r *http.Request) { x.Arrived(w, r, "session", x.now, x.now) })
	one = x.begin(t, transaction.Request{})
	x.FollowsSession(one, x.now, x.now)
	if one.InRow != 1 || x.Open(one.State).InRow != 1 {
		t.Errorf("comes after %d, want the one whose session came back", one.InRow)
	}
	x.now = x.now.Add(time.Hour)
	if one := x.begin(t, transaction.Request{}); one.InRow != 0 {
		t.Errorf("comes after %d of an hour ago", one.InRow)
	}
}
