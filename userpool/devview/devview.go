package devview

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/cognate-auth/cognate/userpool/pool"
)

// Handler serves the view. It is safe for concurrent use once its fields are set.
type Handler struct {
	Access // who may see the view

	Pool   *pool.Pool   // required
	Logger *slog.Logger // takes the view's own failures; required

	waiting chan struct{}
}

const (
	root     = "/_cognate/"
	livePath = root + "live"

	maxWaiting = 64
	maxWait    = 25 * time.Second
)

// Mount registers the view below /_cognate/.
func (h *Handler) Mount(mux *http.ServeMux) {
	h.waiting = make(chan struct{}, maxWaiting)
	own := http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{
		"{$}": h.flowsPage, "flows/{id}": h.flowPage, "flows.json": h.flowsJSON, "live": h.live,
		"outbox": h.outboxPage, "outbox.json": h.outboxJSON,
		"users": h.usersPage, "users/{sub}": h.userPage,
		"clients": h.clientsPage, "clients/{id}": h.clientPage, "clients/{id}/client_secrets.json": h.clientSecrets,
		"pool": h.poolPage,
	} {
		own.HandleFunc("GET "+root+path, handler)
	}
	own.HandleFunc("GET "+reportPath, reports{h}.show)
	own.HandleFunc(root, h.notFound)
	mux.Handle(root, h.guard(own))
	mux.Handle("POST "+reportPath, reports{h})
}

//go:embed templates/*.html style.css live.js copy.js
var files embed.FS

var (
	templates = template.Must(template.New("").Funcs(helpers).ParseFS(files, "templates/*.html"))
	style     = template.CSS(read("style.css")) //nolint:gosec // our own
	script    = template.JS(read("live.js"))    //nolint:gosec // our own
	copying   = template.JS(read("copy.js"))    //nolint:gosec // our own

	// policy allows the one style sheet and the two scripts, by their hashes.
	policy = "default-src 'none'; style-src " + source(string(style)) + "; script-src " + source(string(script)) +
		" " + source(string(copying)) +
		"; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func read(name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic("devview: " + err.Error())
	}
	return string(text)
}

func source(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page is what every page shows; the view of a page embeds it.
type page struct {
	Title   string
	Section string // of the navigation
	PoolID  string
	Style   template.CSS
	Script  template.JS // empty: the page does not change by itself
	Copy    template.JS // makes the copy buttons work; empty: there are none
	Version int64       // of the trace, for the script
	Renew   int64       // milliseconds after which the page says more by itself; 0: never
}

func (h *Handler) page(title, section string) page {
	return page{Title: title, Section: section, PoolID: h.Pool.ID(), Style: style, Copy: copying}
}

// live makes the page renew itself when the trace is no longer at version.
func (p page) live(version int64) page {
	p.Script, p.Version = script, version
	return p
}

// write renders a page as a whole before any of it is sent.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, status int, name string, view any) {
	var body bytes.Buffer
	err := templates.ExecuteTemplate(&body, name, view)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

func (h *Handler) writeJSON(w http.ResponseWriter, r *http.Request, v any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(v)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body.Bytes())
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	h.Logger.ErrorContext(r.Context(), "the developer's view failed", "path", r.URL.Path, "err", err)
	http.Error(w, "The developer's view failed; the log says why.", http.StatusInternalServerError)
}

// messagePage says one thing.
type messagePage struct {
	page
	Text     string
	Token    bool // tell where the token is
	FromLink bool // the browser may have it, and not have sent it
	Home     string
}

func (h *Handler) forbid(w http.ResponseWriter, r *http.Request) {
	view := messagePage{
		page: page{Title: "Not from here", Style: style},
		Text: "A page of another site asked for this. Open the developer’s view in a tab of its own.",
	}
	h.write(w, r, http.StatusForbidden, "message", view)
}

func (h *Handler) notFound(w http.ResponseWriter, r *http.Request) {
	view := messagePage{
		page: h.page("Not here", ""), Text: "There is nothing at this address, or no longer.", Home: root,
	}
	h.write(w, r, http.StatusNotFound, "message", view)
}

// live answers when the trace is no longer at the version given, or after a
// while, with the version as it is.
func (h *Handler) live(w http.ResponseWriter, r *http.Request) {
	version, err := strconv.ParseInt(r.URL.Query().Get("version"), 10, 64)
	if err != nil {
		http.Error(w, "Give the version that you have.", http.StatusBadRequest)
		return
	}
	ctx, leave, ok := h.wait(r.Context(), maxWait)
	if !ok {
		http.Error(w, "Too many are waiting.", http.StatusTooManyRequests)
		return
	}
	defer leave()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(strconv.AppendInt(nil, h.Pool.Trace().Wait(ctx, version), 10))
}

// wait gives a request leave to wait, for a time.
func (h *Handler) wait(ctx context.Context, most time.Duration) (waiting context.Context, leave func(), ok bool) {
	select {
	case h.waiting <- struct{}{}:
	default:
		return nil, nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	return ctx, func() { cancel(); <-h.waiting }, true
}
