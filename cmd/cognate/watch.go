package main

import (
	"context"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
)

// watchEvery is how often the files of the configuration are looked at.
const watchEvery = 500 * time.Millisecond

// watcher makes a site follow its configuration.
type watcher struct {
	site *site
	term terminal
	load func() (*poolconfig.File, error)

	last  *poolconfig.File
	seen  map[string]stamp
	late  map[string]stamp // at the last look, if it was not seen yet
	wrong string           // what was said about the file that is there now
	again bool             // the store did not take all of it; it is asked once more
	first bool             // nothing was looked at yet
}

// stamp is how a file looks from outside.
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

// newWatcher watches the files that f was read from. They may have changed while
// the pools were made, so that the first look reads them again.
func newWatcher(s *site, term terminal, f *poolconfig.File, load func() (*poolconfig.File, error)) *watcher {
	return &watcher{site: s, term: term, load: load, last: f, seen: stampsOf(f.Sources), first: true}
}

// run looks until ctx ends.
func (w *watcher) run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if w.settled() {
				w.look(ctx)
			}
		}
	}
}

// settled reports whether the files look as they did at the last look: one that
// is just being written may be a whole file with half of its clients.
func (w *watcher) settled() bool {
	now, before := stampsOf(w.last.Sources), w.late
	w.late = now
	return reflect.DeepEqual(now, w.seen) || reflect.DeepEqual(now, before)
}

// look reads the configuration if it changed, and as long as it is wrong: what
// is wrong with it may be a file that it names.
func (w *watcher) look(ctx context.Context) {
	now := stampsOf(w.last.Sources)
	if reflect.DeepEqual(now, w.seen) && w.wrong == "" && !w.again && !w.first {
		return
	}
	w.first = false
	f, err := w.load()
	if err != nil {
		w.complain(nothingDone, err)
		return
	}
	w.seen = stampsOf(f.Sources)
	for path := range w.seen {
		if before, ok := now[path]; ok {
			w.seen[path] = before // a change since then is for the next look
		}
	}
	if w.wrong == "" && !w.again && reflect.DeepEqual(f.Pools, w.last.Pools) {
		w.last = f
		return
	}
	w.apply(ctx, f)
}

// What is said before an error.
const (
	nothingDone = "the changed configuration can't be used; everything stays as it was"
	someLeft    = "not all of it could be done"
	storeFailed = "the store did not take all of it, and is asked again"
)

func (w *watcher) apply(ctx context.Context, f *poolconfig.File) {
	err := w.site.possible(ctx, f)
	if err != nil {
		w.complain(nothingDone, err)
		return
	}
	did, refused, err := w.site.follow(ctx, f)
	if !w.again || len(did) > 0 || err == nil {
		printf(w.term.out, "  %s was read again.\n", f.Path)
	}
	for _, line := range did {
		printf(w.term.out, "    %s\n", line)
	}
	w.last = f
	w.again = err != nil
	if w.again {
		w.complain(storeFailed, err)
		return
	}
	w.wrong = ""
	if refused != nil {
		printf(w.term.err, "cognate: %s:\n%s\n", someLeft, indent(refused.Error()))
	}
}

// complain says once what is wrong.
func (w *watcher) complain(what string, err error) {
	if err.Error() == w.wrong {
		return
	}
	w.wrong = err.Error()
	printf(w.term.err, "cognate: %s:\n%s\n", what, indent(w.wrong))
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(text, "\n", "\n  ")
}
