package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// file is a Compose file, as far as the tests know it.
type file struct {
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

type service struct {
	Build struct {
		Context    string `yaml:"context"`
		Dockerfile string `yaml:"dockerfile"`
	} `yaml:"build"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	Networks    map[string]struct {
		Aliases []string `yaml:"aliases"`
	} `yaml:"networks"`
	DependsOn map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
}

// readCompose reads a Compose file, and the Dockerfiles that it names.
func readCompose(t *testing.T, name string) (file, map[string]image) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var f file
	err = yaml.UnmarshalWithOptions(raw, &f, yaml.Strict())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	images := map[string]image{}
	for name, s := range f.Services {
		if filepath.Join("examples/compose", s.Build.Context) != "." {
			t.Fatalf("the build context of %s is %s, and not the repository", name, s.Build.Context)
		}
		images[name] = readDockerfile(t, filepath.Join(repository(t), s.Build.Dockerfile))
	}
	return f, images
}

// A container is a service that runs.
type container struct {
	name string
	img  image
	root string
	env  []string
	addr netip.Addr

	main   *exec.Cmd
	output *output
}

// output is what a process prints. It is safe for concurrent use.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// up starts the services of a file, each after those that it depends on, as an engine does. The
// files of the images are in folders below images.
func (f file) up(t *testing.T, n *network, folder, images string, read map[string]image) map[string]*container {
	t.Helper()
	running := map[string]*container{}
	var start func(name string)
	start = func(name string) {
		if running[name] != nil {
			return
		}
		s, ok := f.Services[name]
		if !ok {
			t.Fatalf("there is no service %s", name)
		}
		for on, how := range s.DependsOn {
			start(on)
			if how.Condition != "service_healthy" {
				t.Fatalf("%s depends on %s if it is %q", name, on, how.Condition)
			}
			running[on].awaitHealth(t)
		}
		running[name] = f.start(t, n, name, folder, filepath.Join(images, name), read[name])
	}
	for name := range f.Services {
		start(name)
	}
	return running
}

// start starts one service.
func (f file) start(t *testing.T, n *network, name, folder, root string, img image) *container {
	t.Helper()
	s := f.Services[name]
	aliases := s.Networks["default"].Aliases
	if len(s.Networks) > 1 || len(s.Networks) == 1 && aliases == nil {
		t.Fatalf("the networks of %s are not known: %v", name, s.Networks)
	}
	c := &container{name: name, img: img, root: root, addr: n.add(name, append(aliases, name)...), output: &output{}}
	c.env = slices.Clone(img.env)
	for key, value := range s.Environment {
		c.env = append(c.env, key+"="+value)
	}
	f.mount(t, c, s.Volumes, folder)
	if s.Command != nil {
		img.cmd = s.Command
	}
	cmd := c.command(append(slices.Clone(img.entrypoint), img.cmd...))
	cmd.Stdout, cmd.Stderr = c.output, c.output
	err := within(name, cmd.Start)
	if err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	c.main = cmd
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, c.output)
		}
	})
	for _, p := range s.Ports {
		at, inside, err := published(p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Contains(img.exposed, inside) {
			t.Errorf("%s publishes the port %s; its image exposes %q", name, inside, img.exposed)
		}
		n.publish(at, net.JoinHostPort(c.addr.String(), inside))
	}
	return c
}

// published reads "IP:HOST_PORT:PORT". Without the address other machines could connect, too.
func published(text string) (at, inside string, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 || parts[0] != "127.0.0.1" {
		return "", "", fmt.Errorf("the port %s is not published to this machine alone", text)
	}
	return net.JoinHostPort(parts[0], parts[1]), parts[2], nil
}

// mount puts the volumes and the engine's own files into the container's.
func (f file) mount(t *testing.T, c *container, volumes []string, folder string) {
	t.Helper()
	for name, content := range map[string]string{
		"resolv.conf": "nameserver " + gateway + "\noptions ndots:0\n",
		"hosts":       "127.0.0.1 localhost\n" + c.addr.String() + " " + c.name + "\n",
	} {
		err := os.WriteFile(filepath.Join(c.root, "etc", name), []byte(content), 0o644)
		if err != nil {
			t.Fatal(err)
		}
	}
	bind := func(from, to string, more ...string) {
		to = filepath.Join(c.root, to)
		err := os.MkdirAll(to, 0o755)
		if err == nil {
			err = syscall.Mount(from, to, "", syscall.MS_BIND|syscall.MS_REC, "")
		}
		if err == nil && slices.Equal(more, []string{"ro"}) {
			// A user's own namespace has to keep the flags that are locked, as the program does.
			err = exec.CommandContext(t.Context(), "mount", "-o", "remount,bind,ro", to).Run()
		}
		if err != nil {
			t.Fatalf("mounting %s: %v", to, err)
		}
	}
	bind("/dev", "/dev")
	err := syscall.Mount("proc", filepath.Join(c.root, "proc"), "proc", 0, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range volumes {
		from, rest, _ := strings.Cut(v, ":")
		to, mode, _ := strings.Cut(rest, ":")
		_, named := f.Volumes[from]
		switch {
		case named && mode == "":
			// A new volume begins with what the image has there: its own folder will do.
			if !slices.Contains(c.img.volumes, to) {
				t.Errorf("%s is not a volume of the image", to)
			}
		case strings.HasPrefix(from, "./") && mode == "ro":
			bind(filepath.Join(folder, from), to, mode)
		default:
			t.Fatalf("the volume %s is not known", v)
		}
	}
}

// command returns a program of the image as its user runs it in the container.
func (c *container) command(args []string) *exec.Cmd {
	cmd := &exec.Cmd{Path: args[0], Args: args, Env: c.env, Dir: c.img.workDir, WaitDelay: time.Minute}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root}
	if os.Getenv(ownUsers) == "" {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(c.img.uid), Gid: uint32(c.img.gid)}
	}
	return cmd
}

// run runs a program of the image in the container, until it ends.
func (c *container) run(args ...string) (said string, err error) {
	cmd := c.command(args)
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	err = within(c.name, cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	return out.String(), err
}

// awaitHealth runs the image's health check until it succeeds.
func (c *container) awaitHealth(t *testing.T) {
	t.Helper()
	if c.img.health == nil {
		t.Fatalf("%s has no health check", c.name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		said, err := c.run(c.img.health...)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s is not healthy: %v\n%s", c.name, err, said)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// stop ends the service as an engine does, and fails the test if that is not a success.
func (c *container) stop(t *testing.T) {
	t.Helper()
	err := c.main.Process.Signal(syscall.SIGTERM)
	err = errors.Join(err, c.main.Wait())
	if err != nil {
		t.Errorf("stopping %s: %v", c.name, err)
	}
}
