package poolconfig

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/cognate-auth/cognate/userpool"
)

// reading is one file on its way from YAML to pools.
type reading struct {
	loader   Loader
	file     *File
	problems problems
	anchors  map[string]ast.Node
	nodes    []ast.Node // of the pools
}

func valueOf(model any) reflect.Value { return reflect.ValueOf(model).Elem() }

func (in *reading) decoder(p *problems, skip map[ast.Node]bool) *decoder {
	return &decoder{problems: p, getenv: in.loader.getenv, anchors: in.anchors, skip: skip}
}

func (in *reading) pools(text []byte) {
	root := parse(text, &in.problems)
	if len(in.problems.list) > 0 {
		return
	}
	if root == nil {
		in.problems.add(0, 0, "the file says nothing; cognate pool init writes one to begin with")
		return
	}
	d := in.decoder(&in.problems, nil)
	d.begin(root)
	in.anchors = d.anchors
	var model fileModel
	d.value(root, valueOf(&model))
	if len(in.problems.list) > 0 {
		return // what is missing because it could not be read is not wrong as well
	}
	if len(model.Pools) == 0 {
		in.problems.add(1, 1, "expected pools, a list with at least one pool")
		return
	}
	for _, n := range d.elements(d.child(root, "pools")) {
		in.pool(n)
	}
	in.together()
}

// child is the value of a key of a mapping, or nil.
func (d *decoder) child(n ast.Node, key string) ast.Node {
	quiet := *d
	quiet.problems = &problems{}
	for _, e := range quiet.entries(quiet.resolve(n), "") {
		if keyOf(e) == key {
			return e.Value
		}
	}
	return nil
}

// elements are those of a list.
func (d *decoder) elements(n ast.Node) []ast.Node {
	s, ok := d.resolve(n).(*ast.SequenceNode)
	if !ok {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Values), func(n ast.Node) bool { return d.resolve(n) == nil })
}

// pool reads one pool: first itself, then its clients and users, each by itself
// so that a rule that is broken can be traced to its place.
func (in *reading) pool(n ast.Node) {
	d := in.decoder(&problems{}, nil)
	clients, users := d.child(n, "clients"), d.child(n, "users")
	p := Pool{}
	apart := map[ast.Node]bool{clients: true, users: true}
	delete(apart, nil)
	in.check(n, apart, func(node decoded) error {
		var m poolModel
		node.into(&m)
		var err error
		p, err = m.pool(in)
		return err
	})
	seen := map[string]bool{}
	for _, n := range d.elements(clients) {
		c := in.client(n)
		if c.ID != "" && seen[c.ID] {
			in.wrong(n, "id", "the client %q is there already", clip(c.ID))
		}
		seen[c.ID] = true
		p.Clients = append(p.Clients, c)
	}
	p.Users = in.users(d.elements(users), p)
	in.usersCSV(n, &p)
	in.file.Pools = append(in.file.Pools, p)
	in.nodes = append(in.nodes, n)
}

// wrong reports a problem with one key of a mapping, or with the mapping.
func (in *reading) wrong(n ast.Node, key, format string, args ...any) {
	d := in.decoder(&in.problems, nil)
	if v := d.child(n, key); v != nil {
		n = v
	}
	d.wrong(n, format, args...)
}

func (in *reading) client(n ast.Node) userpool.Client {
	var c userpool.Client
	in.check(n, nil, func(node decoded) error {
		var m clientModel
		node.into(&m)
		var err error
		c, err = m.client(in)
		return err
	})
	return c
}

// decoded is a node that can be decoded more than once, less some of its parts.
type decoded struct {
	in   *reading
	node ast.Node
	skip map[ast.Node]bool
	// places are what was decoded, in the order of the file.
	places *[]ast.Node
}

// into decodes the node. It was decoded before, so that nothing can be wrong
// with its form.
func (n decoded) into(model any) {
	d := n.in.decoder(&problems{}, n.skip)
	d.value(n.node, valueOf(model))
	*n.places = d.places
}

// check reports everything that read finds wrong with a node, at the value that
// it is about. Rules do not say which value that is. It is the one without which
// there is no such error: the last of them, so that of two that are the same
// the second one is, and the innermost.
func (in *reading) check(n ast.Node, skip map[ast.Node]bool, read func(decoded) error) {
	left := map[ast.Node]bool{}
	for s := range skip {
		left[s] = true
	}
	var places []ast.Node
	for i := range maxProblems {
		err := read(decoded{in, n, left, &places})
		if err == nil {
			return
		}
		culprit := in.culprit(n, left, places, err, read)
		if culprit == n && i > 0 {
			return // it follows from what was taken out
		}
		line, column := at(culprit)
		in.problems.add(line, column, "%s", sentence(err))
		if culprit == n || in.problems.full() {
			return
		}
		left[element(n, culprit)] = true
	}
}

// element is the part of n to leave out after a problem with culprit: of a list,
// the whole element that it is in, which would be incomplete without it.
func element(n, culprit ast.Node) ast.Node {
	out := culprit
	found := false
	ast.Walk(visitor(func(part ast.Node) {
		s, ok := part.(*ast.SequenceNode)
		if !ok || found {
			return
		}
		i := slices.IndexFunc(s.Values, func(e ast.Node) bool { return inside(e)[culprit] })
		if i >= 0 {
			out, found = s.Values[i], true
		}
	}), n)
	return out
}

// inside is a node with all its parts.
func inside(n ast.Node) map[ast.Node]bool {
	parts := map[ast.Node]bool{}
	ast.Walk(visitor(func(part ast.Node) { parts[part] = true }), n)
	return parts
}

func (in *reading) culprit(n ast.Node, left map[ast.Node]bool, places []ast.Node, err error, read func(decoded) error,
) ast.Node {
	places = slices.Clone(places)
	other := n
	for _, place := range slices.Backward(places) {
		if place == n || left[place] {
			continue
		}
		left[place] = true
		again := read(decoded{in, n, left, new([]ast.Node)})
		delete(left, place)
		if again == nil {
			return innermost(place, places, err)
		}
		if other == n && again.Error() != err.Error() {
			other = place
		}
	}
	return other
}

// innermost looks in what an error is about for the single value that it
// quotes: a part that cannot be left out is not found by leaving it out.
func innermost(n ast.Node, places []ast.Node, err error) ast.Node {
	if _, single := text(n); single {
		return n
	}
	parts := inside(n)
	for _, place := range slices.Backward(places) {
		value, single := text(place)
		if single && parts[place] && strings.Contains(err.Error(), strconv.Quote(value)) {
			return place
		}
	}
	return n
}

// field is how an error says which setting it is about; people see the line.
var field = regexp.MustCompile(`^userpool: Settings\.[\w.\[\]]+: `)

// sentence is what a person reads of an error of userpool's.
func sentence(err error) string {
	if e, ok := errors.AsType[*userpool.Error](err); ok {
		return e.Description
	}
	text := field.ReplaceAllString(err.Error(), "")
	return strings.TrimPrefix(text, "userpool: ")
}

// together checks what pools have to share.
func (in *reading) together() {
	ids, hosts := map[string]bool{}, map[string]string{}
	for i, p := range in.file.Pools {
		if p.ID != "" && ids[p.ID] {
			in.wrong(in.nodes[i], "id", "the pool %q is there already", clip(p.ID))
		}
		ids[p.ID] = true
		for key, host := range map[string]string{"domain": p.local(), "custom_domain": p.CustomDomain} {
			if host != "" && hosts[host] != "" {
				in.wrong(in.nodes[i], key, "the pool %s has the host %s already", hosts[host], host)
			}
			hosts[host] = p.ID
		}
	}
}

var prefix = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

// hostName is a name of two labels or more, or of one below localhost.
var hostName = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

// Hosts are the host names of the pool's own, the one that its endpoints are
// named with first. A pool without any has the address of all pools.
func (p *Pool) Hosts() []string {
	var hosts []string
	if p.CustomDomain != "" {
		hosts = append(hosts, p.CustomDomain)
	}
	if p.Domain != "" {
		hosts = append(hosts, p.local())
	}
	return hosts
}

func (p *Pool) local() string {
	if p.Domain == "" {
		return ""
	}
	return p.Domain + ".localhost"
}

func checkDomains(m poolModel) error {
	if m.Domain != "" && !prefix.MatchString(m.Domain) {
		return fmt.Errorf("a domain is a prefix of 1 to 63 of a-z, 0-9 and -, as in myapp for myapp.localhost; "+
			"a whole name goes into custom_domain (%q)", clip(m.Domain))
	}
	if m.CustomDomain == "" {
		return nil
	}
	if len(m.CustomDomain) > 253 || !hostName.MatchString(m.CustomDomain) || m.CustomDomain == "localhost" {
		return fmt.Errorf("a custom domain is a host name in small letters, without scheme and port, "+
			"such as auth.example.test (%q)", clip(m.CustomDomain))
	}
	return nil
}
