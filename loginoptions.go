package cognate

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/transaction"
)

const (
	// maxHint bounds a login hint and the name of an identity provider, in bytes.
	maxHint = 255
	// maxAppState bounds what WithState keeps, in bytes: it travels in a URL.
	maxAppState = 512
	// maxACR bounds the values of ACRValues in total, in bytes.
	maxACR = 256
	// maxExtra bounds the names and values of Param in total, in bytes: they travel in
	// a URL.
	maxExtra = 4 << 10
)

// A LoginOption changes one sign-in, as an argument of [Auth.Login], or every sign-in,
// in Config.LoginOptions. If an option is given twice, the later one counts.
//
// [LoginHint], [Lang] and [IdentityProvider] are hints whose values often come from
// outside: one that can't be used is left out, with a line in the log. Any other option
// that can't be used is a mistake in the program, and no sign-in begins: the visitor
// gets an error page ([ReasonLoginOption]), and the log says what is wrong. In
// Config.LoginOptions both kinds make [New] fail.
type LoginOption struct {
	apply func(*loginRequest)
}

// loginRequest holds the options of one sign-in.
type loginRequest struct {
	returnTo string
	appState string
	prompt   string
	hint     string
	lang     string
	idp      string
	maxAge   int64 // seconds, or transaction.NoMaxAge
	formPost bool
	acr      []string
	extra    map[string]string
	mistakes []error // options that can't be used
	leftOut  []error // hints that can't be used
}

// newLogin applies the options in their order.
func newLogin(options ...[]LoginOption) *loginRequest {
	l := &loginRequest{maxAge: transaction.NoMaxAge, extra: map[string]string{}}
	for _, o := range slices.Concat(options...) {
		if o.apply != nil {
			o.apply(l)
		}
	}
	return l
}

func (l *loginRequest) mistake(format string, args ...any) {
	l.mistakes = append(l.mistakes, fmt.Errorf(format, args...))
}

// ReturnTo says where the visitor goes after signing in: a path on this site, with its
// query. Anything else means HomePath. It travels encrypted in the sign-in's URLs,
// which have room for 2 KiB of it, less with a long [WithState]. If it is too long its
// query is left out; if that is not enough, HomePath is used instead.
func ReturnTo(target string) LoginOption {
	return LoginOption{func(l *loginRequest) { l.returnTo = target }}
}

// WithState gives the sign-in a value chosen by the app, of at most 512 bytes, which
// comes back in [LoginEvent].State. It travels encrypted in the sign-in's URLs, so
// nobody can read or change it. A long value leaves less room for [ReturnTo].
func WithState(value string) LoginOption {
	return LoginOption{func(l *loginRequest) {
		if len(value) > maxAppState {
			l.mistake("WithState has %d bytes; expected at most %d", len(value), maxAppState)
			return
		}
		l.appState = value
	}}
}

var promptValue = regexp.MustCompile(`^[a-z_]{1,32}( [a-z_]{1,32}){0,3}$`)

// Prompt tells the provider what to ask the person for (OpenID Connect Core 1.0,
// 3.1.2.1): "login" for the password even if the provider's session is still open,
// "consent", "select_account", or several of them separated by spaces. "none" is
// [Silent]. Cognito's classic pages ignore it. Whether the provider followed "login" is
// not checked; with [MaxAge] it is.
func Prompt(value string) LoginOption {
	return LoginOption{func(l *loginRequest) {
		if !promptValue.MatchString(value) || value != "none" && slices.Contains(oidc.SplitWords(value), "none") {
			l.mistake("the Prompt %.40q can't be used; expected words such as login, or none as the only word", value)
			return
		}
		l.prompt = value
	}}
}

// Silent signs in without asking the person for anything (prompt=none). It succeeds if
// the provider's session is open and no consent is needed. If it does not succeed, or
// if the provider is down, the visitor still comes to the page to return to, sees no
// error, and stays signed in or out as before. Of the hooks after OnLoginStart only
// OnCallback is then called.
//
// It is for a public page that greets people who are signed in at the provider. The
// page to return to must not begin another silent sign-in, or the browser would loop:
//
//	if auth.User(r) == nil && !r.URL.Query().Has("asked") {
//		auth.Login(w, r, cognate.Silent(), cognate.ReturnTo("/?asked"))
//		return
//	}
//
// A silent sign-in that returns to the page that begins it is refused as a mistake, and
// so is Silent in Config.LoginOptions.
func Silent() LoginOption { return Prompt("none") }

// silent reports whether the person must not be asked for anything.
func (l *loginRequest) silent() bool { return l.prompt == "none" }

// MaxAge requires that the person authenticated at the provider within the last d, in
// whole seconds; 0 means that they must authenticate now. It is sent to the provider
// (max_age), and auth_time in the ID token is checked: if it is missing or too old the
// sign-in is refused with [ReasonTokenAuthTime]. It is measured from the beginning of
// the sign-in, give or take Config.ClockSkew. At most 400 days. It has no effect on the
// session that follows.
func MaxAge(d time.Duration) LoginOption {
	return LoginOption{func(l *loginRequest) {
		if d < 0 || d > maxLifetime {
			l.mistake("MaxAge is %s; expected 0 to 400 days", d)
			return
		}
		l.maxAge = int64(d / time.Second)
	}}
}

var acrValue = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,255}$`)

// ACRValues requires a sign-in of one of these authentication context classes, the
// preferred one first (acr_values). The acr of the ID token is checked: if it is not
// one of them the sign-in is refused with [ReasonTokenACR]. At most 256 bytes in total.
func ACRValues(values ...string) LoginOption {
	return LoginOption{func(l *loginRequest) {
		unfit := func(v string) bool { return !acrValue.MatchString(v) }
		if len(values) == 0 || slices.ContainsFunc(values, unfit) || len(strings.Join(values, " ")) > maxACR {
			l.mistake("ACRValues are %.300q; expected words of at most %d bytes in total", values, maxACR)
			return
		}
		l.acr = slices.Clone(values)
	}}
}

// LoginHint tells the provider who is about to sign in (login_hint): an e-mail address
// or user name of at most 255 bytes. It may get into the provider's logs.
func LoginHint(hint string) LoginOption {
	return LoginOption{func(l *loginRequest) { l.hint = l.usableHint("LoginHint", hint) }}
}

var langValue = regexp.MustCompile(`^[A-Za-z0-9-]{1,35}( [A-Za-z0-9-]{1,35}){0,7}$`)

// Lang sets the language of the provider's pages, such as "de" or "pt-BR"; for a
// provider that takes several, they are separated by spaces, the preferred one first.
// It is sent as lang to Cognito, whose managed login uses it, and as ui_locales to
// other providers.
func Lang(tags string) LoginOption {
	return LoginOption{func(l *loginRequest) {
		l.lang = l.usableHint("Lang", tags)
		if l.lang != "" && !langValue.MatchString(tags) {
			l.lang = ""
			l.leftOut = append(l.leftOut, errors.New("the Lang is not a language tag"))
		}
	}}
}

// IdentityProvider sends the person directly to an identity provider behind this one:
// for Cognito the name of a SAML, OIDC or social provider of the pool, such as
// "Google", or "COGNITO" for the pool's own users. It can't be used with a dialect
// whose ProviderParam is empty.
func IdentityProvider(name string) LoginOption {
	return LoginOption{func(l *loginRequest) { l.idp = l.usableHint("IdentityProvider", name) }}
}

// usableHint returns the hint, or "" if it can't be used.
func (l *loginRequest) usableHint(name, hint string) string {
	if len(hint) > maxHint || !utf8.ValidString(hint) || strings.ContainsFunc(hint, unicode.IsControl) {
		l.leftOut = append(l.leftOut,
			fmt.Errorf("the %s is longer than %d bytes, or has control characters or invalid UTF-8", name, maxHint))
		return ""
	}
	return hint
}

// reservedParams can't be set by Param. Those of the first line bind the answer to this
// client and this browser. Those of the second would override other parameters, or
// authenticate the client. Those of the third have options, which also check the
// result.
var reservedParams = []string{
	"client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
	"request", "request_uri", "registration", "client_secret", "client_assertion", "client_assertion_type",
	"response_mode", "prompt", "max_age", "acr_values",
}

// paramName matches names that no server rewrites: for PHP, client.id and client_id[]
// are spellings of client_id.
var paramName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// FormPost makes the provider answer with a form that the visitor's browser posts to
// RedirectURL, instead of in its query (response_mode=form_post, OAuth 2.0 Form Post
// Response Mode). It is for providers that require this, such as Apple for the scopes
// name and email. Both kinds of answer are accepted, with or without this option.
// Browsers don't send this site's cookies with a form that another site posts, so the
// visitor briefly sees a page that posts it again, by itself or by a button.
func FormPost() LoginOption { return LoginOption{func(l *loginRequest) { l.formPost = true }} }

// Param adds a provider-specific parameter to the authorization request, such as hd
// (Google), idp_identifier (Cognito), domain_hint or audience. It can't be one that
// this package sets or omits on purpose, in upper or lower case: client_id,
// redirect_uri, response_type, scope, state, nonce, code_challenge, request,
// request_uri and the like; nor response_mode, prompt, max_age and acr_values, which
// have options. All names and values have at most 4 KiB in total.
func Param(name, value string) LoginOption {
	return LoginOption{func(l *loginRequest) {
		switch {
		case !paramName.MatchString(name):
			l.mistake("the Param %.80q is not a valid name; expected letters, digits, _ and -", name)
		case slices.Contains(reservedParams, strings.ToLower(name)):
			l.mistake("the Param %q can't be set: the sign-in sets it, or it has its own option", name)
		case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
			l.mistake("the value of the Param %q has control characters or invalid UTF-8", name)
		default:
			l.extra[name] = value
		}
	}}
}

// check finds what is wrong with the combined options, for this kind of provider.
func (l *loginRequest) check(d *Dialect) {
	size := 0
	for name, value := range l.extra {
		size += len(name) + len(value)
	}
	if size > maxExtra {
		l.mistake("all Param options have %d bytes; expected at most %d", size, maxExtra)
	}
	if l.idp != "" && d.ProviderParam == "" {
		l.leftOut = append(l.leftOut, errors.New("the Dialect has no ProviderParam for IdentityProvider"))
	}
}

// loginOptionProblems finds options that can't be used for every sign-in.
func loginOptionProblems(options []LoginOption, d *Dialect) (problems []error) {
	l := newLogin(options)
	l.check(d)
	if l.silent() {
		l.mistake("Silent is for single sign-ins: a page that needs a user would begin one after another")
	}
	for _, err := range slices.Concat(l.mistakes, l.leftOut) {
		problems = append(problems, fmt.Errorf("the LoginOptions: %w", err))
	}
	return problems
}

// params returns the parameters that the options add to an authorization request.
func (l *loginRequest) params(d *Dialect) url.Values {
	q := url.Values{}
	for name, value := range l.extra {
		q.Set(name, value)
	}
	add := func(name, value string) {
		if name != "" && value != "" {
			q.Set(name, value)
		}
	}
	add("prompt", l.prompt)
	add("login_hint", l.hint)
	add(d.LangParam, l.lang)
	add(d.ProviderParam, l.idp)
	add("acr_values", strings.Join(l.acr, " "))
	if l.formPost {
		q.Set("response_mode", "form_post")
	}
	if l.maxAge != transaction.NoMaxAge {
		q.Set("max_age", strconv.FormatInt(l.maxAge, 10))
	}
	return q
}

// transaction returns what must be known when the sign-in ends.
func (l *loginRequest) transaction() transaction.Request {
	return transaction.Request{
		ReturnTo: l.returnTo, AppState: l.appState, MaxAge: l.maxAge, ACR: l.acr, Silent: l.silent(),
	}
}

// needsInteraction reports whether a silent sign-in ended because the provider would
// have to ask the person for something (OpenID Connect Core 1.0, 3.1.2.6), or because a
// hook says so. That is not a failure.
func needsInteraction(t *transaction.Transaction, err error) bool {
	e := asError(err, ReasonInternal)
	return t != nil && t.Silent && e.Reason == ReasonProviderError && slices.Contains([]string{
		"login_required", "interaction_required", "consent_required", "account_selection_required",
	}, e.ProviderCode)
}
