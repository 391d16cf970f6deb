package cognate_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// TestTokenCookies tampers with the cookies that hold the tokens: whatever is not whole is
// nobody's token, and leads to a new sign-in.
func TestTokenCookies(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(cs, foreign []*http.Cookie) []*http.Cookie
		status string
	}{
		{"out of order", func(cs, _ []*http.Cookie) []*http.Cookie { slices.Reverse(cs); return cs }, "200"},
		{"changed", func(cs, _ []*http.Cookie) []*http.Cookie { cs[2].Value = flipAt(cs[2].Value, 100); return cs }, "302"},
		{"cut", func(cs, _ []*http.Cookie) []*http.Cookie { cs[2].Value = cs[2].Value[:1000]; return cs }, "302"},
		{"missing", func(cs, _ []*http.Cookie) []*http.Cookie { return slices.Delete(cs, 2, 3) }, "302"},
		{"first missing", func(cs, _ []*http.Cookie) []*http.Cookie { return slices.Delete(cs, 1, 2) }, "302"},
		{"swapped", func(cs, _ []*http.Cookie) []*http.Cookie {
			cs[2].Value, cs[3].Value = cs[3].Value, cs[2].Value
			return cs
		}, "302"},
		{"twice", func(cs, _ []*http.Cookie) []*http.Cookie { return append(cs, cs[2]) }, "302"},
		{"first twice", func(cs, _ []*http.Cookie) []*http.Cookie { return append(cs, cs[1]) }, "302"},
		{"fewer", func(cs, _ []*http.Cookie) []*http.Cookie { cs[1].Value = "2" + cs[1].Value[1:]; return cs }, "302"},
		{"more", func(cs, _ []*http.Cookie) []*http.Cookie { cs[1].Value = "5" + cs[1].Value[1:]; return cs }, "302"},
		{"more than allowed", func(cs, _ []*http.Cookie) []*http.Cookie { cs[1].Value = "9" + cs[1].Value[1:]; return cs }, "302"},
		{"oversized", func(cs, _ []*http.Cookie) []*http.Cookie { cs[2].Value = strings.Repeat("A", 1<<20); return cs }, "302"},
		{"of another session", func(cs, foreign []*http.Cookie) []*http.Cookie { return append(cs[:1], foreign[1:]...) }, "302"},
		{"as the identity", func(cs, _ []*http.Cookie) []*http.Cookie { cs[0].Value = cs[2].Value; return cs }, "302"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, c := fakeprovider.New(t), fakeprovider.NewClock()
			p.Now = c.Now
			p.EditTokenResponse = func(r map[string]any) { r["refresh_token"] = strings.Repeat("r", 9000) }
			x := newApp(t, p, tokenModes["cookies"])
			cookies := func() []*http.Cookie {
				b := x.browser(t)
				b.signIn(p)
				list := b.sessionCookies()
				slices.SortFunc(list, func(a, b *http.Cookie) int { return strings.Compare(a.Name, b.Name) })
				if len(list) != 5 { // the identity, and 9 KB of tokens
					t.Fatalf("%d cookies: %v", len(list), b.cookies())
				}
				return list
			}
			mine, foreign := cookies(), cookies()
			c.Advance(time.Minute)
			if got := fetchWith(t, x.handler, "/token", tt.change(mine, foreign)); got[:3] != tt.status {
				t.Errorf("status %s, want %s", got[:3], tt.status)
			}
		})
	}
}

// TestLostTokens ends in a page, and not in sign-ins without end.
func TestLostTokens(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, tokenModes["cookies"])
	b := x.browser(t)
	b.signIn(p)
	got := fetchWith(t, x.handler, "/token", []*http.Cookie{sessionCookie(t, b)})
	if !strings.HasPrefix(got, "500") {
		t.Errorf("got %.100s", got)
	}
	c := fakeprovider.NewClock()
	p.Now, p.AccessLife = c.Now, 1
	p.EditTokenResponse = func(r map[string]any) { delete(r, "refresh_token") }
	b = newApp(t, p, tokenModes["store"]).browser(t)
	b.signIn(p)
	c.Advance(2 * time.Second)
	wantFetch(t, b, "/token", http.StatusInternalServerError, "")
}

// TestLargeTokens drops what has no room, and says so: the raw ID token first.
func TestLargeTokens(t *testing.T) {
	for _, tt := range []struct {
		name         string
		access, id   int
		log          string
		hasToken     bool
		inCookieOnly bool
	}{
		{"12 KB", 4500, 4500, "", true, false},
		{"no room for the ID token", 9000, 12_000, "the raw ID token was left out", true, true},
		{"no room for the tokens", 18_000, 100, "the tokens were left out", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.EditTokenResponse = func(r map[string]any) { r["access_token"] = strings.Repeat("a", tt.access) }
			p.EditClaims = func(c map[string]any) {
				c["pad"] = strings.Repeat("i", tt.id)
				delete(c, "at_hash")
			}
			x := newApp(t, p, tokenModes["cookies"])
			b := x.browser(t)
			b.signIn(p)
			status, text := b.fetch("/token")
			if (status == http.StatusOK) != tt.hasToken || tt.hasToken && len(text) != tt.access {
				t.Errorf("status %d, %d bytes", status, len(text))
			}
			if tt.log != "" && !strings.Contains(x.log.String(), tt.log) || tt.log == "" && strings.Contains(x.log.String(), "left out") {
				t.Errorf("log: %s", x.log)
			}
			if !b.signedIn() {
				t.Error("not signed in")
			}
			store := newApp(t, p, tokenModes["store"])
			b = store.browser(t)
			b.signIn(p)
			if status, text := b.fetch("/token"); status != http.StatusOK || len(text) != tt.access {
				t.Errorf("in a store: status %d, %d bytes", status, len(text))
			}
		})
	}
}

// TestShrinkingTokens removes the chunks that an earlier sign-in left.
func TestShrinkingTokens(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditTokenResponse = func(r map[string]any) { r["refresh_token"] = strings.Repeat("r", 9000) }
	b := newApp(t, p, tokenModes["cookies"]).browser(t)
	b.signIn(p)
	large := len(b.sessionCookies())
	p.EditTokenResponse = nil
	b.get("/oidc_callback?" + p.SignIn(t, loginAgain(b).Header.Get("Location")).Encode())
	if got := len(b.sessionCookies()); large != 5 || got != 2 {
		t.Errorf("%d cookies, then %d: %v; want 5, then 2", large, got, b.cookies())
	}
	wantFetch(t, b, "/token", http.StatusOK, "access-token")
}
