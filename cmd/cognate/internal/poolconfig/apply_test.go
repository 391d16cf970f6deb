package poolconfig_test

import (
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// pair is generated once, because that takes long.
var pair = func() *keys.Pair {
	k, err := keys.Generate()
	if err != nil {
		panic(err)
	}
	return k
}()

// start starts the program with this file, on a store that is used again.
func start(t *testing.T, s store.Store, text string) (*pool.Pool, string, error) {
	t.Helper()
	f, err := loader(nil).Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p := f.Pools[0]
	up, err := pool.New(t.Context(), pool.Config{
		ID: p.ID, Issuer: "http://localhost/", Store: s, Settings: p.Settings, Keys: pair,
		Hashing: userpool.HashCost{MemoryKiB: 8, Passes: 1, Lanes: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	changes, err := poolconfig.Apply(t.Context(), s, up, p)
	return up, changes.String(), err
}

const applied = `pools:
  - id: local_A1
    clients:
      - id: one
      - id: two
    users:
      - username: ann
        password: Correct-Horse-7
        groups: [admins]
      - username: bob
        password: Battery-Staple-7
`

// TestApply starts several times on one store, with changes of the file in between.
func TestApply(t *testing.T) {
	s := memstore.New()
	p, did, err := start(t, s, applied)
	if err != nil || did != "2 clients added, 2 users added" {
		t.Fatalf("first: %s, %v", did, err)
	}
	_, err = p.Clients.Create(t.Context(), userpool.Client{ID: "by_hand"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"unchanged", "", "", "nothing"},
		{"a client", "id: two", "id: three", "1 client added, 1 client removed"},
		{"back", "", "", "1 client added, 1 client removed"},
		{"a client's name", "id: two", "id: two\n        name: Two", "1 client changed"},
		{"back", "", "", "1 client changed"},
		{"a group", "[admins]", "[admins, staff]", "1 user changed"},
		{"a password", "Battery-Staple-7", "Battery-Staple-8", "2 users changed"}, // and ann's group
		{"a user less", "      - username: bob\n        password: Battery-Staple-7\n", "", "nothing"},
	} {
		text := applied
		if tt.old != "" {
			text = strings.Replace(applied, tt.old, tt.new, 1)
		}
		p, did, err = start(t, s, text)
		if err != nil || did != tt.want {
			t.Errorf("%s: %s (%v), want %s", tt.name, did, err, tt.want)
		}
	}
	for _, id := range []string{"one", "two", "by_hand"} {
		_, ok, err := p.Clients.Get(t.Context(), id)
		if err != nil || !ok {
			t.Errorf("the client %s is gone (%v)", id, err)
		}
	}
	_, ok, err := p.Users.Find(t.Context(), "bob")
	if err != nil || !ok {
		t.Errorf("bob is gone (%v)", err)
	}
}

// TestApplySignInNames refuses a change after which users could not be found.
func TestApplySignInNames(t *testing.T) {
	s := memstore.New()
	_, _, err := start(t, s, "pools:\n- id: local_A1\n  alias_attributes: [email]\n")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = start(t, s, "pools:\n- id: local_A1\n  username_attributes: [email]\n")
	const want = "found by username_attributes [], alias_attributes [email]; that cannot change"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v", err)
	}
}

// TestApplyCollision checks that a user who can't be stored is named, and that the
// others are stored.
func TestApplyCollision(t *testing.T) {
	s := memstore.New()
	const text = `pools:
  - id: local_A1
    alias_attributes: [email]
    users:
      - {username: ann, password: x, attributes: {email: a@example.com, email_verified: true}}
      - {username: bob, password: x, attributes: {email: a@example.com, email_verified: true}}
      - {username: carl, password: x}
`
	p, did, err := start(t, s, text)
	want := "the user bob can't be stored: the user name, the sub or an address is another user's"
	if err == nil || err.Error() != want || did != "2 users added" {
		t.Errorf("%s, %v; want %s", did, err, want)
	}
	_, ok, err := p.Users.Find(t.Context(), "carl")
	if err != nil || !ok {
		t.Errorf("carl is not there (%v)", err)
	}
}

// TestNoSecretInLedger searches for passwords in the last-applied records.
func TestNoSecretInLedger(t *testing.T) {
	s := memstore.New()
	_, _, err := start(t, s, applied)
	if err != nil {
		t.Fatal(err)
	}
	records, err := s.List(t.Context(), "local_A1", "config", store.Query{Limit: 100})
	if err != nil || len(records) != 5 {
		t.Fatalf("%d records (%v), want those of two clients, two users and the sign-in names", len(records), err)
	}
	for _, r := range records {
		if strings.Contains(string(r.Body), "Horse") || strings.Contains(r.ID, "ann") {
			t.Errorf("the record %s holds %s", r.ID, r.Body)
		}
	}
}
