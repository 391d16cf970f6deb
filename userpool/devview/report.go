package devview

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/cognate-auth/cognate/userpool/trace"
)

// reportPath takes reports (POST), and shows the sign-in that one is about (GET).
const reportPath = trace.ReportPath

// ReportURL is where an app says how a sign-in ended there, at the pool at baseURL. The
// discovery document names it.
func ReportURL(baseURL string) string { return baseURL + reportPath }

const (
	// maxReport is in bytes. JSON may take six for one of the texts, as for each < (RFC 8259
	// section 7); the trace clips the texts themselves.
	maxReport = 16 << 10
	// clockTolerance is how far the clock of the app may be off without a word.
	clockTolerance = 30 * time.Second
)

// report is what an app says of how a sign-in ended.
type report struct {
	SignIn   string    `json:"sign_in"` // SHA-256 of the state, in base64url
	ClientID string    `json:"client_id"`
	Outcome  string    `json:"outcome"` // signed_in or refused
	Time     time.Time `json:"time"`    // by the app's clock

	Reason    string `json:"reason"`
	Cause     string `json:"cause"`
	Hint      string `json:"hint"`
	Reference string `json:"reference"`
}

// reports takes what apps say of sign-ins. It needs no token: who knows the state of a
// sign-in that is remembered, and its client, may add a few notes to its diagram, and
// nothing else. The state is known to the browser, to the app and to this pool. No page can
// get a browser to send a report, whatever it knows.
type reports struct{ h *Handler }

// ServeHTTP takes one report.
func (p reports) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	if fromBrowser(r) {
		http.Error(w, "Apps send reports from their server, and browsers none.", http.StatusForbidden)
		return
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		http.Error(w, "Send the report as application/json.", http.StatusUnsupportedMediaType)
		return
	}
	said, err := readReport(http.MaxBytesReader(w, r.Body, maxReport))
	if err != nil {
		http.Error(w, "The report "+err.Error()+".", http.StatusBadRequest)
		return
	}
	all := p.h.Pool.Trace()
	if !all.Report(trace.StateKey(said.SignIn), said.ClientID, said.step(all.Now())) {
		http.Error(w, "No sign-in of this client has this state, it is no longer remembered, or there are enough "+
			"reports of it.", http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// fromBrowser reports whether a browser sends this: each one sends one of these with a POST,
// and no page can prevent it (Fetch Metadata; RFC 6454 section 7).
func fromBrowser(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != ""
}

// readReport reads a report of at most maxReport bytes. Its error continues "The report".
func readReport(body io.Reader) (report, error) {
	var said report
	d := json.NewDecoder(body)
	err := d.Decode(&said)
	if err != nil {
		return report{}, fmt.Errorf("is not a JSON object of at most %d bytes with texts and a time as in RFC 3339",
			maxReport)
	}
	_, err = d.Token()
	switch {
	case !errors.Is(err, io.EOF):
		return report{}, errors.New("is followed by something else")
	case said.SignIn == "" || said.ClientID == "" || said.Time.IsZero():
		return report{}, errors.New("lacks sign_in, client_id or time")
	case said.Outcome != "signed_in" && said.Outcome != "refused":
		return report{}, errors.New("has an outcome that is neither signed_in nor refused")
	case said.Outcome == "refused" && said.Reason == "":
		return report{}, errors.New("has no reason although the sign-in was refused")
	}
	for _, text := range []*string{&said.Reason, &said.Cause, &said.Hint, &said.Reference} {
		*text = readable(*text)
	}
	return said, nil
}

// readable leaves out what can't be seen, or turns the text around.
func readable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return -1
	}, text)
}

// step is the report as a step of the sign-in.
func (said report) step(now time.Time) trace.Step {
	s := trace.Step{Began: now, Method: http.MethodPost, ClientID: said.ClientID, Status: http.StatusNoContent}
	for _, v := range []trace.Value{
		{Name: "outcome", Value: said.Outcome}, {Name: "reason", Value: said.Reason},
		{Name: "cause", Value: said.Cause}, {Name: "hint", Value: said.Hint},
		{Name: "reference", Value: said.Reference}, {Name: "time", Value: said.Time.UTC().Format(time.RFC3339)},
		{Name: "clock", Value: clockText(said.Time.Sub(now))},
	} {
		if v.Value != "" {
			s.Sent = append(s.Sent, v)
		}
	}
	if said.Outcome == "refused" {
		s.Error, s.ErrorText = said.Reason, said.Cause
	}
	return s
}

// clockText says how far the clock of an app is off, or nothing.
func clockText(ahead time.Duration) string {
	switch {
	case ahead > clockTolerance:
		return "The app’s clock is " + ahead.Round(time.Second).String() + " ahead of this pool’s."
	case ahead < -clockTolerance:
		return "The app’s clock is " + (-ahead).Round(time.Second).String() + " behind this pool’s."
	}
	return ""
}

// show leads to the sign-in whose state has this digest: an app knows no other name for it.
func (p reports) show(w http.ResponseWriter, r *http.Request) {
	id, ok := p.h.Pool.Trace().Find(trace.StateKey(r.URL.Query().Get("sign_in")))
	if !ok {
		p.h.notFound(w, r)
		return
	}
	w.Header().Set("Location", root+"flows/"+id)
	w.WriteHeader(http.StatusSeeOther)
}
