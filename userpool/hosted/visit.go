package hosted

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// A visit is one request of a browser on its way through the pages.
type visit struct {
	h *Handler
	w http.ResponseWriter
	r *http.Request

	query  url.Values // the whole authorization request
	auth   *grants.Authorization
	locale *locale
	csrf   userpool.Secret // the browser's token

	id   userpool.Secret // of the flow; empty: it is not stored
	flow *userpool.Flow  // never nil; a fresh one when there is no stored one
	form url.Values      // of a POST

	search string // part of a name that a developer looks for; see searchParam

	fresh  bool // nothing was proven when the form came
	status int  // of the page that shows the step again; zero: 200, or 401 if the flow failed
}

// flowParam is the query parameter that carries the flow's id beside those of
// the authorization request. It is worth nothing in another browser.
const flowParam = "flow"

// begin reads what every page is opened with: the authorization request, which
// is checked again each time, and the flow. If it has answered the request
// itself, ok is false.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, step userpool.Step) (v *visit, ok bool) {
	q, err := browser.Query(r)
	if err != nil {
		h.refuser().Refuse(w, r, nil, browser.Malformed(err))
		return nil, false
	}
	v = &visit{
		h: h, w: w, r: r, query: q, id: userpool.Secret(q.Get(flowParam)),
		locale: chooseLocale(w, r, h.secure()), // of the error page, too, if that is what comes
	}
	q.Del(flowParam)
	err = v.takeSearch()
	if err != nil {
		v.refuse(err)
		return nil, false
	}
	if step == userpool.StepAddPasskey && !q.Has("response_type") {
		q.Set("response_type", "code") // the page is no authorization request; nothing else is missing
	}
	v.auth, err = h.Pool.Grants.ParseAuthorization(r.Context(), q)
	if err == nil && v.auth.NoPrompt {
		err = v.auth.LoginRequired()
	}
	if err == nil {
		err = v.load(step)
	}
	if err != nil {
		v.refuse(err)
		return nil, false
	}
	if v.flow == nil {
		v.over()
		return nil, false
	}
	return v, true
}

// load finds the flow, or begins one if the page may be the first.
func (v *visit) load(step userpool.Step) error {
	request := v.query.Encode()
	v.csrf = v.h.csrfToken(v.w, v.r)
	if v.id == "" {
		if pages[step].open {
			v.id, v.flow = v.h.Pool.Flows.Start(v.csrf, request)
			v.flow.Step = step
			if step != userpool.StepAddPasskey && !v.auth.Client.Supports(userpool.ProviderCognito) {
				v.flow.Step = userpool.StepSignIn // which says where else people can sign in
			}
			v.flow.After = v.cameFor()
		}
		return nil
	}
	f, ok, err := v.h.Pool.Flows.Get(v.r.Context(), v.id, v.csrf, request)
	if ok {
		v.flow = f
	}
	return err
}

// open is GET of a page.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, step userpool.Step) {
	v, ok := h.begin(w, r, step)
	if !ok {
		return
	}
	page := pages[step]
	switch {
	case v.flow.Step != step:
		v.goOn()
	case page.opened == nil || !page.opened(v):
		v.show(page)
	}
}

// post is POST of a page: the dispatcher. The form counts only if it is of the
// page that the flow is at; that turn is taken before anything is done, so that
// of two equal forms one has an effect.
func (h *Handler) post(w http.ResponseWriter, r *http.Request, step userpool.Step) {
	h.act(w, r, step, pages[step].submit)
}

// act is post for a form of the step's page that asks for something else.
func (h *Handler) act(w http.ResponseWriter, r *http.Request, step userpool.Step, submit func(*visit) error) {
	form, ok := h.ownForm(w, r)
	if !ok {
		return
	}
	v, ok := h.begin(w, r, step)
	if !ok {
		return
	}
	v.form = form
	if v.flow.Step != step || strconv.FormatInt(v.flow.Version, 10) != form.Get("turn") && v.flow.Version > 0 {
		v.goOn()
		return
	}
	v.fresh = len(v.flow.Methods) == 0
	err := v.take()
	if err == nil {
		v.flow.Notice, v.flow.Failed = "", false
		err = submit(v)
	}
	v.after(step, err)
}

// take uses up the form's turn. A flow that is not stored has none.
func (v *visit) take() error {
	if v.flow.Version == 0 {
		return nil
	}
	return v.h.Pool.Flows.Save(v.r.Context(), v.flow)
}

// after takes the browser one step on, or shows the same page again.
func (v *visit) after(step userpool.Step, err error) {
	switch {
	case errors.Is(err, userpool.ErrBusy):
		v.fail(textBusy)
		v.status = http.StatusServiceUnavailable
	case errors.Is(err, signin.ErrStale):
		v.goOn()
		return
	case err != nil:
		v.refuse(err)
		return
	case v.flow.Step == userpool.StepSignedIn:
		v.finish()
		return
	}
	page := pages[step]
	if v.flow.Step == step && page.open && v.flow.Version == 0 {
		v.show(page) // nothing happened that is worth storing
		return
	}
	err = v.store()
	switch {
	case err != nil && !errors.Is(err, signin.ErrStale):
		v.refuse(err)
	case err == nil && v.flow.Step == step:
		v.show(page)
	default:
		v.goOn()
	}
}

// store keeps what happened, under another id if it was a proof.
func (v *visit) store() (err error) {
	ctx := v.r.Context()
	if !v.fresh || len(v.flow.Methods) == 0 || v.flow.Version == 0 {
		return v.h.Pool.Flows.Save(ctx, v.flow)
	}
	id, err := v.h.Pool.Flows.Renew(ctx, v.flow)
	if err == nil {
		v.id = id
	}
	return err
}

// show answers with a page of the step that the flow is at.
func (v *visit) show(p page) {
	view, err := p.view(v)
	if err != nil {
		v.refuse(err)
		return
	}
	if v.status == 0 && v.flow.Failed {
		v.status = http.StatusUnauthorized
	}
	if v.status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", "5")
	}
	v.h.write(v.w, v.r, v.status, p.template, view)
}

// refuse answers where there is nothing to show: the request was refused as a whole, or
// the pool failed.
func (v *visit) refuse(err error) {
	v.h.refuser().Refuse(v.w, v.r, v.auth, err)
}

// fail shows the step again, with a message.
func (v *visit) fail(text string) {
	v.flow.Notice, v.flow.Failed = text, true
}

// refused is what a step does with the answer of a rule: a refusal that the
// person is meant to see becomes the message of the page; other errors stay.
func (v *visit) refused(err error) error {
	refusal, ok := asRefusal(err)
	if !ok {
		return err
	}
	v.fail(refusal.Description)
	return nil
}

func asRefusal(err error) (*userpool.Error, bool) { return errors.AsType[*userpool.Error](err) }

// badInput is the status of a page that was filled in wrongly; nobody was
// refused.
func (v *visit) badInput(err error) error {
	if err != nil {
		v.status = http.StatusBadRequest
	}
	return v.refused(err)
}

// goOn sends the browser to the page of the step that its flow is at.
func (v *visit) goOn() {
	page, ok := pages[v.flow.Step]
	if !ok {
		v.over()
		return
	}
	browser.Redirect(v.w, v.h.BaseURL+v.address(page.path))
}

// address is that of a page of this flow.
func (v *visit) address(path string) string {
	q := v.query.Encode()
	if v.flow.Version > 0 {
		q += "&" + flowParam + "=" + string(v.id)
	}
	return path + "?" + q
}

// finish opens a session for who has signed in and takes the person to the app.
// The flow is over: a form of it that comes again finds nothing.
func (v *visit) finish() {
	location, err := v.signedIn()
	if errors.Is(err, signin.ErrStale) {
		v.over() // another form of the flow was faster
		return
	}
	if err != nil {
		v.refuse(err)
		return
	}
	browser.Redirect(v.w, location)
}

func (v *visit) signedIn() (location string, err error) {
	ctx := v.r.Context()
	err = v.h.Pool.Flows.End(ctx, v.flow)
	if err != nil {
		return "", err
	}
	if len(v.flow.Methods) == 0 {
		return v.auth.RedirectURI, nil // nobody signed in: a passkey was added in a session
	}
	previous := browser.ReadCookie(v.r, browser.SessionCookie)
	id, session, err := v.h.Pool.Sessions.Start(ctx, v.flow.Sub, v.flow.Methods, previous)
	if err != nil {
		return "", err
	}
	http.SetCookie(v.w, browser.Cookie(browser.SessionCookie, id, grants.SessionLifetime, v.h.secure()))
	if v.cameFor() != "" {
		return v.auth.RedirectURI, nil // nobody asked for a code
	}
	return v.h.Pool.Grants.Authorize(ctx, v.auth, session)
}
