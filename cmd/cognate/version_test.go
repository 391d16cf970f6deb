package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// TestVersion prints what different builds know of themselves.
func TestVersion(t *testing.T) {
	rest := "go        " + runtime.Version() + "\nplatform  " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	release := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}
	commit := &debug.BuildInfo{
		Main: debug.Module{Version: "v1.2.4-0.20261130120000-0123456789ab+dirty"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.time", Value: "2026-11-30T12:00:00Z"},
			{Key: "vcs.modified", Value: "true"},
		},
	}
	for _, tt := range []struct {
		name, want string
		info       *debug.BuildInfo
	}{
		{"a release", "cognate v1.2.3\n" + rest, release},
		{"a commit", "cognate v1.2.4-0.20261130120000-0123456789ab+dirty\ncommit    0123456789abcdef of " +
			"2026-11-30T12:00:00Z, with changes that are not committed\n" + rest, commit},
		{"nothing known", "cognate (unknown version)\n" + rest, nil},
	} {
		var b strings.Builder
		printVersion(&b, tt.info)
		if b.String() != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, &b, tt.want)
		}
	}
}
