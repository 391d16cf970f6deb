// Package terminal writes for the person who started a program: text with a little style, log
// lines without the time, and the last line of a program that was told to stop. The demo and the
// pool's program use it. It knows neither of them, and imports nothing else of this module.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"
)

// Streams are where a program writes for the person who started it.
type Streams struct {
	Out, Err io.Writer
}

// A Style marks text for a terminal, and leaves text for anything else unchanged.
type Style struct{ on bool }

// StyleOf returns the style for text that is written to w. It follows https://no-color.org, and
// terminals that show no colours.
func StyleOf(w io.Writer) Style {
	return Style{os.Getenv("NO_COLOR") == "" && IsTerminal(w)}
}

// IsTerminal reports whether somebody reads w as it is written, and the program may write
// over a line.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Bold returns text that stands out.
func (s Style) Bold(text string) string { return s.wrap("1", text) }

// Dim returns text that steps back.
func (s Style) Dim(text string) string { return s.wrap("2", text) }

func (s Style) wrap(code, text string) string {
	if !s.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Printf writes to a terminal. An error is ignored, because there is nowhere to report it.
func Printf(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}

// Count returns a number with the word for what is counted, in the right form: "1 user", "2
// users".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// Quoted returns s in quotes if it is empty or has characters that could mislead; plain
// words stay as they are.
func Quoted(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return strconv.Quote(s)
	}
	return s
}

// Stopped prints a line if a program that runs until Ctrl-C ended without an error, and
// returns the error.
func Stopped(out io.Writer, err error) error {
	if err == nil {
		Printf(out, "Stopped.\n")
	}
	return err
}

// Interrupted returns the result of a program that runs until Ctrl-C, which ends ctx. Ctrl-C
// during the start is not a failure.
func Interrupted(ctx context.Context, out io.Writer, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return Stopped(out, nil)
	}
	return err
}

// ParseLevel returns the level that a person means by debug, info, warn or error.
func ParseLevel(word string) (slog.Level, error) {
	switch word {
	case "debug", "info", "warn", "error":
		var level slog.Level
		err := level.UnmarshalText([]byte(word))
		return level, err
	}
	return 0, fmt.Errorf("--log-level %s is not a level; expected debug, info, warn or error", Quoted(word))
}

// At most so many records are written in each period, and the others counted.
const (
	maxRecords   = 20
	recordPeriod = 10 * time.Second
)

// Logger returns a logger that writes records of the level and above. The time is left out,
// because a person at the terminal does not need it. With the levels debug and info, which
// are for who wants to see everything, it writes all; otherwise at most 20 in ten seconds: an
// app with a wrong secret may try again all the time.
func Logger(w io.Writer, level slog.Level) *slog.Logger {
	handler := slog.Handler(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: dropTime}))
	if level >= slog.LevelWarn {
		handler = limited{handler, NewLimiter(maxRecords, recordPeriod, func(n int) {
			Printf(w, "and %d more; --log-level info shows all\n", n)
		})}
	}
	return slog.New(handler)
}

func dropTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
