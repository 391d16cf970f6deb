package browser

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// names are the programs that Find looks for, Chromium before Chrome. `make test` looks
// for the same ones.
var names = []string{
	"chromium",
	"chromium-browser",
	"google-chrome",
	"google-chrome-stable",
	"/Applications/Chromium.app/Contents/MacOS/Chromium",
	"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
}

// Find returns the path of the browser: the one that the environment variable CHROMIUM
// names, or the first of Chromium and Chrome that is installed. The error says how to
// install one.
func Find() (string, error) {
	if name := os.Getenv("CHROMIUM"); name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("looking for the browser that CHROMIUM names: %w", err)
		}
		return path, nil
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			return path, nil
		}
	}
	return "", errors.New("the browser tests need Chromium or Chrome, and none is installed: " +
		"run `make test`, which installs it on Debian; or `sudo apt-get install chromium`; " +
		"on macOS `brew install --cask google-chrome`; or set CHROMIUM to the path of one")
}
