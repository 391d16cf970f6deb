package cookie_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/internal/cookie"
)

// setBy is what set gives a browser that sent the header: the lines of Set-Cookie.
func setBy(t *testing.T, header string, set func(w http.ResponseWriter, r *http.Request)) []string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Cookie", header)
	w := httptest.NewRecorder()
	set(w, r)
	return w.Header()["Set-Cookie"]
}

func TestAttributes(t *testing.T) {
	for _, tt := range []struct {
		secure    bool
		set, gone string
	}{
		{
			true,
			"__Host-n=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
			"__Host-n=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		},
		{false, "n=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax", "n=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
	} {
		c := cookie.NewSpec("n", tt.secure)
		got := setBy(t, "", func(w http.ResponseWriter, _ *http.Request) {
			c.Set(w, c.Name, "v", time.Minute)
			c.Remove(w, c.Name)
		})
		if want := []string{tt.set, tt.gone}; !slices.Equal(got, want) || c.Secure() != tt.secure {
			t.Errorf("secure %v: got %q, want %q", c.Secure(), got, want)
		}
	}
}

// TestFind reads what browsers send, and takes other white space than theirs for a part of
// the name.
func TestFind(t *testing.T) {
	h := http.Header{"Cookie": {"a=1; n=2;n=3 ; \u00a0n=4", "n=5; nn=6; n; an=7"}}
	if value, count := cookie.Find(h, "n"); value != "5" || count != 3 {
		t.Errorf("found %q and %d, want 5 and 3", value, count)
	}
	var seen []string
	cookie.Each(h, func(name, value string) bool {
		seen = append(seen, name+"="+value)
		return name != "nn"
	})
	if want := []string{"a=1", "n=2", "n=3", "\u00a0n=4", "n=5", "nn=6"}; !slices.Equal(seen, want) {
		t.Errorf("visited %q, want %q", seen, want)
	}
}

func TestChunks(t *testing.T) {
	c := cookie.NewSpec("n", false)
	for _, tt := range []struct{ size, cookies int }{
		{1, 1}, {cookie.ChunkSize, 1}, {cookie.ChunkSize + 1, 2},
		{3 * cookie.ChunkSize, 3}, {3*cookie.ChunkSize + 1, 0},
	} {
		value := strings.Repeat("v", tt.size)
		ok := false
		const before = "n=4.old; n.1=old; n.2=old; n.3=old; n.9=others"
		lines := setBy(t, before, func(w http.ResponseWriter, r *http.Request) {
			ok = c.SetChunks(w, r, "n", value, 3, time.Minute)
		})
		if ok != (tt.cookies > 0) {
			t.Fatalf("%d bytes: set %v", tt.size, ok)
		}
		if !ok {
			if len(lines) != 0 {
				t.Errorf("%d bytes, which are too many: set %q", tt.size, lines)
			}
			continue
		}
		h, removed := http.Header{}, 0
		for _, line := range lines {
			pair, _, _ := strings.Cut(line, ";")
			if strings.Contains(line, "Max-Age=0") {
				removed++
				continue
			}
			h.Add("Cookie", pair)
		}
		if len(h["Cookie"]) != tt.cookies || removed != 4-tt.cookies {
			t.Errorf("%d bytes: %d cookies set and %d removed, want %d and %d",
				tt.size, len(h["Cookie"]), removed, tt.cookies, 4-tt.cookies)
		}
		if got, count := cookie.ReadChunks(h, "n", 3); got != value || count != 1 {
			t.Errorf("%d bytes: read %d and count %d", tt.size, len(got), count)
		}
	}
}

func TestCountChunks(t *testing.T) {
	for header, want := range map[string]struct {
		most  int
		whole bool
	}{
		"":                           {0, false},
		"n=a":                        {1, true},
		"n=2.a; n.1=b":               {1, true},
		"n=2.a":                      {1, false},
		"n=2.a; n.1=b; n.1=c":        {2, false},
		"n=a; n=b":                   {2, true},
		"n=4.a; n.1=b; n.2=c; n.3=d": {1, false},
	} {
		most, whole := cookie.CountChunks(http.Header{"Cookie": {header}}, "n", 3)
		if most != want.most || whole != want.whole {
			t.Errorf("%q: %d and %v, want %d and %v", header, most, whole, want.most, want.whole)
		}
	}
}

func TestTakeBack(t *testing.T) {
	h := http.Header{"Set-Cookie": {"n=v; Path=/", "n.1=v", "n.x=v", "nn=v", "m=v", "n=; Max-Age=0"}}
	cookie.TakeBack(h, "n", "m")
	if want := []string{"n.x=v", "nn=v", "n=; Max-Age=0"}; !slices.Equal(h["Set-Cookie"], want) {
		t.Errorf("left %q, want %q", h["Set-Cookie"], want)
	}
	h = http.Header{"Set-Cookie": {"n=v"}}
	cookie.TakeBack(h, "n")
	if len(h) != 0 {
		t.Errorf("left %v, want nothing", h)
	}
}

func FuzzReadChunks(f *testing.F) {
	f.Add("n=2.a; n.1=b")
	f.Add("n=9.a; n.1=b; n.1=c; n=x")
	f.Fuzz(func(t *testing.T, header string) {
		value, _ := cookie.ReadChunks(http.Header{"Cookie": {header}}, "n", cookie.MaxChunks)
		if len(value) > len(header) {
			t.Fatalf("%q became %q", header, value)
		}
	})
}
