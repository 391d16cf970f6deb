package oauth

import (
	"net/http"
	"strings"

	"github.com/cognate-auth/cognate/userpool/internal/browser"
)

// mountOpen registers an endpoint that scripts of every origin may use (Fetch
// Standard, section "HTTP-CORS protocol"). No cookie and no address plays a part
// there: who asks brings its own proof, so there is nothing to abuse, and no
// answer allows credentials.
func mountOpen(mux *http.ServeMux, method, path string, handler http.HandlerFunc) {
	mux.HandleFunc(method+" "+path, anyOrigin(handler))
	mux.HandleFunc("OPTIONS "+path, preflight(method))
	allowed := strings.Replace(method, "GET", "GET, HEAD", 1) // a GET pattern also takes HEAD
	mux.HandleFunc(path, anyOrigin(only(allowed+", OPTIONS")))
}

// anyOrigin lets scripts of every origin read the answer, an error included.
func anyOrigin(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		browser.AllowAnyOrigin(w.Header())
		next(w, r)
	}
}

// preflight answers what a browser asks before a script's request. It allows
// the headers that the script wants to send, whatever they are: the endpoints
// read two, and libraries send their own along, as Amplify does with
// x-amz-user-agent.
func preflight(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Allow-Headers", wantedHeaders(r.Header.Values("Access-Control-Request-Headers")))
		h.Set("Access-Control-Max-Age", "600")
		// Asked by browsers for a page of the internet (WICG, Private Network
		// Access). It protects what trusts its network; nothing here does.
		if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
			h.Set("Access-Control-Allow-Private-Network", "true")
		}
		h.Set("Vary", "Access-Control-Request-Headers, Access-Control-Request-Private-Network")
		w.WriteHeader(http.StatusNoContent)
	}
}

// maxWanted bounds, in bytes, the header names that a preflight may ask for.
const maxWanted = 2 << 10

// wantedHeaders are the header names that a preflight asks for. One that asks for
// none, for too many or for what is no header name (RFC 9110 section 5.1) is told
// those that the endpoints read.
func wantedHeaders(asked []string) string {
	const read = "Authorization, Content-Type"
	list := strings.Join(asked, ",")
	if len(list) > maxWanted {
		return read
	}
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		name = strings.Trim(name, " \t")
		if name == "" {
			continue // RFC 9110 section 5.6.1: an empty element of a list is none
		}
		if strings.Trim(name, tokenChars) != "" {
			return read
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return read
	}
	return strings.Join(names, ", ")
}

// tokenChars are the characters of a header name (RFC 9110 section 5.6.2).
const tokenChars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
