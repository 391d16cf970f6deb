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

// Tab is a tab of a visitor. A test may use several tabs in turn, but each only in one
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

// Popup does what opens a window, and returns the window as a tab. The window stays
// connected with the page that opened it, if the pages allow that.
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

// Visit types an address into the address bar and waits until the page is loaded, after
// any redirects. An address that can't be loaded fails the test; a page with status 404
// or 500 counts as loaded.
func (t *Tab) Visit(url string) {
	t.tb.Helper()
	t.do("visiting "+url, chromedp.Navigate(url))
}

// Reload loads the page again and waits until it is loaded.
func (t *Tab) Reload() {
	t.tb.Helper()
	t.do("reloading", chromedp.Reload())
}

// Back presses the browser's Back button. Like Click, it does not wait for the page,
// because a page that the browser kept in memory appears without being loaded.
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

// URL returns the address in the address bar.
func (t *Tab) URL() string {
	t.tb.Helper()
	return evaluate[string](t, "reading the address", `location.href`)
}

// Title returns the title of the page.
func (t *Tab) Title() string {
	t.tb.Helper()
	return evaluate[string](t, "reading the title", `document.title`)
}

// PageText returns the text of the page as a person sees it: without hidden parts, and
// with lines as on the screen.
func (t *Tab) PageText() string {
	t.tb.Helper()
	return evaluate[string](t, "reading the page", pageText)
}

// While a page is being replaced, it may have no body.
const pageText = `document.body ? document.body.innerText : ""`

// Text returns the visible text of the first element that matches the CSS selector. It
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

// WaitForText waits until the text is on the page. Line breaks on the page count as
// spaces.
func (t *Tab) WaitForText(text string) {
	t.tb.Helper()
	t.until(fmt.Sprintf("the text %q", text), func(ctx context.Context) (bool, error) {
		page, err := chromedp.Run(ctx, chromedp.Evaluate[string](pageText))
		return strings.Contains(page, text), err
	})
}

// WaitForChange waits until the visible text of the first element that matches the CSS
// selector differs from before, and returns it.
func (t *Tab) WaitForChange(selector, before string) string {
	t.tb.Helper()
	text := before
	t.until(fmt.Sprintf("another text in %s", selector), func(context.Context) (bool, error) {
		text = t.Text(selector)
		return text != before, nil
	})
	return text
}

// WaitForURL waits until the address bar has the address and the page is loaded. An
// address that ends in "*" matches all addresses that begin with the rest.
func (t *Tab) WaitForURL(want string) {
	t.tb.Helper()
	prefix, isPrefix := strings.CutSuffix(want, "*")
	t.until("the address "+want, func(ctx context.Context) (bool, error) {
		// One script reads both, so that they belong to the same page.
		const script = `document.readyState === "complete" ? location.href : ""`
		url, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
		if isPrefix {
			return url != "" && strings.HasPrefix(url, prefix), err
		}
		return url == want, err
	})
}

// Screenshot writes a picture of the window to a PNG file, and creates the folder if it
// does not exist.
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

// ColorScheme sets the visitor's preferred colour scheme, "dark" or "light".
func (t *Tab) ColorScheme(scheme string) {
	t.tb.Helper()
	t.do("preferring "+scheme, call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}))
}

// Phone makes the tab a phone with 375 by 812 points and a touch screen.
func (t *Tab) Phone() {
	t.tb.Helper()
	t.do("becoming a phone", chromedp.EmulateViewport(375, 812,
		chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait))
}

// Window sets the size of the tab's window in points.
func (t *Tab) Window(width, height int64) {
	t.tb.Helper()
	t.do("resizing the window", chromedp.EmulateViewport(width, height))
}

// ScrollsSideways reports whether the page is wider than the window, which is a mistake
// on a phone.
func (t *Tab) ScrollsSideways() bool {
	t.tb.Helper()
	return evaluate[bool](t, "measuring the page",
		`document.documentElement.scrollWidth > document.documentElement.clientWidth`)
}

// DisableJavaScript stops scripts on all pages visited from now on. The other functions
// of the tab still work.
func (t *Tab) DisableJavaScript() {
	t.tb.Helper()
	t.do("disabling scripts", call(emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true}))
}

// Cookies returns the visitor's cookies for all sites, sorted by domain and name. A
// session cookie has a zero Expires.
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

// ConsoleErrors returns the errors in this tab's console since the tab was opened:
// violations of a content security policy, uncaught exceptions, and every answer with a
// status of 400 or more, with its address.
func (t *Tab) ConsoleErrors() []string {
	t.tb.Helper()
	// Messages arrive in order, so when this one is here, all earlier ones are too.
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

// note stores a console message if it is an error.
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

// call returns an action that runs a command of the browser's protocol.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}
