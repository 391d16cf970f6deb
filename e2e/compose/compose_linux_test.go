package compose

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cognate-auth/cognate/e2e/browser"
)

// Variables of the process that runs the containers.
const (
	inside   = "COGNATE_E2E_IMAGES" // the folder of the images; set in that process alone
	ownUsers = "COGNATE_E2E_USERS"  // set if that process is root only in a namespace of users
)

const example = "../../examples/compose"

// TestCompose runs examples/compose as `docker compose up` does, without an engine: the images,
// then the pool, the app and the browser in three networks. Somebody signs in and out.
func TestCompose(t *testing.T) {
	f, images := readCompose(t, filepath.Join(example, "compose.yaml"))
	folder := os.Getenv(inside)
	if folder == "" {
		outside(t, images)
		return
	}
	mount(t)
	n := newNetwork(t)
	running := f.up(t, n, example, folder, images)

	signInAndOut(t)
	t.Run("image", func(t *testing.T) { checkImage(t, n, running["pool"]) })
	t.Run("resolvers", func(t *testing.T) { checkResolvers(t) })
	for _, c := range running {
		c.stop(t)
	}
}

// outside builds the images, and runs the test again in a process with a network and processes of
// its own, which end with it.
func outside(t *testing.T, images map[string]image) {
	t.Helper()
	folder := t.TempDir()
	err := os.Chmod(filepath.Dir(folder), 0o755) // the users of the images pass through
	if err != nil {
		t.Fatal(err)
	}
	for name, img := range images {
		root := filepath.Join(folder, name)
		err := os.Mkdir(root, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		img.build(t, root)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), inside+"="+folder)
	if os.Getuid() != 0 {
		cmd.Env = append(cmd.Env, ownUsers+"=1")
	}
	cmd.SysProcAttr = namespaces(syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, allowed(err))
	}
}

// mount makes the mounts of this process its own, for its processes, and for iproute2.
func mount(t *testing.T) {
	t.Helper()
	conf, err := filepath.EvalSymlinks("/etc/resolv.conf") // it may be below /run
	if err != nil {
		conf = ""
	}
	for _, m := range []struct {
		from, to, kind string
		flags          uintptr
	}{
		{"none", "/", "", syscall.MS_REC | syscall.MS_PRIVATE},
		{"proc", "/proc", "proc", 0},
		{"tmpfs", "/run", "tmpfs", 0},
	} {
		err = syscall.Mount(m.from, m.to, m.kind, m.flags, "")
		if err != nil {
			t.Fatalf("mounting %s: %v", m.to, err)
		}
	}
	if strings.HasPrefix(conf, "/run/") {
		err = os.MkdirAll(filepath.Dir(conf), 0o755)
		if err == nil {
			err = os.WriteFile(conf, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// signInAndOut does what the first lines of the Compose file say, in a browser on the engine's
// machine.
func signInAndOut(t *testing.T) {
	t.Helper()
	tab := browser.Start(t).NewVisitor(t)
	tab.Visit("http://localhost:5000/")
	tab.WaitForText("Everyone may read this page.")
	tab.Click("Private page")
	tab.WaitForURL("http://pool.localhost:9229/login*")
	tab.WaitForText("Password")
	tab.Fill("Email", "ann@example.com")
	tab.Fill("Password", "Correct-Horse-7")
	tab.Click("Sign in")
	tab.WaitForURL("http://localhost:5000/hello")
	tab.WaitForText("This page is for you, ann@example.com.")
	tab.Click("Log out")
	tab.WaitForURL("http://localhost:5000/")
	tab.Click("Private page")
	tab.WaitForURL("http://pool.localhost:9229/login*") // the pool's session has ended, too
	tab.WaitForText("Password")
}

// checkImage looks at what an image from scratch could lack: a user who may write, the data in the
// volume, certificates.
func checkImage(t *testing.T, n *network, c *container) {
	t.Helper()
	data, err := os.Stat(filepath.Join(c.root, "data/pool.db"))
	if err != nil {
		t.Error(err)
	} else if owner := data.Sys().(*syscall.Stat_t); os.Getenv(ownUsers) == "" && owner.Uid != uint32(c.img.uid) {
		t.Errorf("the data belong to the user %d", owner.Uid)
	}
	if c.img.uid == 0 || c.img.gid == 0 {
		t.Error("the program is root")
	}
	said, err := c.run("/cognate", "health", "http://pool.localhost:9229")
	if err != nil || !strings.Contains(said, "can be used") {
		t.Errorf("at its name: %v\n%s", err, said)
	}

	// Another certificate beside those of the image is believed, so they are found.
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"ok"}`)
	}))
	_ = srv.Listener.Close() // it is on this machine's loopback interface
	srv.Listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", gateway+":0")
	if err != nil {
		t.Fatal(err)
	}
	srv.StartTLS()
	defer srv.Close()
	n.name("example.com", netip.MustParseAddr(gateway))
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	ask := []string{"/cognate", "health", "https://example.com:" + port}
	said, err = c.run(ask...)
	if err == nil || !strings.Contains(said, "certificate") {
		t.Errorf("a certificate of nobody's is believed: %v\n%s", err, said)
	}
	bundle, err := os.OpenFile(filepath.Join(c.root, "etc/ssl/certs/ca-certificates.crt"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = bundle.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	if err != nil {
		t.Fatal(err)
	}
	_ = bundle.Close() // it was written
	said, err = c.run(ask...)
	if err != nil {
		t.Errorf("the image's certificates are not used: %v\n%s", err, said)
	}
}

// checkResolvers has programs in other languages ask for the pool in the app's network, as the
// table in docs/containers.md says that they can.
func checkResolvers(t *testing.T) {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	err := os.WriteFile(conf, []byte("nameserver "+gateway+"\noptions ndots:0\n"), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	node := os.Getenv("NODE")
	if node == "" {
		node = "node"
	}
	for _, args := range [][]string{
		{"/usr/bin/python3", "-c", `import urllib.request, sys
print(urllib.request.urlopen(sys.argv[1]).read().decode())`},
		{node, "-e", `fetch(process.argv[1]).then(r => r.text()).then(console.log)`},
	} {
		for _, host := range []string{"pool.localhost", "pool"} {
			url := "http://" + host + ":9229/_cognate/health"
			cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-ec",
				`mount --bind "$0" /etc/resolv.conf && exec "$@"`, conf}, append(slices.Clone(args), url)...)...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
			out := &output{}
			cmd.Stdout, cmd.Stderr = out, out
			err := within("app", cmd.Start)
			if err == nil {
				err = cmd.Wait()
			}
			if err != nil || !strings.Contains(out.String(), `"ok"`) {
				t.Errorf("%s at %s: %v\n%s", filepath.Base(args[0]), host, err, out)
			}
		}
	}
}
