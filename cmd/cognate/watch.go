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

// newWatcher watches the files that f was read from.
func newWatcher(s *site, term terminal, f *poolconfig.File, load func() (*poolconfig.File, error)) *watcher {
	return &watcher{site: s, term: term, load: load, last: f, seen: stampsOf(f.Sources)}
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
	if reflect.DeepEqual(now, w.seen) && w.wrong == "" {
		return
	}
	f, err := w.load()
	if err != nil {
		w.complain(err)
		return
	}
	w.seen = stampsOf(f.Sources)
	if w.wrong == "" && reflect.DeepEqual(f.Pools, w.last.Pools) {
		w.last = f
		return
	}
	err = w.site.possible(f)
	if err != nil {
		w.complain(err)
		return
	}
	did, err := w.site.update(ctx, f)
	w.last, w.wrong = f, ""
	printf(w.term.out, "  %s was read again.\n", f.Path)
	for _, line := range did {
		printf(w.term.out, "    %s\n", line)
	}
	if err != nil {
		printf(w.term.err, "cognate: not all of it could be done:\n%s\n", indent(err.Error()))
	}
}

// complain says once what is wrong.
func (w *watcher) complain(err error) {
	if err.Error() == w.wrong {
		return
	}
	w.wrong = err.Error()
	printf(w.term.err, "cognate: the changed configuration can't be used; everything stays as it was:\n%s\n", indent(w.wrong))
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(text, "\n", "\n  ")
}
