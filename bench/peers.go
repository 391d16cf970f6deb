package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
	"time"

	"github.com/cognate-auth/cognate/bench/machine"
)

// express is express-openid-connect as its documentation shows.
func express() spec {
	return spec{command: expressCommand, callback: "/callback", signIn: "/hello"}
}

func expressCommand(ctx context.Context, p place) (*exec.Cmd, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("node is not on the PATH; on Debian: apt-get install nodejs npm")
	}
	dir, err := filepath.Abs(filepath.Join(p.peers, "express"))
	if err != nil {
		return nil, err
	}
	err = npmInstall(ctx, dir)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, node, filepath.Join(dir, "server.js")) //nolint:gosec // found on the PATH
	cmd.Env = append(os.Environ(), "NODE_ENV=production", "PORT="+p.port(), "BASE_URL="+p.base,
		"ISSUER_BASE_URL="+p.issuer, "CLIENT_ID="+p.client.ID, "CLIENT_SECRET="+string(p.client.Secret),
		"SECRET="+rand.Text())
	return cmd, nil
}

// npmInstall installs the pinned packages, unless they are installed already.
func npmInstall(ctx context.Context, dir string) error {
	wanted, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	have, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
	if err == nil && !have.ModTime().Before(wanted.ModTime()) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("npm could not install express-openid-connect: %w: %s", err, lastLine(out))
	}
	return nil
}

func lastLine(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[bytes.LastIndexByte(out, '\n')+1:]
}

// modules is the folder of Apache's modules on Debian and Ubuntu.
const modules = "/usr/lib/apache2/modules"

// apache is Apache with mod_auth_openidc, with a session type and its own folder.
func apache(sessionType string) spec {
	return spec{
		callback: "/callback", signIn: "/hello",
		command: func(ctx context.Context, p place) (*exec.Cmd, error) { return apacheCommand(ctx, p, sessionType) },
	}
}

func apacheCommand(ctx context.Context, p place, sessionType string) (*exec.Cmd, error) {
	program, err := lookAny("apache2", "/usr/sbin/apache2")
	if err == nil {
		_, err = os.Stat(filepath.Join(modules, "mod_auth_openidc.so"))
	}
	if err != nil {
		//nolint:staticcheck // a name
		return nil, errors.New("Apache and mod_auth_openidc are not installed; on Debian: " +
			"apt-get install apache2-bin libapache2-mod-auth-openidc")
	}
	var conf bytes.Buffer
	err = apacheConf.Execute(&conf, map[string]string{
		"Dir": p.dir, "Modules": modules, "Addr": p.addr, "Issuer": p.issuer, "ClientID": p.client.ID,
		"ClientSecret": string(p.client.Secret), "Callback": p.callback, "Passphrase": rand.Text(),
		"SessionType": sessionType,
	})
	if err != nil {
		return nil, err
	}
	for name, content := range map[string]string{"httpd.conf": conf.String(), "hello": "hello\n", "public": "hello\n"} {
		err = os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o644) //nolint:gosec // see Unprivileged
		if err != nil {
			return nil, err
		}
	}
	config := filepath.Join(p.dir, "httpd.conf")
	cmd := exec.CommandContext(ctx, program, "-f", config, "-D", "FOREGROUND") //nolint:gosec // found on the PATH
	return cmd, machine.Unprivileged(cmd, p.dir)
}

// apacheConf is the complete configuration: everything else is Apache's default. One
// process serves all connections, as a server on one processor does. There is no access
// log, because the other servers write none.
var apacheConf = template.Must(template.New("httpd.conf").Parse(`
ServerRoot "{{.Dir}}"
ServerName 127.0.0.1
Listen {{.Addr}}
PidFile "{{.Dir}}/httpd.pid"
DefaultRuntimeDir "{{.Dir}}"
ErrorLog "{{.Dir}}/error.log"
DocumentRoot "{{.Dir}}"
LoadModule mpm_event_module {{.Modules}}/mod_mpm_event.so
LoadModule authn_core_module {{.Modules}}/mod_authn_core.so
LoadModule authz_core_module {{.Modules}}/mod_authz_core.so
LoadModule authz_user_module {{.Modules}}/mod_authz_user.so
LoadModule auth_openidc_module {{.Modules}}/mod_auth_openidc.so
StartServers 1
ServerLimit 1
ThreadsPerChild 32
MaxRequestWorkers 32
MinSpareThreads 1
MaxSpareThreads 32
MaxKeepAliveRequests 0
KeepAliveTimeout 60

OIDCProviderMetadataURL {{.Issuer}}/.well-known/openid-configuration
OIDCClientID {{.ClientID}}
OIDCClientSecret {{.ClientSecret}}
OIDCRedirectURI {{.Callback}}
OIDCCryptoPassphrase {{.Passphrase}}
OIDCScope "openid email"
OIDCPKCEMethod S256
OIDCSessionType {{.SessionType}}

<LocationMatch "^/(hello|callback)$">
  AuthType openid-connect
  Require valid-user
</LocationMatch>
`))

// oauth2Proxy is the endpoint that a reverse proxy calls before each request. Its logs
// are off, because the other servers write none.
func oauth2Proxy() spec {
	return spec{command: oauth2ProxyCommand, callback: "/oauth2/callback", signIn: "/oauth2/start?rd=%2Foauth2%2Fauth"}
}

func oauth2ProxyCommand(ctx context.Context, p place) (*exec.Cmd, error) {
	program, err := exec.LookPath("oauth2-proxy")
	if err != nil {
		return nil, errors.New("oauth2-proxy is not on the PATH; its releases are at " +
			"https://github.com/oauth2-proxy/oauth2-proxy/releases")
	}
	cmd := exec.CommandContext(ctx, program, //nolint:gosec // found on the PATH
		"--provider=oidc", "--oidc-issuer-url="+p.issuer, "--client-id="+p.client.ID,
		"--client-secret="+string(p.client.Secret), "--redirect-url="+p.callback, "--scope=openid email",
		"--code-challenge-method=S256", "--cookie-secret="+rand.Text()+rand.Text()[:6], "--cookie-secure=false",
		"--email-domain=*", "--http-address="+p.addr, "--upstream=static://202", "--skip-provider-button=true",
		"--request-logging=false", "--auth-logging=false", "--standard-logging=false")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	return cmd, nil
}
