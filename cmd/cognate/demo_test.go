package main

import (
	"flag"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/cognate-auth/cognate/internal/demo"
)

// TestDemoFlags compares the flags of `cognate demo` with those of the demo as a program of its
// own: whoever knows one knows the other.
func TestDemoFlags(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, kong.Vars{"version": "", "store": defaultStore})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, command := range parser.Model.Children {
		for _, f := range command.Flags {
			if command.Name == "demo" {
				help, _, _ := strings.Cut(f.Help, " (default")
				got[f.Name] = strings.TrimSuffix(help, ".") + " " + f.Default + " " + strings.Join(f.Envs, " ")
			}
		}
	}
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	_, err = demo.ParseFlags(fs, nil)
	if err != nil {
		t.Fatal(err)
	}
	fs.VisitAll(func(f *flag.Flag) {
		_, usage := flag.UnquoteUsage(f)
		usage, env, _ := strings.Cut(usage, " [$")
		want := usage + " " + strings.Replace(f.DefValue, "false", "", 1) + " " +
			strings.TrimSuffix(env, "]")
		if !strings.EqualFold(got[f.Name], want) {
			t.Errorf("--%s of cognate demo is\n%q, want\n%q", f.Name, got[f.Name], want)
		}
		delete(got, f.Name)
	})
	if len(got) > 0 {
		t.Errorf("the demo by itself lacks %v", got)
	}
}
