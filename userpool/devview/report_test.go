package devview_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/cognate-auth/cognate/userpool/devview"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

const reportPath = "/_cognate/report"

// digest names a sign-in as an app does.
func digest(state string) string {
	sum := sha256.Sum256([]byte(state))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// refusal is a good report on the sign-in with this state, changed by the pairs; an empty
// value removes the member.
func (e *env) refusal(state string, pairs ...string) string {
	said := map[string]string{
		"sign_in": digest(state), "client_id": "app", "outcome": "refused", "reason": "token_not_yet_valid",
		"cause": "iat is in the future", "hint": "Set the clock.", "reference": "abcdefgh",
		"time": e.Clock.Now().Format(time.RFC3339),
	}
	for i := 0; i < len(pairs); i += 2 {
		said[pairs[i]] = pairs[i+1]
		if pairs[i+1] == "" {
			delete(said, pairs[i])
		}
	}
	text, err := json.Marshal(said)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// tell sends a report, without the view's token, and returns the status.
func (e *env) tell(t testing.TB, body string, header ...string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:9229"+reportPath,
		strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	e.view.ServeHTTP(w, r)
	if w.Code >= 400 && len(w.Body.String()) < 20 {
		t.Errorf("the refusal says %q", w.Body)
	}
	return w.Code
}

// TestReport tells of a sign-in that failed in the app.
func TestReport(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, code := e.signIn(t, pooltest.Password, pooltest.Query("state", "one"))
	e.Redeem(t, code)
	if got := e.tell(t, e.refusal("one", "cause", "<b>bold</b>\x00\u202e it\nwas", "time",
		e.Clock.Now().Add(-time.Hour).Format(time.RFC3339))); got != http.StatusNoContent {
		t.Fatalf("got %d, want 204", got)
	}
	s := e.flows(t, "?failed=1")[0]
	last := s.Steps[len(s.Steps)-1]
	if s.State != "failed" || s.Outcome != "The app refused: token_not_yet_valid" || last.Hint != "Set the clock." ||
		last.Path != reportPath {
		t.Errorf("flows.json: %+v", s)
	}
	page := e.look(t, "/_cognate/flows/"+s.ID)
	for _, want := range []string{
		"The app refused the sign-in", "token_<wbr>not_<wbr>yet_<wbr>valid",
		"App to Browser: ", "The app says: &lt;b&gt;bold&lt;/b&gt; it was. ",
		"Set the clock.", "abcdefgh",
		"The app’s clock is 1h0m0s behind this pool’s.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "App to Pool: POST /_cognate/report") || strings.Contains(page, "\u202e") {
		t.Error("the page shows the report as a request of the sign-in, or text that turns around")
	}
	w := httptest.NewRecorder()
	e.view.ServeHTTP(w, request(t, http.MethodGet, reportPath+"?sign_in="+digest("one")))
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/_cognate/flows/"+s.ID {
		t.Errorf("the app's link: %d to %q", w.Code, w.Header().Get("Location"))
	}
}

// TestReportIsRefused sends what no app would.
func TestReportIsRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.Get(t, "/oauth2/authorize", pooltest.Query("state", "one"), nil)
	e.Get(t, "/oauth2/authorize", pooltest.Query("state", ""), nil)
	good := e.refusal("one")
	tests := map[string]struct {
		body   string
		header []string
		want   int
	}{
		"a page of another site":        {good, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a page of another port":        {good, []string{"Sec-Fetch-Site", "same-site"}, 403},
		"a page of this site":           {good, []string{"Sec-Fetch-Site", "same-origin"}, 403},
		"a browser's own request":       {good, []string{"Sec-Fetch-Site", "none"}, 403},
		"a browser of before":           {good, []string{"Origin", "http://evil.test"}, 403},
		"a browser, no origin":          {good, []string{"Origin", "null"}, 403},
		"with the view's cookie":        {good, []string{"Cookie", "cognate-view=" + viewToken, "Origin", "null"}, 403},
		"a form":                        {good, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		"a form as text":                {good, []string{"Content-Type", "text/plain"}, 415},
		"no type":                       {good, []string{"Content-Type", ""}, 415},
		"nothing":                       {"", nil, 400},
		"no object":                     {`"x"`, nil, 400},
		"two objects":                   {good + good, nil, 400},
		"more behind it":                {good + "x", nil, 400},
		"a wrong type":                  {`{"sign_in": 1}`, nil, 400},
		"a wrong time":                  {e.refusal("one", "time", "yesterday"), nil, 400},
		"no time":                       {e.refusal("one", "time", ""), nil, 400},
		"no client":                     {e.refusal("one", "client_id", ""), nil, 400},
		"no sign-in":                    {e.refusal("one", "sign_in", ""), nil, 400},
		"no outcome":                    {e.refusal("one", "outcome", ""), nil, 400},
		"another outcome":               {e.refusal("one", "outcome", "admin"), nil, 400},
		"refused for nothing":           {e.refusal("one", "reason", ""), nil, 400},
		"too large":                     {e.refusal("one", "cause", strings.Repeat("x", 16<<10)), nil, 400},
		"another sign-in":               {e.refusal("two"), nil, 404},
		"a sign-in without a state":     {e.refusal(""), nil, 404},
		"the state itself":              {e.refusal("one", "sign_in", "one"), nil, 404},
		"another client":                {e.refusal("one", "client_id", "public"), nil, 404},
		"a cause that JSON lengthens":   {e.refusal("one", "cause", strings.Repeat("<", 1000)), nil, 204},
		"a member that nobody knows":    {strings.Replace(good, "{", `{"more": [1],`, 1), nil, 204},
		"a type with its character set": {good, []string{"Content-Type", "application/json; charset=utf-8"}, 204},
	}
	for name, tt := range tests {
		if got := e.tell(t, tt.body, tt.header...); got != tt.want {
			t.Errorf("%s: got %d, want %d", name, got, tt.want)
		}
	}
	told := 0
	for _, s := range e.flows(t, "") {
		for _, step := range s.Steps {
			if step.Path == reportPath {
				told++
			}
		}
	}
	if told != 3 {
		t.Errorf("%d reports are kept, want the three good ones", told)
	}
}

// TestReportsChangeNothing: who knows a state adds a few notes, and gets at nothing.
func TestReportsChangeNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.Get(t, "/oauth2/authorize", pooltest.Query("state", "one"), nil)
	counts := map[int]int{}
	for range 20 {
		counts[e.tell(t, e.refusal("one"))]++
	}
	if counts[http.StatusNoContent] != 8 || counts[http.StatusNotFound] != 12 {
		t.Errorf("20 reports on one sign-in are answered %v, want 8 times 204", counts)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodGet} {
		w := e.visit(t, visitor{method: method, target: reportPath + "?sign_in=" + digest("one")})
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s without the token: got %d, want 401", method, w.Code)
		}
		checkRefusal(t, w)
	}
	for target, want := range map[string]int{
		reportPath: 404, reportPath + "?sign_in=": 404, reportPath + "?sign_in=" + digest("two"): 404,
		reportPath + "/": 404,
	} {
		if w := e.visit(t, visitor{target: target, header: bearer(viewToken)}); w.Code != want {
			t.Errorf("%s: got %d, want %d", target, w.Code, want)
		}
	}
}

// TestReportsRaceWithNewSignIns reports while the sign-ins that are reported on make room for
// others.
func TestReportsRaceWithNewSignIns(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 100 {
				state := fmt.Sprintf("%d-%d", i, j)
				e.Get(t, "/oauth2/authorize", pooltest.Query("state", state), nil)
				e.tell(t, e.refusal(state))
				e.tell(t, e.refusal(fmt.Sprintf("%d-%d", i, j-60)))
			}
		})
	}
	wg.Wait()
	flows := e.flows(t, "?failed=1")
	if len(flows) == 0 || len(flows) > 200 {
		t.Errorf("%d sign-ins failed", len(flows))
	}
	for _, s := range flows {
		if len(s.Steps) > 3 || s.Steps[0].Path != "/oauth2/authorize" {
			t.Fatalf("reports went astray: %+v", s)
		}
	}
}

// FuzzReport reads anything as a report. What is read is said to be one thing or the other,
// belongs to some sign-in, and can be seen.
func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"sign_in":"x","client_id":"app","outcome":"refused","reason":"state",
		"time":"2026-05-06T07:08:09Z"}`))
	f.Add([]byte(`{"sign_in":"x","client_id":"app","outcome":"signed_in","time":"9999-12-31T23:59:59Z",
		"cause":"\u202e\u0000"}`))
	f.Add([]byte(`{"Sign_In":["x"],"sign_in":null}{}`))
	f.Add([]byte("\xff[[[[[[{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		step, ok := devview.ReadReport(data, time.Unix(1_800_000_000, 0))
		if !ok {
			return
		}
		outcome := step.Param("outcome")
		if outcome != "signed_in" && outcome != "refused" || step.Failed() != (outcome == "refused") ||
			step.ClientID == "" {
			t.Fatalf("%q became %+v", data, step)
		}
		for _, v := range step.Sent {
			for _, r := range v.Value {
				if !unicode.IsPrint(r) {
					t.Fatalf("%q became %s with %q", data, v.Name, v.Value)
				}
			}
		}
	})
}
