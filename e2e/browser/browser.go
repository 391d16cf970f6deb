// Package browser drives a real Chromium the way a person would: it finds fields by
// their labels, presses buttons by their names, types keys one by one and reads what
// is on the screen.
//
//	b := browser.Start(t)
//	ann := b.NewVisitor(t)
//	ann.Visit("https://127.0.0.1:5000/hello")
//	ann.Fill("Username", "ann@example.com")
//	ann.Fill("Password", password)
//	ann.Click("Sign in")
//	ann.WaitForText("Signed in as ann@example.com")
//
// Names are accessible names, as the browser reports them to a screen reader. A field
// without a label or a button without a text is not found, and the test fails as a
// blind person would.
//
// No function returns an error, and none waits for ever: what does not happen within
// [Patience] fails the test with the page's address and text. The functions end the test,
// so they must be called in the test's own goroutine.
//
// The browser accepts every certificate. It must not be used on the internet. The package
// knows nothing of sign-ins.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	// Patience is how long a single step may take: fifty times as long as the slowest
	// takes on an idle machine, which is a second. A wait ends when its condition is
	// met, so the limit costs time only if a test fails. Two processor cores may run
	// several browsers, the race detector and other people's work at the same time.
	Patience = time.Minute

	// startPatience is how long the browser may take to start. It takes half a second,
	// and several seconds on a machine that has not read its files before.
	startPatience = 2 * time.Minute
)

// Browser is a running Chromium with its own empty profile.
type Browser struct {
	ctx context.Context
}

// Start starts a headless Chromium, which [Find] finds, and stops it when the test
// ends. Starting takes half a second. Visitors are faster, so similar tests may share a
// browser.
func Start(tb testing.TB) *Browser {
	tb.Helper()
	path, err := Find()
	if err != nil {
		tb.Fatalf("finding a browser: %v", err)
	}
	// Closing needs a context that has not ended, and tb.Context ends before the
	// cleanups run.
	base := context.WithoutCancel(tb.Context())
	output := &tail{limit: 4096}
	allocator, stop := chromedp.NewExecAllocator(base, options(path, output)...)
	tb.Cleanup(stop)
	ctx, kill := chromedp.NewContext(allocator)
	tb.Cleanup(kill)
	err = open(ctx, startPatience)
	if err != nil {
		tb.Fatalf("starting %s: %v\nit printed:\n%s", path, err, output)
	}
	tb.Cleanup(func() { quit(tb, ctx) })
	return &Browser{ctx: ctx}
}

// quit closes the browser as a person does. A browser that is killed leaves files in
// the temporary folder, so it is killed only if it does not end.
func quit(tb testing.TB, ctx context.Context) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	err := chromedp.Cancel(ctx)
	if err != nil {
		tb.Logf("closing the browser: %v", err)
	}
}

// options is the command line of the browser. Chromedp adds a temporary profile.
func options(path string, output *tail) []chromedp.ExecAllocatorOption {
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.CombinedOutput(output),
		chromedp.DisableGPU,
		chromedp.IgnoreCertErrors, // the demo makes a new certificate at every start
		chromedp.WindowSize(1280, 800),
		// Requests of the browser to its maker would make a test depend on the
		// internet.
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		// These would ask a person who is not there.
		chromedp.Flag("disable-features", "Translate,PasswordLeakDetection,MediaRouter"),
	)
	if os.Getuid() == 0 {
		// root can't set up Chromium's sandbox, and CI often runs as root.
		opts = append(opts, chromedp.NoSandbox)
	}
	return opts
}

// NewVisitor opens the first tab of a new visitor, who shares nothing with the other
// visitors: no cookie, no cache, no sign-in. The tab closes when the test ends.
func (b *Browser) NewVisitor(tb testing.TB) *Tab {
	tb.Helper()
	return newTab(tb, b.ctx, chromedp.WithNewBrowserContext())
}

// open makes the first call on a chromedp context, which starts a browser or opens a
// tab. Both end with the context of that call, so that context can't have the time
// limit.
func open(ctx context.Context, limit time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- chromedp.Do(ctx) }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("no answer within %v: %w", limit, errTooSlow)
	}
}

var errTooSlow = errors.New("the browser is too slow or hangs")

// tail is a writer that keeps the last bytes written to it. It is safe for concurrent
// use.
type tail struct {
	limit int

	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - t.limit; extra > 0 {
		t.text = t.text[extra:]
	}
	return len(p), nil
}

// String returns the last bytes written.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
