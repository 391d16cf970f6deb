package oidc_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/internal/oidc"
)

const oddClaims = `{"s":"a","esc":"\u0061b","n":7,"z":null,"l":["a","b"],"one":["a b"],"w":" a  b\tc ","m":[1],
	"t":true,"ts":"true","f":false,"fs":"TRUE",
	"d":1767323045.9,"dz":null,"ds":"1767323045","dn":-1,"dx":1e300,"dq":1767323045}`

func readClaims(t *testing.T, text string) oidc.Claims {
	t.Helper()
	var c oidc.Claims
	err := json.Unmarshal([]byte(text), &c)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestClaims reads claims of the types that they have to have, and of others.
func TestClaims(t *testing.T) {
	c := readClaims(t, oddClaims)
	for name, want := range map[string]string{"s": "a", "esc": "ab", "z": "", "absent": "", "n": "!", "l": "!",
		"t": "!"} {
		got, err := c.String(name)
		if err != nil {
			got = "!"
		}
		if got != want || want == "!" && c.Text(name) != "" || want != "!" && c.Text(name) != want {
			t.Errorf("%s: %q and %q, want %q", name, got, c.Text(name), want)
		}
	}
	for name, want := range map[string][]string{
		"s": {"a"}, "l": {"a", "b"}, "one": {"a b"}, "z": nil, "absent": nil, "n": {"!"}, "m": {"!"},
	} {
		got, err := c.Strings(name)
		if err != nil {
			got = []string{"!"}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: strings %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string][]string{"s": {"a"}, "l": {"a", "b"}, "one": {"a", "b"}, "w": {"a", "b\tc"}} {
		got, err := c.Words(name)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: words %q, %v, want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]bool{"t": true, "ts": true, "f": false, "fs": false, "n": false,
		"absent": false} {
		if c.Truth(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestClaimDates(t *testing.T) {
	c := readClaims(t, oddClaims)
	at := time.Unix(1767323045, 0)
	for name, want := range map[string]struct {
		at      time.Time
		ok, bad bool
	}{
		"d": {at, true, false}, "dq": {at, true, false}, "absent": {time.Time{}, false, false},
		"dz": {bad: true}, "ds": {bad: true}, "dn": {bad: true}, "dx": {bad: true},
	} {
		got, ok, err := c.Date(name)
		if !got.Equal(want.at) || ok != want.ok || (err != nil) != want.bad {
			t.Errorf("%s: %v, %v, %v", name, got, ok, err)
		}
	}
}
