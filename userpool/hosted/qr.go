package hosted

import (
	"fmt"
	"html/template"
	"strings"

	"rsc.io/qr"
)

// qrQuiet is the empty rim that scanners need (ISO/IEC 18004: four modules).
const qrQuiet = 4

// qrSVG draws a text as a QR code: dark modules on white, also on a dark page,
// which scanners want. title is what a screen reader says.
func qrSVG(text, title string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("hosted: drawing a QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+qrQuiet, y+qrQuiet, x-from, x-from)
			}
		}
	}
	size := code.Size + 2*qrQuiet
	title = template.HTMLEscapeString(title)
	//nolint:gosec // numbers, and a title that is escaped
	return template.HTML(fmt.Sprintf(
		`<svg class="qr" role="img" aria-label="%s" viewBox="0 0 %d %d" width="%d" height="%d"`+
			` shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="%s"/></svg>`,
		title, size, size, 4*size, 4*size, size, size, path.String())), nil
}

// groups puts a space after every four characters, which are easier to copy by
// eye then.
func groups(s string) string {
	var out strings.Builder
	for i, r := range s {
		if i > 0 && i%4 == 0 {
			out.WriteByte(' ')
		}
		out.WriteRune(r)
	}
	return out.String()
}
