// Package trace remembers the sign-ins of a pool for the developer's view: what was
// asked, what was answered, and what the pool decided on the way.
//
// It knows the words (userpool) and text. Package server feeds it, and devview shows it.
package trace

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// What a [Trace] remembers at most; the oldest makes room for the next.
const (
	maxSignIns    = 200
	maxTraceBytes = 16 << 20
	maxSteps      = 200     // of one sign-in
	maxSignInSize = 1 << 20 // bytes of its steps
	maxDecisions  = 20      // of one step
	maxAttrs      = 12      // of one decision
	maxTraceKeys  = 400     // of one sign-in
	maxTraceValue = 1000    // bytes; a mismatch names several addresses
	maxReports    = 8       // of one sign-in
)

// Trace remembers what the endpoints of a pool were asked, what they answered,
// and why, for the developer's view: the newest 200 sign-ins with at most 200
// steps each, in memory. It is fed by package server. What it holds may be
// shown: secrets never get into it. Its methods are safe for concurrent use,
// and those of a nil Trace do nothing.
type Trace struct {
	now func() time.Time

	mu      sync.Mutex
	signIns []*SignIn // the oldest first
	keys    map[string]*SignIn
	size    int // bytes, roughly, of all steps
	serial  int64
	version int64
	changed chan struct{} // closed at the next change
}

// New returns an empty Trace. now tells the time; nil is time.Now.
func New(now func() time.Time) *Trace {
	if now == nil {
		now = time.Now
	}
	return &Trace{now: now, keys: make(map[string]*SignIn), changed: make(chan struct{})}
}

// SignIn is one sign-in, from the authorization request to the sign-out,
// or a request that belongs to none.
type SignIn struct {
	ID       string    `json:"id"`
	Began    time.Time `json:"began"`
	Last     time.Time `json:"last"` // when its last step ended
	ClientID string    `json:"clientId,omitempty"`
	Username string    `json:"username,omitempty"`
	Sub      string    `json:"sub,omitempty"`
	Failed   bool      `json:"failed"` // one of its steps did
	Dropped  int       `json:"dropped,omitempty"`
	Steps    []Step    `json:"steps"`
	// AppReports says that the app reports how its sign-ins end: it has done so, of this one
	// or of another one that is remembered.
	AppReports bool `json:"appReports,omitempty"`

	keys    []string // by which it is found
	size    int
	reports int
}

// Step is one request and its answer.
type Step struct {
	Began time.Time     `json:"began"`
	Took  time.Duration `json:"took"` // in nanoseconds

	From   string  `json:"from"` // PartyBrowser or PartyApp
	Method string  `json:"method"`
	Path   string  `json:"path"`
	Sent   []Value `json:"sent,omitempty"` // the parameters, and who says to be asking

	Decisions []Decision `json:"decisions,omitempty"`

	Status    int     `json:"status"`
	To        string  `json:"to,omitempty"`       // where a redirect leads: one of the Party constants
	Location  string  `json:"location,omitempty"` // of a redirect, without its parameters
	Returned  []Value `json:"returned,omitempty"` // the parameters of a redirect
	Error     string  `json:"error,omitempty"`    // the protocol's code
	ErrorText string  `json:"errorText,omitempty"`
	Tokens    []Token `json:"tokens,omitempty"`
	RequestID string  `json:"requestId,omitempty"`
	ClientID  string  `json:"clientId,omitempty"`
}

// ReportPath is the Path of a step that [Trace.Report] added.
const ReportPath = "/_cognate/report"

// Reported reports whether the step is what the app says of how the sign-in ended there.
func (s Step) Reported() bool { return s.Path == ReportPath }

// Failed reports whether the step ended in a refusal or a failure.
func (s Step) Failed() bool { return s.Error != "" || s.Status >= 400 }

// size is about how many bytes the step holds.
func (s Step) size() int {
	n := 500 + len(s.Path) + len(s.Location) + len(s.ErrorText) + valuesSize(s.Sent) + valuesSize(s.Returned)
	for _, d := range s.Decisions {
		n += len(d.Event) + valuesSize(d.Attrs)
	}
	for _, t := range s.Tokens {
		n += len(t.Header) + len(t.Claims)
	}
	return n
}

func valuesSize(list []Value) (n int) {
	for _, v := range list {
		n += len(v.Name) + len(v.Value) + 40
	}
	return n
}

// The parties of a sign-in.
const (
	PartyBrowser  = "browser"
	PartyApp      = "app"
	PartyPool     = "pool"
	PartyProvider = "provider"
)

// Value is a name and what may be shown of its value.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Hidden says that Value is a description, since the value is a secret.
	Hidden bool `json:"hidden,omitempty"`
}

// Decision is something that the pool decided on the way.
type Decision struct {
	Event string  `json:"event"`
	Attrs []Value `json:"attrs,omitempty"`
}

// Get returns the value of the attribute with this name, or nothing.
func (d Decision) Get(name string) string { return valueOf(d.Attrs, name) }

// Param returns what was sent as the parameter with this name, or nothing.
func (s Step) Param(name string) string { return valueOf(s.Sent, name) }

func valueOf(list []Value, name string) string {
	i := slices.IndexFunc(list, func(v Value) bool { return v.Name == name })
	if i < 0 {
		return ""
	}
	return list[i].Value
}

// Token is what a token says, without its signature.
type Token struct {
	Kind   string `json:"kind"`   // access_token or id_token
	Header string `json:"header"` // JSON
	Claims string `json:"claims"` // JSON
}

// Key makes a key by which a later step finds its sign-in: of a kind, such
// as code, and a value that only the two of them know. It holds a digest alone.
func Key(kind string, value userpool.Secret) string { return kind + ":" + value.Digest() }

// A Record is a step and where it belongs.
type Record struct {
	Step Step
	// Begins says that the step is the first of a sign-in. Otherwise Find has
	// keys of the sign-in that it belongs to, the surest first.
	Begins bool
	Find   []string
	// Leave are the keys by which later steps find this one's sign-in.
	Leave []string
}

// request is what a request's context carries.
type request struct {
	mu        sync.Mutex
	decisions []Decision
}

type requestKey struct{}

// Observe returns a context in which every line that a logger of [Trace.Logger]
// writes is a decision about the request, and the function that returns them.
func (t *Trace) Observe(ctx context.Context) (observed context.Context, decisions func() []Decision) {
	r := &request{}
	return context.WithValue(ctx, requestKey{}, r), func() []Decision {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.Clip(r.decisions)
	}
}

// Now tells the time of the trace.
func (t *Trace) Now() time.Time { return t.now() }

// Record adds a step. The caller must not change what it points to any more.
func (t *Trace) Record(r Record) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.belongsTo(r)
	for _, key := range r.Leave {
		t.leave(s, key)
	}
	t.append(s, r.Step)
}

// StateKey is the key by which an app's report finds its sign-in. digest is the SHA-256 of
// the authorization request's state, in base64url: an app can put it into a link.
func StateKey(digest string) string { return Key("state", userpool.Secret(digest)) }

// Report adds what an app says of a sign-in that the client with this ID began; step says
// so. It does nothing and reports false if no such sign-in is remembered, or if its app has
// said enough.
func (t *Trace) Report(key, clientID string, step Step) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.keys[key]
	if s == nil || s.ClientID != clientID || s.reports >= maxReports {
		return false
	}
	s.reports++
	step.From, step.Path = PartyApp, ReportPath
	for i, v := range step.Sent {
		step.Sent[i].Value = text.ClipAt(v.Value, maxTraceValue)
	}
	step.Error, step.ErrorText = text.Clip(step.Error), text.ClipAt(step.ErrorText, maxTraceValue)
	t.append(s, step)
	return true
}

// Find returns the ID of the sign-in that has the key.
func (t *Trace) Find(key string) (id string, ok bool) {
	if t == nil {
		return "", false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.keys[key]
	if s == nil {
		return "", false
	}
	return s.ID, true
}

// append adds a step to a sign-in, and tells who waits. The caller holds mu.
func (t *Trace) append(s *SignIn, step Step) {
	t.size -= s.size
	s.add(step)
	t.size += s.size
	for t.size > maxTraceBytes && len(t.signIns) > 1 {
		t.forgetOldest()
	}
	t.version++
	close(t.changed)
	t.changed = make(chan struct{})
}

// belongsTo finds the sign-in of a step, or begins one.
func (t *Trace) belongsTo(r Record) *SignIn {
	if !r.Begins {
		for _, key := range r.Find {
			if s := t.keys[key]; s != nil {
				return s
			}
		}
	}
	if len(t.signIns) >= maxSignIns {
		t.forgetOldest()
	}
	t.serial++
	s := &SignIn{ID: strconv.FormatInt(t.serial, 10), Began: r.Step.Began}
	t.signIns = append(t.signIns, s)
	return s
}

func (t *Trace) forgetOldest() {
	s := t.signIns[0]
	t.signIns = slices.Delete(t.signIns, 0, 1)
	t.size -= s.size
	for _, key := range s.keys {
		if t.keys[key] == s {
			delete(t.keys, key)
		}
	}
}

func (t *Trace) leave(s *SignIn, key string) {
	if t.keys[key] == s {
		return
	}
	if len(s.keys) >= maxTraceKeys {
		if t.keys[s.keys[0]] == s {
			delete(t.keys, s.keys[0])
		}
		s.keys = slices.Delete(s.keys, 0, 1)
	}
	t.keys[key] = s
	s.keys = append(s.keys, key)
}

// add keeps the newest steps, and the first one, which says what was asked.
func (s *SignIn) add(step Step) {
	s.Steps = append(s.Steps, step)
	s.size += step.size()
	for len(s.Steps) > 2 && (len(s.Steps) > maxSteps || s.size > maxSignInSize) {
		s.size -= s.Steps[1].size()
		s.Steps = slices.Concat(s.Steps[:1], s.Steps[2:]) // a snapshot may hold the array
		s.Dropped++
	}
	s.Last = step.Began.Add(step.Took)
	s.Failed = s.Failed || step.Failed()
	for _, d := range step.Decisions {
		setIfGiven(&s.Username, d.Get("username"))
		setIfGiven(&s.Sub, d.Get("sub"))
	}
	if s.ClientID == "" {
		s.ClientID = step.ClientID
	}
}

func setIfGiven(to *string, value string) {
	if value != "" {
		*to = value
	}
}

// SignIns returns all sign-ins, the newest first, and the version of the trace,
// for [Trace.Wait]. The caller must not change what the steps point to.
func (t *Trace) SignIns() (all []SignIn, version int64) {
	if t == nil {
		return nil, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	reporting := make(map[string]bool)
	for _, s := range t.signIns {
		reporting[s.ClientID] = reporting[s.ClientID] || s.reports > 0
	}
	for _, s := range slices.Backward(t.signIns) {
		snapshot := s.snapshot()
		snapshot.AppReports = reporting[s.ClientID]
		all = append(all, snapshot)
	}
	return all, t.version
}

// SignIn returns the sign-in with this ID.
func (t *Trace) SignIn(id string) (s SignIn, version int64, ok bool) {
	if t == nil {
		return SignIn{}, 0, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.signIns, func(s *SignIn) bool { return s.ID == id })
	if i < 0 {
		return SignIn{}, t.version, false
	}
	s = t.signIns[i].snapshot()
	s.AppReports = slices.ContainsFunc(t.signIns, func(other *SignIn) bool {
		return other.ClientID == s.ClientID && other.reports > 0
	})
	return s, t.version, true
}

// snapshot shares the steps, which do not change any more.
func (s *SignIn) snapshot() SignIn {
	out := *s
	out.Steps, out.keys = slices.Clip(s.Steps), nil
	return out
}

// Wait returns when the version is no longer this, or ctx ends, with the
// version as it is then.
func (t *Trace) Wait(ctx context.Context, version int64) int64 {
	if t == nil {
		<-ctx.Done()
		return 0
	}
	for {
		t.mu.Lock()
		now, changed := t.version, t.changed
		t.mu.Unlock()
		if now != version || ctx.Err() != nil {
			return now
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// Logger returns a logger that writes to l and, for lines about a request that
// is observed, to the trace. A nil Trace returns l.
func (t *Trace) Logger(l *slog.Logger) *slog.Logger {
	if t == nil {
		return l
	}
	return slog.New(handler{l.Handler()})
}

// handler turns log lines into decisions. The house keeps secrets out of
// both in the same way.
type handler struct{ next slog.Handler }

func observed(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// Enabled reports whether the line is worth making.
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level) || level >= slog.LevelInfo && observed(ctx) != nil
}

// Handle takes one line.
func (h handler) Handle(ctx context.Context, record slog.Record) error {
	if r := observed(ctx); r != nil && record.Level >= slog.LevelInfo {
		r.add(record)
	}
	if !h.next.Enabled(ctx, record.Level) {
		return nil
	}
	return h.next.Handle(ctx, record)
}

// WithAttrs and WithGroup concern the log alone.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.next.WithAttrs(attrs)}
}

// WithGroup is WithAttrs for a group.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.next.WithGroup(name)}
}

func (r *request) add(record slog.Record) {
	d := Decision{Event: text.Clip(record.Message), Attrs: make([]Value, 0, record.NumAttrs())}
	record.Attrs(func(a slog.Attr) bool {
		if a.Key != "request_id" { // the step has it
			d.Attrs = append(d.Attrs, Value{Name: a.Key, Value: text.ClipAt(a.Value.Resolve().String(), maxTraceValue)})
		}
		return len(d.Attrs) < maxAttrs
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.decisions) < maxDecisions {
		r.decisions = append(r.decisions, d)
	}
}
