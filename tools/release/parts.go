package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/mod/module"
)

// parts is a built program and what Go says that it is made of.
type parts struct {
	program []byte
	info    *debug.BuildInfo
}

// readParts reads a program's file.
func readParts(name string) (parts, error) {
	program, err := os.ReadFile(name)
	if err != nil {
		return parts{}, err
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	return parts{program, info}, err
}

// A bill of materials in CycloneDX, as far as it is used here:
// https://cyclonedx.org/docs/1.6/json/
type (
	bill struct {
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     billMetadata `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	billMetadata struct {
		Timestamp time.Time `json:"timestamp"`
		Component component `json:"component"`
	}
	component struct {
		Type     string    `json:"type"`
		Ref      string    `json:"bom-ref"`
		Name     string    `json:"name"`
		Version  string    `json:"version"`
		Hashes   []hash    `json:"hashes,omitempty"`
		Licenses []license `json:"licenses,omitempty"`
		PURL     string    `json:"purl"`
	}
	hash struct {
		Alg     string `json:"alg"`
		Content string `json:"content"`
	}
	license struct {
		License struct {
			ID string `json:"id"`
		} `json:"license"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// bill returns the program's bill of materials: the modules that are in it, by what Go wrote into
// the program, and the standard library. Who of them needs whom does not stand there: all of
// them are what the program needs.
func (p parts) bill(when time.Time) ([]byte, error) {
	main := newComponent("application", p.info.Main.Path, p.info.Main.Version)
	main.Hashes = []hash{{"SHA-256", fmt.Sprintf("%x", sha256.Sum256(p.program))}}
	main.Licenses = make([]license, 1)
	main.Licenses[0].License.ID = "Apache-2.0"
	// The name of Go's vulnerability database for it: https://go.dev/security/vuln/database
	list := []component{newComponent("library", "stdlib", strings.TrimPrefix(p.info.GoVersion, "go"))}
	for _, m := range p.info.Deps {
		if m.Replace != nil {
			return nil, fmt.Errorf("the program has %s in place of %s", m.Replace.Path, m.Path)
		}
		c := newComponent("library", m.Path, m.Version)
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
		if err != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("the program has no hash for %s, but %q", m.Path, m.Sum)
		}
		c.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum)}}
		list = append(list, c)
	}
	needs := dependency{Ref: main.Ref}
	for _, c := range list {
		needs.DependsOn = append(needs.DependsOn, c.Ref)
	}
	data, err := json.MarshalIndent(bill{
		Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata:   billMetadata{when, main},
		Components: list, Dependencies: []dependency{needs},
	}, "", "  ")
	return append(data, '\n'), err
}

// newComponent returns a module as a component, with its package URL:
// https://github.com/package-url/purl-spec
func newComponent(kind, path, version string) component {
	purl := "pkg:golang/" + strings.ReplaceAll(path, "+", "%2B") + "@" + strings.ReplaceAll(version, "+", "%2B")
	return component{Type: kind, Ref: purl, Name: path, Version: version, PURL: purl}
}

// isNotice finds the files of a module that say what its licence is and wants to be said.
var isNotice = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([-._].*)?$`)

// notices returns the licences of everything of others that is in the program.
func (b builder) notices(p parts) ([]byte, error) {
	text := bytes.NewBufferString("The program cognate has parts that others wrote. These are their licences.\n")
	err := addNotices(text, "Go's standard library, "+p.info.GoVersion, b.goroot)
	if err != nil {
		return nil, err
	}
	for _, m := range p.info.Deps {
		if _, own := memberOf(m.Path); own {
			continue
		}
		escaped, err := module.EscapePath(m.Path)
		if err != nil {
			return nil, err
		}
		dir := filepath.Join(b.gopath, "pkg", "mod", filepath.FromSlash(escaped)+"@"+m.Version)
		err = addNotices(text, m.Path+" "+m.Version, dir)
		if err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// addNotices appends the licences in a folder.
func addNotices(text *bytes.Buffer, of, dir string) error {
	entries, err := os.ReadDir(dir) // by name
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		if e.IsDir() || !isNotice.MatchString(e.Name()) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		found = true
		fmt.Fprintf(text, "\n%s\n%s, %s\n\n%s\n", strings.Repeat("=", 80), of, e.Name(), bytes.TrimSpace(data))
	}
	if !found {
		return fmt.Errorf("%s has no licence in %s", of, dir)
	}
	return nil
}
