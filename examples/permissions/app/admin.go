package app

import (
	"bytes"
	_ "embed"
	"errors"
	"html/template"
	"net/http"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/internal/page"
)

//go:embed admin.html
var adminHTML string

var adminTemplate = template.Must(template.New("admin").Parse(adminHTML))

// maxForm limits a form, in bytes.
const maxForm = 4 << 10

// adminPanel is where admins grant and revoke roles.
type adminPanel struct {
	auth  *cognate.Auth
	roles *Roles
}

func (p *adminPanel) show(w http.ResponseWriter, r *http.Request) {
	p.write(w, r, http.StatusOK, "Who may do what. A change applies from the next request on.")
}

func (p *adminPanel) write(w http.ResponseWriter, r *http.Request, status int, text string) {
	people, err := p.roles.People(r.Context())
	var body bytes.Buffer
	if err == nil {
		err = adminTemplate.Execute(&body, people)
	}
	if err != nil {
		p.auth.Fail(w, r, undecided(err))
		return
	}
	page.Write(w, status, page.Page{
		Title: "Admins", Text: text, User: cognate.UserFrom(r.Context()), Links: links,
		Body: template.HTML(body.String()), //nolint:gosec // the template has escaped it
	})
}

func (p *adminPanel) grant(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := p.roles.Grant(r.Context(), r.PostFormValue("who"), r.PostFormValue("role"),
		cognate.UserFrom(r.Context()).Subject)
	p.done(w, r, err)
}

func (p *adminPanel) revoke(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	p.done(w, r, p.roles.Revoke(r.Context(), r.PostFormValue("subject"), r.PostFormValue("role")))
}

// done redirects to the list, or says what was wrong.
func (p *adminPanel) done(w http.ResponseWriter, r *http.Request, err error) {
	mistake, ok := errors.AsType[Mistake](err)
	switch {
	case ok:
		p.write(w, r, http.StatusUnprocessableEntity, mistake.Error())
	case err != nil:
		p.auth.Fail(w, r, undecided(err))
	default:
		http.Redirect(w, r, "/admin", http.StatusSeeOther)
	}
}
