package devview_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cognate-auth/cognate/userpool"
)

// messageJSON is what a test of an app reads.
type messageJSON struct{ ID, To, Code, Link, Purpose, Medium, Body string }

func (e *env) outbox(t *testing.T, query string) []messageJSON {
	t.Helper()
	var out []messageJSON
	err := json.Unmarshal([]byte(e.look(t, "/_cognate/outbox.json"+query)), &out)
	if err != nil || out == nil {
		t.Fatalf("%s: %v, %v; want a list", query, out, err)
	}
	return out
}

func (e *env) invite(t *testing.T, name string) {
	t.Helper()
	_, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{
		Username: name, Invite: true,
		Attributes: map[string]string{"email": name + "@example.com", "email_verified": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOutbox reads codes as a test of an app does, and as a person does.
func TestOutbox(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	if got := e.outbox(t, ""); len(got) != 0 {
		t.Errorf("the outbox begins with %+v", got)
	}
	e.invite(t, "bob")
	_, err := e.Pool.Recovery.ForgotPassword(t.Context(), e.App, "Ann")
	if err != nil {
		t.Fatal(err)
	}
	all := e.outbox(t, "")
	if len(all) != 2 || all[0].To != "ann@example.com" || all[0].Purpose != "reset" || len(all[0].Code) != 6 ||
		!strings.Contains(all[0].Body, all[0].Code) || all[1].To != "bob@example.com" {
		t.Fatalf("the outbox holds %+v", all)
	}
	for query, want := range map[string]int{
		"?to=ANN@example.com": 1, "?to=zoe@example.com": 0, "?purpose=invitation": 1, "?purpose=mfa": 0,
		"?after=" + all[1].ID: 1, "?after=" + all[0].ID: 0, "?limit=1": 1, "?to=bob@example.com&purpose=reset": 0,
		"?wait=20ms&to=zoe@example.com": 0,
	} {
		if got := len(e.outbox(t, query)); got != want {
			t.Errorf("%s: %d messages, want %d", query, got, want)
		}
	}
	page := e.look(t, "/_cognate/outbox")
	if !strings.Contains(page, all[0].Code) || !strings.Contains(page, "bob@example.com") {
		t.Errorf("the page lacks a code or a message")
	}
	if page := e.look(t, "/_cognate/outbox?purpose=invitation"); strings.Contains(page, all[0].Code) {
		t.Error("the page shows what was not asked for")
	}
}

// TestOutboxWaits asks before the message is there.
func TestOutboxWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		done := make(chan []messageJSON)
		go func() { done <- e.outbox(t, "?wait=20s&to=cem@example.com") }()
		synctest.Wait()    // until it waits
		e.invite(t, "bob") // somebody else's
		e.invite(t, "cem")
		if got := <-done; len(got) != 1 || got[0].To != "cem@example.com" {
			t.Errorf("got %+v", got)
		}
	})
}

// TestOutboxIsBounded asks for too much.
func TestOutboxIsBounded(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, query := range []string{
		"wait=26s", "wait=-1s", "wait=x", "wait=5", "limit=0", "limit=1001", "limit=x", "purpose=nothing",
	} {
		w := httptest.NewRecorder()
		e.view.ServeHTTP(w, request(t, http.MethodGet, "/_cognate/outbox.json?"+query))
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", query, w.Code)
		}
	}
}

// TestTooManyWait has more who wait than may.
func TestTooManyWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		codes := make(chan int)
		for range 70 {
			go func() {
				w := httptest.NewRecorder()
				e.view.ServeHTTP(w, request(t, http.MethodGet, "/_cognate/outbox.json?wait=500ms"))
				codes <- w.Code
			}()
		}
		refused := 0
		for range 70 {
			if <-codes == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused != 6 {
			t.Errorf("%d of 70 were refused, want 6", refused)
		}
	})
}
