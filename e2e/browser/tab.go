package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Tab is one tab of one visitor. Several tabs may be used in turns, but only by one
// goroutine at a time.
type Tab struct {
	tb       testing.TB
	ctx      context.Context
	patience time.Duration

	mu     sync.Mutex // guards errors
	errors []string
}

// newTab opens a tab and listens to its console.
func newTab(tb testing.TB, parent context.Context, opts ...chromedp.ContextOption) *Tab {
	tb.Helper()
	ctx, closeTab := chromedp.NewContext(parent, opts...)
	tb.Cleanup(closeTab)
	err := open(ctx, Patience)
	if err != nil {
		tb.Fatalf("opening a tab: %v", err)
	}
	t := &Tab{tb: tb, ctx: ctx, patience: Patience}
	messages := chromedp.Console(ctx)
	go func() {
		for message, err := range messages {
			if err != nil {
				return // the tab is closed
			}
			t.note(message)
		}
	}()
	return t
}

// NewTab opens another tab of the same visitor: the cookies are the same, the page is
// empty.
func (t *Tab) NewTab() *Tab {
	t.tb.Helper()
	return newTab(t.tb, t.ctx)
}

// Popup does what opens a window, and returns that window as a tab. The window stays
// connected with the page that opened it, as far as the pages let it.
func (t *Tab) Popup(open func()) *Tab {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, t.patience)
	defer cancel()
	opened := chromedp.WaitNewTarget(ctx, func(*target.Info) bool { return true })
	open()
	select {
	case id := <-opened:
		return newTab(t.tb, t.ctx, chromedp.WithTargetID(id))
	case <-ctx.Done():
		t.fail("waiting for a window to open", ctx.Err())
		return nil
	}
}

// Visit types an address into the address bar and waits until the page is loaded,
// after any redirects. An address that cannot be loaded fails the test; a page that
// says 404 or 500 is a page.
func (t *Tab) Visit(url string) {
	t.tb.Helper()
	t.do("visiting "+url, chromedp.Navigate(url))
}

// Reload loads the page again and waits until it is there.
func (t *Tab) Reload() {
	t.tb.Helper()
	t.do("reloading", chromedp.Reload())
}

// Back presses the browser's Back button. Like Click, it does not wait for the page,
// because one that the browser kept in memory appears without being loaded.
func (t *Tab) Back() {
	t.tb.Helper()
	t.do("going back", func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		history, err := cdp.Call(ctx, target, page.GetNavigationHistory, cdp.Empty{})
		if err != nil {
			return chromedp.Void{}, err
		}
		if history.CurrentIndex < 1 {
			return chromedp.Void{}, errors.New("this is the first page")
		}
		previous := history.Entries[history.CurrentIndex-1].ID
		_, err = cdp.Call(ctx, target, page.NavigateToHistoryEntry,
			page.NavigateToHistoryEntryParams{EntryID: previous})
		return chromedp.Void{}, err
	})
}

// URL returns what the address bar shows.
func (t *Tab) URL() string {
	t.tb.Helper()
	return evaluate[string](t, "reading the address", `location.href`)
}

// Title returns the title of the page.
func (t *Tab) Title() string {
	t.tb.Helper()
	return evaluate[string](t, "reading the title", `document.title`)
}

// PageText returns the text on the page as a person sees it: hidden parts are left out
// and lines are where they are on the screen.
func (t *Tab) PageText() string {
	t.tb.Helper()
	return evaluate[string](t, "reading the page", pageText)
}

// A page that is being replaced has no body for a moment.
const pageText = `document.body ? document.body.innerText : ""`

// Text returns the visible text of the first element that the CSS selector finds, and
// waits for one to appear.
func (t *Tab) Text(selector string) string {
	t.tb.Helper()
	var text *string
	t.until("an element "+selector, func(ctx context.Context) (bool, error) {
		var err error
		script := fmt.Sprintf(`(e => e && e.innerText)(document.querySelector(%s))`, quote(selector))
		text, err = chromedp.Run(ctx, chromedp.Evaluate[*string](script))
		return text != nil, err
	})
	return *text
}

// WaitForText waits until the text is on the page, in one line as a person reads it.
func (t *Tab) WaitForText(text string) {
	t.tb.Helper()
	t.until(fmt.Sprintf("the text %q", text), func(ctx context.Context) (bool, error) {
		page, err := chromedp.Run(ctx, chromedp.Evaluate[string](pageText))
		return strings.Contains(page, text), err
	})
}

// WaitForChange waits until the visible text of the first element that the CSS selector
// finds is another than before, and returns it.
func (t *Tab) WaitForChange(selector, before string) string {
	t.tb.Helper()
	text := before
	t.until(fmt.Sprintf("another text in %s", selector), func(context.Context) (bool, error) {
		text = t.Text(selector)
		return text != before, nil
	})
	return text
}

// WaitForURL waits until the address bar shows the address and the page is loaded. An
// address that ends in "*" stands for all that begin with what is before it.
func (t *Tab) WaitForURL(want string) {
	t.tb.Helper()
	prefix, isPrefix := strings.CutSuffix(want, "*")
	t.until("the address "+want, func(ctx context.Context) (bool, error) {
		// Both in one script, so that they speak of one page.
		const script = `document.readyState === "complete" ? location.href : ""`
		url, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
		if isPrefix {
			return url != "" && strings.HasPrefix(url, prefix), err
		}
		return url == want, err
	})
}

// Screenshot writes a picture of the window to a PNG file and creates its folder when
// there is none.
func (t *Tab) Screenshot(path string) {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, t.patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.fail("taking a screenshot", err)
	}
	err = os.MkdirAll(filepath.Dir(path), 0o750)
	if err != nil {
		t.tb.Fatal(err)
	}
	err = os.WriteFile(path, png, 0o600)
	if err != nil {
		t.tb.Fatal(err)
	}
}

// ColorScheme makes pages see a person who prefers "dark" or "light".
func (t *Tab) ColorScheme(scheme string) {
	t.tb.Helper()
	t.do("preferring "+scheme, call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}))
}

// Phone makes the tab a phone of 375 by 812 points with a touch screen.
func (t *Tab) Phone() {
	t.tb.Helper()
	t.do("becoming a phone", chromedp.EmulateViewport(375, 812,
		chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait))
}

// Window gives the tab a window of that many points.
func (t *Tab) Window(width, height int64) {
	t.tb.Helper()
	t.do("resizing the window", chromedp.EmulateViewport(width, height))
}

// ScrollsSideways reports whether the page is wider than the window, which on a phone
// is a mistake.
func (t *Tab) ScrollsSideways() bool {
	t.tb.Helper()
	return evaluate[bool](t, "measuring the page",
		`document.documentElement.scrollWidth > document.documentElement.clientWidth`)
}

// DisableJavaScript lets the scripts of pages visited from now on not run. The other
// functions of the tab go on working.
func (t *Tab) DisableJavaScript() {
	t.tb.Helper()
	t.do("disabling scripts", call(emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true}))
}

// Cookies returns the visitor's cookies for all sites, sorted by domain and name. A
// cookie that ends with the browser has a zero Expires.
func (t *Tab) Cookies() []*http.Cookie {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, t.patience)
	defer cancel()
	visitor := chromedp.FromContext(t.ctx).BrowserContextID
	result, err := chromedp.CallBrowser(ctx, storage.GetCookies,
		storage.GetCookiesParams{BrowserContextID: visitor})
	if err != nil {
		t.fail("listing the cookies", err)
	}
	var cookies []*http.Cookie
	for _, c := range result.Cookies {
		cookies = append(cookies, httpCookie(c))
	}
	slices.SortFunc(cookies, func(a, b *http.Cookie) int {
		return strings.Compare(a.Domain+" "+a.Name, b.Domain+" "+b.Name)
	})
	return cookies
}

func httpCookie(c *network.Cookie) *http.Cookie {
	cookie := &http.Cookie{
		Name: c.Name, Value: c.Value, Domain: c.Domain, Path: c.Path,
		Secure: c.Secure, HttpOnly: c.HTTPOnly,
	}
	if !c.Session {
		cookie.Expires = time.UnixMilli(int64(c.Expires * 1000))
	}
	switch c.SameSite {
	case network.CookieSameSiteStrict:
		cookie.SameSite = http.SameSiteStrictMode
	case network.CookieSameSiteLax:
		cookie.SameSite = http.SameSiteLaxMode
	case network.CookieSameSiteNone:
		cookie.SameSite = http.SameSiteNoneMode
	}
	return cookie
}

// ConsoleErrors returns what the browser wrote to this tab's console as an error, since
// the tab was opened: violations of a content security policy, uncaught exceptions, and
// every answer of 400 and above, with its address.
func (t *Tab) ConsoleErrors() []string {
	t.tb.Helper()
	// Messages come in order, so once this one is here, all before it are, too.
	marker := fmt.Sprintf("marker %d", time.Now().UnixNano())
	t.do("reading the console", chromedp.Evaluate[chromedp.Void](`console.error(`+quote(marker)+`)`))
	var found []string
	t.until("the end of the console", func(context.Context) (bool, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		end := slices.Index(t.errors, marker)
		if end < 0 {
			return false, nil
		}
		t.errors = slices.Delete(t.errors, end, end+1)
		found = slices.Clone(t.errors)
		return true, nil
	})
	return found
}

// note keeps a console message if it is an error.
func (t *Tab) note(m chromedp.ConsoleMessage) {
	if m.Type != chromedp.ConsoleError && !m.IsException() {
		return
	}
	text := m.Text
	if m.Source != "" && m.URL != "" {
		text += " (" + m.URL + ")"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors = append(t.errors, text)
}

// call makes an action of a command of the browser's protocol.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}
