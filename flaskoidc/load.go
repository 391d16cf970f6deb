package flaskoidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/utf8text"
)

// Loaded is the meaning of a flask-oidc app's settings.
type Loaded struct {
	// Config is for [cognate.New]. Fields that flask-oidc has no setting for are zero;
	// the caller may set them.
	Config cognate.Config
	// ResourceServerOnly says that the app signs nobody in and only accepts access
	// tokens. Use [cognate.NewBearer] for it.
	ResourceServerOnly bool
	// Warnings name the settings that have no effect, or another one than before, one
	// sentence each.
	Warnings []string
}

// maxSettings limits the number of settings.
const maxSettings = 10_000

// Load reads settings by name, as in app.config. It reads the client secrets file that
// they name, and does not change the map. The error lists all problems.
func Load(settings map[string]any) (*Loaded, error) {
	if len(settings) > maxSettings {
		return nil, fmt.Errorf("flaskoidc: there are %d settings; expected at most %d", len(settings), maxSettings)
	}
	l := &loader{settings: settings, file: &cognate.ClientSecrets{}, params: map[string]string{}}
	for _, step := range []func(){
		l.checkNames, l.readClient, l.readParams, l.readIssuer, l.readEndpoints, l.readRedirect, l.readPolicy,
		l.readSession, l.readCookieSwitches, l.readBearer, l.readCognitoUI, l.refuseTestMode,
	} {
		step()
	}
	if len(l.problems) > 0 {
		return nil, fmt.Errorf("flaskoidc: settings: %w", errors.Join(l.problems...))
	}
	return &l.out, nil
}

// loader collects the meaning of the settings.
type loader struct {
	settings map[string]any
	out      Loaded
	file     *cognate.ClientSecrets // empty if there is no file
	introURI string                 // token_introspection_uri of the file
	params   map[string]string      // additional parameters of the authorization request
	problems []error
}

func (l *loader) problem(key, format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf("%s: "+format, append([]any{key}, args...)...))
}

func (l *loader) warn(key, format string, args ...any) {
	l.out.Warnings = append(l.out.Warnings, "flaskoidc: "+key+" "+fmt.Sprintf(format, args...))
}

// get reads one setting. ok is false if it is missing, or wrong, which get reports.
func get[T any](l *loader, key, want string, read func(any) (T, bool)) (v T, ok bool) {
	raw := l.settings[key]
	if raw == nil {
		return v, false
	}
	if s, isText := textOf(raw); isText && strings.TrimSpace(s) == "" {
		l.problem(key, "it is empty; expected %s, or no such key", want)
		return v, false
	}
	v, ok = read(raw)
	if !ok {
		l.problem(key, "expected %s", want)
	}
	return v, ok
}

func (l *loader) text(key string) string {
	s, _ := get(l, key, "a text", textOf)
	return s
}

// flag returns a boolean, or the default if the setting is missing.
func (l *loader) flag(key string, byDefault bool) bool {
	b, ok := get(l, key, "a boolean such as True or False", flagOf)
	if !ok {
		return byDefault
	}
	return b
}

// seconds returns a number of seconds between low and high.
func (l *loader) seconds(key string, low, high time.Duration) (d time.Duration, ok bool) {
	n, ok := get(l, key, "a whole number of seconds", numberOf)
	if !ok {
		return 0, false
	}
	if n < int64(low/time.Second) || n > int64(high/time.Second) {
		l.problem(key, "expected %d to %d seconds", low/time.Second, high/time.Second)
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// checkNames reports unknown keys, and warns of obsolete ones.
func (l *loader) checkNames() {
	for _, key := range slices.Sorted(maps.Keys(l.settings)) {
		if misspelt(key) {
			hint := ""
			if near := nearest(key); near != "" {
				hint = "; did you mean " + near + "?"
			}
			l.problems = append(l.problems, fmt.Errorf("%.80q is not a key of flask-oidc%s", key, hint))
		}
		if why, ok := obsolete[key]; ok && l.settings[key] != nil {
			l.warn(key, "%s", why)
		}
	}
}

// readClient reads the app client from the file and from the settings, which take
// precedence.
func (l *loader) readClient() {
	c := &l.out.Config
	if cs, ok := get(l, "OIDC_CLIENT_SECRETS", "the path of the client secrets file, or its content",
		l.clientSecrets); ok && cs != nil {
		l.file, c.ClientSecrets = cs, cs
	}
	c.ClientID = l.text("OIDC_CLIENT_ID")
	c.ClientSecret = cognate.Secret(l.text("OIDC_CLIENT_SECRET"))
	keys, _ := get(l, "SECRET_KEY", "a text, or a list of texts", keysOf)
	for i, k := range keys {
		if len(k) < minKey {
			l.problem("SECRET_KEY",
				"key %d has %d bytes; expected at least %d random ones, as from: openssl rand -base64 32. "+
					"A new key is no loss: sessions of flask-oidc can't be kept anyway", i+1, len(k), minKey)
		}
	}
	c.Keys = keys
}

// minKey is the minimum length of the keys in [cognate.Config].Keys, in bytes.
const minKey = 32

func keysOf(v any) (keys []cognate.Secret, ok bool) {
	if s, ok := textOf(v); ok { // even if it looks like a list
		return []cognate.Secret{cognate.Secret(s)}, true
	}
	list, ok := listOf(v)
	for _, s := range list {
		keys = append(keys, cognate.Secret(s))
	}
	return keys, ok
}

// clientSecrets reads the client secrets from a path, a dictionary, or JSON. If they
// are wrong, it reports the problem and returns nil and true.
func (l *loader) clientSecrets(v any) (*cognate.ClientSecrets, bool) {
	data, err := clientSecretsData(v)
	if err == nil && data == nil {
		return nil, false
	}
	var cs *cognate.ClientSecrets
	if err == nil {
		cs, err = cognate.ParseClientSecrets(bytes.NewReader(data))
	}
	var outer map[string]struct {
		URI string `json:"token_introspection_uri"`
	}
	if err == nil {
		data, err = utf8text.Decode(data)
	}
	if err == nil && json.Unmarshal(data, &outer) != nil {
		err = errors.New("token_introspection_uri is not a string")
	}
	if err != nil {
		l.problem("OIDC_CLIENT_SECRETS", "%w", err)
		return nil, true
	}
	for _, members := range outer {
		l.introURI = members.URI
	}
	return cs, true
}

// clientSecretsData returns the JSON. It is nil if v can't be client secrets.
func clientSecretsData(v any) ([]byte, error) {
	s, isText := textOf(v)
	if !isText {
		dict, ok := dictOf(v)
		if !ok {
			return nil, nil
		}
		data, err := json.Marshal(dict)
		if err != nil {
			return nil, errors.New("the dictionary can't be written as JSON")
		}
		return data, nil
	}
	if trimmed := strings.TrimSpace(s); strings.ContainsAny(trimmed, "{\"\n") {
		return []byte(trimmed), nil // it can't be a path, which the error would show
	}
	f, err := os.Open(s)
	if err != nil {
		return nil, fmt.Errorf("reading client secrets: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxText))
	if err != nil {
		return nil, fmt.Errorf("reading client secrets: %w", err)
	}
	return data, nil
}

// readParams reads the additional parameters of the authorization request.
func (l *loader) readParams() {
	for _, key := range []string{"OIDC_AUTHORIZE_PARAMS", "OIDC_EXTRA_REQUEST_AUTH_PARAMS"} {
		dict, _ := get(l, key, "a dictionary, or a JSON object", dictOf)
		for _, name := range slices.Sorted(maps.Keys(dict)) {
			value, ok := textOf(dict[name])
			switch {
			case !ok:
				l.problem(key, "the value of %.40q is not a text", name)
			case slices.Contains(ownParams, strings.ToLower(name)):
				l.problem(key, "%s is set by the sign-in itself; remove it", name)
			default:
				l.param(key, name, value)
			}
		}
	}
}

// ownParams are the parameters that the sign-in itself sets.
var ownParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge",
	"code_challenge_method", "request", "request_uri",
}

// param adds a parameter. It reports one that another setting has given another value.
func (l *loader) param(key, name, value string) {
	if other, ok := l.params[name]; ok {
		if other != value {
			l.problem(key, "another setting gives the parameter %.40q another value; remove one", name)
		}
		return
	}
	l.params[name] = value
	option := cognate.Param(name, value)
	switch name { // the answer to these is checked
	case "prompt":
		option = cognate.Prompt(value)
	case "acr_values":
		option = cognate.ACRValues(strings.FieldsFunc(value, func(r rune) bool { return r == ' ' })...)
	case "max_age":
		age, ok := numberOf(value)
		if !ok || age < 0 || age > int64(maxAge/time.Second) {
			l.problem(key, "max_age: expected 0 to %d seconds", maxAge/time.Second)
			return
		}
		option = cognate.MaxAge(time.Duration(age) * time.Second)
	}
	l.out.Config.LoginOptions = append(l.out.Config.LoginOptions, option)
}

// maxAge is the maximum lifetime, and the maximum age of a sign-in, in Config.
const maxAge = 400 * 24 * time.Hour

// readIssuer determines the single provider.
func (l *loader) readIssuer() {
	const wellKnown = "/.well-known/openid-configuration"
	issuer := l.file.Issuer
	if meta := l.text("OIDC_SERVER_METADATA_URL"); meta != "" {
		base, ok := strings.CutSuffix(meta, wellKnown)
		switch {
		case !ok:
			l.problem("OIDC_SERVER_METADATA_URL",
				"expected the issuer and %s; for a document elsewhere set Config.Endpoints", wellKnown)
		case issuer == "":
			issuer, l.out.Config.Issuer = base, base
		case strings.TrimSuffix(issuer, "/") != base:
			l.problem("OIDC_SERVER_METADATA_URL",
				"it is not the document of the issuer %.200q in the client secrets", issuer)
		}
	}
	valid, ok := get(l, "OIDC_VALID_ISSUERS", "one issuer", listOf)
	if !ok {
		return
	}
	valid = distinctIssuers(valid)
	switch {
	case len(valid) != 1:
		l.problem("OIDC_VALID_ISSUERS", "%d issuers; expected one: make one cognate.Auth for each provider", len(valid))
	case issuer == "":
		l.out.Config.Issuer = valid[0]
	case valid[0] != issuer:
		l.problem("OIDC_VALID_ISSUERS",
			"it is not exactly the issuer %.200q of the client secrets; the two must be equal", issuer)
	}
}

// distinctIssuers treats Google's two names for itself as one, and uses the longer one.
func distinctIssuers(list []string) []string {
	const google = "accounts.google.com"
	list = slices.Compact(slices.Sorted(slices.Values(list)))
	if slices.Contains(list, "https://"+google) {
		list = slices.DeleteFunc(list, func(s string) bool { return s == google })
	}
	return list
}

// readEndpoints reads addresses that take precedence over those of the client secrets.
func (l *loader) readEndpoints() {
	e := &l.out.Config.Endpoints
	e.Authorization = l.text("OIDC_AUTHORIZE_URL")
	e.Token = l.text("OIDC_ACCESS_TOKEN_URL")
	e.UserInfo = l.text("OIDC_USERINFO_URL")
	token := e.Token
	if token == "" {
		token = l.file.TokenURI
	}
	if refresh := l.text("OIDC_REFRESH_TOKEN_URL"); refresh != "" && refresh != token {
		l.problem("OIDC_REFRESH_TOKEN_URL", "it is not the token endpoint, where tokens are refreshed (RFC 6749, 6); "+
			"set OIDC_ACCESS_TOKEN_URL to the same address or remove it")
	}
}

// readRedirect determines the callback URL. It never depends on a request.
func (l *loader) readRedirect() {
	redirect := l.override("OIDC_OVERWRITE_REDIRECT_URI")
	old := l.override("OVERWRITE_REDIRECT_URI")
	if redirect != "" && old != "" && redirect != old {
		l.problem("OVERWRITE_REDIRECT_URI", "it differs from OIDC_OVERWRITE_REDIRECT_URI; remove it")
	}
	if redirect == "" {
		redirect = old
	}
	route := l.text("OIDC_CALLBACK_ROUTE")
	switch {
	case route == "":
	case redirect != "":
		if path := pathOf(redirect); path != route {
			l.warn("OIDC_CALLBACK_ROUTE",
				"has no effect: the callback is answered at the path of the redirect URI, %.200q; "+
					"a proxy in front must not change the path", path)
		}
	default:
		i := slices.IndexFunc(l.file.RedirectURIs, func(u string) bool { return pathOf(u) == route })
		if i < 0 {
			l.problem("OIDC_CALLBACK_ROUTE", "no redirect_uris of the client secrets has this path; "+
				"set OIDC_OVERWRITE_REDIRECT_URI to the whole URL, as it is registered at the provider")
			return
		}
		redirect = l.file.RedirectURIs[i]
	}
	l.out.Config.RedirectURL = redirect
}

// override reads a redirect URI. False means that there is none.
func (l *loader) override(key string) string {
	if b, ok := flagOf(l.settings[key]); ok && !b {
		return ""
	}
	return l.text(key)
}

func pathOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.EscapedPath()
}
