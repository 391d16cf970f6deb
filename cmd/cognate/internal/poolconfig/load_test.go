package poolconfig_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/userpool"
)

// svg is the smallest image.
const svg = `<svg xmlns="http://www.w3.org/2000/svg"/>`

// TestEverything reads a file with every key and checks that every field of userpool's
// types is set: the file can express everything that a pool accepts.
func TestEverything(t *testing.T) {
	text, err := os.ReadFile("testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f, err := loader(map[string]string{
		"conf/logo.svg": svg, "conf/pages.css": "body{margin:0}", "conf/partner.xml": "<EntityDescriptor/>",
		"conf/users.csv": "cognito:username,email,email_verified\ncsv@example.com,csv@example.com,true\n",
	}).Parse("conf/c.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	p := f.Pools[0]
	unset(t, "Settings", reflect.ValueOf(p.Settings), "Settings.AliasAttributes")
	unset(t, "Client", reflect.ValueOf(p.Clients[0]), "Client.GenerateSecret", "Client.Version")
	unset(t, "User", reflect.ValueOf(p.Users[0].NewUser), "User.Invite")
	want := []string{"conf/c.yaml", "conf/partner.xml", "conf/logo.svg", "conf/pages.css", "conf/users.csv"}
	if diff := cmp.Diff(want, f.Sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if got, want := p.Issuer, "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example01"; got != want {
		t.Errorf("issuer = %q, want %q", got, want)
	}
	if got, want := p.Clients[0].SecondSecret, userpool.Secret("from_the_environment_only"); !got.Equal(want) {
		t.Error("the second secret does not come from the environment")
	}
	if got, want := p.Clients[0].AccessTokenValidity, 90*time.Minute; got != want {
		t.Errorf("access token validity = %v, want %v", got, want)
	}
	if got, want := p.Users[1].Status, userpool.UserResetRequired; got != want {
		t.Errorf("status of an imported user = %s, want %s", got, want)
	}
}

// unset reports fields that are not set, in structs and in the first elements of lists.
// Some alternatives stay empty: those in known.
func unset(t *testing.T, name string, v reflect.Value, known ...string) {
	t.Helper()
	switch {
	case slices.Contains(known, name):
	case v.Type() == reflect.TypeFor[time.Time]():
	case v.IsZero():
		t.Errorf("no key sets %s", name)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			unset(t, name+"."+v.Type().Field(i).Name, v.Field(i), known...)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		// Together, the elements set all fields.
		union := reflect.New(v.Type().Elem()).Elem()
		for i := range v.Len() {
			for f := range union.NumField() {
				if !v.Index(i).Field(f).IsZero() {
					union.Field(f).Set(v.Index(i).Field(f))
				}
			}
		}
		unset(t, name, union, known...)
	}
}

// TestSubs checks that the ids of users don't change: apps store them.
func TestSubs(t *testing.T) {
	const text = "pools:\n- id: local_A1\n  users:\n  - username: Ann\n" +
		"  - username: bob\n    sub: 00000000-0000-4000-8000-000000000001\n"
	f, err := loader(nil).Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"dad70917-2172-85a6-9934-8eecee1e992c", "00000000-0000-4000-8000-000000000001"} {
		if got := f.Pools[0].Users[i].Sub; got != want {
			t.Errorf("sub of %s = %s, want %s", f.Pools[0].Users[i].Username, got, want)
		}
	}
}

// TestAliases uses one value in several places through an alias.
func TestAliases(t *testing.T) {
	const text = "pools:\n- id: local_A1\n  clients:\n  - id: a\n    callback_urls: &urls [https://a.example/]\n" +
		"  - id: b\n    callback_urls: *urls\n"
	f, err := loader(nil).Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Pools[0].Clients[1].CallbackURLs, []string{"https://a.example/"}; !slices.Equal(got, want) {
		t.Errorf("callback URLs = %q, want %q", got, want)
	}
}

// allocated returns how much memory f allocates in total. It measures work
// independently of the machine's speed, for tests that do not run in parallel.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// TestBombs reads small files that would expand to large ones, and deep ones. An
// ordinary file takes some 300 bytes of memory for each of its own.
func TestBombs(t *testing.T) {
	wide := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := range 8 {
		n := string(rune('0' + i))
		m := string(rune('1' + i))
		wide += "a" + m + ": &a" + m + " [" + strings.Repeat("*a"+n+",", 8) + "*a" + n + "]\n"
	}
	var keys strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&keys, "k%d: v\n", i)
	}
	for name, text := range map[string]string{
		"aliases of aliases": wide + "pools:\n- id: local_A1\n  name: *a8\n",
		"an endless alias":   "pools: &p [*p]\n",
		"brackets":           strings.Repeat("[", 50_000),
		"braces":             strings.Repeat("{a: ", 25_000),
		"dashes":             strings.Repeat("- ", 50_000),
		"keys":               keys.String(),
		"keys of one line":   "{" + strings.Repeat("a: b, ", 10_000) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			const most = 2_000
			took := allocated(func() {
				_, err := loader(nil).Parse("c.yaml", []byte(text))
				if err == nil {
					t.Error("the file was taken")
				}
			}) / len(text)
			if took > most {
				t.Errorf("it took %d bytes for each of its own, want at most %d", took, most)
			}
		})
	}
}

// TestTemplate reads what cognate pool init writes, and reads it again with every
// example in its comments uncommented.
func TestTemplate(t *testing.T) {
	text := poolconfig.Template()
	f, err := loader(nil).Parse("c.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Pools) != 1 || len(f.Pools[0].Clients) != 1 || len(f.Pools[0].Users) != 2 {
		t.Errorf("got %d pools, want one with a client and two users", len(f.Pools))
	}
	if bytes.Equal(text, poolconfig.Template()) {
		t.Error("two files have the same secrets")
	}
	on := regexp.MustCompile(`(?m)^(    +)# ( *(?:- )?[a-z_]+:(?: .*)?)$`).ReplaceAll(text, []byte("$1$2"))
	on = bytes.Replace(on, []byte("alias_attributes: [email"), []byte("# [email"), 1) // excludes username_attributes
	on = bytes.Replace(on, []byte("second_secret: ..."), []byte("second_secret: ${SET}"), 1)
	on = bytes.Replace(on, []byte("${COMPANY_SECRET}"), []byte("${SET}"), 1)
	_, err = loader(map[string]string{
		"logo.svg": svg, "pages.css": "", "partner.xml": "<EntityDescriptor/>", "users.csv": "cognito:username\n",
	}).Parse("c.yaml", on)
	if err != nil {
		t.Errorf("with everything switched on: %v", err)
	}
	if bytes.Contains(on, []byte("# logo_file")) || !bytes.Contains(on, []byte("\n        branding:")) {
		t.Errorf("the examples are still comments:\n%s", on)
	}
}

// TestColoursHardToRead reads colours that can't be used for text, and others that can.
func TestColoursHardToRead(t *testing.T) {
	f, err := loader(nil).Parse("c.yaml", []byte("pools:\n  - id: local_a\n    clients:\n"+
		"      - id: yellow\n        branding: {primary: \"#ffd400\", dark_primary: \"#1e3a8a\"}\n"+
		"      - id: blue\n        branding: {primary: \"#1e3a8a\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"client yellow: branding.primary #ffd400 has a contrast of 1.4 to 1 on the light pages' #ffffff, and " +
			"text needs 4.5: buttons have it, and links have #8a7300.",
		"client yellow: branding.dark_primary #1e3a8a has a contrast of 1.7 to 1 on the dark pages' #171a26, and " +
			"text needs 4.5: buttons have it, and links have #7182b5.",
	}
	if diff := cmp.Diff(want, f.Notes); diff != "" {
		t.Errorf("the notes differ (-want +got):\n%s", diff)
	}
}

// TestDocumented checks that the documentation has every key of the file, and no
// others.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/local-pool.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_.\\[\\]]+)` \\|").FindAllSubmatch(text, -1) {
		documented["pools[]."+string(m[1])] = true
	}
	keys := poolconfig.Keys()
	for _, key := range keys {
		if !documented[key] {
			t.Errorf("docs/local-pool.md has no row for %s", key)
		}
	}
	for key := range maps.Keys(documented) {
		if !slices.Contains(keys, key) {
			t.Errorf("docs/local-pool.md has a row for %s, and there is no such key", key)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(poolconfig.Template())
	f.Add([]byte("pools:\n- id: local_A1\n  clients: &a\n  - id: x\n    name: *a\n"))
	f.Add([]byte("pools: [{id: local_A1, users: [{username: a, sub: '1'}]}]"))
	f.Add([]byte("a\n...\n---\n!!x &a *a\n? b\n: |\n c\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := loader(nil).Parse("c.yaml", text)
		if (file == nil) == (err == nil) {
			t.Fatalf("got %v and %v", file, err)
		}
		for _, p := range pools(file) {
			err := userpool.CheckSettings(p.Settings)
			if err != nil {
				t.Errorf("settings that break a rule were taken: %v", err)
			}
		}
	})
}

func pools(f *poolconfig.File) []poolconfig.Pool {
	if f == nil {
		return nil
	}
	return f.Pools
}
