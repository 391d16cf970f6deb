package main

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// testVersion is newer than every version that there may be.
const testVersion = "v1.999.0"

// TestRelease makes a release of this checkout, as it is now, in a clone. Then it does what
// others do with one: it installs the program and uses the library from a module proxy, with an
// empty module cache; and it makes the release's archives again.
func TestRelease(t *testing.T) {
	dir := cloned(t)
	here := platform{runtime.GOOS, runtime.GOARCH}
	platforms := here.String()
	if here.os != "windows" {
		platforms += ",windows/amd64" // the one that is most unlike the others
	}
	// The race detector would make packing ten times as slow, so the command is built without.
	command := filepath.Join(t.TempDir(), "release.exe")
	_, err := output(exec.CommandContext(t.Context(), "go", "build", "-o", command, "."))
	if err != nil {
		t.Fatal(err)
	}
	release := func(dir string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), command, append(args, "-platforms", platforms, testVersion)...)
		cmd.Dir = dir
		said, err := output(cmd)
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	said := release(dir)
	t.Run("commits and tags", func(t *testing.T) { testCommits(t, dir, said) })
	t.Run("module zips", func(t *testing.T) { testZips(t, dir) })
	t.Run("bills of materials", func(t *testing.T) { testBills(t, dir) })
	t.Run("install", func(t *testing.T) { testInstall(t, dir, here) })
	t.Run("demo", func(t *testing.T) { testDemo(t, dir) })
	t.Run("checkout", func(t *testing.T) { testCheckout(t, dir) })
	t.Run("consumer", func(t *testing.T) { testConsumer(t, dir) })
	t.Run("the same bytes again", func(t *testing.T) {
		again := filepath.Join(t.TempDir(), "elsewhere")
		git(t, dir, "clone", "--quiet", ".", again)
		release(again, "-rebuild")
		want, got := contents(t, filepath.Join(dir, "dist")), contents(t, filepath.Join(again, "dist"))
		delete(want, "notes.md")
		for name := range want {
			if !bytes.Equal(want[name], got[name]) {
				t.Errorf("%s has other bytes than in the first release", name)
			}
		}
		if len(want) != len(got) {
			t.Errorf("got %d files, want %d", len(got), len(want))
		}
	})
}

// cloned returns a clone of this checkout in which a release can be made: with the changes that
// are not committed yet, and what the changelog says of the version.
func cloned(t *testing.T) string {
	t.Helper()
	gitSettings(t)
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "clone")
	git(t, top, "clone", "--quiet", ".", dir)
	git(t, dir, "checkout", "--quiet", "-B", mainBranch)
	git(t, dir, "--work-tree="+top, "add", "--all")
	git(t, dir, "commit", "--quiet", "--allow-empty", "-m", "all: what is not committed yet")
	git(t, dir, "reset", "--quiet", "--hard")
	describe(t, dir, testVersion)
	return dir
}

// gitSettings gives git's commands in this test a name for their commits, and takes away the
// settings that would ask a person something.
func gitSettings(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.com",
		"GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.com",
		"GIT_CONFIG_COUNT": "3",
		"GIT_CONFIG_KEY_0": "commit.gpgsign", "GIT_CONFIG_VALUE_0": "false",
		"GIT_CONFIG_KEY_1": "tag.gpgsign", "GIT_CONFIG_VALUE_1": "false",
		"GIT_CONFIG_KEY_2": "core.hooksPath", "GIT_CONFIG_VALUE_2": os.DevNull,
	} {
		t.Setenv(name, value)
	}
}

// describe commits a section of the changelog.
func describe(t *testing.T, dir, version string) {
	t.Helper()
	name := filepath.Join(dir, "CHANGELOG.md")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	section := fmt.Sprintf("## %s - 2026-12-01\n\n- It is there.\n\n", strings.TrimPrefix(version, "v"))
	first := regexp.MustCompile(`(?m)^## `).FindIndex(text)
	if first == nil {
		t.Fatal("the changelog has no section")
	}
	text = slices.Insert(text, first[0], []byte(section)...)
	err = os.WriteFile(name, text, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	git(t, dir, "commit", "--quiet", "--all", "-m", "all: describe "+version)
}

// git runs git in a folder and returns what it prints.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := checkout{t.Context(), dir}.git(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// testCommits looks at what a release leaves in the checkout.
func testCommits(t *testing.T, dir, said string) {
	if changes := git(t, dir, "status", "--porcelain"); changes != "" {
		t.Errorf("the release leaves changes:\n%s", changes)
	}
	if trees := git(t, dir, "worktree", "list"); strings.Contains(trees, "\n") {
		t.Errorf("the release leaves its copy:\n%s", trees)
	}
	released := git(t, dir, "rev-parse", "HEAD~1")
	for _, m := range published {
		tag := m.tag(testVersion)
		if kind := git(t, dir, "cat-file", "-t", tag); kind != "tag" {
			t.Errorf("%s is a %s, want a tag with a date and a name", tag, kind)
		}
		if at := git(t, dir, "rev-parse", tag+"^{commit}"); at != released {
			t.Errorf("%s is at %s, want %s", tag, at, released)
		}
		gomod := git(t, dir, "show", tag+":"+path.Join(string(m), "go.mod"))
		if m != "" && !strings.Contains(gomod, "github.com/cognate-auth/cognate "+testVersion) {
			t.Errorf("%s does not need the root at its own version:\n%s", tag, gomod)
		}
		if strings.Contains(gomod, "replace") {
			t.Errorf("%s replaces a module:\n%s", tag, gomod)
		}
	}
	push := "git push --atomic origin main v1.999.0 redisstore/v1.999.0 cmd/cognate/v1.999.0\n"
	if !strings.Contains(said, push) {
		t.Errorf("the release says\n%s\nwant %s", said, push)
	}
	// The checkout goes on as before: nothing but requirements is another.
	for line := range strings.Lines(git(t, dir, "diff", "--unified=0", "HEAD~2", "HEAD")) {
		changed := strings.HasPrefix(line, "+\t") || strings.HasPrefix(line, "-\t")
		head := regexp.MustCompile(`^(diff|index|---|\+\+\+|@@) `).MatchString(line)
		if !head && (!changed || !strings.Contains(line, "github.com/cognate-auth/cognate")) {
			t.Errorf("the commits after the release differ from those before it: %s", line)
		}
	}
}

// testZips looks for what does not belong into a module, and what makes it large.
func testZips(t *testing.T, dir string) {
	const (
		largestFile = 200_000
		largestZip  = 2_500_000
	)
	unwanted := regexp.MustCompile(`(^|/)(node_modules|\.venv|dist|bin)/|\.(db|exe|test|prof|zip|gz)$`)
	for _, m := range published {
		base := filepath.Join(dir, "dist", "modules", filepath.FromSlash(m.path()), "@v", testVersion)
		info, err := os.Stat(base + ".zip")
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > largestZip {
			t.Errorf("%s has %d bytes, want at most %d", m.path(), info.Size(), largestZip)
		}
		r, err := zip.OpenReader(base + ".zip")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var names []string
		for _, f := range r.File {
			name := strings.TrimPrefix(f.Name, m.path()+"@"+testVersion+"/")
			names = append(names, name)
			if unwanted.MatchString(name) {
				t.Errorf("%s has %s", m.path(), name)
			}
			if f.UncompressedSize64 > largestFile {
				t.Errorf("%s has %s, of %d bytes", m.path(), name, f.UncompressedSize64)
			}
		}
		for _, name := range []string{"go.mod", "LICENSE"} {
			if !slices.Contains(names, name) {
				t.Errorf("%s has no %s", m.path(), name)
			}
		}
	}
}

// testBills reads the bills of materials and compares them with the checksums.
func testBills(t *testing.T, dir string) {
	files := contents(t, filepath.Join(dir, "dist", testVersion))
	bills := 0
	for name, data := range files {
		archive, ok := strings.CutSuffix(name, ".cdx.json")
		if !ok {
			continue
		}
		bills++
		var got bill
		err := json.Unmarshal(data, &got)
		if err != nil {
			t.Fatal(err)
		}
		if got.Metadata.Component.PURL != "pkg:golang/github.com/cognate-auth/cognate/cmd/cognate@"+testVersion {
			t.Errorf("%s is about %s", name, got.Metadata.Component.PURL)
		}
		var parts []string
		for _, c := range got.Components {
			parts = append(parts, c.Name)
		}
		for _, want := range []string{"stdlib", "modernc.org/sqlite", rootPath, "golang.org/x/crypto"} {
			if !slices.Contains(parts, want) {
				t.Errorf("%s has the parts %q, and not %s", name, parts, want)
			}
		}
		if len(got.Dependencies) != 1 || len(got.Dependencies[0].DependsOn) != len(parts) {
			t.Errorf("%s says that the program needs %v", name, got.Dependencies)
		}
		if !strings.Contains(string(files["SHA256SUMS"]), "  "+archive) {
			t.Errorf("SHA256SUMS lacks %s:\n%s", archive, files["SHA256SUMS"])
		}
	}
	if bills < 1 {
		t.Error("there is no bill of materials")
	}
}

// outside is the environment of somebody with an empty module cache, whose proxy has the
// release. The modules of others come from this machine's cache: go.sum has checked those.
func outside(t *testing.T, dir string) []string {
	t.Helper()
	own, err := output(exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOPROXY", "GOCACHE"))
	if err != nil {
		t.Fatal(err)
	}
	s := strings.Split(own, "\n")
	proxies := []string{
		proxy{filepath.Join(dir, "dist", "modules")}.url(), fileURL(filepath.Join(s[0], "cache", "download")), s[1],
	}
	return append(os.Environ(), "GOENV=off", "GOFLAGS=-modcacherw", "GOWORK=off", "GOTOOLCHAIN=local",
		"GOPATH="+t.TempDir(), "GOMODCACHE=", "GOBIN=", "GOCACHE="+s[2], "GOSUMDB=off", "GOPRIVATE=", "GONOPROXY=",
		"GOPROXY="+strings.Join(proxies, ","))
}

// testInstall installs the program as anybody does. With the flags that docs/installing.md
// names, it is the one in the archive.
func testInstall(t *testing.T, dir string, here platform) {
	installed := install(t, outside(t, dir), t.TempDir(), program.path()+"@"+testVersion)
	data, err := os.ReadFile(installed)
	if err != nil {
		t.Fatal(err)
	}
	archived := unpacked(t, filepath.Join(dir, "dist", testVersion), here)
	if !bytes.Equal(data, archived[filepath.Base(installed)].data) {
		t.Error("the installed program has other bytes than the one in the archive")
	}
	if !archived[filepath.Base(installed)].executable {
		t.Error("the archive's program is not executable")
	}
	for _, name := range []string{"LICENSE", "README.md", "THIRD-PARTY-NOTICES.txt"} {
		if len(archived[name].data) == 0 {
			t.Errorf("the archive has no %s", name)
		}
	}
	if said := says(t, installed); !strings.Contains(said, testVersion) {
		t.Errorf("the installed program says that it is %q", said)
	}
	answers(t, installed, "pool", "--addr", "127.0.0.1:0", "--store", "memory")
}

// testDemo starts the demo as the README does.
func testDemo(t *testing.T, dir string) {
	demo := install(t, outside(t, dir), t.TempDir(), rootPath+"/demo@"+testVersion)
	answers(t, demo, "--addr", "127.0.0.1:0", "--pool-addr", "127.0.0.1:0")
}

// testCheckout builds the program of the commit after the release, in its checkout: it says which
// commit it is, if Go asks git for it, and otherwise that it is no release.
func testCheckout(t *testing.T, dir string) {
	commit := git(t, dir, "rev-parse", "--short=12", "HEAD")
	for flag, want := range map[string]string{"-buildvcs=true": commit, "-buildvcs=false": "(devel)"} {
		built := install(t, append(os.Environ(), "GOWORK="), filepath.Join(dir, "cmd", "cognate"), ".", flag)
		if said := says(t, built); !strings.Contains(said, want) {
			t.Errorf("a program of a checkout, built with %s, says that it is %q, want %s", flag, said, want)
		}
	}
}

// install installs a program, in a folder, with the flags of a release and others, and returns its
// path. With these flags the next run finds the packages compiled, wherever they are.
func install(t *testing.T, env []string, dir, pkg string, flags ...string) string {
	t.Helper()
	bin := t.TempDir()
	args := slices.Concat([]string{"install"}, buildFlags, flags, []string{pkg})
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = dir, append(env, "CGO_ENABLED=0", "GOBIN="+bin)
	_, err := output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(bin)
	if err != nil || len(entries) != 1 {
		t.Fatalf("go install %s made %v, %v", pkg, entries, err)
	}
	return filepath.Join(bin, entries[0].Name())
}

// says returns what cognate --version prints.
func says(t *testing.T, cognate string) string {
	t.Helper()
	said, err := output(exec.CommandContext(t.Context(), cognate, "--version"))
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// answers starts a program that runs a pool, and asks the pool for a page.
func answers(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	pool := regexp.MustCompile(`http://localhost:\d+`)
	said := bufio.NewScanner(out)
	for said.Scan() {
		found := pool.FindString(said.Text())
		if found == "" {
			continue
		}
		resp, err := http.Get(found + "/oauth2/authorize") // without parameters: a page about that
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(body), "client_id") {
			t.Errorf("the pool answers %s %q, %v", resp.Status, body, err)
		}
		return
	}
	t.Fatal("the program names no pool")
}

// testConsumer runs the test of an app that has the library, its test helpers and the Redis
// store from the proxy.
func testConsumer(t *testing.T, dir string) {
	app, env := t.TempDir(), outside(t, dir)
	err := os.CopyFS(app, os.DirFS("testdata/consumer"))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"mod", "init", "example.com/app"},
		{"get", rootPath + "@" + testVersion, rootPath + "/redisstore@" + testVersion},
		{"mod", "tidy"},
		{"test", "-trimpath", "./..."}, // with -trimpath the next run finds the packages compiled
	} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = app, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// unpacked returns the files in a platform's archive, without the folder they are in.
func unpacked(t *testing.T, dist string, p platform) map[string]file {
	t.Helper()
	base := filepath.Join(dist, "cognate_"+strings.TrimPrefix(testVersion, "v")+"_"+p.os+"_"+p.arch)
	files := map[string]file{}
	add := func(name string, mode fs.FileMode, r io.Reader) {
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[path.Base(name)] = file{name, data, mode&0o111 != 0}
	}
	if p.os == "windows" {
		r, err := zip.OpenReader(base + ".zip")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for _, f := range r.File {
			open, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			add(f.Name, f.Mode(), open)
		}
		return files
	}
	packed, err := os.Open(base + ".tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(unzipped)
	for {
		header, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		add(header.Name, header.FileInfo().Mode(), r)
	}
}

// contents returns all files below a folder.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = os.ReadFile(filepath.Join(dir, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
