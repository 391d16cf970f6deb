package oidc

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/flight"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/utf8text"
)

const (
	// maxDocument bounds a JSON document from the provider, in bytes. Cognito's
	// discovery document and key set are under 2 KiB.
	maxDocument = 256 << 10
	// The pause after a failed fetch doubles from firstPause to maxPause.
	firstPause = time.Second
	maxPause   = time.Minute
	// refetchPause is how often an unknown key ID may cause a fetch. Tokens with
	// made-up key IDs cost nothing to make.
	refetchPause = 30 * time.Second
)

// A remote is a document of the provider's that is fetched when it is first needed and
// kept. There is one fetch at a time for any number of callers, and none while a failed
// one's pause lasts. A document that is old is fetched anew in the background, and used
// meanwhile, so that no visitor waits for a provider that is slow or away (as
// stale-while-revalidate of RFC 5861, 3). It is safe for concurrent use.
type remote[T any] struct {
	fetch  func(context.Context) (T, error)
	now    func() time.Time
	maxAge time.Duration // from when on it is fetched anew
	// trusted is the age from which on the document is no longer used. Zero: for ever.
	trusted time.Duration
	// grace is how long the caller that begins the fetch of an old document waits for the
	// new one. Zero: not at all.
	grace time.Duration
	// failed, if not nil, is told of a fetch that failed while the old document is used.
	failed func(error)

	mu       sync.Mutex
	value    T
	have     bool
	fetched  time.Time     // when value was fetched
	err      error         // of the last attempt, nil after a good one
	failures int           // since the last good attempt
	failedAt time.Time     // when err happened
	under    chan struct{} // closed at the end of the fetch that is under way; nil: none is
	forced   time.Time     // when refresh last caused a fetch
}

// get returns the document. It waits for the provider only if there is none that can be
// used.
func (r *remote[T]) get(ctx context.Context) (T, error) {
	r.mu.Lock()
	now := r.now()
	if r.have && now.Before(r.fetched) {
		// The clock was set back, and nobody knows how old the document is: old.
		r.fetched = now.Add(-r.maxAge)
	}
	age := now.Sub(r.fetched)
	usable := r.have && (r.trusted == 0 || age < r.trusted)
	fresh := usable && age < r.maxAge
	pausing := r.err != nil && cache.Within(now, r.failedAt, r.pause())
	value, err, under, lost := r.value, r.err, r.under, r.have
	if !fresh && !pausing && under == nil {
		under = r.start()
	} else if usable {
		under = nil // somebody else has waited for it, or will
	}
	r.mu.Unlock()
	switch {
	case usable && (under == nil || r.grace == 0):
		return value, nil
	case usable:
		return r.wait(ctx, under, r.grace)
	case under == nil:
		return value, r.gone(lost, err)
	}
	return r.wait(ctx, under, RequestTimeout)
}

// refresh fetches the document again although it is not old, unless that was done
// less than refetchPause ago: then it returns what there is.
func (r *remote[T]) refresh(ctx context.Context) (T, error) {
	r.mu.Lock()
	now := r.now()
	if !cache.Within(now, r.forced, refetchPause) {
		r.forced = now
		if r.under == nil {
			r.start()
		}
	}
	value, under := r.value, r.under
	r.mu.Unlock()
	if under == nil {
		return value, nil
	}
	return r.wait(ctx, under, RequestTimeout)
}

// peek returns the document that is there, of whatever age.
func (r *remote[T]) peek() (value T, have bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value, r.have
}

// start begins a fetch, which does not end with the request that caused it: one visitor who
// leaves would fail all others. The caller holds mu.
func (r *remote[T]) start() chan struct{} {
	done := make(chan struct{})
	r.under = done
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), RequestTimeout)
		defer cancel()
		value, err := flight.Guard(func() (T, error) { return r.fetch(ctx) })
		stays := r.keep(value, err)
		close(done)
		if stays && r.failed != nil {
			r.failed(err)
		}
	}()
	return done
}

// keep records the outcome of a fetch, and reports whether it failed and left an older
// document in use.
func (r *remote[T]) keep(value T, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.under = nil
	r.err = err
	if err == nil {
		r.value, r.have, r.fetched, r.failures = value, true, r.now(), 0
		return false
	}
	r.failures++
	r.failedAt = r.now()
	return r.have
}

// wait waits for a fetch, at most for the given time, and returns what there is then. A
// caller that leaves gets the error of its own context.
func (r *remote[T]) wait(ctx context.Context, under <-chan struct{}, limit time.Duration) (T, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var err error
	select {
	case <-under:
	case <-timer.C:
		err = errors.New("it took too long")
	case <-ctx.Done():
		err = ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.have && (r.trusted == 0 || r.now().Sub(r.fetched) < r.trusted) {
		return r.value, nil
	}
	if err == nil {
		err = r.err
	}
	return r.value, r.gone(r.have, err)
}

// gone is the error of a document that can't be had, which says so if there was one.
func (r *remote[T]) gone(lost bool, err error) error {
	if lost {
		return fmt.Errorf("what was fetched more than %s ago is not trusted any more: %w", r.trusted, err)
	}
	return err
}

// pause is how long to leave the provider alone after the failures so far.
func (r *remote[T]) pause() time.Duration {
	return min(firstPause<<min(max(r.failures-1, 0), 10), maxPause)
}

// retryAfter is how long until get tries again, at least a second.
func (r *remote[T]) retryAfter() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(r.failedAt.Add(r.pause()).Sub(r.now()), firstPause).Round(time.Second)
}

// errOtherIssuer marks a discovery document that belongs to another issuer.
var errOtherIssuer = errors.New("set Issuer to the one whose document it is, to the letter; " +
	"an address that serves the tenants of a provider in common is none")

// unavailable is the error of a document of the provider's that can't be had, or is not
// the provider's at all.
func unavailable(err error, retryAfter time.Duration) *refusal.Error {
	if errors.Is(err, errOtherIssuer) {
		return refusal.New(refusal.ProviderIssuer, "%w", err)
	}
	e := refusal.New(refusal.ProviderDown, "%w", err)
	e.RetryAfter = retryAfter
	return e
}

// getJSON fetches a JSON document of at most maxDocument bytes into v.
func getJSON(client *http.Client, req *http.Request, v any) error {
	req.Header.Set("Accept", "application/json")
	body, _, err := fetchDocument(client, req)
	if err != nil {
		return err
	}
	if json.Unmarshal(body, v) != nil {
		return errors.New("the answer is not the JSON expected")
	}
	return nil
}

// fetchDocument fetches a document of at most maxDocument bytes, without a byte order mark,
// and its media type.
func fetchDocument(client *http.Client, req *http.Request) (body []byte, mediaType string, err error) {
	resp, err := client.Do(req)
	if err != nil && (req.Body != nil || req.Header.Get("Authorization") != "") {
		return nil, "", withoutBody(err)
	}
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, "", &statusError{resp.StatusCode}
	case err != nil:
		return nil, "", fmt.Errorf("reading the answer: %w", err)
	case len(body) > maxDocument:
		return nil, "", fmt.Errorf("the answer is larger than %d bytes", maxDocument)
	}
	mediaType, _, err = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && mediaType == "text/html" {
		return nil, "", errors.New("the answer is an HTML page, not JSON")
	}
	body, err = utf8text.Decode(body)
	if err != nil {
		return nil, "", fmt.Errorf("the answer: %w", err)
	}
	return body, mediaType, nil
}

// withoutBody keeps the cause of a failed connection and drops every other text, which
// could quote what was sent: net/http shows the beginning of an answer that is none.
func withoutBody(err error) error {
	for _, known := range []error{
		context.DeadlineExceeded, context.Canceled, http.ErrSchemeMismatch, io.EOF, io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("no connection: %w", e)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("no connection: %w", e)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return errors.New("it took too long")
	}
	return errors.New("it broke off")
}

// statusError is an HTTP status other than 200.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprintf("the answer has status %d", e.status) }
