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
	// maxACR bounds the values of ACRValues together, in bytes.
	maxACR = 256
	// maxExtra bounds the names and values of Param together, in bytes: they travel in
	// a URL.
	maxExtra = 4 << 10
)

// A LoginOption changes one sign-in, as an argument of [Auth.Login], or every sign-in, in
// Config.LoginOptions. Of two that say the same the later counts.
//
// [LoginHint], [Lang] and [IdentityProvider] are hints that often come from outside: one
// that can't be used is left out, with a line in the log. Any other option that can't be
// used is a mistake in the program, and no sign-in begins: the visitor gets an error page
// ([ReasonLoginOption]), and the log says what is wrong. In Config.LoginOptions both make
// [New] fail.
type LoginOption struct {
	apply func(*loginRequest)
}

// loginRequest is what a sign-in is begun with.
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
// query. Anything else means HomePath. It travels encrypted in the sign-in's URLs, which
// have room for 2 KiB of it, and for less beside a long [WithState]: of a longer one the query
// is left out, or, if that is not enough, HomePath takes its place.
func ReturnTo(target string) LoginOption {
	return LoginOption{func(l *loginRequest) { l.returnTo = target }}
}

// WithState gives the sign-in a value of the app's own, of at most 512 bytes, which comes
// back in [LoginEvent].State. It travels encrypted in the sign-in's URLs and is worth as
// much as the app's word. Beside a long one there is less room for the page to return to.
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

// Prompt tells the provider what to ask the person for (OpenID Connect Core 1.0, 3.1.2.1):
// "login" for the password even if the provider's session is still open, "consent",
// "select_account", or several with blanks between them. "none" is [Silent]. Cognito's
// classic pages ignore it. What came of "login" is not checked; [MaxAge] is.
func Prompt(value string) LoginOption {
	return LoginOption{func(l *loginRequest) {
		if !promptValue.MatchString(value) || value != "none" && slices.Contains(oidc.SplitWords(value), "none") {
			l.mistake("the Prompt %.40q can't be used; expected a word such as login, and none only by itself", value)
			return
		}
		l.prompt = value
	}}
}

// Silent signs in without asking the person for anything (prompt=none): it works if the
// provider's session is open and there is nothing to agree to. If not, the visitor lands
// on the page to return to all the same, signed in or not as before, and sees no error; nor
// does it matter then that the provider is down. Of the hooks after OnLoginStart only
// OnCallback is called.
//
// A public page that wants to greet who is known elsewhere begins one, and has to see to
// it that the page it returns to begins no other, or the browser would go round and round:
//
//	if auth.User(r) == nil && !r.URL.Query().Has("asked") {
//		auth.Login(w, r, cognate.Silent(), cognate.ReturnTo("/?asked"))
//		return
//	}
//
// A silent sign-in that returns to the very page that begins it is refused as a mistake, and
// so is one in Config.LoginOptions.
func Silent() LoginOption { return Prompt("none") }

// silent reports whether nobody is to be asked for anything.
func (l *loginRequest) silent() bool { return l.prompt == "none" }

// MaxAge wants a person who proved to be this user within the last d, in whole seconds; 0
// asks for the password now. The provider is asked for it (max_age), and auth_time in the
// ID token is checked: if it is missing or too old the sign-in is refused with
// [ReasonTokenAuthTime]. It counts from the beginning of the sign-in, give or take
// Config.ClockSkew. At most 400 days. How the session goes on is not its business.
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

// ACRValues wants a sign-in of one of these authentication context classes, the best first
// (acr_values). The acr of the ID token is checked: if it is not among them the sign-in is
// refused with [ReasonTokenACR]. At most 256 bytes together.
func ACRValues(values ...string) LoginOption {
	return LoginOption{func(l *loginRequest) {
		unfit := func(v string) bool { return !acrValue.MatchString(v) }
		if len(values) == 0 || slices.ContainsFunc(values, unfit) || len(strings.Join(values, " ")) > maxACR {
			l.mistake("ACRValues are %.300q; expected words of at most %d bytes together", values, maxACR)
			return
		}
		l.acr = slices.Clone(values)
	}}
}

// LoginHint fills in whom the person is about to sign in as (login_hint): an e-mail address
// or user name of at most 255 bytes. It goes to the provider and may end in its logs.
func LoginHint(hint string) LoginOption {
	return LoginOption{func(l *loginRequest) { l.hint = l.fit("LoginHint", hint) }}
}

var langValue = regexp.MustCompile(`^[A-Za-z0-9-]{1,35}( [A-Za-z0-9-]{1,35}){0,7}$`)

// Lang is the language of the provider's pages, such as "de" or "pt-BR"; where the provider
// takes several, with blanks between them, the best first. It is Cognito's lang, which its
// managed login knows, and ui_locales elsewhere.
func Lang(tags string) LoginOption {
	return LoginOption{func(l *loginRequest) {
		l.lang = l.fit("Lang", tags)
		if l.lang != "" && !langValue.MatchString(tags) {
			l.lang = ""
			l.leftOut = append(l.leftOut, errors.New("the Lang is no language tag"))
		}
	}}
}

// IdentityProvider sends the person straight to a provider that stands behind this one: in
// Cognito the name of a SAML, OIDC or social provider of the pool, such as "Google", or
// "COGNITO" for the pool's own users. Other dialects say in Dialect.ProviderParam whether
// they have that; where it is empty the option can't be used.
func IdentityProvider(name string) LoginOption {
	return LoginOption{func(l *loginRequest) { l.idp = l.fit("IdentityProvider", name) }}
}

// fit returns a hint that can be used, or "".
func (l *loginRequest) fit(name, hint string) string {
	if len(hint) > maxHint || !utf8.ValidString(hint) || strings.ContainsFunc(hint, unicode.IsControl) {
		l.leftOut = append(l.leftOut, fmt.Errorf("the %s is longer than %d bytes or no text", name, maxHint))
		return ""
	}
	return hint
}

// ownParams can't be set by Param. Those of the first line tie the answer to this client
// and this browser; of the second, some would make the request say something else than its
// parameters; those of the third have an option, which checks what comes of them.
var ownParams = []string{
	"client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
	"request", "request_uri", "registration", "client_secret", "client_assertion", "client_assertion_type",
	"response_mode", "prompt", "max_age", "acr_values",
}

// paramName leaves out what some servers rewrite: for PHP, client.id and client_id[] are
// spellings of client_id.
var paramName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// FormPost has the provider answer by a form that the visitor's browser posts to RedirectURL,
// and not in its query (response_mode=form_post, OAuth 2.0 Form Post Response Mode): for
// providers that want it, such as Apple with the scopes name and email. The answer is taken
// either way, asked for or not. Browsers keep this site's cookies from a form that another
// site posts: a page that posts it once more, by itself or by a button, comes in between.
func FormPost() LoginOption { return LoginOption{func(l *loginRequest) { l.formPost = true }} }

// Param adds a parameter of the provider's own to the authorization request, such as hd
// (Google), idp_identifier (Cognito), domain_hint or audience. It can't be one that this
// package sets or leaves out on purpose, in whatever case: client_id, redirect_uri,
// response_type, scope, state, nonce, code_challenge, request, request_uri and the like; nor
// response_mode, prompt, max_age and acr_values, which have their options. All names and
// values take at most 4 KiB together.
func Param(name, value string) LoginOption {
	return LoginOption{func(l *loginRequest) {
		switch {
		case !paramName.MatchString(name):
			l.mistake("the Param %.80q is no name of letters, digits, _ and -", name)
		case slices.Contains(ownParams, strings.ToLower(name)):
			l.mistake("the Param %q can't be set: it is the sign-in's own, or has an option", name)
		case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
			l.mistake("the value of the Param %q is no text", name)
		default:
			l.extra[name] = value
		}
	}}
}

// check finds what is wrong with the options together, for this kind of provider.
func (l *loginRequest) check(d *Dialect) {
	size := 0
	for name, value := range l.extra {
		size += len(name) + len(value)
	}
	if size > maxExtra {
		l.mistake("all Param take %d bytes; expected at most %d", size, maxExtra)
	}
	if l.idp != "" && d.ProviderParam == "" {
		l.leftOut = append(l.leftOut, errors.New("the Dialect has no ProviderParam for IdentityProvider"))
	}
}

// loginOptionProblems finds options that can't be those of every sign-in.
func loginOptionProblems(options []LoginOption, d *Dialect) (problems []error) {
	l := newLogin(options)
	l.check(d)
	if l.silent() {
		l.mistake("Silent is for single sign-ins: a page that needs somebody would begin one after the other")
	}
	for _, err := range slices.Concat(l.mistakes, l.leftOut) {
		problems = append(problems, fmt.Errorf("the LoginOptions: %w", err))
	}
	return problems
}

// params are the parameters that the options add to an authorization request.
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

// asked is what has to be known of it when the sign-in ends.
func (l *loginRequest) asked() transaction.Request {
	return transaction.Request{
		ReturnTo: l.returnTo, AppState: l.appState, MaxAge: l.maxAge, ACR: l.acr, Silent: l.silent(),
	}
}

// inVain reports whether a silent sign-in ended as it may: the provider would have had to
// ask the person for something (OpenID Connect Core 1.0, 3.1.2.6), or so says a hook.
func inVain(t *transaction.Transaction, err error) bool {
	e := asError(err, ReasonInternal)
	return t != nil && t.Silent && e.Reason == ReasonProviderError && slices.Contains([]string{
		"login_required", "interaction_required", "consent_required", "account_selection_required",
	}, e.ProviderCode)
}
