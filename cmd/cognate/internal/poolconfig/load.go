package poolconfig

import (
	"errors"
	"fmt"
	"maps"
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
	work     int        // nodes that were decoded
	read     map[string]readFile
}

// readFile is what became of a file beside the configuration.
type readFile struct {
	text []byte
	err  error
}

func valueOf(model any) reflect.Value { return reflect.ValueOf(model).Elem() }

func (in *reading) decoder(p *problems, skip map[ast.Node]bool) *decoder {
	return &decoder{
		problems: p, getenv: in.loader.getenv, anchors: in.anchors, skip: skip, within: -1, work: &in.work,
	}
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
	good := in.check(n, apart, func(node decoded) error {
		var m poolModel
		node.into(&m)
		var err error
		p, err = m.pool(in)
		return err
	})
	seen := map[string]bool{}
	for _, n := range d.elements(clients) {
		if in.problems.full() {
			return
		}
		c := in.client(n, p, good)
		if c.ID != "" && seen[c.ID] {
			in.wrong(n, "id", "the client %q is there already", clip(c.ID))
		}
		seen[c.ID] = true
		p.Clients = append(p.Clients, c)
	}
	if !good { // what users may be depends on the pool
		return
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

// client reads a client; good reports whether its pool can be compared with it.
func (in *reading) client(n ast.Node, p Pool, good bool) userpool.Client {
	var c userpool.Client
	in.check(n, nil, func(node decoded) error {
		var m clientModel
		node.into(&m)
		var err error
		c, err = m.client(in)
		if err == nil && good {
			err = userpool.CheckClientOf(p.Settings, c)
		}
		return err
	})
	return c
}

// decoded is a node that can be decoded more than once, less some of its parts.
type decoded struct {
	in     *reading
	node   ast.Node
	skip   map[ast.Node]bool
	most   int // of the places; zero: all
	places *[]place
}

// into decodes the node. It was decoded before, so that nothing can be wrong
// with its form.
func (n decoded) into(model any) { n.decode(model, nil) }

func (n decoded) decode(model any, unknown func(string, ast.Node)) {
	d := n.in.decoder(&problems{}, n.skip)
	d.most, d.unknown = n.most, unknown
	d.value(n.node, valueOf(model))
	*n.places = d.places
}

// check reports everything that read finds wrong with a node, at the value that
// it is about, and reports whether it can be read with that left out.
func (in *reading) check(n ast.Node, skip map[ast.Node]bool, read func(decoded) error) bool {
	s := search{in: in, node: n, left: maps.Clone(skip), read: read}
	if s.left == nil {
		s.left = map[ast.Node]bool{}
	}
	for i := range maxProblems {
		err := s.all()
		if err == nil {
			return true
		}
		where, out := n, n
		if in.work < maxWork {
			where, out = s.culprit(err)
		}
		if out == n && i > 0 {
			return false // it follows from what was taken out
		}
		line, column := at(where)
		in.problems.add(line, column, "%s", sentence(err))
		if out == n || in.problems.full() {
			return false
		}
		s.left[out] = true
	}
	return false
}

// search looks for the value that an error is about. Rules do not say which one
// it is. It is the one with which the error comes when the places of the node
// are read one after the other; to find it takes as many reads as it takes to
// halve their number down to one, however many mistakes there are.
type search struct {
	in     *reading
	node   ast.Node
	left   map[ast.Node]bool
	read   func(decoded) error
	places []place
}

// all reads what is not left out, and notes its places.
func (s *search) all() error { return s.read(decoded{s.in, s.node, s.left, 0, &s.places}) }

// first reads the first places, without one of them; nil: with all.
func (s *search) first(most int, without ast.Node) error {
	if without != nil {
		s.left[without] = true
		defer delete(s.left, without)
	}
	return s.read(decoded{s.in, s.node, s.left, most, new([]place)})
}

// culprit returns the node to name, and the one to leave out to see what else is
// wrong: of a list the whole element, if it would be incomplete otherwise.
func (s *search) culprit(err error) (name, out ast.Node) {
	if len(s.places) == 0 || same(s.first(1, nil), err) {
		return s.node, s.node
	}
	// First by whole elements of lists, which are wrong in another way while parts
	// are missing, then inside of the one where it begins.
	clean, last := s.halve(s.wholes(), err)
	between := []int{}
	for most := clean; most <= last; most++ {
		between = append(between, most)
	}
	_, last = s.halve(between, err)
	i := last - 1
	c := s.element(i)
	if !same(s.first(last, s.places[i].node), s.first(last, s.places[c].node)) {
		i = c
	}
	name = s.innermost(i, err)
	// Of a list it may be all elements together: too many, or scopes that need another one.
	_, quoted := s.quoted(i, err)
	together := s.single(i) || !quoted
	if s.places[i].item && together && same(s.first(0, s.places[i].node), err) {
		i = s.places[i].parent
		name = s.innermost(i, err)
	}
	return name, s.places[i].node
}

// wholes are the numbers of places after which no element of a list is cut.
func (s *search) wholes() []int {
	all := []int{1}
	for most := 2; most <= len(s.places); most++ {
		within := s.element(most - 1)
		if most == len(s.places) || !s.places[within].item || !s.inside(most, within) {
			all = append(all, most)
		}
	}
	return all
}

// halve returns two neighbours in a list of numbers of places: with as many places
// as the second one says the error comes, and with the first it does not. With
// the last of the list it comes.
func (s *search) halve(list []int, err error) (clean, last int) {
	from, to := 0, len(list)-1
	for to-from > 1 {
		middle := (from + to) / 2
		if same(s.first(list[middle], nil), err) {
			to = middle
		} else {
			from = middle
		}
	}
	return list[from], list[to]
}

func same(a, b error) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Error() == b.Error()
}

// element is the element of a list that a place is or is in, or the place itself.
func (s *search) element(i int) int {
	for at := i; at >= 0; at = s.places[at].parent {
		if s.places[at].item {
			return at
		}
	}
	return i
}

func (s *search) single(i int) bool {
	_, ok := text(s.places[i].node)
	return ok
}

// innermost looks in a place for the single value that an error quotes.
func (s *search) innermost(i int, err error) ast.Node {
	_, alias := s.places[i].node.(*ast.AliasNode) // what it stands for may be right elsewhere
	if alias || s.single(i) {
		return s.places[i].node
	}
	if at, ok := s.quoted(i, err); ok {
		return s.places[at].node
	}
	return s.places[i].node
}

// quoted looks for the single value in a place that an error quotes.
func (s *search) quoted(i int, err error) (at int, ok bool) {
	for at := len(s.places) - 1; at > i; at-- {
		value, single := text(s.places[at].node)
		if single && s.inside(at, i) && strings.Contains(err.Error(), strconv.Quote(value)) {
			return at, true
		}
	}
	return 0, false
}

func (s *search) inside(at, i int) bool {
	for at > i {
		at = s.places[at].parent
	}
	return at == i
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

// reservedWords are those that no prefix domain of Cognito has in it (developer
// guide, page "cognito-user-pools-assign-domain-prefix").
var reservedWords = []string{"aws", "amazon", "cognito"}

func checkDomains(m poolModel) error {
	if m.Domain != "" && !prefix.MatchString(m.Domain) {
		return fmt.Errorf("a domain is a prefix of 1 to 63 of a-z, 0-9 and -, as in myapp for myapp.localhost; "+
			"a whole name goes into custom_domain (%q)", clip(m.Domain))
	}
	for _, word := range reservedWords {
		if strings.Contains(m.Domain, word) {
			return fmt.Errorf("a domain has none of the words %s in it, which Cognito refuses (%q)",
				strings.Join(reservedWords, ", "), clip(m.Domain))
		}
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
