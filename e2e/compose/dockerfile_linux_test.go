package compose

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// An image is what the last stage of a Dockerfile describes.
type image struct {
	buildDir string   // working directory of the build stage
	runs     []string // commands of the build stage
	copies   []copied
	uid, gid int
	workDir  string
	env      []string
	volumes  []string
	exposed  []string

	entrypoint, cmd, health []string
}

// A copied file or folder of the build stage.
type copied struct {
	from, to string
	uid, gid int
}

// buildOut is where the build stages put what they make.
const buildOut = "/out"

// repository is the build context.
func repository(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// readDockerfile reads a file of two stages: one that builds, and one from scratch.
func readDockerfile(t *testing.T, file string) image {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	img := image{workDir: "/"}
	var lines []string
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if n := len(lines); n > 0 && strings.HasSuffix(lines[n-1], "\\") {
			lines[n-1] = strings.TrimSuffix(lines[n-1], "\\") + line
			continue
		}
		lines = append(lines, line)
	}
	stage := 0
	for _, line := range lines {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "FROM" {
			stage++
		}
		err = img.read(stage, word, strings.TrimSpace(rest))
		if err != nil {
			t.Fatalf("%s: %s: %v", file, line, err)
		}
	}
	return img
}

// read reads one line of a stage.
func (img *image) read(stage int, word, rest string) error {
	var list *[]string
	switch fmt.Sprint(stage, " ", word) {
	case "0 ", "1 ", "2 ", "1 ARG", "2 ARG", "2 LABEL":
		return nil
	case "1 FROM":
		return checkGo(rest)
	case "2 FROM":
		if rest != "scratch" {
			return fmt.Errorf("the last stage begins with %s", rest)
		}
		return nil
	case "1 COPY":
		if rest != ". ." {
			return fmt.Errorf("the build stage copies %s", rest)
		}
		return nil
	case "1 WORKDIR":
		img.buildDir = rest
		return nil
	case "1 RUN":
		for strings.HasPrefix(rest, "--mount=type=cache,") {
			_, rest, _ = strings.Cut(rest, " ")
		}
		img.runs = append(img.runs, strings.TrimSpace(rest))
		return nil
	case "2 COPY":
		return img.readCopy(strings.Fields(rest))
	case "2 USER":
		var err error
		img.uid, img.gid, err = parseOwner(rest)
		return err
	case "2 WORKDIR":
		img.workDir = rest
		return nil
	case "2 ENV":
		img.env = append(img.env, strings.Fields(rest)...)
		return nil
	case "2 VOLUME":
		img.volumes = append(img.volumes, rest)
		return nil
	case "2 EXPOSE":
		img.exposed = append(img.exposed, rest)
		return nil
	case "2 HEALTHCHECK":
		_, rest, _ = strings.Cut(rest, "CMD ")
		list = &img.health
	case "2 ENTRYPOINT":
		list = &img.entrypoint
	case "2 CMD":
		list = &img.cmd
	default:
		return fmt.Errorf("%s of stage %d is not known", word, stage)
	}
	return json.Unmarshal([]byte(rest), list) // a shell would be missing
}

// checkGo compares the Go of a build stage with that of the workspace.
func checkGo(from string) error {
	work, err := os.ReadFile("../../go.work")
	if err != nil {
		return err
	}
	_, version, _ := strings.Cut(string(work), "go ")
	version, _, _ = strings.Cut(version, ".0\n")
	if !strings.HasSuffix(from, " golang:"+version+" AS build") {
		return fmt.Errorf("it does not begin with golang:%s AS build", version)
	}
	return nil
}

func (img *image) readCopy(words []string) error {
	var c copied
	for len(words) > 0 && strings.HasPrefix(words[0], "--") {
		name, value, _ := strings.Cut(words[0], "=")
		switch {
		case name == "--chown":
			var err error
			c.uid, c.gid, err = parseOwner(value)
			if err != nil {
				return err
			}
		case name != "--from" || value != "build":
			return fmt.Errorf("%s is not known", words[0])
		}
		words = words[1:]
	}
	if len(words) != 2 {
		return fmt.Errorf("it copies %q", words)
	}
	c.from, c.to = words[0], words[1]
	img.copies = append(img.copies, c)
	return nil
}

// parseOwner reads "uid:gid".
func parseOwner(text string) (uid, gid int, err error) {
	u, g, _ := strings.Cut(text, ":")
	uid, err = strconv.Atoi(u)
	if err == nil {
		gid, err = strconv.Atoi(g)
	}
	return uid, gid, err
}

// build makes the image's files in a folder. The commands run where the Dockerfile says, in a
// file system that is otherwise this machine's.
func (img *image) build(t *testing.T, root string) {
	t.Helper()
	out, folder := t.TempDir(), t.TempDir()
	script := `
		mount --make-rprivate /
		mount -t tmpfs tmpfs "$FOLDER"
		for top in /*; do
			if [ -L "$top" ]; then cp -P "$top" "$FOLDER$top"
			elif [ -d "$top" ]; then mkdir "$FOLDER$top" && mount --rbind "$top" "$FOLDER$top"; fi
		done
		mkdir -p "$FOLDER$SRC" "$FOLDER$OUT"
		mount --bind "$CONTEXT" "$FOLDER$SRC"
		mount --bind "$RESULT" "$FOLDER$OUT"
		exec chroot "$FOLDER" sh -ec "cd '$SRC'; $RUN"`
	for _, run := range img.runs {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
		cmd.Env = append(os.Environ(), "FOLDER="+folder, "SRC="+img.buildDir, "OUT="+buildOut, "RESULT="+out,
			"CONTEXT="+repository(t), "RUN="+run, "GOFLAGS=-buildvcs=false", "GOCACHE="+goEnv(t, "GOCACHE"),
			"GOMODCACHE="+goEnv(t, "GOMODCACHE"), "PATH="+os.Getenv("PATH"))
		cmd.SysProcAttr = namespaces(syscall.CLONE_NEWNS)
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", run, err, said, allowed(err))
		}
	}
	for _, c := range img.copies {
		from := c.from
		if rest, ok := strings.CutPrefix(c.from, buildOut+"/"); ok {
			from = filepath.Join(out, rest)
		}
		to := filepath.Join(root, c.to)
		err := os.MkdirAll(filepath.Dir(to), 0o755)
		if err != nil {
			t.Fatal(err)
		}
		said, err := exec.CommandContext(t.Context(), "cp", "-RL", from, to).CombinedOutput()
		if err != nil {
			t.Fatalf("COPY %s %s: %v\n%s", c.from, c.to, err, said)
		}
		if os.Getuid() == 0 {
			err = os.Chown(to, c.uid, c.gid)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, folder := range append([]string{img.workDir, "/etc", "/proc", "/dev"}, img.volumes...) {
		err := os.MkdirAll(filepath.Join(root, path.Clean(folder)), 0o755)
		if err != nil {
			t.Fatal(err)
		}
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// namespaces returns what a process needs that gets namespaces of its own, as root or in a
// namespace where this user is root.
func namespaces(flags uintptr) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// allowed says what to do if the system allows no namespaces.
func allowed(err error) string {
	if _, ran := err.(*exec.ExitError); ran { //nolint:errorlint // as exec returns it
		return ""
	}
	return "\nThis machine allows no namespaces, which these tests need instead of a container engine. " +
		"Run them as root; in a container with --privileged, or on Ubuntu as a user after " +
		"sysctl -w kernel.apparmor_restrict_unprivileged_userns=0."
}
