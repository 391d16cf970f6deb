package devview

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/trace"
)

// advice is what a developer is told about a failed step.
type advice struct {
	What     string // the error in a few words
	Hint     string
	Slip     string       // the likely one; empty: not known
	Compare  []comparison // what was sent and what it should have been
	Others   []string     // what else would do
	Causes   []string     // the likely ones, the likeliest first
	Commands []command
	Warning  string // about the commands
}

// comparison sets two values side by side.
type comparison struct {
	Sent, Wanted         []part
	SentLabel, WantLabel string
}

// part of a value; Differs marks what the other one has not.
type part struct {
	Text    string
	Differs bool
}

type command struct{ Label, Text string }

// advise says what to do about the i-th step, if it failed.
func (h *Handler) advise(ctx context.Context, s *trace.SignIn, i int) (*advice, error) {
	step := s.Steps[i]
	if !step.Failed() || step.Path == "/error" { // the page follows from a step before
		return nil, nil
	}
	a := &advice{What: what(step), Hint: hintOf(step), Slip: slip(step)}
	if step.Reported() {
		if step.ErrorText != "" {
			a.Slip = "The app says: " + sentence(step.ErrorText) + " "
		}
		a.Slip = strings.TrimSpace(a.Slip + step.Param("clock"))
		return a, nil
	}
	keys := keysOf(step)
	c, known, err := h.Pool.Clients.Get(ctx, step.ClientID)
	switch {
	case err != nil:
		return nil, err
	case slices.Contains(keys, userpool.PageUnknownClient), slices.Contains(keys, decision.UnknownClient):
		err = h.adviseClients(ctx, a, step)
	case slices.Contains(keys, userpool.PageRedirectMismatch) && known:
		h.adviseMismatch(a, step, c)
	case slices.Contains(keys, userpool.CodeInvalidScope) && known:
		h.adviseScopes(a, step, c)
	case slices.Contains(keys, decision.RedirectURIDiffers):
		a.compareWithBegin(s, step, "redirect_uri", "redirect_uri")
	case slices.Contains(keys, decision.VerifierWrong):
		a.compareWithBegin(s, step, "code_verifier", "code_challenge")
	}
	return a, err
}

// what names a failure in a few words.
func what(step trace.Step) string {
	if step.Reported() {
		return "The app refused: " + step.Error
	}
	for _, d := range step.Decisions {
		if reason := d.Get("reason"); reason != "" {
			return reason
		}
	}
	switch {
	case step.ErrorText != "" && step.ErrorText != step.Error:
		return step.Error + ": " + step.ErrorText
	case step.Error != "":
		return step.Error
	}
	for _, d := range step.Decisions {
		if code := d.Get("error"); code != "" {
			return code
		}
	}
	return "HTTP status " + strconv.Itoa(step.Status)
}

// slip is the one that the pool itself recognised.
func slip(step trace.Step) string {
	for _, d := range step.Decisions {
		hint, slip := d.Get("hint"), d.Get("slip")
		switch {
		case slip != "":
			return "Note " + slip + "."
		case hint != "" && d.Event == decision.RequestRefused && d.Get("error") != userpool.PageRedirectMismatch:
			return strings.ToUpper(hint[:1]) + hint[1:] + "."
		}
		if d.Event == decision.SignInRefused && d.Get("known") == "false" {
			return "Nobody has the name that was typed."
		}
		if d.Event == decision.SignInRefused && d.Get("reason") == userpool.TextIncorrect {
			return "The user exists: the password was wrong."
		}
	}
	return ""
}

func (h *Handler) adviseClients(ctx context.Context, a *advice, step trace.Step) error {
	const few = 5
	clients, err := h.Pool.Clients.List(ctx, "", few)
	for _, c := range clients {
		a.compare("Sent", step.ClientID, "Known: "+c.Name, c.ID)
	}
	return err
}

func (h *Handler) adviseMismatch(a *advice, step trace.Step, c userpool.Client) {
	name, registered := "redirect_uri", c.CallbackURLs
	if step.Path == "/logout" && step.Param("logout_uri") != "" {
		name, registered = "logout_uri", c.LogoutURLs
	}
	sent := step.Param(name)
	nearest := slices.SortedStableFunc(slices.Values(registered), func(x, y string) int {
		return common(sent, y) - common(sent, x)
	})
	if len(nearest) > 0 {
		a.compare("Sent", sent, "Registered", nearest[0])
		a.Others = nearest[1:min(len(nearest), 5)]
	}
	switch {
	case len(registered) == 0:
		a.Slip = "The client has no such address at all."
	case slices.Contains(registered, sent):
		a.Slip = "It is registered by now: the same request would pass."
		return
	}
	if userpool.CheckRedirectURI(sent) != nil {
		a.Warning = "The address that was sent cannot be registered: it must be an absolute https address, " +
			"http on localhost alone, or of the app’s own scheme, without fragment."
		return
	}
	a.Commands = h.registerCommands(c, name, sent)
	a.Warning = "Do so only if the address is your app’s. AWS sets what the command leaves out to its default, " +
		"so it repeats the client’s other OAuth settings; add what else your client has."
}

// registerCommands are the two ways to register an address.
func (h *Handler) registerCommands(c userpool.Client, name, uri string) []command {
	if name == "logout_uri" {
		c.LogoutURLs = append(slices.Clone(c.LogoutURLs), uri)
		return h.commands(c, "logout_urls", c.LogoutURLs)
	}
	c.CallbackURLs = append(slices.Clone(c.CallbackURLs), uri)
	return h.commands(c, "callback_urls", c.CallbackURLs)
}

// commands give the client a list under key, in the pool's file and in AWS.
func (h *Handler) commands(c userpool.Client, key string, list []string) []command {
	yaml := fmt.Sprintf("pools:\n  - id: %s\n    clients:\n      - id: %s\n        %s:\n", h.Pool.ID(), c.ID, key)
	for _, value := range list {
		yaml += "          - " + strconv.Quote(value) + "\n"
	}
	return []command{{"In the pool’s YAML file", yaml}, {"In AWS", h.awsCommand(c)}}
}

func (h *Handler) adviseScopes(a *advice, step trace.Step, c userpool.Client) {
	var missing []string
	for scope := range strings.SplitSeq(step.Param("scope"), " ") { // RFC 6749 section 3.3
		if scope != "" && !slices.Contains(c.AllowedOAuthScopes, scope) {
			missing = append(missing, scope)
		}
	}
	a.compare("Asked for", step.Param("scope"), "Allowed", strings.Join(c.AllowedOAuthScopes, " "))
	if len(missing) == 0 {
		return
	}
	a.Slip = "Not allowed: " + strings.Join(missing, " ") + "."
	c.AllowedOAuthScopes = slices.Concat(c.AllowedOAuthScopes, missing)
	a.Commands = h.commands(c, "allowed_oauth_scopes", c.AllowedOAuthScopes)
	a.Warning = "A scope of a resource server must exist there first. " +
		"AWS sets what the command leaves out to its default."
}

// awsCommand sets the client's addresses and scopes in AWS. Every value is
// quoted for the shell: some of them came in a request.
func (h *Handler) awsCommand(c userpool.Client) string {
	var b strings.Builder
	b.WriteString("aws cognito-idp update-user-pool-client")
	option := func(name string, values ...string) {
		if len(values) == 0 {
			return
		}
		b.WriteString(" \\\n  --" + name)
		for _, v := range values {
			b.WriteString(" " + shellQuote(v))
		}
	}
	option("user-pool-id", h.Pool.ID())
	option("client-id", c.ID)
	option("callback-urls", c.CallbackURLs...)
	option("logout-urls", c.LogoutURLs...)
	option("allowed-o-auth-flows", c.AllowedOAuthFlows...)
	option("allowed-o-auth-scopes", c.AllowedOAuthScopes...)
	b.WriteString(" \\\n  --allowed-o-auth-flows-user-pool-client")
	providers := c.SupportedIdentityProviders
	if len(providers) == 0 {
		providers = []string{userpool.ProviderCognito}
	}
	option("supported-identity-providers", providers...)
	option("explicit-auth-flows", c.ExplicitAuthFlows...)
	return b.String()
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// compareWithBegin sets a parameter of a step beside that of the request that
// the sign-in began with.
func (a *advice) compareWithBegin(s *trace.SignIn, step trace.Step, sent, began string) {
	first := s.Steps[0]
	value := strings.TrimPrefix(step.Param(sent), "its S256 challenge is ")
	if value == "" {
		value = "(not sent)"
	}
	want := first.Param(began)
	if want == "" {
		want = "(not sent)"
	}
	label := "Sent to " + step.Path
	if sent == "code_verifier" {
		label = "Challenge of the verifier"
	}
	a.compare(label, value, "Sent to "+first.Path, want)
}

func (a *advice) compare(sentLabel, sent, wantLabel, want string) {
	s, w := mark(sent, want)
	a.Compare = append(a.Compare, comparison{Sent: s, Wanted: w, SentLabel: sentLabel, WantLabel: wantLabel})
}

// common is how much two values have in common at both ends.
func common(a, b string) int {
	head, tail := ends(a, b)
	return head + tail
}

// ends are the lengths of what two values share at their beginning and end.
func ends(a, b string) (head, tail int) {
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	for head > 0 && head < len(a) && !utf8.RuneStart(a[head]) {
		head--
	}
	for tail > 0 && !utf8.RuneStart(a[len(a)-tail]) {
		tail--
	}
	return head, tail
}

// mark splits two values into what they share and what differs.
func mark(a, b string) (x, y []part) {
	if a == b {
		return []part{{a, false}}, []part{{b, false}}
	}
	head, tail := ends(a, b)
	return split(a, head, tail), split(b, head, tail)
}

func split(s string, head, tail int) (out []part) {
	for _, p := range []part{{s[:head], false}, {s[head : len(s)-tail], true}, {s[len(s)-tail:], false}} {
		if p.Text != "" {
			out = append(out, p)
		}
	}
	return out
}
