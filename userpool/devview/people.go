package devview

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
)

const maxList = 100

// usersView is a page of the list of users.
type usersView struct {
	page

	By, Text string
	Searches []search
	Users    []userLine
	Next     string // address of the next page; empty: this is the last one
}

type userLine struct {
	userpool.User

	Name  string
	State string
}

// search is what users can be searched by.
type search struct{ By, Name string }

// The first one is for a By that is none of them.
var searches = []search{{"", "any name"}, {"group", "group"}, {"status", "status"}}

const usersPerPage = 50

func (h *Handler) usersPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	view := usersView{page: h.page("Users", "users"), By: q.Get("by"), Text: q.Get("text"), Searches: searches}
	if !slices.ContainsFunc(searches, func(s search) bool { return s.By == view.By }) {
		view.By = ""
	}
	users, next, err := h.searchUsers(r.Context(), view.By, view.Text, q.Get("after"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if next != "" {
		view.Next = root + "users?" + url.Values{"after": {next}, "by": {view.By}, "text": {view.Text}}.Encode()
	}
	for _, u := range users {
		view.Users = append(view.Users, newUserLine(u))
	}
	h.write(w, r, http.StatusOK, "users", view)
}

// searchUsers returns a page of users, and after whom the next one begins.
func (h *Handler) searchUsers(
	ctx context.Context, by, text, after string,
) (users []userpool.User, next string, err error) {
	query := accounts.UserQuery{After: after, Limit: usersPerPage + 1}
	switch {
	case by == "" || text == "":
		return accounts.UserSearch{Text: text, After: after, Limit: usersPerPage}.In(ctx, h.Pool.Users)
	case by == "group":
		query.Group = text
	default:
		query.Attribute, query.Value, query.Prefix = by, strings.ToUpper(text), true
	}
	users, err = h.Pool.Users.List(ctx, query)
	if len(users) > usersPerPage {
		users = users[:usersPerPage]
		next = users[usersPerPage-1].Sub
	}
	return users, next, err
}

func newUserLine(u userpool.User) userLine {
	state := string(u.Status)
	if u.Disabled {
		state = "DISABLED"
	}
	return userLine{User: u, Name: displayName(u), State: state}
}

// userView is one user.
type userView struct {
	page
	userLine
	Facts      []fact
	Attributes []fact
	Flows      []signInLine
}

// fact is a name and what there is to say about it.
type fact struct {
	Name   string
	Values []string
}

// copied are the facts that people copy into an app.
var copied = []string{
	"Client ID", "Callback URLs", "Logout URLs", "sub", "User name", "Issuer", "Discovery", "Authorization", "Tokens",
	"userInfo", "Revocation", "Sign-out",
}

// Copied reports whether each value has a button that copies it.
func (f fact) Copied() bool { return slices.Contains(copied, f.Name) }

// facts leaves out what is empty.
func facts(pairs ...any) (out []fact) {
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		values, isList := pairs[i+1].([]string)
		if text, ok := pairs[i+1].(string); ok && text != "" {
			values, isList = []string{text}, true
		}
		if isList && len(values) > 0 {
			out = append(out, fact{name, values})
		}
	}
	return out
}

func (h *Handler) userPage(w http.ResponseWriter, r *http.Request) {
	u, ok, err := h.Pool.Users.Get(r.Context(), r.PathValue("sub"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if !ok {
		h.notFound(w, r)
		return
	}
	view := userView{page: h.page(displayName(u), "users"), userLine: newUserLine(u), Facts: userFacts(u)}
	for name, value := range u.Attributes {
		view.Attributes = append(view.Attributes, fact{name, []string{value}})
	}
	slices.SortFunc(view.Attributes, func(a, b fact) int { return cmp.Compare(a.Name, b.Name) })
	all, _ := h.Pool.Trace().SignIns()
	for _, s := range all {
		if s.Sub != u.Sub || err != nil {
			continue
		}
		var line signInLine
		line, err = h.line(r.Context(), s)
		view.Flows = append(view.Flows, line)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.write(w, r, http.StatusOK, "user", view)
}

func userFacts(u userpool.User) []fact {
	var identities []string
	for _, i := range u.Identities {
		identities = append(identities, i.ProviderName+": "+i.UserID)
	}
	password := "none: it signs nobody in"
	if u.PasswordHash != "" {
		password = "set"
	}
	app := ""
	if u.TOTPSecret != "" {
		app = "registered"
	}
	return facts(
		"Status", newUserLine(u).State, "sub", u.Sub, "User name", u.Username, "Signs in as", u.Logins,
		"Groups", u.Groups, "Password", password, "Temporary until", when(u.TemporaryUntil),
		"Second factors", u.MFA, "Preferred", u.PreferredMFA, "Authenticator app", app,
		"Identities", identities, "Created", when(u.Created), "Changed", when(u.Modified))
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// clientsView is the list of clients.
type clientsView struct {
	page
	Clients []userpool.Client
	Next    string
}

func (h *Handler) clientsPage(w http.ResponseWriter, r *http.Request) {
	clients, err := h.Pool.Clients.List(r.Context(), r.URL.Query().Get("after"), maxList)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	view := clientsView{page: h.page("Clients", "clients"), Clients: clients}
	if len(clients) == maxList {
		view.Next = root + "clients?" + url.Values{"after": {clients[maxList-1].ID}}.Encode()
	}
	h.write(w, r, http.StatusOK, "clients", view)
}

// clientView is one client.
type clientView struct {
	page
	Client  userpool.Client
	Name    string
	Facts   []fact
	Secrets string // client_secrets.json, without the secret
	Start   []start
}

func (h *Handler) clientPage(w http.ResponseWriter, r *http.Request) {
	c, ok := h.client(w, r)
	if !ok {
		return
	}
	view := clientView{
		page: h.page(nameOf(c), "clients"), Client: c, Name: nameOf(c), Facts: clientFacts(c),
		Start: starts(c), Secrets: string(h.secretsFile(c)),
	}
	h.write(w, r, http.StatusOK, "client", view)
}

// client finds the client of the address, or answers itself.
func (h *Handler) client(w http.ResponseWriter, r *http.Request) (userpool.Client, bool) {
	c, ok, err := h.Pool.Clients.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		h.fail(w, r, err)
		return c, false
	}
	if !ok {
		h.notFound(w, r)
	}
	return c, ok
}

func clientFacts(c userpool.Client) []fact {
	kind := "public: it has no secret"
	switch {
	case c.SecondSecret != "":
		kind = "confidential, with two secrets"
	case c.Secret != "":
		kind = "confidential"
	}
	rotation := "off"
	if c.RefreshTokenRotation.Enabled {
		rotation = "on, grace " + c.RefreshTokenRotation.RetryGracePeriod.String()
	}
	return facts(
		"Client ID", c.ID, "Kind", kind, "Callback URLs", c.CallbackURLs, "Default", c.DefaultRedirectURI,
		"Logout URLs", c.LogoutURLs, "Scopes", c.AllowedOAuthScopes, "Flows", c.AllowedOAuthFlows,
		"Identity providers", c.SupportedIdentityProviders, "Ways to sign in", c.ExplicitAuthFlows,
		"May read", c.ReadAttributes, "May write", c.WriteAttributes,
		"Access token", duration(c.AccessTokenValidity), "ID token", duration(c.IDTokenValidity),
		"Refresh token", duration(c.RefreshTokenValidity), "Rotation", rotation)
}

// clientSecrets is the client's client_secrets.json, with the secret left out.
func (h *Handler) clientSecrets(w http.ResponseWriter, r *http.Request) {
	c, ok := h.client(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(h.secretsFile(c))
}

func (h *Handler) secretsFile(c userpool.Client) []byte {
	type web struct {
		AuthURI      string   `json:"auth_uri"`
		ClientID     string   `json:"client_id"`
		ClientSecret string   `json:"client_secret,omitempty"`
		RedirectURIs []string `json:"redirect_uris"`
		TokenURI     string   `json:"token_uri"`
		UserInfoURI  string   `json:"userinfo_uri"`
		Issuer       string   `json:"issuer"`
	}
	file := web{
		AuthURI: h.BaseURL + "/oauth2/authorize", ClientID: c.ID, RedirectURIs: c.CallbackURLs,
		TokenURI: h.BaseURL + "/oauth2/token", UserInfoURI: h.BaseURL + "/oauth2/userInfo", Issuer: h.Pool.Issuer(),
	}
	if c.Secret != "" {
		file.ClientSecret = "the client's secret, which is not shown here"
	}
	//nolint:gosec // a sentence stands for the secret
	out, err := json.MarshalIndent(map[string]web{"web": file}, "", "    ")
	if err != nil {
		panic("devview: strings as JSON: " + err.Error())
	}
	return append(out, '\n')
}

// poolView is the settings of the pool.
type poolView struct {
	page
	Facts     []fact
	Endpoints []fact
	Groups    []userpool.Group
	Servers   []userpool.ResourceServer
	Providers []provider
}

type provider struct {
	Name  string
	Facts []fact
}

func (h *Handler) poolPage(w http.ResponseWriter, r *http.Request) {
	s := h.Pool.Settings()
	view := poolView{
		page: h.page("Pool", "pool"), Facts: h.poolFacts(s), Groups: s.Groups, Servers: s.ResourceServers,
		Endpoints: facts("Issuer", h.Pool.Issuer(), "Discovery", h.Pool.Issuer()+"/.well-known/openid-configuration",
			"Authorization", h.BaseURL+"/oauth2/authorize", "Tokens", h.BaseURL+"/oauth2/token",
			"userInfo", h.BaseURL+"/oauth2/userInfo", "Revocation", h.BaseURL+"/oauth2/revoke", "Sign-out",
			h.BaseURL+"/logout"),
	}
	for _, p := range s.IdentityProviders {
		view.Providers = append(view.Providers, provider{p.Name, facts("Type", p.Type, "Issuer", p.Issuer,
			"Client ID", p.ClientID, "Scopes", p.Scopes, "Identifiers", p.Identifiers, "Attributes",
			mapping(p.AttributeMapping))})
	}
	h.write(w, r, http.StatusOK, "pool", view)
}

func mapping(m map[string]string) (out []string) {
	for name, from := range m {
		out = append(out, name+" from "+from)
	}
	slices.Sort(out)
	return out
}

func (h *Handler) poolFacts(s *userpool.Settings) []fact {
	var schema, triggers []string
	for _, a := range s.Schema {
		text := a.Name
		if a.Required {
			text += ", required"
		}
		if a.Immutable {
			text += ", fixed"
		}
		schema = append(schema, text)
	}
	for name, t := range s.Triggers {
		triggers = append(triggers, name+" at "+bareURL(t.URL))
	}
	slices.Sort(triggers)
	signUp := "by the administrator alone"
	if s.SelfSignUp {
		signUp = "people register themselves"
	}
	return facts("Name", s.Name, "People sign in with", h.Pool.Settings().SignInNames(), "Sign-up", signUp,
		"Verified by code or link", s.AutoVerifiedAttributes, "Password policy", passwordText(s.Passwords),
		"MFA", string(s.MFA), "Second factors", s.MFATypes, "First factors", s.FirstFactors, "Recovery", s.Recovery,
		"Every code is", s.FixedCode, "Schema", schema, "Triggers", triggers)
}

// bareURL leaves out what may be a credential.
func bareURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "an address that is not a URL"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

func passwordText(p userpool.PasswordPolicy) string {
	parts := []string{fmt.Sprintf("at least %d characters", max(1, p.MinimumLength))}
	for name, on := range map[string]bool{
		"upper case": p.RequireUppercase, "lower case": p.RequireLowercase, "a digit": p.RequireNumbers,
		"a symbol": p.RequireSymbols,
	} {
		if on {
			parts = append(parts, name)
		}
	}
	slices.Sort(parts[1:])
	return strings.Join(parts, ", ")
}
