package main

import (
	"context"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/internal/terminal"
)

// watchEvery is how often the files of the configuration are checked for changes.
const watchEvery = 500 * time.Millisecond

// watcher applies changes of the configuration to a site.
type watcher struct {
	site *site
	term terminal.Streams
	load func() (*poolconfig.File, error)

	last  *poolconfig.File // applied last
	read  map[string]stamp // of the files when they were read
	prev  map[string]stamp // of the files at the previous poll
	wrong string           // the error that was printed about the present file
	retry bool             // the store refused a part, and is tried again
	first bool             // there was no poll yet
}

// stamp is what tells one version of a file from another without reading it.
type stamp struct {
	modified time.Time
	size     int64
}

func stampsOf(paths []string) map[string]stamp {
	stamps := map[string]stamp{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err == nil {
			stamps[path] = stamp{info.ModTime(), info.Size()}
		}
	}
	return stamps
}

// newWatcher watches the files that f was read from. They may have changed while the
// pools were created, so the first poll reads them again.
func newWatcher(s *site, term terminal.Streams, f *poolconfig.File, load func() (*poolconfig.File, error)) *watcher {
	return &watcher{site: s, term: term, load: load, last: f, read: stampsOf(f.Sources), first: true}
}

// run polls until ctx ends.
func (w *watcher) run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if w.settled() {
				w.poll(ctx)
			}
		}
	}
}

// settled reports whether the files are the same as at the last poll. A file that is
// still being written may parse, with half of its clients.
func (w *watcher) settled() bool {
	now, before := stampsOf(w.last.Sources), w.prev
	w.prev = now
	return reflect.DeepEqual(now, w.read) || reflect.DeepEqual(now, before)
}

// poll reads the configuration if it changed, and at every poll while it is wrong: the
// mistake may be in a file that it names.
func (w *watcher) poll(ctx context.Context) {
	now := stampsOf(w.last.Sources)
	if reflect.DeepEqual(now, w.read) && w.wrong == "" && !w.retry && !w.first {
		return
	}
	w.first = false
	f, err := w.load()
	if err != nil {
		w.complain(nothingDone, err)
		return
	}
	w.read = stampsOf(f.Sources)
	for path := range w.read {
		if before, ok := now[path]; ok {
			w.read[path] = before // a change since then is left for the next poll
		}
	}
	if w.wrong == "" && !w.retry && reflect.DeepEqual(f.Pools, w.last.Pools) {
		w.last = f
		return
	}
	w.apply(ctx, f)
}

// These texts introduce an error.
const (
	nothingDone = "the changed configuration can't be used, and nothing was changed"
	someLeft    = "some changes could not be made"
	storeFailed = "the store failed for some of the changes, and will be tried again"
)

func (w *watcher) apply(ctx context.Context, f *poolconfig.File) {
	err := w.site.validate(ctx, f)
	if err != nil {
		w.complain(nothingDone, err)
		return
	}
	did, refused, err := w.site.apply(ctx, f)
	if !w.retry || len(did) > 0 || err == nil {
		terminal.Printf(w.term.Out, "  %s was read again.\n", f.Path)
	}
	for _, line := range append(did, newNotes(f, w.last)...) {
		terminal.Printf(w.term.Out, "    %s\n", line)
	}
	w.last = f
	w.retry = err != nil
	if w.retry {
		w.complain(storeFailed, err)
		return
	}
	w.wrong = ""
	if refused != nil {
		terminal.Printf(w.term.Err, "cognate: %s:\n%s\n", someLeft, indent(refused.Error()))
	}
}

// newNotes returns the notes of a file that were not printed for the one before.
func newNotes(f, before *poolconfig.File) []string {
	return slices.DeleteFunc(slices.Clone(f.Notes), func(note string) bool {
		return slices.Contains(before.Notes, note)
	})
}

// complain prints an error, unless it is the one that was printed last.
func (w *watcher) complain(what string, err error) {
	if err.Error() == w.wrong {
		return
	}
	w.wrong = err.Error()
	terminal.Printf(w.term.Err, "cognate: %s:\n%s\n", what, indent(w.wrong))
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(text, "\n", "\n  ")
}
