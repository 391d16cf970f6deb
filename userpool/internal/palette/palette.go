// Package palette makes the colours of the sign-in pages of those that a brand names, so
// that people can read what is written with them, and on them (WCAG 2.2, success criteria
// 1.4.3 and 1.4.11). A colour is text such as #0a6cff.
//
// It imports the standard library alone.
package palette

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Readable is the contrast that text needs at least (WCAG 2.2, success criterion 1.4.3).
const Readable = 4.5

// Colours of the pages themselves, in the two themes: as in the style sheet of package
// hosted, which a test compares.
const (
	LightCard = "#ffffff" // behind links and focus rings
	DarkCard  = "#171a26" // likewise
	LightSoft = "#5a6072" // the quiet text below the card
	DarkSoft  = "#a3aac0" // likewise
)

// A Theme is what a brand changes of the light or the dark pages. Empty: nothing.
type Theme struct {
	Accent   string // of buttons
	Hover    string // of buttons below a pointer
	OnAccent string // of the text on both
	Link     string // of links, focus rings and the rim of a field that has the focus
	Page     string // behind the card
	OnPage   string // of the text there
}

// Light returns the light theme of a brand with these colours, of which each may be
// empty. A link has the colour of the buttons, or one near it that can be read.
func Light(primary, background string) Theme {
	return theme(primary, background, LightCard, LightSoft)
}

// Dark returns the dark theme. Where a brand has a colour for the buttons of the light
// theme alone, the dark one has that colour too, as far as it can be read on dark: what
// was chosen for white paper often can't. A light background says nothing about a dark one.
func Dark(primary, background, lightPrimary string) Theme {
	if primary == "" && lightPrimary != "" {
		primary = Near(lightPrimary, DarkCard)
	}
	return theme(primary, background, DarkCard, DarkSoft)
}

func theme(primary, background, card, soft string) (t Theme) {
	if primary != "" {
		t.Accent, t.OnAccent, t.Link = primary, blackOrWhite(primary), Near(primary, card)
		away := white // from the text, so that it stays readable
		if t.OnAccent == white {
			away = black
		}
		t.Hover = mix(primary, away, 15)
	}
	if background != "" {
		t.Page, t.OnPage = background, Near(soft, background)
	}
	return t
}

const black, white = "#000000", "#ffffff"

// Near returns the colour if it can be read on the other one, or else the nearest
// to it that can, on the way to black or white.
func Near(colour, on string) string {
	end := blackOrWhite(on)
	for percent := 0; percent < 100; percent++ {
		c := mix(colour, end, percent)
		if Contrast(c, on) >= Readable {
			return c
		}
	}
	return end
}

// blackOrWhite returns the one that can be read better on a colour. It has a contrast of
// 4.58 at least.
func blackOrWhite(on string) string {
	if Contrast(black, on) >= Contrast(white, on) {
		return black
	}
	return white
}

// Contrast returns the contrast ratio of two colours, from 1 to 21 (WCAG 2.2, "contrast
// ratio").
func Contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// luminance is how light a colour is, from 0 to 1 (WCAG 2.2, "relative luminance").
func luminance(colour string) float64 {
	var linear [3]float64
	for i, c := range channels(colour) {
		v := float64(c) / 255
		linear[i] = v / 12.92
		if v > 0.04045 {
			linear[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*linear[0] + 0.7152*linear[1] + 0.0722*linear[2]
}

// mix moves a colour by so many percent of the way to another one.
func mix(from, to string, percent int) string {
	a, b := channels(from), channels(to)
	for i := range a {
		a[i] += (b[i] - a[i]) * percent / 100
	}
	return fmt.Sprintf("#%02x%02x%02x", a[0], a[1], a[2])
}

// channels are red, green and blue, from 0 to 255. What is no colour is black: package
// userpool lets in nothing else.
func channels(colour string) [3]int {
	rgb, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 24)
	if err != nil {
		return [3]int{}
	}
	return [3]int{int(rgb >> 16), int(rgb >> 8 & 0xff), int(rgb & 0xff)}
}
