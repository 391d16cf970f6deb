package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/cmd/cognate/internal/suggest"
	"github.com/cognate-auth/cognate/internal/localpool"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
)

type clientSecretsCommand struct {
	reachFlags
	Config  string   `placeholder:"FILE" help:"YAML file that describes the pools (default cognate.yaml, if it exists)."`
	FromAWS []string `name:"from-aws" sep:"none" placeholder:"JSON" help:"Output of aws cognito-idp describe-user-pool or describe-user-pool-client instead; may be repeated."`
	choiceFlags
}

// choiceFlags choose a client of the file, or describe the one of a pool without a file:
// then they are [clientFlags].
type choiceFlags struct {
	PoolID       string         `name:"pool-id" placeholder:"ID" help:"The pool (default the first of the file; without a file local_Cognate01)."`
	ClientID     string         `name:"client-id" placeholder:"ID" help:"The app client, by its ID or, in a file, its name (default the first)."`
	ClientSecret cognate.Secret `name:"client-secret" placeholder:"SECRET" env:"COGNATE_CLIENT_SECRET" help:"App client secret of a pool without a file."`
	RedirectURIs []string       `name:"redirect-uri" sep:"none" placeholder:"URI" env:"COGNATE_REDIRECT_URI" help:"The callback URL that the app uses: it comes first; may be repeated (default as in the file)."`
}

// Run prints the file for one client of one pool. The pool need not be running.
func (c *clientSecretsCommand) Run(term terminal.Streams) error {
	addr, err := c.listenAt()
	if err != nil {
		return err
	}
	s, err := c.site(addr)
	if err != nil {
		return err
	}
	if s.addr.Port == "0" {
		return fmt.Errorf("--addr %s names no port; give the one that the pool listens on", c.Addr)
	}
	chosen, err := c.choose(term)
	if err != nil {
		return err
	}
	issuer := chosen.pool.Issuer
	if issuer == "" {
		issuer = s.base(s.addr.Host) + "/" + chosen.pool.ID
	}
	base := s.base(s.hostsOf(chosen.at, chosen.pool)[0])
	return localpool.ClientSecrets(base, issuer, chosen.client).Encode(term.Out)
}

// A choice is a client of the pool that is at a position of its file.
type choice struct {
	at     int
	pool   poolconfig.Pool
	client userpool.Client
}

// choose returns the client that the flags choose in a description of pools, or
// describe if there is none.
func (c *clientSecretsCommand) choose(term terminal.Streams) (choice, error) {
	flags := configFlags{Config: c.Config, FromAWS: c.FromAWS, clientFlags: clientFlags(c.choiceFlags)}
	s, err := flags.source()
	if err != nil {
		return choice{}, err
	}
	if s.name == "" {
		file, err := flags.quickFile()
		if err != nil {
			return choice{}, err
		}
		return choice{0, file.Pools[0], file.Pools[0].Clients[0]}, nil
	}
	if c.ClientSecret != "" && !flags.secretFromEnvironment() {
		return choice{}, fmt.Errorf("--client-secret is for a pool without a file; %s has the secrets of its clients",
			s.name)
	}
	flags.unused(term, s)
	file, err := s.read()
	if err != nil {
		return choice{}, err
	}
	chosen, err := chooseClient(file, s.name, c.PoolID, c.ClientID)
	if err != nil {
		return choice{}, err
	}
	if flags.redirectFromEnvironment() {
		return chosen, nil
	}
	chosen.client.CallbackURLs, err = putFirst(c.RedirectURIs, chosen.client)
	return chosen, err
}

// chooseClient returns the client with this ID or, if no client has it, this name: in
// the pool with this ID, or in any. An empty ID means the first. name is what a person
// calls the file.
func chooseClient(f *poolconfig.File, name, poolID, client string) (choice, error) {
	var all []choice
	where := name
	for i, p := range f.Pools {
		if poolID != "" && p.ID != poolID || poolID == "" && client == "" && i > 0 {
			continue
		}
		if poolID != "" || client == "" {
			where = "the pool " + p.ID
		}
		for _, c := range p.Clients {
			all = append(all, choice{i, p, c})
		}
	}
	if poolID != "" && where == name {
		return choice{}, noSuchPool(f, name, poolID)
	}
	if len(all) == 0 {
		return choice{}, fmt.Errorf("%s has no client; add one under clients in %s", where, name)
	}
	if client == "" {
		return all[0], nil
	}
	for _, matches := range []func(choice) bool{
		func(c choice) bool { return c.client.ID == client },
		func(c choice) bool { return c.client.Name == client },
	} {
		found := slices.DeleteFunc(slices.Clone(all), func(c choice) bool { return !matches(c) })
		if len(found) > 1 {
			return choice{}, fmt.Errorf("%s has %s %s; choose one by --pool-id, or by its ID:%s", where,
				terminal.Count(len(found), "client", "clients"), terminal.Quoted(client), list(describe(found)))
		}
		if len(found) == 1 {
			return found[0], nil
		}
	}
	var known []string
	for _, c := range all {
		known = append(known, c.client.ID)
		if c.client.Name != "" {
			known = append(known, c.client.Name)
		}
	}
	return choice{}, noSuch(where, "client", client, known, describe(all))
}

// describe returns a line for each client.
func describe(clients []choice) []string {
	var lines []string
	for _, c := range clients {
		line := c.client.ID
		if c.client.Name != "" {
			line += "  " + c.client.Name
		}
		lines = append(lines, line+"  in "+c.pool.ID)
	}
	return lines
}

// noSuchPool returns an error that names the pools of a file.
func noSuchPool(f *poolconfig.File, name, id string) error {
	var known []string
	for _, p := range f.Pools {
		known = append(known, p.ID)
	}
	return noSuch(name, "pool", id, known, known)
}

// noSuch returns the error that there is nothing with a name, with what was perhaps
// meant, and all that there is.
func noSuch(where, kind, word string, known, lines []string) error {
	if len(lines) == 0 {
		return fmt.Errorf("%s has no %s %s; it has none at all", where, kind, terminal.Quoted(word))
	}
	hint := "it has:"
	if best := suggest.Nearest(word, known); best != "" {
		hint = "did you mean " + terminal.Quoted(best) + "? It has:"
	}
	return fmt.Errorf("%s has no %s %s; %s%s", where, kind, terminal.Quoted(word), hint, list(lines))
}

// list returns lines below a sentence, of which the first many are shown.
func list(lines []string) string {
	const most = 20
	var text strings.Builder
	for _, line := range lines[:min(len(lines), most)] {
		text.WriteString("\n  " + line)
	}
	if n := len(lines) - most; n > 0 {
		fmt.Fprintf(&text, "\n  and %d more", n)
	}
	return text.String()
}

// putFirst returns the callback URLs of a client, with the wanted ones before the others.
func putFirst(wanted []string, c userpool.Client) ([]string, error) {
	for _, uri := range wanted {
		if !slices.Contains(c.CallbackURLs, uri) {
			return nil, noSuch("the client "+c.ID, "callback URL", uri, c.CallbackURLs, c.CallbackURLs)
		}
	}
	all := slices.Clone(wanted)
	for _, uri := range c.CallbackURLs {
		if !slices.Contains(all, uri) {
			all = append(all, uri)
		}
	}
	return all, nil
}
