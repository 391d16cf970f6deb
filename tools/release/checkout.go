package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// mainBranch is where releases are made.
const mainBranch = "main"

// A checkout is a folder with a repository's files, and git's commands in it.
type checkout struct {
	ctx context.Context // the release's; it ends with Ctrl-C
	dir string
}

// git runs git in the checkout and returns what it prints, without the line end.
func (c checkout) git(args ...string) (string, error) {
	out, err := output(exec.CommandContext(c.ctx, "git", append([]string{"-C", c.dir}, args...)...))
	return strings.TrimRight(out, "\n"), err
}

// file returns a file as it is in a commit, or in a tree.
func (c checkout) file(commit, name string) (string, error) {
	return output(exec.CommandContext(c.ctx, "git", "-C", c.dir, "cat-file", "blob", commit+":"+name))
}

// output runs a command and returns what it prints. What it complains of is in the error.
func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}

// ready reports why no release can be made of the checkout, and returns what the changelog
// says of the version.
func (c checkout) ready(version string) (notes string, err error) {
	changes, err := c.git("status", "--porcelain")
	if err != nil {
		return "", err
	}
	if changes != "" {
		return "", fmt.Errorf("the checkout has changes that are not committed:\n%s", changes)
	}
	branch, err := c.git("rev-parse", "--abbrev-ref", "HEAD")
	if err != nil {
		return "", err
	}
	if branch != mainBranch {
		return "", fmt.Errorf("the checkout is on %s; releases are made on %s", branch, mainBranch)
	}
	err = c.newest(version)
	if err != nil {
		return "", err
	}
	changelog, err := os.ReadFile(filepath.Join(c.dir, "CHANGELOG.md"))
	if err != nil {
		return "", err
	}
	return section(string(changelog), strings.TrimPrefix(version, "v"))
}

// newest returns an error if a version of any module is there that is as new.
func (c checkout) newest(version string) error {
	tags, err := c.git("tag", "--list")
	if err != nil {
		return err
	}
	for tag := range strings.Lines(tags) {
		tag = strings.TrimSpace(tag)
		for _, m := range published {
			rest, ok := strings.CutPrefix(tag, m.tag("v"))
			other := "v" + rest
			// v9 is short for v9.0.0 in semver, and no version in Go.
			if ok && semver.Canonical(other) == other && semver.Compare(version, other) <= 0 {
				return fmt.Errorf("%s is not newer than %s, which has a tag", version, tag)
			}
		}
	}
	return nil
}

// section returns what stands in a changelog below the heading of a version: "## 0.12.0", or
// the same with a date.
func section(changelog, version string) (string, error) {
	heading := regexp.MustCompile(`(?m)^## \[?` + regexp.QuoteMeta(version) + `\]?( .*)?$`)
	at := heading.FindStringIndex(changelog)
	if at == nil {
		return "", fmt.Errorf("CHANGELOG.md has no heading %q: put it above what is unreleased", "## "+version)
	}
	text, _, _ := strings.Cut(changelog[at[1]:], "\n## ")
	text = strings.TrimSpace(text)
	if text == "" {
		return "", fmt.Errorf("CHANGELOG.md says nothing below %q", changelog[at[0]:at[1]])
	}
	return text + "\n", nil
}

// worktree makes a second checkout of a commit, with the settings of this one, in a new folder.
// The caller removes it.
func (c checkout) worktree(dir, commit string) (tree checkout, remove func() error, err error) {
	_, err = c.git("worktree", "add", "--quiet", "--detach", dir, commit)
	if err != nil {
		return checkout{}, nil, err
	}
	remove = func() error {
		c.ctx = context.WithoutCancel(c.ctx) // after Ctrl-C too
		_, err := c.git("worktree", "remove", "--force", dir)
		return err
	}
	return checkout{c.ctx, dir}, remove, nil
}

// repository returns the folder that holds the repository itself, which modzip.CreateFromVCS
// wants. A worktree has no repository of its own.
func (c checkout) repository() (string, error) {
	dir, err := c.git("rev-parse", "--path-format=absolute", "--git-common-dir")
	return filepath.Dir(filepath.FromSlash(dir)), err
}

// commit commits every change of the checkout.
func (c checkout) commit(subject, body string) error {
	_, err := c.git("commit", "--quiet", "--all", "-m", subject, "-m", body)
	return err
}

// time returns when a commit was made, in UTC.
func (c checkout) time(commit string) (time.Time, error) {
	text, err := c.git("log", "-1", "--format=%ct", commit)
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0).UTC(), err
}

// foldersReason is the body of the commit after the one that is tagged.
const foldersReason = `A module is developed with the others as they are in the checkout, also by the commands
that don't look at go.work, such as go mod tidy. The requirements stay at the release: who
asks for a later commit of a library gets one that needs versions which exist.`

// finish brings the release's commits into the checkout and tags them: all, or nothing.
func (c checkout) finish(tree checkout, released string, o options, out io.Writer) (err error) {
	err = replaceByFolders(tree)
	if err != nil {
		return err
	}
	err = tree.commit("all: find the modules in their folders again after "+o.version, foldersReason)
	if err != nil {
		return err
	}
	next, err := tree.git("rev-parse", "HEAD")
	if err != nil {
		return err
	}
	before, err := c.git("rev-parse", "HEAD")
	if err != nil {
		return err
	}
	var tags []string
	defer func() {
		if err != nil && len(tags) > 0 {
			c.ctx = context.WithoutCancel(c.ctx)
			_, undo := c.git(append([]string{"tag", "--delete"}, tags...)...)
			err = errors.Join(err, undo)
		}
	}()
	for _, m := range published {
		_, err = c.git("tag", "--annotate", "-m", m.path()+" "+o.version, m.tag(o.version), released)
		if err != nil {
			return err
		}
		tags = append(tags, m.tag(o.version))
	}
	_, err = c.git("merge", "--quiet", "--ff-only", next)
	if err != nil {
		return err
	}
	return c.explain(o, before, tags, out)
}

// explain prints how the release is published, and how it is taken back.
func (c checkout) explain(o options, before string, tags []string, out io.Writer) error {
	dist := filepath.ToSlash(filepath.Join(o.out, o.version))
	names := strings.Join(tags, " ")
	flags := ""
	if semver.Prerelease(o.version) != "" {
		flags = "--prerelease "
	}
	return errors.Join(
		say(out, "\n%s is in this checkout, and published nowhere: two commits, the tags", o.version),
		say(out, "%s, and the archives in %s. To publish it:\n", names, dist),
		say(out, "  git push --atomic origin %s %s", mainBranch, names),
		say(out, "  gh release create %s --verify-tag %s--title %[1]s --notes-file %s/notes.md %s/*",
			o.version, flags, o.out, dist),
		say(out, "\nTo take it back before that:\n"),
		say(out, "  git tag --delete %s && git reset --keep %s", names, before))
}
