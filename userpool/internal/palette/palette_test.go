package palette_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cognate-auth/cognate/userpool/internal/palette"
)

// TestContrast compares with ratios that WCAG's own documents name.
func TestContrast(t *testing.T) {
	for pair, want := range map[[2]string]string{
		{"#000000", "#ffffff"}: "21.00",
		{"#777777", "#ffffff"}: "4.48",
		{"#767676", "#FFFFFF"}: "4.54",
		{"#0a6cff", "#0a6cff"}: "1.00",
	} {
		for _, p := range [][2]string{pair, {pair[1], pair[0]}} {
			if got := fmt.Sprintf("%.2f", palette.Contrast(p[0], p[1])); got != want {
				t.Errorf("the contrast of %s and %s is %s, want %s", p[0], p[1], got, want)
			}
		}
	}
}

// TestEveryBrandCanBeRead makes themes of colours of all kinds.
func TestEveryBrandCanBeRead(t *testing.T) {
	colours := []string{"", "#000000", "#ffffff", "#808080", "#757575", "#ffd400", "#0a6cff", "#1e3a8a", "#ff0000"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		colours = append(colours, fmt.Sprintf("#%06x", random.IntN(1<<24)))
	}
	for _, primary := range colours {
		for _, background := range colours {
			for card, themes := range map[string][]palette.Theme{
				palette.LightCard: {palette.Light(primary, background)},
				palette.DarkCard:  {palette.Dark(primary, background, ""), palette.Dark("", background, primary)},
			} {
				for _, theme := range themes {
					checkTheme(t, primary+" "+background, theme, card)
				}
			}
		}
	}
}

func checkTheme(t *testing.T, brand string, theme palette.Theme, card string) {
	t.Helper()
	for _, pair := range []struct{ what, a, b string }{
		{"text on a button", theme.OnAccent, theme.Accent},
		{"text on a button below a pointer", theme.OnAccent, theme.Hover},
		{"a link", theme.Link, card},
		{"the text on the page", theme.OnPage, theme.Page},
	} {
		if pair.a == "" && (pair.b == "" || pair.b == card) {
			continue // the brand does not name it
		}
		if got := palette.Contrast(pair.a, pair.b); got < palette.Readable {
			t.Errorf("%s: %s has a contrast of %.2f: %+v", brand, pair.what, got, theme)
		}
	}
}

// TestBrandStays keeps the brand's colours as they are where they can be read.
func TestBrandStays(t *testing.T) {
	light := palette.Light("#1e3a8a", "#f0f4ff")
	if light.Accent != "#1e3a8a" || light.Link != "#1e3a8a" || light.Page != "#f0f4ff" ||
		light.OnPage != palette.LightSoft {
		t.Errorf("Light changed colours that can be read: %+v", light)
	}
	yellow := palette.Light("#ffd400", "")
	if yellow.Accent != "#ffd400" || yellow.OnAccent != "#000000" || yellow.Link == "#ffd400" || yellow.Page != "" {
		t.Errorf("a yellow button is %+v, want it yellow with black text, and another colour for links", yellow)
	}
	dark := palette.Dark("", "", "#1e3a8a")
	if dark.Accent == "#1e3a8a" || dark.Accent != dark.Link || dark.Page != "" {
		t.Errorf("the dark theme of a dark blue is %+v, want a lighter blue, and our own background", dark)
	}
	if own := palette.Dark("#1e3a8a", "", "#ff0000"); own.Accent != "#1e3a8a" {
		t.Errorf("the dark theme is %+v, want the button as the brand insists on it", own)
	}
}
