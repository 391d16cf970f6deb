package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
)

// recorder is a test whose failure does not fail the real test.
type recorder struct {
	testing.TB

	failure string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failureOf runs a step on a tab with the given patience and returns how it failed. The
// page is looked at once, even with very little patience.
func failureOf(t *testing.T, tab *Tab, patience time.Duration, step func(tab *Tab)) string {
	t.Helper()
	r := &recorder{TB: t}
	impatient := &Tab{tb: r, ctx: tab.ctx, patience: patience}
	done := make(chan struct{})
	go func() {
		defer close(done)
		step(impatient)
	}()
	<-done
	return r.failure
}

func TestFailures(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `<!doctype html><title>A form</title><h1>Fill me in</h1>
			<label>Name <input></label>
			<label>Twice <input></label> <label>Twice <input></label>
			<button>Send</button> <button>Under</button>
			<div style="position: fixed; inset: 60% 0 0 0; background: grey">a banner</div>
			<button style="position: fixed; bottom: 10px; z-index: -1">Covered</button>`)
	}))
	t.Cleanup(server.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	tab := Start(t).NewVisitor(t)

	tests := []struct {
		name string
		step func(tab *Tab)
		says []string
	}{
		{"no such text", func(tab *Tab) { tab.WaitForText("Thank you") },
			[]string{`the text "Thank you"`, "did not appear within 1ms"}},
		{"no such address", func(tab *Tab) { tab.WaitForURL("https://elsewhere/") },
			[]string{"the address https://elsewhere/"}},
		{"no such element", func(tab *Tab) { tab.Text("table") }, []string{"an element table"}},
		{"no such field", func(tab *Tab) { tab.Fill("Phone", "1") }, []string{`a field "Phone"`, `"Name"`}},
		{"no such button", func(tab *Tab) { tab.Click("send") }, []string{`"send"`, `"Send", "Under"`}},
		{"two of them", func(tab *Tab) { tab.Fill("Twice", "1") }, []string{`2 things are called "Twice"`}},
		{"covered", func(tab *Tab) { tab.Click("Covered") }, []string{"something lies on top"}},
		{"nobody answers", func(tab *Tab) { tab.Visit(closed.URL) }, []string{"CONNECTION_REFUSED"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tab.Visit(server.URL + "/form")
			patience := time.Millisecond
			if tt.name == "nobody answers" {
				patience = Patience // the refusal ends it
			}
			failure := failureOf(t, tab, patience, tt.step)
			for _, want := range append(tt.says, "address: ") {
				if !strings.Contains(failure, want) {
					t.Errorf("the failure does not say %q:\n%s", want, failure)
				}
			}
			if tt.name != "nobody answers" {
				if !strings.Contains(failure, server.URL+"/form") || !strings.Contains(failure, "Fill me in") {
					t.Errorf("the failure does not show the page:\n%s", failure)
				}
			}
		})
	}
}

func TestStartWithoutBrowser(t *testing.T) {
	t.Setenv("CHROMIUM", "/nowhere/chromium")
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Start(r)
	}()
	<-done
	if !strings.Contains(r.failure, "CHROMIUM") {
		t.Errorf("failure = %q", r.failure)
	}
}
