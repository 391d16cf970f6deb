package recorder

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/trace"
)

// atProvider are the paths where a browser comes back from an identity
// provider; the state there is the pool's own.
var atProvider = []string{"/oauth2/idpresponse", "/saml2/idpresponse", "/saml2/logout"}

func (x *exchange) fromProvider() bool { return slices.Contains(atProvider, x.r.URL.Path) }

// readSent describes what came: the query, the form, and the Authorization
// header. Cookies are left out.
func (x *exchange) readSent() {
	var marks []string
	if x.fromProvider() {
		marks = []string{"state", "RelayState"}
	}
	x.step.Sent = append(x.h.values(x.query, marks...), x.h.values(x.form, marks...)...)
	x.step.ClientID = x.step.Param("client_id")
	x.readReferer()
	for i, header := range x.r.Header.Values("Authorization") {
		if i < 2 { // two are one too many already
			x.readAuthorization(header)
		}
	}
}

// readReferer says which page sent the browser to sign in, by its origin alone.
func (x *exchange) readReferer() {
	from, err := url.Parse(x.r.Referer())
	if err != nil || from.Host == "" || x.r.URL.Path != "/oauth2/authorize" {
		return
	}
	origin := clip(from.Scheme+"://"+from.Host, maxURI)
	x.step.Sent = append(x.step.Sent, trace.Value{Name: "Referer", Value: origin})
}

func (x *exchange) readAuthorization(header string) {
	scheme, value, _ := strings.Cut(header, " ")
	shown := trace.Value{Name: "Authorization", Value: "not shown", Hidden: true}
	switch strings.ToLower(scheme) {
	case "basic":
		id, secret, ok := basic(value)
		shown.Value = "Basic, not well formed"
		if ok {
			shown.Value = "Basic: client_id " + clip(id, 128) + ", client_secret not shown, " + count(secret)
			if x.step.ClientID == "" {
				x.step.ClientID = clip(id, 128)
			}
		}
	case "bearer":
		shown.Value = "Bearer " + x.h.mark(value) + ", " + count(value)
		x.find = append(x.find, tokenKey(value))
		x.addToken("access_token", value)
	}
	x.step.Sent = append(x.step.Sent, shown)
}

func basic(value string) (id, secret string, ok bool) {
	if len(value) > 1024 {
		return "", "", false
	}
	decoded, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return "", "", false
	}
	id, secret, ok = strings.Cut(string(decoded), ":")
	unescaped, err := url.PathUnescape(id)
	if err == nil {
		id = unescaped
	}
	return id, secret, ok
}

func tokenKey(token string) string { return trace.Key("token", userpool.Secret(token)) }

// readRedirect describes where the answer leads.
func (x *exchange) readRedirect() {
	location := x.answer.Header().Get("Location")
	target, err := url.Parse(location)
	if location == "" || err != nil {
		return
	}
	x.target = target
	returned := target.Query()
	if target.Fragment != "" {
		fragment, _ := url.ParseQuery(target.EscapedFragment())
		for name, values := range fragment {
			returned[name] = values
			x.addToken(name, values[0])
		}
	}
	x.step.To = x.party(location, returned)
	var marks []string
	if x.step.To == trace.PartyProvider {
		marks = []string{"state", "nonce"}
	}
	x.step.Returned = x.h.values(returned, marks...)
	x.step.Error, x.step.ErrorText = clip(returned.Get("error"), 200), clip(returned.Get("error_description"), maxValue)
	bare := *target
	bare.RawQuery, bare.Fragment, bare.RawFragment, bare.User = "", "", "", nil
	x.step.Location = clip(strings.TrimPrefix(bare.String(), x.h.base), maxURI)
}

// party says who a redirect leads to.
func (x *exchange) party(location string, params url.Values) string {
	rest, own := strings.CutPrefix(location, x.h.base)
	switch {
	case own && (rest == "" || strings.ContainsAny(rest[:1], "/?#")), strings.HasPrefix(location, "/"):
		return trace.PartyPool
	case params.Has("SAMLRequest"), params.Has("client_id") && params.Has("response_type"):
		return trace.PartyProvider
	default:
		return trace.PartyApp
	}
}

// answered is what is read of a JSON answer.
type answered struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	ID          string `json:"id_token"`
	Access      string `json:"access_token"`
	Refresh     string `json:"refresh_token"`
}

// readJSON reads an error, or tokens.
func (x *exchange) readJSON() {
	if x.answer.body.Len() == 0 || x.answer.body.over {
		return
	}
	var a answered
	err := json.Unmarshal(x.answer.body.Bytes(), &a)
	if err != nil {
		return
	}
	if a.Error != "" {
		x.step.Error, x.step.ErrorText = clip(a.Error, 200), clip(a.Description, maxValue)
	}
	x.addToken("id_token", a.ID)
	x.addToken("access_token", a.Access)
	if a.Refresh != "" {
		x.leave = append(x.leave, tokenKey(a.Refresh))
		x.step.Returned = append(x.step.Returned, x.h.value("refresh_token", a.Refresh, marked))
	}
}

const maxClaims = 8 << 10

// addToken decodes a token, without looking at its signature: it shows what
// the token says, not that it is true.
func (x *exchange) addToken(kind, token string) {
	if kind != "id_token" && kind != "access_token" || token == "" {
		return
	}
	x.leave = append(x.leave, tokenKey(token))
	parts := strings.Split(clip(token, 2*maxClaims), ".")
	if len(parts) != 3 {
		return
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || len(header) > 1024 || !json.Valid(header) {
		return
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || len(claims) > maxClaims || !json.Valid(claims) {
		return
	}
	x.step.Tokens = append(x.step.Tokens, trace.Token{Kind: kind, Header: string(header), Claims: string(claims)})
}

// setKeys decides by what the step finds its sign-in, and by what the next one
// will.
func (x *exchange) setKeys() {
	x.findBy("flow", x.query.Get("flow"))
	switch path := x.r.URL.Path; {
	case x.step.From == trace.PartyApp:
		x.findBy("code", x.form.Get("code"))
		x.findBy("token", x.form.Get("refresh_token"))
		x.findBy("token", x.form.Get("token"))
	case path == "/logout":
		x.findBy("session", string(browser.ReadCookie(x.r, browser.SessionCookie)))
	case x.fromProvider():
		x.findBy("idp", x.query.Get("state"))
		x.findBy("idp", x.form.Get("RelayState")+x.form.Get("state"))
	case path == "/oauth2/authorize":
		x.leaveState()
		fallthrough
	default:
		x.findBy("request", sameRequest(x.query))
		x.leaveBy("request", sameRequest(x.query))
	}
	x.leaveRedirect()
	x.leaveSession()
}

func (x *exchange) findBy(kind, value string) {
	if value != "" {
		x.find = append(x.find, trace.Key(kind, userpool.Secret(value)))
	}
}

func (x *exchange) leaveBy(kind, value string) {
	if value != "" {
		x.leave = append(x.leave, trace.Key(kind, userpool.Secret(value)))
	}
}

// leaveState lets the app report on the sign-in that has this state.
func (x *exchange) leaveState() {
	if state := x.query["state"]; len(state) == 1 && state[0] != "" {
		sum := sha256.Sum256([]byte(state[0]))
		x.leave = append(x.leave, trace.StateKey(base64.RawURLEncoding.EncodeToString(sum[:])))
	}
}

// sameRequest is what the pages of one authorization request have in common.
func sameRequest(q url.Values) string {
	q = url.Values(http.Header(q).Clone())
	q.Del("flow")
	return q.Encode()
}

func (x *exchange) leaveRedirect() {
	if x.target == nil {
		return
	}
	q := x.target.Query()
	switch x.step.To {
	case trace.PartyPool:
		x.leaveBy("flow", q.Get("flow"))
		if x.r.URL.Path != "/logout" || x.step.Error != "" { // after a sign-out begins another sign-in
			x.leaveBy("request", sameRequest(q))
		}
	case trace.PartyProvider:
		x.leaveBy("idp", q.Get("state")+q.Get("RelayState"))
	case trace.PartyApp:
		x.leaveBy("code", q.Get("code"))
	}
}

// leaveSession remembers the browser's session, for its end.
func (x *exchange) leaveSession() {
	for _, line := range x.answer.Header().Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err == nil && c.Name == browser.SessionCookie {
			x.leaveBy("session", c.Value)
			return
		}
	}
	if x.step.To == trace.PartyApp && x.r.URL.Path == "/oauth2/authorize" {
		x.leaveBy("session", string(browser.ReadCookie(x.r, browser.SessionCookie)))
	}
}
