// Package browser holds what the pool's HTTP packages have in common and no
// rule of the pool decides: cookies, redirects, and the strict reading of
// queries and forms.
//
// It knows the words (userpool), grants, whose refusals it carries to the app, and decision.
package browser

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
)

// Limits of what a request may bring. An authorization request with the
// longest state, percent-encoded, fits the query.
const (
	MaxQuery = 32 << 10
	MaxForm  = 64 << 10
)

// RequestIDHeader names the response header that also stands in the log.
const RequestIDHeader = "X-Amz-Cognito-Request-Id"

// The pool's cookies, under Cognito's names.
const (
	SessionCookie = "cognito"
	CSRFCookie    = "XSRF-TOKEN"
)

// OneClickPath is where the sign-in page posts the developer's one-click sign-in to. It is
// below the path of the cookie that lets a browser see the developer's view.
const OneClickPath = "/_cognate/sign-in"

// Cookie returns a cookie as the pool sets them all: for the whole host and no
// other, out of reach of scripts, sent along when a link leads here from
// another site. Browsers drop Secure cookies on plain http, hence the choice.
// Zero age lasts as long as the browser is open.
func Cookie(name string, value userpool.Secret, age time.Duration, secure bool) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // not Secure on plain http, where browsers would drop it
		Name: name, Value: string(value), Path: "/", MaxAge: int(age / time.Second),
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// Expire removes a cookie that [Cookie] made.
func Expire(name string, secure bool) *http.Cookie {
	return Cookie(name, "", -time.Second, secure)
}

// ReadCookie returns the cookie's value, or nothing when the browser sends
// several of that name: then a neighbouring host may have planted one, and
// there is no telling which.
func ReadCookie(r *http.Request, name string) userpool.Secret {
	found := r.CookiesNamed(name)
	if len(found) != 1 || len(found[0].Value) > 128 {
		return ""
	}
	return userpool.Secret(found[0].Value)
}

// AllowAnyOrigin lets scripts of every origin read an answer, and of its headers
// those that say what went wrong. It is for answers in which no cookie played a
// part.
func AllowAnyOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, "+RequestIDHeader)
}

// Redirect sends the browser to a location with status 302 and no body.
func Redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusFound)
}

// errQuery and errForm are requests that are refused as a whole.
var (
	errQuery = errors.New(decision.QueryMalformed)
	errForm  = errors.New(decision.BodyMalformed)
)

// Query parses the request's query. Unlike r.URL.Query it refuses what is
// malformed instead of dropping it.
func Query(r *http.Request) (url.Values, error) {
	if len(r.URL.RawQuery) > MaxQuery {
		return nil, errQuery
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errQuery
	}
	return q, nil
}

// MaxLang bounds a language tag, such as zh-Hant-TW.
const MaxLang = 35

// Lang returns the request's parameter lang, which names the language of the
// pages; empty if there is none, or no telling which.
func Lang(r *http.Request) string {
	q, err := Query(r)
	if err != nil || len(q["lang"]) != 1 || len(q.Get("lang")) > MaxLang {
		return ""
	}
	return q.Get("lang")
}

// Form parses a posted form, of at most MaxForm bytes; parameters in the query
// do not count. A longer one is an *http.MaxBytesError.
func Form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	return LongForm(w, r, MaxForm)
}

// LongForm is Form with a limit of its own.
func LongForm(w http.ResponseWriter, r *http.Request, most int64) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, errForm
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			return nil, err
		}
		return nil, errForm
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errForm
	}
	return form, nil
}

// Repeated returns the first of the names that the values hold more than once.
func Repeated(v url.Values, names ...string) (name string, ok bool) {
	for _, name := range names {
		if len(v[name]) > 1 {
			return name, true
		}
	}
	return "", false
}

// Refuser answers requests of a browser that went wrong.
type Refuser struct {
	BaseURL string // the domain, without trailing slash
	Logger  *slog.Logger
}

// Refuse sends the browser to where err belongs: to the app, or to the page
// /error. Other errors are the pool's own; they are logged and the app, if a
// checked request a is there, hears server_error.
func (f Refuser) Refuse(w http.ResponseWriter, r *http.Request, a *grants.Authorization, err error) {
	if app, ok := errors.AsType[*userpool.RedirectError](err); ok {
		attrs := []slog.Attr{
			slog.String("error", app.Err.Code), slog.String("description", app.Err.Description),
			slog.String("redirect_uri", app.RedirectURI),
		}
		level := slog.LevelInfo
		if app.Err.Hint != "" {
			level, attrs = slog.LevelWarn, append(attrs, slog.String("hint", app.Err.Hint))
		}
		f.log(r.Context(), w, level, decision.AuthorizationRefused, attrs...)
		Redirect(w, app.Location())
		return
	}
	page, ok := errors.AsType[*userpool.PageError](err)
	if ok {
		attrs := []slog.Attr{
			slog.String("path", r.URL.Path), slog.String("error", page.Code), slog.String("hint", page.Hint),
		}
		if page.Slip != "" {
			attrs = append(attrs, slog.String("slip", page.Slip))
		}
		f.log(r.Context(), w, slog.LevelWarn, decision.RequestRefused, attrs...)
		location := page.Location(f.BaseURL)
		if lang := Lang(r); lang != "" {
			location += "&lang=" + url.QueryEscape(lang)
		}
		Redirect(w, location)
		return
	}
	f.log(r.Context(), w, slog.LevelError, decision.RequestFailed,
		slog.String("path", r.URL.Path), slog.Any("err", err))
	if a != nil {
		Redirect(w, a.ServerError().Location())
		return
	}
	Redirect(w, (&userpool.PageError{Code: userpool.CodeServerError}).Location(f.BaseURL))
}

// Malformed is the refusal of a request that could not even be parsed.
func Malformed(err error) error {
	return &userpool.PageError{Code: userpool.CodeInvalidRequest, Hint: err.Error()}
}

func (f Refuser) log(
	ctx context.Context, w http.ResponseWriter, level slog.Level, msg string, attrs ...slog.Attr,
) {
	id := slog.String("request_id", w.Header().Get(RequestIDHeader))
	f.Logger.LogAttrs(ctx, level, msg, append(attrs, id)...)
}
