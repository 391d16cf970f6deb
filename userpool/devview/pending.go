package devview

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool/trace"
)

// patience is how long an app may take for its next step before the view says why it may
// not come. Apps redeem a code as soon as they have it.
const patience = 3 * time.Second

// pendingAdvice says why the app may not have gone on after the last step of a sign-in, or
// nil. due is when it will say something, if nothing happens until then.
func pendingAdvice(s trace.SignIn, now time.Time) (a *advice, due time.Duration) {
	if len(s.Steps) == 0 {
		return nil, 0
	}
	last := s.Steps[len(s.Steps)-1]
	switch {
	case last.Failed():
		return nil, 0
	case last.To == trace.PartyApp && carries(last, "code"):
		a = notRedeemed(s, last)
	case last.Path == "/oauth2/token" && last.Param("grant_type") == "authorization_code":
		a = notSignedIn(s, last)
	default:
		return nil, 0
	}
	left := last.Began.Add(last.Took + patience).Sub(now)
	if left > 0 {
		return nil, left
	}
	return a, 0
}

func carries(step trace.Step, name string) bool {
	return slices.ContainsFunc(step.Returned, func(v trace.Value) bool { return v.Name == name })
}

// notRedeemed is for a code that the app does not redeem.
func notRedeemed(s trace.SignIn, last trace.Step) *advice {
	a := &advice{
		What: "The app has the code and did not redeem it. If its page shows an error, the likely causes are:",
		Causes: []string{
			"The sign-in began at another address of the app than " + originOf(last.Location) + ", where it ends. " +
				"localhost and 127.0.0.1, http and https have separate cookies: open the app at that address.",
			"The browser keeps no cookies for the app: they are blocked, or Secure over plain http.",
			"The sign-in began at a bookmark, in the history or in another browser. Begin at a page of the app.",
			"Nothing listens at " + last.Location + ", or the app failed there: its log says why.",
		},
	}
	from := s.Steps[0].Param("Referer")
	if to := originOf(last.Location); from != "" && from != to && probablyOneApp(from, to) {
		a.Slip = "The browser came from " + from + ", and the sign-in ends at " + to +
			": the app does not get its cookie there."
	}
	return a
}

// probablyOneApp reports whether two origins differ in the name alone, as localhost and
// 127.0.0.1 do, or have one name. A page elsewhere may have a link to the app.
func probablyOneApp(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil &&
		(x.Port() != "" && x.Port() == y.Port() || strings.EqualFold(x.Hostname(), y.Hostname()))
}

func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	return u.Scheme + "://" + u.Host
}

// notSignedIn is for tokens after which nothing came from the app.
func notSignedIn(s trace.SignIn, last trace.Step) *advice {
	a := &advice{
		What: "The pool’s part is done. If the app shows nobody signed in, the likely causes are:",
		Causes: []string{
			"The app refused the ID token: compare its clock with this machine’s, and its issuer and client ID with " +
				"the pages Pool and Clients.",
			"The browser did not keep the app’s own cookie: it is blocked, too large, or Secure over plain http.",
			"The app has a rule of its own about the person or their claims. Its log says which.",
		},
	}
	if s.AppReports {
		a.What = "The app has its tokens and has not said how the sign-in ended, as it does otherwise. " +
			"Did it stop? Otherwise the likely causes are:"
	}
	for _, t := range last.Tokens {
		if t.Kind == "id_token" && unverified(t.Claims) {
			a.Slip = "The address is not verified (email_verified is not true): an app that wants a verified one " +
				"refuses this person. The user’s attributes are on the page Users."
		}
	}
	return a
}

// unverified reports whether the claims have an e-mail address that is not verified. Cognito
// writes true as a boolean and, elsewhere, as text.
func unverified(claims string) bool {
	var c struct {
		Email    string `json:"email"`
		Verified any    `json:"email_verified"`
	}
	err := json.Unmarshal([]byte(claims), &c)
	return err == nil && c.Email != "" && c.Verified != true && c.Verified != "true"
}

// text is the advice in one paragraph, for programs.
func (a *advice) text() string {
	return strings.Join(append([]string{a.What}, slices.Concat(a.slips(), a.Causes)...), " ")
}

func (a *advice) slips() []string {
	if a.Slip == "" {
		return nil
	}
	return []string{a.Slip}
}

// sentence ends a text with a full stop.
func sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}
