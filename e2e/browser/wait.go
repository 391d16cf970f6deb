package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	// pollInterval is the time between two looks at a page.
	pollInterval = 40 * time.Millisecond

	// lookPatience limits one look, which takes at most a tenth of a second on an idle
	// machine. The browser may never answer a question about a page that is being
	// replaced; then it is asked again.
	lookPatience = 6 * time.Second
)

// do runs one action within the tab's patience, or fails the test.
func (t *Tab) do(what string, action chromedp.Action[chromedp.Void]) {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, t.patience)
	defer cancel()
	err := chromedp.Do(ctx, action)
	if err != nil {
		t.fail(what, err)
	}
}

// until looks at the page until look returns true, or fails the test after the tab's
// patience. An error of look means "not yet", because a page that is being replaced
// gives no useful answer; the last error is part of the failure.
func (t *Tab) until(what string, look func(ctx context.Context) (bool, error)) {
	t.tb.Helper()
	deadline := time.Now().Add(t.patience)
	for {
		ctx, cancel := context.WithTimeout(t.ctx, lookPatience)
		ok, err := look(ctx)
		cancel()
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) || t.ctx.Err() != nil {
			if err == nil {
				err = fmt.Errorf("it did not appear within %v", t.patience)
			}
			t.fail("waiting for "+what, err)
		}
		time.Sleep(pollInterval)
	}
}

// evaluate returns the value of a script that only reads, so that it can be repeated if
// the page was replaced meanwhile.
func evaluate[T any](t *Tab, what, script string) T {
	t.tb.Helper()
	var value T
	t.until(what, func(ctx context.Context) (bool, error) {
		var err error
		value, err = chromedp.Run(ctx, chromedp.Evaluate[T](script))
		return true, err
	})
	return value
}

// fail ends the test with the tab's address and text.
func (t *Tab) fail(what string, err error) {
	t.tb.Helper()
	t.tb.Fatalf("%s: %v\n%s", what, err, t.describe())
}

// describe returns the address, the text and the console errors of the page.
func (t *Tab) describe() string {
	ctx, cancel := context.WithTimeout(t.ctx, lookPatience)
	defer cancel()
	const script = `[location.href, document.title, ` + pageText + `]`
	page, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](script))
	if err != nil || len(page) != 3 {
		return fmt.Sprintf("the page cannot be read: %v", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	description := fmt.Sprintf("address: %s\ntitle:   %s\ntext:\n%s", page[0], page[1], indent(page[2]))
	if len(t.errors) > 0 {
		description += "\nconsole errors:\n" + indent(strings.Join(t.errors, "\n"))
	}
	return description
}

// indent separates a text from the message around it, and shortens a very long one.
func indent(text string) string {
	const limit = 4000
	if len(text) > limit {
		text = text[:limit] + "\n[shortened]"
	}
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

// quote returns a JavaScript literal for a text.
func quote(text string) string {
	// Every string can be encoded as JSON.
	literal, _ := json.Marshal(text)
	return string(literal)
}
