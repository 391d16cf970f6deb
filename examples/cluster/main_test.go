package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/internal/freeport"
	"github.com/cognate-auth/cognate/redisstore/redistest"
	"github.com/cognate-auth/cognate/userpool"
)

// TestMain lets the test's program also run the example, so that nothing has to be
// built for it.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const asProgram = "CLUSTER_TEST_AS_PROGRAM"

// patience limits the start of three processes, which takes half a second on an idle
// machine.
const patience = time.Minute

// TestProgram runs everything: the proxy, two processes, Redis and a pool.
func TestProgram(t *testing.T) {
	port, err := freeport.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	site := "https://" + freeport.Addr(port)
	pool := cognatetest.New(t)
	client := pool.AddClient(userpool.Client{
		CallbackURLs: []string{site + "/oidc_callback"}, LogoutURLs: []string{site + "/"},
	})
	pool.AddUser(userpool.NewUser{
		Username: "ann", Password: "Correct-Horse-7",
		Attributes: map[string]string{"email": "ann@example.com", "email_verified": "true"},
	})
	launch(t, "-client-secrets", clientSecrets(t, pool, client), "-redis", redistest.Start(t).Addr)

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{
		Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
	await(t, browser, site)
	pool.SignIn(t, browser, site+"/hello", "ann", "Correct-Horse-7")
	seen := make(map[string]bool)
	for range 4 {
		seen[answeredBy(t, browser, site+"/hello")] = true
	}
	if len(seen) != 2 {
		t.Errorf("answered by %v, want two processes", seen)
	}
}

// answeredBy returns the process that a page names.
func answeredBy(t *testing.T, browser *http.Client, page string) string {
	t.Helper()
	resp, err := browser.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	process := regexp.MustCompile(`process \d+`).Find(body)
	if resp.StatusCode != http.StatusOK || process == nil || !bytes.Contains(body, []byte("ann@example.com")) {
		t.Fatalf("got %s, want ann's page with a process in:\n%s", resp.Status, body)
	}
	return string(process)
}

// clientSecrets writes the file for the program.
func clientSecrets(t *testing.T, pool *cognatetest.Pool, c userpool.Client) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "client_secrets.json")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	secrets := cognate.ClientSecrets{
		Issuer: pool.Issuer, ClientID: c.ID, ClientSecret: cognate.Secret(c.Secret), RedirectURIs: c.CallbackURLs,
		AuthURI: pool.URL + "/oauth2/authorize", TokenURI: pool.URL + "/oauth2/token",
	}
	err = secrets.Encode(file)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// launch starts the program, and stops it as Ctrl-C does when the test ends.
func launch(t *testing.T, args ...string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		err := cmd.Wait()
		if err != nil || t.Failed() {
			t.Errorf("the program: %v, having printed:\n%s", err, &out)
		}
	})
}

// await waits until the program answers.
func await(t *testing.T, browser *http.Client, page string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		resp, err := browser.Get(page)
		if err == nil {
			_ = resp.Body.Close()
			return
		}
		if time.Since(began) > patience {
			t.Fatal(err)
		}
	}
}
