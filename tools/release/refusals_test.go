package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefusals asks for releases that can't be made: each is refused with a reason, and leaves
// neither commits nor tags.
func TestRefusals(t *testing.T) {
	gitSettings(t)
	const changelog = "# Changelog\n\n## Unreleased\n\n## 0.12.0 - 2026-12-01\n\n- It is there.\n\n" +
		"## 0.12.1\n\n## [0.12.2]\n\nText.\n"
	tests := []struct {
		name    string
		version string
		change  func(t *testing.T, dir string)
		want    string
	}{
		{"no version", "latest", nil, "is no version"},
		{"without its v", "0.12.0", nil, "is no version"},
		{"not in full", "v0.12", nil, "is no version"},
		{"with build metadata", "v0.12.0+linux", nil, "is no version"},
		{"a major version that no path has", "v2.0.0", nil, "major version"},
		{"not in the changelog", "v0.13.0", nil, `no heading "## 0.13.0"`},
		{"a heading alone", "v0.12.1", nil, "says nothing"},
		{"changes", "v0.12.0", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "CHANGELOG.md"), changelog+"\nMore.\n")
		}, "not committed"},
		{"a new file", "v0.12.0", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "new.go"), "package cognate\n")
		}, "not committed"},
		{"another branch", "v0.12.0", func(t *testing.T, dir string) {
			git(t, dir, "checkout", "--quiet", "-b", "topic")
		}, "is on topic"},
		{"made already", "v0.12.0", func(t *testing.T, dir string) {
			git(t, dir, "tag", "v0.12.0")
		}, "not newer than v0.12.0"},
		{"older than another", "v0.12.0", func(t *testing.T, dir string) {
			git(t, dir, "tag", "v0.13.0-rc.1")
		}, "not newer than v0.13.0-rc.1"},
		{"another module has it", "v0.12.0", func(t *testing.T, dir string) {
			git(t, dir, "tag", "redisstore/v0.12.0")
		}, "not newer than redisstore/v0.12.0"},
		{"tags that are no versions", "v0.12.2", func(t *testing.T, dir string) {
			git(t, dir, "tag", "version-9")
			git(t, dir, "tag", "v9")
			git(t, dir, "tag", "other/v9.0.0")
		}, "go.mod"}, // the first thing that this checkout lacks
		{"a module that replaces another's", "v0.12.0", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "go.mod"),
				"module "+rootPath+"\n\ngo 1.26.0\n\nreplace example.com/other => ../other\n")
			git(t, dir, "add", "--all")
			git(t, dir, "commit", "--quiet", "-m", "all: replace")
		}, "replaces example.com/other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			git(t, dir, "init", "--quiet", "--initial-branch", mainBranch)
			write(t, filepath.Join(dir, "CHANGELOG.md"), changelog)
			write(t, filepath.Join(dir, ".gitignore"), "/dist/\n")
			git(t, dir, "add", "--all")
			git(t, dir, "commit", "--quiet", "-m", "all: begin")
			if test.change != nil {
				test.change(t, dir)
			}
			before := git(t, dir, "for-each-ref") + git(t, dir, "status", "--porcelain")
			err := release(t.Context(), dir, options{version: test.version, out: "dist"}, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
			if now := git(t, dir, "for-each-ref") + git(t, dir, "status", "--porcelain"); now != before {
				t.Errorf("the checkout was\n%s\nand is\n%s", before, now)
			}
			if trees := git(t, dir, "worktree", "list"); strings.Contains(trees, "\n") {
				t.Errorf("a copy is left:\n%s", trees)
			}
		})
	}
}

// TestTagsTogether checks that a release whose commits can't come into the checkout leaves no
// tags there: somebody has committed meanwhile.
func TestTagsTogether(t *testing.T) {
	gitSettings(t)
	dir := t.TempDir()
	git(t, dir, "init", "--quiet", "--initial-branch", mainBranch)
	for _, m := range published {
		folder := filepath.Join(dir, filepath.FromSlash(string(m)))
		err := os.MkdirAll(folder, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "go.mod"), "module "+m.path()+"\n\ngo 1.26.0\n")
		write(t, filepath.Join(folder, "go.sum"), "")
	}
	write(t, filepath.Join(dir, program.path()[len(rootPath)+1:], "go.mod"),
		"module "+program.path()+"\n\ngo 1.26.0\n\nrequire "+rootPath+" v0.12.0\n")
	git(t, dir, "add", "--all")
	git(t, dir, "commit", "--quiet", "-m", "all: begin")
	c := checkout{t.Context(), dir}
	tree, remove, err := c.worktree(filepath.Join(t.TempDir(), "tree"), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = remove() }()
	git(t, dir, "commit", "--quiet", "--allow-empty", "-m", "all: meanwhile")
	err = c.finish(tree, git(t, tree.dir, "rev-parse", "HEAD"), options{version: "v0.12.0", out: "dist"}, io.Discard)
	if err == nil {
		t.Error("the release's commits came into a checkout that has others")
	}
	if tags := git(t, dir, "tag"); tags != "" {
		t.Errorf("the failed release leaves the tags %s", tags)
	}
}

// write writes a file.
func write(t *testing.T, name, text string) {
	t.Helper()
	err := os.WriteFile(name, []byte(text), 0o644)
	if err != nil {
		t.Fatal(err)
	}
}
