package e2e

import (
	"path/filepath"
	"testing"

	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
)

// TestPermissions grants and revokes a role on the admin page of examples/permissions.
func TestPermissions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "permissions.db")
	app := startExample(t, "permissions", "-admin", "ann@example.com", "-db", file)
	tab := browser.Start(t).NewVisitor(t)
	tab.Visit(app + "/admin")
	signIn(tab, demo.User{Username: "ann@example.com", Password: "Correct-Horse-7"})
	tab.WaitForText("Who may do what.")
	tab.Fill("E-mail address or subject", "ann@example.com")
	tab.Press("Enter")
	tab.WaitForText("reader ×")
	lookAt(t, tab, "permissions")
	tab.Fill("E-mail address or subject", "nobody@example.com")
	tab.Press("Enter")
	tab.WaitForText("Nobody with this address or subject has signed in yet.")
	tab.Click("Take the role admin from ann@example.com")
	tab.WaitForText("or is the last admin")
	tab.Click("Take the role reader from ann@example.com")
	tab.WaitForText("Who may do what.")
}
