package e2e

import (
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
)

// TestSinglePageApp uses examples/spa as a person does, with a mouse and with only the
// keyboard, and ends the session meanwhile.
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

	// This signs out in another tab. The first tab notices it at its next request.
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
	tab.Press("Enter") // the typed text is still there
	tab.WaitForText("Eggs")
	for _, e := range tab.ConsoleErrors() {
		if !strings.Contains(e, "status of 401") { // the browser reports it, and the script handles it
			t.Errorf("in the console: %s", e)
		}
	}
}
