package hosted

import (
	"crypto/sha256"
	_ "embed" // for the style sheet
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/palette"
)

//go:embed style.css
var styleCSS string

// brand is how the pages look for one client.
type brand struct {
	Logo    template.URL // a data: URL; empty: our own mark
	LogoAlt string

	style template.CSS
	// styleSource allows the one style sheet by its hash, so that no other
	// style can be brought into a page.
	styleSource string
}

var ownBrand = newBrand(userpool.Branding{})

// brand returns the client's, or our own.
func (h *Handler) brand(b userpool.Branding) brand {
	if b.CSS == "" && b.Primary+b.Background+b.DarkPrimary+b.DarkBackground == "" && len(b.Logo) == 0 {
		return ownBrand
	}
	return newBrand(b)
}

func newBrand(b userpool.Branding) brand {
	css := styleCSS + themeCSS(b) + b.CSS
	sum := sha256.Sum256([]byte(css))
	out := brand{
		LogoAlt:     b.LogoAlt,
		style:       template.CSS(css), //nolint:gosec // ours and the administrator's, checked by userpool
		styleSource: "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
	}
	if len(b.Logo) > 0 {
		kind := userpool.LogoType(b.Logo)
		//nolint:gosec // an image of a known type, in base64
		out.Logo = template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(b.Logo))
	}
	return out
}

// themeCSS sets the client's colours in the theme that they are for, and in no other.
func themeCSS(b userpool.Branding) string {
	return themeRules("not all and ", palette.Light(b.Primary, b.Background)) +
		themeRules("", palette.Dark(b.DarkPrimary, b.DarkBackground, b.Primary))
}

func themeRules(not string, t palette.Theme) string {
	var rules strings.Builder
	if t.Accent != "" {
		rules.WriteString("--accent:" + t.Accent + ";--accent-strong:" + t.Hover + ";--on-accent:" + t.OnAccent +
			";--link:" + t.Link + ";--ring:" + t.Link + "33;--mark-a:" + t.Accent + ";")
	}
	if t.Page != "" {
		rules.WriteString("--page:" + t.Page + ";--glow:" + t.Page + ";--on-page:" + t.OnPage + ";")
	}
	if rules.Len() == 0 {
		return ""
	}
	return "@media " + not + "(prefers-color-scheme: dark){:root{" + rules.String() + "}}"
}

// policy is the Content-Security-Policy of a page. form-action is left open where
// there are forms: browsers hold every redirect that follows a form to it (CSP
// level 3, form-action), and where the app's callback sends people on to, such as
// a front end of another origin, nobody knows here.
func (b brand) policy(forms bool, more ...string) string {
	policy := "default-src 'none'; style-src " + b.styleSource
	if !forms {
		policy += "; form-action 'none'"
	}
	policy += "; base-uri 'none'; frame-ancestors 'none'"
	if b.Logo != "" {
		policy += "; img-src data:"
	}
	for _, m := range more {
		policy += "; " + m
	}
	return policy
}

// own is the view of a page that belongs to no client.
func (h *Handler) own(w http.ResponseWriter, r *http.Request, title string) view {
	l := chooseLocale(w, r, h.secure())
	return view{locale: l, Style: ownBrand.style, Brand: ownBrand, Title: l.T(title), policy: ownBrand.policy(false)}
}
