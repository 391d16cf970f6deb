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
	// refetchPause is the shortest time between two fetches for unknown key IDs: anyone can
	// make tokens with invented key IDs.
	refetchPause = 30 * time.Second
)

// A remote is a document of the provider that is fetched when it is first needed, and kept.
// There is one fetch at a time for any number of callers, and none for some time after a
// failed one. An old document is fetched again in the background and used meanwhile, so that
// no visitor waits for a provider that is slow or down (as with stale-while-revalidate of
// RFC 5861, 3). It is safe for concurrent use.
type remote[T any] struct {
	fetch  func(context.Context) (T, error)
	now    func() time.Time
	maxAge time.Duration // age from which the document is fetched again
	// trusted is the age from which the document is no longer used. Zero means no limit.
	trusted time.Duration
	// grace is how long the caller that starts the fetch of an old document waits for the
	// new one. Zero means not at all.
	grace time.Duration
	// failed, if not nil, is called if a fetch fails while the old document is used.
	failed func(error)

	mu       sync.Mutex
	value    T
	have     bool
	fetched  time.Time     // when value was fetched
	err      error         // of the last fetch, nil if it succeeded
	failures int           // since the last successful fetch
	failedAt time.Time     // when err happened
	inFlight chan struct{} // closed at the end of the running fetch; nil if there is none
	forced   time.Time     // when refresh last caused a fetch
}

// get returns the document. It waits for the provider only if it has no usable document.
func (r *remote[T]) get(ctx context.Context) (T, error) {
	r.mu.Lock()
	now := r.now()
	if r.have && now.Before(r.fetched) {
		// The clock was set back, so the document's age is unknown: treat it as old.
		r.fetched = now.Add(-r.maxAge)
	}
	age := now.Sub(r.fetched)
	usable := r.have && (r.trusted == 0 || age < r.trusted)
	fresh := usable && age < r.maxAge
	pausing := r.err != nil && cache.Within(now, r.failedAt, r.pause())
	value, err, inFlight, tooOld := r.value, r.err, r.inFlight, r.have
	if !fresh && !pausing && inFlight == nil {
		inFlight = r.start()
	} else if usable {
		inFlight = nil // only the caller that starts a fetch waits for it
	}
	r.mu.Unlock()
	switch {
	case usable && (inFlight == nil || r.grace == 0):
		return value, nil
	case usable:
		return r.wait(ctx, inFlight, r.grace)
	case inFlight == nil:
		return value, r.unusable(tooOld, err)
	}
	return r.wait(ctx, inFlight, RequestTimeout)
}

// refresh fetches the document again although it is not old. If it did so less than
// refetchPause ago, it returns the current document instead.
func (r *remote[T]) refresh(ctx context.Context) (T, error) {
	r.mu.Lock()
	now := r.now()
	if !cache.Within(now, r.forced, refetchPause) {
		r.forced = now
		if r.inFlight == nil {
			r.start()
		}
	}
	value, inFlight := r.value, r.inFlight
	r.mu.Unlock()
	if inFlight == nil {
		return value, nil
	}
	return r.wait(ctx, inFlight, RequestTimeout)
}

// peek returns the last document, however old, without fetching one.
func (r *remote[T]) peek() (value T, have bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value, r.have
}

// start begins a fetch. The fetch does not end with the request that caused it; otherwise
// one visitor who leaves would make it fail for all others. The caller holds mu.
func (r *remote[T]) start() chan struct{} {
	done := make(chan struct{})
	r.inFlight = done
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
	r.inFlight = nil
	r.err = err
	if err == nil {
		r.value, r.have, r.fetched, r.failures = value, true, r.now(), 0
		return false
	}
	r.failures++
	r.failedAt = r.now()
	return r.have
}

// wait waits for a fetch, for at most limit, and then returns the current document. If the
// context ends first and there is no document, it returns the context's error.
func (r *remote[T]) wait(ctx context.Context, inFlight <-chan struct{}, limit time.Duration) (T, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var err error
	select {
	case <-inFlight:
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
	return r.value, r.unusable(r.have, err)
}

// unusable returns the error for a document that can't be fetched. tooOld means that there
// is one, but older than trusted.
func (r *remote[T]) unusable(tooOld bool, err error) error {
	if tooOld {
		return fmt.Errorf("the last document was fetched more than %s ago and is not trusted any more: %w",
			r.trusted, err)
	}
	return err
}

// pause returns how long to wait for the next fetch after the failures so far.
func (r *remote[T]) pause() time.Duration {
	return min(firstPause<<min(max(r.failures-1, 0), 10), maxPause)
}

// retryAfter returns how long it is until get tries again, at least a second.
func (r *remote[T]) retryAfter() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(r.failedAt.Add(r.pause()).Sub(r.now()), firstPause).Round(time.Second)
}

// errOtherIssuer marks a discovery document that belongs to another issuer.
var errOtherIssuer = errors.New("set Issuer to exactly the issuer that the document names; " +
	"an address that all tenants of a provider share is not an issuer")

// unavailable returns the error for a document of the provider that can't be fetched, or
// that belongs to another issuer.
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

// fetchDocument fetches a document of at most maxDocument bytes and returns it, without a
// byte order mark, and its media type.
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
// could quote secrets: net/http quotes the beginning of a malformed response, and a broken
// server may send back what it was sent.
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
	return errors.New("the connection broke off")
}

// statusError is an HTTP status other than 200.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprintf("the answer has status %d", e.status) }
