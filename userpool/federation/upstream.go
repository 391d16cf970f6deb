package federation

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/loopback"
	"github.com/cognate-auth/cognate/internal/utf8text"
	"github.com/cognate-auth/cognate/userpool"
)

// Limits of what a provider may answer, and how long it is believed.
const (
	maxAnswer     = 512 << 10
	maxKeys       = 100
	maxUpstreams  = 1000
	discoveryLife = 10 * time.Minute
	// keysLife is how long a key is good at most, also where newer ones can't be had: who
	// signs in there needs the provider at that moment in any case.
	keysLife     = 10 * time.Minute
	keysInterval = time.Second // between two looks for a key that was not there
)

// endpoints are where a provider is reached.
type endpoints struct {
	Issuer      string `json:"issuer"`
	Authorize   string `json:"authorization_endpoint"`
	Token       string `json:"token_endpoint"`
	UserInfo    string `json:"userinfo_endpoint"`
	JWKS        string `json:"jwks_uri"`
	NamesItself bool   `json:"authorization_response_iss_parameter_supported"` // RFC 9207
}

// upstream is what is known of one provider. Who holds turn may read and write
// the rest.
type upstream struct {
	turn chan struct{}

	known      endpoints
	knownUntil time.Time
	keys       []verifyKey
	keysAt     time.Time
	passedOver string // what was said last of keys that can't be used
}

// upstream returns what is known of the provider. It is kept as long as what the
// pool was told of the provider stays the same.
func (h *Handler) upstream(ip userpool.IdentityProvider) *upstream {
	key := strings.Join([]string{ip.Issuer, ip.AuthorizeURL, ip.TokenURL, ip.UserInfoURL, ip.JWKSURL}, "\n")
	h.mu.Lock()
	defer h.mu.Unlock()
	if u := h.upstreams[key]; u != nil {
		return u
	}
	if h.upstreams == nil || len(h.upstreams) >= maxUpstreams {
		h.upstreams = make(map[string]*upstream)
	}
	u := &upstream{turn: make(chan struct{}, 1)}
	h.upstreams[key] = u
	return u
}

// enter waits until nobody else asks the provider for the same.
func (u *upstream) enter(ctx context.Context) (leave func(), err error) {
	select {
	case u.turn <- struct{}{}:
		return func() { <-u.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// endpoints returns the provider's, from its discovery document unless the pool
// was told.
func (u *upstream) endpoints(ctx context.Context, h *Handler, ip userpool.IdentityProvider) (endpoints, error) {
	if ip.TokenURL != "" {
		return endpoints{
			Issuer: ip.Issuer, Authorize: ip.AuthorizeURL, Token: ip.TokenURL,
			UserInfo: ip.UserInfoURL, JWKS: ip.JWKSURL,
		}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, h.patience())
	defer cancel()
	leave, err := u.enter(ctx)
	if err != nil {
		return endpoints{}, &fault{ip.Name, readTimedOut, err}
	}
	defer leave()
	left := u.knownUntil.Sub(h.Pool.Now())
	if left > 0 && left <= discoveryLife { // more, and the clock was set back
		return u.known, nil
	}
	found, err := h.discover(ctx, ip)
	if err != nil {
		return endpoints{}, err
	}
	u.known, u.knownUntil = found, h.Pool.Now().Add(discoveryLife)
	return found, nil
}

// discover reads the discovery document (OpenID Connect Discovery section 4).
func (h *Handler) discover(ctx context.Context, ip userpool.IdentityProvider) (endpoints, error) {
	var found endpoints
	address := strings.TrimSuffix(ip.Issuer, "/") + "/.well-known/openid-configuration"
	a, err := h.get(ctx, address, "")
	if err != nil {
		return found, networkFault(ip, readTimedOut, err)
	}
	if a.status != http.StatusOK {
		return found, answerFault(ip, a)
	}
	err = json.Unmarshal(a.body, &found)
	switch {
	case err != nil:
		err = errors.New("the discovery document is not JSON")
	case found.Issuer != ip.Issuer:
		err = fmt.Errorf(
			"the discovery document is of the issuer %.200q; expected %q, exactly", found.Issuer, ip.Issuer,
		)
	default:
		err = found.check()
	}
	if err != nil {
		return found, &fault{ip.Name, "Invalid discovery document", err}
	}
	return found, nil
}

func (e endpoints) check() error {
	for name, text := range map[string]string{
		"authorization_endpoint": e.Authorize, "token_endpoint": e.Token, "jwks_uri": e.JWKS,
		"userinfo_endpoint": e.UserInfo,
	} {
		if text == "" && name == "userinfo_endpoint" {
			continue // OpenID Connect Discovery section 3: recommended
		}
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
			return fmt.Errorf("%s of the discovery document is not an http or https URL", name)
		}
	}
	return nil
}

// tokens is the answer of a token endpoint.
type tokens struct{ ID, Access userpool.Secret }

// redeem exchanges the code (client_secret_post, the one method Cognito knows).
func (h *Handler) redeem(
	ctx context.Context, ip userpool.IdentityProvider, known endpoints, trip userpool.RoundTrip, code string,
) (tokens, error) {
	ctx, cancel := context.WithTimeout(ctx, h.patience())
	defer cancel()
	a, err := h.post(ctx, known.Token, "", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {h.BaseURL + responsePath},
		"client_id": {ip.ClientID}, "client_secret": {string(ip.ClientSecret)},
		"code_verifier": {string(trip.Verifier)},
	})
	if err != nil {
		return tokens{}, networkFault(ip, "Timeout occurred in calling IdP token endpoint", err)
	}
	var body struct {
		ID          string `json:"id_token"`
		Access      string `json:"access_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	err = json.Unmarshal(a.body, &body)
	switch {
	case err == nil && body.Error != "":
		sent := []string{code, string(ip.ClientSecret), string(trip.Verifier)}
		return tokens{}, providerError(ip, a.status, unlike(body.Error, sent...), unlike(body.Description, sent...))
	case err != nil || a.status != http.StatusOK || body.ID == "":
		// Cognito repeats the body here, which may hold a token.
		cause := fmt.Errorf("the token endpoint answered %d; expected 200 and JSON with an id_token", a.status)
		text := fmt.Sprintf("Bad token response: HTTP/1.1 %d %s", a.status, http.StatusText(a.status))
		return tokens{}, &fault{ip.Name, strings.TrimSpace(text), cause}
	}
	return tokens{userpool.Secret(body.ID), userpool.Secret(body.Access)}, nil
}

// userInfo asks the userInfo endpoint.
func (h *Handler) userInfo(
	ctx context.Context, ip userpool.IdentityProvider, known endpoints, access userpool.Secret,
) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, h.patience())
	defer cancel()
	ask := func() (answer, error) { return h.get(ctx, known.UserInfo, access) }
	if ip.UserInfoByPost {
		ask = func() (answer, error) { return h.post(ctx, known.UserInfo, access, nil) }
	}
	a, err := ask()
	if err != nil {
		return nil, networkFault(ip, readTimedOut, err)
	}
	if a.status != http.StatusOK {
		return nil, answerFault(ip, a, string(access))
	}
	info, err := object(a.body)
	if err != nil {
		return nil, &fault{
			ip.Name, "Bad userInfo response",
			errors.New("the userInfo answer is not a JSON object; a signed one (application/jwt) is not supported"),
		}
	}
	return info, nil
}

// object decodes a JSON object, with numbers as they are written.
func object(body []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var out map[string]any
	err := decoder.Decode(&out)
	if err == nil && (out == nil || decoder.More()) {
		err = errors.New("not one JSON object")
	}
	return out, err
}

// text is one value of a claim.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool, json.Number:
		return fmt.Sprint(v)
	default:
		body, err := json.Marshal(v) // of what was JSON
		if err != nil {
			return ""
		}
		return string(body)
	}
}

const readTimedOut = "Read timed out"

// networkFault is a request that had no answer: what the app hears is text if
// time ran out.
func networkFault(ip userpool.IdentityProvider, text string, err error) error {
	var n net.Error
	switch {
	case errors.Is(err, errTooLong):
		return &fault{ip.Name, "Bad response", err}
	case !errors.Is(err, context.DeadlineExceeded) && (!errors.As(err, &n) || !n.Timeout()):
		return &fault{ip.Name, "Connection reset", err}
	}
	return &fault{ip.Name, text, err}
}

// answerFault is an answer with a status other than success.
func answerFault(ip userpool.IdentityProvider, a answer, sent ...string) error {
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(a.body, &body) != nil || body.Error == "" {
		body.Error = http.StatusText(a.status)
	}
	return providerError(ip, a.status, unlike(body.Error, sent...), unlike(body.Description, sent...))
}

// unlike returns a text of the provider's if it repeats nothing of what it was sent: it
// gets into the app's URL and into logs. A piece of a secret counts from 16 bytes on.
func unlike(text string, sent ...string) string {
	const piece = 8
	folded := strings.ToLower(text)
	for _, s := range sent {
		for s = strings.ToLower(s); len(s) >= piece; s = s[piece:] {
			if strings.Contains(folded, s[:piece]) {
				return ""
			}
		}
	}
	return text
}

// answer is a provider's, read whole.
type answer struct {
	status int
	body   []byte
}

var errTooLong = fmt.Errorf("the answer is longer than %d bytes", maxAnswer)

// withoutAnswer keeps what is known of a failed connection. Every other error of net/http
// may quote the beginning of the answer, which may repeat what was sent.
func withoutAnswer(err error) error {
	var n net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &n) && n.Timeout():
		return err
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	return errors.New("the connection broke off, or the answer is no HTTP")
}

// client follows no redirect: the endpoints are the provider's own words, and a
// code or a token must reach nobody else.
var client = newClient()

func newClient() *http.Client {
	transport := loopback.Default()
	transport.MaxResponseHeaderBytes = 64 << 10
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (h *Handler) get(ctx context.Context, address string, bearer userpool.Secret) (answer, error) {
	return send(ctx, http.MethodGet, address, bearer, nil)
}

func (h *Handler) post(ctx context.Context, address string, bearer userpool.Secret, form url.Values) (answer, error) {
	return send(ctx, http.MethodPost, address, bearer, strings.NewReader(form.Encode()))
}

func send(ctx context.Context, method, address string, bearer userpool.Secret, body io.Reader) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "cognate-user-pool")
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+string(bearer))
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, withoutAnswer(err)
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		err = withoutAnswer(err)
	case len(read) > maxAnswer:
		err = errTooLong
	}
	text, unreadable := utf8text.Decode(read)
	if unreadable == nil { // or else no JSON
		read = text
	}
	return answer{resp.StatusCode, read}, err
}
