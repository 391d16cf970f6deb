package e2e

import (
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
)

// TestSinglePageApp uses examples/spa as a person does, with a mouse and with the keyboard
// alone, and lets the session end in the middle of it.
func TestSinglePageApp(t *testing.T) {
	app := startExample(t, "spa")
	chromium := browser.Start(t)
	tab := chromium.NewVisitor(t)
	tab.Visit(app + "/?list=weekend")
	tab.WaitForText("Your list is your own")
	lookAt(t, tab, "spa-welcome")
	tab.Click("Sign in")
	ann := demo.User{Username: "ann@example.com", Password: "Correct-Horse-7"}
	signIn(tab, ann)
	tab.WaitForURL(app + "/?list=weekend") // the sign-in returns to the page
	tab.WaitForText("Nothing yet.")
	tab.Fill("What do you need?", "Milk")
	tab.Press("Enter", "<b>Bread</b>", "Tab", "Enter") // the field has the focus again
	tab.WaitForText("<b>Bread</b>")
	tab.Click("Remove Milk")
	tab.WaitForText("Removed Milk.")
	lookAt(t, tab, "spa-list")

	// Sign out in another tab; this one finds out when it asks for something.
	other := tab.NewTab()
	other.Visit(app + "/")
	other.Click("Log out")
	other.WaitForURL(app + "/")
	other.WaitForText("Your list is your own")
	tab.Fill("What do you need?", "Eggs")
	tab.Press("Enter")
	signIn(tab, ann)
	tab.WaitForText("<b>Bread</b>")
	tab.Press("Tab", "Tab", "Tab") // to the brand, the sign-out, the field
	if got, want := tab.Focused(), `textbox "What do you need?"`; got != want {
		t.Errorf("got the focus on %s, want %s", got, want)
	}
	tab.Press("Enter") // what was typed is still there
	tab.WaitForText("Eggs")
	for _, e := range tab.ConsoleErrors() {
		if !strings.Contains(e, "status of 401") { // which the browser reports and the script handles
			t.Errorf("in the console: %s", e)
		}
	}
}
