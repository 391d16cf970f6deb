package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/terminal"
)

const (
	// progressAfter is how long work is silent: nobody has to read of what is done soon.
	progressAfter = time.Second
	// progressRenew is how often the line on a terminal is renewed.
	progressRenew = 200 * time.Millisecond
	// progressLine is how often there is a line elsewhere, such as in the log of a build.
	progressLine = 10 * time.Second
)

// progress says how far work is: in a line that renews itself on a terminal, and in a
// line now and then elsewhere.
type progress struct {
	out    io.Writer
	renews bool // the line on a terminal
	now    func() time.Time

	begun, said time.Time // of the work, and of the last line
	width       int       // of the line on the terminal; 0: there is none
}

// newProgress begins the work.
func newProgress(out io.Writer, now func() time.Time) *progress {
	return &progress{out: out, renews: terminal.IsTerminal(out), now: now, begun: now(), said: now()}
}

// show says that done of total are done, if it is time to say so. what names them, as
// in "users". total is zero if it is not known.
func (p *progress) show(done, total int, what string) {
	now := p.now()
	every := progressLine
	if p.renews {
		every = progressRenew
	}
	if now.Sub(p.begun) < progressAfter || now.Sub(p.said) < every {
		return
	}
	p.said = now
	text := progressText(done, total, what, now.Sub(p.begun))
	if !p.renews {
		terminal.Printf(p.out, "%s\n", text)
		return
	}
	terminal.Printf(p.out, "\r%s%s", text, strings.Repeat(" ", max(p.width-len(text), 0)))
	p.width = len(text)
}

// progressText has less than 80 columns, so that a terminal has it in one line.
func progressText(done, total int, what string, took time.Duration) string {
	rate := float64(done) / took.Seconds()
	if total <= 0 {
		return fmt.Sprintf("%d %s, %.0f a second", done, what, rate)
	}
	text := fmt.Sprintf("%d of %d %s, %.0f a second", done, total, what, rate)
	if rate >= 1 {
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		text += ", " + left.Round(time.Second).String() + " left"
	}
	return text
}

// end clears the line on the terminal, and begins another part of the work.
func (p *progress) end() {
	if p.width > 0 {
		terminal.Printf(p.out, "\r%s\r", strings.Repeat(" ", p.width))
	}
	p.width, p.begun, p.said = 0, p.now(), p.now()
}
