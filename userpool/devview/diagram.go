package devview

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/trace"
)

// flowView is one sign-in as a sequence diagram.
type flowView struct {
	page
	signInLine
	Client  *userpool.Client // nil: unknown
	Parties []party
	Rows    []row
	Pending *advice // about what has not happened yet, after the last step
}

// party is a column of the diagram.
type party struct{ Key, Name, Note string }

// row is one step in the diagram.
type row struct {
	trace.Step
	Number int
	Title  string
	Gap    string // time since the step before; empty: none worth showing
	Long   bool   // that was long
	At     time.Time
	Spent  string

	Ask, Reply arrow  // Reply is empty for what the app reports
	Onward     *arrow // what the browser does with a redirect that leads out of the pool
	Verdict    string // what was decided, in a few words
	Advice     *advice
	Tokens     []tokenView
}

// arrow is a message from one party to another. Its Class says which columns it
// spans and which way it points.
type arrow struct {
	From, To string // for people who do not see it
	Class    string
	Text     string
	Code     bool // Text is of the protocol
}

func (h *Handler) flowPage(w http.ResponseWriter, r *http.Request) {
	s, version, ok := h.Pool.Trace().SignIn(r.PathValue("id"))
	if !ok {
		h.notFound(w, r)
		return
	}
	view := flowView{page: h.page("Sign-in "+s.ID, "flows").live(version)}
	var err error
	view.signInLine, err = h.line(r.Context(), s)
	if err == nil {
		err = h.draw(r, &view)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.write(w, r, http.StatusOK, "flow", view)
}

// draw makes the rows.
func (h *Handler) draw(r *http.Request, view *flowView) error {
	s := view.SignIn
	c, ok, err := h.Pool.Clients.Get(r.Context(), s.ClientID)
	if err != nil {
		return err
	}
	if ok {
		view.Client = &c
	}
	view.Parties = parties(s, view.Client)
	for i, step := range s.Steps {
		row := newRow(i, step, view.Parties)
		if i > 0 {
			before := s.Steps[i-1]
			gap := step.Began.Sub(before.Began.Add(before.Took))
			row.Gap, row.Long = duration(gap), gap >= time.Second
		}
		row.Advice, err = h.advise(r.Context(), &s, i)
		if err != nil {
			return err
		}
		view.Rows = append(view.Rows, row)
	}
	var due time.Duration
	view.Pending, due = pendingAdvice(s, h.Pool.Trace().Now())
	view.Renew = due.Milliseconds()
	return nil
}

// parties are the columns that the sign-in needs.
func parties(s trace.SignIn, c *userpool.Client) []party {
	app := party{trace.PartyApp, "App", s.ClientID}
	if c != nil {
		app.Note = nameOf(*c)
	}
	out := []party{{trace.PartyBrowser, "Browser", ""}, app, {trace.PartyPool, "Pool", ""}}
	for _, step := range s.Steps {
		if step.To == trace.PartyProvider || strings.HasSuffix(step.Path, "/idpresponse") {
			return append(out, party{trace.PartyProvider, "Provider", step.Param("identity_provider")})
		}
	}
	return out
}

func newRow(i int, step trace.Step, columns []party) row {
	out := row{
		Step: step, Number: i + 1, Title: titleOf(step), At: step.Began.Local(), Spent: duration(step.Took),
		Verdict: verdict(step),
	}
	to := func(from, to, text string, code bool) arrow { return newArrow(columns, from, to, text, code) }
	if step.Reported() {
		out.Verdict, out.Ask = step.Param("clock"), to(trace.PartyApp, trace.PartyBrowser, told(step), true)
		return out
	}
	out.Ask = to(step.From, trace.PartyPool, step.Method+" "+step.Path, true)
	text := reply(step)
	out.Reply = to(trace.PartyPool, step.From, text, true)
	if step.To == trace.PartyApp || step.To == trace.PartyProvider {
		on := to(trace.PartyBrowser, step.To, onward(step), true)
		out.Onward = &on
	}
	for _, t := range step.Tokens {
		out.Tokens = append(out.Tokens, newTokenView(t))
	}
	return out
}

func newArrow(columns []party, from, to, text string, code bool) arrow {
	index := func(key string) int {
		return max(0, slices.IndexFunc(columns, func(p party) bool { return p.Key == key }))
	}
	a, b := index(from), index(to)
	direction := "right"
	if a > b {
		direction = "left"
	}
	class := fmt.Sprintf("%s span-%d%d", direction, min(a, b), max(a, b))
	return arrow{From: columns[a].Name, To: columns[b].Name, Class: class, Text: text, Code: code}
}

var titles = map[string]string{
	"GET /oauth2/authorize": "The app asks for a sign-in", "GET /login": "The sign-in page",
	"POST /login":            "Name and password",
	"POST /_cognate/sign-in": "One click, and no password",
	"GET /error":             "The error page",
	"GET /logout":            "Sign-out",
	"POST /oauth2/revoke":    "The app revokes its tokens",
	"GET /oauth2/userInfo":   "The app asks who it is", "GET /signup": "The sign-up page", "POST /signup": "Sign-up",
	"GET /confirm": "The page for the code", "POST /confirm": "The code that confirms the account",
	"GET /confirmUser": "The link that confirms the account", "POST /resendcode": "Another code, please",
	"GET /forgotPassword": "The page for a forgotten password", "POST /forgotPassword": "Forgotten password",
	"GET /confirmforgotPassword":  "The page for the new password",
	"POST /confirmforgotPassword": "Code and new password",
	"GET /oauth2/idpresponse":     "Back from the identity provider",
	"POST /saml2/idpresponse":     "Back from the identity provider",
	"POST /saml2/logout":          "Signed out at the identity provider",
	"GET /passkeys/add":           "The page for a new passkey",
	"POST /passkeys/add":          "A new passkey",
}

// told is what the app told the browser.
func told(step trace.Step) string { return cmp.Or(step.Error, "signed in") }

// titleOf says in words what a step is.
func titleOf(step trace.Step) string {
	switch {
	case step.Reported() && step.Failed():
		return "The app refused the sign-in"
	case step.Reported():
		return "The app signed the person in"
	}
	if step.Path == "/oauth2/token" {
		switch step.Param("grant_type") {
		case "refresh_token":
			return "The app refreshes its tokens"
		case "client_credentials":
			return "The app asks for tokens of its own"
		}
		return "The app redeems the code"
	}
	if t, ok := titles[step.Method+" "+step.Path]; ok {
		return t
	}
	return step.Method + " " + step.Path
}

// reply is what the pool answered, in a line.
func reply(step trace.Step) string {
	status := strconv.Itoa(step.Status)
	switch {
	case step.To != "" && step.To != trace.PartyPool:
		return status + " to the " + step.To
	case step.To != "":
		return status + " to " + step.Location
	case step.Error != "":
		return status + " " + step.Error
	case len(step.Tokens) > 0 && step.Path == "/oauth2/token":
		return status + " tokens"
	case step.From == trace.PartyApp && step.Path == "/oauth2/userInfo":
		return status + " claims"
	case step.From == trace.PartyApp:
		return status
	case step.Status < 300:
		return status + " page"
	case step.Status < 500 && step.Path != "/error" && len(step.Decisions) > 0:
		return status + " page, again"
	}
	return status + " " + strings.ToLower(http.StatusText(step.Status))
}

// onward is what a redirect takes along.
func onward(step trace.Step) string {
	var carried []string
	for _, v := range step.Returned {
		carried = append(carried, v.Name)
	}
	switch {
	case step.Error != "":
		return "error=" + step.Error
	case step.To == trace.PartyProvider:
		return "asks for a sign-in"
	}
	if len(carried) == 0 {
		return step.Location
	}
	return strings.Join(carried, ", ")
}

// verdict is what was decided, in a few words.
func verdict(step trace.Step) string {
	var out []string
	for _, d := range step.Decisions {
		text := d.Event
		if reason := d.Get("reason"); reason != "" {
			text += ": " + reason
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return strings.Join(out, "; ")
}

// tokenView is a token, claim by claim.
type tokenView struct {
	Kind, Header string
	Claims       []claim
}

type claim struct{ Name, Value, Note string }

func newTokenView(t trace.Token) tokenView {
	out := tokenView{Kind: "Access token", Header: t.Header}
	if t.Kind == "id_token" {
		out.Kind = "ID token"
	}
	var claims map[string]json.RawMessage
	if json.Unmarshal([]byte(t.Claims), &claims) != nil {
		return out
	}
	names := make([]string, 0, len(claims))
	for name := range claims {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		out.Claims = append(out.Claims, newClaim(name, claims[name]))
	}
	return out
}

func newClaim(name string, raw json.RawMessage) claim {
	var value bytes.Buffer
	if json.Compact(&value, raw) != nil {
		return claim{Name: name}
	}
	c := claim{Name: name, Value: value.String()}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		c.Value = text
	}
	switch name {
	case "exp", "iat", "nbf", "auth_time":
		seconds, err := strconv.ParseInt(c.Value, 10, 64)
		if err == nil && seconds > 0 && seconds < 1<<40 {
			c.Note = time.Unix(seconds, 0).Local().Format("2006-01-02 15:04:05 MST")
		}
	}
	return c
}
