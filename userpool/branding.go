package userpool

import (
	"bytes"
	"regexp"
	"strings"
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
