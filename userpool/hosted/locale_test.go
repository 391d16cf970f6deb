package hosted_test

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template/parse"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/hosted"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// translations reads the language files.
func translations(t *testing.T) map[string]map[string]string {
	t.Helper()
	names, err := filepath.Glob("locale/*.json")
	must(t, err)
	out := map[string]map[string]string{}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		must(t, err)
		var texts map[string]string
		must(t, json.Unmarshal(raw, &texts))
		out[name] = texts
	}
	for _, lang := range []string{"de", "ja"} {
		if len(out["locale/"+lang+".json"]) == 0 {
			t.Fatalf("the language %s is not there", lang)
		}
	}
	return out
}

// TestEveryTextIsTranslated compares each language file with the texts that are
// found in the templates and in the source.
func TestEveryTextIsTranslated(t *testing.T) {
	t.Parallel()
	texts, err := pageTexts()
	must(t, err)
	for _, known := range []string{ // one for each way in which a text comes to a page
		"Sign in", "Email or phone number", "Date of birth", "Code by email", "A number",
		"This app is not set up correctly",
		"Choose how to sign in", signin.TextNotRepeated, "to continue to *%s*",
		userpool.TextIncorrect, "Password did not conform with policy: %s", "Password too long",
		"expected %d to %d characters",
		accounts.TextResetRequired, "%s: The attribute is required", "Username should be an email.",
	} {
		if !slices.Contains(texts, known) {
			t.Errorf("%q was not found in the source: the search is broken", known)
		}
	}
	for file, have := range translations(t) {
		for _, text := range texts {
			if have[text] == "" {
				t.Errorf("%s lacks %q", file, text)
			}
		}
		for text := range have {
			if !slices.Contains(texts, text) {
				t.Errorf("%s has %q, which no page shows", file, text)
			}
		}
	}
}

var marks = regexp.MustCompile(`%.|\*`)

// TestTranslationsFit wants of each translation the verbs of the English text in
// their order, its marks, and no stray space.
func TestTranslationsFit(t *testing.T) {
	t.Parallel()
	for file, have := range translations(t) {
		for english, text := range have {
			got, want := marks.FindAllString(text, -1), marks.FindAllString(english, -1)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q has %q, want %q as in %q", file, text, got, want, english)
			}
			if strings.TrimSpace(text) != text || strings.ContainsAny(text, "<>\n") {
				t.Errorf("%s: %q has a space at an end, a line end or a tag", file, text)
			}
		}
	}
}

// TestLanguageFilesAreSorted wants them as a program would write them, so that
// two of them can be laid side by side; no text is repeated.
func TestLanguageFilesAreSorted(t *testing.T) {
	t.Parallel()
	for file, have := range translations(t) {
		var want bytes.Buffer
		out := json.NewEncoder(&want)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		must(t, out.Encode(have))
		got, err := os.ReadFile(file)
		must(t, err)
		lines, wanted := strings.Split(string(got), "\n"), strings.Split(want.String(), "\n")
		for i := range max(len(lines), len(wanted)) {
			if i >= len(lines) || i >= len(wanted) || lines[i] != wanted[i] {
				t.Errorf("%s, line %d: want sorted keys, indented by two spaces, each once", file, i+1)
				break
			}
		}
	}
}

// notShown also finds what a page says to a developer: in English in every language, and
// marked as such.
var (
	notShown = regexp.MustCompile(`(?s)<(style|script|svg|code)\b.*?</(style|script|svg|code)>|` +
		`<div [^>]*lang="en".*?</div>`)
	tag       = regexp.MustCompile(`(?s)<[^>]*>`)
	spokenOut = regexp.MustCompile(`\s(?:alt|aria-label|placeholder|title)="([^"]*)"`)
	attribute = regexp.MustCompile(`[\w-]+="[^"]*"`) // of a tag that another template begins
	word      = regexp.MustCompile(`\pL{2,}`)
)

// visible is the text that a person sees on a page, or hears.
func visible(page string) string {
	text := ""
	for _, m := range spokenOut.FindAllStringSubmatch(page, -1) {
		text += m[1] + "\n"
	}
	return html.UnescapeString(text + tag.ReplaceAllString(notShown.ReplaceAllString(page, " "), " "))
}

// TestTemplatesHaveNoTextOfTheirOwn finds words that do not go through T.
func TestTemplatesHaveNoTextOfTheirOwn(t *testing.T) {
	t.Parallel()
	trees, err := parseTemplates("templates/*.html")
	must(t, err)
	for name, tree := range trees {
		plain := ""
		walkTemplate(tree.Root, func(n parse.Node) {
			if text, ok := n.(*parse.TextNode); ok {
				plain += string(text.Text)
			}
		})
		if found := word.FindAllString(attribute.ReplaceAllString(visible(plain), " "), -1); len(found) > 0 {
			t.Errorf("the template %s says %q in every language", name, found)
		}
	}
}

// TestComposedMessages translates what was put together before it came to the page.
func TestComposedMessages(t *testing.T) {
	t.Parallel()
	const (
		schema   = "Attributes did not conform to the schema: "
		inGerman = "Bitte prüfen Sie Ihre Angaben: "
	)
	for english, want := range map[string]string{
		"Password did not conform with policy: Password not long enough": "" +
			"Dieses Passwort ist nicht zulässig: Es ist zu kurz.",
		schema + "email: The attribute is required": inGerman +
			"E-Mail-Adresse: Diese Angabe ist erforderlich.",
		schema + "name.formatted: The attribute is required\nbirthdate: The attribute is required": inGerman +
			"Name: Diese Angabe ist erforderlich.\nGeburtsdatum: Diese Angabe ist erforderlich.",
		schema + "custom:team: expected 2 to 20 characters": inGerman +
			"custom:team: Geben Sie 2 bis 20 Zeichen ein.",
		schema + "family_name: expected no control characters": inGerman +
			"Nachname: Steuerzeichen sind nicht erlaubt.",
		"the user name and the phone_number attribute differ": "" +
			"Der Benutzername stimmt mit der folgenden Angabe nicht überein: Telefonnummer",
		"PreSignUp failed with error Not you: 100%d.": "" +
			"PreSignUp ist mit folgendem Fehler fehlgeschlagen: Not you: 100%d.",
		"At least 8 characters":            "Mindestens 8 Zeichen",
		userpool.TextIncorrect:             "Benutzername oder Passwort ist falsch.",
		"Somebody else's words: %s *here*": "Somebody else's words: %s *here*",
		"":                                 "",
	} {
		if got := hosted.Translate("de", english); got != want {
			t.Errorf("%q is %q, want %q", english, got, want)
		}
		if got := hosted.Translate("en", english); got != english {
			t.Errorf("in English %q is %q", english, got)
		}
	}
}

// FuzzTranslate takes any message: there is an answer, of bounded length.
func FuzzTranslate(f *testing.F) {
	f.Add("%s failed with error %s.")
	f.Add("Attributes did not conform to the schema: a: b: c\nd: The attribute is required")
	f.Add(strings.Repeat("Password did not conform with policy: ", 50))
	f.Fuzz(func(t *testing.T, english string) {
		if got := hosted.Translate("ja", english); len(got) > 20*len(english)+1000 || english != "" && got == "" {
			t.Errorf("%q is %q", english, got)
		}
	})
}

// language is what a page is in by its header and by its source, and what the
// browser is told to remember.
func language(t *testing.T, a pooltest.Answer) (lang, remembered string) {
	t.Helper()
	lang = a.Header.Get("Content-Language")
	if !strings.Contains(a.Body, `<html lang="`+lang+`">`) || lang == "" {
		t.Errorf("Content-Language is %q, and the page says otherwise", lang)
	}
	if !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		t.Error("the page may be stored, and then be shown in another's language")
	}
	for _, c := range a.Cookies() {
		if c.Name == "lang" {
			remembered = c.Value
		}
	}
	return lang, remembered
}

func TestLanguageChoice(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for name, c := range map[string]struct {
		param, cookie, header string
		want, remembered      string
	}{
		"nothing":                {want: "en"},
		"parameter":              {param: "ja", want: "ja", remembered: "ja"},
		"English by parameter":   {param: "en", cookie: "lang=de", header: "ja", want: "en", remembered: "en"},
		"parameter over cookie":  {param: "de", cookie: "lang=ja", want: "de", remembered: "de"},
		"as it was":              {param: "de", cookie: "lang=de", want: "de"},
		"region":                 {param: "de-AT", want: "de", remembered: "de"},
		"script and region":      {param: "ja-Jpan-JP", want: "ja", remembered: "ja"},
		"capital letters":        {param: "DE", want: "de", remembered: "de"},
		"not there yet":          {param: "zh-TW", header: "de", want: "de"},
		"unknown":                {param: "tlh", cookie: "lang=ja", want: "ja"},
		"path":                   {param: "../de", want: "en"},
		"line end":               {param: "de\r\nSet-Cookie: x=y", want: "en"},
		"only a hyphen":          {param: "-", want: "en"},
		"leading hyphen":         {param: "-de", want: "en"},
		"cookie":                 {cookie: "lang=ja", header: "de", want: "ja"},
		"two cookies":            {cookie: "lang=ja; lang=de", want: "en"},
		"unknown cookie":         {cookie: "lang=x<y", header: "de", want: "de"},
		"header":                 {header: "de", want: "de"},
		"first":                  {header: "ja, de", want: "ja"},
		"weights":                {header: "de;q=0.5, ja;q=0.9, en;q=0.1", want: "ja"},
		"with spaces":            {header: " fr ; q=0.2 ,\tde ;q=0.8", want: "de"},
		"first that is there":    {header: "ko-KR, nl;q=0.9, de-CH;q=0.8, en;q=0.7", want: "de"},
		"unwanted":               {header: "de;q=0, ja;q=0.1", want: "ja"},
		"any":                    {header: "*", want: "en"},
		"no number":              {header: "de;q=NaN, ja;q=0.1", want: "ja"},
		"infinite":               {header: "de;q=Inf, ja;q=0.1", want: "ja"},
		"too much":               {header: "de;q=7, ja;q=0.1", want: "ja"},
		"negative":               {header: "de;q=-1, ja;q=0.1", want: "ja"},
		"not a weight":           {header: "de;q=, ja;q=0.1", want: "ja"},
		"commas":                 {header: strings.Repeat(",", 10_000) + "de", want: "en"},
		"one long tag":           {header: strings.Repeat("de-", 3_400) + "de, ja", want: "ja"},
		"many tags":              {header: "ja;q=0.1" + strings.Repeat(",de;q=0.01", 1_000), want: "ja"},
		"behind too many others": {header: strings.Repeat("tlh,", 2_500) + "de", want: "en"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			for field, value := range map[string]string{"Cookie": c.cookie, "Accept-Language": c.header} {
				if value != "" {
					h.Set(field, value)
				}
			}
			q := pooltest.Query()
			if c.param != "" {
				q.Set("lang", c.param)
			}
			lang, remembered := language(t, e.Get(t, "/login", q, h))
			if lang != c.want || remembered != c.remembered {
				t.Errorf("got %q and remembered %q, want %q and %q", lang, remembered, c.want, c.remembered)
			}
		})
	}
}

// TestAcceptedIsBounded reads headers of every size.
func TestAcceptedIsBounded(t *testing.T) {
	t.Parallel()
	if got := hosted.Accepted(strings.Repeat("de,", 5_000)); len(got) > 20 {
		t.Errorf("%d tags count, want at most 20", len(got))
	}
}

func FuzzAccepted(f *testing.F) {
	f.Add("de;q=0.5, ja;q=0.9")
	f.Add("*;q=NaN,,;q=1")
	f.Fuzz(func(t *testing.T, header string) {
		for _, tag := range hosted.Accepted(header) {
			if len(tag) > 35 || strings.ContainsAny(tag, ",;") {
				t.Errorf("%q gives the tag %q", header, tag)
			}
		}
	})
}

// TestRepeatedLang is a request that names two languages: it is refused, in
// neither of them.
func TestRepeatedLang(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for _, path := range []string{"/login", "/oauth2/authorize"} {
		q := pooltest.Query()
		q["lang"] = []string{"de", "ja"}
		a := e.Get(t, path, q, nil)
		if a.StatusCode != http.StatusFound || len(a.Cookies()) > 0 && a.Cookies()[0].Name == "lang" ||
			strings.Contains(a.Header.Get("Location"), "lang=") {
			t.Errorf("%s: got %d to %q with %q", path, a.StatusCode, a.Header.Get("Location"), a.Cookies())
		}
	}
	a := e.Get(t, "/error", url.Values{"error": {"server_error"}, "lang": {"de", "ja"}}, nil)
	if lang, _ := language(t, a); lang != "en" {
		t.Errorf("the error page is in %q", lang)
	}
}

// TestLanguageOfRefusals follows refusals to the page that shows them.
func TestLanguageOfRefusals(t *testing.T) {
	t.Parallel()
	e := openPool(t, func(s *userpool.Settings) { s.ConfirmByLink = true })
	want := func(name string, v *pooltest.Visitor) {
		t.Helper()
		lang, _ := language(t, v.Page)
		if lang != "ja" || v.Page.StatusCode < 400 {
			t.Errorf("%s: at %s with %d in %q", name, v.At, v.Page.StatusCode, lang)
		}
		speaksJapanese(t, v.Page.Body)
	}
	bad := pooltest.Query("client_id", "nobody", "lang", "ja").Encode()
	want("sign-in of an unknown app", e.NewVisitor().Open(t, "/login?"+bad))
	want("authorization of an unknown app", e.NewVisitor().Open(t, "/oauth2/authorize?"+bad))
	over := "/login?" + pooltest.Query("lang", "ja", "flow", "over").Encode()
	want("flow that is over", e.NewVisitor().Open(t, over))
	forged := e.NewVisitor().SignIn(t, "lang", "ja")
	forged.SetCookie("XSRF-TOKEN", "another")
	want("forged form", forged.Submit(t, "username", "ann"))
	link := e.NewVisitor().SignIn(t, "lang", "ja")
	want("forged link", link.Open(t, "/confirmUser?client_id=app&user_name=eve&confirmation_code=1"))
	want("link of another browser", e.NewVisitor().Open(t, "/confirmUser?client_id=app&lang=ja"))
}

// TestLanguageOfLinks follows the link of a mail in a browser that has chosen.
func TestLanguageOfLinks(t *testing.T) {
	t.Parallel()
	e := openPool(t, func(s *userpool.Settings) { s.ConfirmByLink = true })
	w := register(t, e, "eve", "eve@example.com")
	w.get(w.at + "&lang=ja")
	speaksJapanese(t, w.last.Body)
	v := e.NewVisitor()
	v.SetCookie("lang", "ja")
	v.Open(t, linkOf(t, e))
	if v.Page.StatusCode != http.StatusOK {
		t.Errorf("the link gives %d", v.Page.StatusCode)
	}
	speaksJapanese(t, v.Page.Body)
}

// foreign are the words that Japanese pages write in Latin letters, and those
// that the tests bring.
var foreign = regexp.MustCompile(`The App|Choosy|Acme & Söhne|Cognate|MFA|QR|PIN|SMS|URL|JavaScript|Cookie|` +
	`(?i)\b(?:ann|bob|eve|new)\b|[a-z+]\*+@[a-z]\*+|[a-z0-9.]+@example\.com|custom:plan`)

// speaksJapanese finds Latin words in what a page shows.
func speaksJapanese(t *testing.T, page string) {
	t.Helper()
	shown := visible(page)
	found := regexp.MustCompile(`\p{Latin}{2,}`).FindAllString(foreign.ReplaceAllString(shown, " "), -1)
	if len(found) > 0 {
		t.Errorf("the page says %q:\n%s", found, strings.Join(strings.Fields(shown), " "))
	}
	if !regexp.MustCompile(`\p{Hiragana}|\p{Katakana}|\p{Han}`).MatchString(shown) {
		t.Errorf("the page is not in Japanese: %s", shown)
	}
}

// TestJapanesePages opens every page in Japanese.
func TestJapanesePages(t *testing.T) {
	t.Parallel()
	for name, v := range everyStep(t) {
		v.SetCookie("lang", "ja")
		speaksJapanese(t, v.Open(t, v.At).Page.Body)
		t.Logf("%s: %s", name, v.Path())
	}
	e := openPool(t)
	speaksJapanese(t, e.Get(t, "/", url.Values{"lang": {"ja"}}, nil).Body)
}

// TestJapaneseSignIn goes the whole way in Japanese, mistakes and all, by the
// parameter of the first page alone.
func TestJapaneseSignIn(t *testing.T) {
	t.Parallel()
	e := steps(t, false, settings(userpool.MFAOn))
	must(t, e.Pool.Users.SetMFA(t.Context(), "ann", []string{fEmail}, ""))
	v := e.NewVisitor().Open(t, "/oauth2/authorize?"+pooltest.Query("lang", "ja").Encode())
	for _, pairs := range [][]string{
		{"username", "ann", "password", "wrong"}, {"username", "ann", "password", pooltest.Password},
		{"resend", "1"}, {"code", "000000x"},
	} {
		speaksJapanese(t, v.Page.Body)
		v.Submit(t, pairs...)
	}
	speaksJapanese(t, v.Page.Body)
	wantIn(t, v.Submit(t, "code", sent(t, e, "ann@example.com")))
}

// TestJapaneseSignUp registers in Japanese, and resets the password.
func TestJapaneseSignUp(t *testing.T) {
	t.Parallel()
	e := openPool(t)
	w := open(t, e, "/signup", "lang", "ja")
	speaksJapanese(t, w.last.Body)
	for _, pairs := range [][]string{
		{"username", "", "password", "x"}, {"username", "eve", "password", newPassword},
		{"username", "eve", "password", "short", "requiredAttributes[email]", "eve@example.com"},
		{"username", "eve", "password", newPassword, "requiredAttributes[email]", "none"},
		{"username", "ann", "password", newPassword, "requiredAttributes[email]", "eve@example.com"},
		{"username", "eve", "password", newPassword, "requiredAttributes[email]", "eve@example.com"},
	} {
		w.send("cognitoSignUpForm", pairs...)
		speaksJapanese(t, w.last.Body)
	}
	w.send("resend")
	speaksJapanese(t, w.last.Body)
	w.send("confirm", "code", "000000")
	speaksJapanese(t, w.last.Body)
	w.send("confirm", "code", "424242").wantSignedIn()

	w = open(t, e, "/forgotPassword", "lang", "ja")
	speaksJapanese(t, w.last.Body)
	w.send("forgotPassword", "username", "ann")
	speaksJapanese(t, w.last.Body)
	w.send("confirmForgotPassword", "code", "424242", "password", newPassword, "confirm_password", newPassword)
	speaksJapanese(t, w.last.Body)
}
