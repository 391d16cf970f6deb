// Package e2e tests what people do: its tests start the program and use it in a browser.
// They know only what people see: pages, addresses, and the program's output.
package e2e
