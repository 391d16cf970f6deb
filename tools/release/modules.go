package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

// A member is a module of this repository, by its folder; that of the root module is empty.
type member string

// rootPath is the path of the root module. The paths of the others are this path and their
// folder.
const rootPath = "github.com/cognate-auth/cognate"

// program is the module, and the package, of the program cognate.
const program member = "cmd/cognate"

// published are the modules that others install, each after those that it needs. The other
// modules are tests, tools and examples, for this repository alone.
var published = []member{"", "redisstore", program}

// path is the module's path.
func (m member) path() string { return path.Join(rootPath, string(m)) }

// tag is the name of the tag that makes a version of the module:
// https://go.dev/ref/mod#vcs-version
func (m member) tag(version string) string {
	return path.Join(string(m), "v") + strings.TrimPrefix(version, "v")
}

// memberOf returns the module of this repository that has a path.
func memberOf(modulePath string) (member, bool) {
	if modulePath == rootPath {
		return "", true
	}
	rest, ok := strings.CutPrefix(modulePath, rootPath+"/")
	return member(rest), ok
}

// setRequirements makes every module of the checkout need the others at a version, and takes
// the replace lines out of those that are published. It fills the proxy with these. Each go.sum
// gets the hashes of what its module needs, as one will find it in the version: they are known
// before the commit is, because a module's zip has no other module's files.
func setRequirements(tree checkout, version string, modules proxy) error {
	names, err := tree.git("ls-files", "--", "go.mod", "*/go.mod")
	if err != nil {
		return err
	}
	for name := range strings.Lines(names) {
		err = editModule(tree, member(path.Dir("/" + strings.TrimSpace(name))[1:]), func(f *modfile.File) error {
			return requireOwn(f, version)
		})
		if err != nil {
			return err
		}
	}
	sums := map[module.Version]string{}
	for _, m := range published {
		err = editModule(tree, m, dropOwn)
		if err != nil {
			return err
		}
		err = writeOwnSums(tree, m, sums)
		if err != nil {
			return err
		}
		now, err := tree.writeTree()
		if err != nil {
			return err
		}
		added, err := modules.add(tree, m, version, now)
		if err != nil {
			return err
		}
		for of, sum := range added {
			sums[of] = sum
		}
	}
	return nil
}

// writeTree writes the checkout's files as they are now into the repository, and returns the
// name of that tree.
func (c checkout) writeTree() (string, error) {
	_, err := c.git("add", "--update")
	if err != nil {
		return "", err
	}
	return c.git("write-tree")
}

// replaceByFolders makes the published modules of the checkout find the others in their folders.
func replaceByFolders(tree checkout) error {
	for _, m := range published {
		err := editModule(tree, m, func(f *modfile.File) error { return replaceOwn(f, m) })
		if err != nil {
			return err
		}
		err = writeOwnSums(tree, m, nil) // what is replaced has no sum
		if err != nil {
			return err
		}
	}
	return nil
}

// editModule changes the go.mod of a module.
func editModule(tree checkout, m member, edit func(*modfile.File) error) error {
	name := filepath.Join(tree.dir, filepath.FromSlash(string(m)), "go.mod")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	f, err := modfile.Parse(name, text, nil)
	if err != nil {
		return err
	}
	err = edit(f)
	if err != nil {
		return err
	}
	f.Cleanup()
	text, err = f.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}

// requireOwn sets the version of each requirement on a module of this repository.
func requireOwn(f *modfile.File, version string) error {
	for _, r := range f.Require {
		if _, own := memberOf(r.Mod.Path); !own {
			continue
		}
		err := f.AddRequire(r.Mod.Path, version)
		if err != nil {
			return err
		}
	}
	return nil
}

// dropOwn takes out the replace lines for modules of this repository. Others are refused: go
// install refuses them, and those who import the module would get something else than its tests.
func dropOwn(f *modfile.File) error {
	for _, r := range f.Replace {
		if _, own := memberOf(r.Old.Path); !own {
			return fmt.Errorf("%s replaces %s; a module that is published can't", f.Module.Mod.Path, r.Old.Path)
		}
		err := f.DropReplace(r.Old.Path, r.Old.Version)
		if err != nil {
			return err
		}
	}
	return nil
}

// replaceOwn adds a replace line, to its folder, for each module of this repository that m
// requires.
func replaceOwn(f *modfile.File, m member) error {
	for _, r := range f.Require {
		other, own := memberOf(r.Mod.Path)
		if !own {
			continue
		}
		folder, err := filepath.Rel("/"+string(m), "/"+string(other))
		if err != nil {
			return err
		}
		err = f.AddReplace(r.Mod.Path, "", filepath.ToSlash(folder), "")
		if err != nil {
			return err
		}
	}
	return nil
}

// writeOwnSums sets the lines of a module's go.sum for the modules of this repository that its
// go.mod requires: those in sums, and no others.
func writeOwnSums(tree checkout, m member, sums map[module.Version]string) error {
	dir := filepath.Join(tree.dir, filepath.FromSlash(string(m)))
	gomod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	f, err := modfile.ParseLax("go.mod", gomod, nil)
	if err != nil {
		return err
	}
	all, err := readSums(filepath.Join(dir, "go.sum"))
	if err != nil {
		return err
	}
	for of := range all {
		if _, own := memberOf(of.Path); own {
			delete(all, of)
		}
	}
	for _, r := range f.Require {
		for _, suffix := range []string{"", "/go.mod"} {
			of := module.Version{Path: r.Mod.Path, Version: r.Mod.Version + suffix}
			if sum, ok := sums[of]; ok {
				all[of] = sum
			}
		}
	}
	return writeModuleSums(filepath.Join(dir, "go.sum"), all)
}

// readSums reads a go.sum.
func readSums(name string) (map[module.Version]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	sums := map[module.Version]string{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("%s: a line is no module, version and hash: %q", name, line)
		}
		sums[module.Version{Path: fields[0], Version: fields[1]}] = fields[2]
	}
	return sums, nil
}

// writeModuleSums writes a go.sum in Go's order.
func writeModuleSums(name string, sums map[module.Version]string) error {
	var of []module.Version
	for m := range sums {
		of = append(of, m)
	}
	module.Sort(of)
	var text bytes.Buffer
	for _, m := range of {
		fmt.Fprintf(&text, "%s %s %s\n", m.Path, m.Version, sums[m])
	}
	return os.WriteFile(name, text.Bytes(), 0o644)
}

// A proxy is a folder with modules as a module proxy serves them:
// https://go.dev/ref/mod#goproxy-protocol
type proxy struct{ dir string }

// url is the entry for GOPROXY.
func (p proxy) url() string { return fileURL(p.dir) }

// fileURL returns the file URL of a folder, as GOPROXY takes it.
func fileURL(dir string) string {
	slashed := filepath.ToSlash(dir)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/
	}
	return "file://" + slashed
}

// add puts a module as it is in a commit, or in a tree, into the proxy as a version, and returns
// its lines for a go.sum. The commit is a hash: HEAD is another one in the repository than in a
// worktree.
func (p proxy) add(tree checkout, m member, version, commit string) (map[module.Version]string, error) {
	mod := module.Version{Path: m.path(), Version: version}
	base, err := p.base(mod)
	if err != nil {
		return nil, err
	}
	err = os.MkdirAll(filepath.Dir(base), 0o755)
	if err != nil {
		return nil, err
	}
	repository, err := tree.repository()
	if err != nil {
		return nil, err
	}
	var zipped bytes.Buffer
	err = modzip.CreateFromVCS(&zipped, mod, repository, commit, string(m))
	if err != nil {
		return nil, err
	}
	gomod, err := tree.file(commit, path.Join(string(m), "go.mod"))
	if err != nil {
		return nil, err
	}
	for suffix, data := range map[string][]byte{".zip": zipped.Bytes(), ".mod": []byte(gomod)} {
		err = os.WriteFile(base+suffix, data, 0o644)
		if err != nil {
			return nil, err
		}
	}
	hash, err := dirhash.HashZip(base+".zip", dirhash.Hash1)
	if err != nil {
		return nil, err
	}
	modHash, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(gomod)), nil
	})
	if err != nil {
		return nil, err
	}
	return map[module.Version]string{
		mod: hash,
		{Path: mod.Path, Version: version + "/go.mod"}: modHash,
	}, nil
}

// date says of all modules in the proxy when the version was made, and that it is there.
func (p proxy) date(version string, when time.Time) error {
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, when})
	if err != nil {
		return err
	}
	for _, m := range published {
		base, err := p.base(module.Version{Path: m.path(), Version: version})
		if err != nil {
			return err
		}
		err = os.WriteFile(base+".info", info, 0o644)
		if err != nil {
			return err
		}
		err = os.WriteFile(filepath.Join(filepath.Dir(base), "list"), []byte(version+"\n"), 0o644)
		if err != nil {
			return err
		}
	}
	return nil
}

// base returns the path of a version's files in the proxy, without their suffix.
func (p proxy) base(m module.Version) (string, error) {
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	version, err := module.EscapeVersion(m.Version)
	return filepath.Join(p.dir, filepath.FromSlash(escaped), "@v", version), err
}
