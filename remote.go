package cognate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// maxDocument bounds a JSON document from the provider, in bytes. Cognito's
	// discovery document and key set are under 2 KiB.
	maxDocument = 256 << 10
	// fetchTimeout bounds one fetch of such a document.
	fetchTimeout = 10 * time.Second
	// The pause after a failed fetch doubles from firstPause to maxPause.
	firstPause = time.Second
	maxPause   = time.Minute
	// refetchPause is how often an unknown key ID may cause a fetch. Tokens with
	// made-up key IDs cost nothing to make.
	refetchPause = 30 * time.Second
)

// A remote is a document of the provider's that is fetched when it is first needed
// and kept: one fetch at a time for any number of callers, none while a failed one's
// pause lasts, and the last good document stays in use when a newer one can't be
// had. It is safe for concurrent use.
type remote[T any] struct {
	fetch  func(context.Context) (T, error)
	now    func() time.Time
	maxAge time.Duration

	flight singleflight.Group

	mu       sync.Mutex
	value    T
	have     bool
	fetched  time.Time // when value was fetched
	err      error     // of the last attempt, nil after a good one
	failures int       // since the last good attempt
	failed   time.Time // when err happened
	attempts int       // how many fetches have ended, well or badly
	// A forced fetch began at forced, when forcedAfter attempts had ended.
	forced      time.Time
	forcedAfter int
}

// get returns the document, fetching it if there is none or it is too old.
func (r *remote[T]) get(ctx context.Context) (T, error) {
	r.mu.Lock()
	now := r.now()
	value, have, err, attempts := r.value, r.have, r.err, r.attempts
	fresh := have && within(now, r.fetched, r.maxAge)
	pausing := err != nil && within(now, r.failed, r.pause())
	r.mu.Unlock()
	switch {
	case fresh, have && pausing:
		return value, nil
	case pausing:
		return value, err
	}
	return r.load(ctx, attempts)
}

// refresh fetches the document again although it is not old, unless that was done
// less than refetchPause ago: then it returns what came of it.
func (r *remote[T]) refresh(ctx context.Context) (T, error) {
	r.mu.Lock()
	now := r.now()
	if !within(now, r.forced, refetchPause) {
		r.forced, r.forcedAfter = now, r.attempts
	}
	value, attempts, ended := r.value, r.forcedAfter, r.attempts > r.forcedAfter
	r.mu.Unlock()
	if ended {
		return value, nil
	}
	return r.load(ctx, attempts)
}

// load fetches once for all callers that wait, and not at all for one that comes when
// the attempt it was to join has just ended.
func (r *remote[T]) load(ctx context.Context, attempts int) (T, error) {
	return shared(ctx, &r.flight, "", fetchTimeout, func(ctx context.Context) (T, error) {
		r.mu.Lock()
		value, have, err, ended := r.value, r.have, r.err, r.attempts > attempts
		r.mu.Unlock()
		if ended && have {
			return value, nil
		}
		if ended {
			return value, err
		}
		value, err = r.fetch(ctx)
		return r.keep(value, err)
	})
}

// keep records the outcome of a fetch. A failed one leaves the last good document.
func (r *remote[T]) keep(value T, err error) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
	r.attempts++
	if err == nil {
		r.value, r.have, r.fetched, r.failures = value, true, r.now(), 0
		return value, nil
	}
	r.failures++
	r.failed = r.now()
	if r.have {
		return r.value, nil
	}
	return value, err
}

// pause is how long to leave the provider alone after the failures so far.
func (r *remote[T]) pause() time.Duration {
	return min(firstPause<<min(max(r.failures-1, 0), 10), maxPause)
}

// retryAfter is how long until get tries again, at least a second.
func (r *remote[T]) retryAfter() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(r.failed.Add(r.pause()).Sub(r.now()), firstPause).Round(time.Second)
}

// within tells whether now lies in the span that begins at start. A clock that jumped
// back before start ends the span: waiting for it to catch up could take for ever.
func within(now, start time.Time, span time.Duration) bool {
	age := now.Sub(start)
	return age >= 0 && age < span
}

// getJSON fetches a JSON document of at most maxDocument bytes into v.
func getJSON(client *http.Client, req *http.Request, v any) error {
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil && (req.Body != nil || req.Header.Get("Authorization") != "") {
		return withoutBody(err)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return &statusError{resp.StatusCode}
	case err != nil:
		return fmt.Errorf("reading the answer: %w", err)
	case len(body) > maxDocument:
		return fmt.Errorf("the answer is larger than %d bytes", maxDocument)
	}
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && t == "text/html" {
		return errors.New("the answer is an HTML page, not JSON")
	}
	if json.Unmarshal(body, v) != nil {
		return errors.New("the answer is not the JSON expected")
	}
	return nil
}

// statusError is an HTTP status other than 200.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprintf("the answer has status %d", e.status) }
