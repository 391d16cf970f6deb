package cognatetest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/testhook"
)

// refused has the last refusals of all apps in this process, whatever they do with their
// log and their error pages.
var refused refusals

func init() {
	testhook.Refused = func(r *http.Request, err any) { refused.add(r, err.(*cognate.Error)) }
}

// maxRefusals is how many refusals are remembered.
const maxRefusals = 1000

// refusals are safe for concurrent use.
type refusals struct {
	mu   sync.Mutex
	n    int       // how many there were
	last []refusal // the last of them
}

// refusal is one answer of an app.
type refusal struct {
	host, path string
	err        *cognate.Error
}

func (s *refusals) add(r *http.Request, err *cognate.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.last = append(s.last, refusal{r.Host, r.URL.Path, err})
	if len(s.last) > maxRefusals {
		s.last = append([]refusal(nil), s.last[maxRefusals/2:]...)
	}
}

// count returns how many refusals there were.
func (s *refusals) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// since returns the refusals after the first begun ones, as far as they are remembered.
func (s *refusals) since(begun int) []refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[max(len(s.last)-(s.n-begun), 0):]
}

// why says why an app of this process gave this answer, or is empty. Usually the answer
// has the refusal's reference. An app with pages of its own may not show it: then it is
// the one refusal at this address, unless other tests had some there too.
func (s *refusals) why(resp *http.Response, begun int) string {
	if resp.StatusCode < http.StatusBadRequest {
		return ""
	}
	body := bodyOf(resp)
	var here []refusal
	for _, r := range s.since(begun) {
		if strings.Contains(body, r.err.Reference) {
			return r.text()
		}
		at := resp.Request.URL
		if r.host == at.Host && r.path == at.Path && r.err.Status == resp.StatusCode {
			here = append(here, r)
		}
	}
	if len(here) == 1 {
		return here[0].text()
	}
	return ""
}

// text has what the app's log has: the reason, the cause, and what to do.
func (r refusal) text() string {
	text := fmt.Sprintf("it refused with the reason %s", r.err.Reason)
	if r.err.ProviderCode != "" {
		text += fmt.Sprintf("; the provider says %q", r.err.ProviderCode)
	}
	if r.err.Err != nil {
		text += ": " + r.err.Err.Error()
	}
	if hint := r.err.Hint(); hint != "" {
		text += "; " + hint
	}
	return text
}
