package cognate

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/internal/oidc"
)

const (
	// maxReports bounds how many reports wait; more are dropped.
	maxReports = 8
	// reportTime bounds one report.
	reportTime = 2 * time.Second
)

// A reporter tells the developer's view of a local pool how sign-ins end, which only the app
// knows. Other providers have no such view, and hear nothing; see [oidc.Provider.ReportsTo].
// Reports go out in the background after the answers, one after the other, so that they come
// in their order, and nobody waits for them. A reporter is safe for concurrent use.
type reporter struct {
	client *oidc.Client
	now    func() time.Time

	mu      sync.Mutex
	last    string // the sign-in that succeeded last
	waiting []oidc.Report
	sending bool
}

func newReporter(client *oidc.Client, now func() time.Time) *reporter {
	return &reporter{client: client, now: now}
}

// attemptName names a sign-in to the view, which knows its state: with a hash, because the
// name is part of a link on a page. It is "" for no state.
func attemptName(state string) string {
	if state == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(state))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// tell reports how a sign-in ended; r says so.
func (p *reporter) tell(attempt string, r oidc.Report) {
	if attempt == "" || p.client.Provider.ReportsTo() == "" {
		return
	}
	r.SignIn, r.ClientID, r.Time = attempt, p.client.ID, p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Outcome == oidc.OutcomeSignedIn {
		p.last = attempt
	}
	if len(p.waiting) >= maxReports {
		return
	}
	p.waiting = append(p.waiting, r)
	if !p.sending {
		p.sending = true
		go p.send()
	}
}

// send sends what waits. If the view does not take one report, it is not asked with the
// others: the view only knows less then.
func (p *reporter) send() {
	for {
		p.mu.Lock()
		if len(p.waiting) == 0 {
			p.sending = false
			p.mu.Unlock()
			return
		}
		r := p.waiting[0]
		p.waiting = p.waiting[1:]
		p.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), reportTime)
		err := p.client.Provider.Report(ctx, r)
		cancel()
		if err != nil {
			p.mu.Lock()
			p.waiting = nil
			p.mu.Unlock()
		}
	}
}

// lastSuccess names the sign-in that succeeded last, or is "". A sign-in that is refused
// because those before it had no effect is told under this name.
func (p *reporter) lastSuccess() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// link returns the address of a sign-in in the view, or "" if there is no view. It holds no
// access: the view asks for its token.
func (p *reporter) link(attempt string) string {
	endpoint := p.client.Provider.ReportsTo()
	if attempt == "" || endpoint == "" {
		return ""
	}
	return endpoint + "?sign_in=" + attempt
}
