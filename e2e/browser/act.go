package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The roles of elements that can be filled in and that can be clicked, by their
// WAI-ARIA names.
var (
	fieldRoles = []string{"textbox", "searchbox", "spinbutton", "combobox"}
	clickRoles = []string{"button", "link", "checkbox", "radio", "switch", "tab", "menuitem", "DisclosureTriangle"}
)

// Fill types a value into the field with that label, and replaces what was there. It
// waits for the field to appear, and fails if two fields have the label.
func (t *Tab) Fill(label, value string) {
	t.tb.Helper()
	x, y := t.locate("field", label, fieldRoles)
	t.do(fmt.Sprintf("filling in %q", label), chromedp.Steps(
		// A triple click selects the whole line, as it does for a person.
		chromedp.MouseClickXY(x, y, chromedp.ClickCount(3)),
		chromedp.KeyEvent(kb.Backspace),
		chromedp.KeyEvent(value),
	))
}

// Click clicks the button, link or box with that name, which is the complete visible
// text or label, with the same capitals. It waits for the element to appear, and fails
// if two have the name.
//
// It does not wait for the result of the click: call WaitForText or WaitForURL
// afterwards, for something that only the next page has.
func (t *Tab) Click(name string) {
	t.tb.Helper()
	x, y := t.locate("button or link", name, clickRoles)
	t.do(fmt.Sprintf("clicking %q", name), chromedp.MouseClickXY(x, y))
}

// Press presses keys one after the other: "Tab", "Shift+Tab", "Enter", "Escape",
// "Space", "Backspace", the arrows ("ArrowDown" and so on), or any text to type. Like
// Click, it does not wait for the result.
func (t *Tab) Press(keys ...string) {
	t.tb.Helper()
	for _, key := range keys {
		t.do("pressing "+key, keyAction(key))
	}
}

var namedKeys = map[string]string{
	"Tab": kb.Tab, "Enter": kb.Enter, "Escape": kb.Escape, "Space": " ", "Backspace": kb.Backspace,
	"ArrowUp": kb.ArrowUp, "ArrowDown": kb.ArrowDown, "ArrowLeft": kb.ArrowLeft, "ArrowRight": kb.ArrowRight,
}

func keyAction(key string) chromedp.Action[chromedp.Void] {
	if key == "Shift+Tab" {
		return chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift))
	}
	if named, ok := namedKeys[key]; ok {
		return chromedp.KeyEvent(named)
	}
	return chromedp.KeyEvent(key)
}

// Focused returns the role and the name of the element with the keyboard focus, as a
// screen reader would announce it, such as `textbox "Password"`. It is empty if no
// element has the focus.
func (t *Tab) Focused() string {
	t.tb.Helper()
	var focused string
	t.until("the focus", func(ctx context.Context) (bool, error) {
		nodes, err := axNodes(ctx, `document.activeElement === document.body ? null : document.activeElement`, true)
		focused = ""
		if len(nodes) > 0 {
			focused = fmt.Sprintf("%s %q", axText(nodes[0].Role), axText(nodes[0].Name))
		}
		return true, err
	})
	return focused
}

// locate waits for the single element with the name and one of the roles, and returns
// its middle within the window.
func (t *Tab) locate(kind, name string, roles []string) (x, y float64) {
	t.tb.Helper()
	t.until(fmt.Sprintf("a %s %q", kind, name), func(ctx context.Context) (bool, error) {
		nodes, err := axNodes(ctx, `document`, false)
		if err != nil {
			return false, err
		}
		node, err := pick(nodes, name, roles)
		if err != nil {
			return false, err
		}
		x, y, err = middle(ctx, node.BackendDOMNodeID)
		return err == nil, err
	})
	return x, y
}

// pick returns the one node with the name and one of the roles.
func pick(nodes []*accessibility.Node, name string, roles []string) (*accessibility.Node, error) {
	var found []*accessibility.Node
	var others []string
	for _, node := range nodes {
		if node.Ignored || !slices.Contains(roles, axText(node.Role)) {
			continue
		}
		if axText(node.Name) == name {
			found = append(found, node)
		}
		others = append(others, fmt.Sprintf("%q", axText(node.Name)))
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("%d things are called %q", len(found), name)
	case len(others) == 0:
		return nil, errors.New("the page has none at all")
	}
	return nil, fmt.Errorf("the page has %s", strings.Join(others, ", "))
}

// axNodes returns the accessibility nodes of the element that the script returns and of
// everything in it, or only of the element itself.
func axNodes(ctx context.Context, script string, alone bool) ([]*accessibility.Node, error) {
	root, err := chromedp.Run(ctx, chromedp.Evaluate[*runtime.RemoteObject](script))
	if err != nil || root == nil || root.ObjectID == "" {
		return nil, err
	}
	if alone {
		result, err := chromedp.Call(ctx, accessibility.GetPartialAXTree,
			accessibility.GetPartialAXTreeParams{ObjectID: root.ObjectID, FetchRelatives: new(false)})
		return result.Nodes, err
	}
	result, err := chromedp.Call(ctx, accessibility.QueryAXTree,
		accessibility.QueryAXTreeParams{ObjectID: root.ObjectID})
	return result.Nodes, err
}

// axText returns a role or a name as text, or an empty string if there is none.
func axText(value *accessibility.Value) string {
	if value == nil {
		return ""
	}
	var text string
	err := json.Unmarshal(value.Value, &text)
	if err != nil {
		return "" // a number or a flag, which can't be a role or a name
	}
	return text
}

// middle scrolls the element into the window and returns its middle. It returns an
// error if another element is on top, because then a person could not click it.
func middle(ctx context.Context, id cdp.BackendNodeID) (x, y float64, err error) {
	_, err = chromedp.Call(ctx, dom.ScrollIntoViewIfNeeded,
		dom.ScrollIntoViewIfNeededParams{BackendNodeID: id})
	if err != nil {
		return 0, 0, err
	}
	result, err := chromedp.Call(ctx, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: id})
	if err != nil {
		return 0, 0, err
	}
	if len(result.Quads) == 0 || len(result.Quads[0]) != 8 {
		return 0, 0, errors.New("it is not visible")
	}
	quad := result.Quads[0] // four corners; the first and the third are opposite
	x, y = (quad[0]+quad[4])/2, (quad[1]+quad[5])/2
	return x, y, uncovered(ctx, id, x, y)
}

// uncovered returns an error unless a click at the point reaches the element or its
// label.
func uncovered(ctx context.Context, id cdp.BackendNodeID, x, y float64) error {
	node, err := chromedp.Call(ctx, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: id})
	if err != nil {
		return err
	}
	const script = `function(x, y) {
		const hit = document.elementFromPoint(x, y);
		return !!hit && (this.contains(hit) || hit.closest("label")?.control === this);
	}`
	result, err := chromedp.Call(ctx, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		FunctionDeclaration: script,
		ObjectID:            node.Object.ObjectID,
		Arguments:           []*runtime.CallArgument{number(x), number(y)},
		ReturnByValue:       new(true),
	})
	if err != nil {
		return err
	}
	if string(result.Result.Value) != "true" {
		return errors.New("something lies on top of it")
	}
	return nil
}

// number is an argument of a JavaScript function.
func number(f float64) *runtime.CallArgument {
	return &runtime.CallArgument{Value: strconv.AppendFloat(nil, f, 'f', -1, 64)}
}
