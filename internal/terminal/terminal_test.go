package terminal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLogLevel checks how much each level logs.
func TestLogLevel(t *testing.T) {
	for word, want := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1} {
		var b strings.Builder
		level, err := ParseLevel(word)
		if err != nil {
			t.Fatal(err)
		}
		log := Logger(&b, level)
		log.Debug("d")
		log.Info("i")
		log.Warn("w")
		log.Error("e")
		if got := strings.Count(b.String(), "\n"); got != want || strings.Contains(b.String(), "time=") {
			t.Errorf("%s: %d lines, want %d:\n%s", word, got, want, b.String())
		}
	}
	_, err := ParseLevel("WARN+1")
	if err == nil || !strings.Contains(err.Error(), "expected debug, info, warn or error") {
		t.Errorf("a level that there is not: %v", err)
	}
}

// TestInterrupted checks that only Ctrl-C turns a failure into a clean stop.
func TestInterrupted(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("the store is broken")
	for name, tt := range map[string]struct {
		ctx  context.Context
		err  error
		want error
		says string
	}{
		"while starting":       {ended, fmt.Errorf("hashing: %w", context.Canceled), nil, "Stopped.\n"},
		"a failure at the end": {ended, broken, broken, ""},
		"a failure":            {t.Context(), broken, broken, ""},
		"another's Ctrl-C":     {t.Context(), context.Canceled, context.Canceled, ""},
		"a clean stop":         {ended, nil, nil, ""}, // it has been said
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			got := Interrupted(tt.ctx, &out, tt.err)
			if !errors.Is(got, tt.want) || out.String() != tt.says {
				t.Errorf("error %v and %q, want %v and %q", got, &out, tt.want, tt.says)
			}
		})
	}
}

// TestStyle checks that a pipe gets plain text, and text that could mislead gets quotes.
func TestStyle(t *testing.T) {
	s := StyleOf(&strings.Builder{})
	if got := s.Bold("a") + s.Dim("b"); got != "ab" {
		t.Errorf("in a pipe, text is %q", got)
	}
	for text, want := range map[string]string{"": `""`, "a b": `"a b"`, "a\x1b": `"a\x1b"`, "a:1": "a:1"} {
		if got := Quoted(text); got != want {
			t.Errorf("Quoted(%q) = %s, want %s", text, got, want)
		}
	}
}

// TestCount has the word agree with the number.
func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 users", 1: "1 user", 2: "2 users", 21: "21 users"} {
		if got := Count(n, "user", "users"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestLoggerIsLimited logs more than a person reads. Loggers with attributes of their own
// count together.
func TestLoggerIsLimited(t *testing.T) {
	for level, want := range map[slog.Level]int{slog.LevelInfo: 100, slog.LevelWarn: 20, slog.LevelError: 20} {
		synctest.Test(t, func(t *testing.T) {
			var b strings.Builder
			log := Logger(&b, level)
			for range 50 {
				log.With("a", 1).Error("e")
				log.WithGroup("g").Error("e", "b", 2)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			got, counted := strings.CutSuffix(b.String(), "and 80 more; --log-level info shows all\n")
			if lines := strings.Count(got, "\n"); lines != want || counted != (want == 20) {
				t.Errorf("%v: %d lines of 100, want %d; the others are counted: %t", level, lines, want, counted)
			}
			log.Error("later")
			if !strings.HasSuffix(b.String(), " msg=later\n") {
				t.Errorf("%v: the next period lacks a line", level)
			}
		})
	}
}
