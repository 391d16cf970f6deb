package cognate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/internal/utf8text"
)

// maxClientSecrets bounds a client secrets file, in bytes. A full one is under 2 KiB.
const maxClientSecrets = 64 << 10

// ClientSecrets is the content of a client_secrets.json: an app client's ID and secret
// and its provider's endpoints. The format is that of Google's client libraries, which
// flask-oidc reads too: one outer member, "web" or "installed", that holds the members
// below.
//
// Members that are not listed here are ignored, as the format demands. Empty endpoints
// are taken from the provider's discovery document.
type ClientSecrets struct {
	// Issuer is the provider's issuer identifier; the iss claim must match it exactly.
	// For Amazon Cognito it is https://cognito-idp.<region>.amazonaws.com/<pool id>, on
	// another host than the endpoints. Files for other libraries may lack it: set
	// Config.Issuer then.
	Issuer string
	// ClientID is the app client's ID. Required.
	ClientID string
	// ClientSecret is the app client's secret; empty for a public client, whose file
	// lacks the member.
	ClientSecret Secret
	// AuthURI is the authorization endpoint.
	AuthURI string
	// TokenURI is the token endpoint.
	TokenURI string
	// UserInfoURI is the userInfo endpoint.
	UserInfoURI string
	// RedirectURIs are the callback URLs registered for the app client.
	RedirectURIs []string
}

// LoadClientSecrets reads the client secrets file at path. If the file can't be used,
// the error names the file, the member, what was expected and what to do.
func LoadClientSecrets(path string) (*ClientSecrets, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cognate: reading client secrets: %w%s; write it with the values of your app "+
			"client or, for a local pool, with: cognate client-secrets > %s", err, folderOf(path), path)
	}
	if err != nil {
		return nil, fmt.Errorf("cognate: reading client secrets: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		return nil, fmt.Errorf("cognate: reading client secrets: %s is a folder; expected the file. (For a file "+
			"that is not there, Docker mounts an empty folder: write the file first, and remove the folder)", path)
	}
	cs, err := ParseClientSecrets(f)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, path)
	}
	return cs, nil
}

// folderOf says in which folder a relative path was looked for: that of the process need
// not be the one that a person has in mind.
func folderOf(path string) string {
	folder, err := os.Getwd()
	if err != nil || filepath.IsAbs(path) {
		return ""
	}
	return " (in the folder " + folder + ")"
}

// ParseClientSecrets reads a client secrets file from r, of at most 64 KiB.
func ParseClientSecrets(r io.Reader) (*ClientSecrets, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxClientSecrets+1))
	if err != nil {
		return nil, fmt.Errorf("cognate: reading client secrets: %w", err)
	}
	cs, err := parseClientSecrets(data)
	if err != nil {
		return nil, fmt.Errorf("cognate: client secrets: %w", err)
	}
	return cs, nil
}

func parseClientSecrets(data []byte) (*ClientSecrets, error) {
	if len(data) > maxClientSecrets {
		return nil, fmt.Errorf("the file is larger than %d bytes", maxClientSecrets)
	}
	data, err := utf8text.Decode(data) // programs on Windows write a byte order mark, or UTF-16
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8 text")
	}
	outer, err := jsonMembers(data)
	if err != nil {
		return nil, fmt.Errorf("%w; expected one JSON object", err)
	}
	if len(outer) != 1 {
		return nil, fmt.Errorf(`%d outer members; expected exactly one, "web" or "installed"`, len(outer))
	}
	for name, inner := range outer {
		if name != "web" && name != "installed" {
			return nil, fmt.Errorf(`outer member %.40q; expected "web" or "installed"`, name)
		}
		return parseClientMembers(name, inner)
	}
	panic("cognate: unreachable: one member, and none found")
}

// parseClientMembers reads the members inside the outer one, and makes the checks that
// don't need the rest of the configuration.
func parseClientMembers(outer string, data []byte) (*ClientSecrets, error) {
	members, err := jsonMembers(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; expected a JSON object", outer, err)
	}
	var cs ClientSecrets
	secret := ""
	fields := []struct {
		name string
		into *string
	}{
		{"issuer", &cs.Issuer},
		{"client_id", &cs.ClientID},
		{"client_secret", &secret},
		{"auth_uri", &cs.AuthURI},
		{"token_uri", &cs.TokenURI},
		{"userinfo_uri", &cs.UserInfoURI},
	}
	var problems []error
	for _, f := range fields {
		if raw, ok := members[f.name]; ok && json.Unmarshal(raw, f.into) != nil {
			problems = append(problems, fmt.Errorf("%s.%s: not a string", outer, f.name))
		}
	}
	cs.ClientSecret = Secret(secret)
	if raw, ok := members["redirect_uris"]; ok && json.Unmarshal(raw, &cs.RedirectURIs) != nil {
		problems = append(problems, fmt.Errorf("%s.redirect_uris: not a list of strings", outer))
	}
	if raw, ok := members["client_secret"]; ok && string(raw) != "null" && strings.TrimSpace(secret) == "" {
		problems = append(problems, fmt.Errorf("%s.client_secret is empty; set it to the app client's secret, "+
			"or leave the member out for a public client, which has no secret", outer))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	err = cs.checkPlaceholders()
	if err != nil {
		return nil, err
	}
	if cs.ClientID == "" {
		return nil, fmt.Errorf("%s.client_id is missing", outer)
	}
	return &cs, nil
}

// placeholder finds the placeholders of templates for this file: {{AWS_POOL_ID}} in the
// tutorial's, [[INSERT CLIENT ID HERE]] in Google's, ${CLIENT_ID} in those of shells,
// <client ID> in manuals, as a whole value or after a slash, and an ellipsis as a whole
// value in this package's documentation.
var placeholder = regexp.MustCompile(`\{\{[^{}]*\}\}|\[\[[^\[\]]*\]\]|\$\{[A-Za-z_][A-Za-z0-9_]*\}|` +
	`^<[^<>]+>$|/<[^<>/]+>|^(?:…|\.\.\.)$`)

// exampleValue finds the user pools and app clients of the documentation's examples.
// They have the form of real ones, so they cause a warning and not an error.
var exampleValue = regexp.MustCompile(`_Example0[0-9]$|^[0-9](?:example|mobile)clientid0123456789$`)

// warnOfExamples logs which values are examples of the documentation.
func warnOfExamples(log *slog.Logger, values ...string) {
	for _, v := range values {
		if exampleValue.MatchString(v) {
			log.Warn("cognate: the configuration has an example value of the documentation; replace it with the value "+
				"of your user pool or app client",
				slog.String("value", v))
		}
	}
}

// checkPlaceholders refuses values that still hold a placeholder, and names them.
func (cs *ClientSecrets) checkPlaceholders() error {
	values := append([]string{cs.AuthURI, cs.ClientID, string(cs.ClientSecret), cs.TokenURI, cs.UserInfoURI, cs.Issuer},
		cs.RedirectURIs...)
	var names []string
	for _, v := range values {
		for _, name := range placeholder.FindAllString(v, -1) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	for _, v := range values {
		if exampleValue.MatchString(v) {
			names = append(names, v)
		}
	}
	return fmt.Errorf("not filled in: %s; replace them with the values of your user pool and its app client",
		strings.Join(names, ", "))
}

// jsonMembers returns the members of the one JSON object in data. Unlike json.Unmarshal
// it refuses a member that appears twice: two readers of the same file would not agree
// which one counts.
func jsonMembers(data []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	t, err := dec.Token()
	if err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	members := make(map[string]json.RawMessage)
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, syntaxError(data, err)
		}
		name, ok := t.(string)
		if !ok {
			return nil, errors.New("not a JSON object")
		}
		var value json.RawMessage
		err = dec.Decode(&value)
		if err != nil {
			return nil, syntaxError(data, err)
		}
		if _, ok := members[name]; ok {
			return nil, fmt.Errorf("member %.40q appears twice", name)
		}
		members[name] = value
	}
	_, err = dec.Token()
	if err != nil { // the closing brace
		return nil, syntaxError(data, err)
	}
	_, err = dec.Token()
	if !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return members, nil
}

// syntaxError says on which line the JSON is broken, without quoting it: the line
// may hold the secret. err is a decoder's, which has no exact place: it does not count the
// bytes of its tokens.
func syntaxError(data []byte, err error) error {
	if _, ok := errors.AsType[*json.SyntaxError](err); !ok {
		return errors.New("broken JSON: it ends too early")
	}
	se, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(data, new(json.RawMessage)))
	if !ok {
		return errors.New("broken JSON")
	}
	wrong := max(int(se.Offset)-1, 0) // the byte that should not be there
	line := 1 + bytes.Count(data[:wrong], []byte("\n"))
	before := bytes.TrimRight(data[:wrong], " \t\r\n")
	if bytes.HasSuffix(before, []byte(",")) && (data[wrong] == '}' || data[wrong] == ']') {
		return fmt.Errorf("broken JSON on line %d: remove the comma before the %c", line, data[wrong])
	}
	return fmt.Errorf("broken JSON on line %d", line)
}

// Encode writes the client secrets, including the secret itself, to w in the format of
// a client_secrets.json.
func (cs *ClientSecrets) Encode(w io.Writer) error {
	type members struct {
		AuthURI      string   `json:"auth_uri"`
		ClientID     string   `json:"client_id"`
		ClientSecret string   `json:"client_secret,omitempty"`
		RedirectURIs []string `json:"redirect_uris"`
		TokenURI     string   `json:"token_uri"`
		UserInfoURI  string   `json:"userinfo_uri"`
		Issuer       string   `json:"issuer"`
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "    ")
	err := enc.Encode(map[string]members{"web": { //nolint:gosec // writing the secret is what it is for
		cs.AuthURI, cs.ClientID, string(cs.ClientSecret), cs.RedirectURIs, cs.TokenURI, cs.UserInfoURI, cs.Issuer,
	}})
	if err != nil {
		return fmt.Errorf("cognate: writing client secrets: %w", err)
	}
	return nil
}
