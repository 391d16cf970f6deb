package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/devtls"
	"github.com/cognate-auth/cognate/e2e/demo"
	"github.com/cognate-auth/cognate/userpool"
)

// shop is where the app is for browsers, as in docs/production.md.
const shop = "https://shop.example.com"

// TestNginx signs in through nginx, with the configuration of docs/production.md and a
// session that takes as many cookies as there may be; and sees that its lines about sizes
// are needed.
func TestNginx(t *testing.T) {
	page, err := os.ReadFile("../docs/production.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/production.md has no configuration of nginx")
	}
	config := string(block[1])
	pool := cognatetest.New(t, cognatetest.Options{Settings: userpool.Settings{Groups: groups()}})
	client := pool.AddClient(userpool.Client{CallbackURLs: []string{shop + "/oidc_callback"}})
	pool.AddUser(userpool.NewUser{Username: "ann", Password: "Correct-Horse-7", Groups: names(groups())})

	t.Run("as documented", func(t *testing.T) {
		browser := newNginx(t, config, newShop(t, pool, client))
		browser = pool.SignIn(t, browser, shop+"/hello", "ann", "Correct-Horse-7")
		resp := ask(t, browser, shop+"/hello")
		if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Cookies") < "10000" {
			t.Errorf("status %d, with %s bytes of cookies; want a session with its tokens", resp.StatusCode,
				resp.Header.Get("X-Cookies"))
		}
		if resp.Header.Get("Strict-Transport-Security") == "" {
			t.Error("no Strict-Transport-Security")
		}
		browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp = ask(t, browser, "http://shop.example.com/hello?a=b")
		if got := resp.Header.Get("Location"); got != shop+"/hello?a=b" {
			t.Errorf("over http the browser is sent to %q", got)
		}
	})
	for line, want := range map[string]int{
		"large_client_header_buffers": http.StatusBadRequest,
		"proxy_buffer_size":           http.StatusBadGateway,
	} {
		t.Run("without "+line, func(t *testing.T) {
			without := regexp.MustCompile(`(?m)^ *`+line+` .*\n`).ReplaceAllString(config, "")
			browser := newNginx(t, without, newShop(t, pool, client))
			resp := pool.Visit(t, browser, shop+"/hello", "ann", "Correct-Horse-7")
			if resp.StatusCode != want {
				t.Errorf("status %d, want %d: is the line needed at all?", resp.StatusCode, want)
			}
		})
	}
}

// groups make the tokens of a user large.
func groups() (all []userpool.Group) {
	for i := range 100 {
		all = append(all, userpool.Group{Name: fmt.Sprintf("group-%03d-%s", i, strings.Repeat("x", 20))})
	}
	return all
}

func names(groups []userpool.Group) (names []string) {
	for _, g := range groups {
		names = append(names, g.Name)
	}
	return names
}

// newShop starts an app that keeps tokens in cookies, on plain http, and returns its
// address.
func newShop(t *testing.T, pool *cognatetest.Pool, client userpool.Client) string {
	t.Helper()
	cfg := pool.AppConfig(client)
	cfg.Session.TokensInCookie = true
	auth, err := cognate.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /hello", auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Cookies", fmt.Sprintf("%05d", len(r.Header.Get("Cookie"))))
	})))
	srv := httptest.NewServer(auth.Handler(mux))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// newNginx starts nginx in front of an app, and returns a browser that finds it by the name
// in the configuration.
func newNginx(t *testing.T, config, app string) *http.Client {
	t.Helper()
	program := "/usr/sbin/nginx"
	if p := os.Getenv("NGINX"); p != "" {
		program = p
	}
	_, err := os.Stat(program)
	if err != nil {
		t.Fatalf("%v; on Debian: apt-get install nginx-light; elsewhere set NGINX to the program", err)
	}
	dir, plain, secure := t.TempDir(), demo.FreeAddr(t), demo.FreeAddr(t)
	cert, err := devtls.Certificate("shop.example.com")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		err := os.WriteFile(file, []byte(text), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	writePEM := func(name, kind string, der []byte) string {
		return write(name, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
	}
	certFile := writePEM("cert.pem", "CERTIFICATE", cert.Certificate[0])
	keyFile := writePEM("key.pem", "PRIVATE KEY", key)
	config = strings.NewReplacer(
		"listen 80;", "listen "+plain+";", "listen 443 ssl;", "listen "+secure+" ssl;",
		"/etc/ssl/shop.example.com.pem", certFile, "/etc/ssl/shop.example.com.key", keyFile, "127.0.0.1:8080", app,
	).Replace(config)
	folders := ""
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		folders += name + "_temp_path " + filepath.Join(dir, name) + ";\n"
	}
	file := write("nginx.conf", "daemon off; master_process off; pid "+filepath.Join(dir, "pid")+
		"; error_log stderr crit;\nevents {}\nhttp { access_log off;\n"+folders+config+"}\n")
	demo.Launch(t, exec.Command(program, "-p", dir, "-e", "stderr", "-c", file))
	demo.Await(t, secure)

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	return &http.Client{Jar: jar, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			addr = strings.NewReplacer("shop.example.com:443", secure, "shop.example.com:80", plain).Replace(addr)
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}}
}

func ask(t *testing.T, browser *http.Client, address string) *http.Response {
	t.Helper()
	resp, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}
