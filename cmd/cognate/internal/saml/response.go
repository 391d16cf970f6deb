package saml

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/cognate-auth/cognate/userpool"
)

const maxResponse = 100_000 // characters, before decoding

// parseResponse decodes and parses a response and checks its form. Nothing in it is
// trusted yet.
func parseResponse(response string) (*etree.Element, error) {
	if len(response) > maxResponse {
		return nil, fmt.Errorf("the response has more than %d characters", maxResponse)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(response), ""))
	if err != nil {
		return nil, errors.New("the response is not base64")
	}
	text, err := decodeMessage(raw)
	if err != nil {
		return nil, fmt.Errorf("the response: %w", err)
	}
	document := etree.NewDocument()
	err = document.ReadFromBytes(text)
	if err != nil || document.Root() == nil {
		return nil, errors.New("the response is not XML")
	}
	root := document.Root()
	if !isElement(root, nsProtocol, "Response") || attribute(root, "Version") != "2.0" {
		return nil, errors.New("the document is not a Response of SAML 2.0")
	}
	return root, nil
}

// attribute returns the value of the attribute of e that has this name and no
// namespace.
func attribute(e *etree.Element, name string) string {
	for _, a := range e.Attr {
		if a.Space == "" && a.Key == name {
			return a.Value
		}
	}
	return ""
}

func isElement(e *etree.Element, space, tag string) bool {
	return e.Tag == tag && e.NamespaceURI() == space
}

// Issuer implements userpool.SAML.
func (s *SP) Issuer(response string) (string, error) {
	root, err := parseResponse(response)
	if err != nil {
		return "", err
	}
	assertion, err := onlyAssertion(root)
	if err != nil {
		return "", err
	}
	for _, child := range assertion.ChildElements() {
		if isElement(child, nsAssertion, "Issuer") {
			return strings.TrimSpace(child.Text()), nil
		}
	}
	return "", errors.New("the assertion has no Issuer")
}

// Read implements userpool.SAML (profiles section 4.1.4.3).
func (s *SP) Read(
	_ context.Context, sp userpool.ServiceProvider, ip userpool.IdentityProvider, response, inResponseTo string,
) (userpool.Assertion, error) {
	m, err := parseMetadata(ip.Metadata)
	if err != nil {
		return userpool.Assertion{}, err
	}
	root, err := parseResponse(response)
	if err != nil {
		return userpool.Assertion{}, err
	}
	// This check comes first, so that a provider's refusal is not reported as a
	// forgery: a refusal has no assertion, and often no signature.
	err = checkResponse(root, sp, m, inResponseTo)
	if err != nil {
		return userpool.Assertion{}, err
	}
	signed, err := verifiedAssertion(root, m, sp.Now)
	if err != nil {
		return userpool.Assertion{}, err
	}
	var a assertion
	err = unmarshal(newDecoder(signed, false), &a)
	if err != nil {
		return userpool.Assertion{}, errors.New("the assertion cannot be read")
	}
	return a.check(sp, m, inResponseTo)
}

// checkResponse checks the envelope, which may be unsigned. An attacker who changes it
// can only have it refused.
func checkResponse(root *etree.Element, sp userpool.ServiceProvider, m *metadata, inResponseTo string) error {
	destination := attribute(root, "Destination")
	if destination != "" && destination != sp.ACS {
		return errors.New("the response is for another Destination; expected " + sp.ACS)
	}
	if attribute(root, "InResponseTo") != inResponseTo {
		return errors.New("the response answers another request (InResponseTo)")
	}
	status := ""
	for _, child := range root.ChildElements() {
		switch {
		case isElement(child, nsAssertion, "Issuer") && strings.TrimSpace(child.Text()) != m.entityID:
			return errors.New("the response has another Issuer; expected " + m.entityID)
		case isElement(child, nsProtocol, "Status"):
			status = statusOf(child)
		}
	}
	if status != statusSuccess {
		return fmt.Errorf("the provider did not sign the person in: the status is %.200q", status)
	}
	return nil
}

func statusOf(status *etree.Element) string {
	for _, code := range status.ChildElements() {
		if isElement(code, nsProtocol, "StatusCode") {
			return attribute(code, "Value")
		}
	}
	return ""
}

// assertion has the parts of an assertion that are read. The rest is ignored.
type assertion struct {
	XMLName xml.Name
	ID      string `xml:",attr"`
	Version string `xml:",attr"`
	Issuer  string `xml:"urn:oasis:names:tc:SAML:2.0:assertion Issuer"`
	Subject struct {
		NameID []struct {
			Format string `xml:",attr"`
			Q      string `xml:"NameQualifier,attr"`
			SPQ    string `xml:"SPNameQualifier,attr"`
			Value  string `xml:",chardata"`
		} `xml:"urn:oasis:names:tc:SAML:2.0:assertion NameID"`
		Confirmations []confirmation `xml:"urn:oasis:names:tc:SAML:2.0:assertion SubjectConfirmation"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion Subject"`
	Conditions []struct {
		period
		Audiences []struct {
			Audience []string `xml:"urn:oasis:names:tc:SAML:2.0:assertion Audience"`
		} `xml:"urn:oasis:names:tc:SAML:2.0:assertion AudienceRestriction"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion Conditions"`
	Statements []struct {
		SessionIndex string `xml:",attr"`
		Until        string `xml:"SessionNotOnOrAfter,attr"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion AuthnStatement"`
	Attributes []struct {
		Name   string `xml:",attr"`
		Values []struct {
			Text string `xml:",chardata"`
		} `xml:"urn:oasis:names:tc:SAML:2.0:assertion AttributeValue"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion AttributeStatement>Attribute"`
}

type confirmation struct {
	Method string `xml:",attr"`
	Data   struct {
		period
		Recipient    string  `xml:",attr"`
		InResponseTo *string `xml:",attr"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion SubjectConfirmationData"`
}

// period is a time in which something is valid.
type period struct {
	NotBefore    string `xml:",attr"`
	NotOnOrAfter string `xml:",attr"`
}

// check checks that now is within the period, and returns its end, with the skew. The
// zero time is no end.
func (p period) check(now time.Time) (until time.Time, err error) {
	if p.NotBefore != "" {
		from, err := time.Parse(time.RFC3339Nano, p.NotBefore)
		if err != nil || now.Before(from.Add(-Skew)) {
			return until, errors.New("it is not valid yet (NotBefore), or the clocks differ by more than a minute")
		}
	}
	if p.NotOnOrAfter == "" {
		return until, nil
	}
	until, err = time.Parse(time.RFC3339Nano, p.NotOnOrAfter)
	until = until.Add(Skew)
	if err != nil || !now.Before(until) {
		return until, errors.New("it has expired (NotOnOrAfter)")
	}
	return until, nil
}

func (a *assertion) check(sp userpool.ServiceProvider, m *metadata, inResponseTo string) (userpool.Assertion, error) {
	out := userpool.Assertion{ID: a.ID}
	switch {
	case a.XMLName != xml.Name{Space: nsAssertion, Local: "Assertion"} || a.Version != "2.0" || a.ID == "":
		return out, errors.New("the signed element is not an Assertion of SAML 2.0 with an ID")
	case strings.TrimSpace(a.Issuer) != m.entityID:
		return out, errors.New("the assertion has another Issuer; expected " + m.entityID)
	case len(a.Subject.NameID) > 1:
		return out, errors.New("the assertion has more than one NameID")
	}
	err := a.checkConditions(sp)
	if err != nil {
		return out, err
	}
	out.Until, err = a.confirm(sp, inResponseTo)
	if err != nil {
		return out, err
	}
	index, err := a.checkStatements(sp.Now)
	if err != nil {
		return out, err
	}
	out.Profile = a.profile(index)
	return out, nil
}

// checkConditions checks time and audience (core section 2.5.1). Every restriction must
// name this service provider.
func (a *assertion) checkConditions(sp userpool.ServiceProvider) error {
	if len(a.Conditions) != 1 || len(a.Conditions[0].Audiences) == 0 {
		return errors.New("the assertion has no Conditions with an AudienceRestriction; expected the audience " +
			sp.EntityID)
	}
	_, err := a.Conditions[0].check(sp.Now)
	if err != nil {
		return fmt.Errorf("the assertion: %w", err)
	}
	for _, r := range a.Conditions[0].Audiences {
		if !slices.ContainsFunc(r.Audience, func(v string) bool { return strings.TrimSpace(v) == sp.EntityID }) {
			return errors.New("the assertion is for another audience; expected " + sp.EntityID)
		}
	}
	return nil
}

// confirm checks that a bearer confirmation is valid here and now. It returns the
// latest time at which one is valid: until then, the assertion must not be accepted
// again.
func (a *assertion) confirm(sp userpool.ServiceProvider, inResponseTo string) (until time.Time, err error) {
	err = errors.New("the assertion has no bearer SubjectConfirmation")
	for _, c := range a.Subject.Confirmations {
		if c.Method != bearer {
			continue
		}
		end, fault := c.check(sp, inResponseTo)
		if fault != nil && until.IsZero() {
			err = fault
		}
		if fault == nil && end.After(until) {
			until, err = end, nil
		}
	}
	return until, err
}

func (c confirmation) check(sp userpool.ServiceProvider, inResponseTo string) (until time.Time, err error) {
	switch answers := c.Data.InResponseTo; {
	case c.Data.Recipient != sp.ACS:
		return until, errors.New("the assertion is for another Recipient; expected " + sp.ACS)
	case answers == nil && inResponseTo != "", answers != nil && *answers != inResponseTo:
		return until, errors.New("the assertion answers another request (InResponseTo)")
	case c.Data.NotOnOrAfter == "":
		return until, errors.New("the SubjectConfirmation has no NotOnOrAfter")
	}
	until, err = c.Data.check(sp.Now)
	if err != nil {
		return until, fmt.Errorf("the SubjectConfirmation: %w", err)
	}
	return until, nil
}

func (a *assertion) checkStatements(now time.Time) (index string, err error) {
	if len(a.Statements) == 0 {
		return "", errors.New("the assertion has no AuthnStatement: it does not say that anybody signed in")
	}
	for _, s := range a.Statements {
		_, err = period{NotOnOrAfter: s.Until}.check(now)
		if err != nil {
			return "", fmt.Errorf("the session at the provider: %w", err)
		}
	}
	return a.Statements[0].SessionIndex, nil
}

// profile returns what the assertion says about the person. Attributes are identified
// by their Name. NameID can be mapped too; an attribute that is called NameID is not
// mistaken for it.
func (a *assertion) profile(index string) userpool.Profile {
	p := userpool.Profile{Claims: map[string]string{}, Issuer: strings.TrimSpace(a.Issuer)}
	values := map[string][]string{}
	for _, attribute := range a.Attributes {
		for _, v := range attribute.Values {
			values[attribute.Name] = append(values[attribute.Name], v.Text)
		}
	}
	for name, list := range values {
		p.Claims[name] = list[0]
		if len(list) > 1 {
			p.Claims[name] = userpool.MultiValue(list)
		}
	}
	if len(a.Subject.NameID) == 1 {
		n := a.Subject.NameID[0]
		p.Subject = strings.TrimSpace(n.Value)
		p.Claims["NameID"] = p.Subject
		v := session{NameID: p.Subject, Format: n.Format, Qualifier: n.Q, SPQ: n.SPQ, Index: index}
		text, err := json.Marshal(v)
		if err == nil { // strings can always be encoded
			p.Session = string(text)
		}
	}
	return p
}
