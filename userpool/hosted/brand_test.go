package hosted_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/palette"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

var (
	styleSheet = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	// themeRules are the blocks of variables: those of one theme, or of both.
	themeRules = regexp.MustCompile(
		`(?s)(@media (not all and )?\(prefers-color-scheme: dark\)\s*\{\s*)?:root\s*\{(.*?)\}`)
	variable = regexp.MustCompile(`--([a-z-]+):\s*(#[0-9a-f]+|var\(--([a-z-]+)\))`)
)

// colours are the variables of a page in one theme.
func colours(t *testing.T, page string, dark bool) map[string]string {
	t.Helper()
	sheet := styleSheet.FindStringSubmatch(page)
	if sheet == nil {
		t.Fatalf("the page has no style sheet:\n%s", page)
	}
	raw := map[string]string{}
	for _, block := range themeRules.FindAllStringSubmatch(sheet[1], -1) {
		both, light := block[1] == "", block[2] != ""
		if !both && light == dark {
			continue
		}
		for _, v := range variable.FindAllStringSubmatch(block[3], -1) {
			raw[v[1]] = v[2]
		}
	}
	for name, value := range raw {
		if v := variable.FindStringSubmatch("--x:" + value); v[3] != "" {
			raw[name] = raw[v[3]]
		}
	}
	return raw
}

// TestBrandCanBeRead reads the colours that a browser is sent, for brands of all kinds, and
// computes the contrast of all that is written with them.
func TestBrandCanBeRead(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	random := rand.New(rand.NewPCG(3, 4))
	brands := []userpool.Branding{
		{}, {Primary: "#1e3a8a"}, {Primary: "#ffd400", Background: "#102030"}, {Background: "#ffffff"},
		{DarkPrimary: "#1e3a8a", DarkBackground: "#ffffff"},
	}
	for range 30 {
		colour := func() string {
			if random.IntN(4) == 0 {
				return ""
			}
			return fmt.Sprintf("#%06x", random.IntN(1<<24))
		}
		brands = append(brands, userpool.Branding{
			Primary: colour(), Background: colour(), DarkPrimary: colour(), DarkBackground: colour(),
		})
	}
	for i, brand := range brands {
		id := fmt.Sprintf("brand%d", i)
		e.AddClient(t, userpool.Client{ID: id, CallbackURLs: []string{pooltest.Callback}, Branding: brand})
		page := e.Get(t, "/login", pooltest.Query("client_id", id), nil).Body
		for _, dark := range []bool{false, true} {
			c := colours(t, page, dark)
			for _, pair := range [][2]string{
				{"on-accent", "accent"}, {"on-accent", "accent-strong"}, {"link", "card"}, {"link", "field"},
				{"on-page", "page"}, {"text", "card"}, {"soft", "card"}, {"text", "inset"}, {"bad", "bad-page"},
			} {
				got := palette.Contrast(c[pair[0]], c[pair[1]])
				if c[pair[0]] == "" || c[pair[1]] == "" || got < palette.Readable {
					t.Errorf("%+v, dark %v: %s %s on %s %s has a contrast of %.2f, want 4.5", brand, dark,
						pair[0], c[pair[0]], pair[1], c[pair[1]], got)
				}
			}
		}
	}
}

// TestBrandStaysInItsTheme gives a light brand to a browser that wants dark pages.
func TestBrandStaysInItsTheme(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	e.AddClient(t, userpool.Client{
		ID: "brand", CallbackURLs: []string{pooltest.Callback},
		Branding: userpool.Branding{Primary: "#1e3a8a", Background: "#f0f4ff"},
	})
	branded := e.Get(t, "/login", pooltest.Query("client_id", "brand"), nil).Body
	own := e.Get(t, "/login", pooltest.Query(), nil).Body
	light, dark, ours := colours(t, branded, false), colours(t, branded, true), colours(t, own, true)
	if light["accent"] != "#1e3a8a" || light["page"] != "#f0f4ff" {
		t.Errorf("the light page has the button %s on %s, want the brand's", light["accent"], light["page"])
	}
	if dark["page"] != ours["page"] || dark["on-page"] != ours["on-page"] {
		t.Errorf("the dark page is %s, want our own %s: nobody chose one", dark["page"], ours["page"])
	}
	if dark["accent"] == "#1e3a8a" || dark["accent"] == ours["accent"] {
		t.Errorf("the dark button is %s, want the brand's blue, lighter", dark["accent"])
	}
}

// TestCardOfPalette compares the colours that palette knows with those of the style sheet.
func TestCardOfPalette(t *testing.T) {
	t.Parallel()
	page := pooltest.New(t).Get(t, "/login", pooltest.Query(), nil).Body
	light, dark := colours(t, page, false), colours(t, page, true)
	got := strings.Join([]string{light["card"], dark["card"], light["soft"], dark["soft"]}, " ")
	want := strings.Join([]string{
		palette.LightCard, palette.DarkCard, palette.LightSoft, palette.DarkSoft,
	}, " ")
	if got != want {
		t.Errorf("the style sheet has card and soft text %s, and palette %s", got, want)
	}
}
