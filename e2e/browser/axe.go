package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/chromedp/chromedp"
)

// Violation is something on a page that makes it harder for some people to use.
type Violation struct {
	Rule  string   // such as color-contrast
	Help  string   // what the rule requires
	Where []string // the elements, as CSS selectors
}

// Axe runs the accessibility checks of axe-core, whose script is in the file, on the
// page in its present state. It returns the violations of WCAG 2.2 A and AA and of good
// practice. The page's content security policy does not stop it.
func (t *Tab) Axe(file string) []Violation {
	t.tb.Helper()
	script, err := os.ReadFile(file)
	if err != nil {
		t.tb.Fatalf("reading axe-core: %v", err)
	}
	t.do("bringing in axe-core", chromedp.Evaluate[chromedp.Void](string(script)))
	ctx, cancel := context.WithTimeout(t.ctx, t.patience)
	defer cancel()
	const run = `axe.run({resultTypes: ["violations"]}).then(found => JSON.stringify(found.violations.map(v =>
		({Rule: v.id, Help: v.help, Where: v.nodes.map(n => n.target.join(" "))}))))`
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise))
	var found []Violation
	if err == nil {
		err = json.Unmarshal([]byte(text), &found)
	}
	if err != nil {
		t.fail("running axe-core", err)
	}
	return found
}

// String returns the violation in one line.
func (v Violation) String() string { return fmt.Sprintf("%s: %s: %q", v.Rule, v.Help, v.Where) }
