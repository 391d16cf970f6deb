package hosted

// Translate is what a page in the language makes of an English message.
func Translate(lang, english string) string { return locales()[lang].T(english) }

// Accepted is what is understood of an Accept-Language header.
var Accepted = accepted
