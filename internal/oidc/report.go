package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/cognate-auth/cognate/internal/flight"
)

// The outcomes of a sign-in.
const (
	OutcomeSignedIn = "signed_in"
	OutcomeRefused  = "refused"
)

// A Report says how a sign-in ended in the app, for the people who develop it.
type Report struct {
	// SignIn is the SHA-256 of the authorization request's state, in base64url.
	SignIn   string `json:"sign_in"`
	ClientID string `json:"client_id"`
	Outcome  string `json:"outcome"`
	// Time is what the app's clock says.
	Time time.Time `json:"time"`
	// Reason, Cause, Hint and Reference say why the sign-in was refused: the check, what
	// happened, what to do, and the word on the visitor's page.
	Reason    string `json:"reason,omitempty"`
	Cause     string `json:"cause,omitempty"`
	Hint      string `json:"hint,omitempty"`
	Reference string `json:"reference,omitempty"`
}

// ReportsTo returns where the provider takes reports, or "" if it takes none or its discovery
// document was not needed yet. Only a local pool that serves its developer's view takes them.
func (p *Provider) ReportsTo() string {
	m, _ := p.metadata.peek()
	return m.report
}

// Report sends a report, with one request. It does nothing if the provider takes none.
func (p *Provider) Report(ctx context.Context, r Report) error {
	endpoint := p.ReportsTo()
	if endpoint == "" {
		return nil
	}
	_, err := flight.Guard(func() (struct{}, error) { return struct{}{}, p.post(ctx, endpoint, r) })
	return err
}

func (p *Provider) post(ctx context.Context, endpoint string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.http.Do(req)
	if err != nil {
		return withoutBody(err)
	}
	return resp.Body.Close()
}

// reportEndpoint returns the member cognate_sign_in_report_endpoint of a discovery document,
// or "" if reports may not go there. The issuer has to be on this machine, so that no
// provider in production gets one. The endpoint has to have the origin of the authorization
// and the token endpoint, so that a document can't have requests sent to another program.
func reportEndpoint(member json.RawMessage, issuer string, e Endpoints) string {
	var endpoint string
	if json.Unmarshal(member, &endpoint) != nil || endpoint == "" {
		return ""
	}
	own, err := url.Parse(endpoint)
	if err != nil || CheckURL(endpoint, false) != nil || own.RawQuery != "" || own.ForceQuery {
		return ""
	}
	of, err := url.Parse(issuer)
	if err != nil || !onThisMachine(of) || !onThisMachine(own) {
		return ""
	}
	for _, other := range []string{e.Authorization, e.Token} {
		u, err := url.Parse(other)
		if err != nil || u.Scheme != own.Scheme || u.Host != own.Host {
			return ""
		}
	}
	return endpoint
}
