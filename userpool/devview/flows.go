package devview

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/trace"
)

// filter says which sign-ins to show.
type filter struct {
	Failed bool
	Client string // its ID
	User   string // part of the user name, in any case
}

func readFilter(q url.Values) filter {
	return filter{Failed: q.Get("failed") == "1", Client: q.Get("client"), User: strings.TrimSpace(q.Get("user"))}
}

func (f filter) matches(s trace.SignIn) bool {
	return (!f.Failed || s.Failed) && (f.Client == "" || f.Client == s.ClientID) &&
		(f.User == "" || strings.Contains(strings.ToLower(s.Username), strings.ToLower(f.User)) || s.Sub == f.User)
}

// With returns the address of the list with failed changed.
func (f filter) With(failed bool) string {
	q := url.Values{}
	if failed {
		q.Set("failed", "1")
	}
	if f.Client != "" {
		q.Set("client", f.Client)
	}
	if f.User != "" {
		q.Set("user", f.User)
	}
	if len(q) == 0 {
		return root
	}
	return root + "?" + q.Encode()
}

// flowsView is the list of sign-ins.
type flowsView struct {
	page
	Filter  filter
	All     int // before the filter
	Failed  int
	SignIns []signInLine
	Clients []userpool.Client
	Starts  []start // where to begin, when there is nothing yet
	Off     bool    // nothing is recorded
}

// start is where a sign-in at a client begins: the app's own address.
type start struct{ Name, URL string }

// signInLine is one sign-in in the list.
type signInLine struct {
	trace.SignIn
	State string // one of the states
	What  string // what it came to
	Hint  string // of its last failure; empty: none
	Who   string
	App   string // the client's name, or its ID
	Spent string
}

func (h *Handler) flowsPage(w http.ResponseWriter, r *http.Request) {
	view, err := h.flows(r.Context(), readFilter(r.URL.Query()))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.write(w, r, http.StatusOK, "flows", view)
}

func (h *Handler) flows(ctx context.Context, f filter) (flowsView, error) {
	all, version := h.Pool.Trace().SignIns()
	view := flowsView{
		page: h.page("Sign-ins", "flows").live(version), Filter: f, All: len(all), Off: h.Pool.Trace() == nil,
	}
	var err error
	view.Clients, err = h.Pool.Clients.List(ctx, "", maxList)
	if err != nil {
		return view, err
	}
	for _, s := range all {
		if s.Failed {
			view.Failed++
		}
		if !f.matches(s) {
			continue
		}
		line, err := h.line(ctx, s)
		if err != nil {
			return view, err
		}
		view.SignIns = append(view.SignIns, line)
	}
	if len(all) == 0 {
		view.Starts = starts(view.Clients...)
	}
	return view, nil
}

// starts are where the sign-ins of the first few clients begin: at the origins of their
// callback URLs, each once. A sign-in that did not begin there ends with an error there:
// the app has no cookie of it.
func starts(clients ...userpool.Client) (out []start) {
	for _, c := range clients[:min(len(clients), 3)] {
		for _, callback := range c.CallbackURLs {
			u, err := url.Parse(callback)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" {
				continue // an app of a phone, say
			}
			s := start{Name: nameOf(c), URL: u.Scheme + "://" + u.Host + "/"}
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

func nameOf(c userpool.Client) string {
	if c.Name != "" {
		return c.Name
	}
	return c.ID
}

// The states of a sign-in: how its last step that decided anything went.
const (
	stateFailed  = "failed"
	stateDone    = "done"
	stateWaiting = "waiting"
)

func (h *Handler) line(ctx context.Context, s trace.SignIn) (signInLine, error) {
	line := signInLine{SignIn: s, Spent: duration(s.Last.Sub(s.Began))}
	line.State, line.What = outcome(s)
	var err error
	line.Who, err = h.who(ctx, s)
	if err != nil {
		return line, err
	}
	c, ok, err := h.Pool.Clients.Get(ctx, s.ClientID)
	if err != nil {
		return line, err
	}
	line.App = s.ClientID
	if ok {
		line.App = nameOf(c)
	}
	for i := range slices.Backward(s.Steps) {
		a, err := h.advise(ctx, &s, i)
		if err != nil {
			return line, err
		}
		if a != nil {
			line.Hint = a.What
			break
		}
	}
	return line, nil
}

// who names the person; the trace may know only the sub.
func (h *Handler) who(ctx context.Context, s trace.SignIn) (string, error) {
	if s.Sub == "" {
		return s.Username, nil
	}
	u, ok, err := h.Pool.Users.Get(ctx, s.Sub)
	switch {
	case err != nil:
		return "", err
	case ok:
		return displayName(u), nil
	case s.Username != "":
		return s.Username, nil
	}
	return s.Sub, nil
}

// displayName is what people call the user: a user name that is a sub says nothing.
func displayName(u userpool.User) string {
	if u.Username == u.Sub && u.Attributes["email"] != "" {
		return u.Attributes["email"]
	}
	return u.Username
}

// outcome says how far a sign-in came.
func outcome(s trace.SignIn) (state, text string) {
	for _, step := range slices.Backward(s.Steps) {
		switch {
		case step.Path == "/error":
			continue
		case step.Failed():
			return stateFailed, what(step)
		case step.Reported():
			return stateDone, "Signed in"
		case step.Path == "/oauth2/token", step.Path == "/oauth2/userInfo":
			return granted(s, step)
		case step.Path == "/oauth2/revoke":
			return stateDone, "Tokens revoked"
		case step.Path == "/logout":
			return stateDone, "Signed out"
		case step.To == trace.PartyApp && !carries(step, "code"): // the implicit flow
			return stateDone, "Tokens issued"
		case step.To == trace.PartyApp:
			return stateWaiting, "Back at the app, the code is not redeemed yet"
		case step.To == trace.PartyProvider:
			return stateWaiting, "At the identity provider"
		case step.Path == "/oauth2/authorize":
			continue
		}
		return stateWaiting, "At: " + titleOf(step)
	}
	return stateWaiting, "Begun"
}

// granted is the outcome of a sign-in whose last step gave the app something. Whether
// somebody is signed in there, only the app can say.
func granted(s trace.SignIn, step trace.Step) (state, text string) {
	if step.Path == "/oauth2/token" && step.Param("grant_type") != "authorization_code" {
		return stateDone, grantText(step)
	}
	for _, earlier := range slices.Backward(s.Steps) {
		switch {
		case earlier.Reported() && earlier.Failed():
			return stateFailed, what(earlier)
		case earlier.Reported():
			return stateDone, "Signed in"
		}
	}
	if s.AppReports {
		return stateWaiting, "Tokens issued; the app has not said how it ended"
	}
	return stateDone, "Tokens issued"
}

func grantText(step trace.Step) string {
	switch step.Param("grant_type") {
	case "refresh_token":
		return "Tokens refreshed"
	case "client_credentials":
		return "Tokens for a program"
	}
	return "Tokens issued"
}

// flowsJSON is the list for programs: all steps, and what to do.
func (h *Handler) flowsJSON(w http.ResponseWriter, r *http.Request) {
	type jsonStep struct {
		trace.Step
		Hint string `json:"hint,omitempty"`
	}
	type jsonSignIn struct {
		trace.SignIn
		State   string     `json:"state"`
		Outcome string     `json:"outcome"`
		Steps   []jsonStep `json:"steps"`
	}
	f := readFilter(r.URL.Query())
	all, version := h.Pool.Trace().SignIns()
	out := []jsonSignIn{}
	for _, s := range all {
		if !f.matches(s) || r.URL.Query().Has("id") && r.URL.Query().Get("id") != s.ID {
			continue
		}
		j := jsonSignIn{SignIn: s}
		j.State, j.Outcome = outcome(s)
		pending, _ := pendingAdvice(s, h.Pool.Trace().Now())
		for i, step := range s.Steps {
			js := jsonStep{Step: step}
			switch {
			case step.Failed():
				js.Hint = hintOf(step)
			case pending != nil && i == len(s.Steps)-1:
				js.Hint = pending.text()
			}
			j.Steps = append(j.Steps, js)
		}
		out = append(out, j)
	}
	h.writeJSON(w, r, map[string]any{"version": version, "signIns": out})
}

// duration is a time span as people say it.
func duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.2f ms", max(d, 0).Seconds()*1000)
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d%(24*time.Hour) == 0:
		return plural(int(d/(24*time.Hour)), "day")
	case d%time.Hour == 0:
		return plural(int(d/time.Hour), "hour")
	case d%time.Minute == 0:
		return plural(int(d/time.Minute), "minute")
	}
	return d.Round(time.Second).String()
}
