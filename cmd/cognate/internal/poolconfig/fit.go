package poolconfig

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

// fitting converts an app client of AWS to one that a local pool accepts. What it can't
// convert, it leaves out and names in a note. The pool's own rules check the result.
type fitting struct {
	// pool has the settings of the client's pool. Resource servers, which describe-user-pool
	// does not list, are added from the scopes of the clients.
	pool  userpool.Settings
	notes []string
}

func (f *fitting) leaveOut(member, value, why string) {
	f.notes = append(f.notes, fmt.Sprintf("left out: UserPoolClient.%s %s: %s", member, clip(value), why))
}

// client returns the converted client and the notes about it. usable is false if too
// little of the client is left; a note says so.
func (f *fitting) client(a awsClient) (m clientModel, notes []string, usable bool) {
	m = a.model()
	m.Name = strings.Join(strings.Fields(m.Name), " ") // AWS accepts tabs and line breaks
	f.knownWords(a, &m)
	f.flows(&m)
	f.scopes(&m)
	machine := slices.Contains(m.Flows, userpool.FlowClientCredentials)
	if machine && (len(m.Scopes) == 0 || m.Secret == "") {
		f.leaveOut("ClientId", m.ID,
			"the client, because client_credentials needs a secret and a scope of a resource server")
		return m, f.notes, false
	}
	if !a.FlowsEnabled && len(a.Flows) == 0 {
		f.notes = append(f.notes, "the client has no OAuth flow at AWS; here it has code")
	}
	m.CallbackURLs = f.urls("CallbackURLs", m.CallbackURLs)
	m.LogoutURLs = f.urls("LogoutURLs", m.LogoutURLs)
	if m.DefaultRedirectURI != "" && !slices.Contains(m.CallbackURLs, m.DefaultRedirectURI) {
		f.leaveOut("DefaultRedirectURI", m.DefaultRedirectURI, "it is not one of the callback URLs")
		m.DefaultRedirectURI = ""
	}
	f.providers(&m)
	f.attributes(&m)
	f.times(a, &m)
	return m, f.notes, true
}

// knownWords leaves out words that are not known here.
func (f *fitting) knownWords(a awsClient, m *clientModel) {
	known := func(member, word string, known ...string) bool {
		err := oneOf(member, word, known...)
		if err != nil {
			f.leaveOut(member, word, "it is unknown")
		}
		return err == nil
	}
	if !known("PreventUserExistenceErrors", a.UserExistence, "ENABLED", "LEGACY") {
		m.UserExistence = ""
	}
	if a.Rotation != nil {
		known("RefreshTokenRotation.Feature", a.Rotation.Feature, "ENABLED", "DISABLED")
	}
	for _, unit := range []struct {
		member, word string
		drop         *time.Duration
	}{
		{"AccessToken", a.Units.AccessToken, &m.AccessTokenValidity}, {"IdToken", a.Units.IDToken, &m.IDTokenValidity},
		{"RefreshToken", a.Units.RefreshToken, &m.RefreshTokenValidity},
	} {
		if !known("TokenValidityUnits."+unit.member, unit.word, "seconds", "minutes", "hours", "days") {
			*unit.drop = 0 // without its unit, the number would mean another time
		}
	}
}

// oldFlows are the values of ExplicitAuthFlows from before ALLOW_REFRESH_TOKEN_AUTH
// (API reference, UserPoolClientType).
var oldFlows = map[string]string{
	"ADMIN_NO_SRP_AUTH":     "ALLOW_ADMIN_USER_PASSWORD_AUTH",
	"CUSTOM_AUTH_FLOW_ONLY": "ALLOW_CUSTOM_AUTH",
	"USER_PASSWORD_AUTH":    "ALLOW_USER_PASSWORD_AUTH",
}

func (f *fitting) flows(m *clientModel) {
	var explicit []string
	for _, flow := range m.ExplicitAuthFlows {
		if renamed, ok := oldFlows[flow]; ok {
			flow = renamed
		}
		err := userpool.CheckClient(userpool.Client{ExplicitAuthFlows: []string{flow}})
		if err != nil {
			f.leaveOut("ExplicitAuthFlows", flow, sentence(err))
			continue
		}
		explicit = addNew(explicit, flow)
	}
	m.ExplicitAuthFlows = explicit
	var flows []string
	for _, flow := range addNew(nil, m.Flows...) {
		err := userpool.CheckClient(userpool.Client{
			AllowedOAuthFlows: []string{flow}, AllowedOAuthScopes: []string{"a/b"}, GenerateSecret: true,
		})
		if err != nil {
			f.leaveOut("AllowedOAuthFlows", flow, sentence(err))
			continue
		}
		flows = append(flows, flow)
	}
	if len(flows) == 0 && len(m.Flows) > 0 {
		f.notes = append(f.notes, "the client had no OAuth flow left; here it has code")
	}
	if m.Flows = flows; len(m.Flows) > 1 && slices.Contains(m.Flows, userpool.FlowClientCredentials) {
		m.Flows = slices.DeleteFunc(m.Flows, func(s string) bool { return s == userpool.FlowClientCredentials })
		f.leaveOut("AllowedOAuthFlows", userpool.FlowClientCredentials,
			"it can't be combined with others; create a separate client for it")
	}
}

// addNew appends the words that are not in the list.
func addNew(list []string, words ...string) []string {
	there := map[string]bool{}
	for _, w := range list {
		there[w] = true
	}
	for _, w := range words {
		if !there[w] {
			there[w] = true
			list = append(list, w)
		}
	}
	return list
}

// maxFitted limits how many entries of a list are converted. A longer list is refused
// as a whole, so the entries after them don't matter.
const maxFitted = 200

// scopes adds the resource servers of the client's scopes, and leaves out scopes that
// its flow can't use.
func (f *fitting) scopes(m *clientModel) {
	machine := slices.Contains(m.Flows, userpool.FlowClientCredentials)
	var scopes []string
	for _, scope := range addNew(nil, m.Scopes...) {
		if len(scopes) > maxFitted {
			break
		}
		c := userpool.Client{AllowedOAuthScopes: []string{"openid", scope}}
		if scope == "openid" {
			c.AllowedOAuthScopes = c.AllowedOAuthScopes[1:]
		}
		err := userpool.CheckClientOf(f.pool, c)
		system := err == nil && userpool.CheckClientOf(userpool.Settings{Schema: f.pool.Schema}, c) == nil
		switch {
		case machine && system:
			f.leaveOut("AllowedOAuthScopes", scope, "it is about a person, and client_credentials signs in no person")
			continue
		case err != nil && !f.addScope(scope):
			f.leaveOut("AllowedOAuthScopes", scope, sentence(err))
			continue
		}
		scopes = append(scopes, scope)
	}
	person := func(s string) bool { return s == "email" || s == "phone" || s == "profile" }
	if i := slices.IndexFunc(scopes, person); !machine && i >= 0 && !slices.Contains(scopes, "openid") {
		scopes = append([]string{"openid"}, scopes...)
		if userpool.CheckClient(userpool.Client{AllowedOAuthScopes: scopes}) != nil { // one scope too many
			f.leaveOut("AllowedOAuthScopes", scopes[i+1], "it needs openid, and the list is full")
			scopes = slices.Delete(scopes, i+1, i+2)
		}
		f.notes = append(f.notes, "added: UserPoolClient.AllowedOAuthScopes openid: email, phone and profile need it")
	}
	m.Scopes = scopes
}

// addScope adds the scope and, if necessary, its resource server to the pool. It
// reports whether the pool accepts them.
func (f *fitting) addScope(scope string) bool {
	slash := strings.LastIndexByte(scope, '/')
	if slash < 0 {
		return false
	}
	servers := slices.Clone(f.pool.ResourceServers)
	i := slices.IndexFunc(servers, func(r userpool.ResourceServer) bool { return r.Identifier == scope[:slash] })
	if i < 0 {
		servers, i = append(servers, userpool.ResourceServer{Identifier: scope[:slash]}), len(servers)
	}
	servers[i].Scopes = append(slices.Clone(servers[i].Scopes), userpool.ResourceServerScope{Name: scope[slash+1:]})
	if userpool.CheckSettings(userpool.Settings{ResourceServers: servers}) != nil {
		return false
	}
	f.pool.ResourceServers = servers
	f.notes = append(f.notes,
		fmt.Sprintf("added: the scope %s of a resource server, which describe-user-pool does not list; "+
			"its description is not known", clip(scope)))
	return true
}

func (f *fitting) urls(member string, list []string) []string {
	var out []string
	for _, u := range list {
		err := userpool.CheckRedirectURI(u)
		if err != nil {
			f.leaveOut(member, u, sentence(err))
			continue
		}
		out = append(out, u)
	}
	return out
}

// providers leaves out providers that describe-user-pool does not describe.
func (f *fitting) providers(m *clientModel) {
	var out []string
	for _, name := range addNew(nil, m.Providers...) {
		err := userpool.CheckClientOf(f.pool, userpool.Client{SupportedIdentityProviders: []string{name}})
		if err != nil {
			f.leaveOut("SupportedIdentityProviders", name, "describe-user-pool does not describe it; "+
				"write it into identity_providers to have it")
			continue
		}
		out = append(out, name)
	}
	if len(out) == 0 && len(m.Providers) > 0 {
		f.notes = append(f.notes, "the client had no identity provider left; here people sign in to the pool itself")
	}
	m.Providers = out
}

// attributes leaves out attributes that the pool does not have.
func (f *fitting) attributes(m *clientModel) {
	for _, list := range []struct {
		member string
		names  *[]string
	}{{"ReadAttributes", &m.ReadAttributes}, {"WriteAttributes", &m.WriteAttributes}} {
		var out []string
		for _, name := range addNew(nil, *list.names...) {
			if len(out) > maxFitted {
				break
			}
			c := userpool.Client{ReadAttributes: []string{name}}
			if list.member == "WriteAttributes" {
				c = userpool.Client{WriteAttributes: []string{name}}
			}
			err := userpool.CheckClientOf(withoutRequired(f.pool), c)
			if err != nil {
				f.leaveOut(list.member, name, sentence(err))
				continue
			}
			out = append(out, name)
		}
		if len(out) == 0 && len(*list.names) > 0 {
			f.notes = append(f.notes, "UserPoolClient."+list.member+" is empty now: here the client has all attributes")
		}
		*list.names = out
	}
	if len(m.WriteAttributes) == 0 {
		return
	}
	for _, a := range f.pool.Schema {
		if a.Required && a.Name != "sub" && !slices.Contains(m.WriteAttributes, a.Name) {
			m.WriteAttributes = append(m.WriteAttributes, a.Name)
			f.notes = append(f.notes,
				"added: UserPoolClient.WriteAttributes "+clip(a.Name)+": it is required at sign-up")
		}
	}
}

// withoutRequired returns the settings without required attributes.
func withoutRequired(s userpool.Settings) userpool.Settings {
	s.Schema = slices.Clone(s.Schema)
	for i := range s.Schema {
		s.Schema[i].Required = false
	}
	return s
}

// times leaves out times that the pool does not accept.
func (f *fitting) times(a awsClient, m *clientModel) {
	for _, t := range []struct {
		member string
		n      int64
		c      userpool.Client
		drop   func()
	}{
		{"AccessTokenValidity", a.AccessToken, userpool.Client{AccessTokenValidity: m.AccessTokenValidity},
			func() { m.AccessTokenValidity = 0 }},
		{"IdTokenValidity", a.IDToken, userpool.Client{IDTokenValidity: m.IDTokenValidity},
			func() { m.IDTokenValidity = 0 }},
		{"RefreshTokenValidity", a.RefreshToken, userpool.Client{RefreshTokenValidity: m.RefreshTokenValidity},
			func() { m.RefreshTokenValidity = 0 }},
	} {
		err := userpool.CheckClient(t.c)
		if err != nil {
			f.leaveOut(t.member, fmt.Sprint(t.n), sentence(err))
			t.drop()
		}
	}
	if m.Rotation == nil {
		return
	}
	err := userpool.CheckClient(userpool.Client{RefreshTokenRotation: userpool.RefreshTokenRotation{
		RetryGracePeriod: m.Rotation.RetryPeriod,
	}})
	if err != nil {
		f.leaveOut("RefreshTokenRotation.RetryGracePeriodSeconds", fmt.Sprint(a.Rotation.Seconds), sentence(err))
		m.Rotation.RetryPeriod = 0
	}
}
