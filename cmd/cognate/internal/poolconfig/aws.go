package poolconfig

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"github.com/cognate-auth/cognate/userpool"
)

// FromAWS reads the output of aws cognito-idp describe-user-pool and
// describe-user-pool-client: one output per file, in any order. File.Notes lists what a
// local pool has no use for and what was left out, except AWS's own names, dates and
// tags. Path is the first of the files.
func (l Loader) FromAWS(paths ...string) (*File, error) {
	a, err := l.readAWS(paths)
	if err != nil {
		return nil, err
	}
	return a.file(), nil
}

// awsFiles is what was read from several files.
type awsFiles struct {
	paths  []string
	pools  []Pool
	models []poolModel
	notes  []string
}

func (a *awsFiles) file() *File {
	return &File{Path: a.paths[0], Sources: a.paths, Pools: a.pools, Notes: a.notes}
}

func (l Loader) readAWS(paths []string) (*awsFiles, error) {
	a := &awsFiles{paths: paths}
	var clients []*awsReading
	for _, path := range paths {
		in := &awsReading{reading: reading{loader: l, file: &File{Path: path}}, to: a}
		in.problems.file = path
		text, err := in.config(path)
		if err != nil {
			return nil, err
		}
		in.parse(text)
		if in.client != nil {
			clients = append(clients, in) // the file of its pool may be later in the list
		}
		err = in.problems.err()
		if err != nil {
			return nil, err
		}
	}
	for _, in := range clients {
		in.addClient()
		err := in.problems.err()
		if err != nil {
			return nil, err
		}
	}
	if len(a.pools) == 0 {
		return nil, errors.New("no file has a UserPool; add what aws cognito-idp describe-user-pool prints")
	}
	return a, nil
}

// awsReading is one of the files. JSON is also YAML, so its mistakes are reported with
// line and column too.
type awsReading struct {
	reading
	to     *awsFiles
	client ast.Node
}

func (in *awsReading) parse(text []byte) {
	root := parse(text, &in.problems)
	if len(in.problems.list) > 0 {
		return
	}
	d := in.decoder(&in.problems, nil)
	pool := d.child(root, "UserPool")
	in.client = d.child(root, "UserPoolClient")
	switch {
	case pool == nil && in.client == nil:
		in.problems.add(1, 1, "expected the JSON of aws cognito-idp describe-user-pool or describe-user-pool-client, "+
			"with a member UserPool or UserPoolClient")
	case pool != nil:
		in.addPool(pool)
	}
}

func (in *awsReading) addPool(n ast.Node) {
	var aws awsPool
	if !in.lenient(n, valueOf(&aws), "UserPool") {
		return
	}
	m, notes := aws.model()
	var p Pool
	in.check(n, nil, func(node partial) error {
		var again awsPool
		node.lenient(&again)
		m, _ := again.model()
		var err error
		p, err = m.pool(&in.reading)
		return err
	})
	if slices.ContainsFunc(in.to.pools, func(other Pool) bool { return other.ID == p.ID }) {
		in.problemf(n, "Id", "the pool %q appears twice", clip(p.ID))
	}
	in.note(notes...)
	in.to.pools, in.to.models = append(in.to.pools, p), append(in.to.models, m)
}

func (in *awsReading) note(notes ...string) {
	for _, note := range notes {
		in.to.notes = append(in.to.notes, in.file.Path+": "+note)
	}
}

func (in *awsReading) addClient() {
	n := in.client
	var aws awsClient
	if !in.lenient(n, valueOf(&aws), "UserPoolClient") {
		return
	}
	i := slices.IndexFunc(in.to.pools, func(p Pool) bool { return p.ID == aws.UserPoolID })
	if i < 0 {
		in.problemf(n, "UserPoolId", "no file has the pool %q of this client; "+
			"add what aws cognito-idp describe-user-pool prints for it", clip(aws.UserPoolID))
		return
	}
	pool, model := &in.to.pools[i], &in.to.models[i]
	f := fitting{pool: pool.Settings}
	m, notes, usable := f.client(aws)
	if !usable {
		in.note(notes...)
		return
	}
	pool.Settings.ResourceServers, model.ResourceServers = f.pool.ResourceServers, serverModels(f.pool.ResourceServers)
	var c userpool.Client
	in.check(n, nil, func(node partial) error {
		var again awsClient
		node.lenient(&again)
		m, _, _ := (&fitting{pool: pool.Settings}).client(again)
		var err error
		c, err = m.client(&in.reading)
		if err == nil {
			err = userpool.CheckClientOf(pool.Settings, c)
		}
		return err
	})
	if slices.ContainsFunc(pool.Clients, func(other userpool.Client) bool { return other.ID == c.ID }) {
		in.problemf(n, "ClientId", "the client %q appears twice", clip(c.ID))
	}
	in.note(notes...)
	pool.Clients, model.Clients = append(pool.Clients, c), append(model.Clients, m)
}

func serverModels(servers []userpool.ResourceServer) []resourceServerModel {
	var out []resourceServerModel
	for _, r := range servers {
		m := resourceServerModel{Identifier: r.Identifier, Name: r.Name}
		for _, scope := range r.Scopes {
			m.Scopes = append(m.Scopes, scopeModel(scope))
		}
		out = append(out, m)
	}
	return out
}

// lenient decodes n, skips unknown members, and notes them. It reports whether the
// known ones have the right form.
func (in *awsReading) lenient(n ast.Node, v reflect.Value, name string) bool {
	d := in.decoder(&in.problems, nil)
	d.unknown = func(key string, value ast.Node) {
		if !slices.Contains(awsOwn, key) && !isEmpty(d.resolve(value)) {
			in.to.notes = append(in.to.notes, fmt.Sprintf("%s: left out: %s.%s", in.file.Path, name, clip(key)))
		}
	}
	d.value(n, v)
	return len(in.problems.list) == 0
}

func (n partial) lenient(model any) { n.decode(model, func(string, ast.Node) {}) }

// awsOwn lists members that mean nothing outside of AWS, and members about how a pool
// is operated and billed.
var awsOwn = []string{
	"Arn", "CreationDate", "LastModifiedDate", "EstimatedNumberOfUsers", "Status", "UserPoolTags", "UserPoolTier",
	"DeletionProtection", "EmailConfiguration", "SmsConfiguration", "SmsConfigurationFailure",
	"EmailConfigurationFailure", "UserPoolId", "DeveloperOnlyAttribute",
	"UnusedAccountValidityDays",
}

// isEmpty reports whether a member has an empty value: null, false, {}, [] or "", or a
// mapping whose values are all empty.
func isEmpty(n ast.Node) bool {
	switch v := n.(type) {
	case nil:
		return true
	case *ast.MappingNode:
		return !slices.ContainsFunc(v.Values, func(e *ast.MappingValueNode) bool { return !isEmpty(e.Value) })
	case *ast.SequenceNode:
		return len(v.Values) == 0
	}
	s, ok := text(n)
	return ok && (s == "" || s == "false" || s == "null")
}
