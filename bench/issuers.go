package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/bench/load"
	"github.com/cognate-auth/cognate/bench/report"
)

// issuers are the programs in the table of issuers.
func issuers(most int) []issuer {
	return []issuer{
		cognatePool("pool", "Cognate, SQLite", 0),
		cognatePool("pool-grown", "Cognate, SQLite, "+report.Whole(float64(most))+" users", most),
		{key: "oidc-provider", label: "node oidc-provider, in memory", kind: report.Peer, signatures: 2,
			command: oidcProviderCommand, ready: "/.well-known/openid-configuration", login: codeLogin(oidcProvider)},
		// Its access tokens are opaque.
		{key: "zitadel", label: "zitadel's example provider, in memory", kind: report.Peer, signatures: 1,
			command: zitadelCommand, ready: "/.well-known/openid-configuration", login: codeLogin(zitadel)},
		{key: "dex", label: "dex, in memory", kind: report.Peer, signatures: 2,
			command: dexCommand, ready: "/.well-known/openid-configuration", login: codeLogin(dex)},
		{key: "cognito-local", label: "cognito-local", kind: report.Peer, signatures: 2,
			command: cognitoLocalCommand, ready: "/health", login: cognitoLocalLogin},
	}
}

// endpoints are the addresses of an issuer's endpoints.
type endpoints struct {
	authorize, token string
	more             url.Values // additional parameters of the authorization request
	client           tokenClient
	user, password   string
	rotates          bool // a refresh token can be used once
}

// manyUsers is the number of users of the pool with many users.
const manyUsers = 1_000_000

// cognatePool is the program with its own database, into which so many users are
// imported before it is started.
func cognatePool(key, label string, users int) issuer {
	return issuer{
		key: key, label: label, kind: report.Ours, signatures: 2,
		ready: "/" + poolID + "/.well-known/jwks.json",
		login: codeLogin(func(p issuerPlace) endpoints {
			return endpoints{"/oauth2/authorize", "/oauth2/token", nil, p.client, userName, password, false}
		}),
		command: func(ctx context.Context, p issuerPlace) (*exec.Cmd, error) {
			_, err := os.Stat(filepath.Join(p.dir, database))
			if err != nil && users > 0 {
				for first := 0; first < users; first += mostImported {
					err = importUsers(ctx, p, first, min(first+mostImported, users))
					if err != nil {
						return nil, err
					}
				}
			}
			return p.cognate(ctx, "pool", "--addr", "127.0.0.1:"+p.port, "--client-id", p.client.id,
				"--client-secret", p.client.secret, "--redirect-uri", p.client.callback), nil
		},
	}
}

const database = "pool.db"

// cognate returns a command of the program for the pool in the issuer's folder.
func (p issuerPlace) cognate(ctx context.Context, args ...string) *exec.Cmd {
	args = append(args, "--pool-id", poolID, "--store", filepath.Join(p.dir, database))
	cmd := exec.CommandContext(ctx, p.program, args...) //nolint:gosec // this benchmark built it
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), "GOMAXPROCS=1")
	return cmd
}

// mostImported is how many users one import accepts, as Cognito's.
const mostImported = 500_000

// importUsers adds users to the database with the program's own import.
func importUsers(ctx context.Context, p issuerPlace, first, end int) error {
	file := filepath.Join(p.dir, "users.csv")
	var csv bytes.Buffer
	csv.WriteString("cognito:username,email,email_verified,name,cognito:mfa_enabled\n")
	for i := first; i < end; i++ {
		fmt.Fprintf(&csv, "user%d@example.net,user%d@example.net,true,User Number %d,false\n", i, i, i)
	}
	err := os.WriteFile(file, csv.Bytes(), 0o600)
	if err != nil {
		return err
	}
	out, err := p.cognate(ctx, "pool", "import", file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("importing users: %w: %s", err, lastLine(out))
	}
	return os.Remove(file)
}

const poolID = "local_Bench0001"

func oidcProvider(p issuerPlace) endpoints {
	more := url.Values{"prompt": {"consent"}, "scope": {"openid email offline_access"}}
	return endpoints{"/auth", "/token", more, p.client, "ann", "x", false}
}

func oidcProviderCommand(ctx context.Context, p issuerPlace) (*exec.Cmd, error) {
	return nodeCommand(ctx, p, "oidc-provider", "server.js",
		"ISSUER="+p.base, "CLIENT_ID="+p.client.id, "CLIENT_SECRET="+p.client.secret, "CALLBACK="+p.client.callback)
}

// nodeCommand runs a script of one of the peers' folders.
func nodeCommand(ctx context.Context, p issuerPlace, peer, script string, env ...string) (*exec.Cmd, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("node is not on the PATH; on Debian: apt-get install nodejs npm")
	}
	dir, err := filepath.Abs(filepath.Join(p.peers, peer))
	if err == nil {
		err = npmInstall(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, node, filepath.Join(dir, script)) //nolint:gosec // found on the PATH
	cmd.Dir = p.dir
	cmd.Env = append(append(os.Environ(), "NODE_ENV=production", "PORT="+p.port), env...)
	return cmd, nil
}

// zitadel's example has its clients and users in its source code.
func zitadel(issuerPlace) endpoints {
	c := tokenClient{"web", "secret", "http://localhost:9999/auth/callback"}
	return endpoints{"/auth", "/oauth/token", url.Values{"scope": {"openid email offline_access"}}, c,
		"test-user@localhost", "verysecure", true}
}

const zitadelModule = "github.com/zitadel/oidc/v3/example/server"

func zitadelCommand(ctx context.Context, p issuerPlace) (*exec.Cmd, error) {
	program := filepath.Join(p.dir, "zitadel.exe")
	_, err := os.Stat(program)
	if err != nil {
		build := exec.CommandContext(ctx, "go", "build", "-o", program, zitadelModule) //nolint:gosec // a constant
		build.Dir = filepath.Dir(p.peers)
		out, err := build.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("building zitadel's example provider: %w: %s", err, lastLine(out))
		}
	}
	cmd := exec.CommandContext(ctx, program) //nolint:gosec // just built
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "PORT="+p.port, "ISSUER="+p.base+"/")
	return cmd, nil
}

func dex(p issuerPlace) endpoints {
	return endpoints{
		"/auth", "/token", url.Values{"scope": {"openid email offline_access"}}, p.client, userName, password, false,
	}
}

func dexCommand(ctx context.Context, p issuerPlace) (*exec.Cmd, error) {
	program, err := exec.LookPath("dex")
	if err != nil {
		return nil, errors.New("dex is not on the PATH; it is built from https://github.com/dexidp/dex")
	}
	config := fmt.Sprintf(`{
"issuer": %q, "storage": {"type": "memory"}, "web": {"http": "127.0.0.1:%s"},
"oauth2": {"skipApprovalScreen": true}, "enablePasswordDB": true, "logger": {"level": "error"},
"expiry": {"refreshTokens": {"disableRotation": true}},
"staticClients": [{"id": %q, "secret": %q, "name": "bench", "redirectURIs": [%q]}],
"staticPasswords": [{"email": %q, "hash": %q, "username": "ann", "userID": "1"}]}`,
		p.base, p.port, p.client.id, p.client.secret, p.client.callback, userName, dexHash)
	file := filepath.Join(p.dir, "config.json")
	err = os.WriteFile(file, []byte(config), 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "serve", file) //nolint:gosec // found on the PATH
	cmd.Dir, cmd.Env = filepath.Dir(filepath.Dir(program)), append(os.Environ(), "GOMAXPROCS=1")
	return cmd, nil
}

// dexHash is the bcrypt hash of the password, at the lowest cost that dex accepts.
const dexHash = "$2a$10$qI58xLsuEC779aikF08FSONtEpoamgPRkI97Nwau92DUSIhi5wPum"

// codeLogin signs in as a browser does, redeems the code, and returns the request that
// refreshes the tokens. If refresh tokens are rotated, it does so for each connection.
func codeLogin(of func(issuerPlace) endpoints) func(context.Context, issuerPlace) (load.Target, error) {
	return func(ctx context.Context, p issuerPlace) (load.Target, error) {
		e := of(p)
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(e.client.id+":"+e.client.secret))
		target := load.Target{
			Addr: "localhost:" + p.port, Path: e.token, Status: http.StatusOK, Rotates: e.rotates,
			Header: "Content-Type: " + formType + "\r\nAuthorization: " + basic + "\r\n",
		}
		for range tokenConnections {
			refresh, err := e.refreshToken(ctx, p.base, basic)
			if err != nil {
				return target, err
			}
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
			target.Bodies = append(target.Bodies, form.Encode())
			if !e.rotates {
				break
			}
		}
		return target, nil
	}
}

func (e endpoints) refreshToken(ctx context.Context, base, basic string) (string, error) {
	code, err := e.signIn(ctx, base)
	if err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {e.client.callback}}
	tokens, err := post(ctx, base+e.token, form.Encode(), formType, http.Header{"Authorization": {basic}})
	if err != nil {
		return "", err
	}
	refresh, _ := tokens["refresh_token"].(string)
	if refresh == "" || tokens["id_token"] == nil {
		return "", errors.New("no refresh token or ID token came")
	}
	return refresh, nil
}

const formType = "application/x-www-form-urlencoded"

// signIn opens the authorization endpoint and fills in every form until the browser
// reaches the callback. It returns the code there.
func (e endpoints) signIn(ctx context.Context, base string) (string, error) {
	q := url.Values{
		"response_type": {"code"}, "client_id": {e.client.id}, "redirect_uri": {e.client.callback},
		"scope": {"openid email"}, "state": {"some-state-of-the-app"}, "nonce": {"n"},
	}
	for name, values := range e.more {
		q[name] = values
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	address, form := base+e.authorize+"?"+q.Encode(), url.Values(nil)
	for range maxSteps {
		if strings.HasPrefix(address, e.client.callback) {
			return codeOf(address)
		}
		address, form, err = e.step(ctx, client, address, form)
		if err != nil {
			return "", err
		}
	}
	return "", errors.New("too many steps to sign in")
}

func codeOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if code := u.Query().Get("code"); code != "" {
		return code, nil
	}
	return "", fmt.Errorf("the sign-in ended with %s", u.Query().Get("error"))
}

// step sends one request and returns the next one.
func (e endpoints) step(
	ctx context.Context, client *http.Client, address string, form url.Values,
) (string, url.Values, error) {
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", formType)
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", nil, err
	}
	to, err := resp.Location()
	if err == nil {
		return to.String(), nil, nil
	}
	return e.fill(req.URL, string(body))
}

var anyForm = regexp.MustCompile(`(?s)<form[^>]*>.*?</form>`)
var formAction = regexp.MustCompile(`<form[^>]*\saction="([^"]*)"`)

// fill fills in the first form of a page.
func (e endpoints) fill(at *url.URL, page string) (string, url.Values, error) {
	form := anyForm.FindString(page)
	if form == "" {
		return "", nil, fmt.Errorf("%s shows no form", at.Path)
	}
	to := at
	if m := formAction.FindStringSubmatch(form); m != nil {
		var err error
		to, err = at.Parse(html.UnescapeString(m[1]))
		if err != nil {
			return "", nil, err
		}
	}
	values := url.Values{}
	for _, input := range inputTag.FindAllString(form, -1) {
		name := attribute(nameAttr, input)
		switch name {
		case "":
		case "username", "login":
			values.Set(name, e.user)
		case "password":
			values.Set(name, e.password)
		default:
			values.Set(name, attribute(valAttr, input))
		}
	}
	return to.String(), values, nil
}

// post posts a body and returns the JSON object of the answer.
func post(ctx context.Context, address, body, kind string, header http.Header) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header.Clone()
	}
	req.Header.Set("Content-Type", kind)
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d: %s", req.URL.Path, resp.StatusCode, lastLine(answer))
	}
	out := map[string]any{}
	err = json.NewDecoder(bytes.NewReader(answer)).Decode(&out)
	return out, err
}

// cognito-local has no pages and no OAuth endpoints. It issues tokens through the API.
func cognitoLocalCommand(ctx context.Context, p issuerPlace) (*exec.Cmd, error) {
	return nodeCommand(ctx, p, "cognito-local",
		filepath.Join("node_modules", "cognito-local", "lib", "bin", "start.js"),
		"HOST=127.0.0.1", "CODE=123456")
}

const (
	apiTarget = "AWSCognitoIdentityProviderService."
	apiType   = "application/x-amz-json-1.1"
)

// apiHeader has the form that the API requires. cognito-local checks no signature.
func apiHeader(operation string) http.Header {
	return http.Header{
		"X-Amz-Target": {apiTarget + operation},
		"Authorization": {"AWS4-HMAC-SHA256 Credential=local/20260101/local/cognito-idp/aws4_request, " +
			"SignedHeaders=host, Signature=0"},
	}
}

func cognitoLocalLogin(ctx context.Context, p issuerPlace) (load.Target, error) {
	call := func(operation string, in map[string]any) (map[string]any, error) {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		return post(ctx, p.base+"/", string(body), apiType, apiHeader(operation))
	}
	pool, err := call("CreateUserPool", map[string]any{"PoolName": "bench"})
	if err != nil {
		return load.Target{}, err
	}
	id := member(pool, "UserPool", "Id")
	client, err := call("CreateUserPoolClient", map[string]any{"UserPoolId": id, "ClientName": "bench"})
	if err != nil {
		return load.Target{}, err
	}
	clientID := member(client, "UserPoolClient", "ClientId")
	_, err = call("AdminCreateUser", map[string]any{
		"UserPoolId": id, "Username": userName, "MessageAction": "SUPPRESS",
		"UserAttributes": []map[string]string{{"Name": "email", "Value": userName}},
	})
	if err == nil {
		_, err = call("AdminSetUserPassword", map[string]any{
			"UserPoolId": id, "Username": userName, "Password": password, "Permanent": true,
		})
	}
	if err != nil {
		return load.Target{}, err
	}
	signedIn, err := call("InitiateAuth", map[string]any{
		"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": clientID,
		"AuthParameters": map[string]string{"USERNAME": userName, "PASSWORD": password},
	})
	if err != nil {
		return load.Target{}, err
	}
	body, err := json.Marshal(map[string]any{
		"AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": clientID,
		"AuthParameters": map[string]any{"REFRESH_TOKEN": member(signedIn, "AuthenticationResult", "RefreshToken")},
	})
	var header strings.Builder
	for name, values := range apiHeader("InitiateAuth") {
		header.WriteString(name + ": " + values[0] + "\r\n")
	}
	return load.Target{
		Addr: "localhost:" + p.port, Path: "/", Status: http.StatusOK, Bodies: []string{string(body)},
		Header: "Content-Type: " + apiType + "\r\n" + header.String(),
	}, err
}

func member(v map[string]any, outer, inner string) any {
	m, _ := v[outer].(map[string]any)
	return m[inner]
}
