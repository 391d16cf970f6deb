package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// A platform is an operating system and a kind of processor, by their names in Go.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// allPlatforms are those that a release has a program for: Linux and macOS on both kinds of
// processor that are sold, and Windows, which runs these programs on ARM as well.
var allPlatforms = []string{"darwin/amd64", "darwin/arm64", "linux/amd64", "linux/arm64", "windows/amd64"}

// parsePlatforms reads a list with commas.
func parsePlatforms(names string) ([]platform, error) {
	var platforms []platform
	for name := range strings.SplitSeq(names, ",") {
		system, arch, ok := strings.Cut(name, "/")
		if !ok || !slices.Contains(allPlatforms, name) {
			return nil, fmt.Errorf("%q is none of the platforms %s", name, strings.Join(allPlatforms, ", "))
		}
		platforms = append(platforms, platform{system, arch})
	}
	return platforms, nil
}

// A builder builds the program from the modules in a proxy, as go install does for everybody: so
// the program knows its version and the hash of each module it is made of, and whoever installs
// the version with the same release of Go and the same flags has the same bytes.
type builder struct {
	tree    checkout
	modules proxy
	gopath  string // what Go downloads and installs, apart from this machine's own
	goroot  string
	env     []string
}

// buildFlags are part of the promise that everybody gets the same bytes: docs/installing.md has
// them. Without symbols for debuggers the program is a third smaller; a panic's trace is the same.
var buildFlags = []string{"-trimpath", "-ldflags=-s -w"}

// newBuilder returns a builder that works in the new folder gopath. Modules of others come from
// this machine's module cache, or else from where this machine gets its modules.
func newBuilder(tree checkout, modules proxy, gopath string) (builder, error) {
	settings := exec.CommandContext(tree.ctx, "go", "env", "GOMODCACHE", "GOPROXY", "GOCACHE", "GOROOT")
	settings.Dir = tree.dir
	text, err := output(settings)
	if err != nil {
		return builder{}, err
	}
	s := strings.Split(text, "\n")
	if len(s) < 4 {
		return builder{}, fmt.Errorf("go env printed %q", text)
	}
	cache := fileURL(filepath.Join(s[0], "cache", "download"))
	// Nothing that a person has set for their own work may be in a release: GOENV=off leaves out
	// their file with settings, an empty variable is Go's default.
	env := append(os.Environ(), "GOENV=off", "GOFLAGS=-modcacherw", "GOWORK=off", "GOTOOLCHAIN=local",
		"GOPATH="+gopath, "GOMODCACHE=", "GOBIN=", "GOCACHE="+s[2],
		"GOPROXY="+modules.url()+","+cache+","+s[1], "GOPRIVATE=", "GONOPROXY=",
		// The hashes are those of the program's go.sum, see install.
		"GOSUMDB=off",
		"CGO_ENABLED=0", "GOEXPERIMENT=", "GOFIPS140=off", "GODEBUG=", "GOAMD64=v1", "GOARM64=v8.0")
	return builder{tree, modules, gopath, s[3], env}, nil
}

// install builds the program for a platform and returns its path.
func (b builder) install(version string, p platform) (string, error) {
	// In the module itself, Go downloads what the program is made of and compares it with the
	// module's go.sum. The build finds all of that in the cache, and looks nowhere else.
	_, err := b.goCommand(p, nil, "list", "-mod=readonly", "-deps", ".")
	if err != nil {
		return "", err
	}
	only := []string{"GOPROXY=" + b.modules.url()}
	args := append(append([]string{"install"}, buildFlags...), program.path()+"@"+version)
	_, err = b.goCommand(p, only, args...)
	if err != nil {
		return "", err
	}
	name := "cognate"
	if p.os == "windows" {
		name += ".exe"
	}
	bin := filepath.Join(b.gopath, "bin")
	if p != (platform{runtime.GOOS, runtime.GOARCH}) {
		bin = filepath.Join(bin, p.os+"_"+p.arch)
	}
	return filepath.Join(bin, name), nil
}

// goCommand runs Go for a platform in the program's module.
func (b builder) goCommand(p platform, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(b.tree.ctx, "go", args...)
	cmd.Dir = filepath.Join(b.tree.dir, filepath.FromSlash(string(program)))
	cmd.Env = slices.Concat(b.env, []string{"GOOS=" + p.os, "GOARCH=" + p.arch}, env)
	return output(cmd)
}
