package devview

import (
	"bytes"
	"time"

	"github.com/cognate-auth/cognate/userpool/trace"
)

// HasHint reports whether there is a sentence for a reason.
func HasHint(reason string) bool {
	_, ok := hints[reason]
	return ok
}

// ReadReport returns the step that a report becomes, or false.
func ReadReport(body []byte, now time.Time) (trace.Step, bool) {
	said, err := readReport(bytes.NewReader(body))
	if err != nil {
		return trace.Step{}, false
	}
	return said.step(now), true
}
