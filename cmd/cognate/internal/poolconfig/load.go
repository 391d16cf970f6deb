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

// reading is the state of reading one file.
type reading struct {
	loader   Loader
	file     *File
	problems problems
	anchors  map[string]ast.Node
	nodes    []ast.Node // one per pool
	work     int        // nodes that were decoded
	read     map[string]readFile
}

// readFile is the result of reading a file that the configuration names.
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
		in.problems.add(0, 0, "the file is empty; cognate pool init writes one to start from")
		return
	}
	d := in.decoder(&in.problems, nil)
	d.collectAnchors(root)
	in.anchors = d.anchors
	var model fileModel
	d.value(root, valueOf(&model))
	if len(in.problems.list) > 0 {
		return // what could not be read is not reported as missing too
	}
	if len(model.Pools) == 0 {
		in.problems.add(1, 1, "expected pools, a list with at least one pool")
		return
	}
	for _, n := range d.elements(d.child(root, "pools")) {
		in.pool(n)
	}
	in.checkAcrossPools()
}

// child returns the value of a key of a mapping, or nil.
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

// elements returns the elements of a list.
func (d *decoder) elements(n ast.Node) []ast.Node {
	s, ok := d.resolve(n).(*ast.SequenceNode)
	if !ok {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Values), func(n ast.Node) bool { return d.resolve(n) == nil })
}

// pool reads one pool: first its own settings, then its clients and users one by one,
// so that an error can be traced to its place.
func (in *reading) pool(n ast.Node) {
	d := in.decoder(&problems{}, nil)
	clients, users := d.child(n, "clients"), d.child(n, "users")
	p := Pool{}
	apart := map[ast.Node]bool{clients: true, users: true}
	delete(apart, nil)
	good := in.check(n, apart, func(node partial) error {
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
			in.problemf(n, "id", "the client %q appears twice", clip(c.ID))
		}
		seen[c.ID] = true
		p.Clients = append(p.Clients, c)
	}
	if !good { // the rules for users depend on the pool
		return
	}
	p.Users = in.users(d.elements(users), p)
	in.usersCSV(n, &p)
	in.file.Pools = append(in.file.Pools, p)
	in.nodes = append(in.nodes, n)
}

// problemf reports a problem with one key of a mapping, or with the whole mapping.
func (in *reading) problemf(n ast.Node, key, format string, args ...any) {
	d := in.decoder(&in.problems, nil)
	if v := d.child(n, key); v != nil {
		n = v
	}
	d.problemf(n, format, args...)
}

// client reads a client. good reports whether the settings of its pool are valid, so
// that the client can be checked against them.
func (in *reading) client(n ast.Node, p Pool, good bool) userpool.Client {
	var c userpool.Client
	in.check(n, nil, func(node partial) error {
		var m clientModel
		node.into(&m)
		var err error
		c, err = m.client(in)
		if err == nil && good {
			err = userpool.CheckClientOf(p.Settings, c)
		}
		return err
	})
	for _, note := range c.Branding.HardToRead() {
		in.file.Notes = append(in.file.Notes, "client "+c.ID+": "+note+".")
	}
	return c
}

// partial is a node that can be decoded several times, each time without some of its
// parts.
type partial struct {
	in     *reading
	node   ast.Node
	skip   map[ast.Node]bool
	limit  int // of the places; zero: all
	places *[]place
}

// into decodes a node whose form has already been checked.
func (n partial) into(model any) { n.decode(model, nil) }

func (n partial) decode(model any, unknown func(string, ast.Node)) {
	d := n.in.decoder(&problems{}, n.skip)
	d.limit, d.unknown = n.limit, unknown
	d.value(n.node, valueOf(model))
	*n.places = d.places
}

// check reports everything that read finds wrong with a node, at the value that each
// problem is about. It reports whether the node can be read without those values.
func (in *reading) check(n ast.Node, skip map[ast.Node]bool, read func(partial) error) bool {
	s := search{in: in, node: n, skip: maps.Clone(skip), read: read}
	if s.skip == nil {
		s.skip = map[ast.Node]bool{}
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
			return false // the error is a consequence of the values that were left out
		}
		line, column := position(where)
		in.problems.add(line, column, "%s", sentence(err))
		if out == n || in.problems.full() {
			return false
		}
		s.skip[out] = true
	}
	return false
}

// search finds the value that an error is about, because the rules don't say which
// value it is. It reads the first n places of the node, for growing n: the value is the
// place with which the error first comes. It bisects, so the number of reads is
// logarithmic, however many mistakes there are.
type search struct {
	in     *reading
	node   ast.Node
	skip   map[ast.Node]bool
	read   func(partial) error
	places []place
}

// all reads the places that are not left out, and notes them.
func (s *search) all() error { return s.read(partial{s.in, s.node, s.skip, 0, &s.places}) }

// first reads the first limit places without one of them. If without is nil, it reads
// all of them.
func (s *search) first(limit int, without ast.Node) error {
	if without != nil {
		s.skip[without] = true
		defer delete(s.skip, without)
	}
	return s.read(partial{s.in, s.node, s.skip, limit, new([]place)})
}

// culprit returns the node to name, and the node to leave out to see what else is
// wrong: the whole element of a list, if the element would be incomplete otherwise.
func (s *search) culprit(err error) (name, out ast.Node) {
	if len(s.places) == 0 || same(s.first(1, nil), err) {
		return s.node, s.node
	}
	// First search among whole elements of lists, because an incomplete element gives
	// other errors; then within the element that has the error.
	clean, last := s.bisect(s.elementEnds(), err)
	between := []int{}
	for limit := clean; limit <= last; limit++ {
		between = append(between, limit)
	}
	_, last = s.bisect(between, err)
	i := last - 1
	c := s.element(i)
	if !same(s.first(last, s.places[i].node), s.first(last, s.places[c].node)) {
		i = c
	}
	name = s.innermost(i, err)
	// The error may be about all elements of a list together: there are too many, or a
	// scope needs another one.
	_, quoted := s.quoted(i, err)
	together := s.single(i) || !quoted
	if s.places[i].item && together && same(s.first(0, s.places[i].node), err) {
		i = s.places[i].parent
		name = s.innermost(i, err)
	}
	return name, s.places[i].node
}

// elementEnds returns the numbers of places after which no element of a list is
// incomplete.
func (s *search) elementEnds() []int {
	all := []int{1}
	for limit := 2; limit <= len(s.places); limit++ {
		within := s.element(limit - 1)
		if limit == len(s.places) || !s.places[within].item || !s.inside(limit, within) {
			all = append(all, limit)
		}
	}
	return all
}

// bisect returns two neighbours in a list of numbers of places: with the first number
// of places the error does not come, and with the second one it does. It must come with
// the last number of the list.
func (s *search) bisect(list []int, err error) (clean, last int) {
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

// element returns the element of a list that contains a place, or the place itself.
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

// innermost returns the single value within a place that an error quotes.
func (s *search) innermost(i int, err error) ast.Node {
	_, alias := s.places[i].node.(*ast.AliasNode) // the value that it stands for may be right elsewhere
	if alias || s.single(i) {
		return s.places[i].node
	}
	if at, ok := s.quoted(i, err); ok {
		return s.places[at].node
	}
	return s.places[i].node
}

// quoted returns the place within place i of the single value that an error quotes.
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

// field matches the name of the setting at the start of an error; the line is more
// useful to people.
var field = regexp.MustCompile(`^userpool: Settings\.[\w.\[\]]+: `)

// sentence returns the text of a userpool error for people.
func sentence(err error) string {
	if e, ok := errors.AsType[*userpool.Error](err); ok {
		return e.Description
	}
	text := field.ReplaceAllString(err.Error(), "")
	return strings.TrimPrefix(text, "userpool: ")
}

// checkAcrossPools checks what the pools of a file share.
func (in *reading) checkAcrossPools() {
	ids, hosts := map[string]bool{}, map[string]string{}
	for i, p := range in.file.Pools {
		if p.ID != "" && ids[p.ID] {
			in.problemf(in.nodes[i], "id", "the pool %q appears twice", clip(p.ID))
		}
		ids[p.ID] = true
		for key, host := range map[string]string{"domain": p.local(), "custom_domain": p.CustomDomain} {
			if host != "" && hosts[host] != "" {
				in.problemf(in.nodes[i], key, "the pool %s already has the host %s", hosts[host], host)
			}
			hosts[host] = p.ID
		}
	}
}

var prefix = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

// hostName matches a name, such as one below localhost, or that of a service in a Compose file.
var hostName = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

// Hosts returns the pool's own host names, the one for its endpoints first. A pool
// without own hosts has the address of all pools.
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

// reservedWords are words that no prefix domain of Cognito may contain (developer
// guide, page "cognito-user-pools-assign-domain-prefix").
var reservedWords = []string{"aws", "amazon", "cognito"}

func checkDomains(m poolModel) error {
	if m.Domain != "" && !prefix.MatchString(m.Domain) {
		return fmt.Errorf("a domain is a prefix of 1 to 63 of a-z, 0-9 and -, as in myapp for myapp.localhost; "+
			"for a whole name use custom_domain (%q)", clip(m.Domain))
	}
	for _, word := range reservedWords {
		if strings.Contains(m.Domain, word) {
			return fmt.Errorf("a domain must not contain the words %s, which Cognito refuses (%q)",
				strings.Join(reservedWords, ", "), clip(m.Domain))
		}
	}
	if m.CustomDomain == "" {
		return nil
	}
	if len(m.CustomDomain) > 253 || !hostName.MatchString(m.CustomDomain) || m.CustomDomain == "localhost" {
		return fmt.Errorf("a custom domain is a host name in lower case, without scheme and port, "+
			"such as auth.example.test (%q)", clip(m.CustomDomain))
	}
	return nil
}
