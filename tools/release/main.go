// Release makes a version of every module that others install: the commit whose go.mod files
// need one another at that version, a tag for each module, and archives of the program with
// their checksums, bills of materials and licences. It works in a copy, and changes the checkout
// only when all of it is there. It publishes nothing: it prints the commands that do.
//
//	tools/release.sh v0.12.0             a release
//	tools/release.sh -dry-run v0.12.0    the archives alone, to look at
//	tools/release.sh -rebuild v0.12.0    the archives of a version that has its tags
//
// Whoever makes the archives of a version again, elsewhere and later, gets the same bytes: from
// a commit, one release of Go makes the same program anywhere, and no archive has a name, a date
// or an order that comes from the machine.
//
// It knows the repository's modules by their go.mod files, and imports none of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/semver"
)

// options is what the command line asks for.
type options struct {
	version   string     // with its v
	dryRun    bool       // leave the checkout without commits and tags
	rebuild   bool       // the version is tagged: make its archives again
	out       string     // the folder for what is made, relative to the checkout; what is there goes
	platforms []platform // those that the program is built for
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		_, _ = fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

// run reads a command line and makes the release of the checkout in the current folder.
func run(ctx context.Context, args []string, out io.Writer) error {
	o := options{out: "dist"}
	names := strings.Join(allPlatforms, ",")
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		_, _ = fmt.Fprintln(out, "tools/release.sh [flags] VERSION   makes a version of every module, such as v0.12.0")
		flags.PrintDefaults()
	}
	flags.BoolVar(&o.dryRun, "dry-run", false, "make the archives, and leave the checkout without commits and tags")
	flags.BoolVar(&o.rebuild, "rebuild", false, "make the archives of a version again that has its tags")
	flags.StringVar(&names, "platforms", names, "what the program is built for")
	err := flags.Parse(args)
	if err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("give it one version, after the flags, such as v0.12.0")
	}
	o.version = flags.Arg(0)
	o.platforms, err = parsePlatforms(names)
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	return release(ctx, dir, o, out)
}

// release makes the release of the checkout in dir.
func release(ctx context.Context, dir string, o options, out io.Writer) (err error) {
	c := checkout{ctx, dir}
	err = checkVersion(o.version)
	if err != nil {
		return err
	}
	start := "HEAD"
	notes := "" // a version that is made again has been described
	if o.rebuild {
		start = "refs/tags/" + o.version
	} else {
		notes, err = c.ready(o.version)
		if err != nil {
			return err
		}
	}
	temp, err := os.MkdirTemp("", "cognate-release-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	tree, remove, err := c.worktree(filepath.Join(temp, "tree"), start)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()

	dist := filepath.Join(dir, o.out)
	err = errors.Join(os.RemoveAll(dist), os.MkdirAll(filepath.Join(dist, o.version), 0o755))
	if err != nil {
		return err
	}
	modules := proxy{filepath.Join(dist, "modules")}
	commit, err := makeModules(tree, o, modules)
	if err != nil {
		return err
	}
	err = makeArchives(tree, o, modules, filepath.Join(dist, o.version), temp, out)
	if err != nil {
		return err
	}
	if o.rebuild {
		return say(out, "The archives of %s are in %s.", o.version, filepath.Join(o.out, o.version))
	}
	err = os.WriteFile(filepath.Join(dist, "notes.md"), []byte(notes), 0o644)
	if err != nil {
		return err
	}
	if o.dryRun {
		return say(out, "The archives of %s are in %s. The checkout has neither commits nor tags of it.",
			o.version, filepath.Join(o.out, o.version))
	}
	return c.finish(tree, commit, o, out)
}

// releaseReason is the body of the commit that is tagged.
const releaseReason = `Each module needs the others at this version, and finds them where everybody's Go looks
for them: go install refuses a program whose go.mod replaces a module. The tags name this
commit; the next one brings the folders back.`

// makeModules commits the version's requirements in tree, if it has none, and fills the proxy
// with the published modules. It returns the release's commit.
func makeModules(tree checkout, o options, modules proxy) (commit string, err error) {
	if !o.rebuild {
		err = setRequirements(tree, o.version, modules)
		if err != nil {
			return "", err
		}
		err = tree.commit("all: release "+o.version, releaseReason)
		if err != nil {
			return "", err
		}
	}
	commit, err = tree.git("rev-parse", "HEAD")
	if err != nil {
		return "", err
	}
	if o.rebuild {
		for _, m := range published {
			_, err = modules.add(tree, m, o.version, commit)
			if err != nil {
				return "", err
			}
		}
	}
	when, err := tree.time(commit)
	if err != nil {
		return "", err
	}
	return commit, modules.date(o.version, when)
}

// makeArchives fills the folder dist with the archives of every platform, the program's
// bill of materials for each, and the checksums.
func makeArchives(tree checkout, o options, modules proxy, dist, temp string, out io.Writer) error {
	when, err := tree.time("HEAD")
	if err != nil {
		return err
	}
	b, err := newBuilder(tree, modules, filepath.Join(temp, "go"))
	if err != nil {
		return err
	}
	for _, p := range o.platforms {
		err = say(out, "building cognate %s for %s", o.version, p)
		if err != nil {
			return err
		}
		program, err := b.install(o.version, p)
		if err != nil {
			return err
		}
		err = packProgram(b, program, o.version, p, when, dist)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return writeSums(dist)
}

// packProgram writes the archive of one platform's program, and its bill of materials.
func packProgram(b builder, program, version string, p platform, when time.Time, dist string) error {
	name := "cognate_" + strings.TrimPrefix(version, "v") + "_" + p.os + "_" + p.arch
	parts, err := readParts(program)
	if err != nil {
		return err
	}
	bill, err := parts.bill(when)
	if err != nil {
		return err
	}
	err = os.WriteFile(filepath.Join(dist, name+".cdx.json"), bill, 0o644)
	if err != nil {
		return err
	}
	notices, err := b.notices(parts)
	if err != nil {
		return err
	}
	files := []file{{name: filepath.Base(program), data: parts.program, executable: true},
		{name: "THIRD-PARTY-NOTICES.txt", data: notices}}
	for _, name := range []string{"LICENSE", "README.md"} {
		data, err := os.ReadFile(filepath.Join(b.tree.dir, name))
		if err != nil {
			return err
		}
		files = append(files, file{name: name, data: data})
	}
	pack, suffix := packTar, ".tar.gz"
	if p.os == "windows" {
		pack, suffix = packZip, ".zip"
	}
	archive, err := pack(name, files, when)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dist, name+suffix), archive, 0o644)
}

// checkVersion refuses what is no version of these modules.
func checkVersion(version string) error {
	switch {
	case semver.Canonical(version) != version || version == "":
		return fmt.Errorf("%q is no version; write it in full and with its v, such as v0.12.0", version)
	case semver.Major(version) != "v0" && semver.Major(version) != "v1":
		// https://go.dev/ref/mod#major-version-suffixes
		return fmt.Errorf("%s: from v2 on Go wants the major version at the end of every module's path", version)
	}
	return nil
}

// say prints a line.
func say(out io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(out, format+"\n", args...)
	return err
}
