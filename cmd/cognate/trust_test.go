package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/trust"
	"github.com/cognate-auth/cognate/devtls"
	"github.com/cognate-auth/cognate/internal/terminal"
)

// TestTrustIsRemembered installs and removes the authority on machines where the steps
// go well, fail or are missing. Programs say nothing of a browser's warning only if all
// lists of browsers have the authority.
func TestTrustIsRemembered(t *testing.T) {
	browser := trust.Step{
		Where: "a browser's list", Browsers: true, Install: [][]string{{"add"}}, Undo: [][]string{{"del"}},
	}
	system := trust.Step{Where: "the system's list", Install: [][]string{{"update"}}, Undo: [][]string{{"update"}}}
	missing := func(s trust.Step) trust.Step { s.Missing = "not installed"; return s }
	for name, tt := range map[string]struct {
		steps []trust.Step
		fails string // this command fails
		warns bool   // after the installation
		want  string // part of the error
	}{
		"all":                         {[]trust.Step{system, browser}, "", false, ""},
		"no administrator":            {[]trust.Step{missing(system), browser}, "", false, ""},
		"one browser of two":          {[]trust.Step{browser, missing(browser)}, "", true, ""},
		"the system's list alone":     {[]trust.Step{system, missing(browser)}, "", true, ""},
		"the browser's list is busy":  {[]trust.Step{system, browser}, "add", true, "not all steps succeeded"},
		"the system's list is broken": {[]trust.Step{system, browser}, "update", false, "not all steps succeeded"},
		"nothing can be done":         {[]trust.Step{missing(browser)}, "", true, "no step could be taken"},
	} {
		t.Run(name, func(t *testing.T) {
			authority, err := devtls.OpenAuthority(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			machine := trust.System{Run: func(_ context.Context, command []string) error {
				if command[0] == tt.fails {
					return errors.New("it failed")
				}
				return nil
			}}
			var out strings.Builder
			term := terminal.Streams{Out: &out, Err: &out}
			err = (&trustCommand{Install: true}).act(t.Context(), term, authority, machine, tt.steps)
			if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
			if warns := authority.Warning() != ""; warns != tt.warns {
				t.Errorf("it warns: %v, want %v", warns, tt.warns)
			}
			// It goes as far as it can.
			_ = (&trustCommand{Uninstall: true}).act(t.Context(), term, authority, machine, tt.steps)
			if authority.Warning() == "" {
				t.Error("after the removal nothing is said of the browser's warning")
			}
		})
	}
}
