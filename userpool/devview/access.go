package devview

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
)

// tokenParam is the query parameter that carries the token to a browser.
const tokenParam = "token"

// NewToken returns a random token, short enough for the line of a terminal that
// shows the view's address. It has 110 bits.
func NewToken() userpool.Secret { return userpool.Secret(rand.Text()[:22]) }

// tokenForm is what needs no encoding in a URL, a cookie or a header (RFC 3986
// section 2.3, RFC 6265 section 4.1.1, RFC 6750 section 2.1).
var tokenForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{16,128}$`)

// CheckToken reports why a token of one's own can't be used, or nil. It must have
// 16 to 128 letters, digits, dots, hyphens, underscores or tildes, and be hard to
// guess.
func CheckToken(token userpool.Secret) error {
	if !tokenForm.MatchString(string(token)) {
		return errors.New("the token of the developer's view must have 16 to 128 letters, digits or any of -._~")
	}
	return nil
}

// Address is where a browser opens the view of the pool at baseURL for the first
// time: with the token, which it keeps in a cookie from then on. An empty token
// is left out.
func Address(baseURL string, token userpool.Secret) string {
	if token == "" {
		return baseURL + root
	}
	return baseURL + root + "?" + tokenParam + "=" + url.QueryEscape(string(token))
}

// fromOtherSite applies Fetch Metadata. A link from elsewhere may lead to a
// page of the view; nothing else may be asked for by a page that is not its
// own, and the JSON not even so. Programs send no such headers.
func fromOtherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	page := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	return !page || forPrograms(r)
}

// forPrograms reports whether a program asks, and no page is shown.
func forPrograms(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, ".json") || r.URL.Path == livePath
}

// Access says who may see the view.
type Access struct {
	// BaseURL is the pool's domain, such as http://localhost:9229, without trailing
	// slash. Required.
	BaseURL string
	// Token lets in who shows it: [CheckToken] says what it may be, [NewToken] makes
	// one, and a browser brings it at [Address]. Empty: nobody is let in.
	Token userpool.Secret
	// InsecureAnywhere lets in whoever asks.
	InsecureAnywhere bool
}

// Outbox is the address of the messages that the pool sent.
func (a Access) Outbox() string { return a.BaseURL + root + "outbox" }

// guard lets in who may look, for reading.
func (h *Handler) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		brought := h.broughtToken(r)
		switch {
		case fromOtherSite(r):
			h.forbid(w, r)
		case !brought && !h.Proven(r):
			h.challenge(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "The developer's view only reads: use GET.", http.StatusMethodNotAllowed)
		case brought:
			h.remember(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// broughtToken reports whether the address has the token.
func (a Access) broughtToken(r *http.Request) bool {
	q, err := url.ParseQuery(r.URL.RawQuery)
	return err == nil && len(q[tokenParam]) == 1 && a.Token.Equal(userpool.Secret(q.Get(tokenParam)))
}

// Proven reports whether who asks has the token, or needs none: a browser has it in
// the cookie, which it sends below /_cognate/ alone, a program sends it as RFC 6750
// section 2.1 says. Where the request comes from is no proof, since a proxy on this
// machine asks for others.
func (a Access) Proven(r *http.Request) bool {
	if a.InsecureAnywhere {
		return true
	}
	for _, c := range r.CookiesNamed(a.cookieName("cognate-view")) {
		if a.Token.Equal(userpool.Secret(c.Value)) {
			return true
		}
	}
	sent := r.Header.Values("Authorization")
	if len(sent) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(sent[0], " ")
	return strings.EqualFold(scheme, "Bearer") && a.Token.Equal(userpool.Secret(token))
}

// Opened reports whether the browser has opened the view, wherever below the domain it
// is now. It is for what a page may show to a developer and not for what it may do: the
// cookie is sent to all paths, and so to every program on another port of the host.
func (a Access) Opened(r *http.Request) bool {
	if a.InsecureAnywhere {
		return true
	}
	for _, c := range r.CookiesNamed(a.cookieName(openedCookie)) {
		if a.Token != "" && a.openedMark().Equal(userpool.Secret(c.Value)) {
			return true
		}
	}
	return false
}

const openedCookie = "cognate-view-opened"

// openedMark shows that a browser had the token, from which it is made one way, and opens
// nothing itself.
func (a Access) openedMark() userpool.Secret {
	return userpool.Secret(("the developer's view was opened with " + a.Token).Digest())
}

// cookieName adds the port: cookies do not have it (RFC 6265 section 8.5), and another
// pool of this machine has another token.
func (a Access) cookieName(name string) string {
	u, err := url.Parse(a.BaseURL)
	if err != nil || u.Port() == "" {
		return name
	}
	return name + "-" + u.Port()
}

// remember keeps the token in a cookie, which no page of another site makes a
// browser send, and takes it out of the address: that stays in the history, and
// is copied into questions. A second cookie is for the sign-in pages, where a link from
// the app on another site leads (hence Lax).
func (a Access) remember(w http.ResponseWriter, r *http.Request) {
	secure := strings.HasPrefix(a.BaseURL, "https:")
	//nolint:gosec // not Secure on plain http, where browsers would drop it
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName("cognate-view"), Value: string(a.Token), Path: root, HttpOnly: true, Secure: secure,
		SameSite: http.SameSiteStrictMode,
	})
	//nolint:gosec // as above
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName(openedCookie), Value: string(a.openedMark()), Path: "/", HttpOnly: true, Secure: secure,
		SameSite: http.SameSiteLaxMode,
	})
	q := r.URL.Query()
	q.Del(tokenParam)
	location := r.URL.EscapedPath() // begins with root
	if len(q) > 0 {
		location += "?" + q.Encode()
	}
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusFound)
}

// challenge answers who has not the token.
func (h *Handler) challenge(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="developer's view"`)
	if forPrograms(r) {
		http.Error(w, "The developer's view wants its token, which is in the address that the pool printed at its "+
			"start. Send it as Authorization: Bearer <token>.", http.StatusUnauthorized)
		return
	}
	view := messagePage{
		page:     page{Title: "Open it from the terminal", Style: style},
		Text:     "The developer’s view shows every code and link that the pool sends, so it wants a token.",
		Token:    true,
		FromLink: r.Header.Get("Sec-Fetch-Site") != "" && r.Header.Get("Sec-Fetch-Site") != "none",
	}
	// A link from the app led here. A navigation from this page has the cookie with it, and
	// goes on by itself; it shows what the link asked for, and changes nothing.
	if site := r.Header.Get("Sec-Fetch-Site"); (site == "cross-site" || site == "same-site") && h.Opened(r) {
		w.Header().Set("Refresh", "0")
	}
	h.write(w, r, http.StatusUnauthorized, "message", view)
}

// setHeaders keeps the answers out of caches, frames and other sites' pages.
func setHeaders(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Content-Security-Policy", policy)
}
