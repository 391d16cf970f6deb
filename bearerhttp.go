package cognate

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/oidc"
)

const (
	// maxTokenForm bounds a form that is read to find the token in it, in bytes.
	maxTokenForm = 1 << 20
	// warnPause is the shortest time between two lines of level Warn about tokens that
	// can't be checked.
	warnPause = 10 * time.Second
)

// token returns the request's token, sent in one of the ways of RFC 6750, section 2,
// that are switched on, or "" if there is no token. An Authorization header of another
// scheme is ignored.
func (b *Bearer) token(w http.ResponseWriter, r *http.Request) (string, error) {
	found, err := headerToken(r.Header["Authorization"])
	if err != nil {
		return "", err
	}
	if !b.config.TokenInForm && !b.config.InsecureTokenInQuery {
		return found, nil
	}
	others, err := b.parameterTokens(w, r)
	if err != nil {
		return "", err
	}
	for _, t := range others {
		// A client uses one way at a time (RFC 6750, 2).
		if found != "" || !wellFormed(t) {
			return "", refuse(ReasonBearerMalformed, "the request has several tokens, or one that is malformed")
		}
		found = t
	}
	return found, nil
}

// headerToken reads the Authorization header: Bearer, in any case (RFC 9110, 11.1), and
// the token. Several headers are refused: a proxy in front could have read another one.
func headerToken(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	const scheme = "bearer"
	v := values[0]
	switch {
	case len(values) > 1:
		return "", refuse(ReasonBearerMalformed, "the request has %d Authorization headers", len(values))
	case len(v) < len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme):
		return "", nil
	case len(v) > len(scheme) && v[len(scheme)] != ' ':
		return "", nil // a longer word
	}
	token := strings.TrimLeft(v[len(scheme):], " ")
	if !wellFormed(token) {
		return "", refuse(ReasonBearerMalformed,
			"the Authorization header has no well-formed token of at most %d bytes", oidc.MaxAccessToken)
	}
	return token, nil
}

// wellFormed reports whether s can be a token: b64token of RFC 6750, 2.1.
func wellFormed(s string) bool {
	if s == "" || len(s) > oidc.MaxAccessToken {
		return false
	}
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return s != ""
}

// parameterTokens returns the values of access_token in the form and the query.
func (b *Bearer) parameterTokens(w http.ResponseWriter, r *http.Request) (tokens []string, err error) {
	if b.config.InsecureTokenInQuery && strings.Contains(r.URL.RawQuery, "access_token") {
		q, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, refuse(ReasonBearerMalformed, "the query can't be read")
		}
		tokens = q["access_token"]
	}
	if b.config.TokenInForm && isForm(r) {
		if r.PostForm == nil {
			r.Body = http.MaxBytesReader(w, r.Body, maxTokenForm)
		}
		if r.ParseForm() != nil {
			return nil, refuse(ReasonBearerMalformed,
				"the form can't be read, or is larger than %d bytes", maxTokenForm)
		}
		tokens = append(tokens, r.PostForm["access_token"]...)
	}
	return tokens, nil
}

// isForm reports whether r.PostForm will hold the body. A form in a GET has no meaning (RFC
// 6750, 2.2).
func isForm(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return (r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch) &&
		strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") && r.Body != nil
}

// A bearerAnswer is the error that a client gets: fixed texts that repeat nothing it
// sent.
type bearerAnswer struct {
	code, description string
}

// answerTo returns the error code of RFC 6750, section 3.1, and a text. It names the
// check that failed only where the client can know the result by itself.
func answerTo(e *Error) bearerAnswer {
	switch {
	case e.Reason == ReasonBearerMissing:
		return bearerAnswer{"missing_authorization", "Send an access token in the Authorization header."}
	case e.Reason == ReasonTokenExpired:
		return bearerAnswer{"invalid_token", "The access token has expired."}
	case e.Reason == ReasonInsufficientScope:
		return bearerAnswer{"insufficient_scope", "The access token was not granted what this needs."}
	case e.Status == http.StatusBadRequest:
		return bearerAnswer{
			"invalid_request", "The access token can't be read from the request, or was sent more than once.",
		}
	case e.Status == http.StatusUnauthorized:
		return bearerAnswer{"invalid_token", "The access token is not valid here."}
	case e.Reason == ReasonProviderIssuer:
		return bearerAnswer{"server_error", "Access tokens can't be checked: this API is not set up correctly."}
	}
	return bearerAnswer{"temporarily_unavailable", "Access tokens can't be checked right now."}
}

// refuse answers a request that is refused, and counts and logs it.
func (b *Bearer) refuse(w http.ResponseWriter, r *http.Request, e *Error, scopes []string) {
	b.config.Metrics.Denied(e.Reason)
	b.logRefusal(r, e)
	answer := answerTo(e)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if e.Status < http.StatusInternalServerError {
		h.Set("WWW-Authenticate", b.challenge(e, answer, scopes))
	} else if !reasons[e.Reason].noRetry {
		setRetryAfter(w, e.RetryAfter)
	}
	if b.config.ErrorHandler != nil {
		b.config.ErrorHandler(w, r, e)
		return
	}
	writeJSON(w, e.Status, map[string]string{"error": answer.code, "error_description": answer.description})
}

// challenge returns the value of WWW-Authenticate. If the request has no token, the
// value has no error code: the client may not know that it needs a token (RFC 6750,
// 3.1).
func (b *Bearer) challenge(e *Error, answer bearerAnswer, scopes []string) string {
	var params []string
	add := func(name, value string) {
		if value != "" {
			params = append(params, name+`="`+value+`"`)
		}
	}
	add("realm", b.config.Realm)
	if e.Reason != ReasonBearerMissing {
		add("error", answer.code)
		add("error_description", answer.description)
	}
	if e.Reason == ReasonInsufficientScope {
		add("scope", strings.Join(scopes, " "))
	}
	add("resource_metadata", b.config.ResourceMetadata)
	return strings.TrimSpace("Bearer " + strings.Join(params, ", "))
}

// maxTokenCause bounds the cause in a line about a bearer token, in bytes: it may quote what
// the token says.
const maxTokenCause = 500

// logRefusal writes a log line, without the token. A token that is refused has level
// Info: anybody can send one, so it is no warning, but whoever runs the site and looks for
// the reason finds it. That a request has no token its sender sees by themselves. Tokens
// that can't be checked concern the people who run the site, so these lines have level
// Warn, but not more than one every warnPause.
func (b *Bearer) logRefusal(r *http.Request, e *Error) {
	level := slog.LevelInfo
	switch {
	case e.Reason == ReasonBearerMissing:
		level = slog.LevelDebug
	case e.Status >= http.StatusInternalServerError:
		level = slog.LevelDebug
		if b.warnings.Pass(b.now()) {
			level = slog.LevelWarn
		}
	}
	if !b.log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{slog.String("reason", string(e.Reason)), slog.Int("status", e.Status)}
	if e.Err != nil {
		cause := withoutQueries(e.Err.Error())
		cause = strings.ToValidUTF8(cause[:min(len(cause), maxTokenCause)], "�")
		attrs = append(attrs, slog.String("err", cause))
	}
	b.log.LogAttrs(r.Context(), level, "cognate: bearer token refused", attrs...)
}
