package devview

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

const (
	messagesPerPage = 100
	maxMessages     = 1000
	maxOutboxWait   = 25 * time.Second
	outboxInterval  = 50 * time.Millisecond // between looks, while somebody waits
)

// outboxView is the list of messages.
type outboxView struct {
	page
	To, Purpose string
	Purposes    []string
	Messages    []userpool.Message
	Next        string
}

var purposes = []string{
	userpool.PurposeSignUp, userpool.PurposeReset, userpool.PurposeVerify, userpool.PurposeMFA,
	userpool.PurposeSignIn, userpool.PurposeInvitation,
}

func (h *Handler) outboxPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	_, version := h.Pool.Trace().SignIns()
	view := outboxView{
		page: h.page("Outbox", "outbox"), To: strings.TrimSpace(q.Get("to")), Purpose: q.Get("purpose"),
		Purposes: purposes,
	}
	if h.Pool.Trace() != nil {
		view.page = view.live(version)
	}
	list, err := h.Pool.Outbox.List(r.Context(), userpool.MessageQuery{
		To: view.To, Before: q.Get("before"), Limit: messagesPerPage,
	})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if len(list) == messagesPerPage {
		next := url.Values{"to": {view.To}, "purpose": {view.Purpose}, "before": {list[len(list)-1].ID}}
		view.Next = root + "outbox?" + next.Encode()
	}
	view.Messages = chosen(list, view.Purpose)
	h.write(w, r, http.StatusOK, "outbox", view)
}

func chosen(list []userpool.Message, purpose string) []userpool.Message {
	return slices.DeleteFunc(list, func(m userpool.Message) bool { return purpose != "" && m.Purpose != purpose })
}

// jsonMessage is a message with its code in the clear.
type jsonMessage struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Medium   string    `json:"medium"`
	To       string    `json:"to"`
	Subject  string    `json:"subject,omitempty"`
	Body     string    `json:"body"`
	HTML     bool      `json:"html,omitempty"`
	Code     string    `json:"code,omitempty"`
	Link     string    `json:"link,omitempty"`
	Purpose  string    `json:"purpose"`
	Sub      string    `json:"sub,omitempty"`
	Username string    `json:"username,omitempty"`
	ClientID string    `json:"clientId,omitempty"`
}

func newJSONMessage(m userpool.Message) jsonMessage {
	return jsonMessage{
		ID: m.ID, Time: m.Time, Medium: m.Medium, To: m.To, Subject: m.Subject, Body: m.Body, HTML: m.HTML,
		Code: string(m.Code), Link: m.Link, Purpose: m.Purpose, Sub: m.Sub, Username: m.Username, ClientID: m.ClientID,
	}
}

// outboxQuery is what a program asks for.
type outboxQuery struct {
	userpool.MessageQuery
	Purpose string
	After   string // the ID of a message: only newer ones
	Wait    time.Duration
}

// readOutboxQuery reads the parameters, or says what is wrong with one.
func readOutboxQuery(q url.Values) (out outboxQuery, problem string) {
	out.To, out.Username, out.Sub = q.Get("to"), q.Get("username"), q.Get("sub")
	out.Purpose, out.After, out.Limit = q.Get("purpose"), q.Get("after"), maxMessages
	if out.Purpose != "" && !slices.Contains(purposes, out.Purpose) {
		return out, "purpose is one of " + strings.Join(purposes, ", ") + "."
	}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxMessages {
			return out, "limit is a number from 1 to 1000."
		}
		out.Limit = n
	}
	if text := q.Get("wait"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 || d > maxOutboxWait {
			return out, "wait is a time such as 5s, at most 25s."
		}
		out.Wait = d
	}
	return out, ""
}

// outboxJSON is the outbox for tests. It waits for a message if there is none
// yet and the request says so.
func (h *Handler) outboxJSON(w http.ResponseWriter, r *http.Request) {
	q, problem := readOutboxQuery(r.URL.Query())
	if problem != "" {
		http.Error(w, problem, http.StatusBadRequest)
		return
	}
	list, err := h.messages(r.Context(), q)
	if err == nil && len(list) == 0 && q.Wait > 0 {
		ctx, leave, ok := h.wait(r.Context(), q.Wait)
		if !ok {
			http.Error(w, "Too many are waiting.", http.StatusTooManyRequests)
			return
		}
		list, err = h.await(ctx, q)
		leave()
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := make([]jsonMessage, 0, len(list))
	for _, m := range list {
		out = append(out, newJSONMessage(m))
	}
	h.writeJSON(w, r, out)
}

// await looks again until there is a message or ctx ends. Another process may
// be the one that writes it, so there is nothing to be woken by.
func (h *Handler) await(ctx context.Context, q outboxQuery) ([]userpool.Message, error) {
	ticker := time.NewTicker(outboxInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, nil
		case <-ticker.C:
		}
		list, err := h.messages(ctx, q)
		if ctx.Err() != nil {
			return nil, nil // the time is over: not the store's failure
		}
		if err != nil || len(list) > 0 {
			return list, err
		}
	}
}

// messages returns what q asks for, the newest first.
func (h *Handler) messages(ctx context.Context, q outboxQuery) ([]userpool.Message, error) {
	limit := q.Limit
	q.Limit = maxMessages
	list, err := h.Pool.Outbox.List(ctx, q.MessageQuery)
	if err != nil {
		return nil, err
	}
	list = chosen(list, q.Purpose)
	if q.After != "" {
		list = slices.DeleteFunc(list, func(m userpool.Message) bool { return m.ID <= q.After })
	}
	return list[:min(limit, len(list))], nil
}
