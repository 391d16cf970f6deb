// Package recorder feeds a pool's trace: it stands around the pool's handlers
// and writes down each request, its answer, and what was decided in between.
// Secrets stay outside: what may be shown is a list, and all else is described.
//
// It knows the words (userpool), trace and browser.
package recorder

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/trace"
)

// recorder is the handler.
type recorder struct {
	trace *trace.Trace
	base  string // the domain, without trailing slash
	next  http.Handler
	marks [32]byte // the key of the marks that stand for secrets
}

// Handler returns next with its requests recorded in t. base is the domain,
// such as http://localhost:9229.
func Handler(t *trace.Trace, base string, next http.Handler) http.Handler {
	h := &recorder{trace: t, base: base, next: next}
	_, _ = rand.Read(h.marks[:])
	return h
}

// ServeHTTP serves and records. The handlers see the request as it came.
func (h *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if ignored(r) {
		h.next.ServeHTTP(w, r)
		return
	}
	ctx, decisions := h.trace.Observe(r.Context())
	began := h.trace.Now()
	observed := r.WithContext(ctx)
	body := &copied{most: browser.MaxForm}
	if r.Method == http.MethodPost {
		observed.Body = tee{r.Body, body}
	}
	answer := &response{ResponseWriter: w, body: copied{most: maxAnswer}}
	h.next.ServeHTTP(answer, observed)
	x := h.read(r, body, answer)
	x.step.Began, x.step.Took, x.step.Decisions = began, h.trace.Now().Sub(began), decisions()
	h.trace.Record(x.record())
}

// ignored are the requests that are no part of a sign-in.
func ignored(r *http.Request) bool {
	return r.Method == http.MethodOptions || r.URL.Path == "/" || r.URL.Path == "/favicon.ico" ||
		strings.HasPrefix(r.URL.Path, "/_cognate") && r.URL.Path != browser.OneClickPath ||
		strings.Contains(r.URL.Path, "/.well-known/")
}

// maxAnswer is how much of an answer is looked at; three tokens fit.
const maxAnswer = 64 << 10

// copied keeps the first bytes of what passes.
type copied struct {
	bytes.Buffer

	most int
	over bool // more came
}

func (c *copied) keep(p []byte) {
	if len(p) > c.most-c.Len() {
		p, c.over = p[:c.most-c.Len()], true
	}
	_, _ = c.Write(p)
}

// tee is a request's body that is copied while the handler reads it.
type tee struct {
	io.ReadCloser

	to *copied
}

// Read copies what it reads.
func (t tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.to.keep(p[:n])
	return n, err
}

// response remembers the status and, of JSON, the body.
type response struct {
	http.ResponseWriter

	status int
	body   copied
}

// WriteHeader remembers the first status, which is the one that counts.
func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write keeps the beginning of JSON.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		w.body.keep(p)
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// exchange is one request and its answer, as they are read.
type exchange struct {
	h      *recorder
	r      *http.Request
	query  url.Values
	form   url.Values
	answer *response
	target *url.URL // of a redirect; else nil

	step        trace.Step
	find, leave []string
}

func (x *exchange) record() trace.Record {
	return trace.Record{
		Step: x.step, Find: x.find, Leave: x.leave,
		Begins: x.r.URL.Path == "/oauth2/authorize",
	}
}

// read makes a step of what came and went.
func (h *recorder) read(r *http.Request, body *copied, answer *response) *exchange {
	x := &exchange{h: h, r: r, answer: answer}
	if len(r.URL.RawQuery) <= browser.MaxQuery {
		x.query, _ = url.ParseQuery(r.URL.RawQuery) // as much of it as can be read
	}
	if !body.over {
		x.form, _ = url.ParseQuery(body.String())
	}
	x.step = trace.Step{
		From: trace.PartyBrowser, Method: clip(r.Method, 20), Path: clip(r.URL.Path, 300),
		Status: answer.status, RequestID: answer.Header().Get(browser.RequestIDHeader),
	}
	if x.step.Status == 0 {
		x.step.Status = http.StatusOK
	}
	switch r.URL.Path {
	case "/oauth2/token", "/oauth2/revoke", "/oauth2/userInfo":
		x.step.From = trace.PartyApp
	}
	x.readSent()
	x.readRedirect()
	x.readJSON()
	x.setKeys()
	return x
}
