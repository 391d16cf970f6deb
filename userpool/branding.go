package userpool

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/cognate-auth/cognate/userpool/internal/palette"
)

const (
	maxLogo = 100 << 10
	maxCSS  = 64 << 10
)

var colour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// LogoType returns the media type of a logo: image/png, image/jpeg or
// image/svg+xml; empty: it is of another type.
func LogoType(logo []byte) string {
	switch {
	case bytes.HasPrefix(logo, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png"
	case bytes.HasPrefix(logo, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.Contains(logo[:min(len(logo), 1024)], []byte("<svg")):
		return "image/svg+xml"
	default:
		return ""
	}
}

func checkBranding(c Client) error {
	b := c.Branding
	if len(b.Logo) > maxLogo || len(b.Logo) > 0 && LogoType(b.Logo) == "" {
		return InvalidParameter("a logo is a PNG, JPEG or SVG image of at most 100 KB")
	}
	for _, c := range []string{b.Primary, b.Background, b.DarkPrimary, b.DarkBackground} {
		if c != "" && !colour.MatchString(c) {
			return InvalidParameter("a colour of the branding has the form #0a6cff")
		}
	}
	// What would end the style element ends the page's own policy too.
	if len(b.CSS) > maxCSS || strings.Contains(b.CSS, "<") {
		return InvalidParameter("the CSS of the branding has at most 64 KB and no <")
	}
	return nil
}

// HardToRead says of each colour of the brand that can't be read as text on the pages
// (WCAG 2.2, success criterion 1.4.3) what its contrast is, and what the pages use in its
// place. It is no error: a brand may insist, and its buttons have the colour all the same.
func (b Branding) HardToRead() (notes []string) {
	for _, c := range []struct{ name, colour, link, card, theme string }{
		{"primary", b.Primary, palette.Light(b.Primary, "").Link, palette.LightCard, "light"},
		{"dark_primary", b.DarkPrimary, palette.Dark(b.DarkPrimary, "", "").Link, palette.DarkCard, "dark"},
	} {
		if c.colour != "" && c.link != c.colour {
			notes = append(notes, fmt.Sprintf("branding.%s %s has a contrast of %.1f to 1 on the %s pages' %s, and "+
				"text needs 4.5: buttons have it, and links have %s", c.name, c.colour,
				palette.Contrast(c.colour, c.card), c.theme, c.card, c.link))
		}
	}
	return notes
}
