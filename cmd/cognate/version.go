package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/cognate-auth/cognate/internal/terminal"
)

type versionCommand struct{}

// Run prints what a report of a mistake should name.
func (versionCommand) Run(term terminal.Streams) error {
	info, _ := debug.ReadBuildInfo()
	printVersion(term.Out, info)
	return nil
}

// version returns the module's version: that of a release, of a commit, or "(devel)".
func version() string {
	info, _ := debug.ReadBuildInfo()
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if info == nil || info.Main.Version == "" {
		return "cognate (unknown version)"
	}
	return "cognate " + info.Main.Version
}

// printVersion prints the version and, as far as the build knows them, the commit, and
// what the program was built with and for. info is nil if the build knows nothing.
func printVersion(w io.Writer, info *debug.BuildInfo) {
	terminal.Printf(w, "%s\n", versionOf(info))
	settings := map[string]string{}
	if info != nil {
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
	}
	if commit := settings["vcs.revision"]; commit != "" {
		note := ""
		if settings["vcs.modified"] == "true" {
			note = ", with changes that are not committed"
		}
		terminal.Printf(w, "commit    %s of %s%s\n", commit, settings["vcs.time"], note)
	}
	terminal.Printf(w, "go        %s\n", runtime.Version())
	terminal.Printf(w, "platform  %s\n", fmt.Sprintf("%s/%s", runtime.GOOS, runtime.GOARCH))
}
